"""Which parts of two sequences are convolved together, so that rounding stays small beside every output.

Sequences f and g are cut into blocks of s elements. A node (i0, i1, j0, j1, theta) stands for the blocks i0 .. i1 - 1
of f and j0 .. j1 - 1 of g, tilted: u(a) = f(a) exp(theta a), v(b) = g(b) exp(theta b). Its share of output c is
exp(-theta c) (u * v)(c), and at most exp(-theta c) ||u|| ||v||; a transform errs by a small factor of that.

The plan starts from one node with everything. A node whose bound is negligible beside exp(L(c)), the estimate of the
result, is dropped; one whose rounding is, becomes a transform; else its halves are looked at, or all is summed
directly where that costs less. theta minimises the bound's largest ratio to exp(L(c)), whose logarithm is convex.

Here nothing is summed but bounds of blocks; `_pair` computes, and checks what it gets.
"""

from libc.math cimport INFINITY, exp, fabs, log
from libc.stdlib cimport free, malloc, realloc
cimport numpy as cnp

import numpy as np

cnp.import_array()

cdef enum:
    DIRECT = 0
    TRANSFORM = 1
    STEPS = 10                      # of the search for theta
cdef double CALL = 60e-6            # seconds: a node, beside its sums
cdef double PRODUCTS = 6e9          # a second
cdef double ELEMENT = 14e-9         # seconds: a transform, by elements of both inputs
cdef double CUT = 500 * 0.6931471805599453      # smaller factors than exp(-CUT) are set to zero, see _pair

cdef struct Side:
    Py_ssize_t n
    const double* size              # by block: log ||f||
    const double* slope             # of log f, about
    const double* leant             # log ||f(a) exp(-slope (a - centre))||

cdef struct Node:
    Py_ssize_t i0, i1, j0, j1
    int kind
    double theta

cdef struct Plan:
    Side f, g
    double s
    const double* level             # L at c = k s, and linear between
    double negligible, rounding     # logarithms of the largest ratios to exp(L)
    double factor                   # the logarithm of a transform's relative to ||u|| ||v||
    double* dropped                 # by block of outputs: what is left out, as a ratio to exp(L)
    Node* nodes
    Py_ssize_t n_nodes, room
    bint failed


cdef inline double block(const Side* x, Py_ssize_t i, double s, double theta, double* side) noexcept nogil:
    """A bound of log ||u|| of a block; `side` gets the place, from the centre, where u is large."""
    cdef double half = (s - 1) / 2, lean = x.slope[i] + theta
    cdef double plain = x.size[i] + fabs(theta) * half, leant = x.leant[i] + fabs(lean) * half
    if leant < plain:
        side[0] = half if lean > 0 else -half
        plain = leant
    else:
        side[0] = half if theta > 0 else -half
    return plain + theta * ((i + 0.5) * s - 0.5)


cdef double norm(const Side* x, Py_ssize_t begin, Py_ssize_t end, double s, double theta, double* where) noexcept nogil:
    """A bound of log ||u||; `where` gets its derivative by theta."""
    cdef Py_ssize_t i
    cdef double t, most = -INFINITY, total = 0, place = 0, weight, side
    for i in range(begin, end):
        most = max(most, block(x, i, s, theta, &side))
    where[0] = 0
    if most == -INFINITY:
        return most
    for i in range(begin, end):
        t = block(x, i, s, theta, &side) - most
        if t > -20:
            weight = exp(2 * t)
            total += weight
            place += weight * ((i + 0.5) * s - 0.5 + side)
        else:
            total += 5e-18          # at least exp(2 t)
    where[0] = place / total
    return most + log(total) / 2


cdef double ratio(const Plan* p, const Node* node, double theta, double* slope) noexcept nogil:
    """The logarithm of the bound's largest ratio to exp(L), and its derivative by theta."""
    cdef double u, v, at_u, at_v, out = -INFINITY, t
    cdef Py_ssize_t k, at = 0
    u = norm(&p.f, node.i0, node.i1, p.s, theta, &at_u)
    v = norm(&p.g, node.j0, node.j1, p.s, theta, &at_v)
    if u == -INFINITY or v == -INFINITY:
        slope[0] = 0
        return -INFINITY
    for k in range(node.i0 + node.j0, node.i1 + node.j1 + 1):
        t = -theta * k * p.s - p.level[k]
        if t > out:
            out, at = t, k
    slope[0] = at_u + at_v - at * p.s
    return u + v + out


cdef double best(const Plan* p, Node* node) noexcept nogil:
    """The least `ratio`, and its theta in the node; no better one is sought once it is negligible."""
    cdef Py_ssize_t low = node.i0 + node.j0, high = node.i1 + node.j1
    cdef double theta = (p.level[low] - p.level[high]) / ((high - low) * p.s), value, least = INFINITY, slope
    cdef double left = -INFINITY, right = INFINITY, step = 4 / ((high - low) * p.s)
    cdef int k
    for k in range(STEPS):
        value = ratio(p, node, theta, &slope)
        if value < least:
            least, node.theta = value, theta
        if least <= p.negligible or slope == 0:
            break
        if slope > 0:
            right = theta
        else:
            left = theta
        if left > -INFINITY and right < INFINITY:
            theta = (left + right) / 2
        else:
            theta += -step if slope > 0 else step
            step *= 4
    return least


cdef void push(Plan* p, const Node* node, int kind) noexcept nogil:
    cdef Node* more
    if p.n_nodes == p.room:
        p.room = 2 * p.room + 64
        more = <Node*>realloc(p.nodes, p.room * sizeof(Node))
        if more == NULL:
            p.failed = True
            return
        p.nodes = more
    p.nodes[p.n_nodes] = node[0]
    p.nodes[p.n_nodes].kind = kind
    p.n_nodes += 1


cdef void drop(Plan* p, const Node* node) noexcept nogil:
    cdef double u, v, where, low, high
    cdef Py_ssize_t k
    u = norm(&p.f, node.i0, node.i1, p.s, node.theta, &where)
    v = norm(&p.g, node.j0, node.j1, p.s, node.theta, &where)
    if u == -INFINITY or v == -INFINITY:
        return
    low = -node.theta * (node.i0 + node.j0) * p.s - p.level[node.i0 + node.j0]
    for k in range(node.i0 + node.j0, node.i1 + node.j1):
        high = -node.theta * (k + 1) * p.s - p.level[k + 1]
        p.dropped[k] += exp(u + v + max(low, high))
        low = high


cdef inline Py_ssize_t half(Py_ssize_t n) noexcept nogil:
    """The largest power of 2 below n: so that parts have lengths which transforms like."""
    cdef Py_ssize_t size = 1
    while 2 * size < n:
        size *= 2
    return size


cdef double visit(Plan* p, Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1) noexcept nogil:
    """Add the nodes of a part to the plan; the seconds that they will take."""
    cdef Node node
    cdef Py_ssize_t mark = p.n_nodes, n = i1 - i0, m = j1 - j0, i, j
    cdef double value, seconds, direct, transform
    cdef bint in_range
    node.i0, node.i1, node.j0, node.j1, node.theta = i0, i1, j0, j1, 0
    value = best(p, &node)
    if value <= p.negligible:
        drop(p, &node)
        return 0
    in_range = value - CUT + log(min(n, m) * p.s) <= p.negligible
    direct = CALL + <double>n * m * p.s * p.s / PRODUCTS
    transform = CALL + ELEMENT * (n + m) * p.s
    if value + p.factor <= p.rounding:
        if in_range and direct < transform:
            push(p, &node, DIRECT)
            return direct
        push(p, &node, TRANSFORM)
        return transform
    if (n == 1 and m == 1) or (in_range and direct < 2 * CALL):
        push(p, &node, DIRECT)
        return direct
    if n >= m:
        i = i0 + half(n)
        seconds = visit(p, i0, i, j0, j1) + visit(p, i, i1, j0, j1)
    else:
        j = j0 + half(m)
        seconds = visit(p, i0, i1, j0, j) + visit(p, i0, i1, j, j1)
    if in_range and direct <= seconds:
        p.n_nodes = mark
        push(p, &node, DIRECT)
        return direct
    return seconds


cdef Side side_of(cnp.ndarray size, cnp.ndarray slope, cnp.ndarray leant) noexcept:
    cdef Side side
    side.n = size.shape[0]
    side.size, side.slope, side.leant = <const double*>size.data, <const double*>slope.data, <const double*>leant.data
    return side


def plan(cnp.ndarray f_size, cnp.ndarray f_slope, cnp.ndarray f_leant, cnp.ndarray g_size, cnp.ndarray g_slope,
         cnp.ndarray g_leant, Py_ssize_t s, cnp.ndarray level, double negligible, double rounding, double factor):
    """The nodes for contiguous float64 arrays: of f and g by block, of L at the edges of all blocks of outputs.

    Returns
    -------
    nodes : list of (i0, i1, j0, j1, is_transform, theta)
    dropped : ndarray
        By block of outputs: the sum of what was left out, at most, as a ratio to exp(L).
    """
    cdef Plan p
    cdef cnp.ndarray dropped = np.zeros(f_size.shape[0] + g_size.shape[0])
    cdef Py_ssize_t k
    cdef Node* node
    p.f = side_of(f_size, f_slope, f_leant)
    p.g = side_of(g_size, g_slope, g_leant)
    p.s, p.level = s, <const double*>level.data
    p.negligible, p.rounding, p.factor = log(negligible), log(rounding), log(factor)
    p.dropped = <double*>dropped.data
    p.n_nodes, p.room, p.failed = 0, 64, False
    p.nodes = <Node*>malloc(64 * sizeof(Node))
    try:
        if p.nodes != NULL:
            with nogil:
                visit(&p, 0, p.f.n, 0, p.g.n)
        if p.nodes == NULL or p.failed:
            raise MemoryError()
        found = []
        for k in range(p.n_nodes):
            node = &p.nodes[k]
            found.append((node.i0, node.i1, node.j0, node.j1, node.kind == TRANSFORM, node.theta))
        return found, dropped
    finally:
        free(p.nodes)
