"""Products of sequences with exp of a polygon: block k of s elements is multiplied by exp(start[k] + slope[k] i).

Within a block that is a geometric progression, so there is one product an element in place of an exponential; after
CHUNK elements it starts anew, and no factor is wrong by more than 32 units of rounding beside those of its exponent.
Exponents are cut to +-LARGE.
"""

from libc.math cimport exp, fabs, fmax, fmin
cimport numpy as cnp

cnp.import_array()

cdef enum:
    LANES = 8
    CHUNK = 64
cdef double LARGE = 600
cdef double LEAST = 3.0549363634996047e-151     # 2^-500: smaller results are zero, so no product is subnormal


cdef void factors(double start, double slope, Py_ssize_t n, double* to) noexcept nogil:
    """to[i] = exp(start + slope i), for i < n <= CHUNK; as many more are written as fill up LANES."""
    cdef double[LANES] power
    cdef double step
    cdef Py_ssize_t i = 0
    cdef int j
    if fabs(start) > LARGE or fabs(start + slope * n) > LARGE:
        for i in range(n):
            to[i] = exp(fmin(fmax(start + slope * i, -LARGE), LARGE))
        return
    for j in range(LANES):
        power[j] = exp(start + slope * j)
    step = exp(slope * LANES)
    while i < n:
        for j in range(LANES):
            to[i + j] = power[j]
            power[j] *= step
        i += LANES


def tilt(cnp.ndarray x, Py_ssize_t s, cnp.ndarray start, cnp.ndarray slope, cnp.ndarray y):
    """y = x exp(...), and 0 where that is below 2^-500; all contiguous float64, x and y at least 0 and of one length."""
    cdef const double* of = <const double*>x.data
    cdef const double* starts = <const double*>start.data
    cdef const double* slopes = <const double*>slope.data
    cdef double* to = <double*>y.data
    cdef Py_ssize_t n = x.shape[0], a = 0, i, k, end, count
    cdef double[CHUNK] factor
    cdef double first, lean, value
    with nogil:
        for k in range((n + s - 1) // s):
            first, lean = starts[k], slopes[k]
            end = min(n, (k + 1) * s)
            while a < end:
                count = min(end - a, <Py_ssize_t>CHUNK)
                factors(first + lean * (a - k * s), lean, count, factor)
                for i in range(count):
                    value = of[a + i] * factor[i]
                    to[a + i] = value if value >= LEAST else 0
                a += count


def add_tilted(cnp.ndarray x, Py_ssize_t s, cnp.ndarray start, cnp.ndarray slope, cnp.ndarray y):
    """y += x exp(...), for contiguous float64 of one length."""
    cdef const double* of = <const double*>x.data
    cdef const double* starts = <const double*>start.data
    cdef const double* slopes = <const double*>slope.data
    cdef double* to = <double*>y.data
    cdef Py_ssize_t n = x.shape[0], a = 0, i, k, end, count
    cdef double[CHUNK] factor
    cdef double first, lean
    with nogil:
        for k in range((n + s - 1) // s):
            first, lean = starts[k], slopes[k]
            end = min(n, (k + 1) * s)
            while a < end:
                count = min(end - a, <Py_ssize_t>CHUNK)
                factors(first + lean * (a - k * s), lean, count, factor)
                for i in range(count):
                    to[a + i] += of[a + i] * factor[i]
                a += count
