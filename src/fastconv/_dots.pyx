"""Layers of one axis, long taps and few outputs, or with strides: scalar products of windows, of float32 and float64.

    y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] x~[n, c, p stride + t - lo]

Windows are read where they lie, several at a time for the same taps; those that leave x, or all of a strided x, from a
copy of what a unit needs. Units depend on the problem alone. The caller has validated everything.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
cimport numpy as cnp

import numpy as np

from fastconv import _kernels

from fastconv._boundary cimport copy_line, copy_strided
from fastconv._kernels.dots cimport FC_DOTS_TABLE, fc_dots, fc_dots_table
from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    COPY_BYTES = 256 * 1024         # of a unit's windows: they stay in L2
    MOST = 128                      # outputs along the axis in a unit
cdef double PRODUCTS = 1.5e9        # per lane and second: a rough estimate

cdef const fc_dots_table* TABLE = <const fc_dots_table*>PyCapsule_GetPointer(_kernels.table("dots"), FC_DOTS_TABLE)


cdef struct Job:
    const fc_dots* kernels
    int item, boundary
    const char* x
    const char* w                   # [group, output, input, tap], contiguous
    const char* bias
    const char* constant
    char* y
    Py_ssize_t[3] x_stride, y_stride
    Py_ssize_t inputs, outputs, groups                  # channels of a group
    Py_ssize_t n_in, n_out, taps, stride, lo
    Py_ssize_t span, n_spans, pitch                     # outputs in a unit; elements from row to row of the copy


cdef void unit(const Job* job, Py_ssize_t number, char* scratch) noexcept nogil:
    """`span` outputs along the axis, of all output channels of one group of one image."""
    cdef Py_ssize_t p = number % job.n_spans * job.span, group = number // job.n_spans % job.groups, size = job.item
    cdef Py_ssize_t image = number // (job.n_spans * job.groups), n = min(job.span, job.n_out - p), c, o
    cdef Py_ssize_t first = p * job.stride - job.lo, count = (n - 1) * job.stride + job.taps, row = job.x_stride[1] // size
    cdef const char* x = job.x + image * job.x_stride[0] + group * job.inputs * job.x_stride[1]
    cdef char* sums = scratch + job.inputs * job.pitch * size
    cdef char* y = job.y + image * job.y_stride[0] + group * job.outputs * job.y_stride[1] + p * job.y_stride[2]
    if job.x_stride[2] == size and first >= 0 and first + count <= job.n_in:
        x += first * size
    else:
        for c in range(job.inputs):
            copy_line(scratch + c * job.pitch * size, x + c * job.x_stride[1], job.n_in, job.x_stride[2], job.boundary,
                      job.constant, first, count, job.item)
        x, row = scratch, job.pitch
    job.kernels.windows(x, row, job.inputs, job.stride, n, job.w + group * job.outputs * job.inputs * job.taps * size,
                        job.taps, job.bias + group * job.outputs * size, job.outputs, sums, job.span)
    for o in range(job.outputs):
        copy_strided(y + o * job.y_stride[1], job.y_stride[2], sums + o * job.span * size, size, n, job.item)


def correlate(cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, Py_ssize_t stride, Py_ssize_t lo, int boundary, int groups,
              int workers, tick=None):
    """y[n, o] = bias[o] + the correlation of x[n] with w[o], every `stride`-th output.

    Parameters
    ----------
    x, w, y : ndarray
        (images, channels, length), (outputs, channels / groups, taps) and (images, outputs, length), aligned and of one
        dtype, float32 or float64; y overlaps no input.
    bias : ndarray or None
        (outputs,).
    stride, lo : int
        Output p, tap t reads x[p stride + t - lo].
    boundary : int
        A code of _problem.BOUNDARIES; a constant is zero.
    groups : int
        Of channels.
    workers : int
        Threads; 0: the default.
    tick : callable, optional
        Is told the fraction done.
    """
    cdef Job job
    cdef cnp.ndarray weights, add, zero = np.zeros(1, x.dtype)
    cdef Py_ssize_t room
    cdef int a
    if y.size == 0:
        return
    if w.shape[1] == 0:
        y[...] = 0 if bias is None else bias[:, None]
        return
    job.item, job.boundary = cnp.PyArray_ITEMSIZE(x), boundary
    job.kernels = &TABLE.dtype[job.item == 8]
    weights = np.ascontiguousarray(w)
    add = np.zeros(w.shape[0], x.dtype) if bias is None else np.ascontiguousarray(bias, x.dtype)
    job.x, job.w, job.bias = <const char*>cnp.PyArray_DATA(x), <const char*>cnp.PyArray_DATA(weights), <const char*>cnp.PyArray_DATA(add)
    job.y, job.constant = <char*>cnp.PyArray_DATA(y), <const char*>cnp.PyArray_DATA(zero)
    for a in range(3):
        job.x_stride[a], job.y_stride[a] = x.strides[a], y.strides[a]
    job.groups, job.inputs, job.outputs = groups, w.shape[1], w.shape[0] // groups
    job.n_in, job.n_out, job.taps, job.stride, job.lo = x.shape[2], y.shape[2], w.shape[2], stride, lo
    room = COPY_BYTES // (job.inputs * job.item) - job.taps
    job.span = max(<Py_ssize_t>4, min(<Py_ssize_t>MOST, room // stride // 4 * 4))
    job.n_spans = (job.n_out + job.span - 1) // job.span
    job.pitch = (job.span - 1) * stride + job.taps
    run(&job, <unit_function>unit, x.shape[0] * job.groups * job.n_spans,
        100e-9 + <double>job.span * job.outputs * (job.inputs * job.taps / (PRODUCTS * job.kernels.lanes) + 5e-9),
        (job.inputs * job.pitch + job.outputs * job.span) * job.item, workers, tick)
