# As in fastconv.h.
cdef int convolve1d(int dtype, const void* x, Py_ssize_t n, const void* w, Py_ssize_t m, void* y, int mode) noexcept nogil
cdef int correlate1d(int dtype, const void* x, Py_ssize_t n, const void* w, Py_ssize_t m, void* y, int mode) noexcept nogil
