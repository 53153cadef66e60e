# What the drivers of CNN layers share: packed weights, kernels, how finely to cut.
cimport numpy as cnp

from fastconv._kernels.gemm cimport FC_GEMM_VECTORS, fc_gemm, fc_piece
from fastconv._strip cimport Box, Job

cdef enum:
    MOST_PIECES = 4 * 32                            # pixels of the widest panel
    BIASES = FC_GEMM_VECTORS                        # vectors of each value of the bias


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

# Pixels of the box from number `pixel` on, as runs in the strip or in x; their number.
cdef Py_ssize_t pieces_of(const Job* job, const Box* box, Py_ssize_t pixel, Py_ssize_t n,
                          fc_piece* pieces) noexcept nogil
# The panel [k][pixel] of some pixels, from the strip or from x.
cdef void gather(const Job* job, const Box* box, const char* x, const Py_ssize_t* off, Py_ssize_t n, Py_ssize_t pixel,
                 Py_ssize_t pixels, char* panel, Py_ssize_t width) noexcept nogil
# Each element of a line so many times.
cdef cnp.ndarray repeated(cnp.ndarray x, Py_ssize_t times)
# The matrix kernels of a dtype.
cdef const fc_gemm* kernels_of(dtype)
# So many units that threads which take turns end at about the same time; 1 for one thread.
cdef Py_ssize_t wanted_units(int workers) except -1
