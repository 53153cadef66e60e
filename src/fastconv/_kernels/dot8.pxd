# One instruction set's kernels of byte products, as the driver sees them; the contract is in dot8.h.
from libc.stdint cimport int8_t, int32_t, uint8_t, uint32_t

cdef extern from "dot8.h" nogil:
    const char* FC_DOT8_TABLE
    enum:
        FC_DOT8_ROWS
        FC_DOT8_VECTORS
    ctypedef void (*fc_dot8_tile)(Py_ssize_t n, const uint32_t* w, const uint32_t* x, Py_ssize_t ldx, const int32_t* bias,
                                  const int32_t* c, Py_ssize_t ldc, int32_t* y, Py_ssize_t ldy) noexcept nogil
    ctypedef void (*fc_dot8_less)(Py_ssize_t m, Py_ssize_t n, const int32_t* bias, const int32_t* c, Py_ssize_t ldc,
                                  const int32_t* zero, const int32_t* xs, int32_t* to, Py_ssize_t ldto) noexcept nogil
    ctypedef struct fc_dot8_table:
        int lanes
        int rows
        int vectors
        int unit
        int depth
        fc_dot8_tile[FC_DOT8_ROWS][FC_DOT8_VECTORS] tile
        fc_dot8_tile[FC_DOT8_VECTORS] line
        void (*begin)() noexcept nogil
        void (*end)() noexcept nogil
        fc_dot8_less less
        void (*fours)(uint32_t* to, const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d,
                      Py_ssize_t step, Py_ssize_t n, uint32_t flip) noexcept nogil
        int32_t (*total)(const uint32_t* w, Py_ssize_t n) noexcept nogil
        void (*scale)(const int32_t* sums, Py_ssize_t n, double factor, double zero, double least, double most,
                      int8_t* to) noexcept nogil
