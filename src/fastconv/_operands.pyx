"""The arrays of a correlation as the FFT drivers see them: the sides of a block, and the axes of the batch."""

cimport numpy as cnp

import numpy as np

from fastconv._boundary cimport ZERO
from fastconv._kernels.table cimport FC_C64, FC_C128, FC_F32, FC_F64

cnp.import_array()

DTYPES = {
    np.dtype(name): code
    for name, code in [("float32", FC_F32), ("float64", FC_F64), ("complex64", FC_C64), ("complex128", FC_C128)]
}


cdef list convolved(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo):
    cdef list found = [i for i in range(n_batch, x.ndim)
                       if w.shape[i] > 1 or lo[i - n_batch] != 0 or x.shape[i] != y.shape[i]]
    found.sort(key=lambda i: x.strides[i] == x.itemsize)
    return found or [x.ndim - 1]


cdef int put(Operands* of, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray constant, int n_batch, tuple lo,
             tuple boundary, list sides) except -1:
    cdef int a, i
    cdef bint along
    cdef Batch* batch
    if len(sides) > MAX_SIDES:
        raise ValueError(f"at most {MAX_SIDES} convolved axes, got {len(sides)}")
    of.x = <const char*>cnp.PyArray_DATA(x)
    of.w = <const char*>cnp.PyArray_DATA(w)
    of.y = <char*>cnp.PyArray_DATA(y)
    of.in_x.constant = of.in_w.constant = <const char*>cnp.PyArray_DATA(constant)
    for a, i in enumerate(sides):
        along = i >= n_batch
        of.n_out[a], of.n_taps[a], of.lo[a] = y.shape[i], w.shape[i] if along else 1, lo[i - n_batch] if along else 0
        of.in_x.n[a], of.in_w.n[a] = x.shape[i], of.n_taps[a]
        of.in_x.step[a], of.in_w.step[a], of.in_y.step[a] = x.strides[i], -w.strides[i], y.strides[i]
        of.in_x.boundary[a] = boundary[i - n_batch] if along else ZERO
        of.in_w.boundary[a] = ZERO
        of.w += (of.n_taps[a] - 1) * w.strides[i]
    of.n_batch, of.n_elements, of.shared = 0, 1, True
    for i in range(x.ndim):
        if i not in sides:
            batch = &of.batch[of.n_batch]
            batch.n, batch.x, batch.y = y.shape[i], x.strides[i], y.strides[i]
            batch.w = w.strides[i] if w.shape[i] > 1 else 0
            of.n_elements *= batch.n
            of.shared = of.shared and batch.w == 0
            of.n_batch += 1
    return 0


cdef void locate(const Operands* of, Py_ssize_t index, const char** x, const char** w, char** y) noexcept nogil:
    cdef int a
    cdef Py_ssize_t i
    x[0] = of.x
    w[0] = of.w
    y[0] = of.y
    for a in range(of.n_batch - 1, -1, -1):
        i = index % of.batch[a].n
        index = index // of.batch[a].n
        x[0] += i * of.batch[a].x
        w[0] += i * of.batch[a].w
        y[0] += i * of.batch[a].y
