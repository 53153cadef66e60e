# The arrays of a correlation as the FFT drivers see them: the sides of a block, and the axes of the batch.
cimport numpy as cnp

from fastconv._block cimport MAX_SIDES, View

cdef enum:
    MAX_AXES = 64                   # NumPy's

cdef struct Batch:
    Py_ssize_t n, x, w, y           # elements of an axis; bytes from one to the next

cdef struct Operands:
    const char* x
    const char* w                   # its last element
    char* y
    View in_x, in_w, in_y           # in_w: reversed
    Py_ssize_t[MAX_SIDES] n_out, n_taps, lo     # by side
    int n_batch
    Batch[MAX_AXES] batch
    Py_ssize_t n_elements           # of the batch
    bint shared                     # there is one kernel for all

# The axes that a transform has to work along, one at least; a contiguous one last.
cdef list convolved(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo)
# `sides`: axes, of the batch too; `constant` holds the element that stands outside x.
cdef int put(Operands* of, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, cnp.ndarray constant, int n_batch, tuple lo,
             tuple boundary, list sides) except -1
# Where batch element number `index` begins.
cdef void locate(const Operands* of, Py_ssize_t index, const char** x, const char** w, char** y) noexcept nogil
