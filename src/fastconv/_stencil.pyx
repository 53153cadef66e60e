"""Correlation of planes of reals with 3 x 3 taps, as fast as they are copied: row by row, without a buffer.

    y[b, r, c] = sum over i, j of w[i, j] x[b, r + i - lo_0, c + j - lo_1]

Each row of outputs is written once, from three rows of x where they lie. Columns of outputs whose windows leave x
come from the same kernels with rows and columns exchanged: copies of three columns of x, continued by their boundary,
are the rows. A unit of work is a strip of rows across a panel of columns. Units depend on the problem alone, so
results do not depend on the number of threads; a value that is not finite reaches only outputs whose window holds it.
The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
cimport numpy as cnp

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport ZERO, copy_line, copy_strided, source
from fastconv._direct cimport Axis, kernels_of, streams
from fastconv._kernels.stencil cimport (
    FC_CROSS, FC_DENSE, FC_SEPARABLE, FC_STENCIL_TABLE, fc_stencil, fc_stencil_row, fc_stencil_table,
)
from fastconv._kernels.table cimport FC_F32, fc_stream
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    TAPS = 3
    STRIP = 64                      # rows of a unit: TAPS - 1 more are read
    PANEL = 8192                    # columns of a unit, at most
    LINE_BYTES = 64                 # a cache line

cdef const fc_stencil_table* TABLE = <const fc_stencil_table*>PyCapsule_GetPointer(
    _kernels.table("stencil"), FC_STENCIL_TABLE)


cdef struct Job:
    fc_stencil_row kernel
    fc_stream stream                # takes outputs past the caches, or NULL
    int item, lanes
    const char* x
    const char* w                   # as the kernel takes them
    const char* w_columns           # of the exchanged window
    char* y
    const char* constant            # the element that stands outside, for ZERO and CONSTANT
    int n_batch
    Axis[MAX_AXES] batch
    Axis row, col
    Py_ssize_t left, right          # outputs from left to right: their windows do not leave x
    Py_ssize_t n_strips, n_panels
    Py_ssize_t pitch                # bytes from line to line of the scratch


cdef void inner(const Job* job, const char* x, char* y, Py_ssize_t top, Py_ssize_t n_rows, Py_ssize_t first, Py_ssize_t n,
                char* scratch) noexcept nogil:
    """Outputs whose windows do not leave x along its rows."""
    cdef const Axis* row = &job.row
    cdef const void* rows[TAPS]
    cdef char* outside = scratch
    cdef char* line = scratch + job.pitch
    cdef char* to
    cdef Py_ssize_t r, s
    cdef int i
    cdef bint in_place = job.col.y == job.item and job.stream == NULL
    copy_line(outside, NULL, 0, 0, ZERO, job.constant, 0, n + TAPS - 1, job.item)
    for r in range(top, top + n_rows):
        for i in range(TAPS):
            s = source(r + i - row.lo, row.n_in, row.boundary)
            rows[i] = x + s * row.x + (first - job.col.lo) * job.item if s >= 0 else outside
        to = y + r * row.y + first * job.col.y
        job.kernel(rows, job.w, to if in_place else line, n)
        if job.stream != NULL:
            job.stream(line, to, n * job.item)
        elif not in_place:
            copy_strided(to, job.col.y, line, job.item, n, job.item)
    if job.stream != NULL:
        job.stream(NULL, NULL, 0)


cdef void column(const Job* job, const char* x, char* y, Py_ssize_t top, Py_ssize_t n_rows, Py_ssize_t c,
                 char* scratch) noexcept nogil:
    """Number c of the columns of outputs, whatever its windows hold."""
    cdef const Axis* row = &job.row
    cdef const void* columns[TAPS]
    cdef char* line = scratch + TAPS * job.pitch
    cdef char* to
    cdef Py_ssize_t s
    cdef int j
    for j in range(TAPS):
        to = scratch + j * job.pitch
        columns[j] = to
        s = source(c + j - job.col.lo, job.col.n_in, job.col.boundary)
        copy_line(to, x + s * job.item if s >= 0 else NULL, row.n_in, row.x, row.boundary, job.constant,
                  top - row.lo, n_rows + TAPS - 1, job.item)
    job.kernel(columns, job.w_columns, line, max(n_rows, <Py_ssize_t>job.lanes))
    copy_strided(y + top * row.y + c * job.col.y, row.y, line, job.item, n_rows, job.item)


cdef void plane_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Py_ssize_t top = unit % job.n_strips * STRIP, panel = unit // job.n_strips % job.n_panels
    cdef Py_ssize_t left = unit // (job.n_strips * job.n_panels), n_rows = min(<Py_ssize_t>STRIP, job.row.n_out - top)
    cdef Py_ssize_t width = job.right - job.left, first = job.left + width * panel // job.n_panels, i, c
    cdef const char* x = job.x
    cdef char* y = job.y
    cdef int a
    for a in range(job.n_batch - 1, -1, -1):
        i = left % job.batch[a].n_out
        left = left // job.batch[a].n_out
        x += i * job.batch[a].x
        y += i * job.batch[a].y
    inner(job, x, y, top, n_rows, first, job.left + width * (panel + 1) // job.n_panels - first, scratch)
    for c in range(job.left if panel == 0 else 0):
        column(job, x, y, top, n_rows, c, scratch)
    for c in range(job.right if panel == job.n_panels - 1 else job.col.n_out, job.col.n_out):
        column(job, x, y, top, n_rows, c, scratch)


cdef Axis axis_of(cnp.ndarray x, cnp.ndarray y, int i, Py_ssize_t lo, int boundary):
    cdef Axis axis
    axis.n_in, axis.n_out, axis.n_taps = x.shape[i], y.shape[i], TAPS
    axis.x, axis.y, axis.w = x.strides[i], y.strides[i], 0
    axis.lo, axis.boundary = lo, boundary
    return axis


def taken(cnp.ndarray x, cnp.ndarray y, tuple lo, tuple m, bint separable=False):
    """Whether `correlate` takes the arrays: there are kernels for them, and rows long enough.

    Not where they are separable and the outputs go past the caches: the bands of `_separable` read memory faster.
    """
    cdef int code = cnp.PyArray_TYPE(x), nd = x.ndim
    cdef int lanes = TABLE.f32.lanes if code == cnp.NPY_FLOAT32 else TABLE.f64.lanes
    cdef Py_ssize_t left, right
    if lanes == 0 or m != (TAPS, TAPS) or (code != cnp.NPY_FLOAT32 and code != cnp.NPY_FLOAT64):
        return False
    if x.strides[nd - 1] != x.itemsize or y.size == 0:
        return False
    left, right = _inside(x.shape[nd - 1], y.shape[nd - 1], lo[1])
    return right - left >= lanes and not (separable and streams(y))


cdef (Py_ssize_t, Py_ssize_t) _inside(Py_ssize_t n_in, Py_ssize_t n_out, Py_ssize_t lo) noexcept:
    return max(<Py_ssize_t>0, lo), min(n_out, n_in - (TAPS - 1) + lo)


def correlate(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, tuple lo, tuple boundary, cval, int workers, tick=None):
    """y[b, r, c] = sum over i, j of w[i, j] x[b, r + i - lo_0, c + j - lo_1], where `taken`.

    Parameters
    ----------
    x, y : ndarray
        As for `_direct.correlate`: batch axes, and two that are convolved.
    w : ndarray
        (3, 3): the taps, without the corners where `is_cross`; or (2, 3): factors of both axes.
        Of x's dtype; factors contiguous.
    lo, boundary, cval, workers, tick
        As for `_direct.correlate`.
    """
    cdef Job job
    cdef int nd = x.ndim, i
    cdef bint single = cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32
    cdef const fc_stencil* kernels = &TABLE.f32 if single else &TABLE.f64
    cdef cnp.ndarray constant = np.array([cval], x.dtype), taps, exchanged
    cdef Py_ssize_t n_elements = 1, most
    if w.shape[0] == 2:
        job.kernel = kernels.row[FC_SEPARABLE]
        taps, exchanged = w, w[::-1].copy()
    else:
        job.kernel = kernels.row[FC_CROSS if is_cross(w) else FC_DENSE]
        taps, exchanged = np.ascontiguousarray(w), w.T.copy()
    job.stream = kernels_of(FC_F32).stream if y.strides[nd - 1] == y.itemsize and streams(y) else NULL
    job.item, job.lanes = <int>x.itemsize, kernels.lanes
    job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
    job.w, job.w_columns = <const char*>cnp.PyArray_DATA(taps), <const char*>cnp.PyArray_DATA(exchanged)
    job.constant = <const char*>cnp.PyArray_DATA(constant)
    job.n_batch = nd - 2
    for i in range(nd - 2):
        job.batch[i] = axis_of(x, y, i, 0, ZERO)
        n_elements *= y.shape[i]
    job.row, job.col = axis_of(x, y, nd - 2, lo[0], boundary[0]), axis_of(x, y, nd - 1, lo[1], boundary[1])
    job.left, job.right = _inside(job.col.n_in, job.col.n_out, job.col.lo)
    job.n_strips = (job.row.n_out + STRIP - 1) // STRIP
    job.n_panels = (job.right - job.left + PANEL - 1) // PANEL
    most = max((job.right - job.left) // job.n_panels + 1, <Py_ssize_t>max(STRIP, job.lanes)) + TAPS - 1
    job.pitch = (most * job.item + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
    run(&job, <unit_function>plane_unit, n_elements * job.n_strips * job.n_panels,
        STRIP * <double>most * job.item * 0.06e-9 + 100e-9, (TAPS + 1) * job.pitch, workers, tick)


def is_cross(cnp.ndarray w):
    """Whether the corners of w, (3, 3), are zero, and nothing else is."""
    return not (w[0, 0] or w[0, 2] or w[2, 0] or w[2, 2]) and bool(w[0, 1] and w[1, 0] and w[1, 1] and w[1, 2] and w[2, 1])
