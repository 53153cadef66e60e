# Products by tiles of bfloat16, as the driver sees them; the contracts are in bf16x6.h.
from fastconv._kernels.gemm cimport fc_piece

cdef extern from "bf16x6.h" nogil:
    const char* FC_BF16X6_TABLE
    enum:
        FC_BF16X6_ROWS
        FC_BF16X6_STEP
        FC_BF16X6_BLOCKS
        FC_BF16X6_TILE
        FC_BF16X6_PARTS
    ctypedef void (*fc_bf16x6_tile)(Py_ssize_t steps, const Py_ssize_t* off, const void* w, const void* x0, const void* x1,
                                    Py_ssize_t ldx, Py_ssize_t part, float* sums, bint more) noexcept nogil
    ctypedef bint (*fc_bf16x6_split)(const float* a, const float* b, Py_ssize_t n, void* to,
                                     Py_ssize_t part) noexcept nogil
    ctypedef bint (*fc_bf16x6_pack)(const float* w, Py_ssize_t ldw, Py_ssize_t rows, Py_ssize_t channels, Py_ssize_t taps,
                                    Py_ssize_t m, void* to) noexcept nogil
    ctypedef void (*fc_bf16x6_put)(const float* sums, Py_ssize_t rows, const float* bias, const fc_piece* pieces,
                                   Py_ssize_t n_pieces, void* y, Py_ssize_t ldy) noexcept nogil
    ctypedef struct fc_bf16x6_table:
        fc_bf16x6_split split
        fc_bf16x6_pack pack_w
        void (*begin)() noexcept nogil
        void (*end)() noexcept nogil
        fc_bf16x6_tile[FC_BF16X6_BLOCKS][FC_BF16X6_BLOCKS] tile
        fc_bf16x6_put put
