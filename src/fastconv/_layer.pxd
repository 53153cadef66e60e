# Weights packed for the drivers of CNN layers.
cimport numpy as cnp


cdef class Weights:
    cdef readonly tuple shape
    cdef readonly object dtype
    cdef readonly Py_ssize_t groups
    cdef Py_ssize_t outputs, channels, taps         # the first two: of a group
    cdef Py_ssize_t block_channels, block_taps      # of a block, at most
    cdef Py_ssize_t tap_parts, blocks
    cdef bint prepared                              # for several calls
    cdef cnp.ndarray flat                           # the weights, contiguous
    cdef cnp.ndarray data, spread                   # packed, for pixels or for outputs in the lanes, once that is wanted
    cdef dict kept                                  # memory of calls
    cdef int pack(self) except -1
    cdef (Py_ssize_t, Py_ssize_t) block(self, Py_ssize_t b) noexcept nogil
