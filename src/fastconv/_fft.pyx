"""Correlation by FFT: block sizes, twiddle factors, overlap-save and whole transforms around the kernels.

A block of N real numbers a is one polynomial z(t) = sum_j (a_j + i a_{j + m}) t^j of m = N/2 complex coefficients,
modulo t^m - i: since i stands for t^m, products are those of real polynomials modulo t^N + 1. With tap t of the
kernel at -t, that is at N - t with its sign changed, block output o is sum_t w[t] a[o + t] for o <= N - n_taps; the
outputs behind that are thrown away. A complex block has N = m. The kernel's transform is made once a call.

What lies outside x is copied into a line buffer; x itself is never padded. Blocks depend on the problem alone, so
results do not depend on the number of threads. The caller has validated everything.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset
cimport numpy as cnp

from functools import lru_cache
from time import perf_counter

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport ZERO, copy_line, copy_strided
from fastconv._kernels.table cimport (
    FC_C64, FC_C128, FC_F32, FC_F64, FC_KERNEL_TABLE, fc_fft, fc_kernel_table,
)
from fastconv._threads cimport team_done, team_size

cnp.import_array()

cdef enum:
    MAX_AXES = 64                   # NumPy's
    MAX_PASSES = 32
    LEAF_BYTES = 16 * 1024          # a part of a block that is worked on pass by pass
    PAD = 128                       # bytes between re and im of a block: they do not share cache sets
    MOST_BYTES = 8 * 1024 * 1024    # working memory of a block
    OWN_KERNEL_BLOCKS = 16          # blocks in one unit of a line that has its own kernel
cdef double GROUP_SECONDS = 20e-6   # units that one thread takes at a time
cdef double ROUND_SECONDS = 0.1     # between looks at signals

cdef const fc_kernel_table* TABLE = <const fc_kernel_table*>PyCapsule_GetPointer(_kernels.table, FC_KERNEL_TABLE)
DTYPES = {
    np.dtype(name): code
    for name, code in [("float32", FC_F32), ("float64", FC_F64), ("complex64", FC_C64), ("complex128", FC_C128)]
}
cdef object TURN = 8 * np.arctan(np.longdouble(1))


# ---- plans ---------------------------------------------------------------------------------------------------------

cdef struct Tree:                   # the passes over a block of m complex numbers, down to nodes of one vector
    const fc_fft* kernels
    int item, lanes                 # bytes of a real number; reals in a vector
    Py_ssize_t m, leaf              # leaf: elements
    int last                        # number of the last pass, of radix 4
    int[MAX_PASSES] radix
    const char* w[MAX_PASSES]       # twiddle factors by pass and node
    const char* modulus             # of the nodes at the end


cdef class Plan:
    """The twiddle factors of one block size: m complex numbers of the real dtype `code`."""
    cdef Tree tree
    cdef list tables

    def __init__(self, int code, Py_ssize_t m):
        cdef cnp.ndarray table
        cdef int i
        dtype = np.dtype(np.float32 if code == FC_F32 else np.float64)
        self.tree.kernels = TABLE.dtype[code].fft
        self.tree.item = dtype.itemsize
        self.tree.lanes = TABLE.dtype[code].lanes
        self.tree.m = m
        self.tree.leaf = LEAF_BYTES // (2 * dtype.itemsize)
        radices = _radices(m // self.tree.lanes)
        self.tree.last = len(radices) - 1
        self.tables = _twiddles(radices, dtype)
        for i, table in enumerate(self.tables):
            self.tree.w[i] = <const char*>cnp.PyArray_DATA(table)
        self.tree.modulus = self.tree.w[len(radices)]
        for i, radix in enumerate(radices):
            self.tree.radix[i] = radix


@lru_cache(maxsize=64)
def plan(code, m):
    """The plan, made once and shared between threads."""
    return Plan(code, m)


cdef list _radices(Py_ssize_t nodes):
    """The passes for 2^a, 3 2^a or 5 2^a nodes, a > 1: any odd radix first, 4 last."""
    radices = []
    for radix in (3, 5):
        if nodes % radix == 0:
            radices.append(radix)
            nodes //= radix
    if nodes.bit_length() % 2 == 0:
        radices.append(2)
    return radices + [4] * ((nodes.bit_length() - 1) // 2)


cdef list _twiddles(list radices, dtype):
    """By pass, the powers 1 to R - 1 of every node's w; then the moduli of the last nodes."""
    angles = np.array([0.25], np.longdouble)            # in turns; the root is modulo t^m - i
    tables = []
    for radix in radices:
        angles = angles / radix
        w = _unit(angles)
        tables.append(np.stack([w ** r for r in range(1, radix)], axis=1))
        order = [0, 2, 1, 3] if radix == 4 else range(radix)
        angles = (angles[:, np.newaxis] + np.array(order, np.longdouble) / radix).ravel()
    tables.append(_unit(angles))
    return [np.ascontiguousarray(np.stack([w.real, w.imag], axis=-1), dtype) for w in tables]


cdef _unit(angles):
    """e^(2 pi i angles)"""
    return np.cos(TURN * angles) + 1j * np.sin(TURN * angles)


cdef void transform(const Tree* t, char* re, char* im, char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                    Py_ssize_t n) noexcept nogil:
    """Take `nodes` nodes, from number q before pass i on, of n elements each, down to the end, into h."""
    cdef Py_ssize_t g, step = n * t.item
    cdef int radix
    if nodes > 1 and nodes * n > t.leaf:
        for g in range(nodes):
            transform(t, re + g * step, im + g * step, h + 4 * g * step, i, q + g, 1, n)
        return
    while i <= t.last:
        radix = t.radix[i]
        n //= radix
        t.kernels.down[radix](re, im, re, im, n, nodes, t.w[i] + q * 2 * (radix - 1) * t.item)
        q *= radix
        nodes *= radix
        i += 1
        if nodes * n > t.leaf:
            transform(t, re, im, h, i, q, nodes, n)
            return
    t.kernels.spectrum(re, im, h, nodes, t.modulus + q * 2 * t.item)


cdef void multiply(const Tree* t, char* re, char* im, const char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                   Py_ssize_t n) noexcept nogil:
    """The same for a signal; then its product with h, and back up before pass i."""
    cdef Py_ssize_t g, step = n * t.item
    cdef int radix, j
    if nodes > 1 and nodes * n > t.leaf:
        for g in range(nodes):
            multiply(t, re + g * step, im + g * step, h + 4 * g * step, i, q + g, 1, n)
    elif i < t.last:
        radix = t.radix[i]
        n //= radix
        t.kernels.down[radix](re, im, re, im, n, nodes, t.w[i] + q * 2 * (radix - 1) * t.item)
        multiply(t, re, im, h, i + 1, q * radix, nodes * radix, n)
        t.kernels.up[radix](re, im, re, im, n, nodes, t.w[i] + q * 2 * (radix - 1) * t.item)
    else:
        t.kernels.multiply(re, im, h, nodes, t.w[i] + q * 6 * t.item)


cdef void block(const Tree* t, const char* x_re, const char* x_im, char* re, char* im, const char* h, char* y_re,
                char* y_im) noexcept nogil:
    """y = the product of block x with h, worked out in re and im."""
    cdef int radix = t.radix[0]
    cdef Py_ssize_t n = t.m // radix
    t.kernels.down[radix](x_re, x_im, re, im, n, 1, t.w[0])
    multiply(t, re, im, h, 1, 0, radix, n)
    t.kernels.up[radix](re, im, y_re, y_im, n, 1, t.w[0])



# ---- overlap-save ----------------------------------------------------------------------------------------------------

cdef struct Axis:
    Py_ssize_t n, x, w, y           # lines; bytes from one to the next

cdef struct Job:
    const Tree* tree
    bint is_complex
    int item                        # bytes of an element of x
    const char* x
    const char* w
    char* y
    const char* constant            # the element that stands outside, for ZERO and CONSTANT
    int n_batch
    Axis[MAX_AXES] batch
    Py_ssize_t n_in, n_out, n_taps, lo, step_x, step_w, step_y      # along the convolved axis
    int boundary
    Py_ssize_t size, outputs        # of one block
    Py_ssize_t n_blocks, per_unit, n_units                          # of one line
    const char* h                   # the transform of the kernel if all lines share it, else NULL

ctypedef fused real:
    float
    double


cdef void place_taps(const Job* job, const char* w, real* re, real* im) noexcept nogil:
    """The kernel as a block: tap t at -t. Scaled, since the passes back up multiply by the number of nodes."""
    cdef const Tree* t = job.tree
    cdef real scale = <real>(1.0 / (t.m // t.lanes))
    cdef const real* tap
    cdef Py_ssize_t k, i
    memset(re, 0, t.m * sizeof(real))
    memset(im, 0, t.m * sizeof(real))
    for k in range(job.n_taps):
        tap = <const real*>(w + k * job.step_w)
        if job.is_complex:                                 # t^-k = -i t^(m - k)
            if k == 0:
                re[0], im[0] = scale * tap[0], scale * tap[1]
            else:
                re[t.m - k], im[t.m - k] = scale * tap[1], -scale * tap[0]
        elif k == 0:
            re[0] = scale * tap[0]
        else:                                           # t^-k = -t^(N - k)
            i = job.size - k
            if i < t.m:
                re[i] = -scale * tap[0]
            else:
                im[i - t.m] = -scale * tap[0]


cdef void split(const real* x, real* re, real* im, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        re[i] = x[2 * i]
        im[i] = x[2 * i + 1]


cdef void join(const real* re, const real* im, real* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[2 * i] = re[i]
        y[2 * i + 1] = im[i]


cdef void prepare(const Job* job, const char* w, char* re, char* im, char* h) noexcept nogil:
    """h = the transform of kernel w."""
    if job.tree.item == 4:
        place_taps(job, w, <float*>re, <float*>im)
    else:
        place_taps(job, w, <double*>re, <double*>im)
    transform(job.tree, re, im, h, 0, 0, 1, job.tree.m)


cdef inline void locate(const Job* job, Py_ssize_t index, const char** x, const char** w, char** y) noexcept nogil:
    """Where line number `index` begins."""
    cdef int a
    cdef Py_ssize_t i
    x[0] = job.x
    w[0] = job.w
    y[0] = job.y
    for a in range(job.n_batch - 1, -1, -1):
        i = index % job.batch[a].n
        index = index // job.batch[a].n
        x[0] += i * job.batch[a].x
        w[0] += i * job.batch[a].w
        y[0] += i * job.batch[a].y


cdef Py_ssize_t scratch_bytes(const Job* job) noexcept nogil:
    """re and im, a line, and the kernel's transform if lines have their own."""
    return (4 + (4 if job.h == NULL else 0)) * job.tree.m * job.tree.item + 3 * PAD


cdef void line_unit(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """`per_unit` blocks of one line."""
    cdef const Tree* t = job.tree
    cdef Py_ssize_t half = t.m * t.item, b, first, start, n
    cdef char* re = scratch
    cdef char* im = re + half + PAD
    cdef char* line = im + half + PAD
    cdef char* h = <char*>job.h
    cdef const char* x
    cdef const char* w
    cdef const char* of
    cdef char* y
    locate(job, unit // job.n_units, &x, &w, &y)
    if h == NULL:
        h = line + 2 * half + PAD
        prepare(job, w, re, im, h)
    b = unit % job.n_units * job.per_unit
    for b in range(b, min(job.n_blocks, b + job.per_unit)):
        first = b * job.outputs
        start = first - job.lo
        n = min(job.outputs, job.n_out - first)
        if job.step_x == job.item and start >= 0 and start + job.size <= job.n_in:
            of = x + start * job.item
        else:
            of = line
            copy_line(line, x, job.n_in, job.step_x, job.boundary, job.constant, start, n + job.n_taps - 1, job.item)
            memset(line + (n + job.n_taps - 1) * job.item, 0, (job.size - n - job.n_taps + 1) * job.item)
        if job.is_complex:
            if t.item == 4:
                split(<const float*>of, <float*>re, <float*>im, t.m)
            else:
                split(<const double*>of, <double*>re, <double*>im, t.m)
            block(t, re, im, re, im, h, re, im)
            if t.item == 4:
                join(<const float*>re, <const float*>im, <float*>line, n)
            else:
                join(<const double*>re, <const double*>im, <double*>line, n)
        else:
            block(t, of, of + half, re, im, h, line, line + half)
        copy_strided(y + first * job.step_y, job.step_y, line, job.item, n, job.item)


cdef void run_units(const Job* job, Py_ssize_t begin, Py_ssize_t end, char* scratch) noexcept nogil:
    cdef Py_ssize_t u
    for u in range(begin, end):
        line_unit(job, u, scratch)


cdef int run(const Job* job, Py_ssize_t n_units, double unit_seconds, int workers, tick) except -1:
    """All units, in rounds; between rounds signals are heard and tick(fraction done) is called."""
    cdef Py_ssize_t group = max(1, <Py_ssize_t>(GROUP_SECONDS / unit_seconds)), bytes = scratch_bytes(job)
    cdef Py_ssize_t n_groups = (n_units + group - 1) // group, done = 0, stop, g, per_round
    cdef int team = team_size(workers, n_units * unit_seconds if n_groups > 1 else 0)
    cdef double began, seconds
    cdef cnp.ndarray scratch
    cdef char* base
    try:
        bytes = (bytes + 4095) // 4096 * 4096 + 1024    # threads do not share cache sets
        scratch = np.empty(team * bytes + 64, np.uint8)
        base = <char*>cnp.PyArray_DATA(scratch)
        base += 64 - <size_t>base % 64
        per_round = max(team, <Py_ssize_t>(ROUND_SECONDS / 10 * team / (group * unit_seconds)))
        while done < n_groups:
            stop = min(n_groups, done + per_round)
            began = perf_counter()
            if team == 1:
                with nogil:
                    run_units(job, done * group, min(n_units, stop * group), base)
            else:
                for g in prange(done, stop, nogil=True, num_threads=team, schedule="dynamic"):
                    run_units(job, g * group, min(n_units, (g + 1) * group), base + threadid() * bytes)
            done = stop
            seconds = perf_counter() - began
            per_round = max(team, <Py_ssize_t>(per_round * min(4.0, ROUND_SECONDS / max(seconds, 1e-6))))
            PyErr_CheckSignals()
            if tick is not None:
                tick(done / n_groups)
    finally:
        team_done(team)
    return 0


cdef double block_seconds(Py_ssize_t m, int item):
    """A rough estimate for a block of m complex numbers."""
    cdef double bytes = 8.0 * m * item
    return m * item * 0.033e-9 * np.log2(m) * (1 if bytes <= 1 << 17 else 1.3 if bytes <= 1 << 19 else 1.7)


def block_size(code, is_complex, n_out, n_taps, n_lines=1):
    """(complex numbers m, seconds a line) of the block that is best for lines of n_out outputs."""
    cdef int item = 4 if code in (FC_F32, FC_C64) else 8
    cdef Py_ssize_t lanes = TABLE.dtype[code].lanes if not is_complex else TABLE.dtype[FC_F32 if item == 4 else FC_F64].lanes
    best = None
    for exponent in range(2, 40):
        for odd in (4, 5, 6):
            m = (odd << exponent) * lanes
            size = m if is_complex else 2 * m
            if size < n_taps:
                continue
            if 8 * m * item > MOST_BYTES and best is not None:
                return best
            outputs = size - n_taps + 1
            seconds = -(-n_out // outputs) * block_seconds(m, item)
            if best is None or seconds < best[1]:
                best = m, seconds
            if outputs >= n_out:
                return best


def overlap_save(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
                 int workers, tick=None, m=None):
    """As `_direct.correlate`, for a kernel with more than one tap along one axis at most; float and complex dtypes."""
    cdef Job job
    cdef int nd = x.ndim, i, axis = nd - 1, code = DTYPES[x.dtype]
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype), h, buffer
    cdef Plan chosen
    cdef Py_ssize_t n_lines = 1
    cdef char* re
    cdef bint shared = True
    for i in range(nd):
        if y.shape[i] == 0:
            return
        if i >= n_batch and not (w.shape[i] == 1 and lo[i - n_batch] == 0 and x.shape[i] == y.shape[i]):
            axis = i
    job.is_complex = code in (FC_C64, FC_C128)
    job.item = <int>x.itemsize
    job.constant = <const char*>cnp.PyArray_DATA(constant)
    job.x = <const char*>cnp.PyArray_DATA(x)
    job.w = <const char*>cnp.PyArray_DATA(w)
    job.y = <char*>cnp.PyArray_DATA(y)
    job.n_batch = 0
    for i in range(nd):
        if i != axis:
            job.batch[job.n_batch].n = y.shape[i]
            job.batch[job.n_batch].x = x.strides[i]
            job.batch[job.n_batch].w = w.strides[i] if w.shape[i] > 1 else 0
            job.batch[job.n_batch].y = y.strides[i]
            shared = shared and job.batch[job.n_batch].w == 0
            n_lines *= y.shape[i]
            job.n_batch += 1
    job.n_in, job.step_x = x.shape[axis], x.strides[axis]
    job.n_taps, job.step_w = w.shape[axis], w.strides[axis]
    job.n_out, job.step_y = y.shape[axis], y.strides[axis]
    job.lo = lo[axis - n_batch] if axis >= n_batch else 0
    job.boundary = boundary[axis - n_batch] if axis >= n_batch else ZERO

    if m is None:
        m, _ = block_size(code, job.is_complex, job.n_out, job.n_taps)
    chosen = plan(FC_F32 if job.item == (8 if job.is_complex else 4) else FC_F64, m)
    job.tree = &chosen.tree
    job.size = m if job.is_complex else 2 * m
    job.outputs = job.size - job.n_taps + 1
    job.n_blocks = (job.n_out + job.outputs - 1) // job.outputs
    job.per_unit = 1 if shared else min(job.n_blocks, <Py_ssize_t>OWN_KERNEL_BLOCKS)
    job.n_units = (job.n_blocks + job.per_unit - 1) // job.per_unit
    job.h = NULL
    if shared:
        h = np.empty(4 * m * job.tree.item + 64, np.uint8)
        buffer = np.empty(2 * m * job.tree.item + PAD, np.uint8)
        job.h = <const char*>cnp.PyArray_DATA(h)
        job.h += 64 - <size_t>job.h % 64
        re = <char*>cnp.PyArray_DATA(buffer)
        with nogil:
            prepare(&job, job.w, re, re + job.tree.m * job.tree.item + PAD, <char*>job.h)
    run(&job, n_lines * job.n_units, job.per_unit * block_seconds(m, job.tree.item), workers, tick)
