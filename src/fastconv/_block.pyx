"""Blocks of numbers for the FFT drivers: what a block means, and its copies from and to arrays.

A block of N real numbers a is one polynomial z(t) = sum_j (a_j + i a_{j + m}) t^j of m = N/2 complex coefficients,
modulo t^m - i: since i stands for t^m, products are those of real polynomials modulo t^N + 1. A complex block has
N = m. Of more sides, the coefficients are polynomials of the other sides in variables of their own, each modulo
t^m - i too; or rows of numbers of which nothing is convolved: columns side by side. The real and the imaginary parts
lie apart, re and im. The passes over a block are _tree's; what is copied where, the drivers know.
"""

from libc.string cimport memset
cimport numpy as cnp

from functools import lru_cache

from fastconv._tree import plan

from fastconv._boundary cimport copy_line, copy_strided, source
from fastconv._direct cimport kernels_of
from fastconv._kernels.table cimport FC_C64, FC_C128, FC_F32, FC_F64
from fastconv._tree cimport Plan, Tree, spectrum_bytes

cnp.import_array()

cdef extern from "<fenv.h>" nogil:
    int FE_OVERFLOW
    int fetestexcept(int excepts)
    int feclearexcept(int excepts)

cdef enum:
    PIECE = 512                     # complex elements that are taken apart or put together at a time

ctypedef fused real:
    float
    double


cdef class Block:
    """Blocks of the dtype `code` with so many complex coefficients along the first side, then so many numbers.

    Of `columns`, the last side is that.
    """
    def __init__(self, int code, tuple sizes, bint columns):
        cdef Layout* b = &self.layout
        cdef Plan made
        cdef Py_ssize_t width = 1
        cdef int a, trees = len(sizes) - columns
        if len(sizes) > MAX_SIDES:
            raise ValueError(f"at most {MAX_SIDES} convolved axes")
        b.n_sides = len(sizes)
        b.is_complex = code in (FC_C64, FC_C128)
        real = FC_F32 if code in (FC_F32, FC_C64) else FC_F64
        self.plans = []
        for a in range(b.n_sides - 1, -1, -1):
            b.size[a] = sizes[a]
            if a < trees:
                made = plan(real, sizes[a], kernels_of(<int>real).lanes if width == 1 else 1)
                self.plans.append(made)
                b.tree[a] = made.tree
                b.tree[a].columns = sizes[trees] if columns else 1
                b.tree[a].rows = &b.tree[a + 1] if a + 1 < trees else NULL
            b.tree[a].item = 4 if real == FC_F32 else 8
            b.tree[a].width = width
            width *= sizes[a]
        b.item = b.tree[0].item * (2 if b.is_complex else 1)
        b.half = width * b.tree[0].item
        b.spectrum = spectrum_bytes(&b.tree[0], width)
        b.line = PIECE * b.item if b.is_complex else 0
        if not b.is_complex:
            b.size[0] *= 2


@lru_cache(maxsize=256)
def block(code, sizes, columns=False):
    """The block, made once and shared between threads."""
    return Block(code, sizes, columns)


# ---- lines of a block ------------------------------------------------------------------------------------------------

cdef void split(const real* x, real* re, real* im, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        re[i] = x[2 * i]
        im[i] = x[2 * i + 1]


cdef void join(const real* re, const real* im, real* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[2 * i] = re[i]
        y[2 * i + 1] = im[i]


cdef void scale(real* x, real factor, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        x[i] *= factor


cdef void fill_line(const Layout* b, const View* view, int a, const char* x, Py_ssize_t start, Py_ssize_t count,
                    Py_ssize_t size, char* re, char* im, char* line) noexcept nogil:
    """`size` numbers along side a: `count` elements of the line x, or constants if that is NULL, then zeros."""
    cdef int item = b.tree[0].item
    cdef Py_ssize_t i = 0, n
    if b.is_complex:
        while i < count:
            n = min(PIECE, count - i)
            copy_line(line, x, view.n[a], view.step[a], view.boundary[a], view.constant, start + i, n, b.item)
            if item == 4:
                split(<const float*>line, <float*>re + i, <float*>im + i, n)
            else:
                split(<const double*>line, <double*>re + i, <double*>im + i, n)
            i += n
        memset(im + count * item, 0, (size - count) * item)
    else:
        copy_line(re, x, view.n[a], view.step[a], view.boundary[a], view.constant, start, count, item)
    memset(re + count * item, 0, (size - count) * item)


cdef void store_line(const Layout* b, char* y, Py_ssize_t step, Py_ssize_t first, Py_ssize_t count, const char* re,
                     const char* im, char* line) noexcept nogil:
    cdef int item = b.tree[0].item
    cdef Py_ssize_t i = 0, n
    if not b.is_complex:
        copy_strided(y, step, re + first * item, item, count, item)
        return
    while i < count:
        n = min(PIECE, count - i)
        if item == 4:
            join(<const float*>re + first + i, <const float*>im + first + i, <float*>line, n)
        else:
            join(<const double*>re + first + i, <const double*>im + first + i, <double*>line, n)
        copy_strided(y + i * step, step, line, b.item, n, b.item)
        i += n


# ---- sides of a block, from the outermost in -------------------------------------------------------------------------

cdef const char* row_of(const View* view, int a, const char* x, Py_ssize_t i) noexcept nogil:
    """What stands at index i along side a; NULL where all is the constant."""
    i = source(i, view.n[a], view.boundary[a])
    return x + i * view.step[a] if x != NULL and i >= 0 else NULL


cdef void fill_range(const Layout* b, const View* view, int a, const char* x, const Py_ssize_t* start,
                     const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, char* re, char* im,
                     char* line) noexcept nogil:
    cdef Py_ssize_t pitch = b.tree[a].width * b.tree[a].item, r, there = max(begin, min(end, count[a]))
    if a == b.n_sides - 1:
        fill_line(b, view, a, x, start[a] + begin, there - begin, end - begin, re, im, line)
        return
    for r in range(begin, there):
        fill_range(b, view, a + 1, row_of(view, a, x, start[a] + r), start, count, 0, b.size[a + 1], re, im, line)
        re += pitch
        im += pitch
    memset(re, 0, (end - there) * pitch)
    if b.is_complex:
        memset(im, 0, (end - there) * pitch)


cdef void fill(const Layout* b, const View* view, const char* x, const Py_ssize_t* start, const Py_ssize_t* count,
               char* re, char* im, char* line) noexcept nogil:
    cdef Py_ssize_t m = b.tree[0].m
    fill_range(b, view, 0, x, start, count, 0, m, re, im, line)
    if not b.is_complex:
        fill_range(b, view, 0, x, start, count, m, 2 * m, im, im, line)


cdef void scale_taps(const Layout* b, Py_ssize_t n, char* re, char* im) noexcept nogil:
    cdef const Tree* t = &b.tree[0]
    cdef Py_ssize_t nodes = 1
    cdef int i
    while t != NULL:
        for i in range(t.last + 1):
            nodes *= t.radix[i]
        t = t.rows
    if b.tree[0].item == 4:
        scale(<float*>re, <float>(1.0 / nodes), n)
        scale(<float*>im, <float>(1.0 / nodes), n)
    else:
        scale(<double*>re, 1.0 / nodes, n)
        scale(<double*>im, 1.0 / nodes, n)


cdef void store_range(const Layout* b, const View* view, int a, char* y, const Py_ssize_t* first,
                      const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, const char* re, const char* im,
                      char* line) noexcept nogil:
    cdef Py_ssize_t pitch = b.tree[a].width * b.tree[a].item, r, of = max(begin, first[a])
    end = min(end, first[a] + count[a])
    y += (of - first[a]) * view.step[a]
    if a == b.n_sides - 1:
        store_line(b, y, view.step[a], of - begin, max(0, end - of), re, im, line)
        return
    for r in range(of, end):
        store_range(b, view, a + 1, y, first, count, 0, b.size[a + 1], re + (r - begin) * pitch, im + (r - begin) * pitch,
                    line)
        y += view.step[a]


cdef void store(const Layout* b, const View* view, char* y, const Py_ssize_t* first, const Py_ssize_t* count,
                const char* re, const char* im, char* line) noexcept nogil:
    cdef Py_ssize_t m = b.tree[0].m
    store_range(b, view, 0, y, first, count, 0, m, re, im, line)
    if not b.is_complex:
        store_range(b, view, 0, y, first, count, m, 2 * m, im, im, line)


cdef bint overflowed() noexcept nogil:
    """By the processor's flag: one test for all numbers of a block."""
    if fetestexcept(FE_OVERFLOW) == 0:
        return False
    feclearexcept(FE_OVERFLOW)
    return True


cdef bint is_spoiled(const Layout* b, const char* re) noexcept nogil:
    """One number shows it, or one of each column."""
    cdef Py_ssize_t i
    cdef double zero = 0
    if b.tree[0].item == 4:
        for i in range(b.tree[0].columns):
            zero += 0 * (<const float*>re)[i]
    else:
        for i in range(b.tree[0].columns):
            zero += 0 * (<const double*>re)[i]
    return zero != 0
