"""Sums of convolutions of blocks in the transforms' domain: each input and each kernel is transformed once, and each
sum is transformed back once.

The passes run depth first on all blocks together, so that what a part of the transforms needs is in the cache at once.
What the blocks hold is the driver's concern.
"""

from fastconv._tree cimport Tree, down, up


cdef inline char* block_of(const Mix* m, int k) noexcept nogil:
    """Input k, or kernel k - n_x."""
    return m.blocks + (k if k < m.n_x else max(m.n_x, m.n_y) + k - m.n_x) * m.block


cdef inline Py_ssize_t part_bytes(const Tree* t) noexcept nogil:
    """re or im of one block, as far as the last pass takes it at a time."""
    return 4 * MIX_NODES * t.lanes * t.item


cdef inline Py_ssize_t own_parts(const Mix* m) noexcept nogil:
    """Parts that the transforms of the w take, if they are made here."""
    return 4 * m.n_w if m.h == NULL else 0


cdef Py_ssize_t mix_bytes(const Mix* m, const Tree* t) noexcept nogil:
    while t.rows != NULL:
        t = t.rows
    return (2 * m.n_y + own_parts(m)) * part_bytes(t) + 2 * m.terms[m.n_y] * sizeof(void*)


cdef void mix(const Mix* m, const Tree* t, Py_ssize_t at, int i, Py_ssize_t q, Py_ssize_t nodes,
              Py_ssize_t n) noexcept nogil:
    cdef int k, stop, end = t.last + (t.width > 1), inputs = m.n_x + (m.n_w if m.h == NULL else 0)
    cdef char* re
    cdef Py_ssize_t skip = at * t.item, g, q_end = q, ends = nodes, n_end = n
    if nodes * n <= t.leaf or i > t.last:
        stop = end
    elif nodes == 1:
        stop = i + 1
    else:
        for g in range(nodes):
            mix(m, t, at + g * n, i, q + g, 1, n)
        return
    for k in range(i, stop):
        q_end *= t.radix[k]
        ends *= t.radix[k]
        n_end //= t.radix[k]
    for k in range(inputs if i < stop else 0):
        re = block_of(m, k) + skip
        down(t, re, re + m.im, re, re + m.im, n_end, i, stop, q, nodes, n)
    if stop < end:
        mix(m, t, at, stop, q_end, ends, n_end)
    elif t.width == 1:
        multiply_sums(m, t, at, q_end, ends)
    else:
        for g in range(ends):
            mix(m, t.rows, at + g * n_end, 0, 0, 1, n_end)
    for k in range(m.n_y if i < stop else 0):
        re = m.blocks + k * m.block + skip
        up(t, re, re + m.im, n_end, re, re + m.im, i, stop, q, nodes, n)


cdef void multiply_sums(const Mix* m, const Tree* t, Py_ssize_t at, Py_ssize_t q, Py_ssize_t nodes) noexcept nogil:
    """The last pass down, the sums of products, and the first pass up."""
    cdef Py_ssize_t half = part_bytes(t), first = 0, n, skip, L = t.lanes
    cdef char* h = m.work + 2 * m.n_y * half
    cdef const void** x = <const void**>(h + own_parts(m) * half)
    cdef const void** w = x + m.terms[m.n_y]
    cdef const char* twiddles
    cdef const char* modulus
    cdef char* re
    cdef int k, s
    while first < nodes:
        n = min(<Py_ssize_t>MIX_NODES, nodes - first)
        skip = (at + 4 * first * L) * t.item
        twiddles = t.w[t.last] + 6 * (q + first) * t.item
        for k in range(m.n_x + (m.n_w if m.h == NULL else 0)):
            re = block_of(m, k) + skip
            t.kernels.down[4](re, re + m.im, L, re, re + m.im, L, L, n, twiddles)
            if k >= m.n_x:
                modulus = t.modulus + 8 * (q + first) * t.item
                t.kernels.spectrum(re, re + m.im, h + 4 * (k - m.n_x) * half, 4 * n, modulus)
        for s in range(m.n_y):
            for k in range(m.terms[s], m.terms[s + 1]):
                x[k] = m.blocks + m.x[k] * m.block + skip
                w[k] = m.h + m.w[k] * m.spectrum + 4 * skip if m.h != NULL else h + 4 * m.w[k] * half
            re = m.work + 2 * s * half
            k = m.terms[s]
            t.kernels.mix(re, re + half, x + k, m.im // t.item, w + k, m.terms[s + 1] - k, 4 * n)
        for s in range(m.n_y):
            re = m.blocks + s * m.block + skip
            t.kernels.up[4](m.work + 2 * s * half, m.work + (2 * s + 1) * half, L, re, re + m.im, L, L, n, twiddles)
        first += n
