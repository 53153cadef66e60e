# One instruction set's kernels with outputs in the lanes, as the driver sees them; the contracts are in spread.h.
cdef extern from "spread.h" nogil:
    const char* FC_SPREAD_TABLE
    enum:
        FC_SPREAD_STEPS
        FC_SPREAD_PIXELS
        FC_SPREAD_VECTORS
    ctypedef void (*fc_spread_tile)(Py_ssize_t n, const void* w, const void* x, const Py_ssize_t* off, Py_ssize_t second,
                                    const void* c, Py_ssize_t step, void* y) noexcept nogil
    ctypedef void (*fc_spread_turn)(const void* x, Py_ssize_t ldx, void* y, Py_ssize_t ldy, Py_ssize_t m,
                                    Py_ssize_t n) noexcept nogil
    ctypedef void (*fc_spread_rows)(const void* x, Py_ssize_t ldx, Py_ssize_t rows, Py_ssize_t before, Py_ssize_t n,
                                    Py_ssize_t length, void* y) noexcept nogil
    ctypedef struct fc_spread:
        int lanes
        int pixels
        fc_spread_tile[FC_SPREAD_STEPS][FC_SPREAD_PIXELS][FC_SPREAD_VECTORS] tile
        fc_spread_turn turn
        fc_spread_rows rows
    ctypedef struct fc_spread_table:
        fc_spread* dtype
