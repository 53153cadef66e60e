"""Correlation with sums of outer products: along one axis after the other, in boxes that stay in the cache.

    y[b, o] = sum over terms q and taps t of f_0[q, b, t_0] f_1[q, b, t_1] ... x[b, o + t - lo]

A unit of work is a box of outputs. Each line of x that it needs, continued by its boundary, is filtered once (kernel
corr1d) into a ring of lines; the kernel `column` sums these up along the next axis, for all terms at once. With more
axes, boxes filtered so far stand in a ring of the next axis. One term along two axes takes the other order: the kernel
`column` sums up rows of x where they lie, for a band of rows; what stands beyond their ends is copied within them, and
corr1d makes the outputs. Nothing as large as x is stored. Units depend on the problem alone, so
results do not depend on the number of threads. The caller has validated everything; where values
are not finite it is told the boxes.
"""

from libc.string cimport memcpy, memset
cimport numpy as cnp

import numpy as np

from fastconv._direct import DTYPES

from fastconv._boundary cimport CONSTANT, ZERO, copy_line, copy_strided, source
from fastconv._direct cimport Axis, corr_line, kernels_of, not_finite, streams
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
    BAND_BYTES = 192 * 1024         # rows summed up along the columns, most of them whole: they stay in L2
    BANDS = 8                       # of a unit
    STREAM_TAPS = 7                 # outputs of more are not worth a way past the caches
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
    bint columns_first, streams     # one term along two axes; its outputs go past the caches
    Py_ssize_t moves                # then: bytes from the scratch to pairs of bytes from a row
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


cdef void look_at(const Job* job, const Py_ssize_t* n, Py_ssize_t line, Py_ssize_t start, Py_ssize_t n_rows, const char* y,
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
                look_at(job, n, line, start, n_rows, to, scratch)
        oldest = (oldest + band) % height


# ---- one term along two axes ---------------------------------------------------------------------------------------

cdef inline void move(char* line, const Py_ssize_t* moves, Py_ssize_t count, int item) noexcept nogil:
    """Elements of a line to other places in it."""
    cdef Py_ssize_t i
    if item == 4:
        for i in range(count):
            memcpy(line + moves[2 * i], line + moves[2 * i + 1], 4)
    elif item == 8:
        for i in range(count):
            memcpy(line + moves[2 * i], line + moves[2 * i + 1], 8)
    else:
        for i in range(count):
            memcpy(line + moves[2 * i], line + moves[2 * i + 1], item)


cdef Py_ssize_t moves_of(const Axis* col, Py_ssize_t first, Py_ssize_t n, int item, Py_ssize_t* moves) noexcept nogil:
    """(to, from) of what stands beyond the ends of x in the line that n outputs from `first` on need; how many pairs.

    The constant comes from the end of the line. -1 where an element is needed that does not lie in the line.
    """
    cdef Py_ssize_t start = first - col.lo, end = start + n + col.n_taps - 1, c = start, s, count = 0
    cdef Py_ssize_t low = max(start, <Py_ssize_t>0), high = min(end, col.n_in)
    while c < end:
        if c == low:
            c = high
            continue
        s = source(c, col.n_in, col.boundary)
        if 0 <= s < low or s >= high:
            return -1
        if moves != NULL:
            moves[2 * count] = (c - start) * item
            moves[2 * count + 1] = ((s if s >= 0 else end) - start) * item
        count += 1
        c += 1
    return count


cdef void plane(const Job* job, const char* x, const char* w, const Py_ssize_t* first, const Py_ssize_t* n, char* y,
                char* scratch) noexcept nogil:
    """A box of outputs: n[1] rows across n[0] columns."""
    cdef const Axis* col = &job.col
    cdef const Axis* row = &job.level[1].axis
    cdef const void** rows = <const void**>(scratch + job.level[1].pointers)
    cdef Py_ssize_t* moves = <Py_ssize_t*>(scratch + job.moves)
    cdef Py_ssize_t pitch = job.to_slot[1], band = job.kernels.column_rows, height = band + row.n_taps - 1
    cdef Py_ssize_t start = first[0] - col.lo, end = start + n[0] + col.n_taps - 1
    cdef Py_ssize_t low = max(start, <Py_ssize_t>0), width = min(end, col.n_in) - low
    cdef Py_ssize_t n_moves = moves_of(col, first[0], n[0], job.item, moves), top = 0, n_rows, i, s
    cdef const char* taps = w + job.level[1].taps
    cdef char* lines = scratch + job.level[1].ring + (start - low) * job.item % LINE_BYTES + LINE_BYTES
    cdef char* outside = scratch + job.sums
    cdef char* line = scratch + job.line
    cdef char* to
    cdef bint in_place = job.to_y[0] == job.item and not job.streams
    cdef fc_tile tile = job.kernels.column[0]
    if row.n_taps < FC_FIXED_HEIGHTS and job.kernels.column[row.n_taps] != NULL:
        tile = job.kernels.column[row.n_taps]
    if col.boundary <= CONSTANT or row.boundary <= CONSTANT:
        copy_line(outside, NULL, 0, 0, ZERO, job.constant, 0, width, job.item)
    if col.boundary <= CONSTANT and n_moves > 0:
        for i in range(height):
            rows[i] = outside
        tile(rows, 1, taps, row.n_taps, 1, lines + (end - start) * job.item, pitch // job.item, job.kernels.lanes)
    while top < n[1]:
        n_rows = min(band, n[1] - top)
        for i in range(height):                         # those past the last only feed outputs that are thrown away
            s = source(first[1] + top + min(i, n_rows + row.n_taps - 2) - row.lo, row.n_in, row.boundary)
            rows[i] = x + s * row.x + low * job.item if s >= 0 else outside
        tile(rows, 1, taps, row.n_taps, 1, lines + (low - start) * job.item, pitch // job.item, width)
        for i in range(n_rows if n_moves else 0):
            move(lines + i * pitch, moves, n_moves, job.item)
        for i in range(n_rows):
            to = y + (top + i) * job.to_y[1]
            job.kernels.corr1d(lines + i * pitch, w + job.col_taps, to if in_place else line, n[0], col.n_taps)
            if job.streams:
                job.kernels.stream(line, to, n[0] * job.item)
            elif not in_place:
                copy_strided(to, job.to_y[0], line, job.item, n[0], job.item)
        if job.part:
            look_at(job, n, 0, top, n_rows, y + top * job.to_y[1], scratch)
        top += band


cdef bint _columns_first(Job* job) noexcept:
    """Whether `plane` can do it, and how large its boxes are then."""
    cdef const Axis* col = &job.col
    cdef Py_ssize_t lanes = job.kernels.lanes, band = job.kernels.column_rows, item = job.item, taps = col.n_taps
    cdef Py_ssize_t panel = min(col.n_out, _equal(col.n_out, max(BAND_BYTES // (band * item), 4 * taps), 8 * lanes))
    cdef Py_ssize_t part, n, low
    if job.top != 1 or job.n_terms != 1 or job.as_is or col.x != item:
        return False
    for part in range((col.n_out + panel - 1) // panel):
        n = min(panel, col.n_out - part * panel)
        low = part * panel - col.lo
        if min(low + n + taps - 1, col.n_in) - max(low, <Py_ssize_t>0) < lanes:
            return False
        if moves_of(col, part * panel, n, <int>item, NULL) < 0:
            return False
    job.panel = panel
    job.level[1].extent = BANDS * band
    return True


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
    if job.columns_first:
        plane(job, x, w, first, n, y, scratch)
    else:
        box(job, job.top, 0, job.n_terms, x, w, first, n, y, job.to_y, scratch)
    if job.streams:
        job.kernels.stream(NULL, NULL, 0)
    if job.part:
        job.spoiled[unit] = not_finite(scratch + job.seen, n[0], job.col.n_taps, job.item, job.part)


# ---- the driver --------------------------------------------------------------------------------------------------

cdef Axis axis_of(cnp.ndarray x, cnp.ndarray y, int i, Py_ssize_t n_taps, Py_ssize_t lo, int boundary) except *:
    cdef Axis axis
    axis.n_in, axis.n_out, axis.n_taps = x.shape[i], y.shape[i], n_taps
    axis.x, axis.y, axis.w = x.strides[i], y.strides[i], 0
    axis.lo, axis.boundary = lo, boundary
    return axis


def correlate(cnp.ndarray x, cnp.ndarray factors, tuple m, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
              int workers, tick=None, bint look=True):
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
    look : bool
        Whether to look for values that are not finite.

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
    cdef cnp.ndarray constant = np.zeros(1, x.dtype)
    cdef cnp.ndarray flags
    cdef Py_ssize_t n_elements = 1, stride, outputs, taps = 0, unit, scratch
    cdef Py_ssize_t[MAX_AXES] first, n
    cdef double seconds
    cdef const fc_kernels* kernels = kernels_of(DTYPES[x.dtype])

    if y.size == 0:
        return []
    if cval:
        constant[0] = cval
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
    job.streams = job.columns_first and job.to_y[0] == item and job.col.n_taps <= STREAM_TAPS and streams(y)
    outputs = min(job.panel, job.col.n_out)
    for k in range(1, job.top + 1):
        outputs *= min(job.level[k].extent, job.level[k].axis.n_out)
    job.part = 0 if not look or x.dtype.kind not in "fc" else item if x.dtype.kind == "f" else item // 2
    flags = np.zeros(n_elements * job.n_units if job.part else 0, np.uint8)
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
    job.columns_first = _columns_first(job)
    if job.columns_first:
        _count_units(job)
        return _rows(job)
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
    _count_units(job)
    return _rings(job)


cdef void _count_units(Job* job) noexcept:
    cdef int k
    job.n_units = (job.col.n_out + job.panel - 1) // job.panel
    for k in range(1, job.top + 1):
        job.level[k].n_parts = (job.level[k].axis.n_out + job.level[k].extent - 1) // job.level[k].extent
        job.n_units *= job.level[k].n_parts


cdef Py_ssize_t _pitch(Py_ssize_t bytes) noexcept:
    """From line to line: an odd number of cache lines, so that they spread over all cache sets."""
    return ((bytes + LINE_BYTES - 1) // LINE_BYTES | 1) * LINE_BYTES


cdef Py_ssize_t _rows(Job* job) noexcept:
    """Lay the scratch of `plane` out; its bytes."""
    cdef Level* level = &job.level[1]
    cdef Py_ssize_t line = (job.panel + job.col.n_taps + job.kernels.lanes) * job.item
    job.to_slot[1] = _pitch(line)
    job.sums = 0
    job.seen = _pitch(line)
    job.line = 2 * _pitch(line)
    job.moves = 3 * _pitch(line)
    level.pointers = job.moves + 2 * (job.panel + job.col.n_taps) * sizeof(Py_ssize_t)
    level.ring = level.pointers + _pitch((job.kernels.column_rows + level.axis.n_taps) * sizeof(void*))
    level.ring = (level.ring + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
    return level.ring + job.kernels.column_rows * job.to_slot[1] + 2 * LINE_BYTES


cdef Py_ssize_t _equal(Py_ssize_t n, Py_ssize_t most, Py_ssize_t unit) noexcept:
    """n cut into parts of about the same size, most or less: whole units."""
    cdef Py_ssize_t parts = (n + most - 1) // most
    return ((n + parts - 1) // parts + unit - 1) // unit * unit


cdef Py_ssize_t _halved(Py_ssize_t n, Py_ssize_t size, Py_ssize_t unit) noexcept:
    """About half the size, in whole units; size > unit."""
    return max(unit, min((size - 1) // unit * unit, _equal(n, (size + 1) // 2, unit)))


cdef Py_ssize_t _rings(Job* job) noexcept:
    """Lay the scratch out; its bytes."""
    cdef Py_ssize_t item = job.item, at
    cdef int k, terms
    job.to_slot[0] = item
    job.to_slot[1] = _pitch(job.panel * item)
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
