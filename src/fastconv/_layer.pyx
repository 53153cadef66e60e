"""Convolution layers as matrix products, without the matrix of windows: axes, blocks, boundaries, threads.

    y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] x~[n, c, p stride + t dilation - lo]

x~ is x continued by the boundary; with groups, outputs o see the channels of their group only. A unit of work is a box
of pixels (some images, rows, columns) times some outputs. It takes the products k = (c, t) in blocks: the channels'
pixels are laid out in a strip (continued, and split by the stride's phases, so that what a tap sees is contiguous),
gathered from there into a panel [k][pixel] of some vectors, and multiplied with panels [k][output] of the weights, or
with the weights as they lie, where one box reads them once. Blocks are summed apart and then added up, which also keeps
rounding errors small. How the sum of an output is blocked depends on the weights' shape alone, never on the units; so
results do not depend on the number of threads, though the size of units does. The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memcpy
cimport numpy as cnp

import numpy as np

from fastconv import _kernels
from fastconv._direct import DTYPES
from fastconv._threads import get_num_threads

from fastconv._boundary cimport copy_strided
from fastconv._kernels.gemm cimport FC_GEMM_TABLE, fc_gemm, fc_gemm_table, fc_piece
from fastconv._rounds cimport aligned, run, unit_function
from fastconv._spread cimport (
    Spread, arrange, pack_spread, pad_bias, reach_of, spread_of, spread_unit, suits,
)
from fastconv._strip cimport (
    Box, Job, boxes, cut, cut_outputs, equal, join, lay_out, load_strip, offsets, output, parts_of, point, pose, runs,
    seen_in_place, where,
)

cnp.import_array()

cdef enum:
    PRODUCTS = 192                  # a block of k: a panel of pixels stays in L1
    PIXELS = 10                     # panels of a unit, about: the weights are read once for them
    FEW_PIXELS = 4                  # panels of a unit, at least, if several threads want units
    OUTPUTS = 256                   # outputs of a unit, at most
    FEW_OUTPUTS = 64                # at least, if several threads want units: each gathers the pixels anew
    UNITS = 4                       # of a thread, wanted
    TURNED_BOXES = 2                # at most, each of which turns the weights anew where these are not packed
    LINE = 64                       # bytes of the cache
    PLANS = 256                     # that are remembered

cdef extern from "simd.h" nogil:
    void fc_prefetch(const void*)

cdef const fc_gemm_table* TABLE = <const fc_gemm_table*>PyCapsule_GetPointer(_kernels.table("gemm"), FC_GEMM_TABLE)


cdef const fc_gemm* kernels_of(dtype):
    return &TABLE.dtype[DTYPES[dtype]]


# ---- packed weights ----------------------------------------------------------------------------------------------

cdef class Weights:
    """Weights (O, C / groups, *K) as the tiles read them: by group, block of products and panel of outputs, [k][output].

    Blocks: some channels with all taps, or some taps of one channel.
    """

    def __init__(self, cnp.ndarray w, Py_ssize_t groups):
        cdef Py_ssize_t n, taps = 1
        self.shape = (<object>w).shape
        self.dtype = w.dtype
        self.kept = {}
        self.groups = groups
        self.outputs, self.channels = w.shape[0] // groups, w.shape[1]
        for n in self.shape[2:]:
            taps *= n
        self.taps = taps
        self.block_channels = equal(self.channels, max(1, PRODUCTS // max(1, taps)))
        self.block_taps = equal(taps, PRODUCTS) if taps > PRODUCTS else taps
        self.tap_parts = parts_of(taps, self.block_taps) if taps > PRODUCTS else 1
        self.blocks = max(1, parts_of(self.channels, self.block_channels) * self.tap_parts)
        self.flat = np.ascontiguousarray(w)

    cdef int pack(self) except -1:
        cdef cnp.ndarray w = self.flat
        cdef Py_ssize_t g, b, o, m, k, n = self.channels * self.taps, rows, item = w.itemsize
        cdef const fc_gemm* gemm = kernels_of(w.dtype)
        cdef const char* of
        cdef char* to
        self.data = aligned(max(1, w.size) * item)
        of, to = <const char*>cnp.PyArray_DATA(w), <char*>cnp.PyArray_DATA(self.data)
        with nogil:
            for g in range(self.groups):
                for b in range(self.blocks):
                    k, m = self.block(b)
                    o = 0
                    while o < self.outputs:
                        rows = min(gemm.rows, self.outputs - o)
                        gemm.turn(of + ((g * self.outputs + o) * n + k) * item, n,
                                  to + (g * self.outputs * n + self.outputs * k + o * m) * item, rows, rows, m)
                        o += rows
        return 0

    cdef (Py_ssize_t, Py_ssize_t) block(self, Py_ssize_t b) noexcept nogil:
        """First product of a block, and their number."""
        cdef Py_ssize_t c = b // self.tap_parts * self.block_channels, t = b % self.tap_parts * self.block_taps
        return c * self.taps + t, min(self.block_channels, self.channels - c) * min(self.block_taps, self.taps - t)


# ---- a unit ------------------------------------------------------------------------------------------------------

cdef Py_ssize_t pieces_of(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n,
                          fc_piece* pieces) noexcept nogil:
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


cdef struct Ahead:                                      # what the next panel will be gathered from
    const char* x
    const Py_ssize_t* off
    Py_ssize_t n, count
    fc_piece[MOST_PIECES] pieces
    Py_ssize_t tiles, every                             # of full rows that bring a line of it in 2^every steps


cdef void look_ahead(const Job* job, const Box* box, Py_ssize_t b, Py_ssize_t pixel, Py_ssize_t n,
                     Ahead* ahead) noexcept nogil:
    """To n pixels of block b."""
    cdef Py_ssize_t channel = b // job.tap_parts * job.block_channels, tap = b % job.tap_parts * job.block_taps
    ahead.x, ahead.off = seen_in_place(job, box, channel), job.off + tap
    ahead.n = min(job.block_channels, job.channels - channel) * min(job.block_taps, job.taps - tap)
    ahead.count = pieces_of(job, box, pixel, n, ahead.pieces)


cdef void fetch(const Job* job, const Ahead* ahead, Py_ssize_t part, Py_ssize_t parts) noexcept nogil:
    """Bring one part of it to the cache: rows far apart in x are not foreseen by the processor."""
    cdef Py_ssize_t k, p, j
    cdef const char* x
    for k in range(part * ahead.n // parts, (part + 1) * ahead.n // parts):
        for p in range(ahead.count):
            x = ahead.x + (ahead.off[k] + ahead.pieces[p].of) * job.item
            j = 0
            while j < ahead.pieces[p].n * job.item:
                fc_prefetch(x + j)
                j += LINE


cdef void fetch_rows(const Job* job, const char* w, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t n) noexcept nogil:
    """Bring n weights of some outputs to the cache."""
    cdef Py_ssize_t o, j
    for o in range(begin, end):
        j = 0
        while j < n * job.item + LINE:
            fc_prefetch(w + job.rows[o] * job.item + j)
            j += LINE


cdef void write(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n, const char* sums,
                Py_ssize_t pitch) noexcept nogil:
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


cdef void layer_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Box box, next
    cdef Ahead ahead
    cdef const fc_gemm* gemm = job.gemm
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t lanes = gemm.lanes, item = job.item
    cdef Py_ssize_t pixels, vectors, panels, p, v, nv, o, m, b, k, n, channel, n_channels, tap, n_taps, first, run
    cdef Py_ssize_t width, step, ldc, pitch, rows
    cdef const char* w
    cdef const char* x
    cdef const char* c
    cdef char* sums
    cdef char* y
    box.group = cut(job, cut_outputs(job, unit, &box), &box)
    pixels = box.images * box.n[0] * box.n[1] * box.n[2]
    vectors = parts_of(pixels, lanes)
    panels = parts_of(vectors, gemm.reach_vectors if job.plain else gemm.vectors)
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
        if job.plain:
            w = job.w + ((box.group * job.outputs + box.output) * job.channels * job.taps + k) * item
        else:
            w = job.w + ((box.group * job.channels * job.taps + k) * job.outputs + box.output * n) * item
        for p in range(panels):
            v = p * vectors // panels
            nv = (p + 1) * vectors // panels - v
            width = nv * lanes
            first = min(pixels - v * lanes, width)
            rows = gemm.reach_rows[nv - 1] if job.plain else gemm.rows
            gather(job, &box, x, job.off + tap, n, v * lanes, first, scratch + job.panel, width)
            sums = scratch + job.sums + v * box.outputs * lanes * item
            c, ldc, step = sums, width, lanes
            if b == 0:
                c, ldc, step = job.bias, BIASES * lanes, 0
                if c != NULL:
                    c += (box.group * job.outputs + box.output) * ldc * item
            y, pitch = sums, width
            if b == job.blocks - 1 and run and first == width and v * lanes // run == (v * lanes + width - 1) // run:
                where(&box, v * lanes, at)
                y, pitch = output(job, &box, at), job.y_output // item
            ahead.n = ahead.tiles = 0
            if job.in_place and p + 1 < panels:
                look_ahead(job, &box, b, (v + nv) * lanes,
                           min(pixels, (p + 2) * vectors // panels * lanes) - (v + nv) * lanes, &ahead)
            elif job.in_place and b + 1 < job.blocks:
                look_ahead(job, &box, b + 1, 0, min(pixels, vectors // panels * lanes), &ahead)
            elif job.in_place and job.output_parts == 1 and unit + 1 < job.groups * boxes(job):
                next.group = cut(job, unit + 1, &next)
                look_ahead(job, &next, 0, 0, min(next.images * next.n[0] * next.n[1] * next.n[2], width), &ahead)
            if ahead.n >= n and ahead.count == 1 and not job.plain and gemm.ahead[nv - 1] != NULL:
                ahead.every, ahead.tiles = 0, 4
                while 2 * ahead.tiles <= box.outputs // rows:
                    ahead.every += 1
                    ahead.tiles *= 2
                if ahead.tiles > box.outputs // rows:
                    ahead.tiles = 0
            o = 0
            while o < box.outputs:
                m = min(rows, box.outputs - o)
                if o < ahead.tiles * rows:
                    gemm.ahead[nv - 1](n, w + o * n * item, scratch + job.panel, width,
                                       c + o * ldc * item if c != NULL else NULL, ldc, step, y + o * pitch * item, pitch,
                                       ahead.x + ahead.pieces[0].of * item,
                                       ahead.off + (o // rows * n >> 2 + ahead.every), ahead.every)
                    o += m
                    continue
                if ahead.tiles == 0:
                    fetch(job, &ahead, o // rows, parts_of(box.outputs, rows))
                if job.plain:
                    fetch_rows(job, w, o + m, min(o + m + rows, box.outputs), n)
                    gemm.reach[m - 1][nv - 1](n, w, job.rows + o, job.numbers, scratch + job.panel, width,
                                              c + o * ldc * item if c != NULL else NULL, ldc, y + o * pitch * item, pitch)
                    o += m
                    continue
                gemm.tile[m - 1][nv - 1](n, w + o * n * item, scratch + job.panel, width,
                                         c + o * ldc * item if c != NULL else NULL, ldc, step,
                                         y + o * pitch * item, pitch)
                o += m
            if b == job.blocks - 1 and y == sums:
                write(job, &box, v * lanes, first, sums, width * item)


# ---- the drivers --------------------------------------------------------------------------------------------------

cdef Py_ssize_t wanted_units(int workers) except -1:
    """So many that threads which take turns end at about the same time; 1 for one thread."""
    cdef int threads = workers if workers > 0 else get_num_threads()
    return UNITS * threads if threads > 1 else 1


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
    cdef Weights packed = Weights(w, groups)
    packed.prepared = True
    return packed


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
    cdef Spread spread
    cdef Weights packed
    cdef Plan plan
    cdef cnp.ndarray of_bias
    if y.size == 0:
        return
    if isinstance(w, Weights):
        packed = w
    else:
        packed = Weights(w, x.shape[1] // w.shape[1] if w.shape[1] else 1)
    plan = plan_of(x, packed, y, stride, dilation, lo, boundary, wanted_units(workers))
    if plan.turned:
        spread = plan.spread
        point(&spread.job, x, y)
        spread.strip.x = spread.job.x
        if spread.job.plain:
            spread.job.w = <const char*>cnp.PyArray_DATA(packed.flat)
        else:
            if packed.spread is None:
                packed.spread = pack_spread(&spread, packed.flat)
            spread.job.w = <const char*>cnp.PyArray_DATA(packed.spread)
        if bias is not None:
            of_bias = pad_bias(&spread, bias)
            spread.job.bias = <const char*>cnp.PyArray_DATA(of_bias)
        run(&spread, <unit_function>spread_unit, plan.units, plan.seconds, plan.scratch, workers, tick, packed.kept)
        return
    job = plan.job
    point(&job, x, y)
    if not packed.prepared and plan.rows is not None:
        job.plain, job.w = True, <const char*>cnp.PyArray_DATA(packed.flat)
    else:
        if packed.data is None:
            packed.pack()
        job.plain, job.w = False, <const char*>cnp.PyArray_DATA(packed.data)
    if bias is not None:
        of_bias = repeated(bias, BIASES * job.gemm.lanes)
        job.bias = <const char*>cnp.PyArray_DATA(of_bias)
    run(&job, <unit_function>layer_unit, plan.units, plan.seconds, plan.scratch, workers, tick, packed.kept)


cdef class Plan:
    """What `forward` finds out from shapes and strides."""
    cdef Job job                        # without the arrays
    cdef bint turned                    # outputs in the lanes:
    cdef Spread spread                  # this instead
    cdef cnp.ndarray off
    cdef cnp.ndarray rows, numbers      # if weights are read once, so that they need not be packed
    cdef Py_ssize_t units, scratch
    cdef double seconds


cdef dict _plans = {}


cdef Plan plan_of(cnp.ndarray x, Weights packed, cnp.ndarray y, tuple stride, tuple dilation, tuple lo, tuple boundary,
                  Py_ssize_t wanted):
    """A plan for at least `wanted` units, if there can be so many; the last ones are remembered."""
    cdef const fc_gemm* gemm = kernels_of(packed.dtype)
    cdef Plan plan
    key = (<size_t>gemm, packed.shape, packed.groups, (<object>x).shape, (<object>x).strides, (<object>y).shape,
           (<object>y).strides, stride, dilation, lo, boundary, wanted, packed.prepared)
    plan = _plans.get(key)
    if plan is None:
        plan = Plan()
        pose(&plan.job, gemm, x, y, packed.shape, packed.groups, stride, dilation, lo, boundary)
        divide(plan, packed, y.size, wanted)
        spread_layer(plan, packed, wanted)
        if len(_plans) >= PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


cdef int spread_layer(Plan plan, Weights packed, Py_ssize_t wanted) except -1:
    """The same with outputs in the lanes, where that is better."""
    cdef Spread* spread = &plan.spread
    cdef double seconds = plan.seconds * plan.units
    spread.kernels, spread.job = spread_of(packed.dtype), plan.job
    if not suits(spread):
        return 0
    spread.job.plain = False
    plan.turned, plan.scratch = True, arrange(spread, wanted)
    if not packed.prepared and boxes(&spread.job) <= TURNED_BOXES:
        spread.job.plain = True
        plan.scratch = arrange(spread, wanted)
    plan.off = reach_of(spread)
    spread.job.off = <const Py_ssize_t*>cnp.PyArray_DATA(plan.off)
    plan.units = spread.job.groups * boxes(&spread.job) * spread.job.output_parts
    plan.seconds = seconds / plan.units
    return 0


cdef void divide(Plan plan, Weights packed, Py_ssize_t size, Py_ssize_t wanted):
    """Blocks, units and the layouts of memory, for `size` outputs in all."""
    cdef Job* job = &plan.job
    cdef Py_ssize_t pixels = PIXELS * job.gemm.lanes * job.gemm.vectors, units, most
    job.bias = NULL
    job.block_channels, job.block_taps = packed.block_channels, packed.block_taps
    job.blocks, job.tap_parts = packed.blocks, packed.tap_parts
    join(job)
    job.output_extent = equal(job.outputs, OUTPUTS, job.gemm.rows)
    units = size // job.outputs
    if wanted > 1 and units > 2 * pixels:
        pixels = max(pixels * FEW_PIXELS // PIXELS, min(pixels, units // wanted))
    plan.scratch = lay_out(job, pixels)
    units = job.groups * boxes(job)
    if units < wanted:
        most = max(<Py_ssize_t>FEW_OUTPUTS, job.outputs * units // wanted)
        job.output_extent = equal(job.outputs, most, job.gemm.rows)
        plan.scratch = lay_out(job, pixels)
    plan.off = offsets(job)
    job.last_off = plan.off.max(initial=0)
    job.off = <const Py_ssize_t*>cnp.PyArray_DATA(plan.off)
    if boxes(job) == 1:
        plan.rows = np.arange(job.outputs, dtype=np.intp) * (job.channels * job.taps)
        plan.numbers = np.arange(job.block_channels * job.block_taps, dtype=np.intp)
        job.rows = <const Py_ssize_t*>cnp.PyArray_DATA(plan.rows)
        job.numbers = <const Py_ssize_t*>cnp.PyArray_DATA(plan.numbers)
    plan.units = units * job.output_parts
    plan.seconds = 1.0 * size * job.channels * job.taps / (3e9 * job.gemm.lanes * plan.units) + 1e-6


cdef cnp.ndarray repeated(cnp.ndarray x, Py_ssize_t times):
    """Each element of a line so many times."""
    cdef cnp.ndarray to = np.empty(x.size * times, x.dtype)
    cdef Py_ssize_t item = x.itemsize, i
    for i in range(times):
        copy_strided(<char*>cnp.PyArray_DATA(to) + i * item, times * item, <const char*>cnp.PyArray_DATA(x),
                     x.strides[0], x.shape[0], item)
    return to
