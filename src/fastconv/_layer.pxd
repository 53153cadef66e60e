# What the drivers of CNN layers share: packed weights, kernels, how finely to cut.
cimport numpy as cnp

from fastconv._kernels.gemm cimport fc_gemm, fc_piece
from fastconv._strip cimport Box, Job

cdef enum:
    MOST_PIECES = 4 * 32                            # pixels of the widest panel


cdef class Weights:
    cdef readonly tuple shape
    cdef readonly object dtype
    cdef readonly Py_ssize_t groups
    cdef Py_ssize_t outputs, channels, taps         # the first two: of a group
    cdef Py_ssize_t block_channels, block_taps      # of a block, at most
    cdef Py_ssize_t tap_parts, blocks
    cdef cnp.ndarray flat                           # the weights, until they are packed
    cdef cnp.ndarray data
    cdef dict kept                                  # memory of calls
    cdef int pack(self) except -1
    cdef (Py_ssize_t, Py_ssize_t) block(self, Py_ssize_t b) noexcept nogil

# Pixels of the box from number `pixel` on, as runs in the strip or in x; their number.
cdef Py_ssize_t pieces_of(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n,
                          fc_piece* pieces) noexcept nogil
# The matrix kernels of a dtype.
cdef const fc_gemm* kernels_of(dtype)
# So many units that threads which take turns end at about the same time; 1 for one thread.
cdef Py_ssize_t wanted_units(int workers) except -1
