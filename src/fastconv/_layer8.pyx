"""What layers of bytes need around their sums: four channels side by side before, eight bits again after.

`fours` lays the bytes of four channels out as one element, which `_layer.forward` takes by the products of dot8.h, and
pads the axes; `requantise` scales sums and rounds them. The caller has validated everything.
"""

cimport numpy as cnp
from libc.math cimport rint
from libc.stdint cimport int32_t, uint8_t, uint32_t

import numpy as np

from fastconv._layer import FOURS

from fastconv._rounds cimport run, unit_function

cnp.import_array()

cdef enum:
    SIDES = 3                       # spatial axes; those that lack come first and have length 1


cdef struct Packing:
    const uint8_t* x
    uint32_t* to
    Py_ssize_t image, channel       # bytes from one to the next
    Py_ssize_t channels, parts      # of a group; elements of four
    Py_ssize_t groups
    Py_ssize_t[SIDES] n, reach, lo, step
    uint32_t fill, flip


cdef void pack_row(uint32_t* to, const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d, Py_ssize_t step,
                   Py_ssize_t n, uint32_t flip) noexcept nogil:
    cdef Py_ssize_t i
    if step == 1:
        for i in range(n):
            to[i] = (a[i] | <uint32_t>b[i] << 8 | <uint32_t>c[i] << 16 | <uint32_t>d[i] << 24) ^ flip
    else:
        for i in range(n):
            to[i] = (a[i * step] | <uint32_t>b[i * step] << 8 | <uint32_t>c[i * step] << 16
                     | <uint32_t>d[i * step] << 24) ^ flip


cdef void fill_row(uint32_t* to, Py_ssize_t n, uint32_t value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = value


cdef void pack_unit(const Packing* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """Four channels of an image; where a group has no more, its last one is repeated."""
    cdef Py_ssize_t part = unit % job.parts, group = unit // job.parts % job.groups
    cdef Py_ssize_t image = unit // job.parts // job.groups, last = job.channels - 1, i, j, s, begin, end
    cdef const uint8_t* of = job.x + image * job.image + group * job.channels * job.channel
    cdef const uint8_t* row
    cdef uint32_t* to = job.to + unit * job.reach[0] * job.reach[1] * job.reach[2]
    cdef Py_ssize_t[4] at
    for i in range(4):
        at[i] = min(4 * part + i, last) * job.channel
    begin = min(job.lo[2], job.reach[2])
    end = max(begin, min(job.lo[2] + job.n[2], job.reach[2]))
    for i in range(job.reach[0]):
        for j in range(job.reach[1]):
            s = i - job.lo[0]
            if 0 <= s < job.n[0] and 0 <= j - job.lo[1] < job.n[1]:
                row = of + s * job.step[0] + (j - job.lo[1]) * job.step[1]
                fill_row(to, begin, job.fill)
                pack_row(to + begin, row + at[0], row + at[1], row + at[2], row + at[3], job.step[2], end - begin, job.flip)
                fill_row(to + end, job.reach[2] - end, job.fill)
            else:
                fill_row(to, job.reach[2], job.fill)
            to += job.reach[2]


def fours(cnp.ndarray x, Py_ssize_t groups, tuple reach, tuple lo, int fill, int flip, int workers):
    """Four channels of a group as one element, and padding around.

    Parameters
    ----------
    x : ndarray
        (N, C, *S), of bytes, with any strides.
    groups : int
        Of channels, which share no element.
    reach, lo : tuple of int
        Lengths of the result's axes; elements of padding at their low ends.
    fill : int
        The byte that stands in the padding.
    flip : int
        Bits of each of x's bytes to be inverted.

    Returns
    -------
    ndarray
        (N, groups ceil(C / groups / 4), *reach), of the dtype `_layer.FOURS`.
    """
    cdef Packing job
    cdef int a, axis, missing = SIDES + 2 - x.ndim
    cdef Py_ssize_t channels = x.shape[1] // groups, parts = (channels + 3) // 4, plane = 1
    cdef cnp.ndarray to = np.empty((x.shape[0], groups * parts, *reach), FOURS)
    if to.size == 0:
        return to
    job.x, job.to = <const uint8_t*>cnp.PyArray_DATA(x), <uint32_t*>cnp.PyArray_DATA(to)
    job.image, job.channel = x.strides[0], x.strides[1]
    job.channels, job.parts, job.groups = channels, parts, groups
    job.fill, job.flip = <uint32_t>fill * 0x01010101u, <uint32_t>flip * 0x01010101u
    for a in range(SIDES):
        axis = a - missing
        job.n[a], job.reach[a], job.lo[a], job.step[a] = 1, 1, 0, 0
        if axis >= 0:
            job.n[a], job.reach[a], job.lo[a] = x.shape[axis + 2], reach[axis], lo[axis]
            job.step[a] = x.strides[axis + 2]
        plane *= job.reach[a]
    run(&job, <unit_function>pack_unit, x.shape[0] * groups * parts, 1e-9 * plane + 1e-7, 0, workers, None)
    return to


cdef struct Scaling:
    const int32_t* sums
    const double* factors
    char* y
    Py_ssize_t channels
    Py_ssize_t image, channel       # bytes of y from one to the next
    Py_ssize_t[SIDES] n, step
    double zero, least, most


cdef void scale_unit(const Scaling* job, Py_ssize_t unit, char* scratch) noexcept nogil:
    """A channel of an image."""
    cdef Py_ssize_t i, j, k, channel = unit % job.channels
    cdef const int32_t* sums = job.sums + unit * job.n[0] * job.n[1] * job.n[2]
    cdef double factor = job.factors[channel]
    cdef char* y = job.y + unit // job.channels * job.image + channel * job.channel
    cdef char* row
    for i in range(job.n[0]):
        for j in range(job.n[1]):
            row = y + i * job.step[0] + j * job.step[1]
            if job.step[2] == 1:
                for k in range(job.n[2]):
                    row[k] = <char><int32_t>min(max(rint(sums[k] * factor) + job.zero, job.least), job.most)
            else:
                for k in range(job.n[2]):
                    row[k * job.step[2]] = <char><int32_t>min(max(rint(sums[k] * factor) + job.zero, job.least), job.most)
            sums += job.n[2]


def requantise(cnp.ndarray sums, cnp.ndarray factors, int zero, cnp.ndarray y, int workers):
    """y = sums times factors, rounded with halves to even, plus zero, stopped at the ends of y's range.

    Parameters
    ----------
    sums : ndarray
        (N, O, *S), int32, contiguous.
    factors : ndarray
        (O,), float64, contiguous.
    zero : int
        Of y's range.
    y : ndarray
        (N, O, *S), int8 or uint8, with any strides. Written.
    """
    cdef Scaling job
    cdef int a, axis, missing = SIDES + 2 - y.ndim
    cdef Py_ssize_t plane = 1
    if y.size == 0:
        return
    info = np.iinfo(y.dtype)
    job.zero, job.least, job.most = zero, info.min, info.max
    job.sums, job.factors = <const int32_t*>cnp.PyArray_DATA(sums), <const double*>cnp.PyArray_DATA(factors)
    job.y, job.channels = <char*>cnp.PyArray_DATA(y), y.shape[1]
    job.image, job.channel = y.strides[0], y.strides[1]
    for a in range(SIDES):
        axis = a - missing
        job.n[a], job.step[a] = 1, 0
        if axis >= 0:
            job.n[a], job.step[a] = y.shape[axis + 2], y.strides[axis + 2]
        plane *= job.n[a]
    run(&job, <unit_function>scale_unit, y.shape[0] * y.shape[1], 1e-9 * plane + 1e-7, 0, workers, None)
