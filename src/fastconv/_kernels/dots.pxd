# The kernels of long strided windows, as the driver sees them; the contract is in dots.h.
ctypedef void (*fc_windows)(const void* x, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t stride, Py_ssize_t n, const void* w,
                            Py_ssize_t taps, const void* bias, Py_ssize_t outputs, void* y, Py_ssize_t ldy) noexcept nogil

cdef extern from "dots.h" nogil:
    const char* FC_DOTS_TABLE
    ctypedef struct fc_dots:
        int lanes
        fc_windows windows
    ctypedef struct fc_dots_table:
        fc_dots* dtype
