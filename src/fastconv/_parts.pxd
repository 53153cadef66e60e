# A block beyond the cache in parts, for the drivers that work on one in three steps: the passes down to nodes that fit
# the cache, for some columns of all rows at a time; the nodes; the passes back up, by columns.
from fastconv._block cimport Layout, View

cdef struct Parts:
    int passes                      # down to the nodes
    Py_ssize_t rows, n              # nodes, numbers in one
    int side                        # columns are elements of this side ...
    Py_ssize_t pitch, extent        # ... of so many numbers; how many there are
    Py_ssize_t columns, n_parts     # in one part; number of parts

# For nodes of at most so many bytes, where that can be.
cdef Parts parts_of(const Layout* b, Py_ssize_t node_bytes) noexcept nogil
# The columns of a part, and how many numbers of a row they are; at most so many.
cdef Py_ssize_t part(const Parts* p, Py_ssize_t number, Py_ssize_t* begin, Py_ssize_t* end) noexcept nogil
cdef Py_ssize_t most_numbers(const Parts* p) noexcept nogil
# All rows of some columns, one after the other in re and im, from x as fill() does; and to y as store() does.
cdef void fill_columns(const Layout* b, const Parts* p, const View* view, const char* x, const Py_ssize_t* start,
                       const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, char* re, char* im,
                       char* line) noexcept nogil
cdef void store_columns(const Layout* b, const Parts* p, const View* view, char* y, const Py_ssize_t* first,
                        const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, const char* re, const char* im,
                        char* line) noexcept nogil
