# Weights packed for the drivers of CNN layers.
cimport numpy as cnp


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
