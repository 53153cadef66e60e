"""The C API's convolve1d and correlate1d: contiguous lines straight to the kernels, without Python."""

cdef extern from *:
    "#define FASTCONV_NO_IMPORT"

from libc.stdint cimport int16_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastconv._capi_dtypes cimport MOST, align_of, code_of, is_complex, is_dtype, item_of, misaligned, narrow, widen
from fastconv._direct cimport Axis, copied, corr_line, kernels_of
from fastconv._kernels.table cimport fc_kernels
from fastconv.capi cimport *

cdef enum:
    STACK_BYTES = 16384

cdef char[16] ZEROS                 # an element of every dtype


cdef int convolve1d(int dtype, const void* x, Py_ssize_t n, const void* w, Py_ssize_t m, void* y, int mode) noexcept nogil:
    return line1d(dtype, <const char*>x, n, <const char*>w, m, <char*>y, mode, False)


cdef int correlate1d(int dtype, const void* x, Py_ssize_t n, const void* w, Py_ssize_t m, void* y, int mode) noexcept nogil:
    return line1d(dtype, <const char*>x, n, <const char*>w, m, <char*>y, mode, True)


cdef int line1d(int dtype, const char* x, Py_ssize_t n, const char* w, Py_ssize_t m, char* y, int mode,
                bint correlates) noexcept nogil:
    cdef char[STACK_BYTES] stack
    cdef char* memory = stack
    cdef char* taps
    cdef const fc_kernels* kernels
    cdef Axis axis
    cdef Py_ssize_t first, n_out, bytes
    cdef int item, work_item
    if not is_dtype(dtype):
        return FASTCONV_BAD_DTYPE
    if x == NULL or w == NULL or y == NULL:
        return FASTCONV_BAD_POINTER
    item = item_of(dtype)
    work_item = max(item, 2)
    if n < 1 or m < 1 or n > MOST // work_item // 4 - m:
        return FASTCONV_BAD_SHAPE
    if mode == FASTCONV_FULL:
        first, n_out = 0, n + m - 1
    elif mode == FASTCONV_SAME:
        first, n_out = (m - 1) // 2, n
        if m > n:
            first, n_out = n // 2 if correlates else (n - 1) // 2, m
    elif mode == FASTCONV_VALID:
        first, n_out = min(n, m) - 1, (n - m if n > m else m - n) + 1
    else:
        return FASTCONV_BAD_MODE
    if misaligned(x, dtype) or misaligned(w, dtype) or misaligned(y, dtype):
        return FASTCONV_BAD_ALIGNMENT
    if (x < y + n_out * item and y < x + n * item) or (w < y + n_out * item and y < w + m * item):
        return FASTCONV_OVERLAP
    kernels = kernels_of(code_of(dtype))
    bytes = (m + copied(kernels, n_out, m) + (n + n_out if item == 1 else 0)) * work_item + 64
    if bytes > STACK_BYTES:
        memory = <char*>malloc(bytes)
        if memory == NULL:
            return FASTCONV_NO_MEMORY
    taps = memory + 63 - (<size_t>memory + 63) % 64
    if item == 1:
        widen(dtype, w, 1, <int16_t*>taps, m)
    else:
        memcpy(taps, w, m * item)
    if not correlates:
        reverse(taps, m, work_item)
    elif is_complex(dtype):
        conjugate(taps, m, dtype)
    if first < m - 1 + max(0, m - n) and not finite(taps, m, dtype):
        sum_inside(dtype, x, n, taps, m, y, n_out, first - (m - 1))
    else:
        axis.n_in, axis.x, axis.boundary = n, work_item, FASTCONV_ZERO
        if item == 1:
            wide(kernels, dtype, x, &axis, first - (m - 1), taps, m, y, n_out, taps + m * work_item)
        else:
            corr_line(kernels, item, x, &axis, ZEROS, first - (m - 1), taps, m, y, n_out, taps + m * item)
    if memory != stack:
        free(memory)
    return FASTCONV_OK


cdef void wide(const fc_kernels* kernels, int dtype, const char* x, const Axis* axis, Py_ssize_t start, const char* taps,
               Py_ssize_t m, char* y, Py_ssize_t n_out, char* memory) noexcept nogil:
    """8-bit integers by way of 16-bit ones."""
    cdef int16_t* wide_x = <int16_t*>memory
    cdef int16_t* wide_y = wide_x + axis.n_in
    widen(dtype, x, 1, wide_x, axis.n_in)
    corr_line(kernels, 2, <const char*>wide_x, axis, ZEROS, start, taps, m, <char*>wide_y, n_out,
              <char*>(wide_y + n_out))
    narrow(wide_y, y, 1, n_out)


cdef void reverse(char* w, Py_ssize_t m, int item) noexcept nogil:
    cdef char[16] spare
    cdef Py_ssize_t i
    for i in range(m // 2):
        memcpy(spare, w + i * item, item)
        memcpy(w + i * item, w + (m - 1 - i) * item, item)
        memcpy(w + (m - 1 - i) * item, spare, item)


cdef void conjugate(char* w, Py_ssize_t m, int dtype) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(1, 2 * m, 2):
        if dtype == FASTCONV_C64:
            (<float*>w)[i] = -(<float*>w)[i]
        else:
            (<double*>w)[i] = -(<double*>w)[i]


cdef bint finite(const char* w, Py_ssize_t m, int dtype) noexcept nogil:
    cdef Py_ssize_t i, n = m * item_of(dtype) // align_of(dtype)
    cdef double zeros = 0               # NaN as soon as one value is not finite
    if dtype <= FASTCONV_C128:
        for i in range(n):
            zeros += 0 * ((<const float*>w)[i] if align_of(dtype) == 4 else (<const double*>w)[i])
    return zeros == 0


cdef void sum_inside(int dtype, const char* x, Py_ssize_t n, const char* w, Py_ssize_t m, char* y, Py_ssize_t n_out,
                     Py_ssize_t start) noexcept nogil:
    """As the formula says, for taps that may not meet the zeros outside."""
    cdef bint double_precision = align_of(dtype) == 8, two = is_complex(dtype)
    cdef int parts = 2 if two else 1
    cdef Py_ssize_t i, t, k
    cdef double re, im, a, b, c, d
    for i in range(n_out):
        re = im = 0
        for t in range(max(0, -start - i), min(m, n - start - i)):
            k = parts * (start + i + t)
            a, c = part(x, k, double_precision), part(w, parts * t, double_precision)
            if two:
                b, d = part(x, k + 1, double_precision), part(w, parts * t + 1, double_precision)
                re += a * c - b * d
                im += a * d + b * c
            else:
                re += a * c
        put(y, parts * i, re, double_precision)
        if two:
            put(y, parts * i + 1, im, double_precision)


cdef inline double part(const char* x, Py_ssize_t i, bint double_precision) noexcept nogil:
    return (<const double*>x)[i] if double_precision else (<const float*>x)[i]


cdef inline void put(char* y, Py_ssize_t i, double value, bint double_precision) noexcept nogil:
    if double_precision:
        (<double*>y)[i] = value
    else:
        (<float*>y)[i] = <float>value
