"""Correlation by FFT: overlap-save in blocks or tiles that stay in the cache, or one block for a whole line.

A block of N real numbers a is one polynomial z(t) = sum_j (a_j + i a_{j + m}) t^j of m = N/2 complex coefficients,
modulo t^m - i: since i stands for t^m, products are those of real polynomials modulo t^N + 1. A complex block has
N = m. The kernel is reversed, so that block output o + n_taps - 1 is sum_t w[t] a[o + t]; the first n_taps - 1 are
thrown away. A tile is the same with rows for coefficients: columns side by side if nothing is convolved along them,
else polynomials of the row's length in another variable. The passes are _tree's.

What lies outside x is filled in when a block is copied; x itself is never padded. Blocks depend on the problem alone,
so results do not depend on the number of threads. The caller has validated everything.
"""

from libc.math cimport log2
from libc.string cimport memset
cimport numpy as cnp

from functools import lru_cache

import numpy as np

from fastconv._tree import plan

from fastconv._boundary cimport ZERO, copy_line, copy_strided, source
from fastconv._kernels.table cimport FC_C64, FC_C128, FC_F32, FC_F64
from fastconv._rounds cimport aligned, run, unit_function
from fastconv._tree cimport TABLE, Plan, Tree, multiply, multiply_both, spectrum_bytes, transform

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    PAD = 128                       # bytes between re and im of a block: they do not share cache sets
    MOST_BYTES = 8 * 1024 * 1024    # working memory of a block
    TILE_BYTES = 256 * 1024         # of columns side by side
    MOST_TILE_BYTES = 4 * 1024 * 1024
    OWN_KERNEL_BLOCKS = 16          # blocks in one unit of a line that has its own kernel

DTYPES = {
    np.dtype(name): code
    for name, code in [("float32", FC_F32), ("float64", FC_F64), ("complex64", FC_C64), ("complex128", FC_C128)]
}


# ---- blocks of x and y -----------------------------------------------------------------------------------------------

cdef struct Batch:
    Py_ssize_t n, x, w, y           # elements of an axis; bytes from one to the next

cdef struct Side:                   # an axis of a block
    Py_ssize_t n_in, n_out, n_taps, lo
    Py_ssize_t x, w, y              # bytes from one element to the next
    int boundary
    Py_ssize_t size, outputs, n_blocks

cdef struct Job:
    Tree tree
    bint is_complex
    int item                        # bytes of an element of x
    const char* x
    const char* w
    char* y
    const char* constant            # the element that stands outside, for ZERO and CONSTANT
    int n_batch
    Batch[MAX_AXES] batch
    Side row                        # the axis of the polynomial's coefficients
    Side col                        # if these are rows themselves: the axis along them
    Py_ssize_t per_unit, n_units    # blocks in one unit, units in one batch element
    const char* h                   # the transform of the kernel that all share, or NULL
    int* spoiled                    # set where a block holds a value that is not finite, and so its outputs
    Py_ssize_t scratch

ctypedef fused real:
    float
    double


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


cdef void split_line(const Tree* t, const char* x, char* re, char* im, Py_ssize_t n) noexcept nogil:
    if t.item == 4:
        split(<const float*>x, <float*>re, <float*>im, n)
    else:
        split(<const double*>x, <double*>re, <double*>im, n)


cdef void join_line(const Tree* t, const char* re, const char* im, char* y, Py_ssize_t n) noexcept nogil:
    if t.item == 4:
        join(<const float*>re, <const float*>im, <float*>y, n)
    else:
        join(<const double*>re, <const double*>im, <double*>y, n)


cdef void fill(const Job* job, const char* x, Py_ssize_t row, Py_ssize_t n_rows, Py_ssize_t col, Py_ssize_t n_cols,
               char* re, char* im, char* line) noexcept nogil:
    """The block of x that begins at (row, col); n_rows by n_cols of it are needed, the others become zero."""
    cdef const Tree* t = &job.tree
    cdef Py_ssize_t half = t.m * t.item, pitch = t.width * t.item, r, s, n = n_cols * job.item
    cdef const char* of
    cdef char* to
    if t.width == 1:
        if job.is_complex:
            copy_line(line, x, job.row.n_in, job.row.x, job.row.boundary, job.constant, row, n_rows, job.item)
            split_line(t, line, re, im, n_rows)
            memset(re + n_rows * t.item, 0, half - n_rows * t.item)
            memset(im + n_rows * t.item, 0, half - n_rows * t.item)
        else:
            r = min(n_rows, t.m)
            copy_line(re, x, job.row.n_in, job.row.x, job.row.boundary, job.constant, row, r, t.item)
            memset(re + r * t.item, 0, half - r * t.item)
            n_rows -= r
            copy_line(im, x, job.row.n_in, job.row.x, job.row.boundary, job.constant, row + r, n_rows, t.item)
            memset(im + n_rows * t.item, 0, half - n_rows * t.item)
        return
    for r in range(job.row.size):
        to = line if job.is_complex else re + r * pitch if r < t.m else im + (r - t.m) * pitch
        if r < n_rows:
            s = source(row + r, job.row.n_in, job.row.boundary)
            of = x + s * job.row.x if s >= 0 else NULL
            copy_line(to, of, job.col.n_in, job.col.x, job.col.boundary, job.constant, col, n_cols, job.item)
            memset(to + n, 0, t.width * job.item - n)
        else:
            memset(to, 0, t.width * job.item)
        if job.is_complex:
            split_line(t, line, re + r * pitch, im + r * pitch, t.width)


cdef void store(const Job* job, const char* re, const char* im, char* y, Py_ssize_t n_rows, Py_ssize_t n_cols,
                char* line) noexcept nogil:
    """The first outputs of a block: n_rows by n_cols from (n_taps - 1, n_taps - 1) on."""
    cdef const Tree* t = &job.tree
    cdef Py_ssize_t pitch = t.width * t.item, first = job.row.n_taps - 1, r, n
    cdef Py_ssize_t skip = (job.col.n_taps - 1) * t.item
    cdef const char* of
    if t.width == 1 and job.is_complex:
        join_line(t, re + first * t.item, im + first * t.item, line, n_rows)
        copy_strided(y, job.row.y, line, job.item, n_rows, job.item)
        return
    if t.width == 1:
        n = max(0, min(n_rows, t.m - first))
        copy_strided(y, job.row.y, re + first * t.item, t.item, n, t.item)
        copy_strided(y + n * job.row.y, job.row.y, im + (first + n - t.m) * t.item, t.item, n_rows - n, t.item)
        return
    for r in range(first, first + n_rows):
        if job.is_complex:
            join_line(t, re + r * pitch + skip, im + r * pitch + skip, line, n_cols)
            of = line
        else:
            of = (re + r * pitch if r < t.m else im + (r - t.m) * pitch) + skip
        copy_strided(y, job.col.y, of, job.item, n_cols, job.item)
        y += job.row.y


cdef void place_taps(const Job* job, const Tree* t, const char* w, char* re, char* im, char* line) noexcept nogil:
    """The kernel as a block, reversed and scaled, since the passes back up multiply by the number of nodes."""
    cdef Py_ssize_t pitch = t.width * t.item, r, n, nodes = 1
    cdef char* to
    cdef int i
    for i in range(t.last + 1):
        nodes *= t.radix[i]
    if t.rows != NULL:
        for i in range(t.rows.last + 1):
            nodes *= t.rows.radix[i]
    memset(re, 0, t.m * pitch)
    memset(im, 0, t.m * pitch)
    w += (job.row.n_taps - 1) * job.row.w + (job.col.n_taps - 1) * job.col.w
    if t.width == 1 and not job.is_complex:             # one line of N
        n = min(job.row.n_taps, t.m)
        copy_strided(re, t.item, w, -job.row.w, n, t.item)
        copy_strided(im, t.item, w - n * job.row.w, -job.row.w, job.row.n_taps - n, t.item)
    elif t.width == 1:
        copy_strided(line, job.item, w, -job.row.w, job.row.n_taps, job.item)
        split_line(t, line, re, im, job.row.n_taps)
    else:
        for r in range(job.row.n_taps):
            to = line if job.is_complex else re + r * pitch if r < t.m else im + (r - t.m) * pitch
            copy_strided(to, job.item, w - r * job.row.w, -job.col.w, job.col.n_taps, job.item)
            if job.is_complex:
                split_line(t, line, re + r * pitch, im + r * pitch, job.col.n_taps)
    if t.item == 4:
        scale(<float*>re, <float>(1.0 / nodes), t.m * t.width)
        scale(<float*>im, <float>(1.0 / nodes), t.m * t.width)
    else:
        scale(<double*>re, 1.0 / nodes, t.m * t.width)
        scale(<double*>im, 1.0 / nodes, t.m * t.width)


cdef inline void look(const Job* job, const char* y) noexcept nogil:
    """At a number of a computed block, or one of each of its columns: no value that is not finite misses it."""
    cdef const Tree* t = &job.tree
    cdef Py_ssize_t i, n = 1 if t.width == 1 or t.rows != NULL else t.width
    cdef double zero = 0
    if t.item == 4:
        for i in range(n):
            zero += 0 * (<const float*>y)[i]
    else:
        for i in range(n):
            zero += 0 * (<const double*>y)[i]
    if zero != 0:
        job.spoiled[0] = 1


# ---- units of work ---------------------------------------------------------------------------------------------------

cdef inline void locate(const Job* job, Py_ssize_t index, const char** x, const char** w, char** y) noexcept nogil:
    """Where batch element number `index` begins."""
    cdef int a
    cdef Py_ssize_t i
    x[0] = job.x
    w[0] = job.w
    y[0] = job.y
    for a in range(job.n_batch - 1, -1, -1):
        i = index % job.batch[a].n
        index = index // job.batch[a].n
        x[0] += i * job.batch[a].x
        w[0] += i * job.batch[a].w
        y[0] += i * job.batch[a].y


cdef void line_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """`per_unit` blocks of one line."""
    cdef const Tree* t = &job.tree
    cdef const Side* row = &job.row
    cdef Py_ssize_t half = t.m * t.item, b, first, n
    cdef char* re = scratch
    cdef char* im = re + half + PAD
    cdef char* line = im + half + PAD
    cdef char* h = <char*>job.h
    cdef const char* x
    cdef const char* w
    cdef char* y
    locate(job, unit // job.n_units, &x, &w, &y)
    if h == NULL:
        h = line + 2 * half + PAD
        place_taps(job, t, w, re, im, line)
        transform(t, re, im, h, 0, 0, 1, t.m)
    b = unit % job.n_units * job.per_unit
    for b in range(b, min(row.n_blocks, b + job.per_unit)):
        first = b * row.outputs
        n = min(row.outputs, row.n_out - first)
        fill(job, x, first - row.lo, n + row.n_taps - 1, 0, 1, re, im, line)
        multiply(t, re, im, h, 0, 0, 1, t.m)
        store(job, re, im, y + first * row.y, n, 1, line)
        look(job, re)


cdef void whole_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """One line in one block with its kernel."""
    cdef const Tree* t = &job.tree
    cdef Py_ssize_t half = t.m * t.item
    cdef char* re = scratch
    cdef char* im = re + half + PAD
    cdef char* g_re = im + half + PAD
    cdef char* g_im = g_re + half + PAD
    cdef char* h = g_im + half + PAD
    cdef char* line = h + 4 * t.leaf * t.item
    cdef const char* x
    cdef const char* w
    cdef char* y
    locate(job, unit, &x, &w, &y)
    place_taps(job, t, w, g_re, g_im, line)
    fill(job, x, -job.row.lo, job.row.n_out + job.row.n_taps - 1, 0, 1, re, im, line)
    multiply_both(t, re, im, g_re, g_im, h, 0, 0, 1, t.m)
    store(job, re, im, y, job.row.n_out, 1, line)
    look(job, re)


cdef void tile_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """One tile of rows by columns."""
    cdef const Tree* t = &job.tree
    cdef Py_ssize_t half = t.m * t.width * t.item
    cdef char* re = scratch
    cdef char* im = re + half + PAD
    cdef char* line = im + half + PAD
    cdef const char* x
    cdef const char* w
    cdef char* y
    cdef Py_ssize_t r = unit % job.n_units // job.col.n_blocks * job.row.outputs
    cdef Py_ssize_t c = unit % job.col.n_blocks * job.col.outputs
    cdef Py_ssize_t n_rows = min(job.row.outputs, job.row.n_out - r), n_cols = min(job.col.outputs, job.col.n_out - c)
    locate(job, unit // job.n_units, &x, &w, &y)
    fill(job, x, r - job.row.lo, n_rows + job.row.n_taps - 1, c - job.col.lo, n_cols + job.col.n_taps - 1, re, im, line)
    multiply(t, re, im, job.h, 0, 0, 1, t.m * t.width)
    store(job, re, im, y + r * job.row.y + c * job.col.y, n_rows, n_cols, line)
    look(job, re)


# ---- sizes -----------------------------------------------------------------------------------------------------------

cdef double block_seconds(Py_ssize_t numbers, double levels, int item):
    """A rough estimate for a block of so many complex numbers, `levels` the binary logarithm of its size."""
    cdef double bytes = 2.0 * numbers * item
    cdef double cache = 1 if bytes <= 32 * 1024 else 1.4 if bytes <= 256 * 1024 else 2
    return numbers * item * (0.25e-9 + 0.025e-9 * levels * cache)


cdef list _sizes(Py_ssize_t unit, Py_ssize_t least, Py_ssize_t most):
    """The block sizes 2^a, 5 2^(a - 2) and 3 2^(a - 1) units up to the first that reaches `least`, at most `most`."""
    cdef Py_ssize_t m
    sizes = []
    for exponent in range(2, 60):
        for odd in (4, 5, 6):
            m = (odd << exponent) * unit
            if m > most and sizes:
                return sizes
            sizes.append(m)
            if m >= least:
                return sizes


@lru_cache(maxsize=1024)
def line_size(code, n_out, n_taps):
    """(m, seconds a line) of the best blocks for lines of n_out outputs."""
    cdef int item, packed
    cdef Py_ssize_t m, outputs
    code, item, packed = _real(code)
    best = None
    for m in _sizes(TABLE.dtype[code].lanes, -(-(n_out + n_taps - 1) // packed), MOST_BYTES // (8 * item)):
        outputs = packed * m - n_taps + 1
        if outputs > 0:
            seconds = -(-n_out // outputs) * block_seconds(m, log2(m), item)
            if best is None or seconds < best[1]:
                best = m, seconds
    if best is None:
        raise ValueError(f"a kernel of {n_taps} taps does not fit a block")
    return best


@lru_cache(maxsize=1024)
def tile_size(code, n_rows, row_taps, n_cols, col_taps):
    """(m, width, seconds a plane) of the best tiles for n_rows by n_cols outputs."""
    cdef int item, packed, lanes
    cdef Py_ssize_t m, width, outputs
    code, item, packed = _real(code)
    lanes = TABLE.dtype[code].lanes
    best = None
    for m in _sizes(1, -(-(n_rows + row_taps - 1) // packed), 1 << 20):
        outputs = packed * m - row_taps + 1
        if outputs <= 0:
            continue
        if col_taps == 1:
            width = max(2, lanes)                       # a width of 1 means that coefficients are numbers
            widths = [width * max(1, min(-(-n_cols // width), TILE_BYTES // (2 * m * item * width)))]
        else:
            widths = _sizes(lanes, n_cols + col_taps - 1, 1 << 20)
        for width in widths:
            if width < col_taps or (2 * m * width * item > MOST_TILE_BYTES and best is not None):
                continue
            levels = log2(m) if col_taps == 1 else log2(<double>m * width)
            seconds = block_seconds(m * width, levels, item) + packed * m * 60e-9
            seconds *= -(-n_rows // outputs) * -(-n_cols // (width - col_taps + 1))
            if best is None or seconds < best[2]:
                best = m, width, seconds
    if best is None:
        raise ValueError(f"a kernel of {row_taps} by {col_taps} taps does not fit a tile")
    return best


def whole_size(code, n_out, n_taps):
    """(m, seconds a line) of one block for a line and its kernel."""
    cdef int item, packed
    code, item, packed = _real(code)
    m = max(_sizes(TABLE.dtype[code].lanes, -(-(n_out + n_taps - 1) // packed), 1 << 60))
    return m, 2 * block_seconds(m, log2(m), item)


cdef tuple _real(int code):
    """(code of the real dtype, its bytes, numbers that a complex one stands for: 2 in real blocks)"""
    if code in (FC_F32, FC_C64):
        return FC_F32, 4, 2 if code == FC_F32 else 1
    return FC_F64, 8, 2 if code == FC_F64 else 1


# ---- calls -----------------------------------------------------------------------------------------------------------

cdef Side side_of(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int i, int n_batch, tuple lo, tuple boundary) except *:
    cdef Side side
    side.n_in, side.n_out, side.n_taps = x.shape[i], y.shape[i], w.shape[i] if i >= n_batch else 1
    side.x, side.w, side.y = x.strides[i], w.strides[i], y.strides[i]
    side.lo = lo[i - n_batch] if i >= n_batch else 0
    side.boundary = boundary[i - n_batch] if i >= n_batch else ZERO
    side.size = side.outputs = side.n_blocks = 1
    return side


cdef void cut(Side* side, Py_ssize_t size) noexcept:
    """Blocks of this size."""
    side.size = size
    side.outputs = size - side.n_taps + 1
    side.n_blocks = (side.n_out + side.outputs - 1) // side.outputs


cdef list _convolved(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo):
    return [i for i in range(n_batch, x.ndim)
            if w.shape[i] > 1 or lo[i - n_batch] != 0 or x.shape[i] != y.shape[i]] or [x.ndim - 1]


cdef bint begin(Job* job, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray constant, list used) except *:
    """Fill in the job but for its tree and sides; is there one kernel for all?"""
    cdef bint shared = True
    cdef int i
    job.is_complex = x.dtype.kind == "c"
    job.item = <int>x.itemsize
    job.constant = <const char*>cnp.PyArray_DATA(constant)
    job.x = <const char*>cnp.PyArray_DATA(x)
    job.w = <const char*>cnp.PyArray_DATA(w)
    job.y = <char*>cnp.PyArray_DATA(y)
    job.h = NULL
    job.n_batch = 0
    job.col.n_taps = job.col.n_blocks = 1
    job.col.w = 0
    for i in range(x.ndim):
        if i not in used:
            job.batch[job.n_batch].n = y.shape[i]
            job.batch[job.n_batch].x = x.strides[i]
            job.batch[job.n_batch].w = w.strides[i] if w.shape[i] > 1 else 0
            job.batch[job.n_batch].y = y.strides[i]
            shared = shared and job.batch[job.n_batch].w == 0
            job.n_batch += 1
    return shared


cdef Py_ssize_t n_elements(const Job* job) noexcept:
    """Of the batch."""
    cdef Py_ssize_t n = 1
    cdef int a
    for a in range(job.n_batch):
        n *= job.batch[a].n
    return n


def overlap_save(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
                 int workers, tick=None, size=None):
    """As `_direct.correlate`, in blocks that stay in the cache: float and complex dtypes, one or two convolved axes.

    `size` is (m,) or (m, width) as `line_size` and `tile_size` give it, which are asked if it is None. Returns
    whether a block is spoiled by a value that is not finite.
    """
    cdef int i, row, col = -1
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype)
    cdef list axes = _convolved(x, w, y, n_batch, lo)
    if y.size == 0:
        return False
    if len(axes) > 2:
        raise ValueError("at most two convolved axes")
    row = axes[0]
    if len(axes) == 2:
        col = axes[1]
        if x.strides[row] == x.itemsize:
            row, col = col, row
    elif x.strides[row] != x.itemsize:                  # columns side by side, if they lie so and share the kernel
        for i in range(x.ndim):
            if i != row and x.strides[i] == x.itemsize and (w.shape[i] == 1 or w.strides[i] == 0) \
                    and x.shape[i] > 1 and i not in axes:
                col = i
    if col < 0:
        return bool(_lines(x, w, y, n_batch, lo, boundary, constant, workers, tick, row, size))
    return bool(_tiles(x, w, y, n_batch, lo, boundary, constant, workers, tick, row, col, size))


cdef int _lines(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary,
                cnp.ndarray constant, int workers, tick, int row, size) except -1:
    cdef Job job
    cdef Plan made
    cdef cnp.ndarray h, buffer
    cdef char* re
    cdef bint shared = begin(&job, x, w, y, constant, [row])
    cdef int spoiled = 0
    cdef Py_ssize_t half
    job.spoiled = &spoiled
    job.row = side_of(x, w, y, row, n_batch, lo, boundary)
    code = DTYPES[x.dtype]
    m, = size or line_size(code, job.row.n_out, job.row.n_taps)[:1]
    code, _, packed = _real(code)
    made = plan(code, m, TABLE.dtype[code].lanes)
    job.tree = made.tree
    cut(&job.row, packed * m)
    half = job.tree.m * job.tree.item
    job.scratch = 4 * half + 3 * PAD
    job.per_unit = 1
    if shared:
        h, buffer = aligned(4 * half), aligned(job.scratch)
        job.h = <const char*>cnp.PyArray_DATA(h)
        re = <char*>cnp.PyArray_DATA(buffer)
        with nogil:
            place_taps(&job, &job.tree, job.w, re, re + half + PAD, re + 2 * (half + PAD))
            transform(&job.tree, re, re + half + PAD, <char*>job.h, 0, 0, 1, job.tree.m)
        del buffer
    else:
        job.scratch += 4 * half
        job.per_unit = min(job.row.n_blocks, <Py_ssize_t>OWN_KERNEL_BLOCKS)
    job.n_units = (job.row.n_blocks + job.per_unit - 1) // job.per_unit
    run(&job, <unit_function>line_unit, n_elements(&job) * job.n_units,
        job.per_unit * block_seconds(m, log2(m), job.tree.item), job.scratch, workers, tick)
    return spoiled


cdef int _tiles(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary,
                cnp.ndarray constant, int workers, tick, int row, int col, size) except -1:
    cdef Job job
    cdef Plan made, rows
    cdef Tree kernel, inner
    cdef cnp.ndarray h, buffer
    cdef char* re
    cdef Py_ssize_t half
    cdef bint shared = begin(&job, x, w, y, constant, [row, col])
    cdef int spoiled = 0
    if not shared:                                      # one kernel after the other
        own = [i for i in range(n_batch) if w.shape[i] > 1 and w.strides[i] != 0]
        for index in np.ndindex(*[w.shape[i] for i in own]):
            part = [slice(None)] * x.ndim
            for i, k in zip(own, index):
                part[i] = slice(k, k + 1)
            part = tuple(part)
            spoiled |= _tiles(x[part], w[part], y[part], n_batch, lo, boundary, constant, workers, tick, row, col, size)
        return spoiled
    job.spoiled = &spoiled
    job.row = side_of(x, w, y, row, n_batch, lo, boundary)
    job.col = side_of(x, w, y, col, n_batch, lo, boundary)
    code = DTYPES[x.dtype]
    m, width = size or tile_size(code, job.row.n_out, job.row.n_taps, job.col.n_out, job.col.n_taps)[:2]
    code, _, packed = _real(code)
    made = plan(code, m, 1)
    job.tree = made.tree
    job.tree.width = width
    kernel = job.tree
    if job.col.n_taps > 1:
        rows = plan(code, width, job.tree.lanes)
        inner = rows.tree
        job.tree.rows = kernel.rows = &inner
    else:
        kernel.width = max(2, kernel.lanes)
    cut(&job.row, packed * m)
    cut(&job.col, width)
    job.per_unit = 1
    job.n_units = job.row.n_blocks * job.col.n_blocks
    half = m * kernel.width * kernel.item
    h, buffer = aligned(spectrum_bytes(&kernel, m * kernel.width)), aligned(4 * half + 2 * PAD)
    job.h = <const char*>cnp.PyArray_DATA(h)
    re = <char*>cnp.PyArray_DATA(buffer)
    with nogil:
        place_taps(&job, &kernel, job.w, re, re + half + PAD, re + 2 * (half + PAD))
        transform(&kernel, re, re + half + PAD, <char*>job.h, 0, 0, 1, kernel.m * kernel.width)
    del buffer
    job.scratch = 2 * (job.tree.m + 1) * width * job.tree.item + 2 * PAD
    run(&job, <unit_function>tile_unit, n_elements(&job) * job.n_units,
        block_seconds(m * width, log2(m * width), job.tree.item), job.scratch, workers, tick)
    return spoiled


def whole(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval, int workers, tick=None):
    """The same in one block for each line, with one convolved axis: for a kernel about as long as x."""
    cdef Job job
    cdef Plan made
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype)
    cdef list axes = _convolved(x, w, y, n_batch, lo)
    cdef int spoiled = 0
    cdef Py_ssize_t half
    if y.size == 0:
        return False
    if len(axes) > 1:
        raise ValueError("at most one convolved axis")
    begin(&job, x, w, y, constant, axes)
    job.row = side_of(x, w, y, axes[0], n_batch, lo, boundary)
    code, _, packed = _real(DTYPES[x.dtype])
    m = whole_size(DTYPES[x.dtype], job.row.n_out, job.row.n_taps)[0]
    made = plan(code, m, TABLE.dtype[code].lanes)
    job.tree = made.tree
    cut(&job.row, packed * m)
    half = job.tree.m * job.tree.item
    job.per_unit = job.n_units = 1
    job.scratch = 4 * (half + PAD) + 4 * job.tree.leaf * job.tree.item + (2 * half if job.is_complex else 0)
    job.spoiled = &spoiled
    run(&job, <unit_function>whole_unit, n_elements(&job), 2 * block_seconds(m, log2(m), job.tree.item), job.scratch,
        workers, tick)
    return bool(spoiled)
