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
        FC_U8
        FC_I8
        FC_U16
        FC_I16
        FC_LOW8
        FC_LOW16
        FC_LOW32
        FC_BYTES_LEAST
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
    ctypedef struct fc_bytes_table:
        const fc_bytes** family
