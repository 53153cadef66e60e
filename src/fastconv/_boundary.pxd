# How a line continues outside the array: the index rule of every boundary, and the copy of a stretch of such a line.
from libc.string cimport memcpy

cdef enum Boundary:                 # the codes of _problem.BOUNDARIES
    ZERO = 0
    CONSTANT = 1
    REFLECT = 2                     # d c b a | a b c d | d c b a
    MIRROR = 3                      #   d c b | a b c d | c b a
    NEAREST = 4                     #   a a a | a b c d | d d d
    WRAP = 5                        #   b c d | a b c d | a b c


cdef inline Py_ssize_t fold(Py_ssize_t i, Py_ssize_t n, int boundary, Py_ssize_t* period) noexcept nogil:
    """i less whole periods of a periodic boundary: 0 to n - 1 go up the line, the rest down again; n > 1."""
    cdef Py_ssize_t p = n if boundary == WRAP else 2 * n if boundary == REFLECT else 2 * n - 2
    period[0] = p
    if not -p <= i < 2 * p:
        i = i % p                   # C's %: the sign of i
    return i + p if i < 0 else i - p if i >= p else i


cdef inline Py_ssize_t source(Py_ssize_t i, Py_ssize_t n, int boundary) noexcept nogil:
    """The element that stands at index i of a line of n; -1 where it is the constant."""
    cdef Py_ssize_t period
    if 0 <= i < n:
        return i
    if boundary <= CONSTANT:
        return -1
    if boundary == NEAREST or n == 1:
        return 0 if i < 0 else n - 1
    i = fold(i, n, boundary, &period)
    return i if i < n else period - i - (boundary == REFLECT)


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
    elif item == 2:
        for i in range(count):
            memcpy(to + i * to_stride, of + i * of_stride, 2)
    elif item == 1:
        for i in range(count):
            to[i * to_stride] = of[i * of_stride]
    else:
        for i in range(count):
            memcpy(to + i * to_stride, of + i * of_stride, item)


cdef inline void copy_line(char* to, const char* line, Py_ssize_t n, Py_ssize_t stride, int boundary,
                           const char* constant, Py_ssize_t start, Py_ssize_t count, int item) noexcept nogil:
    """to[i] = element start + i of the continued line, 0 <= i < count. A NULL line is constant everywhere."""
    cdef Py_ssize_t i, run, step, period
    cdef const char* of
    while count > 0:
        of, step = constant, 0      # the longest run that is a copy, ahead or back, or one repeated element
        if line == NULL:
            run = count
        elif 0 <= start < n:
            of, step, run = line + start * stride, stride, n - start
        elif boundary <= CONSTANT or boundary == NEAREST or n == 1:
            run = -start if start < 0 else count
            if boundary > CONSTANT:
                of = line + (0 if start < 0 else n - 1) * stride
        else:
            i = fold(start, n, boundary, &period)
            if i < n:
                of, step, run = line + i * stride, stride, n - i
            else:
                of, step, run = line + (period - i - (boundary == REFLECT)) * stride, -stride, period - i
        run = min(run, count)
        copy_strided(to, item, of, step, run, item)
        to += run * item
        start += run
        count -= run
