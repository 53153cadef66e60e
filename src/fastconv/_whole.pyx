"""Correlation by FFT in one block: signal and kernel are transformed side by side.

With nothing but zeros outside x, the block is as long as keeps the outputs that are wanted, and no others, from
wrapping onto each other; else x is continued on both sides first. A block beyond the cache is worked on in three
steps, each of independent parts, which threads share: the passes that bring it down to nodes that fit the cache, for
some columns of all rows at a time, copied from x on the way; the nodes; and the passes back up, copied to y.
Parts depend on the problem alone, so results do not depend on the number of threads. The caller has validated
everything.
"""

from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _cost
from fastconv._block import block
from fastconv._operands import DTYPES

from fastconv._block cimport MAX_SIDES, PAD, Block, Layout, View, fill, is_spoiled, overflowed, scale_taps, store
from fastconv._boundary cimport ZERO
from fastconv._operands cimport Operands, convolved, locate, put
from fastconv._parts cimport Parts, fill_columns, most_numbers, part, parts_of, store_columns
from fastconv._rounds cimport aligned, borrow, give_back, run, unit_function
from fastconv._tree cimport Tree, down, multiply, multiply_both, spectrum_bytes, transform, up

cnp.import_array()

cdef enum:
    BLOCK_BYTES = 512 * 1024        # of a block that one thread works on at a time
    NODE_BYTES = 128 * 1024         # of a line's nodes

cdef double SECONDS_PER_BYTE = 0.5e-9       # of one step

cdef struct Job:
    Operands of
    const Layout* block
    Py_ssize_t[MAX_SIDES] zero, start, count, skip  # element p of the block is start + p of x; output o is skip + o
    int* spoiled                    # set where a value is not finite
    # of a block in parts
    Parts parts
    char* re
    char* im
    char* g_re
    char* g_im
    char* h                         # the kernel's transform, or NULL
    const char* x
    const char* w
    char* y


cdef void line_unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """All of a batch element."""
    cdef const Layout* b = job.block
    cdef Py_ssize_t n = b.tree[0].m * b.tree[0].width
    cdef char* re = scratch
    cdef char* im = re + b.half + PAD
    cdef char* g_re = im + b.half + PAD
    cdef char* g_im = g_re + b.half + PAD
    cdef char* h = g_im + b.half + PAD
    cdef char* line = h + 4 * b.tree[0].leaf * b.tree[0].item
    cdef const char* x
    cdef const char* w
    cdef char* y
    locate(&job.of, number, &x, &w, &y)
    overflowed()                                        # what was before does not count
    fill(b, &job.of.in_w, w, job.zero, job.of.in_w.n, g_re, g_im, line)
    scale_taps(b, n, g_re, g_im)
    fill(b, &job.of.in_x, x, job.start, job.count, re, im, line)
    multiply_both(&b.tree[0], re, im, g_re, g_im, h, 0, 0, 1, n)
    store(b, &job.of.in_y, y, job.skip, job.of.n_out, re, im, line)
    if is_spoiled(b, re) or overflowed():
        job.spoiled[0] = 1


# ---- a block in parts ------------------------------------------------------------------------------------------------

cdef void down_unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """A part of x, or of w after all those, down to the nodes."""
    cdef const Layout* b = job.block
    cdef const Tree* t = &b.tree[0]
    cdef const Parts* p = &job.parts
    cdef bint taps = number >= p.n_parts
    cdef const View* view = &job.of.in_w if taps else &job.of.in_x
    cdef const char* x = job.w if taps else job.x
    cdef const Py_ssize_t* start = &job.zero[0] if taps else &job.start[0]
    cdef const Py_ssize_t* count = &job.of.in_w.n[0] if taps else &job.count[0]
    cdef char* to_re = job.g_re if taps else job.re
    cdef char* to_im = job.g_im if taps else job.im
    cdef Py_ssize_t begin, end, r, n = part(p, number % p.n_parts, &begin, &end), bytes = n * t.item
    cdef char* re = scratch
    cdef char* im = re + p.rows * bytes + PAD
    cdef char* line = im + p.rows * bytes + PAD
    to_re += begin * p.pitch * t.item
    to_im += begin * p.pitch * t.item
    if p.side == 1 and begin >= count[1]:             # nothing there
        for r in range(p.rows):
            memset(to_re + r * p.n * t.item, 0, bytes)
            memset(to_im + r * p.n * t.item, 0, bytes)
        return
    fill_columns(b, p, view, x, start, count, begin, end, re, im, line)
    if taps:
        scale_taps(b, p.rows * n, re, im)
    overflowed()                                        # what was before does not count
    down(t, re, im, to_re, to_im, p.n, 0, p.passes, 0, 1, p.rows * n)
    if overflowed():
        job.spoiled[0] = 1


cdef void taps_unit(const Job* job, Py_ssize_t node, char* scratch) noexcept nogil:
    """The rest of the transform of the kernel."""
    cdef const Tree* t = &job.block.tree[0]
    cdef Py_ssize_t at = node * job.parts.n * t.item
    transform(t, job.g_re + at, job.g_im + at, job.h + spectrum_bytes(t, node * job.parts.n), job.parts.passes, node, 1, job.parts.n)


cdef void node_unit(const Job* job, Py_ssize_t node, char* scratch) noexcept nogil:
    cdef const Tree* t = &job.block.tree[0]
    cdef Py_ssize_t at = node * job.parts.n * t.item
    cdef char* re = job.re + at
    cdef char* im = job.im + at
    overflowed()
    if job.h != NULL:
        multiply(t, re, im, job.h + spectrum_bytes(t, node * job.parts.n), job.parts.passes, node, 1, job.parts.n)
    else:
        multiply_both(t, re, im, job.g_re + at, job.g_im + at, scratch, job.parts.passes, node, 1, job.parts.n)
    if overflowed():
        job.spoiled[0] = 1


cdef void up_unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """A part of the outputs."""
    cdef const Layout* b = job.block
    cdef const Tree* t = &b.tree[0]
    cdef const Parts* p = &job.parts
    cdef Py_ssize_t begin, end, n = part(p, number, &begin, &end), bytes = n * t.item
    cdef char* re = scratch
    cdef char* im = re + p.rows * bytes + PAD
    cdef char* line = im + p.rows * bytes + PAD
    if p.side == 1 and (end <= job.skip[1] or begin >= job.skip[1] + job.of.n_out[1]):
        return
    overflowed()
    up(t, job.re + begin * p.pitch * t.item, job.im + begin * p.pitch * t.item, p.n, re, im, 0, p.passes, 0, 1,
       p.rows * n)
    store_columns(b, p, &job.of.in_y, job.y, job.skip, job.of.n_out, begin, end, re, im, line)
    if is_spoiled(b, re) or overflowed():
        job.spoiled[0] = 1


# ---- calls -----------------------------------------------------------------------------------------------------------

def whole(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval, int workers,
          tick=None, dict kept=None):
    """As `_fft.overlap_save`, in one block for each batch element: for a kernel about as long as x."""
    cdef Job job
    cdef Block made
    cdef cnp.ndarray constant = np.full(1, cval, x.dtype)
    cdef list sides = convolved(x, w, y, n_batch, lo), least = []
    cdef int spoiled = 0, a, code = DTYPES[x.dtype]
    cdef const Layout* b
    cdef Py_ssize_t element
    if y.size == 0:
        return False
    put(&job.of, x, w, y, constant, n_batch, lo, boundary, sides)
    memset(job.zero, 0, sizeof(job.zero))
    for a in range(len(sides)):
        job.start[a], job.count[a], job.skip[a], size = _cost.extent(
            job.of.in_x.n[a], job.of.n_taps[a], job.of.n_out[a], job.of.lo[a], job.of.in_x.boundary[a] == ZERO)
        least.append(size)
    needed = _cost.whole_sizes(x.dtype, tuple(least))
    made = block(code, needed.sizes)
    b = &made.layout
    job.block = b
    job.spoiled = &spoiled
    if 2 * b.half <= BLOCK_BYTES:
        run(&job, <unit_function>line_unit, job.of.n_elements, needed.seconds,
            4 * (b.half + PAD) + 4 * b.tree[0].leaf * b.tree[0].item + b.line, workers, tick, kept)
    else:
        job.parts = parts_of(b, NODE_BYTES)
        for element in range(job.of.n_elements):
            locate(&job.of, element, &job.x, &job.w, &job.y)
            _in_parts(&job, (code, needed.sizes, tuple(sides)), workers, _within(tick, element, job.of.n_elements), kept)
    return bool(spoiled)


cdef int _in_parts(Job* job, tuple key, int workers, tick, dict kept) except -1:
    """One batch element. A kernel that serves a second call is transformed once for it and all that follow."""
    cdef const Layout* b = job.block
    cdef const Tree* t = &b.tree[0]
    cdef const Parts* p = &job.parts
    cdef bint known = kept is not None and job.of.shared and key in kept
    cdef cnp.ndarray h = kept[key] if known else None
    cdef bint both = h is None
    cdef cnp.ndarray memory = borrow(kept, (4 if both else 2) * (b.half + PAD))
    cdef Py_ssize_t scratch = 2 * (most_numbers(p) * p.rows * t.item + PAD) + b.line
    cdef double part_seconds = SECONDS_PER_BYTE * scratch, node_seconds = SECONDS_PER_BYTE * 2 * p.n * t.item
    job.re = <char*>cnp.PyArray_DATA(memory)
    job.im = job.re + b.half + PAD
    job.g_re = job.im + b.half + PAD
    job.g_im = job.g_re + b.half + PAD
    job.h = NULL
    run(job, <unit_function>down_unit, (1 + both) * p.n_parts, part_seconds, scratch, workers, _within(tick, 0, 3), kept)
    if both and known:
        h = aligned(b.spectrum)
        job.h = <char*>cnp.PyArray_DATA(h)
        run(job, <unit_function>taps_unit, p.rows, node_seconds, 0, workers, None, kept)
    elif not both:
        job.h = <char*>cnp.PyArray_DATA(h)
    if kept is not None and job.of.shared:
        kept[key] = h
    run(job, <unit_function>node_unit, p.rows, 2 * node_seconds, 4 * t.leaf * t.item, workers, _within(tick, 1, 3), kept)
    run(job, <unit_function>up_unit, p.n_parts, part_seconds, scratch, workers, _within(tick, 2, 3), kept)
    give_back(kept, memory)
    return 0


cdef _within(tick, Py_ssize_t step, Py_ssize_t steps):
    """The tick of one step of some."""
    return None if tick is None else lambda done: tick((step + done) / steps)
