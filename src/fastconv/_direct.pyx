"""Direct correlation of N-D arrays: axes, tiles, boundaries and threads around the kernels.

Every problem becomes batch axes, plane axes, one row axis and one column axis, along which the vectors run:

    y[b, z, r, c] = sum over p, i, j of w[b, p, i, j] x[b, z + p, r + i, c + j]        (less lo on each axis)

With nothing convolved but the column axis the unit of work is a span of one line (kernel corr1d), else a strip of
rows across a panel of columns, computed in bands (kernel tile) from a ring of input rows: a small buffer to which each
row of x is copied once, continued beyond its ends; x itself is never padded. Units depend on the problem alone, so
results do not depend on the number of threads. The caller (_methods, _blocks) has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memcpy, memset
cimport numpy as cnp

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport CONSTANT, ZERO, copy_line, copy_strided, source
from fastconv._kernels.table cimport (
    FC_C64, FC_C128, FC_F32, FC_F64, FC_FIXED_HEIGHTS, FC_I16, FC_I32, FC_I64, FC_KERNEL_TABLE, FC_LD,
    fc_kernel_table, fc_kernels, fc_tile,
)
from fastconv._rounds cimport Task, new_task, run_task, unit_function

cnp.import_array()

cdef extern from *:
    """
    #include <stdint.h>
    #ifdef __linux__
    #include <sys/mman.h>
    #include <unistd.h>
    /* Is the page there already? Fresh ones come through the cache, when the system clears them. */
    static int fc_page_is_there(const char *p) {
        unsigned char there = 0;
        const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        return mincore((void *)((uintptr_t)p / page * page), 1, &there) == 0 && (there & 1);
    }
    #else
    static int fc_page_is_there(const char *p) { (void)p; return 0; }
    #endif
    """
    bint fc_page_is_there(const char* p) noexcept nogil

cdef enum:
    MAX_AXES = 64                   # NumPy's
    SPAN = 8192                     # outputs of a line in one unit
    SHORT = 32                      # vectors in a line that is not worth a search for what needs no copy
    TAPS = 2048                     # taps of a line in one pass: they and the span's input stay in L1 and L2
    TILE_COLUMNS = 512              # kernel columns in one pass
    TILE_LANES = 12                 # panels are whole tiles of 2, 3 and 4 vectors
    RING_BYTES = 512 * 1024         # input rows of one pass, at most
    PANEL_BYTES = 24 * 1024         # the same if there is a choice: they stay in L1
    PANEL_BYTES_2 = 256 * 1024      # or in L2, where panels for L1 would be narrow, or the rows
    MANY_ROWS = 32                  # fewer than so many, read as long streams from beyond L2
    L1_WAY = 4096                   # rows a multiple of this apart share their cache sets
    MANY_TAPS = 200                 # beside the products of so many taps the copy of a row costs nothing
    STREAM_BYTES = 32 * 1024 * 1024 # so many bytes of outputs of few taps go past the caches,
    STREAM_TAPS = 12                # which to wait for takes longer than the products
cdef double UNIT_MACS = 4e7         # per lane: no unit holds up a signal for long

cdef const fc_kernel_table* TABLE = <const fc_kernel_table*>PyCapsule_GetPointer(
    _kernels.table("direct"), FC_KERNEL_TABLE)
# So many rows that share cache sets fit, and the output: of 8 ways, or of the 12 that most CPUs with AVX-512 have.
cdef Py_ssize_t L1_ROWS = 10 if TABLE.vector_bytes == 64 else 6
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
    int tile_rows
    Py_ssize_t n_passes
    const Pass* passes
    Py_ssize_t span, strip, panel   # outputs in one unit: of a line; rows and columns
    Py_ssize_t n_spans, n_strips, n_panels, n_plane_out
    Py_ssize_t lines, n_groups      # short lines in one unit; such groups along the last batch axis
    Py_ssize_t ring_planes, ring_rows, pitch        # the ring, at most: planes, rows of all; bytes from row to row
    Py_ssize_t pointers             # bytes of the tables of pointers to them
    Py_ssize_t left, right          # outputs in panels of their own, whose windows leave x
    bint copies                     # of all rows, even if they lie inside x
    bint streams                    # outputs go past the caches
    int part                        # bytes of a float to look at, or 0
    Py_ssize_t seen                 # bytes from the scratch to sums of the outputs that were looked at
    int* spoiled                    # set if some output is not finite

cdef const fc_kernels* kernels_of(int dtype) noexcept nogil:
    return &TABLE.dtype[dtype]


cdef Py_ssize_t copied(const fc_kernels* kernels, Py_ssize_t n, Py_ssize_t n_taps) noexcept nogil:
    """How many elements `line` needs to hold in corr_line for a contiguous x, with 0 <= -start < n_taps."""
    return min(n, 2 * max(n_taps, <Py_ssize_t>kernels.block) + SHORT * kernels.lanes) + n_taps - 1


cdef bint streams(cnp.ndarray y) noexcept:
    """Whether so large an output had better go past the caches: memory that was used before."""
    cdef Py_ssize_t nbytes = cnp.PyArray_NBYTES(y)
    return nbytes >= STREAM_BYTES and fc_page_is_there(<const char*>cnp.PyArray_DATA(y) + nbytes // 2)


cdef bint not_finite(const char* sums, Py_ssize_t n, Py_ssize_t step, int item, int part) noexcept nogil:
    """Whether one of n elements, of floats of `part` bytes, is not finite: of those `step` apart, and the last."""
    cdef Py_ssize_t i
    cdef const char* at
    cdef int k
    cdef double zero = 0
    for i in range((n + step - 2) // step + 1):
        at = sums + min(n - 1, i * step) * item
        for k in range(item // part):
            zero += 0 * ((<const float*>at)[k] if part == 4 else (<const double*>at)[k])
    return zero != 0


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
        if right - left < n and right - left < SHORT * kernels.lanes:
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


cdef inline void line_part(const Job* job, const char* x, const char* w, char* y, Py_ssize_t first, Py_ssize_t n,
                           char* scratch) noexcept nogil:
    """n outputs of one line, from number `first` on; y is the place of that one."""
    cdef Py_ssize_t p
    cdef char* line = scratch + job.span * job.item
    cdef bint in_place
    for p in range(job.n_passes):
        in_place = p == 0 and job.col.y == job.item
        corr_line(job.kernels, job.item, x, &job.col, job.constant, first - job.col.lo + job.passes[p].col,
                  w + job.passes[p].offset, job.passes[p].n_cols, y if in_place else scratch, n, line)
        if p > 0:
            add_strided(job, scratch, y, n, line)
        elif not in_place:
            copy_strided(y, job.col.y, scratch, job.item, n, job.item)


cdef void same_halo(const Job* job, const char* x, const char* w, char* y, Py_ssize_t count, char* lines) noexcept nogil:
    """`count` whole short lines, copied to where a constant surrounds them already.

    Some are copied before the first is read: vectors that span two recent stores wait for these to reach the cache.
    """
    cdef const Axis* col = &job.col
    cdef const Axis* side = &job.batch[max(0, job.n_batch - 1)]
    cdef Py_ssize_t length = col.n_out + col.n_taps - 1, first = max(0, -col.lo), at = max(0, col.lo), i = 0, j
    cdef Py_ssize_t inside = max(0, min(length - at, col.n_in - first)) * job.item, pitch = length * job.item
    cdef Py_ssize_t ahead = max(1, min(count, min(<Py_ssize_t>8, 2 * job.span // length)))
    for j in range(ahead):
        copy_line(lines + j * pitch, x, col.n_in, col.x, col.boundary, job.constant, -col.lo, length, job.item)
    while i < count:
        ahead = min(ahead, count - i)
        for j in range(ahead):
            if inside > 0:
                memcpy(lines + j * pitch + at * job.item, x + (i + j) * side.x + first * job.item, inside)
        for j in range(ahead):
            job.kernels.corr1d(lines + j * pitch, w + (i + j) * side.w, y + (i + j) * side.y, col.n_out, col.n_taps)
        i += ahead


cdef void line_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """`span` outputs of one line, or up to `lines` whole lines side by side."""
    cdef Py_ssize_t first = unit % job.n_spans * job.span, group = unit // job.n_spans, count = 1, i
    cdef Py_ssize_t n = min(job.span, job.col.n_out - first)
    cdef const Axis* side = &job.batch[max(0, job.n_batch - 1)]
    cdef const char* x
    cdef const char* w
    cdef char* y
    if job.lines > 1:
        i = group % job.n_groups * job.lines
        count = min(job.lines, side.n_out - i)
        group = group // job.n_groups * side.n_out + i
    locate(job, group, &x, &w, &y)
    if count > 1 and job.n_passes == 1 and job.col.boundary <= CONSTANT and job.col.x == job.item == job.col.y:
        same_halo(job, x, w, y, count, scratch)
        return
    for i in range(count):
        line_part(job, x, w, y + first * job.col.y, first, n, scratch)
        if i + 1 < count:
            x += side.x
            w += side.w
            y += side.y


# ---- tiles -------------------------------------------------------------------------------------------------------

cdef void point_at_planes(const Job* job, const Pass* part, const char* x, Py_ssize_t z, const char** planes) noexcept nogil:
    """planes[p] = the input plane that tap plane p needs for output plane z, NULL where it is constant."""
    cdef Py_ssize_t p, s, tap, out
    cdef int a
    for p in range(part.n_planes):
        planes[p] = x
        tap = part.plane + p
        out = z
        for a in range(job.n_plane - 1, -1, -1):
            s = source(out % job.plane[a].n_out + tap % job.plane[a].n_taps - job.plane[a].lo,
                       job.plane[a].n_in, job.plane[a].boundary)
            out = out // job.plane[a].n_out
            tap = tap // job.plane[a].n_taps
            if s < 0:
                planes[p] = NULL
                break
            planes[p] += s * job.plane[a].x


cdef inline fc_tile tile_for(const Job* job, Py_ssize_t n_rows) noexcept nogil:
    cdef const fc_tile* tiles = &job.kernels.column[0] if job.col.n_taps == 1 else &job.kernels.tile[0]
    return tiles[n_rows] if n_rows < FC_FIXED_HEIGHTS and tiles[n_rows] != NULL else tiles[0]


cdef void tile_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """A strip of rows across a panel of columns."""
    cdef int item = job.item
    cdef const Axis* col = &job.col
    cdef const Axis* row = &job.row
    cdef Py_ssize_t z = unit % job.n_plane_out
    cdef Py_ssize_t begin = unit // job.n_plane_out % job.n_strips * job.strip
    cdef Py_ssize_t panel = unit // (job.n_plane_out * job.n_strips) % job.n_panels
    cdef Py_ssize_t end = min(row.n_out, begin + job.strip)
    cdef Py_ssize_t first, n, width
    cdef const char** planes = <const char**>scratch
    cdef const char** ring = planes + job.ring_planes               # input row i of a plane, continued, in slot i % height
    cdef const void** rows = <const void**>(ring + job.ring_rows)   # the ring in the order of the kernel's rows
    cdef char* buffer = scratch + job.pointers
    cdef char* sums = buffer + job.ring_rows * job.pitch
    cdef char* line = sums + job.tile_rows * job.panel * item
    cdef const char* x
    cdef const char* w
    cdef char* y
    cdef char* to
    cdef const Pass* part
    cdef Py_ssize_t p, q, band, top, i, s, start, loaded, free, oldest, slot, n_rows, height, left = z
    cdef bint inside, in_place
    cdef fc_tile tile
    cdef int a

    locate(job, unit // (job.n_strips * job.n_panels * job.n_plane_out), &x, &w, &y)
    for a in range(job.n_plane - 1, -1, -1):
        y += left % job.plane[a].n_out * job.plane[a].y
        left = left // job.plane[a].n_out
    if job.left and panel == 0:
        first, n = 0, job.left
    elif job.right and panel == job.n_panels - 1:
        first, n = col.n_out - job.right, job.right
    else:
        first = job.left + (panel - (job.left > 0)) * job.panel
        n = min(job.panel, col.n_out - job.right - first)
    width = max(n, job.kernels.lanes)
    y += first * col.y
    if job.part:
        memset(scratch + job.seen, 0, n * item)
    for p in range(job.n_passes):
        part = job.passes + p
        point_at_planes(job, part, x, z, planes)
        tile = tile_for(job, part.n_rows)
        height = job.tile_rows + part.n_rows - 1
        start = first + part.col - col.lo
        inside = not job.copies and start >= 0 and start + width + part.n_cols - 1 <= col.n_in
        loaded = free = oldest = 0
        for band in range((end - begin + job.tile_rows - 1) // job.tile_rows):
            top = band * job.tile_rows
            n_rows = min(job.tile_rows, end - begin - top)
            while loaded < top + n_rows + part.n_rows - 1:
                s = source(begin + loaded + part.row - row.lo, row.n_in, row.boundary)
                for q in range(part.n_planes):
                    slot = q * height + free
                    if inside and s >= 0 and planes[q] != NULL:
                        ring[slot] = planes[q] + s * row.x + start * item
                        continue
                    ring[slot] = buffer + slot * job.pitch
                    copy_line(buffer + slot * job.pitch, planes[q] + s * row.x if s >= 0 and planes[q] != NULL else NULL,
                              col.n_in, col.x, col.boundary, job.constant, start, n + part.n_cols - 1, item)
                loaded += 1
                free = free + 1 if free + 1 < height else 0
            for q in range(part.n_planes):
                memcpy(rows + q * height, ring + q * height + oldest, (height - oldest) * sizeof(void*))
                memcpy(rows + q * height + height - oldest, ring + q * height, oldest * sizeof(void*))
                for i in range(n_rows + part.n_rows - 1, height):    # these only feed outputs that are thrown away
                    rows[q * height + i] = rows[q * height]
            oldest += job.tile_rows - (height if oldest + job.tile_rows >= height else 0)
            to = y + (begin + top) * row.y
            in_place = p == 0 and n == width and n_rows == job.tile_rows and col.y == item and row.y % item == 0 \
                and not job.streams
            tile(rows, part.n_planes, w + part.offset, part.n_rows, part.n_cols, to if in_place else sums,
                 row.y // item if in_place else job.panel, width)
            if job.part:                                # a value of x spoils as many rows as the kernel has
                for i in range(n_rows):
                    if (top + i) % row.n_taps == 0 or begin + top + i + 1 == end:
                        job.kernels.add(to + i * row.y if in_place else sums + i * job.panel * item,
                                        scratch + job.seen, n)
            if not in_place:
                for i in range(n_rows):
                    if job.streams:
                        job.kernels.stream(sums + i * job.panel * item, to + i * row.y, n * item)
                    elif p == 0:
                        copy_strided(to + i * row.y, col.y, sums + i * job.panel * item, item, n, item)
                    else:
                        add_strided(job, sums + i * job.panel * item, to + i * row.y, n, line)

    if job.streams:
        job.kernels.stream(NULL, NULL, 0)
    if job.part and not_finite(scratch + job.seen, n, col.n_taps, item, job.part):
        job.spoiled[0] = 1


# ---- the driver --------------------------------------------------------------------------------------------------

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
              int workers, tick=None, bint look=False):
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
    look : bool
        Whether to look for values of y that are not finite.

    Returns
    -------
    bool
        Whether there may be such.
    """
    cdef Task task = prepare(x, w, y, n_batch, lo, boundary, cval)
    cdef int spoiled = 0
    cdef Job* job
    if task is None:
        return False
    job = <Job*>task.work.job
    if look and job.n_passes == 1 and job.seen and x.dtype.char in "fdFD":
        job.part = <int>x.itemsize // (1 if x.dtype.kind == "f" else 2)
        job.spoiled = &spoiled
    run_task(task, workers, tick)
    return spoiled != 0 or job.part == 0


cdef Task prepare(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval):
    cdef Task task = new_task(sizeof(Job))
    cdef Job* job = <Job*>task.work.job
    cdef int nd = x.ndim, i, a, col = -1, row = -1, item = <int>x.itemsize
    cdef bint[MAX_AXES] convolved
    cdef bint any_convolved = False
    cdef cnp.ndarray constant = np.zeros(1, x.dtype)
    cdef cnp.ndarray packed
    cdef Py_ssize_t n_units, n_lines = 1, size, stride, macs = 1, unit_outputs
    cdef cnp.ndarray passes
    cdef const fc_kernels* k = kernels_of(DTYPES[x.dtype])

    if cval:
        constant[0] = cval
    for i in range(nd):
        if y.shape[i] == 0:
            return None
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

    job.tile_rows = k.column_rows if job.col.n_taps == 1 else k.tile_rows

    # The kernels, packed: [batch..., planes..., row, column], shared axes once, each pass contiguous.
    shared = tuple([slice(0, 1) if not convolved[i] and w.strides[i] == 0 else slice(None) for i in range(nd)])
    order = batch + plane + ([row] if row >= 0 else []) + [col]
    packed = np.ascontiguousarray(w[shared].transpose(order))   # first: there may be no memory for it
    parts = _passes(job, macs, row >= 0)
    packed = _pack(packed, len(batch), parts, item)
    passes = np.array(parts, np.intp)
    job.w = <const char*>cnp.PyArray_DATA(packed)
    job.n_passes = len(parts)
    job.passes = <const Pass*>cnp.PyArray_DATA(passes)
    stride = macs * item
    for a in range(job.n_batch - 1, -1, -1):
        if packed.shape[a] > 1:
            job.batch[a].w = stride
            stride *= packed.shape[a]

    if row < 0:
        job.span = max(8 * k.lanes, min(<Py_ssize_t>SPAN, <Py_ssize_t>(UNIT_MACS * k.lanes / macs)))
        job.n_spans = (job.col.n_out + job.span - 1) // job.span
        job.lines = job.n_groups = 1
        if job.n_batch > 0:
            size = job.batch[job.n_batch - 1].n_out
            job.lines = min(size, max(1, job.span // job.col.n_out) if job.col.n_out <= SHORT * k.lanes else 1)
            job.n_groups = (size + job.lines - 1) // job.lines
            n_lines = n_lines // size * job.n_groups
        unit_outputs = min(job.span, job.col.n_out) * job.lines
        task.work.unit = <unit_function>line_unit
        task.work.n_units = n_lines * job.n_spans
        task.work.scratch_bytes = (2 * job.span + min(<Py_ssize_t>TAPS, job.col.n_taps)) * item
    else:
        _tiles(job, macs)
        unit_outputs = min(job.panel, job.col.n_out) * min(job.strip, job.row.n_out)
        task.work.unit = <unit_function>tile_unit
        task.work.n_units = n_lines * job.n_plane_out * job.n_panels * job.n_strips
        job.seen = job.pointers + job.ring_rows * job.pitch + (job.tile_rows + 1) * job.panel * item
        task.work.scratch_bytes = job.seen + job.panel * item
        job.streams = job.n_passes == 1 and macs <= STREAM_TAPS and job.col.y == item and streams(y)
    task.work.unit_seconds = unit_seconds(k, macs, unit_outputs)
    task.work.x_at = <char*>&job.x - task.work.job
    task.work.y_at = <char*>&job.y - task.work.job
    task.kept = (constant, packed, passes)
    return task


cdef double unit_seconds(const fc_kernels* k, Py_ssize_t macs, Py_ssize_t outputs) noexcept:
    """A rough estimate: three vectors of products (a third of a single one) and four outputs a nanosecond."""
    return outputs * (<double>macs / (3e9 * k.lanes if k.lanes > 1 else 0.3e9) + 0.25e-9) + 20e-9


cdef void _tiles(Job* job, Py_ssize_t macs) noexcept:
    """How large a unit of tiles is: strips and panels, and the pitch of the ring."""
    cdef const Axis* col = &job.col
    cdef Py_ssize_t lanes = job.kernels.lanes, whole = TILE_LANES * lanes, taps = min(col.n_taps, <Py_ssize_t>TILE_COLUMNS)
    cdef Py_ssize_t panel = PANEL_BYTES // (job.ring_rows * job.item) - taps, lines, middle, spread = L1_WAY
    while job.row.x % spread:
        spread //= 2
    job.left = (max(0, col.lo) + lanes - 1) // lanes * lanes
    job.right = (max(0, col.n_out + col.n_taps - 1 - col.lo - col.n_in) + lanes - 1) // lanes * lanes
    middle = col.n_out - job.left - job.right
    job.copies = col.x != job.item or macs >= MANY_TAPS or job.ring_rows * spread > L1_ROWS * L1_WAY \
        or middle < 4 * (job.left + job.right)
    if job.copies:
        job.left = job.right = 0
        middle = col.n_out
    if panel < max(4 * whole, 8 * taps) if col.n_taps > 1 and job.copies else job.ring_rows < MANY_ROWS:
        panel = PANEL_BYTES_2 // (job.ring_rows * job.item) - taps
    panel = max(whole, job.left, job.right, min(panel, <Py_ssize_t>(UNIT_MACS * lanes / (<double>macs * job.tile_rows))))
    job.n_panels = (middle + panel - 1) // panel
    job.panel = ((middle + job.n_panels - 1) // job.n_panels + whole - 1) // whole * whole
    job.panel = max(job.panel, job.left, job.right)
    job.n_panels = (middle + job.panel - 1) // job.panel + (job.left > 0) + (job.right > 0)
    job.strip = max(64, 4 * job.row.n_taps)
    if job.n_plane:                                      # few enough to stay in L2 for the next output plane
        job.strip = min(job.strip, PANEL_BYTES_2 // (job.ring_planes * job.panel * job.item) - job.row.n_taps)
    job.strip //= job.tile_rows
    job.strip = max(1, min(job.strip, <Py_ssize_t>(UNIT_MACS * lanes / (<double>macs * job.tile_rows * job.panel)))) * job.tile_rows
    job.n_strips = (job.row.n_out + job.strip - 1) // job.strip
    lines = ((job.panel + taps - 1) * job.item + 63) // 64
    job.pitch = 64 * (lines + 1 - lines % 2)             # an odd number of cache lines: rows spread over all sets
    job.pointers = ((job.ring_planes + 2 * job.ring_rows) * sizeof(void*) + 63) // 64 * 64


cdef list _passes(Job* job, Py_ssize_t n_taps, bint tiles):
    """The kernel cut so that what one pass needs of x fits the scratch: rows of (the fields of Pass)."""
    cdef Py_ssize_t planes, rows = 1, cols = job.col.n_taps, p, i, j, np_, ni, nj, offset = 0, fit
    cdef Py_ssize_t width = TILE_LANES * job.kernels.lanes, all_rows = 1
    if not tiles:
        planes = 1
        cols = min(cols, <Py_ssize_t>TAPS)
    else:
        all_rows = rows = job.row.n_taps
        planes = n_taps // (rows * cols)
        if planes * (job.tile_rows + rows - 1) * (width + cols - 1) * job.item > RING_BYTES or cols > TILE_COLUMNS:
            cols = min(cols, <Py_ssize_t>TILE_COLUMNS)
            fit = RING_BYTES // ((width + cols - 1) * job.item)
            rows = min(rows, max(1, fit - job.tile_rows + 1))
            planes = min(planes, max(1, fit // (job.tile_rows + rows - 1)))
        job.ring_planes = planes
        job.ring_rows = planes * (job.tile_rows + rows - 1)
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
    """w, contiguous, as [batch..., taps], the taps of each pass contiguous and in its order."""
    cdef tuple batch = (<object>w).shape[:n_batch]
    if len(parts) == 1 or w.ndim == n_batch + 1:
        return w.reshape(*batch, -1)
    w = w.reshape(*batch, -1, w.shape[w.ndim - 2], w.shape[w.ndim - 1])
    return np.concatenate([
        w[..., p:p + n_p, i:i + n_i, j:j + n_j].reshape(*batch, -1) for p, n_p, i, n_i, j, n_j, _ in parts
    ], axis=-1)
