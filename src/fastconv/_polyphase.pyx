"""Upsampling, filtering and downsampling in one: an output is the scalar product of some of x and of the taps.

    y[k] = sum over i of h[k down - i up] x[i]

With k down = p + i up, 0 <= p < up, output k needs every up-th tap from p on: the taps of phase p, which are packed
here, reversed, one phase after the other. The sums keep to the elements that exist: nothing is added for others. What
stands outside x, and whether a convolution for each phase is faster, is for the caller (signal._upfirdn) to decide.
"""

cimport numpy as cnp

import numpy as np

from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    LANES = 16                      # sums side by side for one output; half as many in double precision
    SPAN = 512                      # outputs in one unit
cdef double PRODUCTS = 4e9          # a second: a rough estimate

ctypedef fused real:
    float
    double

cdef struct Job:
    const void* x
    void* taps                      # [part, phase, tap]: the parts are real, or for complex taps two, each number twice
    void* y
    Py_ssize_t n, before, n_out     # x has n elements, of which number `before` meets tap 0 at output 0
    Py_ssize_t n_spans
    Py_ssize_t up, down
    Py_ssize_t n_taps, n_long       # taps of a phase, of the first n_long phases; others have one less
    Py_ssize_t numbers, part        # reals in an element, in a part of the taps
    bint is_single


cdef inline void pack(const Job* job, const real* h, Py_ssize_t n, real* taps) noexcept nogil:
    cdef Py_ssize_t phase, t, i, k
    for phase in range(job.up):
        for t in range(job.n_taps):
            k = phase + (job.n_taps - 1 - t) * job.up
            for i in range(job.numbers * job.numbers):
                taps[i // job.numbers * job.part + (phase * job.n_taps + t) * job.numbers + i % job.numbers] = \
                    h[k * job.numbers + i // job.numbers] if k < n else 0


cdef inline void product(const real* a, const real* b, Py_ssize_t n, real* even, real* odd) noexcept nogil:
    """even[0] = sum a[i] b[i] for even i, odd[0] = the same for odd i."""
    cdef real[LANES] sums
    cdef Py_ssize_t i = 0
    cdef int j, lanes = LANES if real is float else LANES // 2
    even[0] = odd[0] = 0
    if n >= 4:
        if n < lanes:
            for j in range(4):
                sums[j] = a[j] * b[j]
            i = 4
        else:
            for j in range(lanes):
                sums[j] = a[j] * b[j]
            i = lanes
            while i + lanes <= n:
                for j in range(lanes):
                    sums[j] += a[i + j] * b[i + j]
                i += lanes
            for j in range(4, lanes):
                sums[j % 4] += sums[j]
        while i + 4 <= n:
            for j in range(4):
                sums[j] += a[i + j] * b[i + j]
            i += 4
        even[0] = sums[0] + sums[2]
        odd[0] = sums[1] + sums[3]
    while i + 2 <= n:
        even[0] += a[i] * b[i]
        odd[0] += a[i + 1] * b[i + 1]
        i += 2
    if i < n:
        even[0] += a[i] * b[i]


cdef inline void output(const Job* job, const real* x, const real* taps, real* y, Py_ssize_t count) noexcept nogil:
    """One output: of `count` elements of x and their taps."""
    cdef real even, odd, other_even, other_odd
    product(taps, x, count * job.numbers, &even, &odd)
    if job.numbers == 1:
        y[0] = even + odd
    else:
        product(taps + job.part, x, count * 2, &other_even, &other_odd)
        y[0] = even - other_odd
        y[1] = odd + other_even


cdef inline void outputs(const Job* job, const real* x, real* y, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """The outputs begin to end - 1 of one row."""
    cdef Py_ssize_t numbers = job.numbers, n_taps = job.n_taps, n_long = job.n_long, up = job.up
    cdef Py_ssize_t step = job.down // up, rest = job.down % up, k, first, least, count
    cdef Py_ssize_t phase = begin * job.down % up
    cdef const real* taps
    first = job.before + begin * job.down // up - n_taps + 1
    for k in range(begin, end):
        taps = <const real*>job.taps + phase * n_taps * numbers
        least = phase >= n_long                 # the first tap of a phase may be missing
        count = n_taps
        if first < 0 or first + n_taps > job.n:
            least = max(least, -first)
            count = max(least, min(n_taps, job.n - first))
        output(job, x + (first + least) * numbers, taps + least * numbers, y + k * numbers, count - least)
        first += step
        phase += rest
        if phase >= up:
            phase -= up
            first += 1


cdef void span(const Job* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Py_ssize_t begin = unit % job.n_spans * SPAN, row = unit // job.n_spans
    cdef Py_ssize_t end = min(begin + SPAN, job.n_out)
    cdef Py_ssize_t x = row * job.n * job.numbers, y = row * job.n_out * job.numbers
    if job.is_single:
        outputs(job, <const float*>job.x + x, <float*>job.y + y, begin, end)
    else:
        outputs(job, <const double*>job.x + x, <double*>job.y + y, begin, end)


def correlate(cnp.ndarray x, cnp.ndarray h, cnp.ndarray y, Py_ssize_t up, Py_ssize_t down, Py_ssize_t before):
    """y[r, k] = sum over i of h[k down - i up] x[r, before + i], over the elements of x that exist.

    Parameters
    ----------
    x, y : ndarray
        Of two dimensions, contiguous and of one dtype of float32, float64, complex64, complex128.
    h : ndarray
        The taps, one-dimensional, contiguous, of the same dtype.
    up, down : int
        At least 1.
    before : int
        Elements of x that stand before the one that output 0 begins with.
    """
    cdef Job job
    cdef cnp.ndarray packed
    job.numbers = 2 if cnp.PyArray_ISCOMPLEX(x) else 1
    job.is_single = cnp.PyArray_ITEMSIZE(x) == 4 * job.numbers
    job.n, job.n_out, job.before = x.shape[1], y.shape[1], before
    job.up, job.down = up, down
    job.n_taps = (h.shape[0] + up - 1) // up
    job.n_long = h.shape[0] - (job.n_taps - 1) * up
    job.part = up * job.n_taps * job.numbers
    packed = np.empty(job.part * job.numbers, np.float32 if job.is_single else np.float64)
    job.x, job.taps, job.y = cnp.PyArray_DATA(x), cnp.PyArray_DATA(packed), cnp.PyArray_DATA(y)
    if job.is_single:
        pack(&job, <const float*>cnp.PyArray_DATA(h), h.shape[0], <float*>job.taps)
    else:
        pack(&job, <const double*>cnp.PyArray_DATA(h), h.shape[0], <double*>job.taps)
    job.n_spans = (job.n_out + SPAN - 1) // SPAN
    run(&job, <unit_function>span, x.shape[0] * job.n_spans,
        min(job.n_out, <Py_ssize_t>SPAN) * (5e-9 + job.n_taps * job.numbers ** 2 / PRODUCTS), 0, 0, None)
