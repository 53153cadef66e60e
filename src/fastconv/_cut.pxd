# How the outputs are cut into blocks along each side: by overlap-save, or one block that holds all.
from fastconv._block cimport MAX_SIDES, Layout, View

cdef struct Side:
    Py_ssize_t start, needed, first     # of block 0: where it begins in x; its elements; where its outputs begin
    Py_ssize_t n_out, outputs, n_blocks     # in all; of a block

cdef struct Cut:
    Side[MAX_SIDES] side
    Py_ssize_t n_blocks

cdef struct Place:                  # of a block, by side: as fill() and store() ask for it
    Py_ssize_t[MAX_SIDES] start, needed, first, count
    Py_ssize_t skip                 # bytes from the first output of all to its own


cdef inline int cut_side(Cut* cut, int a, Py_ssize_t size, Py_ssize_t n_out, Py_ssize_t n_taps, Py_ssize_t lo,
                         tuple extent) except -1:
    """Side a in blocks of so many elements; `extent`: of one for all (_cost)."""
    cdef Side* side = &cut.side[a]
    side.start, side.needed, side.first, least = extent
    side.n_out = side.outputs = n_out
    if size < least:
        side.start, side.needed, side.first, side.outputs = -lo, size, n_taps - 1, size - n_taps + 1
    side.n_blocks = (n_out + side.outputs - 1) // side.outputs
    cut.n_blocks = side.n_blocks * (cut.n_blocks if a else 1)
    return 0


cdef inline Place place_of(const Cut* cut, Py_ssize_t number, const Layout* b, const View* y) noexcept nogil:
    """Block `number`, the last side fastest."""
    cdef Place p
    cdef const Side* side
    cdef Py_ssize_t o
    cdef int a
    p.skip = 0
    for a in range(b.n_sides - 1, -1, -1):
        side = &cut.side[a]
        o = number % side.n_blocks * side.outputs
        number = number // side.n_blocks
        p.count[a] = min(side.outputs, side.n_out - o)
        p.first[a] = side.first
        p.start[a] = side.start + o
        p.needed[a] = side.needed - (side.outputs - p.count[a])
        p.skip += o * y.step[a]
    return p
