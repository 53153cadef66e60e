"""The C API's plans: a convolution as the drivers prepared it, and its execution without Python.

A plan holds work in order: by overlap-save, then directly in case a value was not finite. Making one takes the GIL;
executing one is C. What is to be computed and by which method, _plans says; arrays are only looked at in execution.
"""

cdef extern from *:
    "#define FASTCONV_NO_IMPORT"

from cpython.exc cimport PyErr_SetInterrupt
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from libc.stdint cimport int16_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset
cimport numpy as cnp

import numpy as np

from fastconv import _plans, _threads
from fastconv._plans import Refused

from fastconv._capi_dtypes cimport MOST, align_of, far, is_dtype, item_of, misaligned, narrow, widen
from fastconv._direct cimport prepare
from fastconv._fft cimport prepare as prepare_blocks
from fastconv._rounds cimport Task, Work, execute, work_bytes
from fastconv.capi cimport *

cnp.import_array()

# By FASTCONV_F32 ...: the dtype, and that of the arithmetic.
DTYPES = [np.dtype(name) for name in ("f4", "f8", "c8", "c16", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")]
WORK_DTYPES = [np.dtype(name) for name in ("f4", "f8", "c8", "c16", "i2", "i2", "i2", "i2", "i4", "i4", "i8", "i8")]
MODES = {FASTCONV_FULL: "full", FASTCONV_SAME: "same", FASTCONV_VALID: "valid"}
METHODS = {FASTCONV_AUTO: "auto", FASTCONV_DIRECT: "direct", FASTCONV_OVERLAP_SAVE: "overlap_save"}
REFUSED = {"mode": FASTCONV_BAD_MODE, "method": FASTCONV_BAD_METHOD}


# ---- checks ----------------------------------------------------------------------------------------------------------

cdef int check_problem(const fastconv_problem* p) noexcept nogil:
    cdef Py_ssize_t x_bytes, w_bytes
    cdef int k
    if p == NULL:
        return FASTCONV_BAD_POINTER
    if p.operation != FASTCONV_CONVOLVE and p.operation != FASTCONV_CORRELATE:
        return FASTCONV_BAD_OPERATION
    if not is_dtype(p.dtype):
        return FASTCONV_BAD_DTYPE
    if not 1 <= p.ndim <= FASTCONV_MAX_NDIM:
        return FASTCONV_BAD_NDIM
    if p.x_shape == NULL or p.w_shape == NULL:
        return FASTCONV_BAD_POINTER
    x_bytes = w_bytes = item_of(p.dtype)
    for k in range(p.ndim):                  # the result is at most as large as both together, in every axis
        if p.x_shape[k] < 1 or p.w_shape[k] < 1:
            return FASTCONV_BAD_SHAPE
        if p.x_shape[k] > MOST // x_bytes - p.w_shape[k] or p.w_shape[k] > MOST // w_bytes:
            return FASTCONV_BAD_SHAPE
        x_bytes *= p.x_shape[k] + p.w_shape[k]
        w_bytes *= p.w_shape[k]
    if p.mode not in (FASTCONV_FULL, FASTCONV_SAME, FASTCONV_VALID):
        return FASTCONV_BAD_MODE
    if not FASTCONV_ZERO <= p.boundary <= FASTCONV_WRAP:
        return FASTCONV_BAD_BOUNDARY
    if not FASTCONV_AUTO <= p.method <= FASTCONV_OVERLAP_SAVE:
        return FASTCONV_BAD_METHOD
    if p.threads < 0:
        return FASTCONV_BAD_THREADS
    for k in range(p.ndim):                  # so that no address overflows
        if far(p.x_strides, k, p.x_shape[k]) or far(p.w_strides, k, p.w_shape[k]) \
                or far(p.y_strides, k, p.x_shape[k] + p.w_shape[k]):
            return FASTCONV_BAD_SHAPE
        if (p.x_strides != NULL and p.x_strides[k] % align_of(p.dtype)) or (p.y_strides != NULL and p.y_strides[k] % align_of(p.dtype)):
            return FASTCONV_BAD_ALIGNMENT
    return FASTCONV_OK


# ---- plans -----------------------------------------------------------------------------------------------------------

cdef struct Step:
    Work work
    Py_ssize_t to_y                     # bytes to the first of its outputs

cdef struct Plan:
    int dtype, ndim, threads
    Py_ssize_t[FASTCONV_MAX_NDIM] x_shape, x_strides, y_shape, y_strides
    Py_ssize_t x_low, x_high, y_low, y_high     # bytes from the address to the ends of the memory
    Py_ssize_t n_x, n_y                 # elements
    bint narrow                         # 8-bit integers, which are widened first
    bint clips                          # nothing in the kernel is negative
    const Step* blocks                  # by overlap-save, or NULL
    Step* steps                         # directly
    Py_ssize_t n_steps, bytes           # of working memory
    PyObject* owner                     # of what the steps point to


cdef int plan_create(const fastconv_problem* p, fastconv_plan** plan) noexcept nogil:
    cdef int status = check_problem(p)
    if plan == NULL:
        return FASTCONV_BAD_POINTER
    plan[0] = NULL
    if status == FASTCONV_OK and p.w == NULL:
        status = FASTCONV_BAD_POINTER
    if status == FASTCONV_OK:
        with gil:
            status = guarded(new_plan, p, plan)
    return status


ctypedef int (*inner)(const fastconv_problem*, void*) except -1

cdef int guarded(inner function, const fastconv_problem* p, void* argument) noexcept:
    """Its exceptions as a status."""
    try:
        return function(p, argument)
    except BaseException as error:
        return status_of(error)


cdef int status_of(error) noexcept:
    if isinstance(error, Refused):
        return REFUSED[error.args[0]]
    if isinstance(error, MemoryError):
        return FASTCONV_NO_MEMORY
    if isinstance(error, KeyboardInterrupt):
        PyErr_SetInterrupt()            # for whom it concerns
    return FASTCONV_FAILED


cdef cnp.ndarray view(int dtype, int ndim, const Py_ssize_t* shape, const Py_ssize_t* strides, const void* data):
    """The array at an address."""
    cdef cnp.npy_intp[FASTCONV_MAX_NDIM] n, step
    cdef int k
    for k in range(ndim):
        n[k] = shape[k]
        step[k] = 0 if strides == NULL else strides[k]
    return cnp.PyArray_New(np.ndarray, ndim, n, DTYPES[dtype].num, NULL if strides == NULL else step, <void*>data, 0,
                           cnp.NPY_ARRAY_WRITEABLE, None)


cdef object geometry(const fastconv_problem* p):
    return _plans.geometry(
        DTYPES[p.dtype], [p.x_shape[k] for k in range(p.ndim)], [p.w_shape[k] for k in range(p.ndim)],
        p.operation == FASTCONV_CORRELATE, MODES[p.mode], p.boundary,
    )


cdef int output_shape_of(const fastconv_problem* p, void* shape) except -1:
    for k, size in enumerate(geometry(p).shape):
        (<Py_ssize_t*>shape)[k] = size
    return FASTCONV_OK


cdef int output_shape(const fastconv_problem* p, Py_ssize_t* shape) noexcept nogil:
    cdef int status = check_problem(p)
    if status == FASTCONV_OK and shape == NULL:
        status = FASTCONV_BAD_POINTER
    if status == FASTCONV_OK:
        with gil:
            status = guarded(output_shape_of, p, shape)
    return status


cdef cnp.ndarray kernel_of(const fastconv_problem* p, problem):
    """The taps of the correlation, in the dtype of the arithmetic."""
    cdef cnp.ndarray w = view(p.dtype, p.ndim, p.w_shape, p.w_strides, p.w)
    w = np.array(w, dtype=WORK_DTYPES[p.dtype], order="C") if DTYPES[p.dtype].itemsize == 1 else \
        w.copy().view(WORK_DTYPES[p.dtype])
    if problem.flip_w:
        w = w[(slice(None, None, -1),) * p.ndim]
    return np.conjugate(w) if problem.conjugate_w else w


cdef int new_plan(const fastconv_problem* p, void* result) except -1:
    cdef Plan* plan
    cdef Task task
    cdef cnp.ndarray x, y, w
    cdef Py_ssize_t k, bytes
    cdef long double space = 0          # x and y are not read or written here
    problem = geometry(p)
    dtype = WORK_DTYPES[p.dtype]
    w = kernel_of(p, problem)
    if p.cval == NULL or FASTCONV_CONSTANT not in problem.boundary:
        cval = dtype.type(0)
    else:
        cval = view(p.dtype, 1, [1], NULL, p.cval).astype(dtype)[0]
    plan = <Plan*>calloc(1, sizeof(Plan))
    if plan == NULL:
        raise MemoryError()
    try:
        plan.dtype, plan.ndim, plan.narrow = p.dtype, p.ndim, item_of(p.dtype) == 1
        plan.threads = p.threads or _threads.get_num_threads()
        bytes = place(p.ndim, p.x_shape, p.x_strides, item_of(p.dtype), plan.x_shape, plan.x_strides, &plan.x_low, &plan.x_high)
        plan.n_x = bytes // item_of(p.dtype)
        for k in range(p.ndim):
            plan.y_shape[k] = problem.shape[k]
        bytes = place(p.ndim, plan.y_shape, p.y_strides, item_of(p.dtype), plan.y_shape, plan.y_strides, &plan.y_low, &plan.y_high)
        plan.n_y = bytes // item_of(p.dtype)
        steps = []
        x = view(FASTCONV_I16 if plan.narrow else p.dtype, p.ndim, plan.x_shape, NULL if plan.narrow else plan.x_strides,
                 &space).view(dtype)
        y = view(FASTCONV_I16 if plan.narrow else p.dtype, p.ndim, plan.y_shape, NULL if plan.narrow else plan.y_strides,
                 &space).view(dtype)
        order, ordered = _plans.by_stride(problem._replace(dtype=dtype), (<object>x).strides)
        x, y, w = x.transpose(order), y.transpose(order), w.transpose(order)
        if _plans.in_blocks(ordered, w, cval, METHODS[p.method]):
            steps.append((0, prepare_blocks(x, w, y, 0, ordered.lo, ordered.boundary, cval)))
            plan.clips = dtype.kind == "f" and bool(w.min() >= 0) and bool(cval >= 0)
        for box, lo, taps in _plans.direct_parts(ordered, w):
            to_y = sum([part.start * step for part, step in zip(box, (<object>y).strides)])
            steps.append((to_y, prepare(x, np.ascontiguousarray(taps), y[box], 0, lo, ordered.boundary, cval)))
        plan.steps = <Step*>calloc(len(steps), sizeof(Step))
        if plan.steps == NULL:
            raise MemoryError()
        for k, (to_y, made) in enumerate(steps):
            task = made
            plan.steps[k].work, plan.steps[k].to_y = task.work, to_y
            plan.bytes = max(plan.bytes, work_bytes(&task.work, plan.threads))
        plan.n_steps = len(steps)
        if (<Task>steps[0][1]).work.spoiled_at >= 0:
            plan.blocks = plan.steps
        if plan.narrow:
            plan.bytes += 128 + 2 * (plan.n_x + plan.n_y)
        Py_INCREF(steps)
        plan.owner = <PyObject*>steps
    except BaseException:
        free(plan.steps)
        free(plan)
        raise
    (<Plan**>result)[0] = plan
    return FASTCONV_OK


cdef Py_ssize_t place(int ndim, const Py_ssize_t* shape, const Py_ssize_t* strides, int item, Py_ssize_t* n, Py_ssize_t* step,
                      Py_ssize_t* low, Py_ssize_t* high) noexcept nogil:
    """Shape and strides, those of a C-contiguous array if there are none; where its memory lies; its elements' bytes."""
    cdef Py_ssize_t bytes = item, reach
    cdef int k
    low[0], high[0] = 0, item
    for k in range(ndim - 1, -1, -1):
        n[k] = shape[k]
        step[k] = bytes if strides == NULL else strides[k]
        bytes *= shape[k]
        reach = (n[k] - 1) * step[k]
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach
    return bytes


cdef Py_ssize_t plan_work_bytes(const fastconv_plan* plan) noexcept nogil:
    return 0 if plan == NULL else (<const Plan*>plan).bytes


cdef void plan_destroy(fastconv_plan* of) noexcept nogil:
    cdef Plan* plan = <Plan*>of
    if plan == NULL:
        return
    with gil:
        Py_XDECREF(plan.owner)
    free(plan.steps)
    free(plan)


# ---- execution -------------------------------------------------------------------------------------------------------

cdef int plan_execute(const fastconv_plan* of, const void* x, void* y, void* work) noexcept nogil:
    cdef const Plan* plan = <const Plan*>of
    cdef char* memory = <char*>work
    cdef int status = FASTCONV_OK
    if plan == NULL or x == NULL or y == NULL:
        return FASTCONV_BAD_POINTER
    if misaligned(x, plan.dtype) or misaligned(y, plan.dtype):
        return FASTCONV_BAD_ALIGNMENT
    if <const char*>x + plan.x_low < <char*>y + plan.y_high and <char*>y + plan.y_low < <const char*>x + plan.x_high:
        return FASTCONV_OVERLAP
    if memory == NULL:
        memory = <char*>malloc(plan.bytes)
        if memory == NULL:
            return FASTCONV_NO_MEMORY
    if plan.narrow:
        widened(plan, <const char*>x, <char*>y, memory)
    else:
        compute(plan, <const char*>x, <char*>y, memory)
    if work == NULL:
        free(memory)
    return status


cdef void compute(const Plan* plan, const char* x, char* y, char* memory) noexcept nogil:
    cdef Py_ssize_t k = 0
    if plan.blocks != NULL:
        if not execute(&plan.blocks.work, x, y, memory, plan.threads):
            if plan.clips:
                clip(plan, x, y)
            return
        k = 1
    while k < plan.n_steps:
        execute(&plan.steps[k].work, x, y + plan.steps[k].to_y, memory, plan.threads)
        k += 1


cdef Py_ssize_t n_lines(int ndim, const Py_ssize_t* shape) noexcept nogil:
    cdef Py_ssize_t n = 1
    cdef int k
    for k in range(ndim - 1):
        n *= shape[k]
    return n


cdef Py_ssize_t to_line(Py_ssize_t line, int ndim, const Py_ssize_t* shape, const Py_ssize_t* strides) noexcept nogil:
    """Bytes to the first element of a line along the last axis."""
    cdef Py_ssize_t offset = 0
    cdef int k
    for k in range(ndim - 2, -1, -1):
        offset += line % shape[k] * strides[k]
        line = line // shape[k]
    return offset


cdef inline double number(const Plan* plan, const char* at) noexcept nogil:
    return (<const float*>at)[0] if plan.dtype == FASTCONV_F32 else (<const double*>at)[0]


cdef bint no_minus(const Plan* plan, const char* x) noexcept nogil:
    cdef Py_ssize_t line, i, step = plan.x_strides[plan.ndim - 1]
    cdef const char* at
    cdef bint minus
    for line in range(n_lines(plan.ndim, plan.x_shape)):
        at = x + to_line(line, plan.ndim, plan.x_shape, plan.x_strides)
        minus = False
        for i in range(plan.x_shape[plan.ndim - 1]):
            minus |= number(plan, at + i * step) < 0
        if minus:
            return False
    return True


cdef void clip(const Plan* plan, const char* x, char* y) noexcept nogil:
    """A sum of products of which none is negative is not negative."""
    cdef Py_ssize_t line, i, step = plan.y_strides[plan.ndim - 1]
    cdef char* at
    if not no_minus(plan, x):
        return
    for line in range(n_lines(plan.ndim, plan.y_shape)):
        at = y + to_line(line, plan.ndim, plan.y_shape, plan.y_strides)
        for i in range(plan.y_shape[plan.ndim - 1]):
            if number(plan, at + i * step) < 0:
                memset(at + i * step, 0, item_of(plan.dtype))


cdef void widened(const Plan* plan, const char* x, char* y, char* memory) noexcept nogil:
    """8-bit integers by way of 16-bit ones, whose sums have the same low bits."""
    cdef int16_t* wide_x = <int16_t*>(memory + 63 - (<size_t>memory + 63) % 64)
    cdef int16_t* wide_y = wide_x + plan.n_x
    cdef Py_ssize_t line, n = plan.x_shape[plan.ndim - 1]
    for line in range(n_lines(plan.ndim, plan.x_shape)):
        widen(plan.dtype, x + to_line(line, plan.ndim, plan.x_shape, plan.x_strides), plan.x_strides[plan.ndim - 1],
              wide_x + line * n, n)
    compute(plan, <const char*>wide_x, <char*>wide_y, <char*>(wide_y + plan.n_y))
    n = plan.y_shape[plan.ndim - 1]
    for line in range(n_lines(plan.ndim, plan.y_shape)):
        narrow(wide_y + line * n, y + to_line(line, plan.ndim, plan.y_shape, plan.y_strides), plan.y_strides[plan.ndim - 1], n)


cdef int apply(const fastconv_problem* problem, const void* x, void* y) noexcept nogil:
    cdef fastconv_plan* plan
    cdef int status = plan_create(problem, &plan)
    if status == FASTCONV_OK:
        status = plan_execute(plan, x, y, NULL)
    plan_destroy(plan)
    return status
