"""Banks of kernels by FFT: y[b, s] = sum over t of the correlation of x[b, t] with w[s, t], for some pairs (s, t).

Each block of x is transformed once for a group of outputs, and each output is transformed back once, in _mix. Float
and complex dtypes. Blocks and groups depend on the problem alone, so results do not depend on the number of threads.
The caller has validated everything.
"""

from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _cost
from fastconv._block import block
from fastconv._operands import DTYPES

from fastconv._block cimport MAX_SIDES, PAD, Block, Layout, fill, is_spoiled, overflowed, scale_taps, store
from fastconv._boundary cimport ZERO
from fastconv._cut cimport Cut, Place, cut_side, place_of
from fastconv._mix cimport Mix, mix, mix_bytes
from fastconv._operands cimport Operands, convolved, locate, put
from fastconv._rounds cimport aligned, borrow, give_back, run, unit_function
from fastconv._tree cimport transform

cnp.import_array()

cdef enum:
    GROUP_BYTES = 1024 * 1024       # of the blocks of a group of outputs


cdef struct Job:
    Operands of                     # of input, kernel and output 0
    Py_ssize_t x_step, w_out, w_in, y_step      # bytes to the next input; kernel; output
    const Layout* block
    Cut cut
    Mix mix                         # of all outputs
    int group, n_groups             # outputs in a group
    Py_ssize_t numbers              # in a block
    int* spoiled                    # set where a block holds a value that is not finite, and so its outputs


cdef void transform_taps(const Job* job, const int* outputs, char* h, char* scratch) noexcept nogil:
    """The kernels of all pairs."""
    cdef const Layout* b = job.block
    cdef char* im = scratch + b.half + PAD
    cdef const char* w
    cdef Py_ssize_t[MAX_SIDES] start
    cdef int k
    memset(start, 0, sizeof(start))
    for k in range(job.mix.n_w):
        w = job.of.w + outputs[k] * job.w_out + job.mix.x[k] * job.w_in
        fill(b, &job.of.in_w, w, start, job.of.in_w.n, scratch, im, im + b.half + PAD)
        scale_taps(b, job.numbers, scratch, im)
        transform(&b.tree[0], scratch, im, h + k * job.mix.spectrum, 0, 0, 1, job.numbers)


cdef void unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """One group of outputs of one block."""
    cdef const Layout* b = job.block
    cdef int first = <int>(number % job.n_groups) * job.group, s, t
    cdef Place p = place_of(&job.cut, number // job.n_groups % job.cut.n_blocks, b, &job.of.in_y)
    cdef Mix m = job.mix
    cdef const char* x
    cdef const char* w
    cdef char* y
    cdef char* re
    cdef char* line
    locate(&job.of, number // job.n_groups // job.cut.n_blocks, &x, &w, &y)
    m.terms += first
    m.n_y = min(job.group, m.n_y - first)
    m.blocks = scratch
    line = scratch + max(m.n_x, job.group) * m.block
    overflowed()                                        # what was before does not count
    m.work = line + b.line
    for t in range(m.n_x):
        re = m.blocks + t * m.block
        fill(b, &job.of.in_x, x + t * job.x_step, p.start, p.needed, re, re + m.im, line)
    mix(&m, &b.tree[0], 0, 0, 0, 1, job.numbers)
    for s in range(m.n_y):
        re = m.blocks + s * m.block
        store(b, &job.of.in_y, y + (first + s) * job.y_step + p.skip, p.first, p.count, re, re + m.im, line)
        if is_spoiled(b, re) or overflowed():
            job.spoiled[0] = 1


def correlate(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, tuple lo, tuple boundary, cval, int workers, tick=None,
              pairs=None, dict kept=None):
    """x[b, t, ...], w[s, t, ...], y[b, s, ...] of one dtype, and for each axis after the second, as
    `_direct.correlate`, lo and boundary; pairs[s, t] is true where w[s, t] counts, None: everywhere.

    `kept`, if given, serves all calls with this w and these pairs. Returns whether a block is spoiled by a value that
    is not finite.
    """
    cdef Job job
    cdef Block made
    cdef cnp.ndarray h, scratch, one_x, one_w, one_y, constant = np.full(1, cval, x.dtype)
    cdef int a, spoiled = 0
    cdef Py_ssize_t bytes
    cdef int[::1] terms, term_x, term_w, outputs
    if y.size == 0:
        return False
    pairs = np.ones((w.shape[0], w.shape[1]), bool) if pairs is None else np.asarray(pairs, bool)
    found = np.nonzero(pairs)
    outputs, term_x = (part.astype(np.intc) for part in found)
    if len(term_x) == 0:
        y[...] = 0
        return False
    terms = np.concatenate([[0], np.cumsum(pairs.sum(axis=1))]).astype(np.intc)
    term_w = np.arange(len(term_x), dtype=np.intc)
    one_x, one_w, one_y = x[:, 0], w[:1, 0], y[:, 0]
    sides = convolved(one_x, one_w, one_y, 1, lo)
    put(&job.of, one_x, one_w, one_y, constant, 1, lo, boundary, sides)
    job.x_step, job.w_out, job.w_in, job.y_step = x.strides[1], w.strides[0], w.strides[1], y.strides[1]
    blocks = _cost.tile_sizes(x.dtype, tuple([job.of.n_out[a] for a in range(len(sides))]),
                              tuple([job.of.n_taps[a] for a in range(len(sides))]))
    made = block(DTYPES[x.dtype], blocks.sizes)
    job.block = &made.layout
    job.spoiled = &spoiled
    for a, i in enumerate(sides):
        cut_side(&job.cut, a, made.layout.size[a], job.of.n_out[a], job.of.n_taps[a], job.of.lo[a],
                 _cost.extent(one_x.shape[i], one_w.shape[i], one_y.shape[i], lo[i - 1], boundary[i - 1] == ZERO))
    job.numbers = made.layout.half // made.layout.tree[0].item
    job.mix.n_x, job.mix.n_w, job.mix.n_y = x.shape[1], <int>len(term_x), w.shape[0]
    job.mix.terms, job.mix.x, job.mix.w = &terms[0], &term_x[0], &term_w[0]
    job.mix.im = made.layout.half + PAD
    job.mix.block = 2 * job.mix.im
    job.mix.spectrum = made.layout.spectrum
    job.group = max(1, job.mix.n_x, min(job.mix.n_y, <int>(GROUP_BYTES // job.mix.block)))
    job.n_groups = (job.mix.n_y + job.group - 1) // job.group
    key = blocks.sizes, tuple(sides)
    h = None if kept is None else kept.get(key)
    if h is None:
        h = aligned(job.mix.n_w * job.mix.spectrum)
        scratch = borrow(kept, job.mix.block + made.layout.line)
        with nogil:
            transform_taps(&job, &outputs[0], <char*>cnp.PyArray_DATA(h), <char*>cnp.PyArray_DATA(scratch))
        give_back(kept, scratch)
        if kept is not None:
            kept[key] = h
    job.mix.h = <const char*>cnp.PyArray_DATA(h)
    bytes = max(job.mix.n_x, job.group) * job.mix.block + made.layout.line + mix_bytes(&job.mix, &made.layout.tree[0])
    run(&job, <unit_function>unit, job.of.n_elements * job.cut.n_blocks * job.n_groups,
        _cost.block_seconds(x.dtype, blocks.sizes) * (job.mix.n_x + job.group) / 2, bytes, workers, tick, kept)
    return bool(spoiled)
