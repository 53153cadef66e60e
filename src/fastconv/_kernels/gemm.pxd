# One instruction set's matrix kernels, as the drivers see them; the contracts are in gemm.h.
cdef extern from "gemm.h" nogil:
    const char* FC_GEMM_TABLE
    enum:
        FC_GEMM_ROWS
        FC_GEMM_VECTORS
    ctypedef struct fc_piece:
        Py_ssize_t of "from"
        Py_ssize_t to
        Py_ssize_t n
    ctypedef void (*fc_gemm_tile)(Py_ssize_t n, const void* w, const void* x, Py_ssize_t ldx, const void* c,
                                  Py_ssize_t ldc, Py_ssize_t step, void* y, Py_ssize_t ldy) noexcept nogil
    ctypedef void (*fc_gemm_reach)(Py_ssize_t n, const void* x, const Py_ssize_t* row, const Py_ssize_t* at, const void* g,
                                   Py_ssize_t ldg, const void* c, Py_ssize_t ldc, void* y, Py_ssize_t ldy) noexcept nogil
    ctypedef void (*fc_gemm_ahead)(Py_ssize_t n, const void* w, const void* x, Py_ssize_t ldx, const void* c,
                                   Py_ssize_t ldc, Py_ssize_t step, void* y, Py_ssize_t ldy, const void* next,
                                   const Py_ssize_t* off, Py_ssize_t every) noexcept nogil
    ctypedef void (*fc_gemm_gather)(const void* x, const Py_ssize_t* off, Py_ssize_t n, const fc_piece* pieces,
                                    Py_ssize_t n_pieces, void* to, Py_ssize_t ldt) noexcept nogil
    ctypedef void (*fc_gemm_turn)(const void* x, Py_ssize_t ldx, void* to, Py_ssize_t ldt, Py_ssize_t m,
                                  Py_ssize_t n) noexcept nogil
    ctypedef void (*fc_gemm_pick)(const void* x, Py_ssize_t step, void* to, Py_ssize_t n) noexcept nogil
    ctypedef struct fc_gemm:
        int lanes
        int rows
        int vectors
        int reach_vectors
        int[FC_GEMM_VECTORS] reach_rows
        fc_gemm_tile[FC_GEMM_ROWS][FC_GEMM_VECTORS] tile
        fc_gemm_reach[FC_GEMM_ROWS][FC_GEMM_VECTORS] reach
        fc_gemm_ahead[FC_GEMM_VECTORS] ahead
        fc_gemm_gather gather
        fc_gemm_turn turn
        fc_gemm_pick pick
    ctypedef struct fc_gemm_table:
        fc_gemm* dtype
