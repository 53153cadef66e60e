# Convolution layers with outputs in the lanes of vectors.
cimport numpy as cnp

from fastconv._kernels.spread cimport fc_spread
from fastconv._strip cimport Job


cdef struct Spread:
    Job job                         # of its own: boxes, and how pixels see x
    Job strip                       # the same without strides: x, continued, laid out as it is
    const fc_spread* kernels
    Py_ssize_t step                 # elements from a pixel to the next in its row
    Py_ssize_t padded               # outputs of a group, in whole vectors
    Py_ssize_t tiles                # that take a block of weights in turn


# The kernels of a dtype; NULL: none.
cdef const fc_spread* spread_of(dtype) except? NULL
# Whether this way is the better one for a posed layer.
cdef bint suits(const Spread* spread) noexcept
# Boxes and layouts for at least `wanted` units, if there can be so many; returns the bytes of the scratch.
cdef Py_ssize_t arrange(Spread* spread, Py_ssize_t wanted) noexcept
# `job.off`, for the products of the first block, and all taps of its channels.
cdef cnp.ndarray reach_of(const Spread* spread)
# Weights (O, channels * taps) by group and two vectors of outputs: [product][output].
cdef cnp.ndarray pack_spread(const Spread* spread, cnp.ndarray w)
# A bias (O,) by group, in whole vectors.
cdef cnp.ndarray pad_bias(const Spread* spread, cnp.ndarray bias)
cdef void spread_unit(const Spread* spread, Py_ssize_t unit, char* scratch) noexcept nogil
