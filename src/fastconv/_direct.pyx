"""Direct correlation of N-D arrays: axes, tiles, boundaries and threads around the kernels.

Every problem becomes batch axes, plane axes, one row axis and one column axis, along which the vectors run:

    y[b, z, r, c] = sum over p, i, j of w[b, p, i, j] x[b, z + p, r + i, c + j]        (less lo on each axis)

With nothing convolved but the column axis the unit of work is a span of one line (kernel corr1d), else a band of
register tiles across a panel of columns (kernel tile), which reads x through a table of row pointers. What lies
outside x is copied into a small line or tile buffer; x itself is never padded. Units depend on the problem alone,
so results do not depend on the number of threads. The caller (_methods, _blocks) has validated everything.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
cimport numpy as cnp

from time import perf_counter

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport ZERO, copy_line, copy_strided, source
from fastconv._kernels.table cimport (
    FC_C64, FC_C128, FC_F32, FC_F64, FC_FIXED_HEIGHTS, FC_I16, FC_I32, FC_I64, FC_KERNEL_TABLE, FC_LD, FC_SQUARES,
    fc_kernel_table, fc_kernels, fc_tile,
)
from fastconv._threads cimport team_done, team_size

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    SPAN = 8192                     # outputs of a line in one unit
    TAPS = 2048                     # taps of a line in one pass: they and the span's input stay in L1 and L2
    TILE_COLUMNS = 512              # kernel columns in one pass over a tile
    TILE_BYTES = 512 * 1024         # input of one tile in one pass
    PANEL_BYTES = 192 * 1024        # input rows under one band: they stay in L2 for the next band
cdef double GROUP_SECONDS = 20e-6   # units that one thread takes at a time
cdef double ROUND_SECONDS = 0.1     # between looks at signals
cdef double UNIT_MACS = 3e8         # no unit holds up a signal for long

cdef const fc_kernel_table* TABLE = <const fc_kernel_table*>PyCapsule_GetPointer(_kernels.table, FC_KERNEL_TABLE)
DTYPES = {
    np.dtype(name): code for name, code in [
        ("float32", FC_F32), ("float64", FC_F64), ("complex64", FC_C64), ("complex128", FC_C128),
        ("int16", FC_I16), ("int32", FC_I32), ("int64", FC_I64), ("longdouble", FC_LD),
    ]
}


cdef struct Pass:                   # a part of the kernel: planes, rows and columns of taps, packed at offset
    Py_ssize_t plane, n_planes, row, n_rows, col, n_cols, offset

cdef struct Job:
    const fc_kernels* kernels
    int item                        # bytes of an element
    const char* x
    const char* w
    char* y
    const char* constant            # the element that stands outside, for ZERO and CONSTANT
    int n_batch, n_plane
    Axis[MAX_AXES] batch, plane
    Axis row, col
    int tile_rows, tile_vectors
    Py_ssize_t n_passes
    const Pass* passes
    Py_ssize_t span, panel          # outputs along the column axis in one unit: of lines, of tiles
    Py_ssize_t n_spans, n_bands, n_panels, n_plane_out
    Py_ssize_t table_rows, pitch    # the tile buffer: rows, bytes from row to row
    Py_ssize_t outside              # columns of the constant row

ctypedef void (*unit_function)(const Job*, Py_ssize_t, char*) noexcept nogil


cdef const fc_kernels* kernels_of(int dtype) noexcept nogil:
    return &TABLE.dtype[dtype]


# ---- lines -------------------------------------------------------------------------------------------------------

cdef void corr_line(const fc_kernels* kernels, int item, const char* x, const Axis* axis, const char* constant,
                    Py_ssize_t start, const char* h, Py_ssize_t n_taps, char* y, Py_ssize_t n, char* line) noexcept nogil:
    """y[i] = sum_t h[t] x[start + i + t], 0 <= i < n, h and y contiguous.

    Outputs whose window leaves x (and some beside them, a whole block), or all of a strided x or a short line, come
    from a copy in `line`, which holds n + n_taps - 1 elements.
    """
    cdef Py_ssize_t block = kernels.lanes if n_taps <= kernels.few_taps else kernels.block
    cdef Py_ssize_t left = n, right = n               # inside: left <= i < right
    if axis.x == item:
        left = max(0, min(n, -start))
        right = max(left, min(n, axis.n_in - start - n_taps + 1))
        if left > 0:
            left = min(n, max(left, block))
            right = max(left, right)
        if right < n:
            right = max(left, min(right, n - block))
        if right - left < n and right - left < 16 * kernels.lanes:
            left = right = n
    if left > 0:
        copy_line(line, x, axis.n_in, axis.x, axis.boundary, constant, start, left + n_taps - 1, item)
        kernels.corr1d(line, h, y, left, n_taps)
    if right > left:
        kernels.corr1d(x + (start + left) * item, h, y + left * item, right - left, n_taps)
    if n > right:
        copy_line(line, x, axis.n_in, axis.x, axis.boundary, constant, start + right, n - right + n_taps - 1, item)
        kernels.corr1d(line, h, y + right * item, n - right, n_taps)


cdef void add_strided(const Job* job, const char* sums, char* y, Py_ssize_t n, char* line) noexcept nogil:
    """y[i] += sums[i], 0 <= i < n, y with the column axis's stride."""
    if job.col.y == job.item:
        job.kernels.add(sums, y, n)
    else:
        copy_strided(line, job.item, y, job.col.y, n, job.item)
        job.kernels.add(sums, line, n)
        copy_strided(y, job.col.y, line, job.item, n, job.item)


cdef inline void locate(const Job* job, Py_ssize_t index, const char** x, const char** w, char** y) noexcept nogil:
    """Where batch element number `index` begins."""
    cdef int a
    cdef Py_ssize_t i
    x[0] = job.x
    w[0] = job.w
    y[0] = job.y
    for a in range(job.n_batch - 1, -1, -1):
        i = index % job.batch[a].n_out
        index = index // job.batch[a].n_out
        x[0] += i * job.batch[a].x
        w[0] += i * job.batch[a].w
        y[0] += i * job.batch[a].y


cdef void line_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """`span` outputs of one line."""
    cdef Py_ssize_t first = unit % job.n_spans * job.span, p
    cdef Py_ssize_t n = min(job.span, job.col.n_out - first)
    cdef const char* x
    cdef const char* w
    cdef char* y
    cdef char* line = scratch + job.span * job.item
    cdef bint in_place
    locate(job, unit // job.n_spans, &x, &w, &y)
    y += first * job.col.y
    for p in range(job.n_passes):
        in_place = p == 0 and job.col.y == job.item
        corr_line(job.kernels, job.item, x, &job.col, job.constant, first - job.col.lo + job.passes[p].col,
                  w + job.passes[p].offset, job.passes[p].n_cols, y if in_place else scratch, n, line)
        if p > 0:
            add_strided(job, scratch, y, n, line)
        elif not in_place:
            copy_strided(y, job.col.y, scratch, job.item, n, job.item)


# ---- tiles -------------------------------------------------------------------------------------------------------

cdef bint point_at_rows(const Job* job, const Pass* part, const char* x, Py_ssize_t z, Py_ssize_t r, Py_ssize_t n_rows,
                        const char** lines) noexcept nogil:
    """lines[p, i] = the input row that tap row i of plane p needs, NULL where it is constant. Is any?"""
    cdef Py_ssize_t height = job.tile_rows + part.n_rows - 1, p, i, s, tap, out, first, last
    cdef const char* plane
    cdef bint constant = False
    cdef int a
    for p in range(part.n_planes):
        plane = x
        tap = part.plane + p
        out = z
        for a in range(job.n_plane - 1, -1, -1):
            s = source(out % job.plane[a].n_out + tap % job.plane[a].n_taps - job.plane[a].lo,
                       job.plane[a].n_in, job.plane[a].boundary)
            out = out // job.plane[a].n_out
            tap = tap // job.plane[a].n_taps
            if s < 0:
                plane = NULL
                break
            plane += s * job.plane[a].x
        first = r + part.row - job.row.lo
        last = first + n_rows + part.n_rows - 2     # rows below only feed outputs that are thrown away
        for i in range(height):
            s = min(first + i, last)
            if not 0 <= s < job.row.n_in:
                s = source(s, job.row.n_in, job.row.boundary)
            lines[p * height + i] = plane + s * job.row.x if plane != NULL and s >= 0 else NULL
            constant = constant or lines[p * height + i] == NULL
    return constant


cdef inline int vectors_for(const Job* job, Py_ssize_t left, Py_ssize_t before, Py_ssize_t inside) noexcept nogil:
    """Width of the next tile: of the `left` outputs, the first `before` need a copy of x, else `inside` need none."""
    cdef Py_ssize_t n = left + job.kernels.lanes - 1
    if before > 0:
        n = min(n, before + job.kernels.lanes - 1)
    elif inside >= job.kernels.lanes:
        n = min(n, inside)
    return <int>min(job.tile_vectors, n // job.kernels.lanes)


cdef inline fc_tile tile_for(const Job* job, int vectors, Py_ssize_t n_rows, Py_ssize_t n_cols) noexcept nogil:
    cdef const fc_kernels* k = job.kernels
    cdef const fc_tile* tiles = &k.column[vectors - 1][0] if job.col.n_taps == 1 else &k.tile[vectors - 1][0]
    if n_rows == n_cols and n_rows < FC_SQUARES and vectors == job.tile_vectors and k.square[n_rows] != NULL:
        return k.square[n_rows]
    return tiles[n_rows] if n_rows < FC_FIXED_HEIGHTS and tiles[n_rows] != NULL else tiles[0]


cdef void tile_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """One band of rows across one panel of columns."""
    cdef const fc_kernels* k = job.kernels
    cdef int item = job.item
    cdef const Axis* col = &job.col
    cdef Py_ssize_t r = unit % job.n_bands * job.tile_rows
    cdef Py_ssize_t first = unit // job.n_bands % job.n_panels * job.panel
    cdef Py_ssize_t z = unit // (job.n_bands * job.n_panels) % job.n_plane_out
    cdef Py_ssize_t n_rows = min(job.tile_rows, job.row.n_out - r)
    cdef Py_ssize_t end = min(col.n_out, first + job.panel)
    cdef const char** lines = <const char**>scratch                 # column 0 of each input row
    cdef const void** rows = <const void**>(lines + job.table_rows)  # the same from column `base`
    cdef const void** copies = rows + job.table_rows
    cdef char* outside = <char*>(copies + job.table_rows)           # a constant row
    cdef char* buffer = outside + job.outside * item
    cdef char* sums = buffer + job.table_rows * job.pitch
    cdef char* line = sums + job.tile_rows * job.tile_vectors * k.lanes * item
    cdef const char* x
    cdef const char* w
    cdef char* y
    cdef char* to
    cdef const Pass* part
    cdef Py_ssize_t p, c, s, i, base, free, width, n, height, left = z
    cdef bint inside, in_place
    cdef fc_tile tile
    cdef int a, vectors

    locate(job, unit // (job.n_bands * job.n_panels * job.n_plane_out), &x, &w, &y)
    for a in range(job.n_plane - 1, -1, -1):
        y += left % job.plane[a].n_out * job.plane[a].y
        left = left // job.plane[a].n_out
    y += r * job.row.y
    for p in range(job.n_passes):
        part = job.passes + p
        height = part.n_planes * (job.tile_rows + part.n_rows - 1)
        if point_at_rows(job, part, x, z, r, n_rows, lines):
            copy_line(outside, NULL, 0, 0, ZERO, job.constant, 0, job.outside, item)
        base = max(0, first + part.col - col.lo)
        for i in range(height):
            rows[i] = lines[i] + base * item if lines[i] != NULL else outside
        c = first
        while c < end:
            s = c + part.col - col.lo
            free = col.n_in - s - part.n_cols + 1 if col.x == item and s >= 0 else -1     # outputs that need no copy
            vectors = vectors_for(job, end - c, -s, free)
            width = vectors * k.lanes
            inside = width <= free
            tile = tile_for(job, vectors, part.n_rows, part.n_cols)
            n = min(width, end - c)
            to = y + c * col.y
            in_place = p == 0 and n == width and n_rows == job.tile_rows and col.y == item and job.row.y % item == 0
            if inside and in_place:                 # and so are the tiles of this width beside it
                for i in range(min(free, end - c) // width):
                    tile(rows, part.n_planes, s - base, w + part.offset, part.n_rows, part.n_cols, to, job.row.y // item)
                    s += width
                    c += width
                    to += width * item
                continue
            if not inside:
                for i in range(height):
                    copies[i] = buffer + i * job.pitch
                    copy_line(buffer + i * job.pitch, lines[i], col.n_in, col.x, col.boundary, job.constant,
                              s, width + part.n_cols - 1, item)
            tile(rows if inside else copies, part.n_planes, s - base if inside else 0, w + part.offset, part.n_rows,
                 part.n_cols, to if in_place else sums, job.row.y // item if in_place else width)
            if not in_place:
                for i in range(n_rows):
                    if p == 0:
                        copy_strided(to + i * job.row.y, col.y, sums + i * width * item, item, n, item)
                    else:
                        add_strided(job, sums + i * width * item, to + i * job.row.y, n, line)
            c += n


# ---- the driver --------------------------------------------------------------------------------------------------

cdef void run_units(const Job* job, unit_function unit, Py_ssize_t begin, Py_ssize_t end, char* scratch) noexcept nogil:
    cdef Py_ssize_t u
    for u in range(begin, end):
        unit(job, u, scratch)


cdef int run(const Job* job, unit_function unit, Py_ssize_t n_units, double unit_seconds, Py_ssize_t scratch_bytes,
             int workers, tick) except -1:
    """All units, in rounds; between rounds signals are heard and tick(fraction done) is called."""
    cdef Py_ssize_t group = max(1, <Py_ssize_t>(GROUP_SECONDS / unit_seconds))
    cdef Py_ssize_t n_groups = (n_units + group - 1) // group, done = 0, stop, g, per_round
    cdef int team = team_size(workers, n_units * unit_seconds if n_groups > 1 else 0)
    cdef double began, seconds
    cdef unsigned char[:, ::1] scratch
    try:
        scratch = np.empty((team, (scratch_bytes + 63) // 64 * 64), np.uint8)
        per_round = max(team, <Py_ssize_t>(ROUND_SECONDS / 10 * team / (group * unit_seconds)))
        while done < n_groups:
            stop = min(n_groups, done + per_round)
            began = perf_counter()
            if team == 1:
                with nogil:
                    run_units(job, unit, done * group, min(n_units, stop * group), <char*>&scratch[0, 0])
            else:
                for g in prange(done, stop, nogil=True, num_threads=team, schedule="dynamic"):
                    run_units(job, unit, g * group, min(n_units, (g + 1) * group), <char*>&scratch[threadid(), 0])
            done = stop
            seconds = perf_counter() - began
            per_round = max(team, <Py_ssize_t>(per_round * min(4.0, ROUND_SECONDS / max(seconds, 1e-6))))
            PyErr_CheckSignals()
            if tick is not None:
                tick(done / n_groups)
    finally:
        team_done(team)
    return 0


cdef Axis axis_of(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int i, tuple lo, tuple boundary, int n_batch,
                  bint convolved) except *:
    cdef Axis axis
    axis.n_in = x.shape[i]
    axis.n_out = y.shape[i]
    axis.x = x.strides[i]
    axis.y = y.strides[i]
    axis.w = 0
    axis.n_taps = w.shape[i] if convolved else 1
    axis.lo = lo[i - n_batch] if convolved else 0
    axis.boundary = boundary[i - n_batch] if convolved else ZERO
    return axis


def correlate(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
              int workers, tick=None):
    """y[b, o] = sum_t w[b, t] x[b, o + t - lo], where `boundary` says what x is outside.

    Parameters
    ----------
    x, w, y : ndarray
        Of one dtype of `DTYPES`, native and aligned, with any strides; y overlaps neither x nor w. The first n_batch
        axes have one shape in all three (by strides of 0 where need be); then the convolved axes.
    lo, boundary : tuple of int
        Per convolved axis: the taps that hang over the low end; the code of `_problem.BOUNDARIES`.
    cval : scalar
        What stands outside for the boundaries "zero" (then 0) and "constant".
    workers : int
        As `_threads.resolve_workers` gave it.
    tick : callable, optional
        Called with the fraction done, some times a second.
    """
    cdef Job job
    cdef int nd = x.ndim, i, a, col = -1, row = -1, item = <int>x.itemsize
    cdef bint[MAX_AXES] convolved
    cdef bint any_convolved = False
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype)
    cdef cnp.ndarray packed
    cdef Py_ssize_t n_units, n_lines = 1, stride, macs = 1, unit_outputs, tile_cols
    cdef Py_ssize_t[:, ::1] passes
    cdef const fc_kernels* k = kernels_of(DTYPES[x.dtype])

    for i in range(nd):
        if y.shape[i] == 0:
            return
        convolved[i] = i >= n_batch and not (w.shape[i] == 1 and lo[i - n_batch] == 0 and x.shape[i] == y.shape[i])
        any_convolved = any_convolved or convolved[i]
    convolved[nd - 1] = convolved[nd - 1] or not any_convolved
    for i in range(nd):                                  # vectors run along contiguous memory: a convolved axis,
        if convolved[i] and x.strides[i] == item and x.shape[i] > 1:
            col = i
    for i in range(nd):                                  # or one that shares the kernel,
        if col < 0 and not convolved[i] and x.strides[i] == item and x.shape[i] >= k.lanes \
                and (w.shape[i] == 1 or w.strides[i] == 0):
            col = i
    for i in range(nd):                                  # or the last convolved one, line by line through a buffer
        if col < 0 and convolved[nd - 1 - i]:
            col = nd - 1 - i
    for i in range(nd):
        if convolved[i] and i != col:
            row = i

    job.kernels = k
    job.item = item
    job.constant = <const char*>cnp.PyArray_DATA(constant)
    job.x = <const char*>cnp.PyArray_DATA(x)
    job.y = <char*>cnp.PyArray_DATA(y)
    job.n_batch = job.n_plane = 0
    job.n_plane_out = 1
    batch, plane = [], []
    for i in range(nd):
        if i == col or i == row:
            continue
        if convolved[i]:
            plane.append(i)
            job.plane[job.n_plane] = axis_of(x, w, y, i, lo, boundary, n_batch, True)
            job.n_plane_out *= y.shape[i]
            macs *= w.shape[i]
            job.n_plane += 1
        else:
            batch.append(i)
            job.batch[job.n_batch] = axis_of(x, w, y, i, lo, boundary, n_batch, False)
            n_lines *= y.shape[i]
            job.n_batch += 1
    job.col = axis_of(x, w, y, col, lo, boundary, n_batch, convolved[col])
    macs *= job.col.n_taps
    if row >= 0:
        job.row = axis_of(x, w, y, row, lo, boundary, n_batch, True)
        macs *= job.row.n_taps

    job.tile_rows, job.tile_vectors = k.tile_rows, k.tile_vectors
    if job.col.n_taps == 1:
        job.tile_rows, job.tile_vectors = k.column_rows, k.column_vectors

    # The kernels, packed: [batch..., planes..., row, column], shared axes once, each pass contiguous.
    shared = tuple([slice(0, 1) if not convolved[i] and w.strides[i] == 0 else slice(None) for i in range(nd)])
    order = batch + plane + ([row] if row >= 0 else []) + [col]
    parts = _passes(&job, macs, row >= 0)
    packed = _pack(w[shared].transpose(order), len(batch), parts, item)
    passes = np.array(parts, np.intp)
    job.w = <const char*>cnp.PyArray_DATA(packed)
    job.n_passes = passes.shape[0]
    job.passes = <const Pass*>&passes[0, 0]
    stride = macs * item
    for a in range(job.n_batch - 1, -1, -1):
        if packed.shape[a] > 1:
            job.batch[a].w = stride
            stride *= packed.shape[a]

    if row < 0:
        job.span = max(8 * k.lanes, min(<Py_ssize_t>SPAN, <Py_ssize_t>(UNIT_MACS / macs)))
        job.n_spans = (job.col.n_out + job.span - 1) // job.span
        unit_outputs = min(job.span, job.col.n_out)
        run(&job, line_unit, n_lines * job.n_spans, unit_seconds(k, macs, unit_outputs),
            (2 * job.span + min(<Py_ssize_t>TAPS, job.col.n_taps)) * item, workers, tick)
    else:
        tile_cols = job.tile_vectors * k.lanes
        job.panel = max(4 * tile_cols, <Py_ssize_t>(PANEL_BYTES // (job.table_rows * item)))
        job.panel = max(tile_cols, min(job.panel, <Py_ssize_t>(UNIT_MACS / (<double>macs * job.tile_rows))))
        job.n_panels = (job.col.n_out + job.panel - 1) // job.panel
        job.panel = ((job.col.n_out + job.n_panels - 1) // job.n_panels + tile_cols - 1) // tile_cols * tile_cols
        job.n_panels = (job.col.n_out + job.panel - 1) // job.panel
        job.n_bands = (job.row.n_out + job.tile_rows - 1) // job.tile_rows
        job.outside += job.panel
        unit_outputs = min(job.panel, job.col.n_out) * job.tile_rows
        run(&job, tile_unit, n_lines * job.n_plane_out * job.n_panels * job.n_bands,
            unit_seconds(k, macs, unit_outputs),
            3 * job.table_rows * sizeof(void*) + job.table_rows * job.pitch
            + (job.outside + (job.tile_rows + 1) * tile_cols) * item, workers, tick)


cdef double unit_seconds(const fc_kernels* k, Py_ssize_t macs, Py_ssize_t outputs) noexcept:
    """A rough estimate: three vectors of products and four outputs a nanosecond."""
    return outputs * (<double>macs / (3e9 * k.lanes) + 0.25e-9) + 20e-9


cdef list _passes(Job* job, Py_ssize_t n_taps, bint tiles):
    """The kernel cut so that what one pass needs of x fits the scratch: rows of (the fields of Pass)."""
    cdef Py_ssize_t planes, rows = 1, cols = job.col.n_taps, p, i, j, np_, ni, nj, offset = 0, fit
    cdef Py_ssize_t tile_rows = job.tile_rows, tile_cols = job.tile_vectors * job.kernels.lanes, all_rows = 1
    if not tiles:
        planes = 1
        cols = min(cols, <Py_ssize_t>TAPS)
    else:
        all_rows = rows = job.row.n_taps
        planes = n_taps // (rows * cols)
        if planes * (tile_rows + rows - 1) * (tile_cols + cols - 1) * job.item > TILE_BYTES or cols > TILE_COLUMNS:
            cols = min(cols, <Py_ssize_t>TILE_COLUMNS)
            fit = TILE_BYTES // ((tile_cols + cols - 1) * job.item)
            rows = min(rows, max(1, fit - tile_rows + 1))
            planes = min(planes, max(1, fit // (tile_rows + rows - 1)))
        job.table_rows = (planes * (tile_rows + rows - 1) + 1) // 2 * 2      # even: what follows keeps its alignment
        job.outside = tile_cols + cols - 1                                   # and a panel
        job.pitch = (tile_cols + cols - 1) * job.item
    result = []
    for p in range(0, n_taps // (all_rows * job.col.n_taps), planes):
        np_ = min(planes, n_taps // (all_rows * job.col.n_taps) - p)
        for i in range(0, all_rows, rows):
            ni = min(rows, all_rows - i)
            for j in range(0, job.col.n_taps, cols):
                nj = min(cols, job.col.n_taps - j)
                result.append((p, np_, i, ni, j, nj, offset))
                offset += np_ * ni * nj * job.item
    return result


cdef cnp.ndarray _pack(cnp.ndarray w, int n_batch, list parts, int item):
    """w as [batch..., taps], the taps of each pass contiguous and in its order."""
    cdef tuple batch = (<object>w).shape[:n_batch]
    if len(parts) == 1 or w.ndim == n_batch + 1:
        return np.ascontiguousarray(w).reshape(*batch, -1)
    w = w.reshape(*batch, -1, w.shape[w.ndim - 2], w.shape[w.ndim - 1])
    return np.concatenate([
        w[..., p:p + n_p, i:i + n_i, j:j + n_j].reshape(*batch, -1) for p, n_p, i, n_i, j, n_j, _ in parts
    ], axis=-1)
