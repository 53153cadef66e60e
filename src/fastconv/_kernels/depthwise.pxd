# The kernels of layers whose channels are apart, as the driver sees them; the contract is in depthwise.h.
cdef extern from "depthwise.h" nogil:
    const char* FC_DEPTHWISE_TABLE
    ctypedef struct fc_taps:
        Py_ssize_t kd
        Py_ssize_t kh
        Py_ssize_t kw
        Py_ssize_t plane
        Py_ssize_t tap_row
        Py_ssize_t tap_col
        Py_ssize_t row
        Py_ssize_t step
        Py_ssize_t first_row
        Py_ssize_t end_row
        Py_ssize_t first_col
        Py_ssize_t end_col

ctypedef int (*fc_unrolled)(const fc_taps* taps) noexcept nogil
ctypedef void (*fc_pad)(const void* x, Py_ssize_t row, Py_ssize_t n_rows, Py_ssize_t n, Py_ssize_t left, Py_ssize_t width,
                        void* to, Py_ssize_t ld) noexcept nogil
ctypedef void (*fc_planes)(const void* x, Py_ssize_t x_plane, const fc_taps* taps, const void* w, const void* bias, void* y,
                           Py_ssize_t y_plane, Py_ssize_t ldy, Py_ssize_t n_rows, Py_ssize_t n,
                           Py_ssize_t n_planes) noexcept nogil

cdef extern from "depthwise.h" nogil:
    ctypedef struct fc_depthwise:
        int lanes
        int masked
        fc_unrolled unrolled
        fc_pad pad
        fc_planes planes
    ctypedef struct fc_depthwise_table:
        fc_depthwise* dtype
