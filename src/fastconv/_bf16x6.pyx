"""Convolution layers of float32 by tiles of bfloat16, for many channels, where the processor has AMX.

    y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] x~[n, c, p stride + t dilation - lo]

Boxes of pixels and strips of the input are those of `_layer`. A strip of some channels is split into three parts of 8 bits
each, two channels side by side, and so are the weights; the tiles of bf16x6.h then read it where it lies: a tile sees 16
pixels that a tap sees side by side, which may go on in the next row. Blocks of channels are summed apart and then added
up. How the sum of an output is blocked depends on the weights' shape alone.

Numbers whose parts a tile would lose are looked for in all that is read; if there are any, the layer is not computed. The
caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _kernels
from fastconv._direct import DTYPES
from fastconv._threads import get_num_threads

from fastconv._kernels.bf16x6 cimport (
    FC_BF16X6_BLOCKS, FC_BF16X6_PARTS, FC_BF16X6_ROWS, FC_BF16X6_STEP, FC_BF16X6_TABLE, FC_BF16X6_TILE, fc_bf16x6_table,
)
from fastconv._kernels.gemm cimport FC_GEMM_TABLE, fc_gemm_table, fc_piece
from fastconv._rounds cimport aligned, run, unit_function
from fastconv._strip cimport (
    SIDES, Box, Job, boxes, cut, cut_outputs, equal, join, lay_out, load_strip, offsets, output, parts_of, pose,
)

cnp.import_array()

cdef enum:
    LANES = 16                      # pixels of a block of columns
    ROWS = FC_BF16X6_BLOCKS * FC_BF16X6_ROWS            # outputs of a tile
    PAIRS = FC_BF16X6_STEP // 2
    STEP_BYTES = FC_BF16X6_PARTS * FC_BF16X6_TILE       # of 16 outputs
    SUMS = ROWS * ROWS              # elements of the sums of a tile
    PRODUCTS = 288                  # of a block, if that is one step or more
    PIXELS = 128                    # of a unit, at least: the weights are read once for them
    UNIT_SUMS = 128 * 1024          # of a unit: they stay in L2,
    UNIT_INPUTS = 64 * 1024         # and so do a block of channels and its parts
    OUTPUTS = 512                   # of a unit, at most
    FEW_PIXELS = 128                # if several threads want units
    FEW_OUTPUTS = 64                # the same: each splits the pixels anew
    UNITS = 4                       # of a thread, wanted
    LINE = 64                       # bytes of the cache

AVAILABLE = _kernels.has("bf16x6")
cdef extern from "simd.h" nogil:
    void fc_prefetch_to_write(const void*)

cdef const fc_bf16x6_table* TILES = NULL
if AVAILABLE:
    TILES = <const fc_bf16x6_table*>PyCapsule_GetPointer(_kernels.table("bf16x6"), FC_BF16X6_TABLE)
cdef const fc_gemm_table* TABLE = <const fc_gemm_table*>PyCapsule_GetPointer(_kernels.table("gemm"), FC_GEMM_TABLE)


cdef struct Task:
    Job layer
    const float* bias
    const Py_ssize_t* steps         # bytes from the first pair of a block to what its step sees
    int* unusable                   # set to 1 by a unit that meets such numbers
    Py_ssize_t plane, part          # bytes from pair to pair, and from part to part
    Py_ssize_t pairs, tiles, sums   # bytes from the scratch to the pairs, to the list of tiles, to the sums


# ---- weights -----------------------------------------------------------------------------------------------------

cdef struct Packing:
    const float* w
    char* to
    Py_ssize_t outputs, channels, taps, block_channels, steps
    int* unusable


cdef class Weights:
    """Weights (O, C / groups, *K), float32, as the tiles read them: by group, block of channels and 32 outputs.

    `usable` tells whether all of them are numbers that the tiles take.
    """
    cdef readonly tuple shape
    cdef readonly Py_ssize_t groups
    cdef readonly bint usable
    cdef Py_ssize_t outputs, channels, taps             # the first two: of a group
    cdef Py_ssize_t block_channels, steps               # of a group
    cdef cnp.ndarray data
    cdef dict kept

    def __init__(self, cnp.ndarray w, Py_ssize_t groups, int workers):
        cdef cnp.ndarray flat = np.ascontiguousarray(w)
        cdef Packing job
        cdef Py_ssize_t n, count
        cdef int unusable = 0
        self.shape, self.groups, self.kept = (<object>w).shape, groups, {}
        self.outputs, self.channels, self.taps = w.shape[0] // groups, w.shape[1], 1
        for n in self.shape[2:]:
            self.taps *= n
        self.block_channels = equal(self.channels, max(<Py_ssize_t>FC_BF16X6_STEP, PRODUCTS // self.taps), FC_BF16X6_STEP)
        self.steps = parts_of(self.channels, FC_BF16X6_STEP) * self.taps
        count = parts_of(self.outputs, ROWS)
        self.data = aligned(groups * parts_of(self.outputs, FC_BF16X6_ROWS) * self.steps * STEP_BYTES)
        job = Packing(<const float*>cnp.PyArray_DATA(flat), <char*>cnp.PyArray_DATA(self.data), self.outputs, self.channels,
                      self.taps, self.block_channels, self.steps, &unusable)
        run(&job, <unit_function>pack_unit, groups * count, 1e-9 * flat.size / (groups * count) + 1e-7, 0, workers, None)
        self.usable = not unusable


cdef void pack_unit(const Packing* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """32 outputs of a group."""
    cdef Py_ssize_t parts = parts_of(job.outputs, ROWS), group = unit // parts, o = unit % parts * ROWS, c, t, n
    cdef Py_ssize_t rows = min(<Py_ssize_t>ROWS, job.outputs - o), m = parts_of(rows, FC_BF16X6_ROWS), end
    cdef Py_ssize_t all_rows = parts_of(job.outputs, FC_BF16X6_ROWS), begin = 0, block_steps
    cdef const float* w = job.w + (group * job.outputs + o) * job.channels * job.taps
    cdef char* to = job.to + group * all_rows * job.steps * STEP_BYTES
    cdef char* at
    while begin < job.channels:
        end = min(job.channels, begin + job.block_channels)
        block_steps = parts_of(end - begin, FC_BF16X6_STEP) * job.taps
        at = to + o // FC_BF16X6_ROWS * block_steps * STEP_BYTES
        for c in range(begin, end, 32):
            n = min(<Py_ssize_t>FC_BF16X6_STEP, end - c)
            for t in range(job.taps):
                if not TILES.pack_w(w + c * job.taps + t, job.channels * job.taps, rows, n, job.taps, m, at):
                    job.unusable[0] = 1
                at += m * STEP_BYTES
        to += all_rows * block_steps * STEP_BYTES
        begin = end


# ---- a unit ------------------------------------------------------------------------------------------------------

cdef struct Tile:                   # 16 pixels, as taps see them side by side
    Py_ssize_t start                # bytes from the pairs to what the first tap of the first pair sees
    Py_ssize_t piece, pieces        # runs of them that lie side by side in y


cdef Py_ssize_t list_tiles(const Task* task, const Box* box, Tile* tiles, fc_piece* pieces) noexcept nogil:
    """Tiles that cover the pixels of the box, each from the first pixel that is left; their number."""
    cdef const Job* job = &task.layer
    cdef Py_ssize_t image, a, b, c, n, start, at, count = 0, piece = 0, per_image = parts_of(job.block_channels, 2)
    cdef Py_ssize_t lane, next_column = 1 if job.side[2].y != job.item else box.n[2]
    for image in range(box.images):
        start = -LANES
        for a in range(box.n[0]):
            for b in range(box.n[1]):
                c = 0
                while c < box.n[2]:
                    at = a * job.to_sheet + b * job.to_row + c
                    if at >= start + LANES:
                        start = at
                        tiles[count] = Tile(image * per_image * task.plane + at * job.item, piece, 0)
                        count += 1
                    lane = at - start
                    n = min(next_column, min(box.n[2] - c, LANES - lane))
                    pieces[piece] = fc_piece(lane, image * job.y_image + a * job.side[0].y + b * job.side[1].y
                                             + c * job.side[2].y, n)
                    piece += 1
                    tiles[count - 1].pieces += 1
                    c += n
    return count


cdef bint split(const Task* task, const Box* box, Py_ssize_t channels, char* scratch) noexcept nogil:
    """The pairs of the strip's channels; whether the tiles take them all."""
    cdef const Job* job = &task.layer
    cdef Py_ssize_t i, c, j, first
    cdef const float* x
    cdef char* to
    cdef bint usable = True
    for i in range(box.images):
        for c in range(parts_of(channels, FC_BF16X6_STEP) * PAIRS):
            first = c // PAIRS * FC_BF16X6_STEP + c % PAIRS
            x = <const float*>scratch + i * job.to_image + first * job.to_channel
            to = scratch + task.pairs + (i * parts_of(job.block_channels, 2) + c) * task.plane
            j = job.to_channel if first < channels else 0
            if not TILES.split(x, x + PAIRS * job.to_channel if first + PAIRS < channels else NULL, j, to, task.part):
                usable = False
            if j == 0:                                          # channels that lack
                for j in range(FC_BF16X6_PARTS):
                    memset(to + j * task.part, 0, job.to_channel * job.item)
    return usable


cdef void fetch(const Tile* tile, const fc_piece* pieces, Py_ssize_t rows, const char* y, Py_ssize_t ldy) noexcept nogil:
    """Bring the places of a tile's results to the cache while they are computed."""
    cdef Py_ssize_t i, p
    for i in range(rows):
        for p in range(tile.piece, tile.piece + tile.pieces):
            fc_prefetch_to_write(y + pieces[p].to)
            fc_prefetch_to_write(y + pieces[p].to + pieces[p].n * sizeof(float) - 1)
        y += ldy


cdef void layer_unit(const Task* task, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Box box
    cdef const Job* job = &task.layer
    cdef Py_ssize_t[SIDES + 1] at
    cdef Py_ssize_t rows = parts_of(job.outputs, FC_BF16X6_ROWS), chunks, b, channels, steps, count, v, nv, j, o, m
    cdef Tile* tiles = <Tile*>(scratch + task.tiles)
    cdef fc_piece* pieces
    cdef const char* w
    cdef const char* x
    cdef const float* bias
    cdef float* sums
    cdef char* y
    if task.unusable[0]:
        return
    box.group = cut(job, cut_outputs(job, unit, &box), &box)
    pieces = <fc_piece*>(tiles + box.images * box.n[0] * box.n[1] * box.n[2])
    count = list_tiles(task, &box, tiles, pieces)
    chunks = parts_of(box.outputs, ROWS)
    at[0] = at[1] = at[2] = at[3] = 0
    y = output(job, &box, at)
    w = job.w + box.group * rows * job.to_w * STEP_BYTES
    x = scratch + task.pairs
    TILES.begin()
    for b in range(job.blocks):
        channels = min(job.block_channels, job.channels - b * job.block_channels)
        steps = parts_of(channels, FC_BF16X6_STEP) * job.taps
        load_strip(job, &box, b * job.block_channels, channels, scratch)
        if not split(task, &box, channels, scratch):
            task.unusable[0] = 1
            break
        for v in range(0, count, 2):
            nv = min(<Py_ssize_t>FC_BF16X6_BLOCKS, count - v)
            for o in range(chunks):
                m = min(<Py_ssize_t>ROWS, box.outputs - o * ROWS)
                sums = <float*>(scratch + task.sums) + ((v // 2 * chunks + o) * SUMS if job.blocks > 1 else 0)
                if b == job.blocks - 1:
                    for j in range(nv):
                        fetch(&tiles[v + j], pieces, m, y + o * ROWS * job.y_output, job.y_output)
                TILES.tile[parts_of(m, FC_BF16X6_ROWS) - 1][nv - 1](
                    steps, task.steps, w + (box.output + o * ROWS) // FC_BF16X6_ROWS * steps * STEP_BYTES,
                    x + tiles[v].start, x + tiles[v + nv - 1].start, task.plane, task.part, sums, b > 0)
                if b < job.blocks - 1:
                    continue
                bias = NULL
                if task.bias != NULL:
                    bias = task.bias + box.group * job.outputs + box.output + o * ROWS
                for j in range(nv):
                    TILES.put(sums + j * LANES, m, bias, pieces + tiles[v + j].piece, tiles[v + j].pieces,
                              y + o * ROWS * job.y_output, job.y_output)
        w += rows * steps * STEP_BYTES
    TILES.end()


# ---- the driver --------------------------------------------------------------------------------------------------

def correlate(cnp.ndarray x, Weights w, bias, cnp.ndarray y, tuple stride, tuple dilation, tuple lo, tuple boundary,
              int workers, tick=None):
    """y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] x~[n, c, p stride + t dilation - lo], if the tiles can.

    Parameters
    ----------
    x, y : ndarray
        As for `_layer.forward`; float32.
    w : Weights
        Usable ones.
    bias, stride, dilation, lo, boundary, workers, tick
        As for `_layer.forward`.

    Returns
    -------
    bool
        Whether all numbers read were usable. If not, y holds nothing of use.
    """
    cdef Task task
    cdef Job* job = &task.layer
    cdef int unusable = 0, threads = workers if workers > 0 else get_num_threads()
    cdef Py_ssize_t scratch, units
    cdef cnp.ndarray steps, of_bias
    if y.size == 0:
        return True
    pose(job, &TABLE.dtype[<int>DTYPES[np.dtype(np.float32)]], x, y, w.shape, w.groups, stride, dilation, lo, boundary)
    job.block_channels, job.block_taps, job.tap_parts = w.block_channels, w.taps, 1
    job.blocks, job.to_w, job.w = parts_of(w.channels, w.block_channels), w.steps, <const char*>cnp.PyArray_DATA(w.data)
    join(job)
    scratch = divide(&task, y.size // job.outputs, UNITS * threads if threads > 1 else 1)
    first = np.arange(job.block_channels // FC_BF16X6_STEP, dtype=np.intp) * (PAIRS * task.plane)
    steps = np.add.outer(first, offsets(job)[:job.taps] * job.item)
    task.steps, task.unusable, task.bias = <const Py_ssize_t*>cnp.PyArray_DATA(steps), &unusable, NULL
    if bias is not None:
        of_bias = np.ascontiguousarray(bias)
        task.bias = <const float*>cnp.PyArray_DATA(of_bias)
    units = job.groups * boxes(job) * job.output_parts
    run(&task, <unit_function>layer_unit, units, 1.0 * y.size * job.channels * job.taps / (1e11 * units) + 1e-6, scratch,
        workers, tick, w.kept)
    return unusable == 0


cdef Py_ssize_t divide(Task* task, Py_ssize_t pixels, Py_ssize_t wanted) noexcept:
    """Units, as many as wanted if there can be so many, and the layout of the scratch; its bytes."""
    cdef Job* job = &task.layer
    cdef Py_ssize_t extent, units
    job.output_extent = equal(job.outputs, OUTPUTS, ROWS)
    extent = max(<Py_ssize_t>PIXELS, min(UNIT_SUMS // job.output_extent, UNIT_INPUTS // job.block_channels))
    if wanted > 1:
        extent = max(<Py_ssize_t>FEW_PIXELS, min(extent, pixels // wanted))
    lay_out(job, extent)
    units = job.groups * boxes(job)
    if units < wanted:
        job.output_extent = equal(job.outputs, max(<Py_ssize_t>FEW_OUTPUTS, job.outputs * units // wanted), ROWS)
        lay_out(job, extent)
    job.in_place = False
    job.to_row = job.side[2].lines * job.side[2].length
    job.to_sheet = job.to_row * job.side[1].lines * job.side[1].length
    job.to_image = job.block_channels * job.to_channel
    pixels = job.image_extent * job.side[0].extent * job.side[1].extent * job.side[2].extent
    # An odd number of lines from pair to pair, so that they do not share cache sets.
    task.plane = (parts_of(job.to_channel * job.item, LINE) // 2 * 2 + 1) * LINE
    task.part = job.image_extent * job.block_channels // 2 * task.plane
    task.pairs = parts_of((job.image_extent * job.to_image + 2 * LANES) * job.item, LINE) * LINE
    task.tiles = task.pairs + FC_BF16X6_PARTS * task.part + LINE
    task.sums = parts_of(task.tiles + (pixels + 1) * (sizeof(Tile) + sizeof(fc_piece)), LINE) * LINE
    units = parts_of(pixels, 2) * parts_of(job.output_extent, ROWS) if job.blocks > 1 else 1
    return task.sums + units * SUMS * sizeof(float)
