"""Layers whose channels are apart (groups = channels), of float32 and float64, of one to three axes:

    y[n, c m + k, r] = bias[c m + k] + sum over t of w[c m + k, t] x~[n, c, r stride + t dilation - lo],   0 <= k < m

Planes are read in place, by loads of some lanes at their edges, where padding is zero and the processor has such loads.
Else a band of rows of a plane is copied to where its padding surrounds it, small enough to stay in L1, and all kernels of its
channel run over it; where no window leaves x the band is read in place, too. Columns have stride 1 or 2. Units depend on the
problem alone. The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
cimport numpy as cnp

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport ZERO, copy_line, copy_strided, source
from fastconv._kernels.depthwise cimport FC_DEPTHWISE_TABLE, fc_depthwise, fc_depthwise_table, fc_taps
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    BAND_BYTES = 24 * 1024          # half of L1
    BAND_ROWS = 4                   # at least, and a multiple of it: what kernels take at a time
    PANEL = 1024                    # columns of outputs in a unit
    SMALL = 4096                    # outputs in a unit of several planes
    EVERYWHERE = 1 << 30            # beyond all rows and columns
cdef double PRODUCTS = 1.5e9        # per lane and second: a rough estimate

cdef const fc_depthwise_table* TABLE = <const fc_depthwise_table*>PyCapsule_GetPointer(
    _kernels.table("depthwise"), FC_DEPTHWISE_TABLE)


cdef struct Side:                   # one convolved axis
    Py_ssize_t n_in, n_out, n_taps, stride, dilation, lo, x, y
    int boundary

cdef struct Job:
    const fc_depthwise* kernels
    int item
    bint masked, contiguous         # read x in place; write y in place
    const char* x
    const char* w                   # [output channel, tap], contiguous
    const char* bias
    char* y
    Py_ssize_t x_image, x_channel, y_image, y_channel
    Py_ssize_t images, channels, kernels_each, n_taps
    Side plane, row, col
    const char* constant
    const char* end                 # of the memory between x's first and last element
    Py_ssize_t band, panel, bands, panels, each         # outputs in a unit; units along an axis, of a channel
    Py_ssize_t together, groups                         # channels in a unit, where it has all of each; units of an image
    Py_ssize_t pitch                                    # elements from row to row of the copy
    Py_ssize_t copy_bytes


cdef inline Py_ssize_t reach(const Side* side, Py_ssize_t n_out) noexcept nogil:
    """Inputs that n_out outputs side by side span."""
    return (n_out - 1) * side.stride + (side.n_taps - 1) * side.dilation + 1


cdef inline bint within(const Side* side, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    return first >= 0 and first + count <= side.n_in


cdef void copy_plane(const Job* job, const char* x, Py_ssize_t first_row, Py_ssize_t rows, Py_ssize_t first,
                     Py_ssize_t count, char* to) noexcept nogil:
    """`rows` rows of a plane continued beyond its ends, `count` elements of each from `first` on; a NULL plane is zero."""
    cdef const Side* col = &job.col
    cdef Py_ssize_t begin = min(count, max(0, -first)), end = max(begin, min(count, col.n_in - first)), i = 0, s, run
    while i < rows:
        s = source(first_row + i, job.row.n_in, job.row.boundary)
        run = 1
        if x == NULL or s < 0 or col.boundary == ZERO and begin == end:
            job.kernels.pad(x, 0, 1, 0, 0, count, to, 0)
        elif col.x == job.item and (col.boundary == ZERO or end - begin == count):
            if s == first_row + i:
                run = min(rows - i, job.row.n_in - s)
            job.kernels.pad(x + s * job.row.x + (first + begin) * job.item, job.row.x // job.item, run, end - begin, begin,
                            count, to, job.pitch)
        else:
            copy_line(to, x + s * job.row.x, col.n_in, col.x, col.boundary, job.constant, first, count, job.item)
        to += run * job.pitch * job.item
        i += run


cdef void unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """All kernels of some channels, or of one over one band of one panel of a plane of outputs."""
    cdef const Side* plane = &job.plane
    cdef const Side* row = &job.row
    cdef const Side* col = &job.col
    cdef Py_ssize_t q = 0, r = 0, z = 0, image = 0, channel, size = job.item, c
    if job.each > 1:
        q = number % job.panels * job.panel
        r = number // job.panels % job.bands * job.band
        z = number // (job.panels * job.bands) % plane.n_out
        number //= job.each
    if job.images > 1:
        image = number // job.groups
        number -= image * job.groups
    channel = number * job.together
    cdef Py_ssize_t n_cols = min(job.panel, col.n_out - q), n_rows = min(job.band, row.n_out - r)
    cdef Py_ssize_t first_row = r * row.stride - row.lo, first_col = q * col.stride - col.lo
    cdef Py_ssize_t kernel = channel * job.kernels_each, count = min(job.together, job.channels - channel)
    cdef const char* x = job.x + image * job.x_image + channel * job.x_channel
    cdef char* y = job.y + image * job.y_image + kernel * job.y_channel + z * plane.y + r * row.y + q * col.y
    cdef fc_taps taps
    taps.kd, taps.kh, taps.kw = plane.n_taps, row.n_taps, col.n_taps
    taps.tap_col, taps.step, taps.plane = col.dilation, col.stride, 0
    if not job.masked:
        for c in range(count):
            from_copy(job, &taps, z * plane.stride - plane.lo, first_row, first_col, x, kernel, n_rows, n_cols, y, scratch)
            x += job.x_channel
            y += job.kernels_each * job.y_channel
            kernel += job.kernels_each
        return
    taps.tap_row, taps.row = row.dilation * (row.x // size), row.stride * (row.x // size)
    taps.first_row = (row.dilation - 1 - first_row) // row.dilation
    taps.end_row = max(taps.first_row, (row.dilation - 1 - first_row + row.n_in) // row.dilation)
    taps.first_col, taps.end_col = -first_col, col.n_in - first_col
    x += first_row * row.x + first_col * size
    if job.kernels_each == 1:
        job.kernels.planes(x, job.x_channel // size, &taps, job.w + kernel * job.n_taps * size, job.bias + kernel * size, y,
                           job.y_channel // size, row.y // size, n_rows, n_cols, count)
        return
    for c in range(count):
        job.kernels.planes(x, 0, &taps, job.w + kernel * job.n_taps * size, job.bias + kernel * size, y,
                           job.y_channel // size, row.y // size, n_rows, n_cols, job.kernels_each)
        x += job.x_channel
        y += job.kernels_each * job.y_channel
        kernel += job.kernels_each


cdef void from_copy(const Job* job, fc_taps* taps, Py_ssize_t first_plane, Py_ssize_t first_row, Py_ssize_t first_col,
                    const char* x, Py_ssize_t kernel, Py_ssize_t n_rows, Py_ssize_t n_cols, char* y,
                    char* scratch) noexcept nogil:
    """All kernels of one channel over one band, which is copied unless all windows lie within x."""
    cdef const Side* plane = &job.plane
    cdef const Side* row = &job.row
    cdef const Side* col = &job.col
    cdef Py_ssize_t rows = reach(row, n_rows), count = reach(col, n_cols), size = job.item, k, a, i, p
    cdef Py_ssize_t slack = 2 * job.kernels.lanes, pitch = job.pitch, planes = reach(plane, 1)
    cdef const char* base = x + first_plane * plane.x + first_row * row.x + first_col * size
    # where x begins a row, whole vectors do
    cdef char* to = scratch + (slack + (job.kernels.lanes + first_col % job.kernels.lanes if first_col < 0 else 0)) * size
    cdef char* lines = scratch + job.copy_bytes
    if col.x == size and within(plane, first_plane, planes) and within(row, first_row, rows) and within(col, first_col, count) \
            and base + max(<Py_ssize_t>0, (planes - 1) * plane.x) + max(<Py_ssize_t>0, (rows - 1) * row.x) \
            + (count + slack) * size <= job.end:
        taps.plane, pitch = plane.dilation * plane.x // size, row.x // size
    else:
        taps.plane = rows * pitch
        base = to
        for a in range(plane.n_taps):
            p = source(first_plane + a * plane.dilation, plane.n_in, plane.boundary)
            copy_plane(job, x + p * plane.x if p >= 0 else NULL, first_row, rows, first_col, count, to)
            to += rows * pitch * size
    taps.tap_row, taps.row = row.dilation * pitch, row.stride * pitch
    taps.first_row, taps.end_row, taps.first_col, taps.end_col = 0, EVERYWHERE, 0, EVERYWHERE
    if job.contiguous:
        job.kernels.planes(base, 0, taps, job.w + kernel * job.n_taps * size, job.bias + kernel * size, y,
                           job.y_channel // size, row.y // size, n_rows, n_cols, job.kernels_each)
        return
    for k in range(kernel, kernel + job.kernels_each):
        job.kernels.planes(base, 0, taps, job.w + k * job.n_taps * size, job.bias + k * size, lines, 0, n_cols, n_rows,
                           n_cols, 1)
        for i in range(n_rows):
            copy_strided(y + i * row.y, col.y, lines + i * n_cols * size, size, n_cols, size)
        y += job.y_channel


def correlate(cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, tuple stride, tuple dilation, tuple lo, tuple boundary,
              int workers, tick=None):
    """y[n, c m + k] = bias[c m + k] + the correlation of x[n, c] with w[c m + k, 0].

    Parameters
    ----------
    x, w, y : ndarray
        (images, channels, ...), (outputs, 1, ...) and (images, outputs, ...), with one to three axes more, aligned and of
        one dtype, float32 or float64; y overlaps no input.
    bias : ndarray or None
        (outputs,).
    stride, dilation, lo, boundary : tuple of int
        By axis. The last stride is 1 or 2. Output o, tap t reads x[o stride + t dilation - lo]. boundary: codes of
        _problem.BOUNDARIES; a constant is zero.
    workers : int
        Threads; 0: the default.
    tick : callable, optional
        Is told the fraction done.
    """
    cdef Job job
    cdef Side side
    cdef fc_taps taps
    cdef cnp.ndarray weights, add, zero = np.zeros(1, x.dtype)
    cdef Py_ssize_t rows, high = 0, line
    cdef int a, n = x.ndim - 2
    if y.size == 0:
        return
    job.item = cnp.PyArray_ITEMSIZE(x)
    job.kernels = &TABLE.dtype[job.item == 8]
    weights = np.ascontiguousarray(w)
    add = np.zeros(w.shape[0], x.dtype) if bias is None else np.ascontiguousarray(bias, x.dtype)
    job.x, job.w, job.bias = <const char*>cnp.PyArray_DATA(x), <const char*>cnp.PyArray_DATA(weights), <const char*>cnp.PyArray_DATA(add)
    job.y, job.constant = <char*>cnp.PyArray_DATA(y), <const char*>cnp.PyArray_DATA(zero)
    job.x_image, job.x_channel, job.y_image, job.y_channel = x.strides[0], x.strides[1], y.strides[0], y.strides[1]
    job.images, job.channels, job.kernels_each, job.n_taps = x.shape[0], x.shape[1], w.shape[0] // x.shape[1], 1
    for a in range(3):
        side.n_in = side.n_out = side.n_taps = side.stride = side.dilation = 1
        side.lo = side.x = side.y = side.boundary = 0
        if a >= 3 - n:
            side.n_in, side.n_out, side.n_taps = x.shape[a + n - 1], y.shape[a + n - 1], w.shape[a + n - 1]
            side.x, side.y = x.strides[a + n - 1], y.strides[a + n - 1]
            side.stride, side.dilation = stride[a + n - 3], dilation[a + n - 3]
            side.lo, side.boundary = lo[a + n - 3], boundary[a + n - 3]
        job.n_taps *= side.n_taps
        if a == 0:
            job.plane = side
        elif a == 1:
            job.row = side
        else:
            job.col = side
    for a in range(x.ndim):
        high += max(<Py_ssize_t>0, (x.shape[a] - 1) * x.strides[a])
    job.end = job.x + high + job.item

    job.panels = (job.col.n_out + PANEL - 1) // PANEL
    job.panel = (job.col.n_out + job.panels - 1) // job.panels
    line = ((reach(&job.col, job.panel) + 2 * job.kernels.lanes) * job.item + 63) // 64
    job.pitch = (line + 1 - line % 2) * 64 // job.item              # an odd number of cache lines: all sets are used
    rows = BAND_BYTES // (job.plane.n_taps * job.pitch * job.item) - reach(&job.row, 1)
    job.band = max(<Py_ssize_t>BAND_ROWS, rows // job.row.stride // BAND_ROWS * BAND_ROWS)
    job.bands = (job.row.n_out + job.band - 1) // job.band
    job.band = min(job.row.n_out, ((job.row.n_out + job.bands - 1) // job.bands + BAND_ROWS - 1) // BAND_ROWS * BAND_ROWS)
    job.bands = (job.row.n_out + job.band - 1) // job.band
    job.copy_bytes = (job.plane.n_taps * reach(&job.row, job.band) * job.pitch + 8 * job.kernels.lanes) * job.item
    job.each = job.plane.n_out * job.bands * job.panels

    taps.kd, taps.kh, taps.kw = job.plane.n_taps, job.row.n_taps, job.col.n_taps
    taps.tap_row, taps.row = job.row.dilation, job.row.stride
    job.contiguous = job.col.y == job.item
    job.masked = (job.kernels.masked and job.kernels.unrolled(&taps) and n < 3 and job.contiguous and job.col.x == job.item
                  and job.row.boundary == ZERO and job.col.boundary == ZERO)
    job.together = 1
    if job.each == 1:
        job.together = min(job.channels, max(<Py_ssize_t>1, SMALL // (job.row.n_out * job.col.n_out)))
        job.together -= job.together > 1 and job.together % 2
    job.groups = (job.channels + job.together - 1) // job.together
    rows = job.together * job.kernels_each * job.band
    run(&job, <unit_function>unit, job.images * job.groups * job.each,
        100e-9 + job.n_taps * rows * (job.panel + job.kernels.lanes) / (PRODUCTS * job.kernels.lanes),
        job.copy_bytes + job.band * job.panel * job.item, workers, tick)
