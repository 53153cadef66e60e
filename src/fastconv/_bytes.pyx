"""Correlation of arrays of small integers by integer kernels: sums modulo 2^16 or 2^32, stored as smaller integers.

    y[o] = sum over t of w[t] x~[o + t - lo]        along some axes, with x~ the input continued by boundaries

An array becomes lines, rows of lines and outer axes (_bytes.pxd); outer axes that are convolved give planes of rows. A
unit of work is a strip of rows across a panel of columns, computed in bands: `group` rows of x are packed into one line,
once, continued beyond their ends (bytes.h), and stay in a ring in the cache while outputs need them. Which family of
kernels gives exact results is the caller's choice (ndimage._integers). Units depend on the problem alone, so results do
not depend on the number of threads.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t
from libc.string cimport memcpy
cimport numpy as cnp

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport ZERO, copy_line, copy_strided, source
from fastconv._kernels.bytes cimport (
    FC_B2, FC_B4, FC_BYTES_LEAST, FC_BYTES_TABLE, FC_H2, FC_TO_I8, FC_TO_I16, FC_ITEM_I8, FC_ITEM_I16, FC_ITEM_U8, FC_ITEM_U16,
    FC_TO_LOW8, FC_TO_LOW16, FC_TO_LOW32, FC_TO_U8, FC_TO_U16, fc_bytes, fc_bytes_table,
)
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    MAX_GROUP = 4
    LINE = 64                       # elements: shorter contiguous runs at each place are channels of a line
    PANEL = 4096                    # elements across a unit, at most
    RING_BYTES = 256 * 1024         # packed lines, if there is a choice: they stay in L2
    LEAST_PANEL = 512
    STRIP = 64                      # rows of a unit, or 8 times the taps: few lines are packed twice
    MOST_PLANS = 16                 # kept of one correlation
cdef double PRODUCTS = 5e10         # a second: rough estimates
cdef double ELEMENTS = 5e9

cdef const fc_bytes_table* TABLE = <const fc_bytes_table*>PyCapsule_GetPointer(_kernels.table("bytes"), FC_BYTES_TABLE)
FAMILIES = {name: code for name, code in [("b4", FC_B4), ("b2", FC_B2), ("h2", FC_H2)] if TABLE.family[code] != NULL}
ITEMS = {"B": FC_ITEM_U8, "b": FC_ITEM_I8, "H": FC_ITEM_U16, "h": FC_ITEM_I16}      # by dtype.char
SATURATED = {"B": FC_TO_U8, "b": FC_TO_I8, "H": FC_TO_U16, "h": FC_TO_I16}
WRAPPED = {1: FC_TO_LOW8, 2: FC_TO_LOW16, 4: FC_TO_LOW32}                                    # by itemsize


cdef struct Job:
    const fc_bytes* kernels
    const char* x
    char* y
    const int32_t* w                # packed
    const char* constant            # the elements that stand at a place outside
    const char* outside             # packed
    int type, store, first          # first: as for the kernels
    int32_t bias
    Lines lines
    Py_ssize_t n_planes, n_groups, n_full       # packed lines that a band needs of a plane; those that all its rows need
    Py_ssize_t panel, n_panels, strip, n_strips # places, rows of a unit, at most
    Py_ssize_t to_strip, to_out, to_line        # bytes of one line before packing, of outputs, of one packed line
    Py_ssize_t strips, outs, bases, slots, word, ring       # where these begin in the scratch


cdef inline void copy_words(char* to, const char* of, Py_ssize_t bytes) noexcept nogil:
    if bytes == 4:
        memcpy(to, of, 4)
    elif bytes == 2:
        memcpy(to, of, 2)
    else:
        memcpy(to, of, bytes)


cdef void pack(const Job* job, const char** rows, Py_ssize_t first, Py_ssize_t count, char* z, char* scratch) noexcept nogil:
    """Places first ... first + count - 1 of a group of rows (NULL: constant), packed; outside, copies of packed words."""
    cdef const Axis* col = &job.lines.col
    cdef Py_ssize_t begin = max(first, <Py_ssize_t>0), end = min(first + count, col.n), item = job.kernels.word * job.lines.channels
    cdef Py_ssize_t c
    cdef const char *parts[MAX_GROUP]
    cdef bint dense = job.lines.x_dense and (end - begin) * job.lines.channels >= FC_BYTES_LEAST
    cdef int r
    for r in range(job.kernels.group):
        dense = dense and rows[r] != NULL
    if not dense:
        edge(job, rows, first, count, z, scratch)
        return
    for r in range(job.kernels.group):
        parts[r] = rows[r] + begin * job.lines.x_place
    job.kernels.pack[job.type](<const void* const*>parts, z + (begin - first) * item, (end - begin) * job.lines.channels)
    for c in range(begin - first):
        outside(job, rows, first, c, begin, end, z, scratch)
    for c in range(end - first, count):
        outside(job, rows, first, c, begin, end, z, scratch)


cdef void outside(const Job* job, const char** rows, Py_ssize_t first, Py_ssize_t c, Py_ssize_t begin, Py_ssize_t end,
                  char* z, char* scratch) noexcept nogil:
    """Place first + c, beyond the line's ends, of a packed line with places `begin` to end - 1."""
    cdef Py_ssize_t item = job.kernels.word * job.lines.channels, s = source(first + c, job.lines.col.n, job.lines.col.boundary)
    if s < 0:
        copy_words(z + c * item, job.outside, item)
    elif begin <= s < end:
        copy_words(z + c * item, z + (s - first) * item, item)
    else:                           # in another panel
        edge(job, rows, first + c, 1, scratch + job.word, scratch)
        copy_words(z + c * item, scratch + job.word, item)


cdef void edge(const Job* job, const char** rows, Py_ssize_t first, Py_ssize_t count, char* z, char* scratch) noexcept nogil:
    """The same by a copy of the rows; some more words after z's last are overwritten."""
    cdef const char *parts[MAX_GROUP]
    cdef char* strip
    cdef int r
    for r in range(job.kernels.group):
        strip = scratch + job.strips + r * job.to_strip
        copy_line(strip, rows[r], job.lines.col.n, job.lines.col.x, job.lines.col.boundary, job.constant, first, count, <int>job.lines.x_place)
        parts[r] = strip
    job.kernels.pack[job.type](<const void* const*>parts, z, max(count * job.lines.channels, <Py_ssize_t>FC_BYTES_LEAST))


cdef void find_planes(const Job* job, Py_ssize_t unit, const char** bases, char** y) noexcept nogil:
    """The planes of x that the outer indices of a unit need (NULL: constant), and the output plane."""
    cdef Py_ssize_t[MAX_AXES] at
    cdef Py_ssize_t p, left, s
    cdef const Axis* axis
    cdef const char* base
    cdef int a
    y[0] = job.y
    for a in range(job.lines.n_outer - 1, -1, -1):
        at[a] = unit % job.lines.outer[a].n
        unit = unit // job.lines.outer[a].n
        y[0] += at[a] * job.lines.outer[a].y
    for p in range(job.n_planes):
        base, left = job.x, p
        for a in range(job.lines.n_outer - 1, -1, -1):
            axis = &job.lines.outer[a]
            s = source(at[a] + left % axis.n_taps - axis.lo, axis.n, axis.boundary)
            left = left // axis.n_taps
            base = NULL if s < 0 or base == NULL else base + s * axis.x
        bases[p] = base


cdef void strip_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef const fc_bytes* kernels = job.kernels
    cdef const Axis* row = &job.lines.row
    cdef int group = kernels.group, r
    cdef const char** bases = <const char**>(scratch + job.bases)
    cdef const char** full = <const char**>(scratch + job.slots)
    cdef const char** part = full + job.n_planes * job.n_full
    cdef const char *rows[MAX_GROUP]
    cdef char *outs[MAX_GROUP]
    cdef char* y
    cdef char* ring = scratch + job.ring
    cdef Py_ssize_t place = unit % job.n_panels * job.panel, top = unit // job.n_panels % job.n_strips * job.strip
    cdef Py_ssize_t n_places = min(job.panel, job.lines.col.n - place), n_rows = min(job.strip, row.n - top)
    cdef Py_ssize_t n = n_places * job.lines.channels, n_in = n_places + job.lines.col.n_taps - 1
    cdef Py_ssize_t last = top + n_rows - 1 - row.lo + row.n_taps - 1, loaded = 0, b, p, q, s
    cdef bint in_place = job.lines.y_dense and n >= kernels.width
    find_planes(job, unit // (job.n_panels * job.n_strips), bases, &y)
    y += top * row.y + place * job.lines.col.y
    for b in range((n_rows + group - 1) // group):
        while loaded < b + job.n_groups:
            for p in range(job.n_planes):
                for r in range(group):
                    s = source(min(top - row.lo + loaded * group + r, last), row.n, row.boundary)
                    rows[r] = bases[p] + s * row.x if s >= 0 and bases[p] != NULL else NULL
                pack(job, rows, place - job.lines.col.lo, n_in,
                     ring + (p * job.n_groups + loaded % job.n_groups) * job.to_line, scratch)
            loaded += 1
        for p in range(job.n_planes):
            for q in range(job.n_full):
                full[p * job.n_full + q] = ring + (p * job.n_groups + (b + q) % job.n_groups) * job.to_line
            part[p] = ring + (p * job.n_groups + (b + job.n_groups - 1) % job.n_groups) * job.to_line
        for r in range(group):
            outs[r] = y + (b * group + r) * row.y if in_place and b * group + r < n_rows else \
                scratch + job.outs + r * job.to_out
        kernels.tile(<const void* const*>full, job.n_planes * job.n_full, <const void* const*>part,
                     job.n_planes if job.n_groups > job.n_full else 0, job.first, job.w, job.lines.col.n_taps, job.lines.channels,
                     job.bias, <void* const*>outs, max(n, <Py_ssize_t>kernels.width), job.store)
        if not in_place:
            for r in range(<int>min(<Py_ssize_t>group, n_rows - b * group)):
                copy_strided(y + (b * group + r) * row.y, job.lines.col.y, outs[r], job.lines.y_place, n_places, <int>job.lines.y_place)


# ---- the driver --------------------------------------------------------------------------------------------------

cdef void pack_weights(const Job* job, const int64_t* w, int32_t* to) noexcept nogil:
    """The words of w[plane, row, column] in the order in which `tile` meets them."""
    cdef Py_ssize_t kh = job.lines.row.n_taps, kw = job.lines.col.n_taps, part, p, q, j, k
    cdef int group = job.kernels.group, r, t, first
    cdef int64_t tap
    cdef int8_t* bytes
    cdef int16_t* halves
    for part in range(2):
        first = job.first if part else 0
        for p in range(job.n_planes):
            for q in range(job.n_full if part else 0, job.n_groups if part else job.n_full):
                for j in range(kw):
                    for r in range(first, group):
                        bytes, halves = <int8_t*>to, <int16_t*>to
                        for t in range(group):
                            k = group * q + t - r
                            tap = w[(p * kh + k) * kw + j] if 0 <= k < kh else 0
                            if group == 4:
                                bytes[t] = <int8_t>tap
                            elif job.kernels.word == 4:
                                halves[t] = <int16_t>tap
                            else:
                                bytes[t] = bytes[2 + t] = <int8_t>tap
                        to += 1


cdef Axis axis_of(cnp.ndarray x, cnp.ndarray y, int i, dict convolved) except *:
    cdef Axis axis
    axis.n, axis.x, axis.y = x.shape[i], x.strides[i], y.strides[i]
    axis.n_taps, axis.lo, axis.boundary = convolved.get(i, (1, 0, ZERO))
    return axis


cdef list lay_out(cnp.ndarray x, cnp.ndarray y, dict convolved, Lines* lines):
    """The axes of x and y as lines, rows, and what is outside: these axes in the order outer ..., row, column, or -1."""
    cdef int i, last, row = -1, col = -1
    cdef list outer = [i for i in range(x.ndim) if x.shape[i] > 1 or i in convolved]
    outer.sort(key=lambda i: -abs((<object>x).strides[i]))
    lines.channels = 1                                              # what lies side by side and is not convolved
    last = len(outer) - 1
    while last > 0 and outer[last] not in convolved and x.strides[<int>outer[last]] == lines.channels * x.itemsize \
            and y.strides[<int>outer[last]] == lines.channels * y.itemsize:
        lines.channels *= x.shape[<int>outer.pop()]
        last -= 1
    lines.x_place, lines.y_place = lines.channels * x.itemsize, lines.channels * y.itemsize
    if outer and lines.channels < LINE and (lines.channels == 1 or x.strides[<int>outer[last]] == lines.x_place):
        col = outer.pop()
        lines.col = axis_of(x, y, col, convolved)
    else:
        lines.col.n, lines.col.n_taps, lines.col.lo, lines.col.boundary = lines.channels, 1, 0, ZERO
        lines.channels, lines.x_place, lines.y_place = 1, x.itemsize, y.itemsize
        lines.col.x, lines.col.y = lines.x_place, lines.y_place
    lines.x_dense, lines.y_dense = lines.col.x == lines.x_place, lines.col.y == lines.y_place
    if outer:
        row = next((i for i in reversed(outer) if i in convolved), outer[len(outer) - 1])
        outer.remove(row)
        lines.row = axis_of(x, y, row, convolved)
    else:
        lines.row.n, lines.row.n_taps, lines.row.lo, lines.row.boundary, lines.row.x, lines.row.y = 1, 1, 0, ZERO, 0, 0
    lines.n_outer = <int>len(outer)
    for i in range(lines.n_outer):
        lines.outer[i] = axis_of(x, y, outer[i], convolved)
    return [*outer, row, col]


cdef class Plan:
    """What `Correlation` knows once it has seen how x and y lie in memory."""
    cdef Job job
    cdef object kept                # what the job points to
    cdef Py_ssize_t n_units, scratch_bytes
    cdef double unit_seconds


cdef class Correlation:
    """Correlation of arrays with w, modulo 2^16 or 2^32 by the kernels' family, for any number of calls.

        y[o] = sum over t of w[t] x~[o + t - lo]

    Parameters
    ----------
    w : ndarray
        int64, contiguous, with an axis for each of `axes`. Its low bits are used: 8 of them for "b2" and "b4", 16 for "h2".
    axes, lo, boundary : tuple of int
        For each convolved axis, ascending: which, the taps that hang over its low end, and a code of `_problem.BOUNDARIES`.
    cval
        What stands outside for the constant boundary: a value of x's dtype.
    family : str
        One of `FAMILIES`.
    store : int
        Of `SATURATED` or `WRAPPED`.
    """
    cdef cnp.ndarray w
    cdef tuple axes, lo, boundary
    cdef object cval
    cdef str family
    cdef int store
    cdef dict plans

    def __init__(self, cnp.ndarray w, tuple axes, tuple lo, tuple boundary, cval, str family, int store):
        self.w, self.axes, self.lo, self.boundary = w, axes, lo, boundary
        self.cval, self.family, self.store, self.plans = cval, family, store, {}

    def run(self, cnp.ndarray x, cnp.ndarray y, int workers):
        """Compute y.

        Parameters
        ----------
        x, y : ndarray
            Of one shape, aligned, without shared memory; x's dtype is one of `ITEMS`, for "b2" and "b4" uint8.
        workers : int
            As for `_direct.correlate`.
        """
        cdef Plan plan
        cdef Job job
        if y.size == 0:
            return
        key = (x.dtype.char, y.dtype.char, (<object>x).shape, (<object>x).strides, (<object>y).strides)
        plan = self.plans.get(key)
        if plan is None:
            plan = self.plan(x, y)
            if len(self.plans) >= MOST_PLANS:
                self.plans.clear()
            self.plans[key] = plan
        job = plan.job
        job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
        run(&job, <unit_function>strip_unit, plan.n_units, plan.unit_seconds, plan.scratch_bytes, workers, None)

    cdef Plan plan(self, cnp.ndarray x, cnp.ndarray y):
        cdef Plan plan = Plan()
        cdef Job* job = &plan.job
        cdef cnp.ndarray w = self.w, taps, words, constant, outside
        cdef const char *constants[MAX_GROUP]
        cdef double pixels
        cdef int i
        convolved = {
            i: (m, begin, code)
            for i, m, begin, code in zip(self.axes, (<object>w).shape, self.lo, self.boundary) if m > 1
        }
        order = lay_out(x, y, convolved, &job.lines)
        job.n_planes = plan.n_units = 1
        for i in range(job.lines.n_outer):
            job.n_planes *= job.lines.outer[i].n_taps
            plan.n_units *= job.lines.outer[i].n

        job.kernels = TABLE.family[<int>FAMILIES[self.family]]
        job.type, job.store = ITEMS[x.dtype.char], self.store
        job.n_full = (job.lines.row.n_taps - 1) // job.kernels.group + 1
        job.n_groups = (job.lines.row.n_taps - 1 + job.kernels.group - 1) // job.kernels.group + 1
        job.first = job.kernels.group * job.n_full - job.lines.row.n_taps + 1 if job.n_groups > job.n_full else 0
        job.bias = <int32_t><int64_t>((int(w.sum()) << 15) & 0xffffffff) if job.type == FC_ITEM_U16 else 0
        order = [self.axes.index(i) for i in order if i in convolved]
        taps = np.ascontiguousarray(w.transpose([i for i in range(w.ndim) if i not in order] + order))
        words = np.empty(w.size // job.lines.row.n_taps * job.n_groups * job.kernels.group, np.int32)
        pack_weights(job, <const int64_t*>cnp.PyArray_DATA(taps), <int32_t*>cnp.PyArray_DATA(words))
        constant = np.full(FC_BYTES_LEAST, self.cval, x.dtype)
        outside = np.empty(FC_BYTES_LEAST, np.int32)
        job.w, job.constant = <const int32_t*>cnp.PyArray_DATA(words), <const char*>cnp.PyArray_DATA(constant)
        job.outside = <const char*>cnp.PyArray_DATA(outside)
        plan.kept = (words, constant, outside)
        for i in range(job.kernels.group):
            constants[i] = job.constant
        job.kernels.pack[job.type](<const void* const*>constants, <void*>job.outside, FC_BYTES_LEAST)
        plan.n_units *= _cut(job)
        pixels = <double>min(job.panel, job.lines.col.n) * job.lines.channels * min(job.strip, job.lines.row.n)
        plan.unit_seconds = pixels * (w.size / PRODUCTS + 1 / ELEMENTS) + 200e-9
        plan.scratch_bytes = _scratch(job)
        return plan


cdef Py_ssize_t _cut(Job* job) noexcept:
    """How large units are; how many there are at each of the outer indices."""
    cdef Py_ssize_t line = job.kernels.word * job.lines.channels * job.n_planes * job.n_groups, most
    most = max(<Py_ssize_t>LEAST_PANEL, min(<Py_ssize_t>PANEL, RING_BYTES // line * job.lines.channels)) // job.lines.channels
    most = max(most, 2 * job.lines.col.n_taps)
    job.n_panels = (job.lines.col.n + most - 1) // most
    job.panel = (job.lines.col.n + job.n_panels - 1) // job.n_panels
    most = max(<Py_ssize_t>STRIP, 8 * job.lines.row.n_taps)
    job.n_strips = (job.lines.row.n + most - 1) // most
    most = job.kernels.group
    job.strip = ((job.lines.row.n + job.n_strips - 1) // job.n_strips + most - 1) // most * most
    job.n_strips = (job.lines.row.n + job.strip - 1) // job.strip
    return job.n_panels * job.n_strips


cdef Py_ssize_t _aligned(Py_ssize_t bytes) noexcept:
    return (bytes + 63) // 64 * 64


cdef Py_ssize_t _scratch(Job* job) noexcept:
    """Lay it out; its bytes."""
    cdef Py_ssize_t group = job.kernels.group, places = job.panel + job.lines.col.n_taps - 1
    job.to_strip = _aligned(places * job.lines.x_place + FC_BYTES_LEAST * (job.lines.x_place // job.lines.channels))
    job.to_out = _aligned(max(job.panel * job.lines.channels, <Py_ssize_t>job.kernels.width) * (job.lines.y_place // job.lines.channels))
    job.to_line = _aligned((max(places * job.lines.channels, job.kernels.width + (job.lines.col.n_taps - 1) * job.lines.channels)
                            + FC_BYTES_LEAST) * job.kernels.word) + 64
    job.strips = 0
    job.outs = job.strips + group * job.to_strip
    job.bases = job.outs + group * job.to_out
    job.slots = job.bases + _aligned(job.n_planes * sizeof(void*))
    job.word = job.slots + _aligned(job.n_planes * (job.n_full + 1) * sizeof(void*))
    job.ring = job.word + _aligned(FC_BYTES_LEAST * job.kernels.word)
    return job.ring + job.n_planes * job.n_groups * job.to_line
