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
from fastconv._kernels.table cimport FC_C64, FC_C128, FC_F32, FC_F64
from fastconv._tree cimport TABLE, Plan, Tree, spectrum_bytes

cnp.import_array()

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
                made = plan(real, sizes[a], TABLE.dtype[<int>real].lanes if width == 1 else 1)
                self.plans.append(made)
                b.tree[a] = made.tree
                b.tree[a].width = width
                b.tree[a].columns = sizes[trees] if columns else 1
                b.tree[a].rows = &b.tree[a + 1] if a + 1 < trees else NULL
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
    count = max(0, min(count, size))
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

cdef inline const char* row_of(const View* view, int a, const char* x, Py_ssize_t i) noexcept nogil:
    """What stands at index i along side a; NULL where all is the constant."""
    i = source(i, view.n[a], view.boundary[a])
    return x + i * view.step[a] if x != NULL and i >= 0 else NULL


cdef void fill_row(const Layout* b, const View* view, int a, const char* x, const Py_ssize_t* start,
                   const Py_ssize_t* count, char* re, char* im, char* line) noexcept nogil:
    """All of sides a and on. im is not used in real blocks."""
    cdef Py_ssize_t pitch, r, n
    if a == b.n_sides - 1:
        fill_line(b, view, a, x, start[a], count[a], b.size[a], re, im, line)
        return
    pitch = b.tree[a].width * b.tree[a].item
    n = max(0, min(count[a], b.size[a]))
    for r in range(n):
        fill_row(b, view, a + 1, row_of(view, a, x, start[a] + r), start, count, re + r * pitch, im + r * pitch, line)
    memset(re + n * pitch, 0, (b.size[a] - n) * pitch)
    if b.is_complex:
        memset(im + n * pitch, 0, (b.size[a] - n) * pitch)


cdef void fill_part(const Layout* b, const View* view, const char* x, const Py_ssize_t* start, const Py_ssize_t* count,
                    Py_ssize_t ahead, Py_ssize_t n, char* re, char* im, char* line) noexcept nogil:
    """n coefficients, the first of which is element `ahead` of the first side."""
    cdef Py_ssize_t pitch = b.tree[0].width * b.tree[0].item, r, there = max(0, min(n, count[0] - ahead))
    if b.n_sides == 1:
        fill_line(b, view, 0, x, start[0] + ahead, there, n, re, im, line)
        return
    for r in range(there):
        fill_row(b, view, 1, row_of(view, 0, x, start[0] + ahead + r), start, count, re + r * pitch, im + r * pitch, line)
    memset(re + there * pitch, 0, (n - there) * pitch)
    if b.is_complex:
        memset(im + there * pitch, 0, (n - there) * pitch)


cdef void fill(const Layout* b, const View* view, const char* x, const Py_ssize_t* start, const Py_ssize_t* count,
               Py_ssize_t begin, Py_ssize_t end, char* re, char* im, char* line) noexcept nogil:
    cdef const Tree* t = &b.tree[0]
    cdef Py_ssize_t skip = begin * t.width * t.item
    fill_part(b, view, x, start, count, begin, end - begin, re + skip, im + skip, line)
    if not b.is_complex:
        fill_part(b, view, x, start, count, begin + t.m, end - begin, im + skip, NULL, line)


cdef void fill_taps(const Layout* b, const View* view, const char* w, Py_ssize_t begin, Py_ssize_t end,
                    char* re, char* im, char* line) noexcept nogil:
    cdef const Tree* t = &b.tree[0]
    cdef Py_ssize_t[MAX_SIDES] start
    cdef Py_ssize_t nodes = 1, first = begin * t.width, n = (end - begin) * t.width
    cdef int a, i
    memset(start, 0, sizeof(start))
    fill(b, view, w, start, view.n, begin, end, re, im, line)
    while t != NULL:
        for i in range(t.last + 1):
            nodes *= t.radix[i]
        t = t.rows
    if b.tree[0].item == 4:
        scale(<float*>re + first, <float>(1.0 / nodes), n)
        scale(<float*>im + first, <float>(1.0 / nodes), n)
    else:
        scale(<double*>re + first, 1.0 / nodes, n)
        scale(<double*>im + first, 1.0 / nodes, n)


cdef void store_row(const Layout* b, const View* view, int a, char* y, const Py_ssize_t* first, const Py_ssize_t* count,
                    const char* re, const char* im, char* line) noexcept nogil:
    cdef Py_ssize_t pitch, r
    if a == b.n_sides - 1:
        store_line(b, y, view.step[a], first[a], count[a], re, im, line)
        return
    pitch = b.tree[a].width * b.tree[a].item
    for r in range(count[a]):
        store_row(b, view, a + 1, y + r * view.step[a], first, count, re + (first[a] + r) * pitch,
                  im + (first[a] + r) * pitch, line)


cdef void store(const Layout* b, const View* view, char* y, const Py_ssize_t* first, const Py_ssize_t* count,
                const char* re, const char* im, char* line) noexcept nogil:
    cdef Py_ssize_t m = b.tree[0].m, pitch = b.tree[0].width * b.tree[0].item, step = view.step[0], r, n
    if b.n_sides == 1:
        n = count[0] if b.is_complex else max(0, min(count[0], m - first[0]))
        store_line(b, y, step, first[0], n, re, im, line)
        store_line(b, y + n * step, step, first[0] + n - m, count[0] - n, im, NULL, line)
        return
    for r in range(first[0], first[0] + count[0]):
        if r < m:
            store_row(b, view, 1, y, first, count, re + r * pitch, im + r * pitch, line)
        else:
            store_row(b, view, 1, y, first, count, im + (r - m) * pitch, NULL, line)
        y += step


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
