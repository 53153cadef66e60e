"""What the taps of a layer see: boxes of pixels, and strips of the input laid out for them.

The pixels of a layer are cut into boxes (some images, sheets, rows and columns of outputs). What their taps see of some
channels is laid out in a strip: continued beyond the ends of x by the boundary, and by lines that are contiguous in the
pixels, whatever the stride. A line holds one phase of the stride, or, where dilation leaves gaps that are larger than
what is seen, what one tap sees. Where no window leaves x and its columns are contiguous, x itself serves.
"""

from libc.string cimport memcpy, memset
cimport numpy as cnp

import numpy as np

from fastconv._boundary cimport ZERO, copy_strided, source
from fastconv._kernels.gemm cimport fc_gemm

cnp.import_array()


cdef void copy_steps(const fc_gemm* gemm, char* to, const char* line, const Side* side, Py_ssize_t start,
                     Py_ssize_t count, int item) noexcept nogil:
    """to[j] = element start + j stride of the continued line, 0 <= j < count."""
    cdef Py_ssize_t j, s, step = side.stride, begin = 0, end = 0
    cdef char[16] zero
    if start < 0:
        begin = min(count, parts_of(-start, step))
    if start < side.n_in:
        end = min(count, parts_of(side.n_in - start, step))
    end = max(begin, end)
    if side.x == item:
        gemm.pick(line + (start + begin * step) * item, step, to + begin * item, end - begin)
    else:
        copy_strided(to + begin * item, item, line + (start + begin * step) * side.x, step * side.x, end - begin, item)
    if side.boundary == ZERO:
        if begin > 0:
            memset(to, 0, begin * item)
        if end < count:
            memset(to + end * item, 0, (count - end) * item)
        return
    memset(zero, 0, sizeof(zero))
    for j in range(count):
        if j < begin or j >= end:
            s = source(start + j * step, side.n_in, side.boundary)
            memcpy(to + j * item, line + s * side.x if s >= 0 else zero, item)


cdef inline Py_ssize_t start_of(const Side* side, Py_ssize_t first, Py_ssize_t line) noexcept nogil:
    """The index along x of a line's first element; the next ones are a stride apart."""
    return first * side.stride + (line if side.dense else line * side.dilation) - side.lo


cdef void load_sheet(const Job* job, const Box* box, const char* x, char* to) noexcept nogil:
    """Rows of the strip, each of all its lines; x: NULL for zeros."""
    cdef const Side* rows = &job.side[1]
    cdef const Side* columns = &job.side[2]
    cdef Py_ssize_t l, m, j, s, length = columns.length * job.item
    for l in range(rows.lines):
        for j in range(rows.length):
            s = source(start_of(rows, box.first[1], l) + j * rows.stride, rows.n_in, rows.boundary)
            if x == NULL or s < 0:
                memset(to, 0, columns.lines * length)
                to += columns.lines * length
                continue
            for m in range(columns.lines):
                copy_steps(job.gemm, to, x + s * rows.x, columns, start_of(columns, box.first[2], m), columns.length,
                           job.item)
                to += length


cdef void load_strip(const Job* job, const Box* box, Py_ssize_t channel, Py_ssize_t n, char* strip) noexcept nogil:
    """Some channels of the box's images: what the taps see, line by line."""
    cdef const Side* sheets = &job.side[0]
    cdef Py_ssize_t i, c, l, j, s, sheet = job.to_row * job.side[1].lines * job.side[1].length * job.item
    cdef const char* x
    cdef char* to
    for i in range(box.images):
        for c in range(n):
            to = strip + (i * job.block_channels + c) * job.to_channel * job.item
            x = job.x + (box.image + i) * job.x_image + (box.group * job.channels + channel + c) * job.x_channel
            for l in range(sheets.lines):
                for j in range(sheets.length):
                    s = source(start_of(sheets, box.first[0], l) + j * sheets.stride, sheets.n_in, sheets.boundary)
                    load_sheet(job, box, x + s * sheets.x if s >= 0 else NULL, to)
                    to += sheet


cdef void where(const Box* box, Py_ssize_t pixel, Py_ssize_t* at) noexcept nogil:
    """Column, row, sheet and image, within the box, of a pixel."""
    at[0] = pixel % box.n[2]
    pixel = pixel // box.n[2]
    at[1] = pixel % box.n[1]
    pixel = pixel // box.n[1]
    at[2] = pixel % box.n[0]
    at[3] = pixel // box.n[0]


cdef void places(const Job* job, const Box* box, Py_ssize_t* at) noexcept nogil:
    """What the pixels of the box see: elements from the first one's."""
    cdef Py_ssize_t i, a, b, c, row
    for i in range(box.images):
        for a in range(box.n[0]):
            for b in range(box.n[1]):
                row = i * job.to_image + a * job.to_sheet + b * job.to_row
                for c in range(box.n[2]):
                    at[c] = row + c
                at += box.n[2]


cdef const char* seen_in_place(const Job* job, const Box* box, Py_ssize_t channel) noexcept nogil:
    """What the first tap and pixel of the box see in x."""
    cdef int a
    cdef const char* x = job.x + box.image * job.x_image + (box.group * job.channels + channel) * job.x_channel
    for a in range(SIDES):
        x += (box.first[a] * job.side[a].stride - job.side[a].lo) * job.side[a].x
    return x


cdef char* output(const Job* job, const Box* box, const Py_ssize_t* at) noexcept nogil:
    """The first output of a pixel in y."""
    return (job.y + (box.image + at[3]) * job.y_image + (box.group * job.outputs + box.output) * job.y_output
            + (box.first[0] + at[2]) * job.side[0].y + (box.first[1] + at[1]) * job.side[1].y
            + (box.first[2] + at[0]) * job.side[2].y)


cdef Py_ssize_t runs(const Job* job, const Box* box) noexcept nogil:
    """How many pixels of the box, from multiples of this on, lie side by side in y; 0: not even two."""
    if job.side[2].y != job.item or job.y_output % job.item:
        return 0
    if box.n[2] < job.side[2].n_out or job.side[1].y != job.side[2].y * box.n[2]:
        return box.n[2]
    if box.n[1] < job.side[1].n_out or job.side[0].y != job.side[1].y * box.n[1]:
        return box.n[2] * box.n[1]
    return box.n[2] * box.n[1] * box.n[0]


cdef Py_ssize_t boxes(const Job* job) noexcept nogil:
    """Parts of all pixels."""
    cdef Py_ssize_t n = job.image_parts
    cdef int a
    for a in range(SIDES):
        n *= job.side[a].parts
    return n


cdef Py_ssize_t cut(const Job* job, Py_ssize_t part, Box* box) noexcept nogil:
    """The pixels of a part; how many whole rounds of parts come before it."""
    cdef int a
    for a in range(SIDES - 1, -1, -1):
        box.first[a] = part % job.side[a].parts * job.side[a].extent
        box.n[a] = min(job.side[a].extent, job.side[a].n_out - box.first[a])
        part = part // job.side[a].parts
    box.image = part % job.image_parts * job.image_extent
    box.images = min(job.image_extent, job.images - box.image)
    return part // job.image_parts


cdef Py_ssize_t cut_outputs(const Job* job, Py_ssize_t part, Box* box) noexcept nogil:
    box.output = part % job.output_parts * job.output_extent
    box.outputs = min(job.output_extent, job.outputs - box.output)
    return part // job.output_parts


cdef int pose(Job* job, const fc_gemm* gemm, cnp.ndarray x, cnp.ndarray y, tuple w, Py_ssize_t groups,
              tuple stride, tuple dilation, tuple lo, tuple boundary) except -1:
    """The arrays and axes; w: the weights' shape."""
    cdef int a, axis, missing = SIDES + 2 - x.ndim
    job.gemm, job.item = gemm, <int>x.itemsize
    point(job, x, y)
    job.images, job.groups, job.channels, job.outputs = x.shape[0], groups, w[1], w[0] // groups
    job.x_image, job.x_channel, job.y_image, job.y_output = x.strides[0], x.strides[1], y.strides[0], y.strides[1]
    job.taps = 1
    for a in range(SIDES):
        axis = a - missing
        if axis < 0:
            job.side[a] = side_of(1, 1, 1, 1, 1, 0, ZERO)
        else:
            job.side[a] = side_of(x.shape[axis + 2], y.shape[axis + 2], w[axis + 2], stride[axis], dilation[axis],
                                  lo[axis], boundary[axis])
            job.side[a].x, job.side[a].y = x.strides[axis + 2], y.strides[axis + 2]
        job.taps *= job.side[a].n_taps
    return 0


cdef void point(Job* job, cnp.ndarray x, cnp.ndarray y) noexcept:
    """The arrays, of the shapes and strides that were posed."""
    cdef int a
    job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
    job.x_end = job.x + job.item
    for a in range(cnp.PyArray_NDIM(x)):
        job.x_end += max(<Py_ssize_t>0, (x.shape[a] - 1) * x.strides[a])


cdef Side side_of(Py_ssize_t n_in, Py_ssize_t n_out, Py_ssize_t n_taps, Py_ssize_t stride, Py_ssize_t dilation,
                  Py_ssize_t lo, int boundary) noexcept:
    cdef Side side
    memset(&side, 0, sizeof(side))
    side.n_in, side.n_out, side.n_taps, side.boundary = n_in, n_out, n_taps, boundary
    side.stride, side.dilation, side.lo = stride, dilation, lo
    return side


cdef void join(Job* job) noexcept:
    """Make one axis of those that are one: without taps beside each other, and contiguous."""
    cdef Side* outer
    cdef Side* inner = &job.side[SIDES - 1]
    cdef int a
    for a in range(SIDES - 2, -1, -1):
        outer = &job.side[a]
        if not (plain(outer) and plain(inner) and outer.x == inner.x * inner.n_in and outer.y == inner.y * inner.n_in):
            if outer.n_in > 1 or not plain(outer):
                return
            continue
        inner.n_in *= outer.n_in
        inner.n_out = inner.n_in
        outer.n_in = outer.n_out = 1


cdef bint plain(const Side* side) noexcept:
    return side.n_taps == 1 and side.stride == 1 and side.lo == 0 and side.n_in == side.n_out


cdef bint in_place(Job* job) noexcept:
    """Whether panels are gathered from x itself: no window leaves it, and columns are contiguous."""
    cdef const Side* side
    cdef int a
    for a in range(SIDES):
        side = &job.side[a]
        if side.lo > 0 or (side.n_out - 1) * side.stride + (side.n_taps - 1) * side.dilation - side.lo >= side.n_in:
            return False
        if side.x % job.item:
            return False
    if job.side[2].x != job.item or job.side[2].stride > 1 or job.x_image % job.item or job.x_channel % job.item:
        return False
    job.to_row = job.side[1].stride * job.side[1].x // job.item
    job.to_sheet = job.side[0].stride * job.side[0].x // job.item
    job.to_image = job.x_image // job.item
    return True


cdef Py_ssize_t lay_out(Job* job, Py_ssize_t pixels) noexcept:
    """Boxes of about so many pixels, and the layouts of the strip and the scratch; the bytes of the latter."""
    cdef Py_ssize_t lanes = job.gemm.lanes, width = max(job.gemm.vectors, job.gemm.reach_vectors) * lanes, span, strip
    cdef Py_ssize_t panel = lanes * job.gemm.vectors
    cdef Side* side
    cdef int a
    job.to_channel = 1
    for a in range(SIDES - 1, -1, -1):
        side = &job.side[a]
        side.extent = equal(side.n_out, max(1, pixels), panel if a == SIDES - 1 and side.n_out > pixels else 1)
        side.parts = parts_of(side.n_out, side.extent)
        pixels = pixels // side.extent
        span = side.extent + max(0, (side.n_taps - 1) * side.dilation // side.stride)
        side.dense = span * side.stride <= side.n_taps * side.extent
        side.lines, side.length = (side.stride, span) if side.dense else (side.n_taps, side.extent)
        if a == 1:
            job.to_row = job.to_channel
        elif a == 0:
            job.to_sheet = job.to_channel
        job.to_channel *= side.lines * side.length
    job.image_extent = equal(job.images, max(1, pixels))
    job.image_parts = parts_of(job.images, job.image_extent)
    job.to_image = job.block_channels * job.to_channel
    job.output_parts = parts_of(job.outputs, job.output_extent)
    pixels = job.image_extent
    for a in range(SIDES):
        pixels *= job.side[a].extent
    job.in_place = in_place(job)
    strip = 0 if job.in_place else job.image_extent * job.to_image + 2 * lanes
    job.panel = parts_of(strip * job.item, 64) * 64
    job.at = job.panel + (max(job.block_channels * job.block_taps, pixels) + 1) * width * job.item
    job.sums = parts_of(job.at + pixels * sizeof(Py_ssize_t), 64) * 64
    return job.sums + max((pixels + lanes) * job.output_extent, job.block_channels * job.block_taps * width) * job.item


cdef cnp.ndarray offsets(const Job* job):
    """`job.off`, for the products of the first block, and all taps of its channels."""
    cdef const Side* side
    cdef int a
    step = job.to_channel
    total = np.arange(job.block_channels, dtype=np.intp) * (job.x_channel // job.item if job.in_place else step)
    for a in range(SIDES):
        side = &job.side[a]
        step //= max(1, side.lines * side.length)
        tap = np.arange(side.n_taps, dtype=np.intp)
        if job.in_place:
            at = tap * (side.dilation * side.x // job.item)
        elif side.dense:
            at = (tap * side.dilation % side.stride * side.length + tap * side.dilation // side.stride) * step
        else:
            at = tap * side.length * step
        total = np.add.outer(total, at)
    return np.ascontiguousarray(total.ravel())
