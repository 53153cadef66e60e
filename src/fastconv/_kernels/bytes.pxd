# The kernels for small integers, as their driver sees them; the contracts are in bytes.h.
from libc.stdint cimport int32_t

cdef extern from "bytes.h" nogil:
    const char* FC_BYTES_TABLE
    enum:
        FC_B4
        FC_B2
        FC_H2
        FC_N_FAMILIES
        FC_ITEM_U8
        FC_ITEM_I8
        FC_ITEM_U16
        FC_ITEM_I16
        FC_N_ITEMS
        FC_TO_U8
        FC_TO_I8
        FC_TO_U16
        FC_TO_I16
        FC_TO_LOW8
        FC_TO_LOW16
        FC_TO_LOW32
        FC_N_STORES
        FC_BYTES_LEAST
        FC_SUM_ROWS
    ctypedef void (*fc_bytes_pack)(const void* const* rows, void* z, Py_ssize_t n) noexcept nogil
    ctypedef void (*fc_bytes_tile)(const void* const* full, Py_ssize_t n_full, const void* const* part, Py_ssize_t n_part,
                                   int first, const int32_t* w, Py_ssize_t kw, Py_ssize_t step, int32_t bias,
                                   void* const* y, Py_ssize_t n, int store) noexcept nogil
    ctypedef struct fc_bytes:
        int group
        int word
        int width
        fc_bytes_pack[FC_N_ITEMS] pack
        fc_bytes_tile tile
    ctypedef void (*fc_widen)(const void* x, void* y, Py_ssize_t n) noexcept nogil
    ctypedef void (*fc_cut)(const void* x, void* y, Py_ssize_t n, double scale) noexcept nogil
    ctypedef void (*fc_narrow)(const void* x, void* y, Py_ssize_t n, double scale, int store) noexcept nogil
    ctypedef void (*fc_sums)(const void* const* x, const void* w, Py_ssize_t kh, void* y, Py_ssize_t to_line,
                             Py_ssize_t n) noexcept nogil
    ctypedef struct fc_floats:
        int sum_width
        fc_sums[FC_N_ITEMS] sums
        fc_widen[FC_N_ITEMS] widen
        fc_cut cut
        fc_narrow narrow
    ctypedef struct fc_bytes_table:
        fc_floats[2] floats
        const fc_bytes** family
