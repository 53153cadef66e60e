"""Correlation of integers by FFT, exact modulo 2^bits: in limbs that are narrow enough to be rounded right.

_limbs says why that is so, and chooses the limbs and the size of a block; _block fills and stores blocks of integers
as those of numbers; _mix sums the products of limbs in the transforms' domain. Here integers are taken apart and put
together again: block by block, or one block beyond the cache in three steps, each of independent parts (_parts).
Results do not depend on the number of threads. The caller has validated everything.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset
cimport numpy as cnp

import numpy as np

from fastconv import _cost, _limbs
from fastconv._block import block

from fastconv._block cimport MAX_SIDES, PAD, Block, Layout, View, fill, scale_taps, store
from fastconv._boundary cimport CONSTANT, ZERO
from fastconv._cut cimport Cut, Place, cut_side, place_of
from fastconv._direct cimport kernels_of
from fastconv._kernels.table cimport FC_F64
from fastconv._mix cimport Mix, mix, mix_bytes
from fastconv._operands cimport Operands, convolved, locate, put
from fastconv._parts cimport Parts, fill_columns, most_numbers, part, parts_of, store_columns
from fastconv._rounds cimport aligned, borrow, give_back, run, unit_function
from fastconv._tree cimport Tree, down, multiply, transform, up

cnp.import_array()

cdef enum:
    MAX_LIMBS = 16
    MAX_TERMS = MAX_LIMBS * MAX_LIMBS
    OWN_KERNEL_BLOCKS = 16          # blocks in one unit that has its own kernel
    BLOCK_BYTES = 2 * 1024 * 1024   # of all limbs of a block that one thread works on at a time
    NODE_BYTES = 2 * 1024 * 1024    # of all limbs of a node
    MANY_SETS = 64 * 1024           # halves of blocks so large would share cache sets, ...
    SPREAD = 83 * 64                # ... were they not so far apart

cdef double SECONDS_PER_BYTE = 0.5e-9           # of one step of a block in parts
cdef double MAGIC = 6755399441055744.0          # 1.5 2^52: adding it rounds to integers, which lie in the low bits
cdef uint64_t MAGIC_BITS = 0x4338000000000000


# ---- limbs -----------------------------------------------------------------------------------------------------------

ctypedef fused integer:
    int8_t
    int16_t
    int32_t
    int64_t

cdef struct Limb:                   # ((x + add) >> shift & mask) - less
    uint64_t add, mask, less
    int shift


cdef Limb limb_of(int i, int n, int bits) noexcept nogil:
    """Limb i of n. `add` makes all limbs non-negative; the last has all the bits that are left."""
    cdef Limb limb
    cdef int j
    limb.add = <uint64_t>1 << 63
    for j in range(n - 1):
        limb.add += <uint64_t>1 << (bits * j + bits - 1)
    limb.shift = bits * i
    limb.mask = ((<uint64_t>1 << bits) - 1) if i < n - 1 else ~<uint64_t>0
    limb.less = <uint64_t>1 << (bits - 1 if i < n - 1 else 63 - limb.shift)
    return limb


cdef void take_limb(const integer* x, double* to, Py_ssize_t n, Limb limb) noexcept nogil:
    """to = that limb of x"""
    cdef Py_ssize_t i
    cdef uint64_t add = limb.add, mask = limb.mask, less = MAGIC_BITS - limb.less, word
    cdef int shift = limb.shift
    cdef double value
    for i in range(n):
        word = ((<uint64_t><int64_t>x[i] + add) >> shift & mask) + less
        memcpy(&value, &word, 8)
        to[i] = value - MAGIC


cdef void add_limb(const double* of, integer* y, Py_ssize_t n, int shift) noexcept nogil:
    """y += 2^shift round(of), or y = round(of) for shift = 0"""
    cdef Py_ssize_t i
    cdef uint64_t word
    cdef double value
    if shift == 0:
        for i in range(n):
            value = of[i] + MAGIC
            memcpy(&word, &value, 8)
            y[i] = <integer>(word - MAGIC_BITS)
    else:
        for i in range(n):
            value = of[i] + MAGIC
            memcpy(&word, &value, 8)
            y[i] = <integer>(<uint64_t>y[i] + (word - MAGIC_BITS << shift))


cdef void take(int item, const char* x, char* to, Py_ssize_t n, Limb limb) noexcept nogil:
    if item == 1:
        take_limb(<const int8_t*>x, <double*>to, n, limb)
    elif item == 2:
        take_limb(<const int16_t*>x, <double*>to, n, limb)
    elif item == 4:
        take_limb(<const int32_t*>x, <double*>to, n, limb)
    else:
        take_limb(<const int64_t*>x, <double*>to, n, limb)


cdef void add(int item, const char* of, char* y, Py_ssize_t n, int shift) noexcept nogil:
    if item == 1:
        add_limb(<const double*>of, <int8_t*>y, n, shift)
    elif item == 2:
        add_limb(<const double*>of, <int16_t*>y, n, shift)
    elif item == 4:
        add_limb(<const double*>of, <int32_t*>y, n, shift)
    else:
        add_limb(<const double*>of, <int64_t*>y, n, shift)


# ---- units of work ---------------------------------------------------------------------------------------------------

cdef struct Job:
    const Layout* block
    Layout raw                      # of integers: the same block
    int item                        # bytes of an integer
    Operands of
    Cut cut
    Py_ssize_t per_unit, n_units    # blocks in a unit, units in one batch element
    Mix mix                         # h: the transforms of the kernel that all share, or NULL
    int[MAX_LIMBS + 1] terms
    int[MAX_TERMS] term_x
    int[MAX_TERMS] term_w
    int bits                        # of a limb
    # of a block in parts
    Parts parts
    Place place
    Py_ssize_t[MAX_SIDES] zero
    const char* x
    const char* w
    char* y


cdef void split(const Job* job, const char* raw, char* to, int i, int n) noexcept nogil:
    """Limb i of n of a block of integers."""
    cdef Py_ssize_t numbers = job.block.half // sizeof(double)
    cdef Limb limb = limb_of(i, n, job.bits)
    take(job.item, raw, to, numbers, limb)
    take(job.item, raw + job.raw.half + PAD, to + job.mix.im, numbers, limb)


cdef void split_taps(const Job* job, const char* w, char* raw, char* to, int i) noexcept nogil:
    """Limb i of a kernel; with limb 0 raw is filled."""
    cdef Py_ssize_t[MAX_SIDES] start
    if i == 0:
        memset(start, 0, sizeof(start))
        fill(&job.raw, &job.of.in_w, w, start, job.of.in_w.n, raw, raw + job.raw.half + PAD, NULL)
    split(job, raw, to, i, job.mix.n_w)
    scale_taps(job.block, job.block.half // sizeof(double), to, to + job.mix.im)


cdef void transform_taps(const Job* job, const char* w, char* h, char* scratch) noexcept nogil:
    cdef const Layout* b = job.block
    cdef char* to = scratch + 2 * (job.raw.half + PAD)
    cdef int i
    for i in range(job.mix.n_w):
        split_taps(job, w, scratch, to, i)
        transform(&b.tree[0], to, to + job.mix.im, h + i * job.mix.spectrum, 0, 0, 1, b.half // sizeof(double))


cdef void compute(const Job* job, Py_ssize_t number, const char* x, const char* w, const char* h, char* y,
                  char* scratch) noexcept nogil:
    """Block `number` of a batch element; h: the transforms of its kernel w, or NULL."""
    cdef const Layout* b = job.block
    cdef char* im = scratch + job.raw.half + PAD
    cdef Place p = place_of(&job.cut, number, b, &job.of.in_y)
    cdef Py_ssize_t numbers = b.half // sizeof(double)
    cdef Mix m = job.mix
    cdef int i, ahead = max(m.n_x, m.n_y)
    m.h = h
    m.blocks = im + job.raw.half + PAD
    m.work = m.blocks + (ahead + (m.n_w if h == NULL else 0)) * m.block
    if h == NULL:
        for i in range(m.n_w):
            split_taps(job, w, scratch, m.blocks + (ahead + i) * m.block, i)
    fill(&job.raw, &job.of.in_x, x, p.start, p.needed, scratch, im, NULL)
    for i in range(m.n_x):
        split(job, scratch, m.blocks + i * m.block, i, m.n_x)
    if h != NULL and m.terms[m.n_y] == 1:
        multiply(&b.tree[0], m.blocks, m.blocks + m.im, h, 0, 0, 1, numbers)
    else:
        mix(&m, &b.tree[0], 0, 0, 0, 1, numbers)
    for i in range(m.n_y):
        add(job.item, m.blocks + i * m.block, scratch, numbers, i * job.bits)
        add(job.item, m.blocks + i * m.block + m.im, im, numbers, i * job.bits)
    store(&job.raw, &job.of.in_y, y + p.skip, p.first, p.count, scratch, im, NULL)


cdef void unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """`per_unit` blocks of one batch element."""
    cdef Py_ssize_t b = number % job.n_units * job.per_unit
    cdef const char* h = job.mix.h
    cdef const char* x
    cdef const char* w
    cdef char* y
    locate(&job.of, number // job.n_units, &x, &w, &y)
    if h == NULL and job.cut.n_blocks > 1:
        h = scratch
        scratch += job.mix.n_w * job.mix.spectrum
        transform_taps(job, w, <char*>h, scratch)
    for b in range(b, min(job.cut.n_blocks, b + job.per_unit)):
        compute(job, b, x, w, h, y, scratch)


# ---- one block in parts ----------------------------------------------------------------------------------------------

cdef inline char* limbs_of(const Job* job, bint taps) noexcept nogil:
    """Where those of x begin, or of w."""
    return job.mix.blocks + (max(job.mix.n_x, job.mix.n_y) * job.mix.block if taps else 0)


cdef void down_unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """All limbs of a part of x, or of w after all those, down to the nodes."""
    cdef const Layout* b = job.block
    cdef const Tree* t = &b.tree[0]
    cdef const Parts* p = &job.parts
    cdef const Mix* m = &job.mix
    cdef bint taps = number >= p.n_parts
    cdef int i, n_limbs = m.n_w if taps else m.n_x
    cdef const View* view = &job.of.in_w if taps else &job.of.in_x
    cdef const Py_ssize_t* count = &job.of.in_w.n[0] if taps else &job.place.needed[0]
    cdef Py_ssize_t begin, end, r, n = part(p, number % p.n_parts, &begin, &end), bytes = n * t.item
    cdef char* raw = scratch
    cdef char* raw_im = raw + p.rows * n * job.item + PAD
    cdef char* re = raw_im + p.rows * n * job.item + PAD
    cdef char* im = re + p.rows * bytes + PAD
    cdef char* to = limbs_of(job, taps) + begin * p.pitch * t.item
    cdef Limb limb
    if p.side == 1 and begin >= count[1]:               # nothing there
        for i in range(n_limbs):
            for r in range(p.rows):
                memset(to + i * m.block + r * p.n * t.item, 0, bytes)
                memset(to + i * m.block + m.im + r * p.n * t.item, 0, bytes)
        return
    fill_columns(&job.raw, p, view, job.w if taps else job.x, &job.zero[0] if taps else &job.place.start[0], count,
                 begin, end, raw, raw_im, NULL)
    for i in range(n_limbs):
        limb = limb_of(i, n_limbs, job.bits)
        take(job.item, raw, re, p.rows * n, limb)
        take(job.item, raw_im, im, p.rows * n, limb)
        if taps:
            scale_taps(b, p.rows * n, re, im)
        down(t, re, im, to + i * m.block, to + i * m.block + m.im, p.n, 0, p.passes, 0, 1, p.rows * n)


cdef void node_unit(const Job* job, Py_ssize_t node, char* scratch) noexcept nogil:
    """The products of all limbs at one node."""
    cdef Mix m = job.mix
    m.work = scratch
    mix(&m, &job.block.tree[0], node * job.parts.n, job.parts.passes, node, 1, job.parts.n)


cdef void up_unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """A part of the outputs."""
    cdef const Tree* t = &job.block.tree[0]
    cdef const Parts* p = &job.parts
    cdef const Place* at = &job.place
    cdef Py_ssize_t begin, end, n = part(p, number, &begin, &end), bytes = n * t.item
    cdef char* raw = scratch
    cdef char* raw_im = raw + p.rows * n * job.item + PAD
    cdef char* re = raw_im + p.rows * n * job.item + PAD
    cdef char* im = re + p.rows * bytes + PAD
    cdef const char* of = job.mix.blocks + begin * p.pitch * t.item
    cdef int i
    if p.side == 1 and (end <= at.first[1] or begin >= at.first[1] + at.count[1]):
        return
    for i in range(job.mix.n_y):
        up(t, of, of + job.mix.im, p.n, re, im, 0, p.passes, 0, 1, p.rows * n)
        add(job.item, re, raw, p.rows * n, i * job.bits)
        add(job.item, im, raw_im, p.rows * n, i * job.bits)
        of += job.mix.block
    store_columns(&job.raw, p, &job.of.in_y, job.y, at.first, at.count, begin, end, raw, raw_im, NULL)


cdef int in_parts(Job* job, int workers, tick, dict kept) except -1:
    """All batch elements, each in one block."""
    cdef const Layout* b = job.block
    cdef const Tree* t = &b.tree[0]
    cdef const Parts* p = &job.parts
    cdef Mix* m = &job.mix
    cdef int n_limbs = m.n_x + (m.n_w if m.h == NULL else 2 * m.n_w)
    cdef Py_ssize_t element, numbers, scratch, n_elements = job.of.n_elements
    cdef cnp.ndarray memory = borrow(kept, (max(m.n_x, m.n_y) + (m.n_w if m.h == NULL else 0)) * m.block)
    cdef double seconds
    m.blocks = <char*>cnp.PyArray_DATA(memory)
    job.parts = parts_of(b, NODE_BYTES // n_limbs)
    job.place = place_of(&job.cut, 0, b, &job.of.in_y)
    memset(job.zero, 0, sizeof(job.zero))
    numbers = most_numbers(p) * p.rows
    scratch = 2 * (numbers * (t.item + job.item) + 2 * PAD)
    seconds = SECONDS_PER_BYTE * 2 * t.item
    for element in range(n_elements):
        locate(&job.of, element, &job.x, &job.w, &job.y)
        told = [None if tick is None else within(tick, 3 * element + step, 3 * n_elements) for step in range(3)]
        run(job, <unit_function>down_unit, (2 if m.h == NULL else 1) * p.n_parts, m.n_x * seconds * numbers, scratch,
            workers, told[0], kept)
        run(job, <unit_function>node_unit, p.rows, 2 * n_limbs * seconds * p.n, mix_bytes(m, t), workers, told[1], kept)
        run(job, <unit_function>up_unit, p.n_parts, m.n_y * seconds * numbers, scratch, workers, told[2], kept)
    give_back(kept, memory)
    return 0


cdef within(tick, Py_ssize_t step, Py_ssize_t steps):
    """The tick of one step of some."""
    return lambda done: tick((step + done) / steps)


# ---- calls -----------------------------------------------------------------------------------------------------------

cdef most(cnp.ndarray x):
    """The largest modulus."""
    return max(int(x.max()), -int(x.min()))


cdef int set_limbs(Job* job, limbs) except -1:
    cdef int s, i, n = 0
    cdef Mix* m = &job.mix
    job.bits, m.n_x, m.n_w, m.n_y = limbs.bits, limbs.n_x, limbs.n_w, limbs.n_y
    for s in range(m.n_y):
        job.terms[s] = n
        for i in limbs.pairs(s):
            job.term_x[n], job.term_w[n] = i, s - i
            n += 1
    job.terms[m.n_y] = n
    m.terms, m.x, m.w = job.terms, job.term_x, job.term_w
    return 0


cdef void set_block(Job* job, const Layout* b) noexcept:
    cdef int a
    job.block = b
    job.raw = b[0]
    job.raw.item = job.item
    job.raw.half = (b.half // sizeof(double) * job.item + PAD - 1) // PAD * PAD
    for a in range(b.n_sides):
        job.raw.tree[a].item = job.item
    job.mix.im = b.half + (SPREAD if b.half >= MANY_SETS else PAD)
    job.mix.block = 2 * job.mix.im
    job.mix.spectrum = b.spectrum


def correlate(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval, int workers,
              tick=None, dict kept=None):
    """As `_direct.correlate`, for integers modulo 2^bits. `kept`, if given, serves all calls with this w."""
    cdef Job job
    cdef Block made
    cdef cnp.ndarray h, constant
    cdef Py_ssize_t scratch
    cdef int a
    if y.size == 0:
        return
    job.item = <int>y.itemsize
    signed = np.dtype(f"i{job.item}")
    constant = np.full(1, cval, y.dtype).view(signed)
    x, w, y = (part.astype(y.dtype, copy=False).view(signed) for part in (x, w, y))
    most_x = max(most(x), most(constant) if CONSTANT in boundary else 0)
    most_w = most(w)
    batch = tuple([y.shape[i] for i in range(n_batch)])
    x, w = (np.broadcast_to(part, batch + np.shape(part)[n_batch:]) for part in (x, w))
    sides = convolved(x, w, y, n_batch, lo)
    put(&job.of, x, w, y, constant, n_batch, lo, boundary, sides)
    extents = [_cost.extent(x.shape[i], w.shape[i], y.shape[i], lo[i - n_batch], boundary[i - n_batch] == ZERO)
               for i in sides]
    problem = tuple([_limbs.Side(y.shape[i], w.shape[i], extent[3]) for i, extent in zip(sides, extents)])
    plan = _limbs.plan(8 * job.item, most_x, most_w, problem, kernels_of(FC_F64).lanes)
    made = block(FC_F64, plan.sizes)
    set_limbs(&job, plan.limbs)
    set_block(&job, &made.layout)
    for a in range(made.layout.n_sides):
        cut_side(&job.cut, a, made.layout.size[a], job.of.n_out[a], job.of.n_taps[a], job.of.lo[a], extents[a])
    job.per_unit = 1 if job.of.shared else min(job.cut.n_blocks, <Py_ssize_t>OWN_KERNEL_BLOCKS)
    job.n_units = (job.cut.n_blocks + job.per_unit - 1) // job.per_unit
    job.mix.h = NULL
    scratch = 2 * (job.raw.half + PAD) + max(job.mix.n_x, job.mix.n_y) * job.mix.block \
        + mix_bytes(&job.mix, &made.layout.tree[0])
    key = plan.limbs, plan.sizes, tuple(sides)
    if job.of.shared and (job.of.n_elements * job.cut.n_blocks > 1 or (kept is not None and key in kept)):
        h = spectra(&job, key, kept)
        job.mix.h = <const char*>cnp.PyArray_DATA(h)
    elif job.cut.n_blocks > 1:
        scratch += job.mix.n_w * job.mix.spectrum
    else:
        scratch += job.mix.n_w * job.mix.block
        if job.of.shared and kept is not None:
            kept[key] = None                                        # a second call will find it worth while
    if job.cut.n_blocks == 1 and (max(job.mix.n_x, job.mix.n_y) + job.mix.n_w) * job.mix.block > BLOCK_BYTES:
        in_parts(&job, workers, tick, kept)
        return
    run(&job, <unit_function>unit, job.of.n_elements * job.n_units, job.per_unit * plan.seconds / job.cut.n_blocks,
        scratch, workers, tick, kept)


cdef cnp.ndarray spectra(const Job* job, tuple key, dict kept):
    """The transforms of the kernel that all share."""
    cdef cnp.ndarray h, scratch
    h = None if kept is None else kept.get(key)
    if h is None:
        h = aligned(job.mix.n_w * job.mix.spectrum)
        scratch = borrow(kept, 2 * (job.raw.half + PAD) + job.mix.block)
        with nogil:
            transform_taps(job, job.of.w, <char*>cnp.PyArray_DATA(h), <char*>cnp.PyArray_DATA(scratch))
        give_back(kept, scratch)
        if kept is not None:
            kept[key] = h
    return h
