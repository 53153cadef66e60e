# Direct correlation of one contiguous line, for callers that have done everything else (_entry), and of arrays.
cimport numpy as cnp

from fastconv._kernels.table cimport fc_kernels
from fastconv._rounds cimport Task


cdef struct Axis:
    Py_ssize_t n_in, n_out, n_taps
    Py_ssize_t lo                   # taps that hang over the low end: y[i] takes x[i - lo + t]
    Py_ssize_t x, y, w              # bytes from one element (of w: from one kernel) to the next
    int boundary

cdef const fc_kernels* kernels_of(int dtype) noexcept nogil
cdef bint streams(cnp.ndarray y) noexcept
cdef bint not_finite(const char* sums, Py_ssize_t n, Py_ssize_t step, int item, int part) noexcept nogil
cdef Py_ssize_t copied(const fc_kernels* kernels, Py_ssize_t n, Py_ssize_t n_taps) noexcept nogil
cdef void corr_line(const fc_kernels* kernels, int item, const char* x, const Axis* axis, const char* constant,
                    Py_ssize_t start, const char* h, Py_ssize_t n_taps, char* y, Py_ssize_t n, char* line) noexcept nogil
# As the Python function `correlate`, with w copied: the work, of which only strides and shapes of x and y are known; None
# where y is empty.
cdef Task prepare(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval)
