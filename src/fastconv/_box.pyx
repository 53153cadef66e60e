"""Means over boxes: as many operations an element for any size, and none of another window's elements in a sum.

    y[b, r, c] = 1 / (m_0 m_1) sum over i < m_0, j < m_1 of x[b, r + i - lo_0, c + j - lo_1]

A unit of work is a strip of rows across a panel of columns. A row of sums down the columns is made for all columns at
once: of integers, exactly, as the row before plus a row of x less another; of floats, where what was added could not be
taken away again, from rows in groups of m_0: any m_0 rows end one group and begin the next, and the sums of all ends of a
group take one addition each, those of all beginnings of the next as well (van Herk's scheme). The sums along the
row follow while it is in the cache (kernel `along`), then the quotient. Units depend on the problem alone, so results do
not depend on the number of threads. The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport ceil, log2
from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport CONSTANT, ZERO, copy_line, copy_strided, source
from fastconv._direct cimport Axis
from fastconv._kernels.box cimport (
    FC_BOX_CHUNK, FC_BOX_F32, FC_BOX_F64, FC_BOX_FEW, FC_BOX_I8, FC_BOX_I16, FC_BOX_I32, FC_BOX_I64, FC_BOX_TABLE,
    FC_BOX_U8, FC_BOX_U8_LONG, FC_BOX_U16, FC_BOX_U32, fc_box, fc_box_table,
)
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    LINE_BYTES = 64                 # a cache line
    MORE = 64                       # sums along a row: in such multiples, past the last if need be
    PANEL = 4096                    # columns of a panel at most: a row of sums and what it is made of stay in L1
    GROUP_BYTES = 1024 * 1024       # a group of rows of float sums stays in L2, if panels need not be narrow for it
    HALOS = 4                       # columns of a panel at least: so many times those that the next one sums up again
    STRIP = 64                      # rows of a strip at least
    STRIPS = 16                     # strips, if they are not too low
    LOW = 4                         # a strip is so many times as high as a box, at least
cdef double PASS_SECONDS = 0.05e-9  # over a byte of sums, as long as they are in the cache

cdef const fc_box_table* TABLE = <const fc_box_table*>PyCapsule_GetPointer(_kernels.table("box"), FC_BOX_TABLE)
KINDS = {
    np.dtype(name): codes for name, codes in [
        ("uint8", (FC_BOX_U8, FC_BOX_U8_LONG)), ("int8", (FC_BOX_I8,)), ("uint16", (FC_BOX_U16,)),
        ("int16", (FC_BOX_I16,)), ("int32", (FC_BOX_I32,)), ("uint32", (FC_BOX_U32,)), ("int64", (FC_BOX_I64,)),
        ("float32", (FC_BOX_F32,)), ("float64", (FC_BOX_F64,)),
    ]
}


cdef struct Job:
    const fc_box* kernels
    const char* x
    char* y
    int n_batch
    Axis[MAX_AXES] batch
    Axis row, col
    const char* constant            # the element that stands outside
    double[1] beside                # a sum of its column, of the sums' type
    bint between                    # the means along the columns are truncated
    bint nearest
    double scale, divisor           # of the elements; of the sums
    Py_ssize_t strip, n_strips, panel, n_panels
    Py_ssize_t line, pitch          # bytes of a row of x, and of a row of sums, in the scratch
    Py_ssize_t n_rows               # rows of sums
    Py_ssize_t lines, sums, along, work, out        # bytes from the scratch to them

cdef struct Unit:
    const char* x                   # its batch element's
    char* scratch
    Py_ssize_t first, n             # columns of y
    Py_ssize_t begin, count         # columns of x that its rows of sums are made of
    Py_ssize_t at                   # where these begin in a row of sums
    bint copied                     # some of them stand outside x


cdef const char* row_of(const Job* job, const Unit* unit, Py_ssize_t r, int slot) noexcept nogil:
    """The elements of row r that a row of sums is made of: in x itself, or copied to a slot."""
    cdef const fc_box* kernels = job.kernels
    cdef Py_ssize_t s = source(r, job.row.n_in, job.row.boundary)
    cdef char* line = unit.scratch + job.lines + slot * job.line
    if s < 0:
        return unit.scratch + job.lines + FC_BOX_FEW * job.line
    if not unit.copied:
        return unit.x + s * job.row.x + unit.begin * job.col.x
    copy_line(line, unit.x + s * job.row.x, job.col.n_in, job.col.x, job.col.boundary, job.constant, unit.begin,
              unit.count, kernels.item)
    return line


cdef void finish(const Job* job, const Unit* unit, char* t, char* y) noexcept nogil:
    """A row of y from the row t of sums down the columns, which is continued beyond x here if it was not copied."""
    cdef const fc_box* kernels = job.kernels
    cdef int item = kernels.sum_item
    cdef Py_ssize_t taps = job.col.n_taps, end = unit.at + unit.count
    cdef char* inner = t + unit.at * item
    cdef char* sums
    cdef bint in_place = job.col.y == kernels.item
    cdef char* to = y if in_place else unit.scratch + job.out
    if taps > 1:
        if unit.at:
            copy_line(t, inner, unit.count, item, job.col.boundary, <const char*>job.beside, -unit.at, unit.at, item)
        if end < unit.n + taps - 1:
            copy_line(t + end * item, inner, unit.count, item, job.col.boundary, <const char*>job.beside, unit.count,
                      unit.n + taps - 1 - end, item)
        if not (kernels.line != NULL and taps <= FC_BOX_FEW
                and kernels.line(t, taps, job.divisor, job.nearest, to, unit.n)):
            sums = unit.scratch + job.along
            kernels.along(t, taps, sums, (unit.n + MORE - 1) // MORE * MORE, unit.scratch + job.work)
            kernels.mean(sums, job.divisor, job.nearest, to, unit.n)
    else:
        kernels.mean(t, job.divisor, job.nearest, to, unit.n)
    if not in_place:
        copy_strided(y, job.col.y, to, kernels.item, unit.n, kernels.item)


cdef void moving(const Job* job, const Unit* unit, Py_ssize_t first, Py_ssize_t n, char* y) noexcept nogil:
    """Rows of integers: the first sum anew, the others from the one before."""
    cdef const fc_box* kernels = job.kernels
    cdef char* sums = unit.scratch + job.sums
    cdef char* inner = sums + unit.at * kernels.sum_item
    cdef char* means = sums + job.pitch
    cdef Py_ssize_t r, taps = job.row.n_taps, low = first - job.row.lo
    kernels.load(row_of(job, unit, low, 0), 1, inner, unit.count)
    for r in range(1, taps):
        kernels.add(row_of(job, unit, low + r, 0), 1, inner, unit.count)
    for r in range(n):
        if r and taps > 1:
            kernels.move(row_of(job, unit, low + r + taps - 1, 0), row_of(job, unit, low + r - 1, 1), inner, unit.count)
        elif r:
            kernels.load(row_of(job, unit, low + r, 0), 1, inner, unit.count)
        if job.between and taps > 1:
            kernels.whole(inner, taps, means + unit.at * kernels.sum_item, unit.count)
            finish(job, unit, means, y)
        else:
            finish(job, unit, sums, y)
        y += job.row.y


cdef void few_rows(const Job* job, const Unit* unit, Py_ssize_t first, Py_ssize_t n, char* y) noexcept nogil:
    """Rows of floats, each the sum of a few."""
    cdef const void* rows[FC_BOX_FEW]
    cdef char* sums = unit.scratch + job.sums
    cdef Py_ssize_t r, taps = job.row.n_taps, low = first - job.row.lo
    cdef int i
    for r in range(n):
        for i in range(taps):
            if r == 0 or i == taps - 1:
                rows[i] = row_of(job, unit, low + r + i, (r + i) % taps)
            else:
                rows[i] = rows[i + 1]
        if taps == 1:
            job.kernels.load(rows[0], job.scale, sums + unit.at * job.kernels.sum_item, unit.count)
        else:
            job.kernels.few(rows, taps, job.scale, sums + unit.at * job.kernels.sum_item, unit.count)
        finish(job, unit, sums, y)
        y += job.row.y


cdef void groups(const Job* job, const Unit* unit, Py_ssize_t first, Py_ssize_t n, char* y) noexcept nogil:
    """Rows of floats: the ends of a group of rows, one more row each, then the beginnings of the next."""
    cdef const fc_box* kernels = job.kernels
    cdef Py_ssize_t taps = job.row.n_taps, low = first - job.row.lo, done = 0, here, j
    cdef char* begun = unit.scratch + job.sums                 # sums of the group's first rows
    cdef char* inner = begun + job.pitch + unit.at * kernels.sum_item
    cdef char* sums
    cdef const char* row
    while done < n:
        here = min(taps, n - done)
        for j in range(taps - 1, -1, -1):
            row = row_of(job, unit, low + done + j, 0)
            sums = inner + min(j, here - 1) * job.pitch
            if j == taps - 1:
                kernels.load(row, job.scale, sums, unit.count)
            elif j >= here - 1:
                kernels.add(row, job.scale, sums, unit.count)
            else:
                kernels.before(row, job.scale, sums + job.pitch, sums, unit.count)
        memset(begun, 0, unit.count * kernels.sum_item)
        for j in range(here):
            sums = inner + j * job.pitch
            if j:
                row = row_of(job, unit, low + done + taps + j - 1, 0)
                kernels.after(row, job.scale, begun, sums, unit.count)
            finish(job, unit, sums - unit.at * kernels.sum_item, y)
            y += job.row.y
        done += here


cdef void box_unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    cdef Unit unit
    cdef int a
    cdef Py_ssize_t i, n, first, left = number // (job.n_strips * job.n_panels)
    cdef char* y = job.y
    unit.x, unit.scratch = job.x, scratch
    for a in range(job.n_batch - 1, -1, -1):
        i = left % job.batch[a].n_out
        left = left // job.batch[a].n_out
        unit.x += i * job.batch[a].x
        y += i * job.batch[a].y
    first = number // job.n_panels % job.n_strips * job.strip
    n = min(job.strip, job.row.n_out - first)
    unit.first = number % job.n_panels * job.panel
    unit.n = min(job.panel, job.col.n_out - unit.first)
    unit.begin, unit.count, unit.at = unit.first - job.col.lo, unit.n + job.col.n_taps - 1, 0
    unit.copied = unit.begin < 0 or unit.begin + unit.count > job.col.n_in
    if unit.copied and job.n_panels == 1:              # the row of sums of all of x can be continued in its stead
        unit.begin, unit.count, unit.at, unit.copied = 0, job.col.n_in, job.col.lo, False
    if job.row.boundary <= CONSTANT:
        copy_line(scratch + job.lines + FC_BOX_FEW * job.line, NULL, 1, 0, ZERO, job.constant, 0, unit.count,
                  job.kernels.item)
    for i in range(job.n_rows):                         # what `along` may read is always a number
        memset(scratch + job.sums + (i + 1) * job.pitch - 2 * MORE * job.kernels.sum_item, 0,
               2 * MORE * job.kernels.sum_item)
    y += first * job.row.y + unit.first * job.col.y
    if job.kernels.move != NULL:
        moving(job, &unit, first, n, y)
    elif job.row.n_taps <= FC_BOX_FEW:
        few_rows(job, &unit, first, n, y)
    else:
        groups(job, &unit, first, n, y)


# ---- the driver --------------------------------------------------------------------------------------------------

def most(dtype):
    """The most elements of a dtype of `KINDS` whose sum can be kept."""
    cdef tuple codes = KINDS[dtype]
    cdef const fc_box* kernels = &TABLE.kind[<int>codes[len(codes) - 1]]
    if kernels.move == NULL:
        return np.inf
    info = np.iinfo(dtype)
    return kernels.largest // max(-float(info.min), float(info.max))


def mean(cnp.ndarray x, cnp.ndarray y, tuple m, tuple lo, tuple boundary, cval, bint divide, bint between, bint nearest,
         int workers):
    """y[b, o] = the mean of x[b, o + t - lo] over all t within m; or the sum.

    Parameters
    ----------
    x, y : ndarray
        Of the same dtype, one of `KINDS`, and of the same shape but along the last two axes: a row axis and one along
        which x is contiguous. Aligned; they do not overlap.
    m, lo, boundary : tuple of int
        For the last two axes: elements to average, those that hang over the low end, codes of `_problem.BOUNDARIES`.
    cval
        The element that stands outside, of x's dtype.
    divide : bool
        Whether sums are divided; if not, the dtype is int64, float32 or float64.
    between : bool
        Whether means of integers along the first axis are truncated, before those along the second.
    nearest : bool
        Whether integers are rounded to the nearest, not truncated.
    workers : int
        At most so many threads; 0: the default.
    """
    cdef Job job
    cdef int i, nd = x.ndim
    cdef Py_ssize_t n_units = 1, bytes, rows, m_0 = m[0], m_1 = m[1]
    cdef int passes = 3 + 2 * (m_0 > FC_BOX_FEW)
    cdef double seconds, count = m_0 if between else <double>m_0 * m_1
    cdef cnp.ndarray outside = np.array([cval], x.dtype)
    cdef tuple codes = KINDS[x.dtype]
    cdef const fc_box* kernels = &TABLE.kind[<int>codes[0]]
    if len(codes) > 1 and max(<double>m_1, count) * 255 > kernels.largest:
        kernels = &TABLE.kind[<int>codes[1]]

    if y.size == 0:
        return
    job.kernels = kernels
    job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
    job.row = axis_of(x, y, nd - 2, m_0, lo[0], boundary[0])
    job.col = axis_of(x, y, nd - 1, m_1, lo[1], boundary[1])
    job.n_batch = nd - 2
    for i in range(nd - 2):
        job.batch[i] = axis_of(x, y, i, 1, 0, ZERO)
        n_units *= y.shape[i]
    job.between, job.nearest = between, nearest
    job.scale, job.divisor = 1, 1
    if divide:
        job.divisor = m_1 if between else <double>m_0 * m_1
        if kernels.move == NULL:                        # so that no sum is too large for a float if the mean is not
            job.scale = 2.0 ** -ceil(log2(job.divisor))
            job.divisor *= job.scale
    kernels.load(cnp.PyArray_DATA(outside), job.scale, job.beside, 1)
    for i in range(1, 1 if between else m_0):
        kernels.add(cnp.PyArray_DATA(outside), job.scale, job.beside, 1)
    job.constant = <const char*>cnp.PyArray_DATA(outside)
    while m_1 >= 4:
        m_1 //= 4
        passes += 1
    bytes = _sizes(&job)
    n_units *= job.n_strips * job.n_panels
    rows = min(job.strip, job.row.n_out)
    seconds = rows * min(job.panel, job.col.n_out) * passes * kernels.sum_item * PASS_SECONDS + 100e-9
    run(&job, <unit_function>box_unit, n_units, seconds, bytes, workers, None)


cdef Axis axis_of(cnp.ndarray x, cnp.ndarray y, int i, Py_ssize_t n_taps, Py_ssize_t lo, int boundary) except *:
    cdef Axis axis
    axis.n_in, axis.n_out, axis.n_taps = x.shape[i], y.shape[i], n_taps
    axis.x, axis.y, axis.w = x.strides[i], y.strides[i], 0
    axis.lo, axis.boundary = lo, boundary
    return axis


cdef Py_ssize_t _sizes(Job* job) noexcept:
    """Cut panels and strips and lay the scratch out; its bytes."""
    cdef const fc_box* kernels = job.kernels
    cdef bint grouped = kernels.move == NULL and job.row.n_taps > FC_BOX_FEW
    cdef Py_ssize_t taps = job.col.n_taps, n_rows = 2, most = PANEL, wide
    if grouped:
        n_rows = min(job.row.n_taps, job.row.n_out) + 1
        most = min(most, max(<Py_ssize_t>256, GROUP_BYTES // (n_rows * kernels.sum_item)))
    most = max(most, HALOS * (taps - 1))
    job.panel = _equal(job.col.n_out, most, LINE_BYTES)
    job.strip = max(<Py_ssize_t>STRIP, LOW * job.row.n_taps if job.row.n_taps > 1 else 0)
    job.strip = _equal(job.row.n_out, max(job.strip, job.row.n_out // STRIPS), job.row.n_taps if grouped else 1)
    job.n_panels = (job.col.n_out + job.panel - 1) // job.panel
    job.n_strips = (job.row.n_out + job.strip - 1) // job.strip
    wide = min(job.panel, job.col.n_out) + taps - 1
    if job.n_panels == 1:
        wide = max(wide, job.col.n_in + job.col.lo)
    job.line = _lines(wide * kernels.item)
    job.pitch = _lines((wide + 2 * MORE) * kernels.sum_item)
    job.n_rows = n_rows
    job.lines = 0
    job.sums = (FC_BOX_FEW + 1) * job.line
    job.along = job.sums + n_rows * job.pitch
    job.work = job.along + job.pitch
    job.out = job.work + _lines(2 * (max(<Py_ssize_t>FC_BOX_CHUNK, taps) + taps + MORE) * kernels.sum_item)
    return job.out + job.line


cdef Py_ssize_t _equal(Py_ssize_t n, Py_ssize_t most, Py_ssize_t unit) noexcept:
    """n cut into parts of about the same size, most or less: whole units."""
    cdef Py_ssize_t parts = (n + most - 1) // most
    return ((n + parts - 1) // parts + unit - 1) // unit * unit


cdef Py_ssize_t _lines(Py_ssize_t bytes) noexcept:
    """Whole cache lines, an odd number: rows of sums spread over all cache sets."""
    cdef Py_ssize_t lines = (bytes + LINE_BYTES - 1) // LINE_BYTES
    return (lines + 1 - lines % 2) * LINE_BYTES
