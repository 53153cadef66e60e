# The kernels of Winograd's algorithm, as the driver sees them; the contract is in winograd.h.
ctypedef void (*fc_gather)(const void* x, Py_ssize_t plane, Py_ssize_t channels, Py_ssize_t count, int slack,
                           void* to) noexcept nogil
ctypedef void (*fc_scatter)(const void* of, Py_ssize_t count, Py_ssize_t channels, void* y,
                            Py_ssize_t plane) noexcept nogil
ctypedef void (*fc_weights)(const void* w, const double* g, void* u, Py_ssize_t step) noexcept nogil
ctypedef void (*fc_input)(const void* const* rows, Py_ssize_t tiles, const void* c, void* v, Py_ssize_t pitch,
                          Py_ssize_t step) noexcept nogil
ctypedef void (*fc_multiply)(const void* v, Py_ssize_t pitch, Py_ssize_t tiles, const void* u, Py_ssize_t channels,
                             void* to, Py_ssize_t to_pitch) noexcept nogil
ctypedef int (*fc_output)(const void* sums, Py_ssize_t pitch, Py_ssize_t step, Py_ssize_t tiles, const void* c,
                          const void* bias, void* to, Py_ssize_t ld, Py_ssize_t count) noexcept nogil
ctypedef void (*fc_redo)(const void* x, const void* w, Py_ssize_t channels, const void* bias, void* to,
                         Py_ssize_t ld, Py_ssize_t count) noexcept nogil

cdef extern from "winograd.h" nogil:
    const char* FC_WINOGRAD_TABLE
    ctypedef struct fc_winograd:
        int lanes
        int rows
        fc_gather gather
        fc_scatter scatter
        fc_weights[2] weights
        fc_input[2] input
        fc_multiply[2] multiply
        fc_output[2] output
        fc_redo[2] direct
    ctypedef struct fc_winograd_table:
        fc_winograd* dtype
