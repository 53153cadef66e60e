"""Correlation with the taps of a kernel that are not zero, wherever they are:

    y[b, o] = sum over p of w[b, p] x[b, o + offsets[p] - lo]

The tile kernel takes a row of x for each tap and row of outputs; sums stay in registers. Where windows are low enough,
a unit of work is a strip of rows across a panel of columns, in bands, and rows of x come from a ring, to which each is
copied once, continued by its boundary. Else it is a span of one line of outputs, cut into the rows of a tile, and rows
come straight from x where they lie inside. Units depend on the problem alone, so results do not depend on the number of
threads. The caller has validated everything.
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
    RING_BYTES = 384 * 1024         # of a ring, if there is a choice: it stays in L2
    RING_TAPS = 2048                # in one pass from a ring
    PANEL = 24                      # vectors across a panel, at least
    STRIP = 4                       # rows of a strip: so many times those of the kernel, that few are copied twice,
    LEAST_STRIP = 64                # and not fewer than this


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
    Py_ssize_t sums, copies         # bytes from the scratch to a tile's outputs, and to copies of x
    # With a ring, whose rows lie along the last axis of `across`:
    const Py_ssize_t* planes        # offsets along the other axes of `across`, wherever there are taps
    const Py_ssize_t* plane         # which of them, tap by tap
    Py_ssize_t n_planes, height, pitch      # rows of a plane in the ring; bytes from row to row
    Py_ssize_t kw                   # columns of the kernel
    Py_ssize_t strip, n_strips      # rows in one unit; such strips


cdef inline fc_tile tile_of(const Job* job) noexcept nogil:
    return job.kernels.column[1] if job.kernels.column[1] != NULL else job.kernels.column[0]


cdef inline void locate(const Job* job, Py_ssize_t index, int n_across, Py_ssize_t* out, const char** x, const char** w,
                        char** y) noexcept nogil:
    """Where output number `index` of the first axes across and the batch begins, and its place along the former."""
    cdef int a
    cdef Py_ssize_t i
    x[0] = job.x
    w[0] = job.w
    y[0] = job.y
    for a in range(n_across - 1, -1, -1):
        out[a] = index % job.across[a].n_out
        y[0] += out[a] * job.across[a].y
        index = index // job.across[a].n_out
    for a in range(job.n_batch - 1, -1, -1):
        i = index % job.batch[a].n_out
        x[0] += i * job.batch[a].x
        w[0] += i * job.batch[a].w
        y[0] += i * job.batch[a].y
        index = index // job.batch[a].n_out


cdef inline const char* across(const Job* job, const char* x, const Py_ssize_t* offset, const Py_ssize_t* out,
                               int n_across) noexcept nogil:
    """What a tap takes of x along the first axes across; NULL where it is constant."""
    cdef Py_ssize_t s
    cdef int a
    for a in range(n_across):
        s = source(out[a] + offset[a] - job.across[a].lo, job.across[a].n_in, job.across[a].boundary)
        if s < 0:
            return NULL
        x += s * job.across[a].x
    return x


cdef void point(const Job* job, const char* x, Py_ssize_t start, Py_ssize_t n, Py_ssize_t width, const void** rows,
                char* copies) noexcept nogil:
    """The rows that one tap takes of a line of x, from `start` on, for n outputs, `width` in a row."""
    cdef const Axis* col = &job.col
    cdef Py_ssize_t r
    for r in range(job.kernels.column_rows):
        if r * width >= n:                              # a row of outputs that are thrown away
            rows[r] = rows[0]
        elif x != NULL and col.x == job.item and start >= 0 and start + width <= col.n_in:
            rows[r] = x + start * job.item
        else:
            rows[r] = copies
            copy_line(copies, x, col.n_in, col.x, col.boundary, job.constant, start, min(width, n - r * width),
                      job.item)
            copies += job.width * job.item
        start += width


cdef void span_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """A span of one line."""
    cdef Py_ssize_t band = job.kernels.column_rows, first = unit % job.n_spans * job.span
    cdef Py_ssize_t n = min(job.span, job.col.n_out - first)
    cdef Py_ssize_t width = max(<Py_ssize_t>job.kernels.lanes, (n + band - 1) // band), p = 0, q, count
    cdef Py_ssize_t[MAX_AXES] out
    cdef const void** rows = <const void**>scratch
    cdef char* sums = scratch + job.sums
    cdef char* copies = scratch + job.copies
    cdef const char* x
    cdef const char* w
    cdef const char* of
    cdef const Py_ssize_t* offset
    cdef char* y
    cdef fc_tile tile = tile_of(job)
    cdef bint in_place
    locate(job, unit // job.n_spans, job.n_across, out, &x, &w, &y)
    y += first * job.col.y
    while p < job.n_taps:
        count = min(job.per_pass, job.n_taps - p)
        for q in range(count):
            offset = job.offsets + (p + q) * (job.n_across + 1)
            of = across(job, x, offset, out, job.n_across)
            point(job, of, first + offset[job.n_across] - job.col.lo, n, width, rows + q * band,
                  copies + q * job.span * job.item)
        in_place = p == 0 and n == band * width and job.col.y == job.item
        tile(rows, count, w + p * job.item, 1, 1, y if in_place else sums, width, width)
        if p > 0 and job.col.y == job.item:
            job.kernels.add(sums, y, n)
        elif p > 0:                                     # the copies are used: a place for strided outputs
            copy_strided(copies, job.item, y, job.col.y, n, job.item)
            job.kernels.add(sums, copies, n)
            copy_strided(y, job.col.y, copies, job.item, n, job.item)
        elif not in_place:
            copy_strided(y, job.col.y, sums, job.item, n, job.item)
        p += count


cdef void strip_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """Rows of a panel: its columns are the spans."""
    cdef const Axis* col = &job.col
    cdef const Axis* row = &job.across[job.n_across - 1]
    cdef Py_ssize_t band = job.kernels.column_rows, height = job.height, item = job.item, left = unit // job.n_strips
    cdef Py_ssize_t begin = unit % job.n_strips * job.strip, end = min(row.n_out, begin + job.strip)
    cdef Py_ssize_t first = left % job.n_spans * job.span, n = min(job.span, col.n_out - first)
    cdef Py_ssize_t width = max(n, <Py_ssize_t>job.kernels.lanes), loaded = 0, free = 0, oldest = 0
    cdef Py_ssize_t[MAX_AXES] out
    cdef Py_ssize_t b, i, j, p, q, s, top, n_rows
    cdef const void** rows = <const void**>scratch
    cdef const char** planes = <const char**>(rows + job.n_taps * band)
    cdef char* ring = scratch + job.copies
    cdef char* sums = scratch + job.sums
    cdef char* to
    cdef const char* x
    cdef const char* w
    cdef const char* of
    cdef const Py_ssize_t* offset
    cdef char* y
    cdef fc_tile tile = tile_of(job)
    cdef bint in_place
    locate(job, left // job.n_spans, job.n_across - 1, out, &x, &w, &y)
    y += first * col.y + begin * row.y
    for q in range(job.n_planes):
        planes[q] = across(job, x, job.planes + q * (job.n_across - 1), out, job.n_across - 1)
    for b in range((end - begin + band - 1) // band):
        top = b * band
        n_rows = min(band, end - begin - top)
        while loaded < top + height and loaded < end - begin + height - band:
            s = source(begin + loaded - row.lo, row.n_in, row.boundary)
            for q in range(job.n_planes):
                of = planes[q] + s * row.x if planes[q] != NULL and s >= 0 else NULL
                copy_line(ring + (q * height + free) * job.pitch, of, col.n_in, col.x, col.boundary, job.constant,
                          first - col.lo, n + job.kw - 1, job.item)
            loaded += 1
            free = free + 1 if free + 1 < height else 0
        for p in range(job.n_taps):
            offset = job.offsets + p * (job.n_across + 1) + job.n_across - 1
            for i in range(band):                       # those past the last only feed outputs that are thrown away
                j = oldest + offset[0] + min(i, n_rows - 1)
                j = job.plane[p] * height + (j if j < height else j - height)
                rows[p * band + i] = ring + j * job.pitch + offset[1] * item
        oldest += band - (height if oldest + band >= height else 0)
        to = y + top * row.y
        in_place = n == width and n_rows == band and col.y == item and row.y % item == 0
        tile(rows, job.n_taps, w, 1, 1, to if in_place else sums, row.y // item if in_place else job.span, width)
        if not in_place:
            for i in range(n_rows):
                copy_strided(to + i * row.y, col.y, sums + i * job.span * item, item, n, job.item)


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
    cdef Py_ssize_t n_lines = 1, stride, band, outputs, height
    cdef Py_ssize_t[:, ::1] places
    cdef cnp.ndarray planes, plane
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

    height = job.across[job.n_across - 1].n_out if across else 0
    if height >= band and job.n_taps <= RING_TAPS:
        parts = [tuple(part[:len(part) - 2]) for part in np.asarray(places).tolist()]
        found = {part: k for k, part in enumerate(dict.fromkeys(parts))}
        planes = np.array(list(found), np.intp)
        plane = np.array([found[part] for part in parts], np.intp)
        job.planes = <const Py_ssize_t*>cnp.PyArray_DATA(planes)
        job.plane = <const Py_ssize_t*>cnp.PyArray_DATA(plane)
        job.n_planes = len(found)
        last = np.max(places, axis=0)
        if 2 * job.n_planes <= job.n_taps and _ring(&job, last[len(across) - 1] + 1, last[len(across)] + 1):
            outputs = min(job.strip, height) * min(job.span, job.col.n_out)
            seconds = outputs * (job.n_taps / (1.5e9 * job.kernels.lanes) + 0.5e-9)
            run(&job, <unit_function>strip_unit, n_lines // height * job.n_spans * job.n_strips, seconds,
                job.copies + job.n_planes * job.height * job.pitch, workers, tick)
            return
    job.width = min(SPAN_BYTES // item, job.col.n_out + band * job.kernels.lanes) // (band * job.kernels.lanes) \
        * job.kernels.lanes
    job.span = band * job.width
    job.n_spans = (job.col.n_out + job.span - 1) // job.span
    job.per_pass = max(1, min(job.n_taps, COPIES_BYTES // (job.span * item)))
    job.sums = (job.per_pass * band * sizeof(void*) + 63) // 64 * 64
    job.copies = job.sums + job.span * item
    seconds = min(job.span, job.col.n_out) * (job.n_taps / (1.5e9 * job.kernels.lanes) + 0.25e-9) + job.n_taps * 10e-9
    run(&job, <unit_function>span_unit, n_lines * job.n_spans, seconds,
        job.copies + job.per_pass * job.span * item, workers, tick)


cdef bint _ring(Job* job, Py_ssize_t kernel_rows, Py_ssize_t kernel_cols) noexcept:
    """The sizes of units with a ring, if one fits."""
    cdef Py_ssize_t band = job.kernels.column_rows, lanes = job.kernels.lanes, lines
    job.kw, job.height = kernel_cols, band + kernel_rows - 1
    job.span = (job.col.n_out + lanes - 1) // lanes * lanes
    while True:
        lines = ((job.span + job.kw - 1) * job.item + 63) // 64
        job.pitch = (lines + 1 - lines % 2) * 64        # an odd number of cache lines: rows spread over all sets
        if job.n_planes * job.height * job.pitch <= RING_BYTES or job.span <= PANEL * lanes:
            break
        job.span = (job.span // 2 + lanes - 1) // lanes * lanes
    job.n_spans = (job.col.n_out + job.span - 1) // job.span
    job.strip = (max(<Py_ssize_t>LEAST_STRIP, STRIP * kernel_rows) + band - 1) // band * band
    job.n_strips = (job.across[job.n_across - 1].n_out + job.strip - 1) // job.strip
    job.sums = ((job.n_taps * band + job.n_planes) * sizeof(void*) + 63) // 64 * 64
    job.copies = job.sums + band * job.span * job.item
    return job.n_planes * job.height * job.pitch <= COPIES_BYTES
