# What the taps of a layer see: boxes of pixels, and strips of the input laid out for them.
cimport numpy as cnp

from fastconv._kernels.gemm cimport fc_gemm

cdef enum:
    SIDES = 3                       # spatial axes; those that lack come first and have length 1


cdef struct Side:                   # a spatial axis
    Py_ssize_t n_in, n_out, n_taps, stride, dilation, lo
    Py_ssize_t x, y                 # bytes from one element to the next
    int boundary
    Py_ssize_t extent, parts        # outputs of a box, at most; such parts
    bint dense                      # line l of the strip: the phase l of the stride; else what tap l sees
    Py_ssize_t lines, length        # of the strip

cdef struct Job:
    const fc_gemm* gemm
    int item                        # bytes of an element
    const char* x
    const char* w                   # packed; of the weights' gradient: it
    bint plain                      # or not packed
    const Py_ssize_t* rows          # of such: elements to the first of each output,
    const Py_ssize_t* numbers       # and 0, 1, 2 ...
    const char* bias                # each value as often as a vector has lanes; or NULL
    char* y
    Side[SIDES] side
    Py_ssize_t x_image, x_channel, y_image, y_output    # bytes from one to the next
    Py_ssize_t images, groups, channels, outputs        # the last two: of a group
    Py_ssize_t image_extent, image_parts, output_extent, output_parts
    Py_ssize_t taps, block_channels, block_taps, blocks, tap_parts
    const Py_ssize_t* off           # elements from the strip's start to what product k of a block sees
    bint in_place                   # panels are gathered from x, not from the strip
    Py_ssize_t to_row, to_sheet, to_image, to_channel   # elements from one to the next: of the strip, or as pixels see x
    Py_ssize_t last_off             # the largest of `off`
    const char* x_end
    Py_ssize_t to_w                 # elements from output to output of the weights' gradient
    Py_ssize_t panel, at, sums      # bytes from the scratch (where the strip is) to the panel, pixels' places, sums

cdef struct Box:                    # of a unit
    Py_ssize_t group, image, images, output, outputs
    Py_ssize_t[SIDES] first, n


cdef inline Py_ssize_t parts_of(Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    """The least number of parts, of `most` elements at most."""
    return (n + most - 1) // most


cdef inline Py_ssize_t equal(Py_ssize_t n, Py_ssize_t most, Py_ssize_t unit=1) noexcept nogil:
    """The size of about equal parts of n: whole units, `most` or less if that is a unit or more."""
    cdef Py_ssize_t parts = max(1, parts_of(n, most))
    return max(1, parts_of(parts_of(n, parts), unit) * unit)


# Some channels of the box's images: what the taps see, line by line.
cdef void load_strip(const Job* job, const Box* box, Py_ssize_t channel, Py_ssize_t n, char* strip) noexcept nogil
# Column, row, sheet and image, within the box, of a pixel.
cdef void where(const Box* box, Py_ssize_t pixel, Py_ssize_t* at) noexcept nogil
# What the pixels of the box see: elements from the first one's.
cdef void places(const Job* job, const Box* box, Py_ssize_t* at) noexcept nogil
# What the first tap and pixel of the box see in x.
cdef const char* seen_in_place(const Job* job, const Box* box, Py_ssize_t channel) noexcept nogil
# The first output of a pixel in y.
cdef char* output(const Job* job, const Box* box, const Py_ssize_t* at) noexcept nogil
# How many pixels of the box, from multiples of this on, lie side by side in y; 0: not even two.
cdef Py_ssize_t runs(const Job* job, const Box* box) noexcept nogil
# Parts of all pixels.
cdef Py_ssize_t boxes(const Job* job) noexcept nogil
# The pixels of a part; how many whole rounds of parts come before it.
cdef Py_ssize_t cut(const Job* job, Py_ssize_t part, Box* box) noexcept nogil
cdef Py_ssize_t cut_outputs(const Job* job, Py_ssize_t part, Box* box) noexcept nogil
# The arrays and axes; w: the weights' shape.
cdef int pose(Job* job, const fc_gemm* gemm, cnp.ndarray x, cnp.ndarray y, tuple w, Py_ssize_t groups,
              tuple stride, tuple dilation, tuple lo, tuple boundary) except -1
# Other arrays, of the shapes and strides that were posed.
cdef void point(Job* job, cnp.ndarray x, cnp.ndarray y) noexcept
# Make one axis of those that are one: without taps beside each other, and contiguous.
cdef void join(Job* job) noexcept
# Boxes of about so many pixels, and the layouts of the strip and the scratch; the bytes of the latter.
cdef Py_ssize_t lay_out(Job* job, Py_ssize_t pixels) noexcept
# `job.off`, for the products of the first block, and all taps of its channels.
cdef cnp.ndarray offsets(const Job* job)
