"""Correlation by FFT: overlap-save in blocks that stay in the cache, or one block for a whole line.

The kernel is reversed, so that output o of a block, along each side, is element o + n_taps - 1 of its product with
the kernel; those before, which wrap, are thrown away. What lies outside x is filled in when a block is copied; x
itself is never padded. Blocks depend on the problem alone, so results do not depend on the number of threads. What a
block is, _block says. The caller has validated everything.
"""

cimport numpy as cnp

import numpy as np

from fastconv import _cost
from fastconv._block import block

from fastconv._block cimport MAX_SIDES, PAD, Block, Layout, View, fill, fill_taps, is_spoiled, store
from fastconv._boundary cimport ZERO
from fastconv._kernels.table cimport FC_C64, FC_C128, FC_F32, FC_F64
from fastconv._rounds cimport aligned, borrow, give_back, run, unit_function
from fastconv._tree cimport multiply, multiply_both, transform

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    OWN_KERNEL_BLOCKS = 16          # blocks in one unit that has its own kernel

DTYPES = {
    np.dtype(name): code
    for name, code in [("float32", FC_F32), ("float64", FC_F64), ("complex64", FC_C64), ("complex128", FC_C128)]
}


# ---- units of work ---------------------------------------------------------------------------------------------------

cdef struct Batch:
    Py_ssize_t n, x, w, y           # elements of an axis; bytes from one to the next

cdef struct Side:                   # of the problem, cut into blocks
    Py_ssize_t n_out, n_taps, lo
    Py_ssize_t outputs, n_blocks    # of a block

cdef struct Job:
    const Layout* block
    const Layout* kernel            # the same, but for fewer columns
    const char* x
    const char* w                   # its last element
    char* y
    View in_x, in_w, in_y           # in_w: reversed
    Side[MAX_SIDES] side
    int n_batch
    Batch[MAX_AXES] batch
    Py_ssize_t n_blocks, per_unit, n_units      # in one batch element; blocks in a unit
    const char* h                   # the transform of the kernel that all share, or NULL
    int* spoiled                    # set where a block holds a value that is not finite, and so its outputs


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


cdef Py_ssize_t scratch_bytes(const Layout* b) noexcept:
    return 2 * (b.half + PAD) + b.line


cdef void transform_taps(const Job* job, const char* w, char* h, char* scratch) noexcept nogil:
    cdef const Layout* b = job.kernel
    cdef char* im = scratch + b.half + PAD
    fill_taps(b, &job.in_w, w, 0, b.tree[0].m, scratch, im, im + b.half + PAD)
    transform(&b.tree[0], scratch, im, h, 0, 0, 1, b.tree[0].m * b.tree[0].width)


cdef void compute(const Job* job, Py_ssize_t number, const char* x, const char* h, char* y, char* scratch) noexcept nogil:
    """Block `number` of a batch element."""
    cdef const Layout* b = job.block
    cdef const Side* side
    cdef char* im = scratch + b.half + PAD
    cdef char* line = im + b.half + PAD
    cdef Py_ssize_t[MAX_SIDES] start, needed, first, count
    cdef Py_ssize_t o
    cdef int a
    for a in range(b.n_sides - 1, -1, -1):
        side = &job.side[a]
        o = number % side.n_blocks * side.outputs
        number = number // side.n_blocks
        count[a] = min(side.outputs, side.n_out - o)
        first[a] = side.n_taps - 1
        start[a] = o - side.lo
        needed[a] = count[a] + side.n_taps - 1
        y += o * job.in_y.step[a]
    fill(b, &job.in_x, x, start, needed, 0, b.tree[0].m, scratch, im, line)
    multiply(&b.tree[0], scratch, im, h, 0, 0, 1, b.tree[0].m * b.tree[0].width)
    store(b, &job.in_y, y, first, count, scratch, im, line)
    if is_spoiled(b, scratch):
        job.spoiled[0] = 1


cdef void unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """`per_unit` blocks of one batch element."""
    cdef Py_ssize_t b = number % job.n_units * job.per_unit
    cdef const char* h = job.h
    cdef const char* x
    cdef const char* w
    cdef char* y
    locate(job, number // job.n_units, &x, &w, &y)
    if h == NULL:
        h = scratch
        scratch += job.kernel.spectrum
        transform_taps(job, w, <char*>h, scratch)
    for b in range(b, min(job.n_blocks, b + job.per_unit)):
        compute(job, b, x, h, y, scratch)


cdef void whole_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """One line in one block with its kernel."""
    cdef const Layout* b = job.block
    cdef Py_ssize_t first = job.side[0].n_taps - 1, needed = job.side[0].n_out + first, start = -job.side[0].lo
    cdef Py_ssize_t m = b.tree[0].m
    cdef char* re = scratch
    cdef char* im = re + b.half + PAD
    cdef char* g_re = im + b.half + PAD
    cdef char* g_im = g_re + b.half + PAD
    cdef char* h = g_im + b.half + PAD
    cdef char* line = h + 4 * b.tree[0].leaf * b.tree[0].item
    cdef const char* x
    cdef const char* w
    cdef char* y
    locate(job, unit, &x, &w, &y)
    fill_taps(b, &job.in_w, w, 0, m, g_re, g_im, line)
    fill(b, &job.in_x, x, &start, &needed, 0, m, re, im, line)
    multiply_both(&b.tree[0], re, im, g_re, g_im, h, 0, 0, 1, m)
    store(b, &job.in_y, y, &first, &job.side[0].n_out, re, im, line)
    if is_spoiled(b, re):
        job.spoiled[0] = 1


# ---- calls -----------------------------------------------------------------------------------------------------------

cdef list _convolved(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo):
    return [i for i in range(n_batch, x.ndim)
            if w.shape[i] > 1 or lo[i - n_batch] != 0 or x.shape[i] != y.shape[i]] or [x.ndim - 1]


cdef int _columns(cnp.ndarray x, cnp.ndarray w, list convolved) except -2:
    """The axis whose elements lie side by side, if it is not convolved and has one kernel for all; else -1."""
    cdef int i
    for i in range(x.ndim):
        if x.strides[i] == x.itemsize and x.shape[i] > 1:
            return -1 if i in convolved or w.shape[i] > 1 and w.strides[i] != 0 else i
    return -1


cdef bint begin(Job* job, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray constant, int n_batch, tuple lo,
                tuple boundary, list sides) except *:
    """Fill in the job but for its blocks; is there one kernel for all?"""
    cdef bint shared = True
    cdef int a, i
    job.x = <const char*>cnp.PyArray_DATA(x)
    job.w = <const char*>cnp.PyArray_DATA(w)
    job.y = <char*>cnp.PyArray_DATA(y)
    job.h = NULL
    job.in_x.constant = job.in_w.constant = <const char*>cnp.PyArray_DATA(constant)
    for a, i in enumerate(sides):
        convolved = i >= n_batch
        job.side[a].n_out = y.shape[i]
        job.side[a].n_taps = w.shape[i] if convolved else 1
        job.side[a].lo = lo[i - n_batch] if convolved else 0
        job.in_x.n[a], job.in_w.n[a] = x.shape[i], job.side[a].n_taps
        job.in_x.step[a], job.in_w.step[a], job.in_y.step[a] = x.strides[i], -w.strides[i], y.strides[i]
        job.in_x.boundary[a] = boundary[i - n_batch] if convolved else ZERO
        job.in_w.boundary[a] = ZERO
        job.w += (job.side[a].n_taps - 1) * w.strides[i]
    job.n_batch = 0
    for i in range(x.ndim):
        if i not in sides:
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
                 int workers, tick=None, size=None, dict kept=None):
    """As `_direct.correlate`, in blocks that stay in the cache: float and complex dtypes.

    `size` is as `_cost.tile_sizes` gives it, which is asked if it is None. `kept`, if given, serves all calls with this w
    (values, dtype and order of axes): there lie its transforms and free memory, for calls from any threads. Returns
    whether a block is spoiled by a value that is not finite.
    """
    cdef Job job
    cdef Block made, kernel
    cdef cnp.ndarray h, constant = np.full(1, cval, x.dtype)
    cdef list sides = _convolved(x, w, y, n_batch, lo)
    cdef int spoiled = 0, code = DTYPES[x.dtype], a, columns
    cdef bint shared
    cdef Py_ssize_t scratch
    if y.size == 0:
        return False
    sides.sort(key=lambda i: x.strides[i] == x.itemsize)            # a contiguous axis goes last
    columns = _columns(x, w, sides)
    if columns >= 0:
        sides.append(columns)
    shared = begin(&job, x, w, y, constant, n_batch, lo, boundary, sides)
    if size is None:
        size = _cost.tile_sizes(x.dtype, tuple([job.side[a].n_out for a in range(len(sides))]),
                                tuple([job.side[a].n_taps for a in range(len(sides))])).sizes
    made = kernel = block(code, size, columns >= 0)
    if columns >= 0:
        kernel = block(code, (*size[:len(size) - 1], max(2, made.layout.tree[0].lanes)), True)
    job.block, job.kernel = &made.layout, &kernel.layout
    job.n_blocks = 1
    for a in range(len(sides)):
        job.side[a].outputs = made.layout.size[a] - job.side[a].n_taps + 1
        job.side[a].n_blocks = (job.side[a].n_out + job.side[a].outputs - 1) // job.side[a].outputs
        job.n_blocks *= job.side[a].n_blocks
    job.per_unit = 1 if shared else min(job.n_blocks, <Py_ssize_t>OWN_KERNEL_BLOCKS)
    job.n_units = (job.n_blocks + job.per_unit - 1) // job.per_unit
    job.spoiled = &spoiled
    scratch = scratch_bytes(job.block)
    if shared:
        h = _spectrum(&job, (code, size, tuple(sides)), kept)
        job.h = <const char*>cnp.PyArray_DATA(h)
    else:
        scratch += job.kernel.spectrum
    run(&job, <unit_function>unit, n_elements(&job) * job.n_units, job.per_unit * _cost.block_seconds(x.dtype, size),
        scratch, workers, tick, kept)
    return bool(spoiled)


cdef cnp.ndarray _spectrum(const Job* job, tuple key, dict kept):
    """The transform of the kernel that all share."""
    cdef cnp.ndarray h, scratch
    h = None if kept is None else kept.get(key)
    if h is None:
        h = aligned(job.kernel.spectrum)
        scratch = borrow(kept, scratch_bytes(job.kernel))
        with nogil:
            transform_taps(job, job.w, <char*>cnp.PyArray_DATA(h), <char*>cnp.PyArray_DATA(scratch))
        give_back(kept, scratch)
        if kept is not None:
            kept[key] = h
    return h


def whole(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval, int workers,
          tick=None, dict kept=None):
    """The same in one block for each line, with one convolved axis: for a kernel about as long as x."""
    cdef Job job
    cdef Block made
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype)
    cdef list axes = _convolved(x, w, y, n_batch, lo)
    cdef int spoiled = 0, code = DTYPES[x.dtype], item
    if y.size == 0:
        return False
    if len(axes) > 1:
        raise ValueError("at most one convolved axis")
    begin(&job, x, w, y, constant, n_batch, lo, boundary, axes)
    needed = _cost.whole_sizes(x.dtype, (job.side[0].n_out,), (job.side[0].n_taps,))
    made = block(code, needed.sizes)
    job.block = &made.layout
    job.spoiled = &spoiled
    item = made.layout.tree[0].item
    run(&job, <unit_function>whole_unit, n_elements(&job), needed.seconds,
        4 * (made.layout.half + PAD) + 4 * made.layout.tree[0].leaf * item + made.layout.line, workers, tick, kept)
    return bool(spoiled)
