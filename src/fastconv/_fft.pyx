"""Correlation by FFT: block sizes, twiddle factors, overlap-save and whole transforms around the kernels.

A block of N real numbers a is one polynomial z(t) = sum_j (a_j + i a_{j + m}) t^j of m = N/2 complex coefficients,
modulo t^m - i: since i stands for t^m, products are those of real polynomials modulo t^N + 1. With tap t of the
kernel at -t, that is at N - t with its sign changed, block output o is sum_t w[t] a[o + t] for o <= N - n_taps; the
outputs behind that are thrown away. A complex block has N = m. The kernel's transform is made once a call.

What lies outside x is copied into a line buffer; x itself is never padded. Blocks depend on the problem alone, so
results do not depend on the number of threads. The caller has validated everything.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset
cimport numpy as cnp

from functools import lru_cache
from time import perf_counter

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport ZERO, copy_line, copy_strided
from fastconv._kernels.table cimport (
    FC_C64, FC_C128, FC_F32, FC_F64, FC_KERNEL_TABLE, fc_fft, fc_kernel_table,
)
from fastconv._threads cimport team_done, team_size

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    MAX_PASSES = 32
    LEAF_BYTES = 16 * 1024          # a part of a block that is worked on pass by pass
    PAD = 128                       # bytes between re and im of a block: they do not share cache sets

cdef const fc_kernel_table* TABLE = <const fc_kernel_table*>PyCapsule_GetPointer(_kernels.table, FC_KERNEL_TABLE)
DTYPES = {
    np.dtype(name): code
    for name, code in [("float32", FC_F32), ("float64", FC_F64), ("complex64", FC_C64), ("complex128", FC_C128)]
}
cdef object TURN = 8 * np.arctan(np.longdouble(1))


# ---- plans ---------------------------------------------------------------------------------------------------------

cdef struct Tree:                   # the passes over a block of m complex numbers, down to nodes of one vector
    const fc_fft* kernels
    int item, lanes                 # bytes of a real number; reals in a vector
    Py_ssize_t m, leaf              # leaf: elements
    int last                        # number of the last pass, of radix 4
    int[MAX_PASSES] radix
    const char* w[MAX_PASSES]       # twiddle factors by pass and node
    const char* modulus             # of the nodes at the end


cdef class Plan:
    """The twiddle factors of one block size: m complex numbers of the real dtype `code`."""
    cdef Tree tree
    cdef list tables

    def __init__(self, int code, Py_ssize_t m):
        cdef cnp.ndarray table
        cdef int i
        dtype = np.dtype(np.float32 if code == FC_F32 else np.float64)
        self.tree.kernels = TABLE.dtype[code].fft
        self.tree.item = dtype.itemsize
        self.tree.lanes = TABLE.dtype[code].lanes
        self.tree.m = m
        self.tree.leaf = LEAF_BYTES // (2 * dtype.itemsize)
        radices = _radices(m // self.tree.lanes)
        self.tree.last = len(radices) - 1
        self.tables = _twiddles(radices, dtype)
        for i, table in enumerate(self.tables):
            self.tree.w[i] = <const char*>cnp.PyArray_DATA(table)
        self.tree.modulus = self.tree.w[len(radices)]
        for i, radix in enumerate(radices):
            self.tree.radix[i] = radix


@lru_cache(maxsize=64)
def plan(code, m):
    """The plan, made once and shared between threads."""
    return Plan(code, m)


cdef list _radices(Py_ssize_t nodes):
    """The passes for 2^a, 3 2^a or 5 2^a nodes, a > 1: any odd radix first, 4 last."""
    radices = []
    for radix in (3, 5):
        if nodes % radix == 0:
            radices.append(radix)
            nodes //= radix
    if nodes.bit_length() % 2 == 0:
        radices.append(2)
    return radices + [4] * ((nodes.bit_length() - 1) // 2)


cdef list _twiddles(list radices, dtype):
    """By pass, the powers 1 to R - 1 of every node's w; then the moduli of the last nodes."""
    angles = np.array([0.25], np.longdouble)            # in turns; the root is modulo t^m - i
    tables = []
    for radix in radices:
        angles = angles / radix
        w = _unit(angles)
        tables.append(np.stack([w ** r for r in range(1, radix)], axis=1))
        order = [0, 2, 1, 3] if radix == 4 else range(radix)
        angles = (angles[:, np.newaxis] + np.array(order, np.longdouble) / radix).ravel()
    tables.append(_unit(angles))
    return [np.ascontiguousarray(np.stack([w.real, w.imag], axis=-1), dtype) for w in tables]


cdef _unit(angles):
    """e^(2 pi i angles)"""
    return np.cos(TURN * angles) + 1j * np.sin(TURN * angles)


cdef void transform(const Tree* t, char* re, char* im, char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                    Py_ssize_t n) noexcept nogil:
    """Take `nodes` nodes, from number q before pass i on, of n elements each, down to the end, into h."""
    cdef Py_ssize_t g, step = n * t.item
    cdef int radix
    if nodes > 1 and nodes * n > t.leaf:
        for g in range(nodes):
            transform(t, re + g * step, im + g * step, h + 4 * g * step, i, q + g, 1, n)
        return
    while i <= t.last:
        radix = t.radix[i]
        n //= radix
        t.kernels.down[radix](re, im, re, im, n, nodes, t.w[i] + q * 2 * (radix - 1) * t.item)
        q *= radix
        nodes *= radix
        i += 1
        if nodes * n > t.leaf:
            transform(t, re, im, h, i, q, nodes, n)
            return
    t.kernels.spectrum(re, im, h, nodes, t.modulus + q * 2 * t.item)


cdef void multiply(const Tree* t, char* re, char* im, const char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                   Py_ssize_t n) noexcept nogil:
    """The same for a signal; then its product with h, and back up before pass i."""
    cdef Py_ssize_t g, step = n * t.item
    cdef int radix, j
    if nodes > 1 and nodes * n > t.leaf:
        for g in range(nodes):
            multiply(t, re + g * step, im + g * step, h + 4 * g * step, i, q + g, 1, n)
    elif i < t.last:
        radix = t.radix[i]
        n //= radix
        t.kernels.down[radix](re, im, re, im, n, nodes, t.w[i] + q * 2 * (radix - 1) * t.item)
        multiply(t, re, im, h, i + 1, q * radix, nodes * radix, n)
        t.kernels.up[radix](re, im, re, im, n, nodes, t.w[i] + q * 2 * (radix - 1) * t.item)
    else:
        t.kernels.multiply(re, im, h, nodes, t.w[i] + q * 6 * t.item)


cdef void block(const Tree* t, const char* x_re, const char* x_im, char* re, char* im, const char* h, char* y_re,
                char* y_im) noexcept nogil:
    """y = the product of block x with h, worked out in re and im."""
    cdef int radix = t.radix[0]
    cdef Py_ssize_t n = t.m // radix
    t.kernels.down[radix](x_re, x_im, re, im, n, 1, t.w[0])
    multiply(t, re, im, h, 1, 0, radix, n)
    t.kernels.up[radix](re, im, y_re, y_im, n, 1, t.w[0])

def time_block(int code, Py_ssize_t m, int reps):
    cdef Plan p = plan(code, m)
    cdef Tree* t = &p.tree
    cdef int item = t.item, i
    a = np.random.standard_normal(10 * m + 8192).astype(np.float32 if item == 4 else np.float64)
    cdef char* x = <char*>cnp.PyArray_DATA(a)
    cdef char* d
    cdef char* h
    cdef char* y
    x += 64 - <Py_ssize_t>x % 64
    d = x + 2 * m * item + 1024
    h = d + 2 * m * item + 128
    y = h + 4 * m * item + 1024
    t0 = perf_counter()
    for i in range(reps):
        block(t, x, x + m * item, d, d + m * item + PAD, h, y, y + m * item)
    return (perf_counter() - t0) / reps

def negacyclic(cnp.ndarray x, cnp.ndarray w):
    cdef Py_ssize_t m = x.size // 2
    cdef Plan p = plan(DTYPES[x.dtype], m)
    cdef Tree* t = &p.tree
    cdef int item = t.item
    cdef cnp.ndarray y = np.empty_like(x), d = np.concatenate([w, np.zeros(64, x.dtype)]), h = np.empty(8 * m, x.dtype)
    cdef char* dd = <char*>cnp.PyArray_DATA(d)
    cdef char* yy = <char*>cnp.PyArray_DATA(y)
    cdef char* xx = <char*>cnp.PyArray_DATA(x)
    cdef char* hh = <char*>cnp.PyArray_DATA(h)
    transform(t, dd, dd + m * item, hh, 0, 0, 1, m)
    block(t, xx, xx + m * item, dd, dd + m * item, hh, yy, yy + m * item)
    return y / (m // t.lanes)
