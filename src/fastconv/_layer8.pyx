"""Layers of bytes as matrix products: `_layer`'s boxes of pixels and blocks of products, four bytes at a time.

    y[n, o, p] = sum over c, t of (w[o, c, t] - w_zero[o]) (x~[n, c, p stride + t dilation - lo] - x_zero), modulo 2^32

x~ is x_zero outside x. Products of bytes (dot8.h) want x unsigned and w signed: 128 is added to bytes and zeros of an x
that is not, and subtracted from those of w. Then, with K terms in each sum,

    y = sum x~ w - w_zero sum x~ + bias,  bias = x_zero (K w_zero - sum w)

The strip of `_strip` holds fours: the bytes of four channels side by side. Sums may be scaled to eight bits as they are
written. The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int8_t, int32_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset
cimport numpy as cnp

import numpy as np

from fastconv import _kernels
from fastconv._direct import DTYPES

from fastconv._boundary cimport copy_strided
from fastconv._kernels.dot8 cimport FC_DOT8_TABLE, fc_dot8_table
from fastconv._kernels.gemm cimport FC_GEMM_TABLE, fc_gemm, fc_gemm_table, fc_piece
from fastconv._layer cimport MOST_PIECES, pieces_of, wanted_units
from fastconv._rounds cimport aligned, run, unit_function
from fastconv._strip cimport (
    SIDES, Box, Job, Side, boxes, cut, cut_outputs, equal, join, lay_out, offsets, output, parts_of, point, pose, runs,
    where,
)

cnp.import_array()

cdef enum:
    FOUR = 4                        # bytes
    PRODUCTS = 192                  # fours of a block: a panel of pixels stays in L1
    PIXELS = 10                     # panels of a unit, about: the weights are read once for them
    FEW_PIXELS = 4                  # panels of a unit, at least, if several threads want units
    OUTPUTS = 256                   # outputs of a unit, at most
    FEW_OUTPUTS = 64                # at least, if several threads want units
    NEAR = 32768                    # bytes of panels that stay in L1
    PLANS = 256                     # that are remembered

cdef const fc_dot8_table* DOT8 = <const fc_dot8_table*>PyCapsule_GetPointer(_kernels.table("dot8"), FC_DOT8_TABLE)
cdef const fc_gemm_table* TABLE = <const fc_gemm_table*>PyCapsule_GetPointer(_kernels.table("gemm"), FC_GEMM_TABLE)
cdef fc_gemm FOURS = TABLE.dtype[DTYPES[np.dtype(np.int32)]]       # moves them; tiles are those of DOT8
FOURS.rows, FOURS.vectors, FOURS.reach_vectors = DOT8.rows, DOT8.vectors, 0


cdef inline Py_ssize_t whole(Py_ssize_t n, Py_ssize_t unit) noexcept nogil:
    """n made a multiple of the unit."""
    return parts_of(n, unit) * unit


cdef void fill(uint32_t* to, Py_ssize_t n, uint32_t value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = value


cdef class Weights:
    """Weights (O, C / groups, *K) of bytes as the tiles read them: by group, block and panel of outputs, [k][output].

    A product k is a tap of four channels; bytes of channels that lack are 0. Blocks are those of `_layer.Weights`.

    Attributes
    ----------
    totals : ndarray
        (O,), int32: the sums of the weights of each output, as signed numbers.
    """
    cdef readonly tuple shape
    cdef readonly Py_ssize_t groups
    cdef readonly cnp.ndarray totals
    cdef Py_ssize_t outputs, channels, taps             # of a group: outputs, fours of channels
    cdef Py_ssize_t block_channels, block_taps, tap_parts, blocks
    cdef cnp.ndarray data
    cdef cnp.ndarray places                             # of each block's first weight of a group; of the next group's
    cdef cnp.ndarray ones                               # an output whose weights are 1, [k] of a block; the last block's
    cdef dict kept

    def __init__(self, cnp.ndarray w, Py_ssize_t groups):
        cdef Py_ssize_t n, taps = 1
        self.shape = (<object>w).shape
        self.groups, self.kept = groups, {}
        self.outputs, self.channels = w.shape[0] // groups, (w.shape[1] + FOUR - 1) // FOUR
        for n in self.shape[2:]:
            taps *= n
        self.taps = taps
        self.block_channels = equal(self.channels, max(1, PRODUCTS // max(1, taps)))
        self.block_taps = equal(taps, PRODUCTS) if taps > PRODUCTS else taps
        self.tap_parts = parts_of(taps, self.block_taps) if taps > PRODUCTS else 1
        self.blocks = max(1, parts_of(self.channels, self.block_channels) * self.tap_parts)
        self.pack(np.ascontiguousarray(w), 0 if w.dtype == np.int8 else 128)

    cdef int pack(self, cnp.ndarray w, int flip) except -1:
        """flip: bits of each byte to be inverted, so that it is signed."""
        cdef Py_ssize_t g, b, o, i, j, q, c, t, k, n, rows, n_taps
        cdef Py_ssize_t per_group = w.shape[1], taps = self.taps, groups_of = self.groups, m
        cdef Py_ssize_t line = whole(self.block_channels * self.block_taps, DOT8.depth)
        cdef cnp.ndarray lines = np.empty((DOT8.rows + 1) * (line + DOT8.lanes), np.uint32)
        cdef cnp.ndarray lack = np.full(max(1, self.taps), flip, np.uint8)
        cdef const uint8_t* of = <const uint8_t*>cnp.PyArray_DATA(w)
        cdef const uint8_t* row
        cdef const uint8_t* none = <const uint8_t*>cnp.PyArray_DATA(lack)
        cdef const uint8_t* four[FOUR]
        cdef uint32_t* found = <uint32_t*>cnp.PyArray_DATA(lines)
        cdef uint32_t* to
        cdef uint32_t* at
        cdef int32_t* totals
        cdef const Py_ssize_t* starts
        self.totals = np.zeros(w.shape[0], np.int32)
        self.places = np.zeros(self.blocks + 1, np.intp)
        for b in range(self.blocks):
            self.places[b + 1] = self.places[b] + whole(self.block(b)[1], DOT8.depth) * whole(self.outputs, DOT8.unit)
        starts = <const Py_ssize_t*>cnp.PyArray_DATA(self.places)
        self.data = aligned(max(<Py_ssize_t>1, groups_of * starts[self.blocks]) * FOUR)
        self.ones = np.full((2, max(1, line)), 0x01010101, np.uint32)
        if per_group % FOUR:
            n = self.block(self.blocks - 1)[1]
            self.ones[1, n - taps if self.tap_parts == 1 else 0:] = ((1 << 8 * (per_group % FOUR)) - 1) & 0x01010101
        to, totals = <uint32_t*>cnp.PyArray_DATA(self.data), <int32_t*>cnp.PyArray_DATA(self.totals)
        with nogil:
            for g in range(self.groups):
                for b in range(self.blocks):
                    k, n = self.block(b)
                    n_taps = n if self.tap_parts > 1 else self.taps
                    c, t = k // self.taps, k % self.taps
                    o = 0
                    while o < self.outputs:
                        rows = min(<Py_ssize_t>DOT8.rows, self.outputs - o)
                        for i in range(rows):
                            row = of + (g * self.outputs + o + i) * per_group * self.taps + FOUR * c * self.taps + t
                            q = 0
                            while n_taps == 1 and q < n and FOUR * (c + q + 1) <= per_group:
                                found[i * line + q] = (row[0] | <uint32_t>row[1] << 8 | <uint32_t>row[2] << 16
                                                       | <uint32_t>row[3] << 24) ^ flip * 0x01010101u
                                row += FOUR
                                q += 1
                            for q in range(q, n // n_taps):
                                for j in range(FOUR):
                                    four[j] = row + j * self.taps if FOUR * (c + q) + j < per_group else none
                                DOT8.fours(found + i * line + q * n_taps, four[0], four[1], four[2], four[3], 1, n_taps,
                                           flip * 0x01010101u)
                                row += FOUR * self.taps
                            totals[g * self.outputs + o + i] += DOT8.total(found + i * line, n)
                            fill(found + i * line + n, whole(n, DOT8.depth) - n, 0)
                        at = to + g * starts[self.blocks] + starts[b] + o * whole(n, DOT8.depth)
                        if DOT8.depth == 1:
                            FOURS.turn(found, line, at, rows, rows, n)
                        else:
                            m = whole(rows, DOT8.unit)
                            for k in range(parts_of(n, DOT8.depth)):
                                for i in range(m):
                                    if i < rows:
                                        memcpy(at, found + i * line + k * DOT8.depth, DOT8.depth * FOUR)
                                    else:
                                        fill(at, DOT8.depth, 0)
                                    at += DOT8.depth
                        o += rows
        return 0

    cdef (Py_ssize_t, Py_ssize_t) block(self, Py_ssize_t b) noexcept nogil:
        """First product of a block, and their number."""
        cdef Py_ssize_t c = b // self.tap_parts * self.block_channels, t = b % self.tap_parts * self.block_taps
        return c * self.taps + t, min(self.block_channels, self.channels - c) * min(self.block_taps, self.taps - t)


# ---- a unit ------------------------------------------------------------------------------------------------------

cdef struct Bytes:
    Job job                         # of fours; channels are fours of channels, side.x is not used
    Py_ssize_t[SIDES] step          # bytes from one element of x to the next
    Py_ssize_t channels             # bytes of a group
    uint32_t fill, flip             # a four outside x; bits of x's to be inverted
    const Py_ssize_t* places        # of weights: elements to the block of a group; of the last entry: to the next group
    const int32_t* bias             # and unit - 1 values more
    const int32_t* w_zero           # of each output, or NULL
    const uint32_t* ones            # of a block; of the last one
    Py_ssize_t line
    const double* factors           # of each output, for y of bytes; or NULL
    double zero, least, most
    Py_ssize_t pixels               # of a box, at most: in whole vectors
    Py_ssize_t panels, xs, less, scaled     # bytes from the scratch


cdef void load_rows(const Bytes* of, const Box* box, const uint8_t* x, const Py_ssize_t* at, uint32_t* to) noexcept nogil:
    """Rows of the strip, each of all its lines; x: NULL for what is outside. at: bytes to each of four channels."""
    cdef const Side* rows = &of.job.side[1]
    cdef const Side* columns = &of.job.side[2]
    cdef const uint8_t* line
    cdef Py_ssize_t l, m, j, s, start, begin, end, length = columns.length
    for l in range(rows.lines):
        for j in range(rows.length):
            s = (box.first[1] + j) * rows.stride + (l if rows.dense else l * rows.dilation) - rows.lo
            if x == NULL or not 0 <= s < rows.n_in:
                fill(to, columns.lines * length, of.fill)
                to += columns.lines * length
                continue
            for m in range(columns.lines):
                start = box.first[2] * columns.stride + (m if columns.dense else m * columns.dilation) - columns.lo
                begin = min(length, parts_of(max(<Py_ssize_t>0, -start), columns.stride))
                end = max(begin, min(length, parts_of(max(<Py_ssize_t>0, columns.n_in - start), columns.stride)))
                line = x + s * of.step[1] + (start + begin * columns.stride) * of.step[2]
                fill(to, begin, of.fill)
                DOT8.fours(to + begin, line + at[0], line + at[1], line + at[2], line + at[3],
                           columns.stride * of.step[2], end - begin, of.flip)
                fill(to + end, length - end, of.fill)
                to += length


cdef void load_fours(const Bytes* of, const Box* box, Py_ssize_t channel, Py_ssize_t n, uint32_t* strip) noexcept nogil:
    """Some fours of channels of the box's images; where a group has no more channels, its last one is repeated."""
    cdef const Job* job = &of.job
    cdef const Side* sheets = &job.side[0]
    cdef Py_ssize_t i, c, l, j, s, sheet = job.to_row * job.side[1].lines * job.side[1].length
    cdef Py_ssize_t[FOUR] at
    cdef const uint8_t* x
    cdef uint32_t* to
    for i in range(box.images):
        x = <const uint8_t*>job.x + (box.image + i) * job.x_image + box.group * of.channels * job.x_channel
        for c in range(n):
            for j in range(FOUR):
                at[j] = min(FOUR * (channel + c) + j, of.channels - 1) * job.x_channel
            to = strip + (i * job.block_channels + c) * job.to_channel
            for l in range(sheets.lines):
                for j in range(sheets.length):
                    s = ((box.first[0] + j) * sheets.stride + (l if sheets.dense else l * sheets.dilation) - sheets.lo)
                    load_rows(of, box, x + s * of.step[0] if 0 <= s < sheets.n_in else NULL, at, to)
                    to += sheet


cdef void write(const Bytes* of, const Box* box, Py_ssize_t pixel, Py_ssize_t n, const char* lines,
                Py_ssize_t pitch) noexcept nogil:
    """Lines of y's elements, of pixels from number `pixel` on, to y."""
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t o, run
    cdef char* y
    while n > 0:
        where(box, pixel, at)
        run = min(n, box.n[2] - at[0])
        y = output(&of.job, box, at)
        for o in range(box.outputs):
            copy_strided(y + o * of.job.y_output, of.job.side[2].y, lines + o * pitch, of.job.item, run, of.job.item)
        lines += run * of.job.item
        pixel += run
        n -= run


cdef struct Panel:                  # pixels of a box that one tile takes
    Py_ssize_t pixel, n, vectors, width
    char* y                         # where they lie side by side in y; or NULL


cdef Py_ssize_t panels_of(const Bytes* of, const Box* box, Panel* panels) noexcept nogil:
    """Those of a box; their number."""
    cdef Py_ssize_t pixels = box.images * box.n[0] * box.n[1] * box.n[2], run = runs(&of.job, box)
    cdef Py_ssize_t vectors = parts_of(pixels, DOT8.lanes), count = parts_of(vectors, DOT8.vectors), i
    cdef Py_ssize_t[4] at
    for i in range(count):
        panels[i].pixel, panels[i].vectors = i * vectors // count * DOT8.lanes, (i + 1) * vectors // count - i * vectors // count
        panels[i].width = panels[i].vectors * DOT8.lanes
        panels[i].n = min(pixels - panels[i].pixel, panels[i].width)
        panels[i].y = NULL
        if run and box.outputs % DOT8.unit == 0 and panels[i].n == panels[i].width and panels[i].pixel % run + panels[i].n <= run:
            where(box, panels[i].pixel, at)
            panels[i].y = output(&of.job, box, at)
    return count


cdef void multiply(const Bytes* of, const Box* box, const Panel* panel, const uint32_t* w, Py_ssize_t n,
                   const uint32_t* x, Py_ssize_t o, bint first, bint last, char* scratch) noexcept nogil:
    """The sums of a tile's outputs, from number o of the box on, for n products; with those of other blocks."""
    cdef Py_ssize_t width = panel.width, m = min(<Py_ssize_t>DOT8.rows, box.outputs - o), pitch = width * FOUR, j
    cdef Py_ssize_t number = box.group * of.job.outputs + box.output + o, start = panel.pixel * whole(box.outputs, DOT8.unit)
    cdef int32_t* sums = <int32_t*>(scratch + of.job.sums) + start + o * width
    cdef const int32_t* bias = of.bias + number if first else NULL
    cdef int32_t* c = sums
    cdef char* to = <char*>sums
    cdef bint scaled = last and of.factors != NULL
    if of.w_zero != NULL:
        c = <int32_t*>(scratch + of.less)
        DOT8.less(m, width, bias, sums, width, of.w_zero + number, <int32_t*>(scratch + of.xs) + panel.pixel, c, width)
        bias = NULL
    if last and panel.y != NULL:
        to, pitch = panel.y + o * of.job.y_output, of.job.y_output
    elif scaled:
        to, pitch = scratch + of.scaled + start + o * width, width
    if scaled:
        DOT8.tile[m - 1][panel.vectors - 1](n, w, x, width, bias, c, width, sums, width)
        for j in range(m):
            DOT8.scale(sums + j * width, width, of.factors[number + j], of.zero, of.least, of.most, <int8_t*>to + j * pitch)
    else:
        DOT8.tile[m - 1][panel.vectors - 1](n, w, x, width, bias, c, width, <int32_t*>to, pitch // FOUR)
    if last and panel.y == NULL and o + m == box.outputs:
        write(of, box, panel.pixel, panel.n, to - o * pitch, pitch)


cdef void layer_unit(const Bytes* of, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Box box
    cdef const Job* job = &of.job
    cdef fc_piece[MOST_PIECES] pieces
    cdef Panel[PIXELS] panels
    cdef Py_ssize_t count, tiles, pixels, i, p, o, b, n, depth, channel, n_channels, tap
    cdef const uint32_t* w
    cdef const uint32_t* ones
    cdef uint32_t* x
    cdef int32_t none = 0
    cdef bint wide
    box.group = cut(job, cut_outputs(job, unit, &box), &box)
    count, tiles = panels_of(of, &box, panels), parts_of(box.outputs, DOT8.rows)
    pixels = panels[count - 1].pixel + panels[count - 1].width
    if DOT8.begin != NULL:
        DOT8.begin()
    for b in range(job.blocks):
        channel, tap = b // job.tap_parts * job.block_channels, b % job.tap_parts * job.block_taps
        n_channels = min(job.block_channels, job.channels - channel)
        n = n_channels * min(job.block_taps, job.taps - tap)
        if tap == 0:
            load_fours(of, &box, channel, n_channels, <uint32_t*>scratch)
        depth = whole(n, DOT8.depth)
        w = <const uint32_t*>job.w + box.group * of.places[job.blocks] + of.places[b] + box.output * depth
        ones = of.ones + (of.line if channel + n_channels == job.channels else 0)
        wide = depth * pixels * FOUR <= NEAR        # then rows of y are written whole
        for i in range(count * tiles):
            p, o = (i % count, i // count * DOT8.rows) if wide else (i // tiles, i % tiles * DOT8.rows)
            x = <uint32_t*>(scratch + of.panels) + (panels[p].pixel * depth if wide else 0)
            if o == 0:
                FOURS.gather(scratch, job.off + tap, n, pieces,
                             pieces_of(job, &box, panels[p].pixel, panels[p].n, pieces), x, panels[p].width)
                if of.w_zero != NULL:
                    DOT8.line[panels[p].vectors - 1](n, ones, x, panels[p].width, &none, NULL, 0,
                                                     <int32_t*>(scratch + of.xs) + panels[p].pixel, panels[p].width)
            multiply(of, &box, &panels[p], w + o * depth, n, x, o, b == 0, b == job.blocks - 1, scratch)
    if DOT8.end != NULL:
        DOT8.end()


# ---- the driver --------------------------------------------------------------------------------------------------

cdef class Plan:
    """What `forward` finds out from shapes and strides."""
    cdef Bytes bytes                    # without the arrays
    cdef cnp.ndarray off
    cdef Py_ssize_t units, scratch
    cdef double seconds


cdef dict _plans = {}


cdef Plan plan_of(cnp.ndarray x, Weights w, cnp.ndarray y, tuple stride, tuple dilation, tuple lo, Py_ssize_t wanted):
    """A plan for at least `wanted` units, if there can be so many; the last ones are remembered."""
    cdef Plan plan
    key = (w.shape, w.groups, (<object>x).shape, (<object>x).strides, (<object>y).shape, (<object>y).strides, stride,
           dilation, lo, y.itemsize, wanted)
    plan = _plans.get(key)
    if plan is None:
        plan = Plan()
        divide(plan, x, w, y, stride, dilation, lo, wanted)
        if len(_plans) >= PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


cdef void divide(Plan plan, cnp.ndarray x, Weights w, cnp.ndarray y, tuple stride, tuple dilation, tuple lo,
                 Py_ssize_t wanted):
    """Axes, blocks, units and the layouts of memory."""
    cdef Bytes* of = &plan.bytes
    cdef Job* job = &of.job
    cdef Py_ssize_t pixels = PIXELS * DOT8.lanes * DOT8.vectors, places = y.size // w.shape[0], units, at, width
    cdef int a
    memset(of, 0, sizeof(Bytes))
    pose(job, &FOURS, x, y, (w.shape[0], w.channels, *w.shape[2:]), w.groups, stride, dilation, lo, (0,) * len(lo))
    job.item, of.channels = FOUR, w.shape[1]
    job.block_channels, job.block_taps, job.blocks, job.tap_parts = w.block_channels, w.block_taps, w.blocks, w.tap_parts
    join(job)
    for a in range(SIDES):
        of.step[a] = job.side[a].x
        job.side[a].x = 1               # no multiple of FOUR: x is not read in place
    job.output_extent = equal(job.outputs, OUTPUTS, DOT8.rows)
    if wanted > 1 and places > 2 * pixels:
        pixels = max(pixels * FEW_PIXELS // PIXELS, min(pixels, places // wanted))
    plan.scratch = lay_out(job, pixels)
    units = job.groups * boxes(job)
    if units < wanted:
        job.output_extent = equal(job.outputs, max(<Py_ssize_t>FEW_OUTPUTS, job.outputs * units // wanted), DOT8.rows)
        plan.scratch = lay_out(job, pixels)
    plan.off = offsets(job)
    job.off = <const Py_ssize_t*>cnp.PyArray_DATA(plan.off)
    plan.units = units * job.output_parts
    plan.seconds = 1.0 * places * w.shape[0] * w.channels * w.taps / (3e9 * DOT8.lanes * plan.units) + 1e-6
    pixels = job.image_extent
    for a in range(SIDES):
        pixels *= job.side[a].extent
    pixels = parts_of(pixels, DOT8.lanes) * DOT8.lanes
    at, width = parts_of(plan.scratch, 64) * 64, DOT8.lanes * DOT8.vectors
    of.panels, at = at, at + (max(whole(w.block_channels * w.block_taps, DOT8.depth) * width, NEAR // FOUR) + DOT8.lanes) * FOUR
    of.xs, at = at, at + pixels * FOUR
    of.less, at = at, at + DOT8.rows * width * FOUR
    of.scaled, plan.scratch = at, at + job.output_extent * pixels
    job.item = <int>y.itemsize          # what is left to do with it concerns y


def forward(cnp.ndarray x, Weights w, int x_zero, cnp.ndarray w_zero, cnp.ndarray bias, cnp.ndarray y, tuple stride,
            tuple dilation, tuple lo, cnp.ndarray factors, int zero, int workers):
    """y = sum (x~ - x_zero) (w - w_zero) + the bias, in 32 bits, or rounded to 8.

    Parameters
    ----------
    x : ndarray
        (N, C, *S) with one to three spatial axes, int8 or uint8, with any strides.
    w : Weights
        Of int8 or uint8.
    x_zero : int
        That of x, unsigned: x_zero + 128 where x is int8.
    w_zero : ndarray or None
        (O,), int32, contiguous: those of the signed w; None for zeros.
    bias : ndarray
        (O,), int32, contiguous: the module's, plus what is to be added.
    y : ndarray
        (N, O, *So), with any strides; overlaps no other argument. Written. int32 and aligned; int8 or uint8 with
        factors.
    stride, dilation, lo : tuple of int
        By spatial axis. lo: y[0] takes x[-lo] for tap 0.
    factors : ndarray or None
        (O,), float64, contiguous: sums times these are rounded with halves to even; `zero` is added; the result stops
        at the ends of y's range.
    zero : int
        Of y's range.
    workers : int
        As `_threads.resolve_workers` gave it.
    """
    cdef Plan plan
    cdef Bytes of
    cdef cnp.ndarray biases
    if y.size == 0:
        return
    plan = plan_of(x, w, y, stride, dilation, lo, wanted_units(workers))
    of = plan.bytes
    point(&of.job, x, y)
    of.job.w = <const char*>cnp.PyArray_DATA(w.data)
    of.flip = 0x80808080u if x.dtype == np.int8 else 0
    of.fill = <uint32_t>x_zero * 0x01010101u
    of.places = <const Py_ssize_t*>cnp.PyArray_DATA(w.places)
    biases = np.zeros(bias.size + DOT8.unit - 1, np.int32)
    (<object>biases)[:bias.size] = bias
    of.bias = <const int32_t*>cnp.PyArray_DATA(biases)
    of.w_zero = <const int32_t*>cnp.PyArray_DATA(w_zero) if w_zero is not None else NULL
    of.ones, of.line = <const uint32_t*>cnp.PyArray_DATA(w.ones), w.ones.shape[1]
    of.factors = NULL
    if factors is not None:
        info = np.iinfo(y.dtype)
        of.zero, of.least, of.most = zero, info.min, info.max
        of.factors = <const double*>cnp.PyArray_DATA(factors)
    run(&of, <unit_function>layer_unit, plan.units, plan.seconds, plan.scratch, workers, None, w.kept)
