# One block of the FFT drivers: its layout, and how it is filled from an array and stored to one.
from fastconv._tree cimport Tree

cdef enum:
    MAX_SIDES = 8
    PAD = 128                       # bytes between re and im of a block: they do not share cache sets

cdef struct Layout:                 # of a block: its sides, the last contiguous
    Tree[MAX_SIDES] tree            # of each side, one within the other; none of a side that is columns
    int n_sides
    bint is_complex
    int item                        # bytes of an element of the arrays
    Py_ssize_t[MAX_SIDES] size      # in elements
    Py_ssize_t half, spectrum, line     # bytes of re, as of im; of the block's transform; of the scratch `line`

cdef struct View:                   # an array as a block sees it: by side,
    Py_ssize_t[MAX_SIDES] n         # elements
    Py_ssize_t[MAX_SIDES] step      # bytes from one to the next
    int[MAX_SIDES] boundary
    const char* constant            # the element that stands outside, for ZERO and CONSTANT

cdef class Block:
    cdef Layout layout
    cdef list plans

# Coefficients `begin` to `end` of a block whose element p is element start + p of x continued, and 0 for p >= count.
cdef void fill(const Layout* b, const View* view, const char* x, const Py_ssize_t* start, const Py_ssize_t* count,
               Py_ssize_t begin, Py_ssize_t end, char* re, char* im, char* line) noexcept nogil
# The same for the taps w of a reversed kernel, divided by what the passes down and up multiply by.
cdef void fill_taps(const Layout* b, const View* view, const char* w, Py_ssize_t begin, Py_ssize_t end,
                    char* re, char* im, char* line) noexcept nogil
# `count` elements from `first` on, to y.
cdef void store(const Layout* b, const View* view, char* y, const Py_ssize_t* first, const Py_ssize_t* count,
                const char* re, const char* im, char* line) noexcept nogil
# Did a value that is not finite go into a block, now computed?
cdef bint is_spoiled(const Layout* b, const char* re) noexcept nogil
