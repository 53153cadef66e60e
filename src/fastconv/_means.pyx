"""Sums and weighted means of arrays in which values are missing, by direct sums, block by block.

    y[o] = sum over t of w[t] x[o + t - lo],    over what is there; for means over the sum of w there

A unit of work is a block of outputs: what their windows hold is copied to memory that stays in the cache, in the same
pass values that are missing are taken out of it, and from there numerators and denominators are computed by tasks of
_direct, which were prepared for the blocks' shapes. Denominators are computed where values are missing only, or
where these are few: the taps that meet them are taken off the sum of the kernel, and where little is left of that, both
sums are computed term by term. Blocks depend on the problem alone, so results do not depend on the number of threads.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdlib cimport calloc, free
cimport numpy as cnp

import itertools
import math

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport copy_line, source
from fastconv._direct cimport prepare
from fastconv._kernels.missing cimport FC_MISSING_TABLE, fc_missing_table
from fastconv._missing cimport MOST_AXES, Shape, real, set_steps, subtract_at, sum_at
from fastconv._rounds cimport Task, Work, execute, run, unit_function, work_bytes

cnp.import_array()

cdef enum:
    LEAST = 16                      # outputs of a block along an axis that is cut,
    LEAST_COLUMNS = 256             # and along the last
BLOCK_BYTES = 1 << 18               # of values: they, their weights and the outputs stay in L2
cdef double PASS_SECONDS = 2e-9     # beside the products, for each value

cdef const fc_missing_table* TABLE = <const fc_missing_table*>PyCapsule_GetPointer(
    _kernels.table("missing"), FC_MISSING_TABLE)


cdef struct Job:
    int ndim, boundary
    int item                        # bytes of a value
    const char* x
    const char* mask                # of bytes, not 0 where a value is missing; or NULL
    char* y
    Py_ssize_t[MOST_AXES] n_x, n_out, m, lo
    Py_ssize_t[MOST_AXES] x_step, mask_step, y_step         # in bytes
    Py_ssize_t[MOST_AXES] block, n_blocks                   # outputs of a block; blocks
    Py_ssize_t most_x, most_y       # values and outputs of a block
    const Work* tops                # by shape of a block: the last along an axis may be shorter
    const Work* bottoms
    const char* w
    const char* constant            # the value outside
    double put                      # instead of what is missing
    bint means
    double total, scale             # sum of the kernel; what means are multiplied by
    double limit                    # of denominators that are trusted, if taps were taken off them
    double tap_seconds, find_seconds        # to take off the taps of a missing value; to find it, for each value


cdef Py_ssize_t take_block(const Job* job, const Py_ssize_t* begin, const Shape* s, real* to, real* ok,
                           char* line) noexcept nogil:
    """What the windows of the outputs from `begin` on hold."""
    cdef Py_ssize_t[MOST_AXES] index
    cdef int last = s.ndim - 1, a
    cdef Py_ssize_t n = s.n[last], start = begin[last] - job.lo[last], count = 0, i
    cdef const char* x
    cdef const char* mask
    cdef const char* row
    cdef const char* gaps
    cdef Py_ssize_t[4] edge
    cdef Py_ssize_t size
    cdef int k
    cdef char* mask_line = line + n * job.item
    cdef char zero = 0
    edge[0], edge[3] = 0, n
    for a in range(last):
        index[a] = 0
    while True:
        x, mask = job.x, job.mask
        for a in range(last):
            i = source(begin[a] + index[a] - job.lo[a], job.n_x[a], job.boundary)
            if i < 0:
                x = mask = NULL
                break
            x += i * job.x_step[a]
            if mask != NULL:
                mask += i * job.mask_step[a]
        edge[1] = edge[2] = n                            # inside: from edge[1] to edge[2]
        if x != NULL and job.x_step[last] == job.item and (mask == NULL or job.mask_step[last] == 1):
            edge[1] = max(<Py_ssize_t>0, min(n, -start))
            edge[2] = max(edge[1], min(n, job.n_x[last] - start))
        for k in range(3):
            i, size = edge[k], edge[k + 1] - edge[k]
            if size == 0:
                continue
            gaps = NULL
            if k == 1:
                row = x + (start + i) * job.item
                if mask != NULL:
                    gaps = mask + start + i
            else:
                copy_line(line, x, job.n_x[last], job.x_step[last], job.boundary, job.constant, start + i, size, job.item)
                row = line
                if mask != NULL:
                    gaps = mask_line
                    copy_line(mask_line, mask, job.n_x[last], job.mask_step[last], job.boundary, &zero, start + i, size, 1)
            count += TABLE.take[sizeof(real) == 8](row, gaps, size, job.put, to + i, ok + i)
        to += n
        ok += n
        a = last - 1
        while a >= 0:
            index[a] += 1
            if index[a] < s.n[a]:
                break
            index[a] = 0
            a -= 1
        if a < 0:
            return count


cdef void divide_row(char* y, Py_ssize_t step, const real* below, double scale, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef real* one
    if step == sizeof(real):
        TABLE.divide[sizeof(real) == 8](y, below, scale, n)
        return
    for i in range(n):
        one = <real*>(y + i * step)
        one[0] = one[0] / below[i] * <real>scale


cdef void divide(const Job* job, const Shape* s, char* y, const real* below, const real* x, const real* ok) noexcept nogil:
    """y = y / below scale; with x and ok: where little is left of `below`, from sums of their own."""
    cdef Py_ssize_t[MOST_AXES] index
    cdef int last = s.ndim - 1, a
    cdef Py_ssize_t n = s.n_out[last], o = 0, i
    cdef double top, bottom
    for a in range(last):
        index[a] = 0
    while True:
        divide_row(y, job.y_step[last], below + o, job.scale, n)
        if ok != NULL:
            for i in range(n):
                if not (below[o + i] >= job.limit or below[o + i] <= -job.limit):
                    sum_at(s, o + i, x, ok, <const real*>job.w, &top, &bottom)
                    (<real*>(y + i * job.y_step[last]))[0] = <real>(<real>top / <real>bottom) * <real>job.scale
        o += n
        a = last - 1
        while a >= 0:
            index[a] += 1
            y += job.y_step[a]
            if index[a] < s.n_out[a]:
                break
            y -= index[a] * job.y_step[a]
            index[a] = 0
            a -= 1
        if a < 0:
            return


cdef void take_off(const Job* job, const Shape* s, const real* ok, real* below) noexcept nogil:
    """Denominators: the sum of the kernel, less the taps that meet what is missing."""
    cdef Py_ssize_t i
    for i in range(s.n_out[0] * s.y_step[0]):
        below[i] = <real>job.total
    for i in range(s.n[0] * s.x_step[0]):
        if ok[i] == 0:
            subtract_at(s, i, <const real*>job.w, below)


cdef void block_unit(const Job* job, Py_ssize_t unit, real* x) noexcept nogil:
    """One block; x is memory for its values, their weights, its denominators, a line, and what a task needs."""
    cdef real* ok = x + job.most_x
    cdef real* below = ok + job.most_x
    cdef char* line = <char*>(below + job.most_y)
    cdef char* memory
    cdef char* y = job.y
    cdef Py_ssize_t[MOST_AXES] begin
    cdef Shape s
    cdef Py_ssize_t b, count, size = 0, shape = 0, bit = 1
    cdef const Work* bottom
    cdef int a
    s.ndim = job.ndim
    for a in range(s.ndim - 1, -1, -1):
        b = unit % job.n_blocks[a]
        unit = unit // job.n_blocks[a]
        begin[a] = b * job.block[a]
        size = min(job.block[a], job.n_out[a] - begin[a])
        s.n[a], s.m[a] = size + job.m[a] - 1, job.m[a]
        y += begin[a] * job.y_step[a]
        if job.n_out[a] % job.block[a]:
            if size != job.block[a]:
                shape += bit
            bit *= 2
    set_steps(&s)
    memory = line + s.n[s.ndim - 1] * (job.item + 1)
    count = take_block(job, begin, &s, x, ok, line)
    execute(&job.tops[shape], <const char*>x, y, memory, 1)
    if count == 0 or not job.means:
        return
    bottom = &job.bottoms[shape]
    if count * job.tap_seconds + s.n[0] * s.x_step[0] * job.find_seconds < bottom.n_units * bottom.unit_seconds:
        take_off(job, &s, ok, below)
        divide(job, &s, y, below, x, ok)
    else:
        execute(bottom, <const char*>ok, <char*>x, memory, 1)
        divide(job, &s, y, x, <const real*>NULL, <const real*>NULL)


cdef void block_unit_float(const void* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    block_unit(<const Job*>job, unit, <float*>scratch)


cdef void block_unit_double(const void* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    block_unit(<const Job*>job, unit, <double*>scratch)


def block_of(tuple n_out, tuple m, int item):
    """The outputs of a block by axis: few enough for the cache, many beside the kernel."""
    block = list(n_out)
    last = len(m) - 1
    for axis, taps in enumerate(m):
        row = item * math.prod([b + k - 1 for a, (b, k) in enumerate(zip(block, m)) if a != axis])
        most = (BLOCK_BYTES // row - taps + 1) // LEAST * LEAST
        size = max(LEAST_COLUMNS if axis == last else LEAST, 2 * taps, most)
        block[axis] = min(block[axis], size)
    return tuple(block)


cdef list shapes_of(tuple n_out, tuple block):
    """The shapes that blocks have, as block_unit counts them."""
    ends = [(b, n % b) if n % b else (b,) for n, b in zip(n_out, block)]
    return list(itertools.product(*ends))


def convolve(cnp.ndarray x, cnp.ndarray mask, cnp.ndarray w, cnp.ndarray y, tuple lo, int boundary, double outside,
             double put, bint means, double total, double scale, double limit, double tap_seconds, double find_seconds,
             int workers):
    """y = sums, or means, of x with a correlation kernel w.

    Parameters
    ----------
    x, w, y : ndarray
        Of float32 or float64, all the same, native and aligned; w contiguous, x and y with any strides, not empty. y
        overlaps neither x nor mask.
    mask : ndarray of bool, or None
        Where values are missing that are not NaN.
    lo, boundary, outside
        What stands outside x, and how many taps hang over the low end of each axis.
    put
        Instead of what is missing.
    means
        Whether to divide by the sum of w over what is there.
    total, scale
        The sum of w; what means are multiplied by.
    limit
        Denominators below it are not trusted if taps were taken off them.
    tap_seconds, find_seconds
        What it costs to take the taps of one missing value off, and to find these, by value.
    workers
        As `_threads.resolve_workers` gave it.
    """
    cdef Job job
    cdef int a, item = <int>x.itemsize
    cdef tuple n_out = (<object>y).shape, m = (<object>w).shape, block = block_of(n_out, m, item)
    cdef cnp.ndarray constant = np.full(1, outside, x.dtype)
    cdef Py_ssize_t bytes = 0, n_units = 1, n_shapes, k
    cdef double seconds
    cdef Work* works
    cdef Task task
    cdef list tasks = []
    job.ndim, job.boundary, job.item = x.ndim, boundary, item
    job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
    job.w, job.constant = <const char*>cnp.PyArray_DATA(w), <const char*>cnp.PyArray_DATA(constant)
    job.mask = NULL if mask is None else <char*>cnp.PyArray_DATA(mask)
    job.most_x = job.most_y = 1
    for a in range(x.ndim):
        job.n_x[a], job.n_out[a], job.m[a], job.lo[a] = x.shape[a], y.shape[a], w.shape[a], lo[a]
        job.x_step[a], job.y_step[a] = x.strides[a], y.strides[a]
        job.mask_step[a] = 0 if mask is None else mask.strides[a]
        job.block[a] = block[a]
        job.n_blocks[a] = (job.n_out[a] + job.block[a] - 1) // job.block[a]
        job.most_x *= job.block[a] + job.m[a] - 1
        job.most_y *= job.block[a]
        n_units *= job.n_blocks[a]
    job.most_x = (job.most_x + 15) // 16 * 16            # whole cache lines
    job.put, job.means, job.total, job.scale, job.limit = put, means, total, scale, limit
    job.tap_seconds, job.find_seconds = tap_seconds, find_seconds
    space = np.empty(2 * job.most_x, x.dtype)            # of blocks; it is not read or written
    shapes = shapes_of(n_out, block)
    for to_y in [True, False][:1 + means]:
        for shape in shapes:
            n = [size + taps - 1 for size, taps in zip(shape, m)]
            values = space[:math.prod(n)].reshape(n)
            sums = y[tuple([slice(0, size) for size in shape])] if to_y else \
                space[job.most_x:job.most_x + math.prod(shape)].reshape(shape)
            tasks.append(prepare(values, w, sums, 0, (0,) * x.ndim, (0,) * x.ndim, 0))
    n_shapes = len(shapes)
    works = <Work*>calloc(len(tasks), sizeof(Work))
    if works == NULL:
        raise MemoryError()
    try:
        for k in range(len(tasks)):
            task = tasks[k]
            works[k] = task.work
            bytes = max(bytes, work_bytes(&task.work, 1))
        job.tops, job.bottoms = works, works + (n_shapes if means else 0)
        seconds = (2 if means else 1) * works[0].n_units * works[0].unit_seconds + job.most_x * PASS_SECONDS
        bytes += item * (2 * job.most_x + job.most_y) + (job.block[x.ndim - 1] + job.m[x.ndim - 1]) * (item + 1)
        run(&job, <unit_function>block_unit_float if item == 4 else <unit_function>block_unit_double, n_units, seconds,
            bytes, workers, None)
    finally:
        free(works)
