# The dtypes of the C API: FASTCONV_F32 ... and what is the same for lines and plans.
from libc.stdint cimport int8_t, int16_t, uint8_t

from fastconv._kernels.table cimport FC_C64, FC_C128, FC_F32, FC_F64, FC_I16, FC_I32, FC_I64
from fastconv.capi cimport FASTCONV_C64, FASTCONV_C128, FASTCONV_F32, FASTCONV_F64, FASTCONV_I8, FASTCONV_I32, FASTCONV_U64

cdef enum:
    MOST = (<Py_ssize_t>1 << (8 * sizeof(Py_ssize_t) - 4))      # bytes of an array


cdef inline bint is_dtype(int dtype) noexcept nogil:
    return FASTCONV_F32 <= dtype <= FASTCONV_U64


cdef inline bint is_complex(int dtype) noexcept nogil:
    return dtype == FASTCONV_C64 or dtype == FASTCONV_C128


cdef inline int align_of(int dtype) noexcept nogil:
    """Bytes of an element's number, of which addresses and strides are multiples."""
    if dtype <= FASTCONV_C128:
        return 4 if dtype == FASTCONV_F32 or dtype == FASTCONV_C64 else 8
    return 1 << ((dtype - FASTCONV_I8) // 2)


cdef inline int item_of(int dtype) noexcept nogil:
    return align_of(dtype) << is_complex(dtype)


cdef inline int code_of(int dtype) noexcept nogil:
    """The kernels that compute it; those of int16 for 8-bit integers, too."""
    if dtype == FASTCONV_F32:
        return FC_F32
    if dtype == FASTCONV_F64:
        return FC_F64
    if is_complex(dtype):
        return FC_C64 if dtype == FASTCONV_C64 else FC_C128
    return FC_I16 if dtype < FASTCONV_I32 else FC_I32 if dtype < FASTCONV_I32 + 2 else FC_I64


cdef inline bint misaligned(const void* address, int dtype) noexcept nogil:
    return <size_t>address % align_of(dtype) != 0


cdef inline bint far(const Py_ssize_t* strides, int k, Py_ssize_t n) noexcept nogil:
    """Are the ends of axis k too far apart for any memory?"""
    return strides != NULL and not -(MOST // n) <= strides[k] <= MOST // n


cdef inline void widen(int dtype, const char* x, Py_ssize_t step, int16_t* to, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = (<const int8_t*>(x + i * step))[0] if dtype == FASTCONV_I8 else (<const uint8_t*>(x + i * step))[0]


cdef inline void narrow(const int16_t* of, char* y, Py_ssize_t step, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i * step] = <char>of[i]
