"""Gradients of layers' weights by tiles of bfloat16, for many channels, where the processor has AMX.

    gw[o, c, t] = sum over n, p of gy[n, o, p] x~[n, c, p stride + t dilation - lo]

A step of the sums is 32 places of a strip that lie side by side, where gy is 0 beyond the ends of rows. A strip is turned
to [place][channel] and split into parts, places q and q + 16 side by side, so that what a tap sees of a step is 16 rows of
a tile wherever it begins. Boxes of pixels are summed apart and then added up, in order; a unit has some channels and some
outputs. The boxes depend on the layer alone.

Numbers are looked at as by `_bf16x6`. The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _kernels
from fastconv._bf16x6 import AVAILABLE
from fastconv._direct import DTYPES
from fastconv._threads import get_num_threads

from fastconv._boundary cimport copy_strided
from fastconv._kernels.bf16x6 cimport (
    FC_BF16X6_PARTS, FC_BF16X6_ROWS, FC_BF16X6_STEP, FC_BF16X6_TABLE, FC_BF16X6_TILE, fc_bf16x6_table,
)
from fastconv._kernels.gemm cimport FC_GEMM_TABLE, fc_gemm_table
from fastconv._rounds cimport run, unit_function
from fastconv._strip cimport (
    SIDES, Box, Job, boxes, cut, cut_outputs, equal, lay_out, load_strip, offsets, output, parts_of, pose,
)

cnp.import_array()

cdef enum:
    STEP = FC_BF16X6_STEP           # places
    ROWS = 2 * FC_BF16X6_ROWS       # outputs and channels of a tile's sums
    SUMS = ROWS * ROWS
    PIXELS = 512                    # of a box, about
    CHANNELS = 256                  # of a unit, times taps
    OUTPUTS = 256                   # of a unit, at most
    LINE = 64                       # bytes of the cache

cdef const fc_bf16x6_table* TILES = NULL
if AVAILABLE:
    TILES = <const fc_bf16x6_table*>PyCapsule_GetPointer(_kernels.table("bf16x6"), FC_BF16X6_TABLE)
cdef const fc_gemm_table* TABLE = <const fc_gemm_table*>PyCapsule_GetPointer(_kernels.table("gemm"), FC_GEMM_TABLE)


cdef struct Task:
    Job layer
    float* gw
    int* unusable                   # set to 1 by a unit that meets numbers that the tiles do not take
    Py_ssize_t width                # channels of a unit, whole tiles
    Py_ssize_t places, part         # rows of the turned strip; bytes from part to part
    Py_ssize_t turned, split, steps, rows, packed, sums         # bytes from the scratch to each


cdef Py_ssize_t list_steps(const Task* task, const Box* box, Py_ssize_t* start) noexcept nogil:
    """Steps that cover the pixels of the box, each from the first pixel that is left; their number."""
    cdef const Job* job = &task.layer
    cdef Py_ssize_t image, a, b, at, end, next = 0, count = 0
    for image in range(box.images):
        for a in range(box.n[0]):
            for b in range(box.n[1]):
                at = image * job.to_channel + a * job.to_sheet + b * job.to_row
                end = at + box.n[2]
                at = max(at, next)
                while at < end:
                    start[count] = at
                    count += 1
                    at = next = at + STEP
    return count


cdef void gather_rows(const Task* task, const Box* box, const Py_ssize_t* start, Py_ssize_t steps, float* rows) noexcept nogil:
    """rows[output][step, place] = gy of the box, and 0 where no pixel is."""
    cdef const Job* job = &task.layer
    cdef Py_ssize_t[SIDES + 1] pixel
    cdef Py_ssize_t image, a, b, c, at, s = 0, n, o
    cdef const char* y
    memset(rows, 0, box.outputs * steps * STEP * sizeof(float))
    for image in range(box.images):
        for a in range(box.n[0]):
            for b in range(box.n[1]):
                c = 0
                while c < box.n[2]:
                    at = image * job.to_channel + a * job.to_sheet + b * job.to_row + c
                    while at >= start[s] + STEP:
                        s += 1
                    n = min(box.n[2] - c, start[s] + STEP - at)
                    pixel[0], pixel[1], pixel[2], pixel[3] = c, b, a, image
                    y = output(job, box, pixel)
                    for o in range(box.outputs):
                        copy_strided(<char*>(rows + (o * steps + s) * STEP + at - start[s]), sizeof(float),
                                     y + o * job.y_output, job.side[2].y, n, sizeof(float))
                    c += n


cdef bint split(const Task* task, const Box* box, Py_ssize_t channels, char* scratch) noexcept nogil:
    """The strip by places, as pairs of them in three parts; whether the tiles take it all."""
    cdef const Job* job = &task.layer
    cdef float* turned = <float*>(scratch + task.turned)
    cdef Py_ssize_t i, used = box.images * job.to_channel
    if channels < task.width:
        memset(turned, 0, used * task.width * sizeof(float))
    for i in range(box.images):
        job.gemm.turn(scratch + i * job.to_image * sizeof(float), job.to_channel,
                      turned + i * job.to_channel * task.width, task.width, channels, job.to_channel)
    memset(turned + used * task.width, 0, (task.places + STEP // 2 - used) * task.width * sizeof(float))
    return TILES.split(turned, turned + STEP // 2 * task.width, task.places * task.width, scratch + task.split, task.part)


cdef void gradient_unit(const Task* task, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Box box
    cdef const Job* job = &task.layer
    cdef Py_ssize_t left = cut_outputs(job, unit, &box), channel = left % job.blocks * task.width
    cdef Py_ssize_t channels = min(task.width, job.channels - channel), chunks = parts_of(box.outputs, ROWS)
    cdef Py_ssize_t blocks = parts_of(channels, ROWS), part, steps, s, o, m, c, v, t
    cdef Py_ssize_t* start = <Py_ssize_t*>(scratch + task.steps)
    cdef float* rows = <float*>(scratch + task.rows)
    cdef float* sums = <float*>(scratch + task.sums)
    cdef char* packed
    cdef const char* x
    box.group = left // job.blocks
    if task.unusable[0]:
        return
    TILES.begin()
    for part in range(boxes(job)):
        cut(job, part, &box)
        load_strip(job, &box, channel, channels, scratch)
        if not split(task, &box, channels, scratch):
            task.unusable[0] = 1
            break
        steps = list_steps(task, &box, start)
        gather_rows(task, &box, start, steps, rows)
        for s in range(steps):
            start[s] *= task.width * sizeof(float)
        for o in range(chunks):
            m = parts_of(min(<Py_ssize_t>ROWS, box.outputs - o * ROWS), FC_BF16X6_ROWS)
            packed = scratch + task.packed
            for s in range(steps):
                if not TILES.pack_w(rows + (o * ROWS * steps + s) * STEP, steps * STEP, box.outputs - o * ROWS, STEP, 1, m,
                                    packed + s * m * FC_BF16X6_PARTS * FC_BF16X6_TILE):
                    task.unusable[0] = 1
            for t in range(job.taps):
                for c in range(blocks):
                    v = parts_of(min(<Py_ssize_t>ROWS, channels - c * ROWS), FC_BF16X6_ROWS)
                    x = scratch + task.split + (job.off[t] * task.width + c * ROWS) * sizeof(float)
                    TILES.tile[m - 1][v - 1](steps, start, packed, x, x + LINE, task.width * sizeof(float), task.part,
                                             sums + ((o * blocks + c) * job.taps + t) * SUMS, part > 0)
    TILES.end()
    for o in range(box.outputs):
        for c in range(blocks):
            job.gemm.turn(sums + ((o // ROWS * blocks + c) * job.taps * ROWS + o % ROWS) * ROWS, SUMS,
                          task.gw + ((box.group * job.outputs + box.output + o) * job.channels + channel + c * ROWS)
                          * job.taps, job.taps, job.taps, min(<Py_ssize_t>ROWS, channels - c * ROWS))


def weight_gradient(cnp.ndarray x, cnp.ndarray gy, cnp.ndarray gw, tuple stride, tuple dilation, tuple lo, tuple boundary,
                    Py_ssize_t groups, int workers, tick=None):
    """gw[o, c, t] = sum over n, p of gy[n, o, p] x~[n, c, p stride + t dilation - lo], if the tiles can.

    Parameters
    ----------
    x, gy, gw, stride, dilation, lo, boundary, groups, workers, tick
        As for `_layer_gradients.weight_gradient`; float32.

    Returns
    -------
    bool
        Whether all numbers read were usable. If not, gw holds nothing of use.
    """
    cdef Task task
    cdef Job* job = &task.layer
    cdef int unusable = 0, threads = workers if workers > 0 else get_num_threads()
    cdef Py_ssize_t units, most, scratch
    cdef cnp.ndarray off, to = gw if gw.flags.c_contiguous else np.empty_like(gw, order="C")
    if gw.size == 0 or gy.size == 0:
        gw.fill(0)
        return True
    pose(job, &TABLE.dtype[<int>DTYPES[np.dtype(np.float32)]], x, gy, (<object>gw).shape, groups, stride, dilation, lo,
         boundary)
    task.width = equal(job.channels, max(<Py_ssize_t>ROWS, CHANNELS // job.taps), ROWS)
    job.block_channels, job.block_taps, job.tap_parts = task.width, job.taps, 1
    job.blocks = parts_of(job.channels, task.width)
    job.output_extent = equal(job.outputs, OUTPUTS, ROWS)
    if job.groups * job.blocks * parts_of(job.outputs, job.output_extent) < threads:
        job.output_extent = equal(job.outputs, max(<Py_ssize_t>ROWS, job.outputs // threads), ROWS)
    lay_out(job, PIXELS)
    job.in_place = False
    job.to_row = job.side[2].lines * job.side[2].length
    job.to_sheet = job.to_row * job.side[1].lines * job.side[1].length
    job.to_image = job.block_channels * job.to_channel
    off = offsets(job)
    job.off = <const Py_ssize_t*>cnp.PyArray_DATA(off)
    task.gw, task.unusable = <float*>cnp.PyArray_DATA(to), &unusable
    most = job.image_extent * job.side[0].extent * job.side[1].extent * parts_of(job.side[2].extent, STEP)
    task.places = job.image_extent * job.to_channel + STEP
    task.part = task.places * task.width * sizeof(float)
    task.turned = parts_of((job.image_extent * job.to_image + 32) * sizeof(float), LINE) * LINE
    task.split = task.turned + (task.places + STEP // 2) * task.width * sizeof(float)
    task.steps = task.split + FC_BF16X6_PARTS * task.part
    task.rows = parts_of(task.steps + most * sizeof(Py_ssize_t), LINE) * LINE
    task.packed = task.rows + most * STEP * job.output_extent * sizeof(float)
    task.sums = task.packed + most * 2 * FC_BF16X6_PARTS * FC_BF16X6_TILE
    scratch = task.sums + parts_of(job.output_extent, ROWS) * task.width // ROWS * job.taps * SUMS * sizeof(float)
    units = job.groups * job.blocks * job.output_parts
    run(&task, <unit_function>gradient_unit, units, 1.0 * gy.size * job.channels * job.taps / (1e11 * units) + 1e-6,
        scratch, workers, tick)
    if to is not gw and not unusable:
        gw[...] = to
    return unusable == 0
