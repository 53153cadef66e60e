"""Transposed layers, and with them the gradients of a layer's input, as matrix products: the stride's phases at once.

    y[n, c, i] = bias[c] + sum over o, t of w[o, c, t] x[n, o, q],  q stride + t dilation - lo = i

Outputs i = j stride + f of one phase f (one for each axis) see the same taps: those where f + lo - t dilation is a
multiple e stride, and these see x[j + e]. So each phase is a layer without strides in j. A unit of work is a box of
places j times some outputs c, of all phases: what these see of some channels is laid out in one strip, or lies in x;
panels are gathered for each phase, unless it sees what the one before saw; and rows of y are put together from the sums
of their phases. Kernels with many taps in a phase, or dilated, and those of very many phases are taken phase
by phase by `_layer.forward`. The caller has validated everything.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
cimport numpy as cnp

from itertools import product
from math import gcd, prod

import numpy as np

from fastconv._layer import forward

from fastconv._boundary cimport copy_strided
from fastconv._kernels.gemm cimport fc_gemm
from fastconv._layer cimport BIASES, gather, kernels_of, repeated, wanted_units
from fastconv._rounds cimport aligned, run, unit_function
from fastconv._strip cimport (
    SIDES, Box, Job, boxes, cut, cut_outputs, equal, lay_out, load_strip, offsets, output, parts_of, point, pose,
    seen_in_place, where,
)

cnp.import_array()

cdef enum:
    PRODUCTS = 192                  # of a block and phase: a panel stays in L1
    PIXELS = 40                     # panels of a unit, of all phases, about
    SUMS = 1 << 18                  # of a unit, about
    PHASES = 256                    # at most
    PLANS = 256                     # that are remembered


cdef struct Phase:
    Py_ssize_t[SIDES] first         # outputs of it
    Py_ssize_t taps
    const Py_ssize_t* tap           # which of the kernel's
    const Py_ssize_t* off           # elements from the strip's start, or x, to what product k of a block sees
    Py_ssize_t w                    # elements to its packed weights
    bint same                       # it sees what the phase before it sees

cdef struct Transpose:
    Job job                         # of places; channels are those of x, and side.y goes from phase 0 to phase 0
    const Phase* phases
    Py_ssize_t n_phases
    Py_ssize_t[SIDES] n, stride     # y's lengths
    Py_ssize_t[SIDES] y             # bytes from one element of y to the next


# ---- packed weights ----------------------------------------------------------------------------------------------

cdef void pack(const Transpose* of, const char* w, char* to, char* taps) noexcept nogil:
    """By phase, group, block of channels and panel of outputs: [k][output], k = (channel, tap). w: (O, C / groups, taps)."""
    cdef const Job* job = &of.job
    cdef const Phase* phase
    cdef Py_ssize_t f, g, b, o, k, t, rows, channel, channels, item = job.item
    cdef char* at
    for g in range(job.groups):
        for b in range(job.blocks):
            channel = b * job.block_channels
            channels = min(job.block_channels, job.channels - channel)
            o = 0
            while o < job.outputs:
                rows = min(<Py_ssize_t>job.gemm.rows, job.outputs - o)
                for k in range(channels):
                    job.gemm.turn(w + ((g * job.channels + channel + k) * job.outputs + o) * job.taps * item, job.taps, taps,
                                  rows, rows, job.taps)
                    for f in range(of.n_phases):
                        phase = &of.phases[f]
                        at = to + (phase.w + ((g * job.channels + channel) * job.outputs + o * channels + k * rows)
                                   * phase.taps) * item
                        for t in range(phase.taps):
                            if rows * item == 32:
                                memcpy(at, taps + phase.tap[t] * 32, 32)
                            else:
                                memcpy(at, taps + phase.tap[t] * rows * item, rows * item)
                            at += rows * item
                o += rows


# ---- a unit ------------------------------------------------------------------------------------------------------

cdef inline void join(char* y, const char* sums, Py_ssize_t apart, Py_ssize_t n, int item) noexcept nogil:
    """y = the elements of two lines by turns."""
    cdef Py_ssize_t j
    if item == 4:
        for j in range(n):
            (<uint32_t*>y)[2 * j] = (<const uint32_t*>sums)[j]
            (<uint32_t*>y)[2 * j + 1] = (<const uint32_t*>(sums + apart))[j]
    else:
        for j in range(n):
            (<uint64_t*>y)[2 * j] = (<const uint64_t*>sums)[j]
            (<uint64_t*>y)[2 * j + 1] = (<const uint64_t*>(sums + apart))[j]


cdef void write(const Transpose* of, const Box* box, Py_ssize_t n, const char* sums, Py_ssize_t width) noexcept nogil:
    """Sums [phase][output][place] of the n places of a box, to y."""
    cdef const Job* job = &of.job
    cdef const Phase* phase
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t pixel = 0, f, o, a, j, i, run, item = job.item, apart = box.outputs * width * job.item, stride = of.stride[2]
    cdef bint pairs = stride == 2 and of.y[2] == item and (item == 4 or item == 8)
    cdef bint inside
    cdef char* y
    cdef const char* x
    while n > 0:
        where(box, pixel, at)
        run = min(n, box.n[2] - at[0])
        f = 0
        while f < of.n_phases:
            phase = &of.phases[f]
            inside = True
            y = output(job, box, at)
            for a in range(SIDES - 1):
                i = (box.first[a] + at[2 - a]) * of.stride[a] + phase.first[a]
                inside = inside and i < of.n[a]
                y += phase.first[a] * of.y[a]
            if inside:
                x = sums + f * apart
                if pairs:
                    j = min(run, of.n[2] // 2 - box.first[2] - at[0])       # the last place may have one output
                    for o in range(box.outputs):
                        join(y + o * job.y_output, x + o * width * item, apart, j, <int>item)
                        if j < run:
                            memcpy(y + 2 * j * item + o * job.y_output, x + (o * width + j) * item, item)
                else:
                    for i in range(stride):
                        j = min(run, parts_of(max(<Py_ssize_t>0, of.n[2] - i), stride) - box.first[2] - at[0])
                        for o in range(box.outputs):
                            copy_strided(y + i * of.y[2] + o * job.y_output, stride * of.y[2],
                                         x + i * apart + o * width * item, item, j, <int>item)
            f += stride
        sums += run * item
        pixel += run
        n -= run


cdef void transposed_unit(const Transpose* of, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Box box
    cdef const Job* job = &of.job
    cdef const Phase* phase
    cdef const fc_gemm* gemm = job.gemm
    cdef Py_ssize_t item = job.item, lanes = gemm.lanes, ldc, step
    cdef Py_ssize_t pixels, vectors, panels, pitch, p, v, nv, width, first, b, f, o, m, n, channel, channels
    cdef const char* x
    cdef const char* w
    cdef const char* c
    cdef char* sums
    box.group = cut(job, cut_outputs(job, unit, &box), &box)
    pixels = box.images * box.n[0] * box.n[1] * box.n[2]
    vectors = parts_of(pixels, lanes)
    pitch = vectors * lanes
    panels = parts_of(vectors, gemm.vectors)
    for b in range(job.blocks):
        channel = b * job.block_channels
        channels = min(job.block_channels, job.channels - channel)
        x = scratch
        if job.in_place:
            x = seen_in_place(job, &box, channel)
        else:
            load_strip(job, &box, channel, channels, scratch)
        for p in range(panels):
            v = p * vectors // panels
            nv = (p + 1) * vectors // panels - v
            width = nv * lanes
            first = min(pixels - v * lanes, width)
            sums = scratch + job.sums + v * lanes * item
            for f in range(of.n_phases):
                phase = &of.phases[f]
                n = channels * phase.taps
                if not phase.same:
                    gather(job, &box, x, phase.off, n, v * lanes, first, scratch + job.panel, width)
                w = job.w + (phase.w + (box.group * job.channels + channel) * phase.taps * job.outputs
                             + box.output * n) * item
                o = 0
                while o < box.outputs:
                    m = min(<Py_ssize_t>gemm.rows, box.outputs - o)
                    c, ldc, step = sums, pitch, lanes
                    if b == 0:
                        c, ldc, step = job.bias, BIASES * lanes, 0
                        if c != NULL:
                            c += (box.group * job.outputs + box.output + o) * ldc * item
                    gemm.tile[m - 1][nv - 1](n, w + o * n * item, scratch + job.panel, width, c, ldc, step, sums, pitch)
                    sums += m * pitch * item
                    o += m
    write(of, &box, pixels, scratch + job.sums, pitch)


# ---- the driver --------------------------------------------------------------------------------------------------

cdef class Plan:
    """What `at_once` finds out from shapes and strides."""
    cdef Transpose of                   # without the arrays
    cdef list arrays                    # what it points to
    cdef Py_ssize_t weights, units, scratch
    cdef double seconds


cdef dict _plans = {}


cdef Plan plan_of(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, tuple stride, tuple lo, Py_ssize_t groups,
                  Py_ssize_t wanted):
    """A plan for at least `wanted` units, if there can be so many; the last ones are remembered."""
    cdef Plan plan
    cdef const fc_gemm* gemm = kernels_of(x.dtype)
    key = (<size_t>gemm, (<object>x).shape, (<object>x).strides, (<object>w).shape, (<object>y).shape,
           (<object>y).strides, stride, lo, groups, wanted)
    plan = _plans.get(key)
    if plan is None:
        plan = Plan()
        divide(plan, gemm, x, w, y, stride, lo, groups, wanted)
        if len(_plans) >= PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


cdef int divide(Plan plan, const fc_gemm* gemm, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, tuple stride, tuple lo,
                Py_ssize_t groups, Py_ssize_t wanted) except -1:
    """Phases, blocks, units and the layouts of memory."""
    cdef Transpose* of = &plan.of
    cdef Job* job = &of.job
    cdef Phase* phase
    cdef cnp.ndarray memory, off, tap
    cdef tuple taps = (<object>w).shape[2:]
    cdef int a, nd = len(taps), missing = SIDES - nd
    cdef Py_ssize_t pixels, most, outputs = w.shape[1], n = y.size // (w.shape[1] * groups), count
    axes = [axis_phases(*side) for side in zip(taps, stride, lo)]
    least = [min((e for phase in axis for e in phase[1]), default=0) for axis in axes]
    spans = [max((e for phase in axis for e in phase[1]), default=0) - low + 1 for axis, low in zip(axes, least)]
    places = y[(..., *[slice(None, None, s) for s in stride])]
    pose(job, gemm, x, places, (outputs * groups, x.shape[1] // groups, *spans), groups, (1,) * nd, (1,) * nd,
         tuple([-e for e in least]), (0,) * nd)
    for a in range(SIDES):
        of.n[a], of.stride[a], of.y[a] = 1, 1, 0
        if a >= missing:
            of.n[a], of.stride[a] = y.shape[a - missing + 2], stride[a - missing]
            of.y[a] = y.strides[a - missing + 2]
    of.n_phases = prod(stride)
    most = prod([max(len(phase[0]) for phase in axis) for axis in axes])
    job.block_channels, job.block_taps, job.tap_parts = equal(job.channels, max(1, PRODUCTS // max(1, most))), job.taps, 1
    job.blocks = max(1, parts_of(job.channels, job.block_channels))
    pixels = max(2, PIXELS // of.n_phases) * gemm.lanes * gemm.vectors
    job.output_extent = equal(job.outputs, max(1, SUMS // (of.n_phases * pixels)), gemm.rows)
    units = job.groups * parts_of(job.outputs, job.output_extent) * parts_of(places.size // (outputs * groups), pixels)
    if units < wanted:
        job.output_extent = equal(job.outputs, max(1, job.outputs * units // wanted), gemm.rows)
    plan.scratch = lay_out(job, pixels)
    pixels = job.image_extent
    for a in range(SIDES):
        pixels *= job.side[a].extent
    # the largest of: a panel of the products of one phase (lay_out's has all spans' taps), sums of all phases
    plan.scratch = job.sums + (pixels + gemm.lanes) * of.n_phases * job.output_extent * job.item
    off = offsets(job).reshape(job.block_channels, *spans)
    job.last_off = off.max(initial=0)
    memory = np.zeros(of.n_phases * sizeof(Phase), np.uint8)
    of.phases = phase = <Phase*>cnp.PyArray_DATA(memory)
    plan.arrays = [memory]
    plan.weights = 0
    seen = None
    for count, choice in enumerate(product(*axes)):
        firsts = count
        for a in range(SIDES - 1, -1, -1):
            phase.first[a] = firsts % of.stride[a]
            firsts //= of.stride[a]
        sees = [tuple([e - low for e in shifts]) for (_, shifts), low in zip(choice, least)]
        phase.same = sees == seen and count > 0
        seen = sees
        tap = np.ascontiguousarray(np.arange(prod(taps), dtype=np.intp).reshape(taps)[np.ix_(*[t for t, _ in choice])])
        found = np.ascontiguousarray(off[np.ix_(range(job.block_channels), *sees)])
        plan.arrays += [tap, found]
        phase.tap, phase.off = <const Py_ssize_t*>cnp.PyArray_DATA(tap), <const Py_ssize_t*>cnp.PyArray_DATA(found)
        phase.taps, phase.w = tap.size, plan.weights
        plan.weights += tap.size * x.shape[1] * outputs
        phase += 1
    job.taps = prod(taps)
    plan.units = job.groups * boxes(job) * job.output_parts
    plan.seconds = 1.0 * n * plan.weights / (3e9 * gemm.lanes * of.n_phases * plan.units) + 1e-6
    return 0


def axis_phases(taps, stride, lo):
    """For each output modulo the stride: its taps, and where in x each looks from the output's place on."""
    for_all = []
    for first in range(stride):
        here = [t for t in range(taps) if (first + lo - t) % stride == 0]
        for_all.append((here, [(first + lo - t) // stride for t in here]))
    return for_all


def transposed(cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, tuple stride, tuple dilation, tuple lo,
               Py_ssize_t groups, int workers, tick=None):
    """y[n, c, i] = bias[c] + sum over o, t of w[o, c, t] x[n, o, q], where q stride + t dilation - lo = i.

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
        As for `_layer.forward`, with zeros around x.
    """
    most = prod([-(-taps // s) for taps, s in zip((<object>w).shape[2:], stride)])
    if 1 < prod(stride) <= PHASES and max(dilation) == 1 and most <= PRODUCTS:
        at_once(x, w, bias, y, stride, lo, groups, workers, tick)
    else:
        by_phases(x, w, bias, y, stride, dilation, lo, groups, workers, tick)


def at_once(cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, tuple stride, tuple lo, Py_ssize_t groups, int workers,
            tick):
    cdef Plan plan
    cdef Transpose of
    cdef cnp.ndarray packed, taps, of_bias
    if y.size == 0:
        return
    plan = plan_of(x, w, y, stride, lo, groups, wanted_units(workers))
    of = plan.of
    point(&of.job, x, y)
    w = np.ascontiguousarray(w)
    packed = aligned(max(1, plan.weights) * of.job.item)
    taps = aligned(max(1, of.job.taps) * of.job.gemm.rows * of.job.item)
    with nogil:
        pack(&of, <const char*>cnp.PyArray_DATA(w), <char*>cnp.PyArray_DATA(packed), <char*>cnp.PyArray_DATA(taps))
    of.job.w, of.job.bias = <const char*>cnp.PyArray_DATA(packed), NULL
    if bias is not None:
        of_bias = repeated(bias, BIASES * of.job.gemm.lanes)
        of.job.bias = <const char*>cnp.PyArray_DATA(of_bias)
    run(&of, <unit_function>transposed_unit, plan.units, plan.seconds, plan.scratch, workers, tick)


def by_phases(cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, tuple stride, tuple dilation, tuple lo,
              Py_ssize_t groups, int workers, tick):
    cdef int nd = x.ndim - 2
    cdef Py_ssize_t o = w.shape[0] // groups
    turned = np.moveaxis(w.reshape((groups, o, *(<object>w).shape[1:])), 1, 2)
    turned = turned.reshape((groups * w.shape[1], o, *(<object>w).shape[2:]))
    for first, taps, step, begin in phases((<object>w).shape[2:], stride, dilation, lo):
        outputs = y[(..., *[slice(i, None, s) for i, s in zip(first, stride)])]
        forward(x, turned[(..., *taps)], bias, outputs, (1,) * nd, step, begin, (0,) * nd, workers)


def phases(taps, stride, dilation, lo):
    """Of outputs modulo the stride, by axis: the first, its taps from the last to the first, their dilation and lo."""
    for phase in product(*[list(phases_of(*side)) for side in zip(taps, stride, dilation, lo)]):
        yield tuple(zip(*phase))


def phases_of(taps, stride, dilation, lo):
    step = gcd(stride, dilation)
    for first in range(stride):
        here = [t for t in range(min(taps, stride // step)) if (first + lo - t * dilation) % stride == 0]
        if here:
            last = here[0] + (taps - 1 - here[0]) // (stride // step) * (stride // step)
            yield (first, slice(last, here[0] - 1 if here[0] else None, -(stride // step)),
                   dilation // step, (last * dilation - first - lo) // stride)
        else:
            yield first, slice(0, 0), 1, 0
