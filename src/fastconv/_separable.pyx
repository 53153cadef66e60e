"""Correlation with sums of outer products: along one axis after the other, in boxes that stay in the cache.

    y[b, o] = sum over terms q and taps t of f_0[q, b, t_0] f_1[q, b, t_1] ... x[b, o + t - lo]

A unit of work is a box of outputs. Each line of x that it needs, continued by its boundary, is filtered once (kernel
corr1d) into a ring of lines; the kernel `column` sums these up along the next axis, for all terms at once. With more
axes, boxes filtered so far stand in a ring of the next axis. Nothing as large as x is stored. Units depend on the
problem alone, so results do not depend on the number of threads. The caller has validated everything; where values
are not finite it is told the boxes.
"""

from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv._direct import DTYPES

from fastconv._boundary cimport ZERO, copy_line, copy_strided, source
from fastconv._direct cimport Axis, corr_line, kernels_of
from fastconv._kernels.table cimport FC_FIXED_HEIGHTS, fc_kernels, fc_tile
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    LINE_BYTES = 64                 # a cache line
    RING_BYTES = 384 * 1024         # ring of lines, if there is a choice: it and what it is made of stay in L2
    RINGS_BYTES = 768 * 1024        # rings of boxes: with smaller ones more lines are filtered twice
    PANEL = 96                      # vectors across a box, at least if there is a choice
    STRIP = 8                       # outputs of a box along its last axis: so many times the taps, that few lines are
    LEAST_STRIP = 128               # filtered twice, and not fewer than this
cdef double UNIT_MACS = 4e7         # per lane: no unit holds up a signal for long


cdef struct Level:                  # an axis above the lines
    Axis axis
    Py_ssize_t taps                 # bytes from the kernel to its factors, one after the other
    Py_ssize_t extent, n_parts      # outputs of a unit, at most; such parts of the axis
    Py_ssize_t height               # slots in the ring of a term: lines, or boxes of the levels below
    Py_ssize_t ring, pointers       # bytes from the scratch to the ring, and to pointers to its slots

cdef struct Job:
    const fc_kernels* kernels
    int item                        # bytes of an element
    const char* x
    const char* w                   # the factors of a kernel, axis by axis; kernel by kernel
    char* y
    const char* constant            # the element that stands outside, for ZERO and CONSTANT
    int n_terms, top
    int n_batch
    Axis[MAX_AXES] batch
    Axis col                        # along the lines
    Py_ssize_t col_taps             # bytes from the kernel to its factors
    bint as_is                      # lines are not filtered
    Level[MAX_AXES] level           # from 1 to top
    Py_ssize_t[MAX_AXES] to_slot, to_y      # bytes from output to output: in the slots; in y
    Py_ssize_t panel                # outputs of a unit along its lines, at most
    Py_ssize_t n_units              # of a batch element
    Py_ssize_t sums, seen, line     # bytes from the scratch to a band of outputs, to sums of outputs, to a line's copy
    int part                        # bytes of a float, or 0
    char* spoiled                   # by unit: whether it holds values that are not finite


cdef const char* line_of(const Job* job, int term, const char* x, const char* w, Py_ssize_t first, Py_ssize_t n,
                         char* to, char* scratch) noexcept nogil:
    """Where n outputs of a line of x (NULL: constant) stand, from number `first` on: in `to`, or in x itself."""
    cdef const Axis* col = &job.col
    cdef const char* taps = w + job.col_taps + term * col.n_taps * job.item
    cdef char* line = scratch + job.line
    if job.as_is:
        if x != NULL and n >= job.kernels.lanes:
            return x + first * job.item
        copy_line(to, x, col.n_in, col.x, ZERO, job.constant, first, n, job.item)
    elif x == NULL:
        copy_line(line, x, col.n_in, col.x, col.boundary, job.constant, first - col.lo, n + col.n_taps - 1, job.item)
        job.kernels.corr1d(line, taps, to, n, col.n_taps)
    else:
        corr_line(job.kernels, job.item, x, col, job.constant, first - col.lo, taps, col.n_taps, to, n, line)
    return to


cdef void look(const Job* job, const Py_ssize_t* n, Py_ssize_t line, Py_ssize_t start, Py_ssize_t n_rows, const char* y,
               char* scratch) noexcept nogil:
    """Add up some of a unit's outputs: of lines `start` ... along the top axis, number `line` along the axes between.

    One value of x that is not finite spoils as many outputs in a row as there are taps, unless the box ends before: it
    is enough to look at outputs so far apart, and the last one.
    """
    cdef Py_ssize_t i, taps
    cdef char* copy = scratch + job.line
    cdef int k
    for k in range(1, job.top):
        i = line % n[k]
        line = line // n[k]
        if i % job.level[k].axis.n_taps and i + 1 < n[k]:
            return
    taps = job.level[job.top].axis.n_taps
    for i in range(n_rows):
        if (start + i) % taps == 0 or start + i + 1 == n[job.top]:
            if job.to_y[0] == job.item:
                job.kernels.add(y + i * job.to_y[job.top], scratch + job.seen, n[0])
            else:
                copy_strided(copy, job.item, y + i * job.to_y[job.top], job.to_y[0], n[0], job.item)
                job.kernels.add(copy, scratch + job.seen, n[0])


cdef bint spoilt(const Job* job, const char* sums, Py_ssize_t n) noexcept nogil:
    """Whether what `look` added up is not finite: so is some output, or some are near the largest float."""
    cdef Py_ssize_t i, taps = job.col.n_taps
    cdef const char* at
    cdef int part
    cdef double zero = 0
    for i in range((n + taps - 2) // taps + 1):
        at = sums + min(n - 1, i * taps) * job.item
        for part in range(job.item // job.part):
            zero += 0 * ((<const float*>at)[part] if job.part == 4 else (<const double*>at)[part])
    return zero != 0


cdef void box(const Job* job, int k, int term, int n_terms, const char* x, const char* w, const Py_ssize_t* first,
              const Py_ssize_t* n, char* y, const Py_ssize_t* to_y, char* scratch) noexcept nogil:
    """x (NULL: constant) correlated along the axes 0 to k with some terms: n outputs along each, from `first` on."""
    cdef const Level* level = &job.level[k]
    cdef const Axis* axis = &level.axis
    cdef Py_ssize_t height = level.height, band = job.kernels.column_rows, lanes = job.kernels.lanes
    cdef const char** slots = <const char**>(scratch + level.pointers)
    cdef const void** rows = <const void**>(slots + n_terms * height)
    cdef const char* taps = w + level.taps + term * axis.n_taps * job.item
    cdef fc_tile tile = job.kernels.column[0]
    cdef Py_ssize_t n_lines = 1, b, loaded = 0, free = 0, oldest = 0, start, n_rows, s, q, i, j, line, offset, at
    cdef const char* of = NULL
    cdef char* to
    cdef bint in_place
    cdef int a
    if axis.n_taps < FC_FIXED_HEIGHTS and job.kernels.column[axis.n_taps] != NULL:
        tile = job.kernels.column[axis.n_taps]
    for a in range(1, k):
        n_lines *= n[a]
    for b in range((n[k] + band - 1) // band):
        start = b * band
        n_rows = min(band, n[k] - start)
        while loaded < start + n_rows + axis.n_taps - 1:
            s = source(first[k] + loaded - axis.lo, axis.n_in, axis.boundary)
            of = x + s * axis.x if x != NULL and s >= 0 else NULL
            for q in range(n_terms):
                to = scratch + level.ring + (q * height + free) * job.to_slot[k]
                if k == 1:
                    slots[q * height + free] = line_of(job, term + q, of, w, first[0], n[0], to, scratch)
                else:
                    slots[q * height + free] = to
                    box(job, k - 1, term + q, 1, of, w, first, n, to, job.to_slot, scratch)
            loaded += 1
            free = free + 1 if free + 1 < height else 0
        for line in range(n_lines):
            to = y + start * to_y[k]
            offset, at = 0, line
            for a in range(1, k):
                offset += at % n[a] * job.to_slot[a]
                to += at % n[a] * to_y[a]
                at = at // n[a]
            j = oldest
            for i in range(height):
                for q in range(n_terms):            # those past the last only feed outputs that are thrown away
                    rows[q * height + i] = slots[q * height + (j if i < n_rows + axis.n_taps - 1 else oldest)] + offset
                j = j + 1 if j + 1 < height else 0
            in_place = n[0] >= lanes and n_rows == band and to_y[0] == job.item and to_y[k] % job.item == 0
            tile(rows, n_terms, taps, axis.n_taps, 1, to if in_place else scratch + job.sums,
                 to_y[k] // job.item if in_place else job.panel, max(n[0], lanes))
            if not in_place:
                for i in range(n_rows):
                    copy_strided(to + i * to_y[k], to_y[0], scratch + job.sums + i * job.panel * job.item, job.item,
                                 n[0], job.item)
            if k == job.top and job.part:
                look(job, n, line, start, n_rows, to, scratch)
        oldest = (oldest + band) % height


cdef void cut(const Job* job, Py_ssize_t unit, Py_ssize_t* first, Py_ssize_t* n) noexcept nogil:
    """The box of a unit within its batch element."""
    cdef int k
    for k in range(job.top, 0, -1):
        first[k] = unit % job.level[k].n_parts * job.level[k].extent
        n[k] = min(job.level[k].extent, job.level[k].axis.n_out - first[k])
        unit = unit // job.level[k].n_parts
    first[0] = unit * job.panel
    n[0] = min(job.panel, job.col.n_out - first[0])


cdef void box_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Py_ssize_t[MAX_AXES] first, n
    cdef Py_ssize_t i, left = unit // job.n_units
    cdef const char* x = job.x
    cdef const char* w = job.w
    cdef char* y = job.y
    cdef int a, k
    for a in range(job.n_batch - 1, -1, -1):
        i = left % job.batch[a].n_out
        left = left // job.batch[a].n_out
        x += i * job.batch[a].x
        w += i * job.batch[a].w
        y += i * job.batch[a].y
    cut(job, unit % job.n_units, first, n)
    for k in range(job.top + 1):
        y += first[k] * job.to_y[k]
    memset(scratch + job.seen, 0, n[0] * job.item)
    box(job, job.top, 0, job.n_terms, x, w, first, n, y, job.to_y, scratch)
    if job.part:
        job.spoiled[unit] = spoilt(job, scratch + job.seen, n[0])


# ---- the driver --------------------------------------------------------------------------------------------------

cdef Axis axis_of(cnp.ndarray x, cnp.ndarray y, int i, Py_ssize_t n_taps, Py_ssize_t lo, int boundary) except *:
    cdef Axis axis
    axis.n_in, axis.n_out, axis.n_taps = x.shape[i], y.shape[i], n_taps
    axis.x, axis.y, axis.w = x.strides[i], y.strides[i], 0
    axis.lo, axis.boundary = lo, boundary
    return axis


def correlate(cnp.ndarray x, cnp.ndarray factors, tuple m, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
              int workers, tick=None):
    """y[b, o] = sum over q, t of f_0[b, q, t_0] f_1[b, q, t_1] ... x[b, o + t - lo].

    Parameters
    ----------
    x, y : ndarray
        As for `_direct.correlate`, with two or more convolved axes.
    factors : ndarray
        (*batch, terms * sum(m)): f_0 of all terms, f_1 ..., of x's dtype and contiguous; batch axes of length 1 or y's.
        Those of a single tap are 1.
    m : tuple of int
        Taps along the convolved axes.
    n_batch, lo, boundary, cval, workers, tick
        As for `_direct.correlate`.

    Returns
    -------
    list of tuple of slice
        Boxes of y that hold all its values that are not finite.

    Raises
    ------
    ValueError
        Where one axis or none is convolved.
    """
    cdef Job job
    cdef Axis axis
    cdef int nd = x.ndim, i, k, col = -1, item = <int>x.itemsize
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype)
    cdef cnp.ndarray flags
    cdef Py_ssize_t n_elements = 1, stride, outputs, taps = 0, unit, scratch
    cdef Py_ssize_t[MAX_AXES] first, n
    cdef double seconds
    cdef const fc_kernels* kernels = kernels_of(DTYPES[x.dtype])

    if y.size == 0:
        return []
    convolved = [i for i in range(n_batch, nd)
                 if m[i - n_batch] > 1 or lo[i - n_batch] or x.shape[i] != y.shape[i]]
    if len(convolved) < 2:
        raise ValueError("fewer than two convolved axes")
    along = [i for i in convolved if x.strides[i] == item and x.shape[i] > 1]       # lines lie along contiguous memory
    if not along:
        along = [i for i in range(nd) if i not in convolved and x.strides[i] == item and x.shape[i] >= kernels.lanes
                 and (i >= n_batch or factors.shape[i] == 1)]
    col = along[0] if along else convolved[len(convolved) - 1]

    job.kernels, job.item = kernels, item
    job.constant = <const char*>cnp.PyArray_DATA(constant)
    job.x = <const char*>cnp.PyArray_DATA(x)
    job.w = <const char*>cnp.PyArray_DATA(factors)
    job.y = <char*>cnp.PyArray_DATA(y)
    job.n_terms = <int>(factors.shape[n_batch] // sum(m))
    job.as_is = col not in convolved
    job.col = axis_of(x, y, col, 1, 0, ZERO)
    job.to_y[0] = y.strides[col]
    job.top = len(convolved) - (0 if job.as_is else 1)
    k = job.top
    for i in range(n_batch, nd):
        axis = axis_of(x, y, i, m[i - n_batch], lo[i - n_batch], boundary[i - n_batch])
        if i in convolved:
            if i == col:
                job.col, job.col_taps = axis, taps * item
            else:
                job.level[k].axis, job.level[k].taps, job.to_y[k] = axis, taps * item, y.strides[i]
                k -= 1
        taps += job.n_terms * axis.n_taps
    stride = taps * item
    job.n_batch = 0
    for i in range(nd):
        if i not in convolved and i != col:
            job.batch[job.n_batch] = axis_of(x, y, i, 1, 0, ZERO)
            n_elements *= y.shape[i]
            job.n_batch += 1
    k = job.n_batch
    for i in range(nd - 1, -1, -1):
        if i not in convolved and i != col:
            k -= 1
            if i < n_batch and factors.shape[i] > 1:
                job.batch[k].w = stride
        if i < n_batch:
            stride *= factors.shape[i]
    scratch = _sizes(&job)
    outputs = min(job.panel, job.col.n_out)
    for k in range(1, job.top + 1):
        outputs *= min(job.level[k].extent, job.level[k].axis.n_out)
    flags = np.zeros(n_elements * job.n_units, np.uint8)
    job.part = 0 if x.dtype.kind not in "fc" else item if x.dtype.kind == "f" else item // 2
    job.spoiled = <char*>cnp.PyArray_DATA(flags)
    seconds = outputs * (taps / (3e9 * kernels.lanes) + 0.25e-9) + 100e-9
    run(&job, <unit_function>box_unit, n_elements * job.n_units, seconds, scratch, workers, tick)
    axes = [col, *[i for i in reversed(convolved) if i != col]]
    rest = [i for i in range(nd) if i not in axes]
    spoiled = []
    for unit in range(flags.shape[0]):
        if job.spoiled[unit] == 0:
            continue
        place = [slice(None)] * nd
        for i, k in zip(rest, np.unravel_index(unit // job.n_units, [y.shape[i] for i in rest])):
            place[i] = slice(k, k + 1)
        cut(&job, unit % job.n_units, first, n)
        for k, i in enumerate(axes):
            place[i] = slice(first[k], first[k] + n[k])
        spoiled.append(tuple(place))
    return spoiled


cdef Py_ssize_t _sizes(Job* job) noexcept:
    """How large the boxes and rings are; the bytes of scratch."""
    cdef Py_ssize_t lanes = job.kernels.lanes, band = job.kernels.column_rows, taps = job.n_terms * job.col.n_taps
    cdef double lines = 1, ratio
    cdef int k, widest
    cdef Level* top = &job.level[job.top]
    for k in range(1, job.top + 1):
        job.level[k].extent = job.level[k].axis.n_out
        job.level[k].height = band + job.level[k].axis.n_taps - 1
        taps += job.n_terms * job.level[k].axis.n_taps
    job.panel = (job.col.n_out + 2 * lanes - 1) // (2 * lanes) * (2 * lanes)
    while _rings(job) > (RING_BYTES if job.top == 1 else RINGS_BYTES):      # the box whose rings fit
        widest, ratio = 0, 1 if job.panel > 2 * lanes else 0
        for k in range(1, job.top):
            if job.level[k].extent > max(<double>band, ratio * job.level[k].axis.n_taps):
                widest, ratio = k, <double>job.level[k].extent / job.level[k].axis.n_taps
        if job.panel > PANEL * lanes or (widest == 0 and job.panel > 2 * lanes):
            job.panel = _halved(job.col.n_out, job.panel, 2 * lanes)
        elif widest:
            job.level[widest].extent = _halved(job.level[widest].axis.n_out, job.level[widest].extent, band)
        else:
            break
    for k in range(1, job.top):
        lines *= job.level[k].extent
    top.extent = max(<Py_ssize_t>LEAST_STRIP, STRIP * top.axis.n_taps)
    top.extent = max(<Py_ssize_t>1, min(top.extent, <Py_ssize_t>(UNIT_MACS * lanes / (taps * lines * job.panel))))
    top.extent = _equal(top.axis.n_out, top.extent, band)
    job.n_units = (job.col.n_out + job.panel - 1) // job.panel
    for k in range(1, job.top + 1):
        job.level[k].n_parts = (job.level[k].axis.n_out + job.level[k].extent - 1) // job.level[k].extent
        job.n_units *= job.level[k].n_parts
    return _rings(job)


cdef Py_ssize_t _equal(Py_ssize_t n, Py_ssize_t most, Py_ssize_t unit) noexcept:
    """n cut into parts of about the same size, most or less: whole units."""
    cdef Py_ssize_t parts = (n + most - 1) // most
    return ((n + parts - 1) // parts + unit - 1) // unit * unit


cdef Py_ssize_t _halved(Py_ssize_t n, Py_ssize_t size, Py_ssize_t unit) noexcept:
    """About half the size, in whole units; size > unit."""
    return max(unit, min((size - 1) // unit * unit, _equal(n, (size + 1) // 2, unit)))


cdef Py_ssize_t _rings(Job* job) noexcept:
    """Lay the scratch out; its bytes."""
    cdef Py_ssize_t item = job.item, at, pitch = (job.panel * item + LINE_BYTES - 1) // LINE_BYTES
    cdef int k, terms
    job.to_slot[0] = item
    job.to_slot[1] = (pitch + 1 - pitch % 2) * LINE_BYTES           # an odd number: lines spread over all cache sets
    job.sums = 0
    job.seen = job.kernels.column_rows * job.panel * item
    job.line = at = job.seen + job.panel * item
    at += (job.panel + job.col.n_taps) * item
    for k in range(1, job.top + 1):
        terms = job.n_terms if k == job.top else 1
        at = (at + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
        job.level[k].pointers = at
        at += 2 * terms * job.level[k].height * sizeof(void*)
        at = (at + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
        job.level[k].ring = at
        at += terms * job.level[k].height * job.to_slot[k]
        if k < job.top:
            job.to_slot[k + 1] = job.to_slot[k] * job.level[k].extent
    return at
