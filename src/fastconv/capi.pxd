# fastconv's C API for Cython:
#
#     cimport fastconv.capi as fc
#     fc.fastconv_import()
#     ... with nogil: status = fc.fastconv.plan_execute(plan, &x[0], &y[0], NULL)
#
# include_dirs: fastconv.get_include(). What the functions do, include/fastconv/fastconv.h says.
from libc.stdint cimport uint32_t

cdef extern from "fastconv/fastconv.h" nogil:
    const char* FASTCONV_CAPSULE
    enum:
        FASTCONV_API_MAJOR, FASTCONV_API_MINOR, FASTCONV_MAX_NDIM
        FASTCONV_OK, FASTCONV_NO_MEMORY, FASTCONV_BAD_POINTER, FASTCONV_BAD_OPERATION, FASTCONV_BAD_DTYPE
        FASTCONV_BAD_NDIM, FASTCONV_BAD_SHAPE, FASTCONV_BAD_MODE, FASTCONV_BAD_BOUNDARY, FASTCONV_BAD_METHOD
        FASTCONV_BAD_THREADS, FASTCONV_BAD_ALIGNMENT, FASTCONV_OVERLAP, FASTCONV_BAD_LAYER, FASTCONV_FAILED
        FASTCONV_CONVOLVE, FASTCONV_CORRELATE
        FASTCONV_F32, FASTCONV_F64, FASTCONV_C64, FASTCONV_C128, FASTCONV_I8, FASTCONV_U8, FASTCONV_I16, FASTCONV_U16
        FASTCONV_I32, FASTCONV_U32, FASTCONV_I64, FASTCONV_U64
        FASTCONV_FULL, FASTCONV_SAME, FASTCONV_VALID
        FASTCONV_ZERO, FASTCONV_CONSTANT, FASTCONV_REFLECT, FASTCONV_MIRROR, FASTCONV_NEAREST, FASTCONV_WRAP
        FASTCONV_AUTO, FASTCONV_DIRECT, FASTCONV_OVERLAP_SAVE

    ctypedef struct fastconv_problem:
        int operation, dtype, ndim, mode, boundary, method, threads
        const Py_ssize_t* x_shape
        const Py_ssize_t* w_shape
        const Py_ssize_t* x_strides
        const Py_ssize_t* w_strides
        const Py_ssize_t* y_strides
        const void* w
        const void* cval

    ctypedef struct fastconv_layer2d:
        int dtype, groups, threads
        Py_ssize_t n, c, h, w, o, kh, kw
        Py_ssize_t[2] stride, dilation
        Py_ssize_t[4] padding
        const Py_ssize_t* x_strides
        const Py_ssize_t* weight_strides
        const Py_ssize_t* y_strides

    ctypedef struct fastconv_plan:
        pass

    ctypedef struct fastconv_api:
        uint32_t major, minor
        size_t size
        const char* version
        const char* (*strerror)(int status) noexcept nogil
        const char* (*isa)() noexcept nogil
        int (*set_num_threads)(int n) noexcept nogil
        int (*get_num_threads)() noexcept nogil
        int (*output_shape)(const fastconv_problem* problem, Py_ssize_t* shape) noexcept nogil
        int (*plan_create)(const fastconv_problem* problem, fastconv_plan** plan) noexcept nogil
        Py_ssize_t (*plan_work_bytes)(const fastconv_plan* plan) noexcept nogil
        int (*plan_execute)(const fastconv_plan* plan, const void* x, void* y, void* work) noexcept nogil
        void (*plan_destroy)(fastconv_plan* plan) noexcept nogil
        int (*apply)(const fastconv_problem* problem, const void* x, void* y) noexcept nogil
        int (*convolve1d)(int dtype, const void* x, Py_ssize_t n, const void* w, Py_ssize_t m, void* y, int mode) noexcept nogil
        int (*correlate1d)(int dtype, const void* x, Py_ssize_t n, const void* w, Py_ssize_t m, void* y, int mode) noexcept nogil
        int (*separable2d)(int dtype, const void* x, const Py_ssize_t* shape, const Py_ssize_t* x_strides,
                           const void* column, Py_ssize_t n_column, const void* row, Py_ssize_t n_row, void* y,
                           const Py_ssize_t* y_strides, int boundary, const void* cval, int threads) noexcept nogil
        int (*conv2d)(const fastconv_layer2d* layer, const void* x, const void* weight, const void* bias, void* y) noexcept nogil

    const fastconv_api* fastconv
    int fastconv_import() except -1 with gil
