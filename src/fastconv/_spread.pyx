"""Convolution layers with outputs in the lanes of vectors: each value of x is spread over vectors of weights.

The sums are those of _layer.pyx, block by block in the same order, so that both give the same results. A unit lays out
what its box of pixels sees of all channels once (continued, else as it is; or x itself serves), and takes tiles of
some pixels by two vectors of outputs: values are read where they lie, whatever the tap, so that no panel is gathered;
the sums are turned when they are complete. Tiles take their blocks in turn, some tiles at a time: a block of weights
and the sums stay in L1, all of the box and of the outputs' weights in L2.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _kernels
from fastconv._direct import DTYPES

from fastconv._boundary cimport ZERO, copy_strided
from fastconv._kernels.spread cimport (
    FC_SPREAD_PIXELS, FC_SPREAD_STEPS, FC_SPREAD_TABLE, FC_SPREAD_VECTORS, fc_spread, fc_spread_table,
)
from fastconv._rounds cimport aligned
from fastconv._strip cimport (
    SIDES, Box, Job, Side, boxes, cut, cut_outputs, equal, load_strip, output, parts_of, seen_in_place,
)

cnp.import_array()

cdef enum:
    BOX_BYTES = 256 * 1024          # of what a box sees, about,
    LARGE_BOX_BYTES = 768 * 1024    # and if the weights do not stay in L2:
    WEIGHT_BYTES = 1024 * 1024
    MOST_BOX_BYTES = 1024 * 1024    # of the smallest box
    TILES = 6                       # that take a block of weights in turn
    FEW_OUTPUTS = 64                # of a unit, at least, if several threads want units
    FEW_PRODUCTS = 100              # of a sum, for which turning it is worth while
    FEW_COLUMNS = 4
    PAGE = 4096                     # channels that lie such a distance apart share lines of L1
    LINE = 64

cdef extern from "simd.h" nogil:
    void fc_prefetch(const void*)
    void fc_prefetch_to_write(const void*)

cdef const fc_spread_table* TABLE = <const fc_spread_table*>PyCapsule_GetPointer(
    _kernels.table("spread"), FC_SPREAD_TABLE)


cdef const fc_spread* spread_of(dtype) except? NULL:
    return &TABLE.dtype[DTYPES[dtype]] if dtype.char in "fd" else NULL


cdef bint suits(const Spread* spread) noexcept:
    cdef const Job* job = &spread.job
    cdef Py_ssize_t lanes, least = job.channels * job.item
    cdef int a
    if spread.kernels == NULL or spread.kernels.lanes < 2:
        return False
    lanes = spread.kernels.lanes
    for a in range(SIDES):
        least *= span(&job.side[a], 1)
    return (job.side[2].stride <= FC_SPREAD_STEPS and job.side[2].n_out >= FEW_COLUMNS and least <= MOST_BOX_BYTES
            and job.taps > 1 and job.channels * job.taps >= FEW_PRODUCTS
            and 8 * parts_of(job.outputs, lanes) * lanes <= 9 * job.outputs)


cdef inline Py_ssize_t span(const Side* side, Py_ssize_t extent) noexcept nogil:
    """What so many outputs see."""
    return (extent - 1) * side.stride + (side.n_taps - 1) * side.dilation + 1


# ---- layouts ------------------------------------------------------------------------------------------------------

cdef Py_ssize_t arrange(Spread* spread, Py_ssize_t wanted) noexcept:
    cdef Job* job = &spread.job
    cdef Py_ssize_t width = FC_SPREAD_VECTORS * spread.kernels.lanes, bytes = BOX_BYTES, n, scratch
    cdef int a
    spread.padded = parts_of(job.outputs, spread.kernels.lanes) * spread.kernels.lanes
    if job.outputs * job.channels * job.taps * job.item > WEIGHT_BYTES:
        bytes = LARGE_BOX_BYTES
    job.output_extent = spread.padded
    for a in range(3):
        scratch = lay_out(spread, bytes >> a)
        n = job.groups * boxes(job)
        if n >= wanted:
            return scratch
    job.output_extent = equal(job.outputs, max(<Py_ssize_t>FEW_OUTPUTS, job.outputs * n // wanted), width)
    return lay_out(spread, bytes >> 2)


cdef Py_ssize_t lay_out(Spread* spread, Py_ssize_t bytes) noexcept:
    """Boxes that see about so many bytes, and the layouts of the strip and the scratch; the bytes of the latter."""
    cdef Job* job = &spread.job
    cdef Job* strip = &spread.strip
    cdef Side* side
    cdef Py_ssize_t pixels = spread.kernels.pixels, rest = job.channels * job.item, tiles, most
    cdef Py_ssize_t width = FC_SPREAD_VECTORS * spread.kernels.lanes * job.item
    cdef int a
    for a in range(SIDES):
        rest *= span(&job.side[a], 1)
    for a in range(SIDES - 1, -1, -1):
        side = &job.side[a]
        rest //= span(side, 1)
        most = max(<Py_ssize_t>1, (bytes // rest - span(side, 1)) // side.stride + 1)
        if a == SIDES - 1:
            most = max(most, pixels)
        side.extent = equal(side.n_out, most, pixels if a == SIDES - 1 and most < side.n_out else 1)
        side.parts = parts_of(side.n_out, side.extent)
        rest *= span(side, side.extent)
    job.image_extent = equal(job.images, max(<Py_ssize_t>1, bytes // rest))
    job.image_parts = parts_of(job.images, job.image_extent)
    job.output_parts = parts_of(job.outputs, job.output_extent)
    strip[0] = job[0]
    job.in_place = in_place(spread)
    if not job.in_place:
        strip.to_channel = 1
        for a in range(SIDES - 1, -1, -1):
            side = &strip.side[a]
            side.lines, side.length, side.dense, side.stride = 1, span(side, side.extent), True, 1
            if a == 1:
                strip.to_row = strip.to_channel
            elif a == 0:
                strip.to_sheet = strip.to_channel
            strip.to_channel *= side.length
        strip.to_channel = (parts_of(strip.to_channel * job.item, LINE) | 1) * (LINE // job.item)
        strip.block_channels = job.channels
        strip.to_image = job.channels * strip.to_channel
        job.to_channel, job.to_image = strip.to_channel, strip.to_image
        job.to_row, job.to_sheet = strip.to_row * job.side[1].stride, strip.to_sheet * job.side[0].stride
        spread.step = job.side[2].stride
    spread.tiles = TILES
    tiles = job.image_extent * job.side[0].extent * job.side[1].extent * parts_of(job.side[2].extent, pixels)
    job.at = 0 if job.in_place else parts_of(job.image_extent * job.to_image * job.item, LINE) * LINE
    job.sums = job.at + parts_of(tiles * sizeof(Tile), LINE) * LINE
    job.panel = job.sums
    if job.plain:
        spread.tiles = tiles
        job.panel += tiles * FC_SPREAD_PIXELS * width
        return job.panel + job.block_channels * job.block_taps * width
    return job.sums + TILES * FC_SPREAD_PIXELS * width


cdef bint in_place(Spread* spread) noexcept:
    """Whether x itself serves: no window leaves it, and elements are an element's size or two apart."""
    cdef Job* job = &spread.job
    cdef const Side* side
    cdef int a
    for a in range(SIDES):
        side = &job.side[a]
        if side.lo > 0 or (side.n_out - 1) * side.stride + (side.n_taps - 1) * side.dilation - side.lo >= side.n_in:
            return False
        if side.x % job.item:
            return False
    if job.x_image % job.item or job.x_channel % (PAGE // 4) == 0 or job.x_channel % job.item:
        return False
    spread.step = job.side[2].stride * (job.side[2].x // job.item)
    if not 1 <= spread.step <= FC_SPREAD_STEPS:
        return False
    job.to_row = job.side[1].stride * job.side[1].x // job.item
    job.to_sheet = job.side[0].stride * job.side[0].x // job.item
    job.to_image, job.to_channel = job.x_image // job.item, job.x_channel // job.item
    return True


cdef cnp.ndarray reach_of(const Spread* spread):
    cdef const Job* job = &spread.job
    cdef const Side* side
    cdef int a
    cdef Py_ssize_t[SIDES] to
    to[0], to[1], to[2] = spread.strip.to_sheet, spread.strip.to_row, 1
    total = np.arange(job.block_channels, dtype=np.intp) * job.to_channel
    for a in range(SIDES):
        side = &job.side[a]
        tap = np.arange(side.n_taps, dtype=np.intp) * side.dilation
        total = np.add.outer(total, tap * (side.x // job.item if job.in_place else to[a]))
    return np.ascontiguousarray(total.ravel())


cdef cnp.ndarray pack_spread(const Spread* spread, cnp.ndarray w):
    cdef const Job* job = &spread.job
    cdef Py_ssize_t n = job.channels * job.taps, width = FC_SPREAD_VECTORS * spread.kernels.lanes, g, o, m, rows
    cdef int item = job.item
    cdef cnp.ndarray data = aligned(max(<Py_ssize_t>1, job.groups * spread.padded * n * item))
    cdef const char* of = <const char*>cnp.PyArray_DATA(w)
    cdef char* to = <char*>cnp.PyArray_DATA(data)
    with nogil:
        for g in range(job.groups):
            o = 0
            while o < job.outputs:
                rows, m = min(width, job.outputs - o), min(width, spread.padded - o)
                if rows < m:
                    memset(to, 0, m * n * item)
                job.gemm.turn(of, n, to, m, rows, n)
                of += rows * n * item
                to += m * n * item
                o += width
    return data


cdef cnp.ndarray pad_bias(const Spread* spread, cnp.ndarray bias):
    padded = np.zeros((spread.job.groups, spread.padded), bias.dtype)
    padded[:, :spread.job.outputs] = bias.reshape(spread.job.groups, spread.job.outputs)
    return padded


# ---- a unit -------------------------------------------------------------------------------------------------------

cdef struct Tile:                   # of pixels: two runs
    Py_ssize_t m                    # pixels
    Py_ssize_t at, second           # what the first one sees; from there to what the first one of the second run sees
    Py_ssize_t to, then             # bytes to their outputs, from y's first


cdef inline Tile tile_of(const Spread* spread, const Box* box, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    """Places of a pixel of the box."""
    cdef const Job* job = &spread.job
    cdef Py_ssize_t b = row % box.n[1], a = row // box.n[1] % box.n[0], i = row // box.n[1] // box.n[0]
    cdef Tile tile
    tile.at = i * job.to_image + a * job.to_sheet + b * job.to_row + column * spread.step
    tile.to = ((box.image + i) * job.y_image + (box.first[0] + a) * job.side[0].y + (box.first[1] + b) * job.side[1].y
               + (box.first[2] + column) * job.side[2].y)
    return tile


cdef Py_ssize_t tiles_of(const Spread* spread, const Box* box, Tile* tiles) noexcept nogil:
    """All pixels of the box as tiles: parts of a row, or two short rows; the number of tiles."""
    cdef Py_ssize_t rows = box.images * box.n[0] * box.n[1], columns = box.n[2], most = spread.kernels.pixels
    cdef Py_ssize_t row = 0, part, parts = parts_of(columns, most), begin, count = 0
    cdef Tile next
    while row < rows:
        if 2 * columns <= most and row + 1 < rows:
            tiles[count], next = tile_of(spread, box, row, 0), tile_of(spread, box, row + 1, 0)
            tiles[count].m, tiles[count].second, tiles[count].then = 2 * columns, next.at - tiles[count].at, next.to
            count += 1
            row += 2
            continue
        for part in range(parts):
            begin = part * columns // parts
            tiles[count] = tile_of(spread, box, row, begin)
            tiles[count].m = (part + 1) * columns // parts - begin
            tiles[count].second = (tiles[count].m + 1) // 2 * spread.step
            tiles[count].then = tiles[count].to + (tiles[count].m + 1) // 2 * spread.job.side[2].y
            count += 1
        row += 1
    return count


cdef void write(const Spread* spread, const Tile* tile, const char* sums, Py_ssize_t width, char* y,
                Py_ssize_t n) noexcept nogil:
    """Sums [pixel][width] of a tile to n outputs, from y on."""
    cdef const Job* job = &spread.job
    cdef Py_ssize_t step = job.side[2].y, first = (tile.m + 1) // 2, i
    if step != job.item or job.y_output % job.item:
        for i in range(tile.m):
            copy_strided(y + (tile.to + i * step if i < first else tile.then + (i - first) * step), job.y_output,
                         sums + i * width * job.item, job.item, n, job.item)
    elif tile.then == tile.to + first * step:
        spread.kernels.turn(sums, width, y + tile.to, job.y_output // job.item, tile.m, n)
    else:
        spread.kernels.turn(sums, width, y + tile.to, job.y_output // job.item, first, n)
        spread.kernels.turn(sums + first * width * job.item, width, y + tile.then, job.y_output // job.item,
                            tile.m - first, n)


cdef inline void fetch_outputs(const Job* job, const Tile* tile, const char* y, Py_ssize_t n) noexcept nogil:
    """Bring the places of n outputs of a tile to the cache."""
    cdef Py_ssize_t o, last = tile.then - tile.to + (tile.m - (tile.m + 1) // 2 - 1) * job.side[2].y
    y += tile.to
    for o in range(n):
        fc_prefetch_to_write(y)
        fc_prefetch_to_write(y + last)
        y += job.y_output


cdef inline void fetch_weights(const char* w, Py_ssize_t to_row, Py_ssize_t rows, Py_ssize_t bytes) noexcept nogil:
    """Bring parts of rows to the cache: rows far apart are not foreseen by the processor."""
    cdef Py_ssize_t o, j
    for o in range(rows):
        j = 0
        while j < bytes + LINE:
            fc_prefetch(w + o * to_row + j)
            j += LINE


cdef bint whole(const Spread* spread) noexcept nogil:
    """Whether x is continued by zeros alone, and its rows and the strip's are contiguous."""
    cdef const Job* job = &spread.job
    cdef int a
    for a in range(SIDES):
        if job.side[a].boundary != ZERO:
            return False
    return job.side[2].x == job.item and job.side[1].x % job.item == 0


cdef void load(const Spread* spread, const Box* box, char* to) noexcept nogil:
    """The strip: what the box sees of all channels."""
    cdef const Job* job = &spread.strip
    cdef const Side* sheets = &job.side[0]
    cdef const Side* rows = &job.side[1]
    cdef const Side* columns = &job.side[2]
    cdef Py_ssize_t item = job.item, length = columns.length, i, c, s
    cdef Py_ssize_t sheet = box.first[0] - sheets.lo, row = box.first[1] - rows.lo, column = box.first[2] - columns.lo
    cdef Py_ssize_t before = min(max(<Py_ssize_t>0, -column), length), above = min(max(<Py_ssize_t>0, -row), rows.length)
    cdef Py_ssize_t n = max(<Py_ssize_t>0, min(length - before, columns.n_in - column - before))
    cdef Py_ssize_t inside = max(<Py_ssize_t>0, min(rows.length - above, rows.n_in - row - above))
    cdef const char* x
    cdef char* at
    for i in range(box.images):
        for c in range(job.channels):
            x = (job.x + (box.image + i) * job.x_image + (box.group * job.channels + c) * job.x_channel
                 + (row + above) * rows.x + (column + before) * columns.x)
            at = to + (i * job.channels + c) * job.to_channel * item
            for s in range(sheet, sheet + sheets.length):
                if 0 <= s < sheets.n_in:
                    memset(at, 0, above * length * item)
                    spread.kernels.rows(x + s * sheets.x, rows.x // item, inside, before, n, length,
                                        at + above * length * item)
                    memset(at + (above + inside) * length * item, 0, (rows.length - above - inside) * length * item)
                else:
                    memset(at, 0, rows.length * length * item)
                at += rows.length * length * item


cdef void spread_unit(const Spread* spread, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef const Job* job = &spread.job
    cdef const fc_spread* kernels = spread.kernels
    cdef Box box, seen
    cdef Tile* tiles = <Tile*>(scratch + job.at)
    cdef Py_ssize_t item = job.item, lanes = kernels.lanes, products = job.channels * job.taps
    cdef Py_ssize_t o, v, width, outputs, count, t, begin, end, b, channel, tap, n, part
    cdef Py_ssize_t tile_bytes = FC_SPREAD_PIXELS * FC_SPREAD_VECTORS * lanes * item
    cdef bint side_by_side = job.side[2].y == item
    cdef const char* x = scratch
    cdef const char* of
    cdef const char* w
    cdef const char* block
    cdef const char* c
    cdef char* sums
    cdef char* y
    cdef int a
    box.group = cut(job, cut_outputs(job, unit, &box), &box)
    if job.in_place:
        x = seen_in_place(job, &box, 0)
    else:
        seen = box
        for a in range(SIDES):
            seen.first[a] *= job.side[a].stride
        if whole(spread):
            load(spread, &seen, scratch)
        else:
            load_strip(&spread.strip, &seen, 0, job.channels, scratch)
    count = tiles_of(spread, &box, tiles)
    o = box.output
    while o < box.output + box.outputs:
        v = min(<Py_ssize_t>FC_SPREAD_VECTORS, (spread.padded - o) // lanes)
        width = v * lanes
        outputs = min(width, job.outputs - o)
        y = job.y + (box.group * job.outputs + o) * job.y_output
        begin = 0
        while begin < count:
            end = min(count, begin + spread.tiles)
            if job.plain:
                w = job.w + (box.group * job.outputs + o) * products * item
            else:
                w = job.w + (box.group * spread.padded + o) * products * item
            for b in range(job.blocks):
                channel, tap = b // job.tap_parts * job.block_channels, b % job.tap_parts * job.block_taps
                n = min(job.block_channels, job.channels - channel) * min(job.block_taps, job.taps - tap)
                of = x + channel * job.to_channel * item
                block = w
                if job.plain:
                    block = scratch + job.panel
                    if outputs < width:
                        memset(scratch + job.panel, 0, n * width * item)
                    job.gemm.turn(w, products, scratch + job.panel, width, outputs, n)
                for t in range(begin, end):
                    if job.plain:
                        part = (t - begin) * outputs // (end - begin)
                        fetch_weights(w + (part * products + n) * item, products * item,
                                      (t + 1 - begin) * outputs // (end - begin) - part, n * item)
                    if side_by_side and b == job.blocks - 1:
                        fetch_outputs(job, &tiles[t], y, outputs)
                    sums = scratch + job.sums + (t - begin) * tile_bytes
                    c = sums
                    if b == 0:
                        c = job.bias + (box.group * spread.padded + o) * item if job.bias != NULL else NULL
                    kernels.tile[spread.step - 1][tiles[t].m - 1][v - 1](
                        n, block, of + tiles[t].at * item, job.off + tap, tiles[t].second, c, width if b else 0, sums)
                    if b == job.blocks - 1:
                        write(spread, &tiles[t], sums, width, y, outputs)
                w += n * item if job.plain else n * width * item
            begin = end
        o += width
