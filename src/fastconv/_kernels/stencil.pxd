# The kernels for windows of 3 x 3 elements, as their driver sees them; the contracts are in stencil.h.
cdef extern from "stencil.h" nogil:
    const char* FC_STENCIL_TABLE
    enum:
        FC_SEPARABLE
        FC_CROSS
        FC_DENSE
        FC_N_STENCILS
    ctypedef void (*fc_stencil_row)(const void* const* rows, const void* w, void* y, Py_ssize_t n) noexcept nogil
    ctypedef struct fc_stencil:
        int lanes
        fc_stencil_row[FC_N_STENCILS] row
    ctypedef struct fc_stencil_table:
        fc_stencil f32
        fc_stencil f64
