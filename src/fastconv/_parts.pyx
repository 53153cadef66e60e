"""How a block beyond the cache is cut into parts, and their copies from and to arrays (_whole, _exact).

Parts depend on the problem alone, so that results do not depend on the number of threads.
"""

from libc.string cimport memset

from fastconv._block cimport Layout, View, fill_range, row_of, store_range
from fastconv._tree cimport Tree

cdef enum:
    PART_BYTES = 512 * 1024         # of the columns that are worked on at a time
    LINE_BYTES = 256                # of a row of them, at least


cdef Parts parts_of(const Layout* b, Py_ssize_t node_bytes) noexcept nogil:
    cdef const Tree* t = &b.tree[0]
    cdef Parts p
    cdef Py_ssize_t most
    p.passes, p.rows = 0, 1
    if b.n_sides > 1:
        p.side, p.pitch, p.extent = 1, b.tree[1].width, b.size[1]
        p.passes, p.rows = t.last + 1, t.m
    else:
        p.side, p.pitch = 0, 1
        while p.passes < t.last and (p.passes == 0 or 2 * t.m // p.rows * t.item > node_bytes):
            p.rows *= t.radix[p.passes]
            p.passes += 1
        p.extent = t.m // p.rows
    p.n = t.m * t.width // p.rows
    most = max(<Py_ssize_t>LINE_BYTES, PART_BYTES // (2 * p.rows)) // (t.item * t.lanes) * t.lanes
    p.columns = max(1, most // p.pitch)
    p.n_parts = (p.extent + p.columns - 1) // p.columns
    return p


cdef Py_ssize_t part(const Parts* p, Py_ssize_t number, Py_ssize_t* begin, Py_ssize_t* end) noexcept nogil:
    begin[0] = number * p.columns
    end[0] = min(p.extent, begin[0] + p.columns)
    return (end[0] - begin[0]) * p.pitch


cdef Py_ssize_t most_numbers(const Parts* p) noexcept nogil:
    return min(p.columns, p.extent) * p.pitch


cdef inline void fill_row(const Layout* b, const Parts* p, const View* view, const char* x, const Py_ssize_t* start,
                          const Py_ssize_t* count, Py_ssize_t row, Py_ssize_t begin, Py_ssize_t end, char* re, char* im,
                          char* line) noexcept nogil:
    """Of one row; in a real block, re alone."""
    cdef Py_ssize_t bytes = (end - begin) * p.pitch * b.tree[0].item
    if p.side == 0:
        fill_range(b, view, 0, x, start, count, row * p.n + begin, row * p.n + end, re, im, line)
    elif row < count[0]:
        fill_range(b, view, 1, row_of(view, 0, x, start[0] + row), start, count, begin, end, re, im, line)
    else:
        memset(re, 0, bytes)
        if b.is_complex:
            memset(im, 0, bytes)


cdef void fill_columns(const Layout* b, const Parts* p, const View* view, const char* x, const Py_ssize_t* start,
                       const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, char* re, char* im,
                       char* line) noexcept nogil:
    cdef Py_ssize_t r, bytes = (end - begin) * p.pitch * b.tree[0].item
    for r in range(p.rows):
        fill_row(b, p, view, x, start, count, r, begin, end, re + r * bytes, im + r * bytes, line)
        if not b.is_complex:
            fill_row(b, p, view, x, start, count, r + p.rows, begin, end, im + r * bytes, im, line)


cdef inline void store_row(const Layout* b, const Parts* p, const View* view, char* y, const Py_ssize_t* first,
                           const Py_ssize_t* count, Py_ssize_t row, Py_ssize_t begin, Py_ssize_t end, const char* re,
                           const char* im, char* line) noexcept nogil:
    cdef Py_ssize_t o = row - first[0]
    if p.side == 0:
        store_range(b, view, 0, y, first, count, row * p.n + begin, row * p.n + end, re, im, line)
    elif 0 <= o < count[0]:
        store_range(b, view, 1, y + o * view.step[0], first, count, begin, end, re, im, line)


cdef void store_columns(const Layout* b, const Parts* p, const View* view, char* y, const Py_ssize_t* first,
                        const Py_ssize_t* count, Py_ssize_t begin, Py_ssize_t end, const char* re, const char* im,
                        char* line) noexcept nogil:
    cdef Py_ssize_t r, bytes = (end - begin) * p.pitch * b.tree[0].item
    for r in range(p.rows):
        store_row(b, p, view, y, first, count, r, begin, end, re + r * bytes, im + r * bytes, line)
        if not b.is_complex:
            store_row(b, p, view, y, first, count, r + p.rows, begin, end, im + r * bytes, im, line)
