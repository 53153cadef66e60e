"""Layers of 3 x 3 taps by Winograd's algorithm: F(2x2, 3x3) and F(4x4, 3x3), of float32 and float64.

    y[n, o] = bias[o] + sum over c, i, j of w[o, c, i, j] x~[n, c, r + i - lo, q + j - lo]

Tiles of m x m outputs: the inputs of each, (m + 2) x (m + 2), are transformed by channel; at each of the (m + 2)^2 points
the channels are summed, a product of matrices; the sums are transformed back. That is 4 or 2.25 products an output where
the sum has 9. A block of tiles small enough for its transforms to stay in L2 is taken through all of it, panel by panel of
output channels; where channels are too many for that, point by point, of which each has a small part of the transforms, and
the sums of all panels are kept till they are transformed back. Where there are
few blocks for the threads, they are transformed first, and then panels of output channels are units of their own. So it is,
too, where taps serve one call of few blocks: then each unit transforms those of its panel, which stay in L2; all of them
would not. The sums are the same, in the same order, however the work is divided.

In float32 and for 16 to 1024 channels, the rms error of F(2x2, 3x3) is 0.9 to 1.2 times that of direct sums in blocks,
and that of F(4x4, 3x3) 2.4 to 3.4 times; channels are summed in short chains, so that it does not grow with them.

A value that is not finite would spread over its tile: outputs of such tiles are summed again as they are written. The
caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memset
cimport numpy as cnp

from functools import lru_cache

import numpy as np

from fastconv import _kernels
from fastconv._toom_cook import POINTS, transforms

from fastconv._boundary cimport copy_strided, source
from fastconv._kernels.winograd cimport FC_WINOGRAD_TABLE, fc_winograd, fc_winograd_table
from fastconv._rounds cimport aligned, borrow, give_back, run, unit_function
from fastconv._threads cimport team_done, team_size

cdef extern from "simd.h" nogil:
    void fc_prefetch(const void*)

cnp.import_array()

cdef enum:
    BLOCK_BYTES = 512 * 1024        # transforms of a block's inputs: they, the sums and the taps share L2
    LEAST_TILES = 28                # in a block, since all transforms of the taps are read for each
    MOST_TILES = 112
    MANY_BLOCKS = 4                 # for each thread: they divide the work well enough
    L1_PART = 1024                  # rows a multiple of this apart share too few cache sets
    PANEL_BYTES = 1280 * 1024       # of a panel's transformed taps, where they are to stay in L2
    ONCE_BYTES = 16 * 1024 * 1024   # most memory for all blocks' transforms, for taps that serve once
    CHUNK = 16                      # input channels whose taps are gathered at a time; at least the lanes
cdef double PRODUCTS = 2e9          # per lane and second: a rough estimate

cdef const fc_winograd_table* TABLE = <const fc_winograd_table*>PyCapsule_GetPointer(
    _kernels.table("winograd"), FC_WINOGRAD_TABLE)


cdef struct Job:
    const fc_winograd* kernels
    int item, lanes, m, n, which                        # which: of a kernel's two entries
    const char* x
    const char* w                                       # (outputs, inputs, 3, 3), contiguous
    char* u                                             # [panel][point][input][lane]; NULL: units make their own
    const double* g                                     # taps to their values at the points
    int wide                                            # vectors in a panel, but perhaps the last
    bint by_points                                      # a block's order
    Py_ssize_t u_bytes                                  # of one panel
    const char* bias                                    # of whole panels
    char* y
    const char* constants
    Py_ssize_t[4] x_stride, y_stride
    Py_ssize_t inputs, outputs, panels, n_rows, n_cols, out_rows, out_cols
    Py_ssize_t lo_row, lo_col
    int row_boundary, col_boundary
    const char* end                                     # of the memory between x's first and last element
    Py_ssize_t tile_rows, tile_cols, lines              # tiles; rows of tiles in all images
    Py_ssize_t block_rows, block_cols, across, blocks   # tiles in a block; blocks side by side, in all
    Py_ssize_t pitch, step, sums_step                   # elements from tile to tile; point to point; the same of sums
    Py_ssize_t ring, line, pixels, sums                 # bytes of scratch
    char* v                                             # the blocks' transforms, where blocks are few
    Py_ssize_t v_bytes                                  # of one block


cdef Py_ssize_t odd_lines(Py_ssize_t elements, int item) noexcept nogil:
    """At least so many elements, an odd number of cache lines: what lies so far apart spreads over all sets."""
    cdef Py_ssize_t lines = (elements * item + 63) // 64
    return (lines + 1 - lines % 2) * 64 // item


cdef struct Place:                                      # one block's tiles
    Py_ssize_t first, end, col, cols                    # rows of tiles; its columns of tiles


cdef inline Place place_of(const Job* job, Py_ssize_t block) noexcept nogil:
    cdef Place p
    p.first = block // job.across * job.block_rows
    p.end = min(job.lines, p.first + job.block_rows)
    p.col = block % job.across * job.block_cols
    p.cols = min(job.block_cols, job.tile_cols - p.col)
    return p


# ---- inputs ------------------------------------------------------------------------------------------------------

cdef void gather(const Job* job, const char* x, Py_ssize_t channels, Py_ssize_t count, char* to, char* line) noexcept nogil:
    """to[i][c] = element i of a row of channel c."""
    cdef Py_ssize_t last = (channels - 1) * job.x_stride[1], whole = (count + job.lanes - 1) // job.lanes * job.lanes, c
    if job.x_stride[3] == job.item or count == 1:
        job.kernels.gather(x, job.x_stride[1] // job.item, channels, count,
                           x + max(last, 0) + whole * job.item <= job.end, to)
        return
    for c in range(channels):
        copy_strided(line + c * whole * job.item, job.item, x + c * job.x_stride[1], job.x_stride[3], count, job.item)
    job.kernels.gather(line, whole, channels, count, True, to)


cdef void fill_row(const Job* job, const char* x, Py_ssize_t channels, Py_ssize_t row, Py_ssize_t col, Py_ssize_t count,
                   char* to, char* line) noexcept nogil:
    """`count` elements of a row of x continued beyond its ends, from `col` on, channels in the lanes."""
    cdef Py_ssize_t vector = job.lanes * job.item, begin = min(count, max(0, -col)), end, i, s
    row = source(row, job.n_rows, job.row_boundary)
    if row < 0:
        memset(to, 0, count * vector)
        return
    x += row * job.x_stride[2]
    end = max(begin, min(count, job.n_cols - col))
    if end > begin:
        gather(job, x + (col + begin) * job.x_stride[3], channels, end - begin, to + begin * vector, line)
    i = 0 if begin > 0 else end
    while i < count:
        s = source(col + i, job.n_cols, job.col_boundary)
        if s < 0:
            memset(to + i * vector, 0, vector)
        else:
            gather(job, x + s * job.x_stride[3], channels, 1, to + i * vector, line)
        i = i + 1 if i + 1 != begin else end


cdef void transform(const Job* job, Py_ssize_t block, Py_ssize_t vector, char* v, char* scratch) noexcept nogil:
    """The transforms of a vector of input channels."""
    cdef Place p = place_of(job, block)
    cdef Py_ssize_t count = job.m * p.cols + 2, size = job.lanes * job.item, image = -1, row, next_row = 0, r, i
    cdef Py_ssize_t channels = min(<Py_ssize_t>job.lanes, job.inputs - vector * job.lanes)
    cdef char* ring = scratch
    cdef char* line = scratch + job.ring
    cdef const char* x = NULL
    cdef const void* rows[6]
    cdef int a
    for r in range(p.first, p.end):
        i = r % job.tile_rows
        if r // job.tile_rows != image:
            image = r // job.tile_rows
            next_row = i * job.m
            x = job.x + image * job.x_stride[0] + vector * job.lanes * job.x_stride[1]
        for row in range(next_row, i * job.m + job.n):
            fill_row(job, x, channels, row - job.lo_row, p.col * job.m - job.lo_col, count,
                     ring + row % job.n * (job.ring // job.n), line)
        next_row = i * job.m + job.n
        for a in range(job.n):
            rows[a] = ring + (i * job.m + a) % job.n * (job.ring // job.n)
        job.kernels.input[job.which](rows, p.cols, job.constants, v + (r - p.first) * p.cols * job.pitch * job.item
                                     + vector * size, job.pitch, job.step)


# ---- outputs -----------------------------------------------------------------------------------------------------

cdef void redo(const Job* job, const Place* p, Py_ssize_t r, Py_ssize_t first, Py_ssize_t count, char* pixels,
               char* patch, bint* packed) noexcept nogil:
    """Sum the outputs of the tiles of one row that hold a value that is not finite, as the definition does."""
    cdef Py_ssize_t size = job.lanes * job.item, image = r // job.tile_rows, top = r % job.tile_rows * job.m
    cdef Py_ssize_t patch_bytes = job.inputs * job.n * job.n * job.item, t, c, k, o, left, row, col, i, j, width
    cdef char* taps = patch + (patch_bytes + 63) // 64 * 64
    cdef const char* x
    cdef const char* w
    cdef bint finite
    for t in range(p.cols):
        left = (p.col + t) * job.m
        width = min(<Py_ssize_t>job.m, count - t * job.m)
        finite = True
        for i in range(min(<Py_ssize_t>job.m, job.out_rows - top)):
            for j in range(width * job.lanes):
                k = (i * count + t * job.m) * job.lanes + j
                if job.item == 4:
                    finite &= (<float*>pixels)[k] - (<float*>pixels)[k] == 0
                else:
                    finite &= (<double*>pixels)[k] - (<double*>pixels)[k] == 0
        if finite:
            continue
        if not packed[0]:
            packed[0] = True
            memset(taps, 0, job.inputs * 9 * size)
            for o in range(min(<Py_ssize_t>job.lanes, job.outputs - first)):
                w = job.w + (first + o) * job.inputs * 9 * job.item
                copy_strided(taps + o * job.item, size, w, job.item, job.inputs * 9, job.item)
        memset(patch, 0, patch_bytes)
        for i in range(job.n):
            row = source(top + i - job.lo_row, job.n_rows, job.row_boundary)
            for j in range(job.n):
                col = source(left + j - job.lo_col, job.n_cols, job.col_boundary)
                if row >= 0 and col >= 0:
                    x = job.x + image * job.x_stride[0] + row * job.x_stride[2] + col * job.x_stride[3]
                    copy_strided(patch + (i * job.n + j) * job.item, job.n * job.n * job.item, x, job.x_stride[1],
                                 job.inputs, job.item)
        job.kernels.direct[job.which](patch, taps, job.inputs, job.bias + first * job.item,
                                      pixels + t * job.m * size, count, width)


cdef void put(const Job* job, const char* pixels, Py_ssize_t rows, Py_ssize_t count, Py_ssize_t channels, char* y,
              char* line) noexcept nogil:
    """Rows of outputs, channels in the lanes, to y."""
    cdef Py_ssize_t i, c, plane = job.y_stride[1] // job.item
    if job.y_stride[3] == job.item and job.y_stride[2] == count * job.item:
        job.kernels.scatter(pixels, rows * count, channels, y, plane)
        return
    for i in range(rows):
        if job.y_stride[3] == job.item:
            job.kernels.scatter(pixels, count, channels, y, plane)
        else:
            job.kernels.scatter(pixels, count, channels, line, count)
            for c in range(channels):
                copy_strided(y + c * job.y_stride[1], job.y_stride[3], line + c * count * job.item, job.item, count,
                             job.item)
        pixels += count * job.lanes * job.item
        y += job.y_stride[2]


cdef inline int vectors_of(const Job* job, Py_ssize_t panel) noexcept nogil:
    return 2 if job.wide == 2 and job.outputs - panel * 2 * job.lanes > job.lanes else 1


cdef void multiply(const Job* job, const Place* p, Py_ssize_t panel, Py_ssize_t e, const char* v, const char* u,
                   char* sums) noexcept nogil:
    """The sums over the inputs at point e, for a panel of output channels, of transformed taps u."""
    cdef int vectors = vectors_of(job, panel)
    cdef Py_ssize_t width = vectors * job.lanes
    job.kernels.multiply[vectors - 1](v + e * job.step * job.item, job.pitch, (p.end - p.first) * p.cols,
                                      u + e * odd_lines(job.inputs * width, job.item) * job.item, job.inputs,
                                      sums + e * job.sums_step * job.item, width)


cdef void transform_back(const Job* job, const Place* p, Py_ssize_t panel, const char* sums, char* scratch) noexcept nogil:
    """The outputs of a panel."""
    cdef Py_ssize_t first = panel * job.wide * job.lanes, r, i
    cdef int vectors = vectors_of(job, panel), j
    cdef Py_ssize_t width = vectors * job.lanes, count = min(job.m * p.cols, job.out_cols - p.col * job.m)
    cdef char* pixels = scratch
    cdef char* line = pixels + job.pixels
    cdef char* patch = line + job.line
    cdef char* y
    cdef bint packed
    for j in range(vectors):
        packed = False
        for r in range(p.first, p.end):
            i = r % job.tile_rows * job.m
            if not job.kernels.output[job.which](
                    sums + ((r - p.first) * p.cols * width + j * job.lanes) * job.item, width, job.sums_step, p.cols,
                    job.constants, job.bias + first * job.item, pixels, count, count):
                redo(job, p, r, first, count, pixels, patch, &packed)
            y = job.y + r // job.tile_rows * job.y_stride[0] + first * job.y_stride[1] + i * job.y_stride[2] \
                + p.col * job.m * job.y_stride[3]
            put(job, pixels, min(<Py_ssize_t>job.m, job.out_rows - i), count,
                min(<Py_ssize_t>job.lanes, job.outputs - first), y, line)
        first += job.lanes


cdef void panel_of(const Job* job, Py_ssize_t block, Py_ssize_t panel, const char* v, const char* u, char* scratch) noexcept nogil:
    """One panel of output channels: the sums at every point, and back."""
    cdef Place p = place_of(job, block)
    cdef Py_ssize_t e
    for e in range(job.n * job.n):
        multiply(job, &p, panel, e, v, u, scratch)
    transform_back(job, &p, panel, scratch, scratch + job.sums)


# ---- units -------------------------------------------------------------------------------------------------------

cdef void block_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef char* v = scratch
    cdef Place p
    cdef Py_ssize_t k, e
    scratch += job.v_bytes
    for k in range((job.inputs + job.lanes - 1) // job.lanes):
        transform(job, unit, k, v, scratch)
    if not job.by_points:
        for k in range(job.panels):
            panel_of(job, unit, k, v, job.u + k * job.u_bytes, scratch)
        return
    p = place_of(job, unit)
    for e in range(job.n * job.n):
        for k in range(job.panels):
            multiply(job, &p, k, e, v, job.u + k * job.u_bytes, scratch + k * job.sums)
    for k in range(job.panels):
        transform_back(job, &p, k, scratch + k * job.sums, scratch + job.panels * job.sums)


cdef void input_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    transform(job, unit % job.blocks, unit // job.blocks, job.v + unit % job.blocks * job.v_bytes, scratch)


cdef void output_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Py_ssize_t panel = unit // job.blocks
    panel_of(job, unit % job.blocks, panel, job.v + unit % job.blocks * job.v_bytes, job.u + panel * job.u_bytes, scratch)


cdef void panel_unit(const Job* job, Py_ssize_t panel, char* scratch) noexcept nogil:
    """A panel of all blocks; its transformed taps are kept in scratch."""
    cdef Py_ssize_t block
    transform_taps(job, panel, scratch, scratch + job.u_bytes)
    for block in range(job.blocks):
        panel_of(job, block, panel, job.v + block * job.v_bytes, scratch, scratch + job.u_bytes)


cdef void taps_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    transform_taps(job, unit, job.u + unit * job.u_bytes, scratch)


cdef void transform_taps(const Job* job, Py_ssize_t panel, char* u, char* scratch) noexcept nogil:
    """The transforms of the taps of one panel."""
    cdef Py_ssize_t first = panel * job.wide * job.lanes, outputs, k, c, i, size = job.lanes * job.item
    cdef int vectors = vectors_of(job, panel), j
    cdef Py_ssize_t row = 9 * job.inputs, count, whole, line
    for j in range(vectors):
        outputs = min(<Py_ssize_t>job.lanes, job.outputs - first)
        c = 0
        while c < job.inputs:
            count = 9 * min(<Py_ssize_t>CHUNK, job.inputs - c)
            whole = (count + job.lanes - 1) // job.lanes * job.lanes
            job.kernels.gather(job.w + (first * row + 9 * c) * job.item, row, outputs, count,
                               (first + outputs - 1) * row + 9 * c + whole <= job.outputs * row, scratch)
            for i in range(count // 9):
                if i < outputs and c + CHUNK < job.inputs:          # the next taps of one output
                    for line in range(0, 9 * CHUNK * job.item, 64):
                        fc_prefetch(job.w + ((first + i) * row + 9 * (c + CHUNK)) * job.item + line)
                k = (c + i) * vectors + j
                job.kernels.weights[job.which](scratch + 9 * i * size, job.g, u + k * size,
                                               odd_lines(job.inputs * vectors * job.lanes, job.item))
            c += CHUNK
        first += job.lanes


# ---- from Python -------------------------------------------------------------------------------------------------

@lru_cache
def constants(m, dtype):
    """What the kernels' transforms are made of: a, b, a^2, b^2, a^2 b^2, a^2 + b^2, a^3, b^3 of the points +-a, +-b."""
    a, b = POINTS[m][1], POINTS[m][3] if m == 4 else 0
    return np.array([float(c) for c in (a, b, a**2, b**2, a**2 * b**2, a**2 + b**2, a**3, b**3)], dtype)


@lru_cache
def taps_matrix(m):
    """G: taps to their values at the points."""
    return np.array([[float(value) for value in row] for row in transforms(POINTS[m], 3)[1]])


cdef class Weights:
    """The taps of a layer: transformed, to be used many times, by several threads too; or to be used once."""

    cdef cnp.ndarray u, w
    cdef dict kept
    cdef readonly int m

    def __init__(self, cnp.ndarray w, int m, int workers=0, bint once=False):
        """w: (outputs, inputs, 3, 3), float32 or float64; m: 2 or 4, the side of a tile."""
        self.w = np.array(w, w.dtype.newbyteorder("="), order="C", copy=None if once else True)
        self.m = m
        self.kept = {}
        self.u = None if once else transformed(self.w, m, workers)

    @property
    def shape(self):
        return (<object>self.w).shape

    @property
    def dtype(self):
        return self.w.dtype

    @property
    def nbytes(self):
        """Memory that is held."""
        return self.w.nbytes + (0 if self.u is None else self.u.nbytes)


cdef cnp.ndarray transformed(cnp.ndarray w, int m, int workers):
    """The transforms of all taps."""
    cdef Job job
    cdef cnp.ndarray g = taps_matrix(m), u
    begin(&job, w, m, 2)
    u = aligned(max(<Py_ssize_t>1, job.panels * job.u_bytes))
    job.u, job.g = <char*>cnp.PyArray_DATA(u), <const double*>cnp.PyArray_DATA(g)
    run(&job, <unit_function>taps_unit, job.panels, 1e-9 + 2 * job.lanes * job.inputs * 5e-9, taps_bytes(&job), workers, None)
    return u


cdef Py_ssize_t taps_bytes(const Job* job) noexcept nogil:
    """What transform_taps takes."""
    return 9 * CHUNK * job.lanes * job.item


cdef void begin(Job* job, cnp.ndarray w, int m, int wide):
    job.item = cnp.PyArray_ITEMSIZE(w)
    job.kernels = &TABLE.dtype[job.item == 8]
    job.lanes, job.m, job.n, job.which = job.kernels.lanes, m, m + 2, m == 4
    job.outputs, job.inputs, job.wide = w.shape[0], w.shape[1], wide
    job.panels = (job.outputs + wide * job.lanes - 1) // (wide * job.lanes)
    job.u_bytes = job.n * job.n * odd_lines(job.inputs * wide * job.lanes, job.item) * job.item
    job.w = <const char*>cnp.PyArray_DATA(w)


cdef void divide(Job* job, Py_ssize_t images):
    """Into blocks, and how their transforms lie in memory."""
    cdef Py_ssize_t size = job.lanes * job.item, points = job.n * job.n, most
    job.step = (job.inputs + job.lanes - 1) // job.lanes * job.lanes
    if job.step * job.item % L1_PART == 0:
        job.step += job.lanes
    job.pitch = odd_lines(points * job.step, job.item)          # a tile's points side by side: few pages are written to
    job.tile_rows, job.tile_cols = (job.out_rows + job.m - 1) // job.m, (job.out_cols + job.m - 1) // job.m
    job.lines = images * job.tile_rows
    most = min(<Py_ssize_t>MOST_TILES, BLOCK_BYTES // (job.pitch * job.item))
    job.by_points = most < LEAST_TILES
    if job.by_points:
        most = MOST_TILES
    job.across = (job.tile_cols + most - 1) // most
    job.block_cols = (job.tile_cols + job.across - 1) // job.across
    job.across = (job.tile_cols + job.block_cols - 1) // job.block_cols
    job.block_rows = max(1, most // job.block_cols)
    job.blocks = (job.lines + job.block_rows - 1) // job.block_rows
    job.block_rows = (job.lines + job.blocks - 1) // job.blocks
    job.blocks = (job.lines + job.block_rows - 1) // job.block_rows * job.across
    job.sums_step = odd_lines(job.block_rows * job.block_cols * 2 * job.lanes, job.item)
    job.ring = job.n * (job.m * job.block_cols + 2) * size
    job.line = (job.m * job.block_cols + 2 + job.lanes) * size
    job.pixels = job.m * job.m * job.block_cols * size
    job.sums = points * job.sums_step * job.item
    job.v_bytes = job.block_rows * job.block_cols * job.pitch * job.item


def correlate(cnp.ndarray x, Weights weights, bias, cnp.ndarray y, tuple lo, tuple boundary, int workers, tick=None):
    """y[n, o] = bias[o] + the correlation of x[n] with w[o], stride 1.

    x (images, inputs, rows, columns) and y (images, outputs, rows, columns) are aligned and of the dtype of the taps, of
    any strides; y overlaps no input. lo: by axis, output r begins its window at input r - lo. boundary: by axis, a code of
    _problem.BOUNDARIES; a constant is zero.
    """
    cdef Job job
    cdef cnp.ndarray table, padded, g, u = weights.u, v = None
    cdef Py_ssize_t scratch, whole, redone, inputs, taps, high = 0
    cdef double seconds
    cdef int a, team
    if y.size == 0:
        return
    if weights.w.shape[1] == 0:
        y[...] = 0 if bias is None else bias[:, None, None]
        return
    begin(&job, weights.w, weights.m, 2)
    table = constants(weights.m, weights.w.dtype)
    padded = np.zeros(job.outputs + 2 * job.lanes, weights.w.dtype)
    if bias is not None:
        padded[:job.outputs] = bias
    job.x, job.y = <const char*>cnp.PyArray_DATA(x), <char*>cnp.PyArray_DATA(y)
    job.bias = <const char*>cnp.PyArray_DATA(padded)
    job.constants = <const char*>cnp.PyArray_DATA(table)
    for a in range(4):
        job.x_stride[a], job.y_stride[a] = x.strides[a], y.strides[a]
        high += max(<Py_ssize_t>0, (x.shape[a] - 1) * x.strides[a])
    job.end = job.x + high + job.item
    job.n_rows, job.n_cols, job.out_rows, job.out_cols = x.shape[2], x.shape[3], y.shape[2], y.shape[3]
    job.lo_row, job.lo_col = lo
    job.row_boundary, job.col_boundary = boundary
    divide(&job, x.shape[0])
    redone = (job.inputs * job.n * job.n * job.item + 63) // 64 * 64 + job.inputs * 9 * job.lanes * job.item
    scratch = max(job.ring + job.line, job.sums + job.pixels + job.line + redone)
    seconds = job.n * job.n * job.inputs * job.block_rows * job.block_cols * job.outputs / (PRODUCTS * job.lanes)
    whole = job.v_bytes + (job.panels - 1) * job.sums + scratch if job.by_points else job.v_bytes + scratch
    if u is None:
        inputs, taps = job.blocks * job.v_bytes, job.panels * job.u_bytes
        if inputs <= ONCE_BYTES and job.panels * inputs <= (2 + job.blocks) * taps:     # what goes beyond L2, or may
            if job.u_bytes > PANEL_BYTES:
                begin(&job, weights.w, weights.m, 1)
            g = taps_matrix(weights.m)
            v = aligned(inputs)
            job.v, job.g = <char*>cnp.PyArray_DATA(v), <const double*>cnp.PyArray_DATA(g)
            transform_inputs(&job, seconds, scratch, workers, weights.kept)
            run(&job, <unit_function>panel_unit, job.panels,
                1e-9 + job.blocks * seconds / job.panels + job.wide * job.lanes * job.inputs * 5e-9,
                job.u_bytes + max(scratch, taps_bytes(&job)), workers, tick, weights.kept)
            return
        u = transformed(weights.w, weights.m, workers)
    job.u = <char*>cnp.PyArray_DATA(u)
    team = team_size(workers, seconds * job.blocks)
    team_done(team)
    if job.blocks % team == 0 or job.blocks >= MANY_BLOCKS * team:
        run(&job, <unit_function>block_unit, job.blocks, 1e-9 + seconds, whole, workers, tick, weights.kept)
        return
    v = borrow(weights.kept, job.blocks * job.v_bytes)
    job.v = <char*>cnp.PyArray_DATA(v)
    transform_inputs(&job, seconds, scratch, workers, weights.kept)
    run(&job, <unit_function>output_unit, job.blocks * job.panels, 1e-9 + seconds / job.panels, scratch, workers, tick,
        weights.kept)
    give_back(weights.kept, v)


cdef int transform_inputs(const Job* job, double seconds, Py_ssize_t scratch, int workers, dict kept) except -1:
    """Of all blocks."""
    return run(job, <unit_function>input_unit, job.blocks * ((job.inputs + job.lanes - 1) // job.lanes),
               1e-9 + seconds / 8 / max(<Py_ssize_t>1, job.inputs // job.lanes), scratch, workers, None, kept)
