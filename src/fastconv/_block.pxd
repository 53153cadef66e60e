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

# A block whose element p, in all sides, is element start + p of x continued, and 0 for p >= count.
cdef void fill(const Layout* b, const View* view, const char* x, const Py_ssize_t* start, const Py_ssize_t* count,
               char* re, char* im, char* line) noexcept nogil
# Its elements `begin` to `end` of side a alone, all of the sides within; x: the row there. Of real blocks re alone.
cdef void fill_range(const Layout* b, const View* view, int a, const char* x, const Py_ssize_t* start,
                     const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, char* re, char* im,
                     char* line) noexcept nogil
# The row of x at index i along side a; NULL where all is the constant.
cdef const char* row_of(const View* view, int a, const char* x, Py_ssize_t i) noexcept nogil
# n numbers of a kernel, divided by what all the passes down and up multiply by.
cdef void scale_taps(const Layout* b, Py_ssize_t n, char* re, char* im) noexcept nogil
# `count` elements of a block from `first` on, to y; and those of them that have indices `begin` to `end` of side a.
cdef void store(const Layout* b, const View* view, char* y, const Py_ssize_t* first, const Py_ssize_t* count,
                const char* re, const char* im, char* line) noexcept nogil
cdef void store_range(const Layout* b, const View* view, int a, char* y, const Py_ssize_t* first,
                      const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, const char* re, const char* im,
                      char* line) noexcept nogil
# Did a value that is not finite go into a block, now computed?
cdef bint is_spoiled(const Layout* b, const char* re) noexcept nogil
# Has a result of this thread been too large since the last call?
cdef bint overflowed() noexcept nogil
