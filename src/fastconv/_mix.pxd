# Several convolutions of blocks at once: y_s = sum over terms of x_t * w_t, each x and each w transformed once.
from fastconv._tree cimport Tree

cdef enum:
    MIX_NODES = 8                   # nodes of the last pass that are worked on at a time, in L1

cdef struct Mix:
    int n_x, n_w, n_y
    const int* terms                # by output, and one past the last: the number of its first term
    const int* x                    # by term
    const int* w
    char* blocks                    # the x; the y take their places
    Py_ssize_t block                # bytes from one block to the next,
    Py_ssize_t im                   # from re to im
    const char* h                   # the transforms of the w (_tree); NULL: the w are blocks after those of x and y
    Py_ssize_t spectrum             # bytes from one transform to the next
    char* work                      # mix_bytes()

# Bytes of `work`.
cdef Py_ssize_t mix_bytes(const Mix* m, const Tree* t) noexcept nogil
# A whole block is at = 0 (the number its nodes begin with), i = 0, q = 0, nodes = 1, as for _tree's passes.
cdef void mix(const Mix* m, const Tree* t, Py_ssize_t at, int i, Py_ssize_t q, Py_ssize_t nodes,
              Py_ssize_t n) noexcept nogil
