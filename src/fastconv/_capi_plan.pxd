# Plans, as in fastconv.h.
cimport numpy as cnp

from fastconv.capi cimport fastconv_plan, fastconv_problem

cdef int output_shape(const fastconv_problem* p, Py_ssize_t* shape) noexcept nogil
cdef int plan_create(const fastconv_problem* p, fastconv_plan** plan) noexcept nogil
cdef Py_ssize_t plan_work_bytes(const fastconv_plan* plan) noexcept nogil
cdef int plan_execute(const fastconv_plan* of, const void* x, void* y, void* work) noexcept nogil
cdef void plan_destroy(fastconv_plan* of) noexcept nogil
cdef int apply(const fastconv_problem* problem, const void* x, void* y) noexcept nogil

# FASTCONV_OK, or what is wrong with it; w is not looked at.
cdef int check_problem(const fastconv_problem* p) noexcept nogil
# Shape and strides, those of a C-contiguous array if strides is NULL; the bytes from its address to the ends of its
# memory. Returns its elements' bytes.
cdef Py_ssize_t place(int ndim, const Py_ssize_t* shape, const Py_ssize_t* strides, int item, Py_ssize_t* n, Py_ssize_t* step,
                      Py_ssize_t* low, Py_ssize_t* high) noexcept nogil
# What an exception becomes; Ctrl-C is passed on.
cdef int status_of(error) noexcept
# The array at an address.
cdef cnp.ndarray view(int dtype, int ndim, const Py_ssize_t* shape, const Py_ssize_t* strides, const void* data)
