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

from fastconv import _kernels
from fastconv._direct import DTYPES

from fastconv._boundary cimport copy_line, copy_strided, source
from fastconv._kernels.gemm cimport FC_GEMM_TABLE, fc_gemm, fc_gemm_table, fc_piece
from fastconv._rounds cimport aligned, run, unit_function

cnp.import_array()

cdef enum:
    SIDES = 3                       # spatial axes; those that lack come first and have length 1
    PRODUCTS = 192                  # a block of k: a panel of pixels stays in L1
    PIXELS = 10                     # panels of a unit, about: the weights are read once for them
    OUTPUTS = 256                   # outputs of a unit, at most
    MOST_PIECES = 3 * 32            # pixels of the widest panel

cdef const fc_gemm_table* TABLE = <const fc_gemm_table*>PyCapsule_GetPointer(_kernels.table("gemm"), FC_GEMM_TABLE)


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
    const char* w                   # packed
    const char* bias                # each value as often as a vector has lanes; or NULL
    char* y
    Side[SIDES] side
    Py_ssize_t x_image, x_channel, y_image, y_output    # bytes from one to the next
    Py_ssize_t images, groups, channels, outputs        # the last two: of a group
    Py_ssize_t image_extent, image_parts, output_extent, output_parts
    Py_ssize_t taps, block_channels, block_taps, blocks, tap_parts
    const Py_ssize_t* off           # elements from the strip's start to what product k of a block sees
    Py_ssize_t plane                # elements of a channel of the strip
    Py_ssize_t panel, sums          # bytes from the scratch (where the strip is) to the panel, to the sums

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
        cdef const fc_gemm* gemm = &TABLE.dtype[DTYPES[w.dtype]]
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

cdef void copy_steps(char* to, const char* line, const Side* side, Py_ssize_t start, Py_ssize_t step, Py_ssize_t count,
                     const char* zero, int item) noexcept nogil:
    """to[j] = element start + j step of the continued line, 0 <= j < count."""
    cdef Py_ssize_t j, s, begin, end
    if step == 1:
        copy_line(to, line, side.n_in, side.x, side.boundary, zero, start, count, item)
        return
    begin = min(count, max(0, parts_of(-start, step))) if start < 0 else 0
    end = max(begin, min(count, parts_of(side.n_in - start, step))) if start < side.n_in else begin
    copy_strided(to + begin * item, item, line + (start + begin * step) * side.x, step * side.x, end - begin, item)
    for j in range(count):
        if j < begin or j >= end:
            s = source(start + j * step, side.n_in, side.boundary)
            memcpy(to + j * item, line + s * side.x if s >= 0 else zero, item)


cdef Py_ssize_t index_of(const Side* side, Py_ssize_t first, Py_ssize_t slot) noexcept nogil:
    """The index along x that a slot of the strip holds."""
    cdef Py_ssize_t line = slot // side.length
    return (first + slot % side.length) * side.stride + (line if side.dense else line * side.dilation) - side.lo


cdef void load_strip(const Job* job, const Box* box, Py_ssize_t channel, Py_ssize_t n, char* strip) noexcept nogil:
    """Some channels of the box's images: what the taps see, line by line."""
    cdef char[16] zero
    cdef const Side* side = &job.side[0]
    cdef Py_ssize_t i, c, a, b, l, s0, s1, row = side[2].lines * side[2].length
    cdef const char* x
    cdef char* to
    memset(zero, 0, sizeof(zero))
    for i in range(box.images):
        for c in range(n):
            to = strip + (i * job.block_channels + c) * job.plane * job.item
            x = job.x + (box.image + i) * job.x_image + (box.group * job.channels + channel + c) * job.x_channel
            for a in range(side[0].lines * side[0].length):
                s0 = source(index_of(&side[0], box.first[0], a), side[0].n_in, side[0].boundary)
                for b in range(side[1].lines * side[1].length):
                    s1 = source(index_of(&side[1], box.first[1], b), side[1].n_in, side[1].boundary)
                    if s0 < 0 or s1 < 0:
                        memset(to, 0, row * job.item)
                    else:
                        for l in range(side[2].lines):
                            copy_steps(to + l * side[2].length * job.item, x + s0 * side[0].x + s1 * side[1].x, &side[2],
                                       index_of(&side[2], box.first[2], l * side[2].length), side[2].stride,
                                       side[2].length, zero, job.item)
                    to += row * job.item


cdef Py_ssize_t pieces_of(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n, fc_piece* pieces) noexcept nogil:
    """Pixels of the box from number `pixel` on, as runs in the strip; their number."""
    cdef Py_ssize_t count = 0, to = 0, left, c, r, run
    cdef Py_ssize_t row = job.side[2].lines * job.side[2].length, sheet = job.side[1].lines * job.side[1].length * row
    while to < n:
        c = pixel % box.n[2]
        left = pixel // box.n[2]
        r = left % box.n[1]
        left = left // box.n[1]
        run = min(n - to, box.n[2] - c)
        pieces[count].of = (c + r * row + left % box.n[0] * sheet
                            + left // box.n[0] * job.block_channels * job.plane)
        pieces[count].to = to
        pieces[count].n = run
        count += 1
        to += run
        pixel += run
    return count


cdef void write(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n, const char* sums, Py_ssize_t pitch) noexcept nogil:
    """Sums of pixels, from number `pixel` on, to y."""
    cdef Py_ssize_t o, left, c, r, run
    cdef char* y
    while n > 0:
        c = pixel % box.n[2]
        left = pixel // box.n[2]
        r = left % box.n[1]
        left = left // box.n[1]
        run = min(n, box.n[2] - c)
        y = (job.y + (box.image + left // box.n[0]) * job.y_image + (box.group * job.outputs + box.output) * job.y_output
             + (box.first[0] + left % box.n[0]) * job.side[0].y + (box.first[1] + r) * job.side[1].y
             + (box.first[2] + c) * job.side[2].y)
        for o in range(box.outputs):
            copy_strided(y + o * job.y_output, job.side[2].y, sums + o * pitch, job.item, run, job.item)
        sums += run * job.item
        pixel += run
        n -= run


cdef void cut(const Job* job, Py_ssize_t unit, Box* box) noexcept nogil:
    cdef int a
    box.output = unit % job.output_parts * job.output_extent
    box.outputs = min(job.output_extent, job.outputs - box.output)
    unit = unit // job.output_parts
    for a in range(SIDES - 1, -1, -1):
        box.first[a] = unit % job.side[a].parts * job.side[a].extent
        box.n[a] = min(job.side[a].extent, job.side[a].n_out - box.first[a])
        unit = unit // job.side[a].parts
    box.image = unit % job.image_parts * job.image_extent
    box.images = min(job.image_extent, job.images - box.image)
    box.group = unit // job.image_parts


cdef void layer_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Box box
    cdef fc_piece[MOST_PIECES] pieces
    cdef const fc_gemm* gemm = job.gemm
    cdef Py_ssize_t lanes = gemm.lanes, width = gemm.vectors * lanes, item = job.item
    cdef Py_ssize_t pixels, vectors, panels, p, v, nv, o, m, b, k, n, channel, n_channels, tap, n_taps, first
    cdef const char* w
    cdef char* sums
    cdef const char* c
    cut(job, unit, &box)
    pixels = box.images * box.n[0] * box.n[1] * box.n[2]
    vectors = parts_of(pixels, lanes)
    panels = parts_of(vectors, gemm.vectors)
    for b in range(job.blocks):
        channel, tap = b // job.tap_parts * job.block_channels, b % job.tap_parts * job.block_taps
        n_channels, n_taps = min(job.block_channels, job.channels - channel), min(job.block_taps, job.taps - tap)
        k, n = channel * job.taps + tap, n_channels * n_taps
        if tap == 0:
            load_strip(job, &box, channel, n_channels, scratch)
        w = job.w + (box.group * job.channels * job.taps + k) * job.outputs * item
        for p in range(panels):
            v = p * vectors // panels
            nv = (p + 1) * vectors // panels - v
            first = min(pixels - v * lanes, nv * lanes)
            gemm.gather(scratch, job.off + tap, n, pieces, pieces_of(job, &box, v * lanes, first, pieces),
                        scratch + job.panel, nv * lanes)
            o = 0
            while o < box.outputs:
                m = min(gemm.rows, box.outputs - o)
                sums = scratch + job.sums + (v * box.outputs + o * nv) * lanes * item
                if b > 0:
                    gemm.tile[m - 1][nv - 1](n, w + (box.output + o) * n * item, scratch + job.panel, nv * lanes, sums,
                                             nv * lanes, lanes, sums, nv * lanes)
                else:
                    c = job.bias
                    if c != NULL:
                        c += (box.group * job.outputs + box.output + o) * lanes * item
                    gemm.tile[m - 1][nv - 1](n, w + (box.output + o) * n * item, scratch + job.panel, nv * lanes, c, lanes,
                                             0, sums, nv * lanes)
                o += m
            if b == job.blocks - 1:
                write(job, &box, v * lanes, first, scratch + job.sums + v * box.outputs * lanes * item, nv * lanes * item)


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
    cdef int a, axis, missing = SIDES + 2 - x.ndim
    cdef Py_ssize_t units, scratch, i, most
    cdef double seconds
    cdef const fc_gemm* gemm
    if y.size == 0:
        return
    if isinstance(w, Weights):
        packed = w
    else:
        packed = Weights(w, x.shape[1] // w.shape[1] if w.shape[1] else 1)
    gemm = &TABLE.dtype[DTYPES[x.dtype]]
    job.gemm, job.item = gemm, <int>x.itemsize
    job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
    job.w = <const char*>cnp.PyArray_DATA(packed.data)
    job.bias = NULL
    if bias is not None:
        of_bias = np.repeat(bias, gemm.lanes)
        job.bias = <const char*>cnp.PyArray_DATA(of_bias)
    job.images, job.groups, job.channels, job.outputs = x.shape[0], packed.groups, packed.channels, packed.outputs
    job.taps, job.block_channels, job.block_taps = packed.taps, packed.block_channels, packed.block_taps
    job.blocks, job.tap_parts = packed.blocks, packed.tap_parts
    job.x_image, job.x_channel, job.y_image, job.y_output = x.strides[0], x.strides[1], y.strides[0], y.strides[1]
    for a in range(SIDES):
        axis = a - missing
        if axis < 0:
            job.side[a] = Side(n_in=1, n_out=1, n_taps=1, stride=1, dilation=1, lo=0, x=0, y=0, boundary=0)
        else:
            job.side[a] = Side(n_in=x.shape[axis + 2], n_out=y.shape[axis + 2], n_taps=packed.shape[axis + 2],
                               stride=stride[axis], dilation=dilation[axis], lo=lo[axis], x=x.strides[axis + 2],
                               y=y.strides[axis + 2], boundary=boundary[axis])
    scratch = _sizes(&job)
    off = _offsets(&job)
    job.off = <const Py_ssize_t*>cnp.PyArray_DATA(off)
    units = job.groups * job.image_parts * job.output_parts
    seconds = 1.0 * job.image_extent * job.output_extent * job.channels * job.taps / (3e9 * gemm.lanes) + 1e-6
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
    cdef Py_ssize_t g, c = x.shape[1] // groups, o = gy.shape[1] // groups
    for g in range(groups):
        forward(x[:, g * c:(g + 1) * c].swapaxes(0, 1), gy[:, g * o:(g + 1) * o].swapaxes(0, 1), None,
                gw[g * o:(g + 1) * o].swapaxes(0, 1), dilation, stride, lo, boundary, workers)


cdef Py_ssize_t _sizes(Job* job) noexcept:
    """How large units are, and the layout of the strip; the bytes of scratch."""
    cdef Py_ssize_t lanes = job.gemm.lanes, pixels = PIXELS * lanes * job.gemm.vectors, span, strip
    cdef Side* side
    cdef int a
    job.plane = 1
    for a in range(SIDES - 1, -1, -1):
        side = &job.side[a]
        side.extent = equal(side.n_out, max(1, pixels))
        side.parts = parts_of(side.n_out, side.extent)
        pixels = pixels // side.extent
        span = side.extent + max(0, (side.n_taps - 1) * side.dilation // side.stride)
        side.dense = span * side.stride <= side.n_taps * side.extent
        side.lines, side.length = (side.stride, span) if side.dense else (side.n_taps, side.extent)
        job.plane *= side.lines * side.length
    job.image_extent = equal(job.images, max(1, pixels))
    job.image_parts = parts_of(job.images, job.image_extent)
    job.output_extent = equal(job.outputs, OUTPUTS, job.gemm.rows)
    job.output_parts = parts_of(job.outputs, job.output_extent)
    pixels = job.image_extent
    for a in range(SIDES):
        pixels *= job.side[a].extent
    strip = job.image_extent * job.block_channels * job.plane + 2 * lanes
    job.panel = parts_of(strip * job.item, 64) * 64
    job.sums = job.panel + (job.block_channels * job.block_taps + 1) * lanes * job.gemm.vectors * job.item
    return job.sums + (pixels + lanes) * job.output_extent * job.item


cdef cnp.ndarray _offsets(const Job* job):
    """`job.off`, for the products of the first block, and all taps of its channels."""
    cdef const Side* side
    cdef int a
    off = np.zeros(1, np.intp)
    step = job.plane
    total = np.arange(job.block_channels, dtype=np.intp) * step
    for a in range(SIDES):
        side = &job.side[a]
        step //= max(1, side.lines * side.length)
        tap = np.arange(side.n_taps, dtype=np.intp) * side.dilation
        if side.dense:
            at = tap % side.stride * side.length + tap // side.stride
        else:
            at = np.arange(side.n_taps, dtype=np.intp) * side.length
        total = np.add.outer(total, at * step)
    return np.ascontiguousarray(total.ravel())
