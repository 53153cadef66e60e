"""The gradient of a layer's weights as matrix products, over the boxes of pixels and strips of `_layer`.

How a sum is blocked depends on the layer alone, so that results do not depend on the number of threads. The caller has
validated everything.
"""

from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv._boundary cimport copy_strided
from fastconv._kernels.gemm cimport fc_gemm
from fastconv._layer cimport kernels_of, wanted_units
from fastconv._rounds cimport run, unit_function
from fastconv._strip cimport (
    Box, Job, boxes, cut, cut_outputs, equal, lay_out, load_strip, offsets, output, parts_of, places, pose, runs,
    seen_in_place, where,
)

cnp.import_array()

cdef enum:
    PIXELS = 224                    # that are summed in one go, about
    OUTPUTS = 256                   # of a unit, at most: the strip is laid out once for them
    ROWS = 2304                     # products of channel and tap of a unit, at most
    SUMS = 1 << 18                  # of a unit, about
    FEW_ROWS = 128                  # at least, if several threads want units


cdef void turn_pixels(const Job* job, const Box* box, Py_ssize_t pixels, char* panel, Py_ssize_t width) noexcept nogil:
    """panel[pixel][output] = y, of the box."""
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t pixel = 0, side_by_side = runs(job, box), ld = job.y_output // job.item, run, j
    cdef char* y
    while pixel < pixels:
        where(box, pixel, at)
        run = min(pixels - pixel, side_by_side if side_by_side else box.n[2])
        y = output(job, box, at)
        if side_by_side:
            job.gemm.turn(y, ld, panel + pixel * width * job.item, width, box.outputs, run)
        else:
            for j in range(run):
                copy_strided(panel + (pixel + j) * width * job.item, job.item, y + j * job.side[2].y, job.y_output,
                             box.outputs, job.item)
        pixel += run


cdef void gradient_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """The gradient of some channels' weights for some outputs: sums [c, t][output] over boxes of pixels, in order.

    Outputs are taken some vectors at a time: a panel [pixel][output] of these stays in L1.
    """
    cdef Box box, part
    cdef const fc_gemm* gemm = job.gemm
    cdef Py_ssize_t item = job.item, lanes = gemm.lanes, left = cut_outputs(job, unit, &box)
    cdef Py_ssize_t block = left % job.blocks, tap = block % job.tap_parts * job.block_taps
    cdef Py_ssize_t channel = block // job.tap_parts * job.block_channels
    cdef Py_ssize_t channels = min(job.block_channels, job.channels - channel)
    cdef Py_ssize_t rows = channels * min(job.block_taps, job.taps - tap)
    cdef Py_ssize_t vectors = parts_of(box.outputs, lanes), panels = parts_of(vectors, gemm.reach_vectors)
    cdef Py_ssize_t i, p, v, nv, pixels, width, r, m
    cdef Py_ssize_t* at = <Py_ssize_t*>(scratch + job.at)
    cdef char* sums = scratch + job.sums
    cdef char* to
    cdef const char* x
    box.group = left // job.blocks
    memset(scratch + job.panel, 0, job.at - job.panel)
    for i in range(boxes(job)):
        cut(job, i, &box)
        part = box
        pixels = box.images * box.n[0] * box.n[1] * box.n[2]
        places(job, &box, at)
        if job.in_place:
            x = seen_in_place(job, &box, channel)
        else:
            x = scratch
            load_strip(job, &box, channel, channels, scratch)
        for p in range(panels):
            v = p * vectors // panels
            nv = (p + 1) * vectors // panels - v
            width = nv * lanes
            part.output, part.outputs = box.output + v * lanes, min(width, box.outputs - v * lanes)
            turn_pixels(job, &part, pixels, scratch + job.panel, width)
            r = 0
            while r < rows:
                m = min(gemm.reach_rows[nv - 1], rows - r)
                to = sums + (v * lanes * rows + r * width) * item
                gemm.reach[m - 1][nv - 1](pixels, x, job.off + tap + r, at, scratch + job.panel, width,
                                          to if i else NULL, width, to, width)
                r += m
    for p in range(panels):
        v = p * vectors // panels
        width = ((p + 1) * vectors // panels - v) * lanes
        to = <char*>job.w + ((box.group * job.outputs + box.output + v * lanes) * job.to_w + channel * job.taps + tap) * item
        gemm.turn(sums + v * lanes * rows * item, width, to, job.to_w, rows, min(width, box.outputs - v * lanes))


def weight_gradient(cnp.ndarray x, cnp.ndarray gy, cnp.ndarray gw, tuple stride, tuple dilation, tuple lo,
                    tuple boundary, Py_ssize_t groups, int workers, tick=None):
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
    cdef Py_ssize_t scratch, units, rows, most
    cdef double seconds
    cdef cnp.ndarray off, to = gw if gw.flags.c_contiguous else np.empty_like(gw, order="C")
    if gw.size == 0 or gy.size == 0:
        gw.fill(0)
        return
    pose(&job, kernels_of(x.dtype), x, gy, (<object>gw).shape, groups, stride, dilation, lo, boundary)
    job.w, job.to_w = <const char*>cnp.PyArray_DATA(to), job.channels * job.taps
    job.output_extent = equal(job.outputs, OUTPUTS, job.gemm.lanes)
    rows = min(<Py_ssize_t>ROWS, SUMS // job.output_extent)
    job.block_taps = equal(job.taps, rows)
    job.tap_parts = parts_of(job.taps, job.block_taps)
    most = job.channels * job.groups * parts_of(job.outputs, job.output_extent) // wanted_units(workers)
    most = min(max(most, parts_of(FEW_ROWS, job.taps)), max(<Py_ssize_t>1, rows // job.taps))
    job.block_channels = equal(job.channels, most)
    job.blocks = parts_of(job.channels, job.block_channels) * job.tap_parts
    lay_out(&job, PIXELS)
    scratch = job.sums + job.block_channels * job.block_taps * job.output_extent * job.item
    off = offsets(&job)
    job.off = <const Py_ssize_t*>cnp.PyArray_DATA(off)
    units = job.groups * job.output_parts * job.blocks
    seconds = 1.0 * gy.size * job.channels * job.taps / (3e9 * job.gemm.lanes * units) + 1e-6
    run(&job, <unit_function>gradient_unit, units, seconds, scratch, workers, tick)
    if to is not gw:
        gw[...] = to
