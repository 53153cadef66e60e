# One instruction set's kernels, as the drivers see them; the contracts are in table.h.
cdef extern from "table.h" nogil:
    const char* FC_KERNEL_TABLE
    const char* FC_FFT_TABLE
    enum:
        FC_F32
        FC_F64
        FC_LD
        FC_C64
        FC_C128
        FC_I16
        FC_I32
        FC_I64
        FC_N_DTYPES
        FC_FIXED_HEIGHTS
    ctypedef void (*fc_corr1d)(const void* x, const void* h, void* y, Py_ssize_t n_out, Py_ssize_t n_taps) noexcept nogil
    ctypedef void (*fc_tile)(const void* const* rows, Py_ssize_t n_planes, const void* w, Py_ssize_t kh,
                             Py_ssize_t kw, void* y, Py_ssize_t ldy, Py_ssize_t n) noexcept nogil
    ctypedef void (*fc_add)(const void* x, void* y, Py_ssize_t n) noexcept nogil
    ctypedef void (*fc_stream)(const void* x, void* y, Py_ssize_t n) noexcept nogil
    ctypedef void (*fc_fft_pass)(const void* re, const void* im, Py_ssize_t ld, void* to_re, void* to_im,
                                 Py_ssize_t to_ld, Py_ssize_t n, Py_ssize_t nodes, const void* w) noexcept nogil
    ctypedef void (*fc_fft_product)(void* re, void* im, const void* h, Py_ssize_t nodes, const void* w) noexcept nogil
    ctypedef void (*fc_fft_spectrum)(const void* re, const void* im, void* h, Py_ssize_t nodes, const void* w) noexcept nogil
    ctypedef void (*fc_fft_scale)(void* re, void* im, const void* h, Py_ssize_t n, Py_ssize_t nodes) noexcept nogil
    ctypedef void (*fc_fft_mix)(void* re, void* im, const void* const* x, Py_ssize_t to_im, const void* const* h,
                                Py_ssize_t terms, Py_ssize_t nodes) noexcept nogil
    ctypedef struct fc_fft:
        fc_fft_pass[6] down
        fc_fft_pass[6] up
        fc_fft_product multiply
        fc_fft_spectrum spectrum
        fc_fft_scale scale
        fc_fft_mix mix
    ctypedef struct fc_kernels:
        int lanes
        int few_taps
        int block
        int tile_rows
        int column_rows
        fc_corr1d corr1d
        fc_tile[FC_FIXED_HEIGHTS] tile
        fc_tile[FC_FIXED_HEIGHTS] column
        fc_add add
        fc_stream stream
    ctypedef struct fc_kernel_table:
        int vector_bytes
        fc_kernels* dtype
    ctypedef struct fc_fft_table:
        const fc_fft** dtype
