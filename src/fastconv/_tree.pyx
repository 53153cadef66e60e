"""The FFT of one block: twiddle factors of its size, and the kernels' passes in the order that keeps to the cache.

A block is a polynomial of m coefficients modulo t^m - i; every pass takes each node, a polynomial modulo t^n - w, modulo
R factors of that modulus (_kernels/fft.pyx.in). Coefficients are numbers, or rows of numbers: then a pass works on
whole rows, and at the end a row is multiplied by one number, or is a polynomial with a tree of its own. The passes
run depth first down to leaves that stay in L1. What the coefficients mean, boundaries and threads are _fft's concern.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memcpy
cimport numpy as cnp

from functools import lru_cache

import numpy as np

from fastconv import _kernels

from fastconv._direct cimport kernels_of
from fastconv._kernels.table cimport FC_F32, FC_FFT_TABLE, fc_fft_table

cnp.import_array()

cdef enum:
    LEAF_BYTES = 16 * 1024          # re and im of a leaf

cdef const fc_fft_table* TABLE = <const fc_fft_table*>PyCapsule_GetPointer(_kernels.table("fft"), FC_FFT_TABLE)
cdef double TURN = 2 * np.pi


cdef class Plan:
    """The twiddle factors for m coefficients of the real dtype `code`, down to nodes of `end` coefficients."""
    def __init__(self, int code, Py_ssize_t m, Py_ssize_t end):
        cdef cnp.ndarray table
        cdef int i
        dtype = np.dtype(np.float32 if code == FC_F32 else np.float64)
        self.tree.kernels = TABLE.dtype[code]
        self.tree.item = dtype.itemsize
        self.tree.lanes = kernels_of(code).lanes
        self.tree.m = m
        self.tree.width = self.tree.columns = 1
        self.tree.rows = NULL
        self.tree.leaf = LEAF_BYTES // (2 * dtype.itemsize)
        radices = _radices(m // end)
        self.tree.last = len(radices) - 1
        self.tables = twiddles(radices, dtype)
        for i, table in enumerate(self.tables):
            self.tree.w[i] = <const char*>cnp.PyArray_DATA(table)
        self.tree.modulus = self.tree.w[len(radices)]
        for i, radix in enumerate(radices):
            self.tree.radix[i] = radix


@lru_cache(maxsize=64)
def plan(code, m, end):
    """The plan, made once and shared between threads."""
    return Plan(code, m, end)


cdef list _radices(Py_ssize_t nodes):
    """The passes for 2^a 3^b 5^c nodes: odd radices first, then 2 if need be, then 4."""
    radices = []
    for radix in (3, 5):
        while nodes % radix == 0:
            radices.append(radix)
            nodes //= radix
    if nodes.bit_length() % 2 == 0:
        radices.append(2)
    return radices + [4] * ((nodes.bit_length() - 1) // 2)


def twiddles(list radices, dtype):
    """By pass, the powers 1 to R - 1 of every node's w; then the moduli of the last nodes."""
    angles = np.array([0.25], np.longdouble)            # in turns; the root is modulo t^m - i
    tables = []
    for radix in radices:
        angles = angles / radix
        tables.append(np.stack([_unit(r * angles) for r in range(1, radix)], axis=1))
        order = [0, 2, 1, 3] if radix == 4 else range(radix)
        angles = (angles[:, np.newaxis] + np.array(order, np.longdouble) / radix).ravel()
    tables.append(_unit(angles))
    return [np.ascontiguousarray(np.stack([w.real, w.imag], axis=-1), dtype) for w in tables]


cdef _unit(angles):
    """e^(2 pi i angles), in float64: of the rest of at most an eighth of a turn, after whole quarters."""
    quarters = np.rint(4 * angles)
    rest = TURN * (angles - quarters / 4).astype(float)
    return np.array([1, 1j, -1, -1j])[quarters.astype(int) % 4] * (np.cos(rest) + 1j * np.sin(rest))


cdef Py_ssize_t spectrum_bytes(const Tree* t, Py_ssize_t n) noexcept nogil:
    """Of the transform of n numbers of a kernel."""
    return (4 * n if t.columns == 1 else 2 * (n // t.columns)) * t.item


cdef void transform(const Tree* t, char* re, char* im, char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                    Py_ssize_t n) noexcept nogil:
    """Take `nodes` nodes, from number q before pass i on, of n numbers each, down to the end, into h."""
    cdef Py_ssize_t g, step = n * t.item
    cdef int radix
    if nodes > 1 and nodes * n > t.leaf and i <= t.last:
        for g in range(nodes):
            transform(t, re + g * step, im + g * step, h + spectrum_bytes(t, g * n), i, q + g, 1, n)
    elif i <= t.last:
        radix = t.radix[i]
        n //= radix
        t.kernels.down[radix](re, im, n, re, im, n, n, nodes, t.w[i] + q * 2 * (radix - 1) * t.item)
        transform(t, re, im, h, i + 1, q * radix, nodes * radix, n)
    elif t.width == 1:
        t.kernels.spectrum(re, im, h, nodes, t.modulus + q * 2 * t.item)
    elif t.rows != NULL:
        for g in range(nodes):
            transform(t.rows, re + g * step, im + g * step, h + spectrum_bytes(t, g * n), 0, 0, 1, n)
    else:                                               # all columns are the same
        for g in range(nodes):
            memcpy(h + 2 * g * t.item, re + g * step, t.item)
            memcpy(h + (2 * g + 1) * t.item, im + g * step, t.item)


cdef void multiply(const Tree* t, char* re, char* im, const char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                   Py_ssize_t n) noexcept nogil:
    """The same for a signal; then its product with h, and back up before pass i."""
    cdef Py_ssize_t g, step = n * t.item
    cdef int radix
    cdef const char* w
    if nodes > 1 and nodes * n > t.leaf and i <= t.last:
        for g in range(nodes):
            multiply(t, re + g * step, im + g * step, h + spectrum_bytes(t, g * n), i, q + g, 1, n)
    elif i == t.last and t.width == 1:
        t.kernels.multiply(re, im, h, nodes, t.w[i] + q * 6 * t.item)
    elif i <= t.last:
        radix = t.radix[i]
        n //= radix
        w = t.w[i] + q * 2 * (radix - 1) * t.item
        t.kernels.down[radix](re, im, n, re, im, n, n, nodes, w)
        multiply(t, re, im, h, i + 1, q * radix, nodes * radix, n)
        t.kernels.up[radix](re, im, n, re, im, n, n, nodes, w)
    elif t.rows != NULL:
        for g in range(nodes):
            multiply(t.rows, re + g * step, im + g * step, h + spectrum_bytes(t, g * n), 0, 0, 1, n)
    else:
        t.kernels.scale(re, im, h, n, nodes)


cdef void multiply_from(const Tree* t, const char* of_re, const char* of_im, char* re, char* im,
                        const char* h) noexcept nogil:
    cdef int radix = t.radix[0]
    cdef Py_ssize_t n = t.m * t.width // radix
    t.kernels.down[radix](of_re, of_im, n, re, im, n, n, 1, t.w[0])
    multiply(t, re, im, h, 1, 0, radix, n)
    t.kernels.up[radix](re, im, n, re, im, n, n, 1, t.w[0])


cdef void multiply_both(const Tree* t, char* re, char* im, char* g_re, char* g_im, char* h, int i, Py_ssize_t q,
                        Py_ssize_t nodes, Py_ssize_t n) noexcept nogil:
    """The same with the kernel in g, whose transform is needed only once: h holds a leaf of it."""
    cdef Py_ssize_t g, step = n * t.item
    cdef int radix
    cdef const char* w
    if nodes * n <= t.leaf:
        transform(t, g_re, g_im, h, i, q, nodes, n)
        multiply(t, re, im, h, i, q, nodes, n)
    elif nodes > 1:
        for g in range(nodes):
            multiply_both(t, re + g * step, im + g * step, g_re + g * step, g_im + g * step, h, i, q + g, 1, n)
    elif i > t.last:                                    # one polynomial of the next side
        multiply_both(t.rows, re, im, g_re, g_im, h, 0, 0, 1, n)
    else:
        radix = t.radix[i]
        n //= radix
        w = t.w[i] + q * 2 * (radix - 1) * t.item
        t.kernels.down[radix](g_re, g_im, n, g_re, g_im, n, n, nodes, w)
        t.kernels.down[radix](re, im, n, re, im, n, n, nodes, w)
        multiply_both(t, re, im, g_re, g_im, h, i + 1, q * radix, radix, n)
        t.kernels.up[radix](re, im, n, re, im, n, n, nodes, w)


cdef void down(const Tree* t, char* re, char* im, char* to_re, char* to_im, Py_ssize_t to_ld, int i, int end,
               Py_ssize_t q, Py_ssize_t nodes, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t g, step = n * t.item, to_step
    cdef int radix = t.radix[i], j
    cdef const char* w = t.w[i] + q * 2 * (radix - 1) * t.item
    if i == end - 1:
        n //= radix
        t.kernels.down[radix](re, im, n, to_re, to_im, to_ld, n, nodes, w)
    elif nodes > 1 and nodes * n > t.leaf:
        to_step = to_ld * t.item
        for j in range(i, end):
            to_step *= t.radix[j]
        for g in range(nodes):
            down(t, re + g * step, im + g * step, to_re + g * to_step, to_im + g * to_step, to_ld, i, end, q + g, 1, n)
    else:
        n //= radix
        t.kernels.down[radix](re, im, n, re, im, n, n, nodes, w)
        down(t, re, im, to_re, to_im, to_ld, i + 1, end, q * radix, nodes * radix, n)


cdef void up(const Tree* t, const char* of_re, const char* of_im, Py_ssize_t of_ld, char* re, char* im, int i, int end,
             Py_ssize_t q, Py_ssize_t nodes, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t g, step = n * t.item, of_step
    cdef int radix = t.radix[i], j
    cdef const char* w = t.w[i] + q * 2 * (radix - 1) * t.item
    if i == end - 1:
        n //= radix
        t.kernels.up[radix](of_re, of_im, of_ld, re, im, n, n, nodes, w)
    elif nodes > 1 and nodes * n > t.leaf:
        of_step = of_ld * t.item
        for j in range(i, end):
            of_step *= t.radix[j]
        for g in range(nodes):
            up(t, of_re + g * of_step, of_im + g * of_step, of_ld, re + g * step, im + g * step, i, end, q + g, 1, n)
    else:
        n //= radix
        up(t, of_re, of_im, of_ld, re, im, i + 1, end, q * radix, nodes * radix, n)
        t.kernels.up[radix](re, im, n, re, im, n, n, nodes, w)
