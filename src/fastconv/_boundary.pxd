# How a line continues outside the array: the index rule of every boundary, and the copy of a stretch of such a line.
from libc.string cimport memcpy

cdef enum Boundary:                 # the codes of _problem.BOUNDARIES
    ZERO = 0
    CONSTANT = 1
    REFLECT = 2                     # d c b a | a b c d | d c b a
    MIRROR = 3                      #   d c b | a b c d | c b a
    NEAREST = 4                     #   a a a | a b c d | d d d
    WRAP = 5                        #   b c d | a b c d | a b c


cdef inline Py_ssize_t source(Py_ssize_t i, Py_ssize_t n, int boundary) noexcept nogil:
    """The element that stands at index i of a line of n; -1 where it is the constant."""
    cdef Py_ssize_t period
    if 0 <= i < n:
        return i
    if boundary <= CONSTANT:
        return -1
    if boundary == NEAREST or n == 1:
        return 0 if i < 0 else n - 1
    period = n if boundary == WRAP else 2 * n if boundary == REFLECT else 2 * n - 2
    i = i % period                  # C's %: the sign of i
    if i < 0:
        i += period
    if i < n:
        return i
    return 2 * n - 1 - i if boundary == REFLECT else 2 * n - 2 - i


cdef inline void copy_element(char* to, const char* of, int item) noexcept nogil:
    if item == 4:
        memcpy(to, of, 4)
    elif item == 8:
        memcpy(to, of, 8)
    elif item == 2:
        memcpy(to, of, 2)
    else:
        memcpy(to, of, item)


cdef inline void copy_strided(char* to, Py_ssize_t to_stride, const char* of, Py_ssize_t of_stride,
                              Py_ssize_t count, int item) noexcept nogil:
    cdef Py_ssize_t i
    if to_stride == item and of_stride == item:
        memcpy(to, of, count * item)
    elif item == 4:
        for i in range(count):
            memcpy(to + i * to_stride, of + i * of_stride, 4)
    elif item == 8:
        for i in range(count):
            memcpy(to + i * to_stride, of + i * of_stride, 8)
    else:
        for i in range(count):
            memcpy(to + i * to_stride, of + i * of_stride, item)


cdef inline void copy_line(char* to, const char* line, Py_ssize_t n, Py_ssize_t stride, int boundary,
                           const char* constant, Py_ssize_t start, Py_ssize_t count, int item) noexcept nogil:
    """to[i] = element start + i of the continued line, 0 <= i < count. A NULL line is constant everywhere."""
    cdef Py_ssize_t i = 0, s, inside
    while i < count:
        if line != NULL and 0 <= start + i < n:
            inside = min(count - i, n - (start + i))
            copy_strided(to + i * item, item, line + (start + i) * stride, stride, inside, item)
            i += inside
        else:
            s = source(start + i, n, boundary) if line != NULL else -1
            copy_element(to + i * item, line + s * stride if s >= 0 else constant, item)
            i += 1
