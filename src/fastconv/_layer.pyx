"""Convolution layers as matrix products, without the matrix of windows: axes, blocks, boundaries, threads.

    y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] x~[n, c, p stride + t dilation - lo]

x~ is x continued by the boundary; with groups, outputs o see the channels of their group only. A unit of work is a box
of pixels (some images, rows, columns) times some outputs. It takes the products k = (c, t) in blocks: the channels'
pixels are laid out in a strip (continued, and split by the stride's phases, so that what a tap sees is contiguous),
gathered from there into a panel [k][pixel] of some vectors, and multiplied with panels [k][output] of the weights.
Blocks are summed apart and then added up, which also keeps rounding errors small. Units depend on the problem alone,
so results do not depend on the number of threads. The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memcpy, memset
cimport numpy as cnp

from itertools import product
from math import gcd

import numpy as np
from numpy.lib.array_utils import byte_bounds

from fastconv import _kernels
from fastconv._direct import DTYPES

from fastconv._boundary cimport ZERO, copy_strided, source
from fastconv._kernels.dot8 cimport FC_DOT8_TABLE, fc_dot8_table
from fastconv._kernels.gemm cimport FC_GEMM_TABLE, fc_gemm, fc_gemm_table, fc_piece
from fastconv._rounds cimport aligned, run, unit_function

cnp.import_array()

cdef enum:
    SIDES = 3                       # spatial axes; those that lack come first and have length 1
    PRODUCTS = 192                  # a block of k: a panel of pixels stays in L1
    PIXELS = 10                     # panels of a unit, about: the weights are read once for them
    OUTPUTS = 256                   # outputs of a unit, at most
    MOST_PIECES = 3 * 32            # pixels of the widest panel
    GRADIENT_PIXELS = 224           # of the sums of a weight's gradient, about
    GRADIENT_ROWS = 2304            # products of channel and tap of one unit: their sums stay in L2

cdef const fc_gemm_table* TABLE = <const fc_gemm_table*>PyCapsule_GetPointer(_kernels.table("gemm"), FC_GEMM_TABLE)
cdef const fc_dot8_table* DOT8 = <const fc_dot8_table*>PyCapsule_GetPointer(_kernels.table("dot8"), FC_DOT8_TABLE)
cdef fc_gemm _fours = TABLE.dtype[DTYPES[np.dtype(np.int32)]]
_fours.rows, _fours.vectors = DOT8.rows, DOT8.vectors
memcpy(_fours.tile, DOT8.tile, sizeof(_fours.tile))
FOURS = np.dtype("V4")              # four bytes: of x unsigned, of w signed; their sums are int32


cdef const fc_gemm* kernels_of(dtype):
    """The matrix kernels of a dtype; those of `FOURS` move elements as int32's do."""
    return &_fours if dtype == FOURS else &TABLE.dtype[DTYPES[dtype]]


cdef struct Side:                   # a spatial axis
    Py_ssize_t n_in, n_out, n_taps, stride, dilation, lo
    Py_ssize_t x, y                 # bytes from one element to the next
    int boundary
    Py_ssize_t extent, parts        # outputs of a unit, at most; such parts
    bint dense                      # line l of the strip: the phase l of the stride; else what tap l sees
    Py_ssize_t lines, length        # of the strip

cdef struct Job:
    const fc_gemm* gemm
    int item                        # bytes of an element
    const char* x
    const char* w                   # packed; of the weights' gradient: it
    const char* bias                # each value as often as a vector has lanes; or NULL
    char* y
    Side[SIDES] side
    Py_ssize_t x_image, x_channel, y_image, y_output    # bytes from one to the next
    Py_ssize_t images, groups, channels, outputs        # the last two: of a group
    Py_ssize_t image_extent, image_parts, output_extent, output_parts
    Py_ssize_t taps, block_channels, block_taps, blocks, tap_parts
    const Py_ssize_t* off           # elements from the strip's start to what product k of a block sees
    bint in_place                   # panels are gathered from x, not from the strip
    Py_ssize_t to_row, to_sheet, to_image, to_channel   # elements from one to the next: of the strip, or as pixels see x
    Py_ssize_t last_off             # the largest of `off`
    const char* x_end
    Py_ssize_t to_w                 # elements from output to output of the weights' gradient
    Py_ssize_t panel, at, sums      # bytes from the scratch (where the strip is) to the panel, pixels' places, sums

cdef struct Box:                    # of a unit
    Py_ssize_t group, image, images, output, outputs
    Py_ssize_t[SIDES] first, n


# ---- packed weights ----------------------------------------------------------------------------------------------

cdef Py_ssize_t parts_of(Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    """The least number of parts, of `most` elements at most."""
    return (n + most - 1) // most


cdef Py_ssize_t equal(Py_ssize_t n, Py_ssize_t most, Py_ssize_t unit=1) noexcept nogil:
    """The size of about equal parts of n: whole units, `most` or less if that is a unit or more."""
    cdef Py_ssize_t parts = max(1, parts_of(n, most))
    return max(1, parts_of(parts_of(n, parts), unit) * unit)


cdef class Weights:
    """Weights (O, C / groups, *K) as the tiles read them: by group, block of products and panel of outputs, [k][output].

    Blocks: some channels with all taps, or some taps of one channel.
    """

    def __init__(self, cnp.ndarray w, Py_ssize_t groups):
        cdef Py_ssize_t g, b, o, m, k, n, rows, taps = 1, item = w.itemsize
        cdef const fc_gemm* gemm = kernels_of(w.dtype)
        cdef const char* of
        cdef char* to
        cdef cnp.ndarray flat
        self.shape = (<object>w).shape
        self.dtype = w.dtype
        self.groups = groups
        self.outputs, self.channels = w.shape[0] // groups, w.shape[1]
        for n in self.shape[2:]:
            taps *= n
        self.taps = taps
        self.block_channels = equal(self.channels, max(1, PRODUCTS // max(1, taps)))
        self.block_taps = equal(taps, PRODUCTS) if taps > PRODUCTS else taps
        self.tap_parts = parts_of(taps, self.block_taps) if taps > PRODUCTS else 1
        self.blocks = max(1, parts_of(self.channels, self.block_channels) * self.tap_parts)
        flat = np.ascontiguousarray(w)
        self.data = aligned(max(1, w.size) * w.itemsize)
        n = self.channels * taps
        of, to = <const char*>cnp.PyArray_DATA(flat), <char*>cnp.PyArray_DATA(self.data)
        with nogil:
            for g in range(groups):
                for b in range(self.blocks):
                    k, m = self.block(b)
                    o = 0
                    while o < self.outputs:
                        rows = min(gemm.rows, self.outputs - o)
                        gemm.turn(of + ((g * self.outputs + o) * n + k) * item, n,
                                  to + (g * self.outputs * n + self.outputs * k + o * m) * item, rows, rows, m)
                        o += rows

    cdef (Py_ssize_t, Py_ssize_t) block(self, Py_ssize_t b) noexcept nogil:
        """First product of a block, and their number."""
        cdef Py_ssize_t c = b // self.tap_parts * self.block_channels, t = b % self.tap_parts * self.block_taps
        return c * self.taps + t, min(self.block_channels, self.channels - c) * min(self.block_taps, self.taps - t)


# ---- a unit ------------------------------------------------------------------------------------------------------

cdef void copy_steps(const fc_gemm* gemm, char* to, const char* line, const Side* side, Py_ssize_t start, Py_ssize_t count,
                     int item) noexcept nogil:
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
        memset(to, 0, begin * item)
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


cdef Py_ssize_t pieces_of(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n, fc_piece* pieces) noexcept nogil:
    """Pixels of the box from number `pixel` on, as runs in the strip or in x; their number."""
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t count = 0, to = 0, run, of
    where(box, pixel, at)
    while to < n:
        run = min(n - to, box.n[2] - at[0])
        of = at[0] + at[1] * job.to_row + at[2] * job.to_sheet + at[3] * job.to_image
        if count and pieces[count - 1].of + pieces[count - 1].n == of:
            pieces[count - 1].n += run
        else:
            pieces[count] = fc_piece(of, to, run)
            count += 1
        to += run
        at[0] = 0
        at[1] += 1
        if at[1] == box.n[1]:
            at[1] = 0
            at[2] += 1
            if at[2] == box.n[0]:
                at[2] = 0
                at[3] += 1
    return count


cdef void gather(const Job* job, const Box* box, const char* x, const Py_ssize_t* off, Py_ssize_t n, Py_ssize_t pixel,
                 Py_ssize_t pixels, char* panel, Py_ssize_t width) noexcept nogil:
    """The panel [k][pixel] of some pixels, from the strip or from x."""
    cdef fc_piece[MOST_PIECES] pieces
    cdef Py_ssize_t p, k, count = pieces_of(job, box, pixel, pixels, pieces), last = 0
    if job.in_place:
        for p in range(count):
            last = max(last, pieces[p].of + parts_of(pieces[p].n, job.gemm.lanes) * job.gemm.lanes)
        if x + (last + job.last_off) * job.item > job.x_end:        # whole vectors would read past the end of x
            for k in range(n):
                for p in range(count):
                    memcpy(panel + (k * width + pieces[p].to) * job.item, x + (off[k] + pieces[p].of) * job.item,
                           pieces[p].n * job.item)
            return
    job.gemm.gather(x, off, n, pieces, count, panel, width)


cdef char* output(const Job* job, const Box* box, const Py_ssize_t* at) noexcept nogil:
    """The first output of a pixel in y."""
    return (job.y + (box.image + at[3]) * job.y_image + (box.group * job.outputs + box.output) * job.y_output
            + (box.first[0] + at[2]) * job.side[0].y + (box.first[1] + at[1]) * job.side[1].y
            + (box.first[2] + at[0]) * job.side[2].y)


cdef void write(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n, const char* sums, Py_ssize_t pitch) noexcept nogil:
    """Sums of pixels, from number `pixel` on, to y."""
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t o, run
    cdef char* y
    while n > 0:
        where(box, pixel, at)
        run = min(n, box.n[2] - at[0])
        y = output(job, box, at)
        for o in range(box.outputs):
            copy_strided(y + o * job.y_output, job.side[2].y, sums + o * pitch, job.item, run, job.item)
        sums += run * job.item
        pixel += run
        n -= run


cdef Py_ssize_t runs(const Job* job, const Box* box) noexcept nogil:
    """How many pixels of the box, from multiples of this on, lie side by side in y; 0: not even two."""
    if job.side[2].y != job.item or job.y_output % job.item:
        return 0
    if box.n[2] < job.side[2].n_out or job.side[1].y != job.side[2].y * box.n[2]:
        return box.n[2]
    if box.n[1] < job.side[1].n_out or job.side[0].y != job.side[1].y * box.n[1]:
        return box.n[2] * box.n[1]
    return box.n[2] * box.n[1] * box.n[0]


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


cdef const char* seen_in_place(const Job* job, const Box* box, Py_ssize_t channel) noexcept nogil:
    """What the first tap and pixel of the box see in x."""
    cdef int a
    cdef const char* x = job.x + box.image * job.x_image + (box.group * job.channels + channel) * job.x_channel
    for a in range(SIDES):
        x += (box.first[a] * job.side[a].stride - job.side[a].lo) * job.side[a].x
    return x


cdef void layer_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Box box
    cdef const fc_gemm* gemm = job.gemm
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t lanes = gemm.lanes, item = job.item
    cdef Py_ssize_t pixels, vectors, panels, p, v, nv, o, m, b, k, n, channel, n_channels, tap, n_taps, first, run
    cdef Py_ssize_t width, step, ldc, pitch
    cdef const char* w
    cdef const char* x
    cdef const char* c
    cdef char* sums
    cdef char* y
    box.group = cut(job, cut_outputs(job, unit, &box), &box)
    pixels = box.images * box.n[0] * box.n[1] * box.n[2]
    vectors = parts_of(pixels, lanes)
    panels = parts_of(vectors, gemm.vectors)
    run = runs(job, &box)
    for b in range(job.blocks):
        channel, tap = b // job.tap_parts * job.block_channels, b % job.tap_parts * job.block_taps
        n_channels, n_taps = min(job.block_channels, job.channels - channel), min(job.block_taps, job.taps - tap)
        k, n = channel * job.taps + tap, n_channels * n_taps
        if job.in_place:
            x = seen_in_place(job, &box, channel)
        else:
            x = scratch
            if tap == 0:
                load_strip(job, &box, channel, n_channels, scratch)
        w = job.w + ((box.group * job.channels * job.taps + k) * job.outputs + box.output * n) * item
        for p in range(panels):
            v = p * vectors // panels
            nv = (p + 1) * vectors // panels - v
            width = nv * lanes
            first = min(pixels - v * lanes, width)
            gather(job, &box, x, job.off + tap, n, v * lanes, first, scratch + job.panel, width)
            sums = scratch + job.sums + v * box.outputs * lanes * item
            c, ldc, step = sums, width, lanes
            if b == 0:
                c, ldc, step = job.bias, lanes, 0
                if c != NULL:
                    c += (box.group * job.outputs + box.output) * lanes * item
            y, pitch = sums, width
            if b == job.blocks - 1 and run and first == width and v * lanes // run == (v * lanes + width - 1) // run:
                where(&box, v * lanes, at)
                y, pitch = output(job, &box, at), job.y_output // item
            o = 0
            while o < box.outputs:
                m = min(gemm.rows, box.outputs - o)
                gemm.tile[m - 1][nv - 1](n, w + o * n * item, scratch + job.panel, width,
                                         c + o * ldc * item if c != NULL else NULL, ldc, step, y + o * pitch * item, pitch)
                o += m
            if b == job.blocks - 1 and y == sums:
                write(job, &box, v * lanes, first, sums, width * item)


cdef void turn_pixels(const Job* job, const Box* box, Py_ssize_t pixels, char* panel, Py_ssize_t width) noexcept nogil:
    """panel[pixel][output] = y, of the box."""
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t pixel = 0, run, j
    cdef char* y
    while pixel < pixels:
        where(box, pixel, at)
        run = box.n[2]
        y = output(job, box, at)
        if job.side[2].y == job.item and job.y_output % job.item == 0:
            job.gemm.turn(y, job.y_output // job.item, panel + pixel * width * job.item, width, box.outputs, run)
        else:
            for j in range(run):
                copy_strided(panel + (pixel + j) * width * job.item, job.item, y + j * job.side[2].y, job.y_output,
                             box.outputs, job.item)
        pixel += run


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


cdef void gradient_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """The gradient of some channels' weights for some outputs: sums [c, t][output] over boxes of pixels, in their order."""
    cdef Box box
    cdef const fc_gemm* gemm = job.gemm
    cdef Py_ssize_t item = job.item, parts = job.image_parts, left = cut_outputs(job, unit, &box)
    cdef Py_ssize_t channel = left % job.blocks * job.block_channels, channels = min(job.block_channels, job.channels - channel)
    cdef Py_ssize_t rows = channels * job.taps, vectors = parts_of(box.outputs, gemm.lanes), width = vectors * gemm.lanes
    cdef Py_ssize_t part, pixels, r, m
    cdef Py_ssize_t* at = <Py_ssize_t*>(scratch + job.at)
    cdef char* sums = scratch + job.sums
    cdef const char* x
    cdef int a
    box.group = left // job.blocks
    for a in range(SIDES):
        parts *= job.side[a].parts
    memset(sums, 0, rows * width * item)
    memset(scratch + job.panel, 0, job.at - job.panel)
    for part in range(parts):
        cut(job, part, &box)
        pixels = box.images * box.n[0] * box.n[1] * box.n[2]
        places(job, &box, at)
        turn_pixels(job, &box, pixels, scratch + job.panel, width)
        if job.in_place:
            x = seen_in_place(job, &box, channel)
        else:
            x = scratch
            load_strip(job, &box, channel, channels, scratch)
        r = 0
        while r < rows:
            m = min(gemm.reach_rows[vectors - 1], rows - r)
            gemm.reach[m - 1][vectors - 1](pixels, x, job.off + r, at, scratch + job.panel, width, sums + r * width * item,
                                           width, sums + r * width * item, width)
            r += m
    gemm.turn(sums, width, <char*>job.w + ((box.group * job.outputs + box.output) * job.to_w + channel * job.taps) * item,
              job.to_w, rows, box.outputs)


# ---- the driver --------------------------------------------------------------------------------------------------

def pack(w, groups):
    """Weights prepared for `forward`.

    Parameters
    ----------
    w : ndarray
        (O, C / groups, *K), of a dtype of `_direct.DTYPES`, with any strides.
    groups : int
        Divides O.

    Returns
    -------
    Weights
    """
    return Weights(w, groups)


def forward(cnp.ndarray x, w, bias, cnp.ndarray y, tuple stride, tuple dilation, tuple lo, tuple boundary, int workers,
            tick=None):
    """y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] x~[n, c, p stride + t dilation - lo].

    Parameters
    ----------
    x : ndarray
        (N, C, *S) with one to three spatial axes, of a dtype of `_direct.DTYPES`, native and aligned, any strides.
    w : ndarray or Weights
        (O, C / groups, *K), of x's dtype; or what `pack` made of it.
    bias : ndarray or None
        (O,), of x's dtype.
    y : ndarray
        (N, O, *So), of x's dtype, with any strides; overlaps no other argument. Written.
    stride, dilation, lo, boundary : tuple of int
        By spatial axis. lo: y[0] takes x[-lo] for tap 0. boundary: codes of `_problem.BOUNDARIES`, without "constant".
    workers : int
        As `_threads.resolve_workers` gave it.
    tick : callable, optional
        Called with the fraction done, some times a second.
    """
    cdef Job job
    cdef Weights packed
    cdef cnp.ndarray of_bias, off
    cdef Py_ssize_t units, scratch
    cdef double seconds
    cdef int a
    if y.size == 0:
        return
    if isinstance(w, Weights):
        packed = w
    else:
        packed = Weights(w, x.shape[1] // w.shape[1] if w.shape[1] else 1)
    _pose(&job, x, y, packed.shape, packed.groups, stride, dilation, lo, boundary)
    job.w, job.bias = <const char*>cnp.PyArray_DATA(packed.data), NULL
    if bias is not None:
        of_bias = np.repeat(bias, job.gemm.lanes)
        job.bias = <const char*>cnp.PyArray_DATA(of_bias)
    job.block_channels, job.block_taps = packed.block_channels, packed.block_taps
    job.blocks, job.tap_parts = packed.blocks, packed.tap_parts
    _join(&job)
    job.output_extent = equal(job.outputs, OUTPUTS, job.gemm.rows)
    scratch = _sizes(&job, PIXELS * job.gemm.lanes * job.gemm.vectors)
    off = _offsets(&job)
    job.last_off = off.max(initial=0)
    job.off = <const Py_ssize_t*>cnp.PyArray_DATA(off)
    units = job.groups * job.image_parts * job.output_parts
    seconds = 1.0 * job.image_extent * job.output_extent * job.channels * job.taps / (3e9 * job.gemm.lanes) + 1e-6
    for a in range(SIDES):
        units *= job.side[a].parts
        seconds *= job.side[a].extent
    run(&job, <unit_function>layer_unit, units, seconds, scratch, workers, tick)


def transposed(cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, tuple stride, tuple dilation, tuple lo, Py_ssize_t groups,
               int workers, tick=None):
    """y[n, c, i] = bias[c] + sum over o, t of w[o, c, t] x[n, o, q], where q stride + t dilation - lo = i.

    This is a transposed convolution, and the gradient of `forward`'s input. Outputs of the same i modulo the stride see the
    same taps: theirs is a `forward` of stride 1.

    Parameters
    ----------
    x : ndarray
        (N, O, *S).
    w : ndarray
        (O, C / groups, *K).
    bias : ndarray or None
        (C,).
    y : ndarray
        (N, C, *So) with any sizes So. Written.
    stride, dilation, lo, groups, workers, tick
        As for `forward`, with zeros around x.
    """
    cdef int nd = x.ndim - 2
    cdef Py_ssize_t o = w.shape[0] // groups
    turned = np.moveaxis(w.reshape((groups, o, *(<object>w).shape[1:])), 1, 2)
    turned = turned.reshape((groups * w.shape[1], o, *(<object>w).shape[2:]))
    phases = [list(_phases(*side)) for side in zip((<object>w).shape[2:], stride, dilation, lo)]
    for phase in product(*phases):
        first, taps, step, begin = zip(*phase)
        forward(x, turned[(..., *taps)], bias, y[(..., *[slice(i, None, s) for i, s in zip(first, stride)])], (1,) * nd,
                step, begin, (0,) * nd, workers)


def _phases(taps, stride, dilation, lo):
    """Of each output modulo the stride: the first such, its taps from the last to the first, their dilation and lo."""
    step = gcd(stride, dilation)
    for first in range(stride):
        here = [t for t in range(min(taps, stride // step)) if (first + lo - t * dilation) % stride == 0]
        if here:
            last = here[0] + (taps - 1 - here[0]) // (stride // step) * (stride // step)
            yield (first, slice(last, here[0] - 1 if here[0] else None, -(stride // step)),
                   dilation // step, (last * dilation - first - lo) // stride)
        else:
            yield first, slice(0, 0), 1, 0


def weight_gradient(cnp.ndarray x, cnp.ndarray gy, cnp.ndarray gw, tuple stride, tuple dilation, tuple lo, tuple boundary,
                    Py_ssize_t groups, int workers, tick=None):
    """gw[o, c, t] = sum over n, p of gy[n, o, p] x~[n, c, p stride + t dilation - lo].

    Parameters
    ----------
    x : ndarray
        (N, C, *S).
    gy : ndarray
        (N, O, *So).
    gw : ndarray
        (O, C / groups, *K). Written.
    stride, dilation, lo, boundary, groups, workers, tick
        As for `forward`.
    """
    cdef Job job
    cdef Py_ssize_t scratch, parts
    cdef cnp.ndarray off, to = gw if gw.flags.c_contiguous else np.empty_like(gw, order="C")
    cdef int a
    if gw.size == 0:
        return
    _pose(&job, x, gy, (<object>gw).shape, groups, stride, dilation, lo, boundary)
    job.w, job.to_w = <const char*>cnp.PyArray_DATA(to), job.channels * job.taps
    job.block_taps, job.tap_parts = job.taps, 1
    job.block_channels = equal(job.channels, max(1, GRADIENT_ROWS // job.taps))
    job.blocks = parts_of(job.channels, job.block_channels)
    job.output_extent = equal(job.outputs, job.gemm.reach_vectors * job.gemm.lanes, job.gemm.lanes)
    scratch = _sizes(&job, GRADIENT_PIXELS)
    off = _offsets(&job)
    job.off = <const Py_ssize_t*>cnp.PyArray_DATA(off)
    parts = job.image_parts
    for a in range(SIDES):
        parts *= job.side[a].parts
    run(&job, <unit_function>gradient_unit, job.groups * job.output_parts * job.blocks,
        1e-6 + 1.0 * gy.size // gy.shape[1] * job.output_extent * job.block_channels * job.taps / (3e9 * job.gemm.lanes),
        scratch, workers, tick)
    if to is not gw:
        gw[...] = to


cdef int _pose(Job* job, cnp.ndarray x, cnp.ndarray y, tuple w, Py_ssize_t groups, tuple stride, tuple dilation, tuple lo,
               tuple boundary) except -1:
    """The arrays and axes; w: the weights' shape."""
    cdef int a, axis, missing = SIDES + 2 - x.ndim
    job.gemm, job.item = kernels_of(x.dtype), <int>x.itemsize
    job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
    job.x_end = <const char*><size_t>byte_bounds(x)[1]
    job.images, job.groups, job.channels, job.outputs = x.shape[0], groups, w[1], w[0] // groups
    job.x_image, job.x_channel, job.y_image, job.y_output = x.strides[0], x.strides[1], y.strides[0], y.strides[1]
    job.taps = 1
    for a in range(SIDES):
        axis = a - missing
        if axis < 0:
            job.side[a] = side_of(1, 1, 1, 1, 1, 0, ZERO)
        else:
            job.side[a] = side_of(x.shape[axis + 2], y.shape[axis + 2], w[axis + 2], stride[axis], dilation[axis], lo[axis],
                                  boundary[axis])
            job.side[a].x, job.side[a].y = x.strides[axis + 2], y.strides[axis + 2]
        job.taps *= job.side[a].n_taps
    return 0


cdef Side side_of(Py_ssize_t n_in, Py_ssize_t n_out, Py_ssize_t n_taps, Py_ssize_t stride, Py_ssize_t dilation,
                  Py_ssize_t lo, int boundary) noexcept:
    cdef Side side
    memset(&side, 0, sizeof(side))
    side.n_in, side.n_out, side.n_taps, side.boundary = n_in, n_out, n_taps, boundary
    side.stride, side.dilation, side.lo = stride, dilation, lo
    return side


cdef void _join(Job* job) noexcept:
    """Make one axis of those that are one: without taps beside each other, and contiguous."""
    cdef Side* outer
    cdef Side* inner = &job.side[SIDES - 1]
    cdef int a
    for a in range(SIDES - 2, -1, -1):
        outer = &job.side[a]
        if not (_plain(outer) and _plain(inner) and outer.x == inner.x * inner.n_in and outer.y == inner.y * inner.n_in):
            if outer.n_in > 1 or not _plain(outer):
                return
            continue
        inner.n_in *= outer.n_in
        inner.n_out = inner.n_in
        outer.n_in = outer.n_out = 1


cdef bint _plain(const Side* side) noexcept:
    return side.n_taps == 1 and side.stride == 1 and side.lo == 0 and side.n_in == side.n_out


cdef bint _in_place(Job* job) noexcept:
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


cdef Py_ssize_t _sizes(Job* job, Py_ssize_t pixels) noexcept:
    """Boxes of about so many pixels, and the layouts of the strip and the scratch; the bytes of the latter."""
    cdef Py_ssize_t lanes = job.gemm.lanes, width = max(job.gemm.vectors, job.gemm.reach_vectors) * lanes, span, strip
    cdef Side* side
    cdef int a
    job.to_channel = 1
    for a in range(SIDES - 1, -1, -1):
        side = &job.side[a]
        side.extent = equal(side.n_out, max(1, pixels), lanes if a == SIDES - 1 and side.n_out > pixels else 1)
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
    job.in_place = _in_place(job)
    strip = 0 if job.in_place else job.image_extent * job.to_image + 2 * lanes
    job.panel = parts_of(strip * job.item, 64) * 64
    job.at = job.panel + (max(job.block_channels * job.block_taps, pixels) + 1) * width * job.item
    job.sums = parts_of(job.at + pixels * sizeof(Py_ssize_t), 64) * 64
    return job.sums + max((pixels + lanes) * job.output_extent, job.block_channels * job.taps * width) * job.item


cdef cnp.ndarray _offsets(const Job* job):
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
