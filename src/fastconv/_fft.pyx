"""Correlation by FFT, in blocks that stay in the cache: overlap-save.

The kernel is reversed, so that output o of a block, along each side, is element o + n_taps - 1 of its product with
the kernel; those before, which wrap, are thrown away. What lies outside x is filled in when a block is copied; x
itself is never padded. Blocks depend on the problem alone, so results do not depend on the number of threads. What a
block is, _block says. The caller has validated everything.
"""

from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _cost
from fastconv._block import block
from fastconv._operands import DTYPES

from fastconv._block cimport MAX_SIDES, PAD, Block, Layout, fill, is_spoiled, overflowed, scale_taps, store
from fastconv._operands cimport Operands, convolved, locate, put
from fastconv._rounds cimport Task, aligned, borrow, give_back, new_task, run_task, unit_function
from fastconv._tree cimport multiply, multiply_from, transform

cnp.import_array()

cdef enum:
    OWN_KERNEL_BLOCKS = 16          # blocks in one unit that has its own kernel
    COPIED_BYTES = 32 * 1024        # smaller blocks are copied, and so aligned; larger ones leave the L1 cache anyway


# ---- units of work ---------------------------------------------------------------------------------------------------

cdef struct Job:
    Operands of
    const Layout* block
    const Layout* kernel            # the same, but for fewer columns
    Py_ssize_t[MAX_SIDES] outputs, n_along      # of a block; blocks along a side
    Py_ssize_t n_blocks, per_unit, n_units      # in one batch element; blocks in a unit
    const char* h                   # the transform of the kernel that all share, or NULL
    int* spoiled                    # set where a block holds a value that is not finite, and so its outputs


cdef Py_ssize_t scratch_bytes(const Layout* b) noexcept:
    return 2 * (b.half + PAD) + b.line


cdef void transform_taps(const Job* job, const char* w, char* h, char* scratch) noexcept nogil:
    cdef const Layout* b = job.kernel
    cdef Py_ssize_t n = b.tree[0].m * b.tree[0].width
    cdef Py_ssize_t[MAX_SIDES] start
    cdef char* im = scratch + b.half + PAD
    memset(start, 0, sizeof(start))
    fill(b, &job.of.in_w, w, start, job.of.in_w.n, scratch, im, im + b.half + PAD)
    scale_taps(b, n, scratch, im)
    transform(&b.tree[0], scratch, im, h, 0, 0, 1, n)


cdef bint is_in_place(const Job* job, const Py_ssize_t* start, const Py_ssize_t* needed) noexcept nogil:
    """Do the elements of a real block follow one another in x as they do in the block?"""
    cdef const Layout* b = job.block
    cdef Py_ssize_t step = b.item
    cdef int a
    for a in range(b.n_sides - 1, -1, -1):
        if job.of.in_x.step[a] != step or needed[a] != b.size[a] or start[a] < 0 or start[a] + needed[a] > job.of.in_x.n[a]:
            return False
        step *= b.size[a]
    return not b.is_complex


cdef void compute(const Job* job, Py_ssize_t number, const char* x, const char* h, char* y, char* scratch) noexcept nogil:
    """Block `number` of a batch element."""
    cdef const Layout* b = job.block
    cdef char* im = scratch + b.half + PAD
    cdef char* line = im + b.half + PAD
    cdef Py_ssize_t[MAX_SIDES] start, needed, first, count
    cdef Py_ssize_t o
    cdef int a
    for a in range(b.n_sides - 1, -1, -1):
        o = number % job.n_along[a] * job.outputs[a]
        number = number // job.n_along[a]
        count[a] = min(job.outputs[a], job.of.n_out[a] - o)
        first[a] = job.of.n_taps[a] - 1
        start[a] = o - job.of.lo[a]
        needed[a] = count[a] + first[a]
        y += o * job.of.in_y.step[a]
    if 2 * b.half > COPIED_BYTES and is_in_place(job, start, needed):
        for a in range(b.n_sides):
            x += start[a] * job.of.in_x.step[a]
        multiply_from(&b.tree[0], x, x + b.half, scratch, im, h)
    else:
        fill(b, &job.of.in_x, x, start, needed, scratch, im, line)
        multiply(&b.tree[0], scratch, im, h, 0, 0, 1, b.tree[0].m * b.tree[0].width)
    store(b, &job.of.in_y, y, first, count, scratch, im, line)
    if is_spoiled(b, scratch) or overflowed():
        job.spoiled[0] = 1


cdef void unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """`per_unit` blocks of one batch element."""
    cdef Py_ssize_t b = number % job.n_units * job.per_unit
    cdef const char* h = job.h
    cdef const char* x
    cdef const char* w
    cdef char* y
    locate(&job.of, number // job.n_units, &x, &w, &y)
    overflowed()                                        # what was before does not count
    if h == NULL:
        h = scratch
        scratch += job.kernel.spectrum
        transform_taps(job, w, <char*>h, scratch)
    for b in range(b, min(job.n_blocks, b + job.per_unit)):
        compute(job, b, x, h, y, scratch)


# ---- calls -----------------------------------------------------------------------------------------------------------

cdef int _columns(cnp.ndarray x, cnp.ndarray w, list convolved) except -2:
    """The axis whose elements lie side by side, if it is not convolved and has one kernel for all; else -1."""
    cdef int i
    for i in range(x.ndim):
        if x.strides[i] == x.itemsize and x.shape[i] > 1:
            return -1 if i in convolved or w.shape[i] > 1 and w.strides[i] != 0 else i
    return -1


def overlap_save(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
                 int workers, tick=None, size=None, dict kept=None):
    """As `_direct.correlate`, in blocks that stay in the cache: float and complex dtypes.

    `size` is as `_cost.tile_sizes` gives it, which is asked if it is None. `kept`, if given, serves all calls with this w
    (values, dtype and order of axes): there lie its transforms and free memory, for calls from any threads. Returns
    whether a block is spoiled by a value that is not finite.
    """
    cdef Task task = prepare(x, w, y, n_batch, lo, boundary, cval, size, kept)
    cdef int spoiled = 0
    if task is not None:
        (<Job*>task.work.job).spoiled = &spoiled
        run_task(task, workers, tick, kept)
    return bool(spoiled)


cdef Task prepare(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
                  size=None, dict kept=None):
    cdef Task task = new_task(sizeof(Job))
    cdef Job* job = <Job*>task.work.job
    cdef Block made, kernel
    cdef cnp.ndarray h = None, constant = np.full(1, cval, x.dtype)
    cdef list sides = convolved(x, w, y, n_batch, lo)
    cdef int code = DTYPES[x.dtype], a, columns = _columns(x, w, sides)
    if y.size == 0:
        return None
    if columns >= 0:
        sides.append(columns)
    put(&job.of, x, w, y, constant, n_batch, lo, boundary, sides)
    if size is None:
        size = _cost.tile_sizes(x.dtype, tuple([job.of.n_out[a] for a in range(len(sides))]),
                                tuple([job.of.n_taps[a] for a in range(len(sides))]), columns >= 0).sizes
    made = kernel = block(code, size, columns >= 0)
    if columns >= 0:
        kernel = block(code, (*size[:len(size) - 1], max(2, made.layout.tree[0].lanes)), True)
    job.block, job.kernel = &made.layout, &kernel.layout
    job.n_blocks = 1
    for a in range(len(sides)):
        job.outputs[a] = made.layout.size[a] - job.of.n_taps[a] + 1
        job.n_along[a] = (job.of.n_out[a] + job.outputs[a] - 1) // job.outputs[a]
        job.n_blocks *= job.n_along[a]
    job.per_unit = 1 if job.of.shared else min(job.n_blocks, <Py_ssize_t>OWN_KERNEL_BLOCKS)
    job.n_units = (job.n_blocks + job.per_unit - 1) // job.per_unit
    job.h = NULL
    task.work.scratch_bytes = scratch_bytes(job.block)
    if job.of.shared:
        h = _spectrum(job, (code, size, tuple(sides)), kept)
        job.h = <const char*>cnp.PyArray_DATA(h)
    else:
        task.work.scratch_bytes += job.kernel.spectrum
    task.work.unit = <unit_function>unit
    task.work.n_units = job.of.n_elements * job.n_units
    task.work.unit_seconds = job.per_unit * _cost.block_seconds(x.dtype, size)
    task.work.x_at = <char*>&job.of.x - task.work.job
    task.work.y_at = <char*>&job.of.y - task.work.job
    task.work.spoiled_at = <char*>&job.spoiled - task.work.job
    task.kept = (constant, made, kernel, h)
    return task


cdef cnp.ndarray _spectrum(const Job* job, tuple key, dict kept):
    """The transform of the kernel that all share."""
    cdef cnp.ndarray h, scratch
    h = None if kept is None else kept.get(key)
    if h is None:
        h = aligned(job.kernel.spectrum)
        scratch = borrow(kept, scratch_bytes(job.kernel))
        with nogil:
            transform_taps(job, job.of.w, <char*>cnp.PyArray_DATA(h), <char*>cnp.PyArray_DATA(scratch))
        give_back(kept, scratch)
        if kept is not None:
            kept[key] = h
    return h
