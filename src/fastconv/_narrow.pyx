"""Separable correlation of arrays of small integers by real weights, along one axis or two, into small integers.

    v[o] = sum over i of w_0[i] x~[o + i - lo],    y[o] = sum over j of w_1[j] v~[o + j - lo]

with sums in float32 or float64, v rounded to y's dtype or not. An array is lines, rows and outer axes (_bytes.pxd). A unit
of work is a strip of rows across a panel of columns, computed in bands: each row of x is continued by its boundary and
converted, once, into a ring in the cache; the kernel `column` (_kernels/table.h) sums rows up, corr1d along the line. The
continuation comes first: it commutes with the sums along rows as long as zeros stand outside, if constants do. Units depend
on the problem alone, so results do not depend on the number of threads.
"""

from libc.string cimport memcpy, memset
cimport numpy as cnp

import numpy as np

from fastconv._bytes import ITEMS
from fastconv._direct import DTYPES

from fastconv._boundary cimport copy_line, copy_strided, source
from fastconv._bytes cimport TABLE, Axis, Lines, lay_out
from fastconv._direct cimport kernels_of
from fastconv._kernels.bytes cimport FC_SUM_ROWS, fc_cut, fc_narrow, fc_sums, fc_widen
from fastconv._kernels.table cimport FC_FIXED_HEIGHTS, fc_kernels, fc_tile
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    PANEL_BYTES = 16 * 1024         # of sums across a unit, if there is a choice: long lines, few edges
    STRIP = 64                      # rows of a unit, or 8 times the taps: few lines are converted twice
    MOST_PLANS = 16                 # kept of one smoothing


cdef struct Job:
    const fc_kernels* kernels
    fc_widen widen
    fc_widen widen_again            # of v's integers
    fc_sums straight                # sums of rows of x as they lie in memory, or NULL
    fc_cut cut                      # for v within y's range, or NULL
    fc_narrow narrow
    int store_first, store          # v's beyond that range, or -1; y's
    double scale_first, scale
    const char* x
    char* y
    const char* w_rows
    const char* w_cols
    const char* constant            # the elements that stand at a place outside
    const char* beyond              # a row of them
    Lines lines
    int item                        # bytes of a sum
    Py_ssize_t band                 # rows of sums at a time
    Py_ssize_t panel, n_panels, strip, n_strips # places, rows of a unit, at most
    Py_ssize_t to_line              # bytes of one line of sums
    Py_ssize_t small, sums, out, slots, parts, ring       # where these begin in the scratch


cdef void load(const Job* job, const char* x, Py_ssize_t first, Py_ssize_t count, char* to, char* scratch) noexcept nogil:
    """Places first ... first + count - 1 of a row (NULL: constant), continued and converted."""
    cdef const Axis* col = &job.lines.col
    cdef Py_ssize_t begin = max(first, <Py_ssize_t>0), end = min(first + count, col.n), item = job.item * job.lines.channels, c
    if x == NULL or not job.lines.x_dense:
        copy_line(scratch + job.small, x, col.n, col.x, col.boundary, job.constant, first, count, <int>job.lines.x_place)
        job.widen(scratch + job.small, to, count * job.lines.channels)
        return
    job.widen(x + begin * job.lines.x_place, to + (begin - first) * item, (end - begin) * job.lines.channels)
    for c in range(begin - first):
        outside(job, x, first, c, begin, end, to)
    for c in range(end - first, count):
        outside(job, x, first, c, begin, end, to)


cdef void outside(const Job* job, const char* x, Py_ssize_t first, Py_ssize_t c, Py_ssize_t begin, Py_ssize_t end,
                  char* to) noexcept nogil:
    """Place first + c, beyond the ends of a row of which `begin` to end - 1 are converted."""
    cdef Py_ssize_t s = source(first + c, job.lines.col.n, job.lines.col.boundary), item = job.item * job.lines.channels
    if begin <= s < end:
        memcpy(to + c * item, to + (s - first) * item, item)
    else:
        job.widen(x + s * job.lines.x_place if s >= 0 else job.constant, to + c * item, job.lines.channels)


cdef void strip_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef const Axis* row = &job.lines.row
    cdef const Axis* col = &job.lines.col
    cdef Py_ssize_t place = unit % job.n_panels * job.panel, top = unit // job.n_panels % job.n_strips * job.strip
    cdef Py_ssize_t n_places = min(job.panel, col.n - place), n_rows = min(job.strip, row.n - top)
    cdef Py_ssize_t left = unit // (job.n_panels * job.n_strips), b = 0, r, i, loaded = 0
    cdef const void** rows = <const void**>(scratch + job.slots)
    cdef char* sums = scratch + job.sums
    cdef const char* x = job.x
    cdef char* y = job.y
    cdef int a
    for a in range(job.lines.n_outer - 1, -1, -1):
        i = left % job.lines.outer[a].n
        left = left // job.lines.outer[a].n
        x += i * job.lines.outer[a].x
        y += i * job.lines.outer[a].y
    y += top * row.y + place * col.y
    while b < n_rows:
        if job.straight != NULL:
            straight_band(job, x, top + b, min(job.band, n_rows - b), rows, sums)
        else:
            loaded = converted_band(job, x, top, b, n_rows, place, n_places, loaded, rows, scratch)
        for r in range(min(job.band, n_rows - b)):
            line(job, sums + r * job.to_line if row.n_taps > 1 else <char*>rows[r], y + (b + r) * row.y, n_places, scratch)
        b += job.band


cdef void straight_band(const Job* job, const char* x, Py_ssize_t top, Py_ssize_t n_rows, const void** rows,
                        char* sums) noexcept nogil:
    """Sums of rows for the outputs of rows `top` ... top + n_rows - 1, continued along the line."""
    cdef const Axis* row = &job.lines.row
    cdef const Axis* col = &job.lines.col
    cdef Py_ssize_t item = job.item * job.lines.channels, i, r, c, s
    for i in range(job.band + row.n_taps - 1):      # rows past the last only feed outputs that are thrown away
        s = source(top - row.lo + min(i, n_rows + row.n_taps - 2), row.n, row.boundary)
        rows[i] = x + s * row.x if s >= 0 else job.beyond
    job.straight(rows, job.w_rows, row.n_taps, sums + col.lo * item, job.to_line, col.n * job.lines.channels)
    for i in range(col.n_taps - 1):
        c = i if i < col.lo else i + col.n
        s = source(c - col.lo, col.n, col.boundary)
        for r in range(n_rows):
            if s >= 0:
                memcpy(sums + r * job.to_line + c * item, sums + r * job.to_line + (s + col.lo) * item, item)
            else:
                memset(sums + r * job.to_line + c * item, 0, item)


cdef Py_ssize_t converted_band(const Job* job, const char* x, Py_ssize_t top, Py_ssize_t b, Py_ssize_t n_rows, Py_ssize_t place,
                               Py_ssize_t n_places, Py_ssize_t loaded, const void** rows, char* scratch) noexcept nogil:
    """The same for rows b, b + 1, ... of a strip's n_rows, from converted rows in the ring; how many those are so far."""
    cdef const Axis* row = &job.lines.row
    cdef Py_ssize_t height = job.band + row.n_taps - 1, n_in = n_places + job.lines.col.n_taps - 1, i, s
    cdef fc_tile tile = job.kernels.column[0]
    if row.n_taps < FC_FIXED_HEIGHTS and job.kernels.column[row.n_taps] != NULL:
        tile = job.kernels.column[row.n_taps]
    while loaded < min(n_rows, b + job.band) + row.n_taps - 1:
        s = source(top - row.lo + loaded, row.n, row.boundary)
        load(job, x + s * row.x if s >= 0 else NULL, place - job.lines.col.lo, n_in,
             scratch + job.ring + loaded % height * job.to_line, scratch)
        loaded += 1
    for i in range(height):             # rows past the last only feed outputs that are thrown away
        rows[i] = scratch + job.ring + min(b + i, loaded - 1) % height * job.to_line
    if row.n_taps > 1:
        tile(rows, 1, job.w_rows, row.n_taps, 1, scratch + job.sums, job.to_line // job.item,
             max(n_in * job.lines.channels, <Py_ssize_t>job.kernels.lanes))
    return loaded


cdef void line(const Job* job, char* sums, char* y, Py_ssize_t n_places, char* scratch) noexcept nogil:
    """A line of outputs from the sums of rows."""
    cdef const Axis* col = &job.lines.col
    cdef Py_ssize_t channels = job.lines.channels, n = n_places * channels
    cdef char* out = scratch + job.out
    if job.cut != NULL:
        job.cut(sums, sums, n + (col.n_taps - 1) * channels, job.scale_first)
    elif job.store_first >= 0:
        job.narrow(sums, scratch + job.small, n + (col.n_taps - 1) * channels, job.scale_first, job.store_first)
        job.widen_again(scratch + job.small, sums, n + (col.n_taps - 1) * channels)
    if col.n_taps > 1:
        along(job, sums, out, n, scratch)
        sums = out
    if job.lines.y_dense:
        job.narrow(sums, y, n, job.scale, job.store)
    else:
        job.narrow(sums, scratch + job.small, n, job.scale, job.store)
        copy_strided(y, col.y, scratch + job.small, job.lines.y_place, n_places, <int>job.lines.y_place)


cdef void along(const Job* job, const char* sums, char* out, Py_ssize_t n, char* scratch) noexcept nogil:
    """out[c] = sum over j of w_1[j] sums[c + j channels]."""
    cdef Py_ssize_t channels = job.lines.channels, kw = job.lines.col.n_taps, band = job.kernels.column_rows
    cdef Py_ssize_t part = max((n + band - 1) // band, <Py_ssize_t>job.kernels.lanes), j, r
    cdef const void** rows = <const void**>(scratch + job.parts)
    if channels == 1:
        job.kernels.corr1d(sums, job.w_cols, out, n, kw)
        return
    for j in range(kw):                 # parts of the line as the rows of a band, with a plane for each tap
        for r in range(band):
            rows[j * band + r] = sums + (j * channels + r * part) * job.item
    job.kernels.column[1](rows, kw, job.w_cols, 1, 1, out, part, part)


# ---- the driver --------------------------------------------------------------------------------------------------

cdef class Plan:
    """What `Smoothing` knows once it has seen how x and y lie in memory."""
    cdef Job job
    cdef object kept                # what the job points to
    cdef Py_ssize_t n_units, scratch_bytes
    cdef double unit_seconds


cdef class Smoothing:
    """Correlation of arrays along one axis or two, in their order, for any number of calls.

    Parameters
    ----------
    weights : list of ndarray
        For each axis, contiguous, of one dtype: float32 or float64, in which sums are kept.
    axes, lo, boundary : tuple of int
        For each axis: which, the taps that hang over its low end, and a code of `_problem.BOUNDARIES`.
    cval
        What stands outside for the constant boundary: a value of x's dtype, and 0 if there are two axes.
    first, last : tuple of (int or None, float) or None
        How the sums of the first of two axes, if not as they are, and those of the last are stored (bytes.h: a store and a
        scale). For the first, the store None truncates what is within y's range.
    """
    cdef list weights
    cdef tuple axes, lo, boundary, first, last
    cdef object cval
    cdef dict plans

    def __init__(self, list weights, tuple axes, tuple lo, tuple boundary, cval, first, tuple last):
        self.weights, self.axes, self.lo, self.boundary = weights, axes, lo, boundary
        self.cval, self.first, self.last, self.plans = cval, first, last, {}

    def run(self, cnp.ndarray x, cnp.ndarray y, int workers):
        """Compute y.

        Parameters
        ----------
        x, y : ndarray
            Of one shape, aligned, without shared memory; dtypes of `_bytes.ITEMS`.
        workers : int
            As for `_direct.correlate`.

        Returns
        -------
        bool
            Whether it could be done: not where memory lies so that lines would come before rows.
        """
        cdef Plan plan
        cdef Job job
        if y.size == 0:
            return True
        key = (x.dtype.char, y.dtype.char, (<object>x).shape, (<object>x).strides, (<object>y).strides)
        plan = self.plans.get(key)
        if plan is None:
            plan = self.plan(x, y)
            if plan is None:
                return False
            if len(self.plans) >= MOST_PLANS:
                self.plans.clear()
            self.plans[key] = plan
        job = plan.job
        job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
        run(&job, <unit_function>strip_unit, plan.n_units, plan.unit_seconds, plan.scratch_bytes, workers, None)
        return True

    cdef Plan plan(self, cnp.ndarray x, cnp.ndarray y):
        """None if it cannot be done."""
        cdef Plan plan = Plan()
        cdef Job* job = &plan.job
        cdef cnp.ndarray constant, rows = None, cols = None
        cdef double pixels
        cdef Py_ssize_t n
        cdef int i, real
        convolved = {i: (w.size, begin, code) for i, w, begin, code in zip(self.axes, self.weights, self.lo, self.boundary)}
        order = lay_out(x, y, convolved, &job.lines)
        if any(i not in order[len(order) - 2:] for i in self.axes):
            return None
        if len(self.axes) == 2 and self.first is not None and self.axes[0] != order[len(order) - 2]:
            return None
        for i, w in zip(self.axes, self.weights):
            if i == order[len(order) - 1]:
                cols = w
            else:
                rows = w
        job.w_rows = <const char*>cnp.PyArray_DATA(rows) if rows is not None else NULL
        job.w_cols = <const char*>cnp.PyArray_DATA(cols) if cols is not None else NULL
        real = self.weights[0].dtype.itemsize == 8
        job.item = 8 if real else 4
        job.kernels = kernels_of(DTYPES[self.weights[0].dtype])
        job.widen = TABLE.floats[real].widen[<int>ITEMS[x.dtype.char]]
        job.widen_again = TABLE.floats[real].widen[<int>ITEMS[y.dtype.char]]
        job.cut, job.store_first, job.scale_first = NULL, -1, 0
        if self.first is not None:
            job.scale_first = self.first[1]
            if self.first[0] is None:
                job.cut = TABLE.floats[real].cut
            else:
                job.store_first = self.first[0]
        job.narrow, job.store, job.scale = TABLE.floats[real].narrow, self.last[0], self.last[1]
        job.straight, job.band, n = NULL, job.kernels.column_rows, job.lines.col.n * job.lines.channels
        if job.lines.x_dense and n * job.item <= PANEL_BYTES and job.lines.row.n_taps >= FC_SUM_ROWS - 1:
            job.straight = TABLE.floats[real].sums[<int>ITEMS[x.dtype.char]] if n >= TABLE.floats[real].sum_width else NULL
        if job.straight != NULL:
            job.band = FC_SUM_ROWS
        constant = np.full(max(job.lines.channels, n), self.cval, x.dtype)
        job.beyond = job.constant = <const char*>cnp.PyArray_DATA(constant)
        plan.kept = constant
        plan.n_units = 1
        for i in range(job.lines.n_outer):
            plan.n_units *= job.lines.outer[i].n
        plan.n_units *= _cut(job)
        pixels = <double>min(job.panel, job.lines.col.n) * job.lines.channels * min(job.strip, job.lines.row.n)
        plan.unit_seconds = 200e-9 + pixels * (
            (job.lines.row.n_taps + job.lines.col.n_taps) / (3e9 * job.kernels.lanes) + 0.3e-9)
        plan.scratch_bytes = _scratch(job)
        return plan


cdef Py_ssize_t _cut(Job* job) noexcept:
    """How large units are; how many there are at each of the outer indices."""
    cdef Py_ssize_t most = max(<Py_ssize_t>1, PANEL_BYTES // (job.item * job.lines.channels)), band = job.band
    most = max(most, 4 * job.lines.col.n_taps)
    job.n_panels = (job.lines.col.n + most - 1) // most
    job.panel = (job.lines.col.n + job.n_panels - 1) // job.n_panels
    most = max(<Py_ssize_t>STRIP, 8 * job.lines.row.n_taps)
    job.n_strips = (job.lines.row.n + most - 1) // most
    job.strip = ((job.lines.row.n + job.n_strips - 1) // job.n_strips + band - 1) // band * band
    job.n_strips = (job.lines.row.n + job.strip - 1) // job.strip
    return job.n_panels * job.n_strips


cdef Py_ssize_t _scratch(Job* job) noexcept:
    """Lay it out; its bytes."""
    cdef Py_ssize_t band = max(job.band, <Py_ssize_t>job.kernels.column_rows), height = band + job.lines.row.n_taps - 1
    cdef Py_ssize_t n = (job.panel + job.lines.col.n_taps - 1) * job.lines.channels
    job.to_line = ((n + band * job.kernels.lanes) * job.item + 63) // 64 * 64
    job.to_line += 64 * (1 - job.to_line // 64 % 2)                 # an odd number: lines spread over all cache sets
    job.small = 0
    job.slots = job.small + (n * 2 + 63) // 64 * 64
    job.parts = job.slots + (height * sizeof(void*) + 63) // 64 * 64
    job.out = job.parts + (job.lines.col.n_taps * band * sizeof(void*) + 63) // 64 * 64
    job.sums = job.out + job.to_line
    job.ring = job.sums + band * job.to_line
    return job.ring + height * job.to_line
