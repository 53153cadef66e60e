"""The C API: fills the struct of include/fastconv/fastconv.h, and hands it out as the capsule _C_API.

Lines and plans have modules of their own; functions that only pass on to the Python ones are here.
"""

cdef extern from *:
    "#define FASTCONV_NO_IMPORT"

from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memset

import numpy as np

from fastconv import _kernels, _threads
from fastconv._convolve import correlate
from fastconv._problem import BOUNDARIES
from fastconv._version import __version__

from fastconv._capi_dtypes cimport MOST, align_of, far, is_dtype, item_of, misaligned
from fastconv._capi_line cimport convolve1d, correlate1d
from fastconv._capi_plan cimport (
    apply, check_problem, output_shape, place, plan_create, plan_destroy, plan_execute, plan_work_bytes, status_of, view,
)
from fastconv.capi cimport *

BOUNDARY_NAMES = list(BOUNDARIES)

cdef dict MESSAGES = {
    FASTCONV_OK: b"no error",
    FASTCONV_NO_MEMORY: b"out of memory",
    FASTCONV_BAD_POINTER: b"a pointer is NULL that may not be",
    FASTCONV_BAD_OPERATION: b"operation must be FASTCONV_CONVOLVE or FASTCONV_CORRELATE",
    FASTCONV_BAD_DTYPE: b"dtype must be one of FASTCONV_F32 to FASTCONV_U64",
    FASTCONV_BAD_NDIM: b"ndim must be from 1 to FASTCONV_MAX_NDIM",
    FASTCONV_BAD_SHAPE: b"every axis must have at least one element, and all arrays must fit into memory",
    FASTCONV_BAD_MODE: b"mode must be FASTCONV_FULL, _SAME or _VALID; the last needs an array that is as long as the other "
                       b"along every axis",
    FASTCONV_BAD_BOUNDARY: b"boundary must be one of FASTCONV_ZERO to FASTCONV_WRAP",
    FASTCONV_BAD_METHOD: b"method must be FASTCONV_AUTO, _DIRECT or, for floating-point dtypes, _OVERLAP_SAVE",
    FASTCONV_BAD_THREADS: b"the number of threads must not be negative",
    FASTCONV_BAD_ALIGNMENT: b"addresses and strides must be multiples of the size of an element's number",
    FASTCONV_OVERLAP: b"the output must not share memory with the input",
    FASTCONV_BAD_LAYER: b"groups, stride, padding or dilation do not fit the shapes",
    FASTCONV_FAILED: b"internal error",
}
cdef const char* WORDS[16]
cdef int code
cdef bytes message
for code, message in MESSAGES.items():
    WORDS[-code] = message


cdef int separable2d(int dtype, const void* x, const Py_ssize_t* shape, const Py_ssize_t* x_strides, const void* column,
                     Py_ssize_t n_column, const void* row, Py_ssize_t n_row, void* y, const Py_ssize_t* y_strides,
                     int boundary, const void* cval, int threads) noexcept nogil:
    cdef fastconv_problem p
    cdef Py_ssize_t[2] taps
    cdef int status
    memset(&p, 0, sizeof(p))
    taps[0], taps[1] = n_column, n_row
    p.operation, p.dtype, p.ndim, p.mode, p.boundary, p.threads = FASTCONV_CORRELATE, dtype, 2, FASTCONV_SAME, boundary, threads
    p.x_shape, p.w_shape, p.x_strides, p.y_strides, p.cval = shape, taps, x_strides, y_strides, cval
    status = check_problem(&p)
    if status == FASTCONV_OK and (x == NULL or column == NULL or row == NULL or y == NULL):
        status = FASTCONV_BAD_POINTER
    if status == FASTCONV_OK and (misaligned(x, dtype) or misaligned(y, dtype) or misaligned(column, dtype) or misaligned(row, dtype)):
        status = FASTCONV_BAD_ALIGNMENT
    if status == FASTCONV_OK and meet(2, shape, x_strides, x, shape, y_strides, y, item_of(dtype)):
        status = FASTCONV_OVERLAP
    if status == FASTCONV_OK:
        with gil:
            status = filtered(&p, x, column, row, y)
    return status


cdef bint meet(int ndim, const Py_ssize_t* x_shape, const Py_ssize_t* x_strides, const void* x, const Py_ssize_t* y_shape,
               const Py_ssize_t* y_strides, const void* y, int item) noexcept nogil:
    """May two arrays share memory?"""
    cdef Py_ssize_t[FASTCONV_MAX_NDIM] n, step
    cdef Py_ssize_t[2] low, high
    place(ndim, x_shape, x_strides, item, n, step, &low[0], &high[0])
    place(ndim, y_shape, y_strides, item, n, step, &low[1], &high[1])
    return <const char*>x + low[0] < <const char*>y + high[1] and <const char*>y + low[1] < <const char*>x + high[0]


cdef int filtered(const fastconv_problem* p, const void* x, const void* column, const void* row, void* y) noexcept:
    try:
        outside = 0 if p.cval == NULL else view(p.dtype, 1, [1], NULL, p.cval)[0]
        w = np.outer(view(p.dtype, 1, &p.w_shape[0], NULL, column), view(p.dtype, 1, &p.w_shape[1], NULL, row))
        image, result = view(p.dtype, 2, p.x_shape, p.x_strides, x), view(p.dtype, 2, p.x_shape, p.y_strides, y)
        correlate(image, np.conjugate(w), "same", None, BOUNDARY_NAMES[p.boundary], outside, "auto", result, p.threads or None, None)
        return FASTCONV_OK
    except BaseException as error:
        return status_of(error)


cdef int conv2d(const fastconv_layer2d* given, const void* x, const void* weight, const void* bias, void* y) noexcept nogil:
    cdef fastconv_layer2d layer
    cdef Py_ssize_t[4] y_shape, of_x, of_w
    cdef int status
    if given == NULL or x == NULL or weight == NULL or y == NULL:
        return FASTCONV_BAD_POINTER
    layer = given[0]
    status = complete(&layer, of_x, of_w, y_shape)
    if status != FASTCONV_OK:
        return status
    if misaligned(x, layer.dtype) or misaligned(weight, layer.dtype) or misaligned(y, layer.dtype) \
            or misaligned(bias, layer.dtype):
        return FASTCONV_BAD_ALIGNMENT
    if meet(4, of_x, layer.x_strides, x, y_shape, layer.y_strides, y, item_of(layer.dtype)):
        return FASTCONV_OVERLAP
    with gil:
        return layered(&layer, of_x, of_w, y_shape, x, weight, bias, y)


cdef int complete(fastconv_layer2d* layer, Py_ssize_t* x, Py_ssize_t* w, Py_ssize_t* y) noexcept nogil:
    """Defaults, and the shapes of x, weight and y; FASTCONV_OK, or what is wrong."""
    cdef int a, k
    cdef double bytes
    if not is_dtype(layer.dtype):
        return FASTCONV_BAD_DTYPE
    if layer.threads < 0:
        return FASTCONV_BAD_THREADS
    layer.groups = layer.groups or 1
    if layer.groups < 1:
        return FASTCONV_BAD_LAYER
    x[0], x[1], x[2], x[3] = layer.n, layer.c, layer.h, layer.w
    w[0], w[1], w[2], w[3] = layer.o, layer.c // layer.groups, layer.kh, layer.kw
    y[0], y[1] = layer.n, layer.o
    for k in range(4):
        if x[k] < 1 or w[k] < (0 if k == 1 else 1) or x[k] > MOST or w[k] > MOST or layer.padding[k] > MOST:
            return FASTCONV_BAD_SHAPE
        if layer.padding[k] < 0:
            return FASTCONV_BAD_LAYER
    if layer.c % layer.groups or layer.o % layer.groups:
        return FASTCONV_BAD_LAYER
    for a in range(2):
        layer.stride[a] = layer.stride[a] or 1
        layer.dilation[a] = layer.dilation[a] or 1
        if layer.stride[a] < 1 or layer.dilation[a] < 1 or layer.dilation[a] > MOST // w[2 + a]:
            return FASTCONV_BAD_LAYER
        y[2 + a] = x[2 + a] + layer.padding[2 * a] + layer.padding[2 * a + 1] - layer.dilation[a] * (w[2 + a] - 1) - 1
        if y[2 + a] < 0:
            return FASTCONV_BAD_LAYER
        y[2 + a] = y[2 + a] // layer.stride[a] + 1
    for k in range(3):
        bytes = item_of(layer.dtype)
        for a in range(4):
            bytes *= <double>(x[a] if k == 0 else w[a] if k == 1 else y[a])
        if bytes > MOST:
            return FASTCONV_BAD_SHAPE
    for a in range(4):
        if far(layer.x_strides, a, x[a]) or far(layer.weight_strides, a, w[a]) or far(layer.y_strides, a, y[a]):
            return FASTCONV_BAD_SHAPE
        if (layer.x_strides != NULL and layer.x_strides[a] % align_of(layer.dtype)) \
                or (layer.y_strides != NULL and layer.y_strides[a] % align_of(layer.dtype)) \
                or (layer.weight_strides != NULL and layer.weight_strides[a] % align_of(layer.dtype)):
            return FASTCONV_BAD_ALIGNMENT
    return FASTCONV_OK


cdef int layered(const fastconv_layer2d* layer, const Py_ssize_t* of_x, const Py_ssize_t* of_w, const Py_ssize_t* of_y,
                 const void* x, const void* weight, const void* bias, void* y) noexcept:
    cdef const Py_ssize_t* pad = layer.padding
    try:
        from fastconv import nn

        nn.conv2d(
            view(layer.dtype, 4, of_x, layer.x_strides, x), view(layer.dtype, 4, of_w, layer.weight_strides, weight),
            None if bias == NULL else view(layer.dtype, 1, &layer.o, NULL, bias), (layer.stride[0], layer.stride[1]),
            ((pad[0], pad[1]), (pad[2], pad[3])), (layer.dilation[0], layer.dilation[1]), layer.groups,
            out=view(layer.dtype, 4, of_y, layer.y_strides, y), workers=layer.threads or None,
        )
        return FASTCONV_OK
    except BaseException as error:
        return status_of(error)


# ---- the struct ------------------------------------------------------------------------------------------------------

cdef const char* strerror(int status) noexcept nogil:
    if FASTCONV_FAILED <= status <= FASTCONV_OK:
        return WORDS[-status]
    return "unknown status"


cdef bytes ISA_NAME = _kernels.isa.encode()
cdef const char* ISA = ISA_NAME

cdef const char* isa() noexcept nogil:
    return ISA


cdef int set_num_threads(int n) noexcept nogil:
    if n < 1:
        return FASTCONV_BAD_THREADS
    with gil:
        _threads.set_num_threads(n)
    return FASTCONV_OK


cdef int get_num_threads() noexcept nogil:
    with gil:
        return _threads.get_num_threads()


cdef bytes VERSION = __version__.encode()
cdef fastconv_api api
api.major, api.minor, api.size, api.version = FASTCONV_API_MAJOR, FASTCONV_API_MINOR, sizeof(fastconv_api), VERSION
api.strerror, api.isa, api.set_num_threads, api.get_num_threads = strerror, isa, set_num_threads, get_num_threads
api.output_shape, api.plan_create, api.plan_work_bytes = output_shape, plan_create, plan_work_bytes
api.plan_execute, api.plan_destroy, api.apply = plan_execute, plan_destroy, apply
api.convolve1d, api.correlate1d, api.separable2d, api.conv2d = convolve1d, correlate1d, separable2d, conv2d

_C_API = PyCapsule_New(&api, FASTCONV_CAPSULE, NULL)
