# One instruction set's tiles of byte products, as the driver sees them; the contract is in dot8.h.
from fastconv._kernels.gemm cimport FC_GEMM_ROWS, FC_GEMM_VECTORS, fc_gemm_tile

cdef extern from "dot8.h" nogil:
    const char* FC_DOT8_TABLE
    ctypedef struct fc_dot8_table:
        int rows
        int vectors
        fc_gemm_tile[FC_GEMM_ROWS][FC_GEMM_VECTORS] tile
