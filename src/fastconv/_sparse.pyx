"""Correlation with the taps of a kernel that are not zero, wherever they are:

    y[b, o] = sum over p of w[b, p] x[b, o + offsets[p] - lo]

A unit of work is a span of one line of outputs, cut into the rows of the tile kernel, which takes a row of x for each
tap: straight from x where that lies inside, else from a copy, continued by its boundary. Sums stay in registers. Units
depend on the problem alone, so results do not depend on the number of threads. The caller has validated everything.
"""

cimport numpy as cnp

import numpy as np

from fastconv._direct import DTYPES

from fastconv._boundary cimport ZERO, copy_line, copy_strided, source
from fastconv._direct cimport Axis, kernels_of
from fastconv._kernels.table cimport fc_kernels, fc_tile
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    SPAN_BYTES = 16 * 1024          # outputs of one unit
    COPIES_BYTES = 1024 * 1024      # of x for the taps of one pass, at most


cdef struct Job:
    const fc_kernels* kernels
    int item                        # bytes of an element
    const char* x
    const char* w
    char* y
    const char* constant            # the element that stands outside, for ZERO and CONSTANT
    int n_batch, n_across
    Axis[MAX_AXES] batch, across    # not convolved; convolved, but not along the lines
    Axis col                        # along the lines
    Py_ssize_t n_taps, per_pass     # in all; in one pass
    const Py_ssize_t* offsets       # tap by tap: along `across`, then along the line
    Py_ssize_t width                # outputs in a row of the tile, at most
    Py_ssize_t span, n_spans        # outputs in one unit; units in a line
    Py_ssize_t sums, copies         # bytes from the scratch to a tile's outputs, and to the copies


cdef void point(const Job* job, const char* x, const Py_ssize_t* offset, const Py_ssize_t* out, Py_ssize_t first,
                Py_ssize_t n, Py_ssize_t width, const void** rows, char* copies) noexcept nogil:
    """The rows that one tap takes, for n outputs of a line from `first` on, `width` in a row."""
    cdef const Axis* col = &job.col
    cdef Py_ssize_t band = job.kernels.column_rows, start = first + offset[job.n_across] - col.lo, s, r
    cdef int a
    for a in range(job.n_across):
        s = source(out[a] + offset[a] - job.across[a].lo, job.across[a].n_in, job.across[a].boundary)
        if s < 0:
            x = NULL
            break
        x += s * job.across[a].x
    for r in range(band):
        if r * width >= n:                              # a row of outputs that are thrown away
            rows[r] = rows[0]
        elif x != NULL and col.x == job.item and start >= 0 and start + width <= col.n_in:
            rows[r] = x + start * job.item
        else:
            rows[r] = copies
            copy_line(copies, x, col.n_in, col.x, col.boundary, job.constant, start, min(width, n - r * width), job.item)
            copies += job.width * job.item
        start += width


cdef void span_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Py_ssize_t band = job.kernels.column_rows, first = unit % job.n_spans * job.span, left = unit // job.n_spans
    cdef Py_ssize_t n = min(job.span, job.col.n_out - first)
    cdef Py_ssize_t width = max(<Py_ssize_t>job.kernels.lanes, (n + band - 1) // band), size, i, p, q, count
    cdef Py_ssize_t[MAX_AXES] out
    cdef const void** rows = <const void**>scratch
    cdef char* sums = scratch + job.sums
    cdef const char* x = job.x
    cdef const char* w = job.w
    cdef char* y = job.y + first * job.col.y
    cdef fc_tile tile = job.kernels.column[1] if job.kernels.column[1] != NULL else job.kernels.column[0]
    cdef bint in_place
    cdef int a
    for a in range(job.n_across - 1, -1, -1):
        out[a] = left % job.across[a].n_out
        y += out[a] * job.across[a].y
        left = left // job.across[a].n_out
    for a in range(job.n_batch - 1, -1, -1):
        i = left % job.batch[a].n_out
        x += i * job.batch[a].x
        w += i * job.batch[a].w
        y += i * job.batch[a].y
        left = left // job.batch[a].n_out
    p = 0
    while p < job.n_taps:
        count = min(job.per_pass, job.n_taps - p)
        for q in range(count):
            point(job, x, job.offsets + (p + q) * (job.n_across + 1), out, first, n, width, rows + q * band,
                  scratch + job.copies + q * band * job.width * job.item)
        in_place = p == 0 and n == band * width and job.col.y == job.item
        tile(rows, count, w + p * job.item, 1, 1, y if in_place else sums, width, width)
        if p > 0 and job.col.y == job.item:
            job.kernels.add(sums, y, n)
        elif p > 0:                                     # the copies are used: a place for strided outputs
            copy_strided(scratch + job.copies, job.item, y, job.col.y, n, job.item)
            job.kernels.add(sums, scratch + job.copies, n)
            copy_strided(y, job.col.y, scratch + job.copies, job.item, n, job.item)
        elif not in_place:
            copy_strided(y, job.col.y, sums, job.item, n, job.item)
        p += count


# ---- the driver --------------------------------------------------------------------------------------------------

cdef Axis axis_of(cnp.ndarray x, cnp.ndarray y, int i, int n_batch, tuple lo, tuple boundary) except *:
    cdef Axis axis
    axis.n_in, axis.n_out, axis.n_taps = x.shape[i], y.shape[i], 1
    axis.x, axis.y, axis.w = x.strides[i], y.strides[i], 0
    axis.lo = lo[i - n_batch] if i >= n_batch else 0
    axis.boundary = boundary[i - n_batch] if i >= n_batch else ZERO
    return axis


def correlate(cnp.ndarray x, offsets, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
              int workers, tick=None):
    """y[b, o] = sum over p of w[b, p] x[b, o + offsets[p] - lo], where `boundary` says what x is outside.

    Parameters
    ----------
    x, y : ndarray
        As for `_direct.correlate`.
    offsets : ndarray of intp
        (taps, convolved axes): where the taps are, at least one.
    w : ndarray
        (*batch, taps): their values, of x's dtype and contiguous; batch axes of length 1 or y's.
    n_batch, lo, boundary, cval, workers, tick
        As for `_direct.correlate`.
    """
    cdef Job job
    cdef int nd = x.ndim, i, col, item = <int>x.itemsize
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype)
    cdef Py_ssize_t n_lines = 1, stride, band, scratch
    cdef Py_ssize_t[:, ::1] places
    cdef double seconds
    if y.size == 0:
        return
    job.kernels, job.item = kernels_of(DTYPES[x.dtype]), item
    band = job.kernels.column_rows
    along = [i for i in range(nd) if x.strides[i] == item and x.shape[i] > 1 and (i >= n_batch or w.shape[i] == 1)]
    col = along[0] if along else nd - 1                 # lines lie along contiguous memory
    across = [i for i in range(n_batch, nd) if i != col]
    places = np.zeros((len(offsets), len(across) + 1), np.intp)
    for k, i in enumerate([*across, col]):
        if i >= n_batch:
            np.asarray(places)[:, k] = offsets[:, i - n_batch]

    job.constant = <const char*>cnp.PyArray_DATA(constant)
    job.x = <const char*>cnp.PyArray_DATA(x)
    job.w = <const char*>cnp.PyArray_DATA(w)
    job.y = <char*>cnp.PyArray_DATA(y)
    job.offsets, job.n_taps = &places[0, 0], places.shape[0]
    job.col = axis_of(x, y, col, n_batch, lo, boundary)
    job.n_across = job.n_batch = 0
    for i in across:
        job.across[job.n_across] = axis_of(x, y, i, n_batch, lo, boundary)
        job.n_across += 1
        n_lines *= y.shape[i]
    stride = item
    for i in range(n_batch):
        stride *= w.shape[i]
    stride *= job.n_taps
    for i in range(n_batch):
        stride //= w.shape[i]
        if i != col:
            job.batch[job.n_batch] = axis_of(x, y, i, n_batch, lo, boundary)
            job.batch[job.n_batch].w = stride if w.shape[i] > 1 else 0
            job.n_batch += 1
            n_lines *= y.shape[i]

    job.width = min(SPAN_BYTES // item, job.col.n_out + band * job.kernels.lanes) // (band * job.kernels.lanes) \
        * job.kernels.lanes
    job.span = band * job.width
    job.n_spans = (job.col.n_out + job.span - 1) // job.span
    job.per_pass = max(1, min(job.n_taps, COPIES_BYTES // (job.span * item)))
    job.sums = (job.per_pass * band * sizeof(void*) + 63) // 64 * 64
    job.copies = job.sums + job.span * item
    scratch = job.copies + job.per_pass * job.span * item
    seconds = min(job.span, job.col.n_out) * (job.n_taps / (1.5e9 * job.kernels.lanes) + 0.25e-9) + job.n_taps * 10e-9
    run(&job, <unit_function>span_unit, n_lines * job.n_spans, seconds, scratch, workers, tick)
