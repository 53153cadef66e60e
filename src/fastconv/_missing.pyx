"""The passes that missing data need beside convolutions: over rows of memory, by the definition.

A block x is what some outputs read: it has all that their windows hold, outside values too, so that an output is

    y[o] = sum over t of w[t] x[o + t],         0 <= o < n_out = n - m + 1 by axis.

Blocks, kernels and outputs are C-contiguous and of one dtype. Which blocks there are, nan._blocks decides.
"""

cimport numpy as cnp

cnp.import_array()

ctypedef fused any_real:
    float
    double
    long double


def take_out(any_real[::1] block, any_real[::1] weights, double value):
    """weights = 1 where there is a number, 0 where there is NaN; `value` takes its place. How many there are."""
    cdef Py_ssize_t i, n = block.shape[0], count = 0
    cdef any_real* x = &block[0]
    cdef any_real* ok = &weights[0]
    cdef any_real v, put = <any_real>value, one = 1, zero = 0
    with nogil:
        for i in range(n):
            v = x[i]
            ok[i] = one if v == v else zero
            x[i] = v if v == v else put
            count += 0 if v == v else 1
    return count


cdef void set_steps(Shape* s) noexcept nogil:
    """The rest of it, from n and m."""
    cdef int a
    s.x_step[s.ndim - 1] = s.y_step[s.ndim - 1] = 1
    for a in range(s.ndim - 1, -1, -1):
        s.n_out[a] = s.n[a] - s.m[a] + 1
        if a > 0:
            s.x_step[a - 1] = s.x_step[a] * s.n[a]
            s.y_step[a - 1] = s.y_step[a] * s.n_out[a]


cdef Shape shape_of(tuple n, tuple m) except *:
    cdef Shape s
    cdef int a
    s.ndim = <int>len(n)
    for a in range(s.ndim):
        s.n[a], s.m[a] = n[a], m[a]
    set_steps(&s)
    return s


cdef void subtract_rows(const Shape* s, int a, Py_ssize_t point, const real* w, real* y) noexcept nogil:
    """Take w off the outputs that read one element, from axis a on; `point` is its index along these axes."""
    cdef Py_ssize_t p = point // s.x_step[a], first = max(<Py_ssize_t>0, p - s.m[a] + 1), o
    cdef Py_ssize_t last = min(s.n_out[a] - 1, p), row = 1
    cdef int b
    if a == s.ndim - 1:
        w += p
        for o in range(first, last + 1):
            y[o] -= w[-o]
        return
    for b in range(a + 1, s.ndim):
        row *= s.m[b]
    for o in range(first, last + 1):
        subtract_rows(s, a + 1, point % s.x_step[a], w + (p - o) * row, y + o * s.y_step[a])


cdef void subtract_at(const Shape* s, Py_ssize_t point, const real* w, real* y) noexcept nogil:
    subtract_rows(s, 0, point, w, y)


def subtract(const Py_ssize_t[::1] points, tuple n, const real[::1] w, tuple m, real[::1] y):
    """y -= the correlation of w with a block of shape n that is 1 at some points and 0 elsewhere."""
    cdef Shape s = shape_of(n, m)
    cdef Py_ssize_t k
    with nogil:
        for k in range(points.shape[0]):
            subtract_at(&s, points[k], &w[0], &y[0])


cdef void sum_rows(const Shape* s, int a, const real* x, const real* ok, const real** w, double* top,
                   double* bottom) noexcept nogil:
    """Add the terms of one output, from axis a on, and what the weights of its values add up to."""
    cdef Py_ssize_t t
    cdef double value = 0, weight = 0
    if a == s.ndim - 1:
        for t in range(s.m[a]):
            value += <double>w[0][t] * <double>x[t]
            weight += <double>w[0][t] * <double>ok[t]
        top[0] += value
        bottom[0] += weight
        w[0] += s.m[a]
        return
    for t in range(s.m[a]):
        sum_rows(s, a + 1, x + t * s.x_step[a], ok + t * s.x_step[a], w, top, bottom)


cdef void sum_at(const Shape* s, Py_ssize_t output, const real* x, const real* ok, const real* w, double* top,
                 double* bottom) noexcept nogil:
    cdef Py_ssize_t at = 0
    cdef int a
    for a in range(s.ndim):
        at += output // s.y_step[a] * s.x_step[a]
        output = output % s.y_step[a]
    top[0] = bottom[0] = 0
    sum_rows(s, 0, x + at, ok + at, &w, top, bottom)


def sums_at(const Py_ssize_t[::1] outputs, const real[::1] x, const real[::1] ok, tuple n, const real[::1] w,
            tuple m, double[::1] tops, double[::1] bottoms):
    """At some outputs: sum of w x, and sum of w ok."""
    cdef Shape s = shape_of(n, m)
    cdef Py_ssize_t k
    with nogil:
        for k in range(outputs.shape[0]):
            sum_at(&s, outputs[k], &x[0], &ok[0], &w[0], &tops[k], &bottoms[k])
