# How arrays of small integers are seen by their drivers, _bytes and _narrow: as lines, which lie along contiguous memory,
# rows of lines along one axis, and outer axes. Lines may hold several elements at each place (channels), which are not
# convolved: a tap's neighbour is then so many elements away.
cimport numpy as cnp

from fastconv._kernels.bytes cimport fc_bytes_table

cdef enum:
    MAX_AXES = 64                   # NumPy's

cdef struct Axis:
    Py_ssize_t n, n_taps, lo
    Py_ssize_t x, y                 # bytes from one element to the next
    int boundary

cdef struct Lines:
    Axis row, col
    Py_ssize_t channels, x_place, y_place       # elements and bytes at one place of a line
    bint x_dense, y_dense           # whether a line's places follow each other
    int n_outer
    Axis[MAX_AXES] outer

cdef const fc_bytes_table* TABLE
# `convolved`: taps, lo and boundary of an axis.
cdef list lay_out(cnp.ndarray x, cnp.ndarray y, dict convolved, Lines* lines)
