"""The public `convolve` and `correlate`: a short path for small calls, which cost less than NumPy's own overhead.

Plain one-dimensional arrays of one dtype, contiguous, with NumPy's own arguments, go straight to the kernel, on one
thread. Every other call, and every wrong one, goes to `_convolve`.
"""

from libc.stdlib cimport free, malloc
cimport numpy as cnp

from fastconv import _convolve

from fastconv._boundary cimport ZERO
from fastconv._direct cimport Axis, copied, corr_line, kernels_of
from fastconv._kernels.table cimport FC_F32, FC_F64, FC_I32, FC_I64, fc_kernels

cnp.import_array()

cdef enum:
    STACK_BYTES = 8192
cdef double SMALL = 8e6             # bytes of products: more may pay for a transform or threads
cdef double WITH_GIL = 1e4          # products: fewer take less time than letting go of the GIL

cdef object _AUTO = "auto", _ZERO = "zero", _CVAL = 0.0
cdef char[32] ZEROS                 # an element of every dtype


cdef inline int dtype_code(cnp.ndarray a) noexcept:
    cdef int type = cnp.PyArray_TYPE(a)
    if type == cnp.NPY_FLOAT64:
        return FC_F64
    if type == cnp.NPY_FLOAT32:
        return FC_F32
    if type == cnp.NPY_INT64:
        return FC_I64
    if type == cnp.NPY_INT32:
        return FC_I32
    return -1


cdef inline bint finite(const char* h, Py_ssize_t n, int code) noexcept nogil:
    cdef Py_ssize_t i
    cdef double zeros = 0           # NaN as soon as one value is not finite
    if code == FC_F64:
        for i in range(n):
            zeros += 0 * (<const double*>h)[i]
    elif code == FC_F32:
        for i in range(n):
            zeros += 0 * (<const float*>h)[i]
    return zeros == 0


cdef void reverse(const char* h, Py_ssize_t n, char* to, int item) noexcept nogil:
    cdef Py_ssize_t i
    if item == 4:
        for i in range(n):
            (<int*>to)[i] = (<const int*>h)[n - 1 - i]
    else:
        for i in range(n):
            (<long long*>to)[i] = (<const long long*>h)[n - 1 - i]


cdef inline bint apart(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Do two contiguous arrays share no memory?"""
    cdef const char* start = <const char*>cnp.PyArray_DATA(a)
    cdef const char* other = <const char*>cnp.PyArray_DATA(b)
    return start + cnp.PyArray_NBYTES(a) <= other or other + cnp.PyArray_NBYTES(b) <= start


cpdef object short_path(a, v, mode, out, bint reversed_taps):
    """The result, or None if the call is not a small plain one."""
    cdef cnp.ndarray x, h, y
    cdef Axis axis
    cdef Py_ssize_t n, m, lo, n_out, elements
    cdef cnp.npy_intp shape
    cdef int code, item
    cdef const fc_kernels* kernels
    cdef const char* taps
    cdef char[STACK_BYTES] stack
    cdef char* scratch = stack

    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(v)):
        return None
    x, h = a, v
    code = dtype_code(x)
    if code < 0 or cnp.PyArray_TYPE(h) != cnp.PyArray_TYPE(x) or cnp.PyArray_NDIM(x) != 1 or cnp.PyArray_NDIM(h) != 1 \
            or not cnp.PyArray_ISCARRAY_RO(x) or not cnp.PyArray_ISCARRAY_RO(h):
        return None
    n, m = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(h, 0)
    if n < m and reversed_taps:
        x, h = v, a
        n, m = m, n
    if m < 1 or n < m or type(mode) is not str:
        return None
    if mode == "full":
        lo, n_out = m - 1, n + m - 1
    elif mode == "same":
        lo, n_out = m - 1 - (m - 1) // 2, n
    elif mode == "valid":
        lo, n_out = 0, n - m + 1
    else:
        return None
    if <double>n_out * m * cnp.PyArray_ITEMSIZE(x) > SMALL:
        return None
    taps = <const char*>cnp.PyArray_DATA(h)
    if mode != "valid" and not finite(taps, m, code):
        return None                 # the zeros outside must not meet such taps

    if out is not None:
        if not cnp.PyArray_CheckExact(out):
            return None
        y = out
        if cnp.PyArray_TYPE(y) != cnp.PyArray_TYPE(x) or cnp.PyArray_NDIM(y) != 1 or cnp.PyArray_DIM(y, 0) != n_out \
                or not cnp.PyArray_ISCARRAY(y) or not apart(x, y) or not apart(h, y):
            return None

    item = <int>cnp.PyArray_ITEMSIZE(x)
    kernels = kernels_of(code)
    elements = m + copied(kernels, n_out, m)
    if elements * item > STACK_BYTES:
        scratch = <char*>malloc(elements * item)
        if scratch == NULL:
            raise MemoryError()
    shape = n_out
    try:
        y = out if out is not None else cnp.PyArray_EMPTY(1, &shape, cnp.PyArray_TYPE(x), 0)
        axis.n_in, axis.x, axis.boundary = n, item, ZERO
        if reversed_taps:
            reverse(taps, m, scratch, item)
            taps = scratch
        if <double>n * m < WITH_GIL:
            line(kernels, item, x, &axis, lo, taps, m, y, n_out, scratch + m * item)
        else:
            with nogil:
                line(kernels, item, x, &axis, lo, taps, m, y, n_out, scratch + m * item)
    finally:
        if scratch != stack:
            free(scratch)
    return y


cdef inline void line(const fc_kernels* kernels, int item, cnp.ndarray x, const Axis* axis, Py_ssize_t lo,
                      const char* taps, Py_ssize_t m, cnp.ndarray y, Py_ssize_t n_out, char* scratch) noexcept nogil:
    corr_line(kernels, item, <const char*>cnp.PyArray_DATA(x), axis, ZEROS, -lo, taps, m,
              <char*>cnp.PyArray_DATA(y), n_out, scratch)


def convolve(a, v, mode="full", *, axes=None, boundary="zero", cval=0.0, method="auto", out=None, workers=None,
             rtol=None):
    """Convolve two arrays, of any number of dimensions.

    ``y[c] = sum of a[i] * v[c - i] over i``, along one axis or several. For one-dimensional arrays this is
    `numpy.convolve`, with its results, dtypes and modes.

    Parameters
    ----------
    a : array_like
        The signal. Any numeric dtype, any memory layout; object arrays use Python's arithmetic.
    v : array_like
        The kernel: with as many dimensions as `a`, or with one for each of `axes` (one kernel for all rows).
    mode : {"full", "same", "valid"} or {2, 1, 0}
        Outputs along each convolved axis, for n elements of `a` and m of `v`: "full" gives n + m - 1; "same"
        gives n, from the middle of "full", where it starts at (m - 1) // 2; "valid" gives those abs(n - m) + 1 that
        need nothing from outside. One-dimensional arrays with the boundary "zero" follow NumPy: the longer one
        is the signal, so "same" gives max(n, m).
    axes : int or tuple of int, optional
        The axes of `a` to convolve along; all by default. The other axes are batch axes: with as many
        dimensions as `a`, `v` may have one kernel for each row there, or length 1.
    boundary : {"zero", "constant", "reflect", "mirror", "nearest", "wrap"}
        How `a` goes on outside: not at all (terms outside are left out); with `cval`; or, for ``a b c d`` and as
        in `scipy.ndimage`, ``d c b a | a b c d | d c b a``, ``d c b | a b c d | c b a``, ``a a a | a b c d | d d d``,
        ``b c d | a b c d | a b c``. Kernels larger than `a` meet these continued periodically.
    cval : scalar
        The value outside for the boundary "constant".
    method : {"auto", "direct", "separable", "sparse", "overlap_save", "fft", "exact"}
        "direct" adds the products up as the formula says. "separable" works along one axis after the other, if `v` is
        a sum of few outer products; "sparse" leaves out the zeros of `v`. "overlap_save" and "fft" are fast Fourier
        transforms, in blocks that stay in the cache or of the whole signal, for float32, float64 and their complex
        kinds; "exact" is the same for integers. "auto" takes the one that it estimates to be the fastest.
    out : ndarray, optional
        Where to put the result: of its shape and dtype, with any strides. It may overlap `a` and `v`.
    workers : int, optional
        At most so many threads; -1: as many as this process has CPUs. Results do not depend on it.
    rtol : float, optional
        Every output is to be within rtol times the sum of its terms' absolute values: of the result itself, if nothing
        is negative. Outputs that a transform cannot compute so well are summed directly.

    Returns
    -------
    ndarray
        Of dtype ``numpy.result_type(a, v)``. Integers wrap around; booleans give the OR of ANDs; float16 is summed
        in float32. An infinity or NaN reaches only those outputs whose window holds it.

    Raises
    ------
    ValueError, TypeError
        For wrong arguments: they name the argument, what it was and what it must be.
    MemoryError
        If there is no room for the result.

    See Also
    --------
    correlate : The same without reversing `v`.
    explain : Which method a call takes, and why.
    Convolver : A kernel prepared for many signals.

    Notes
    -----
    Small arrays run on one thread; large ones on several, with the GIL released. Working memory beyond the result and
    a copy of `v` is at most 2 MB per thread for "direct", 16 MB for "overlap_save".

    A direct sum is accurate to a few eps of the sum of its terms' absolute values. Transforms are accurate to a few
    eps ``norm(a) * norm(v)`` of a block: outputs much smaller than their neighbours lose digits, unless `rtol` asks for
    them; `error_bound` tells how many. The sum of non-negative numbers is never negative.

    Examples
    --------
    Two dice: the ways to roll each total from 2 to 12.

    >>> import numpy as np, fastconv
    >>> die = np.ones(6, int)
    >>> fastconv.convolve(die, die)
    array([1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1])

    Smooth each row, continued by its mirror image.

    >>> rows = np.array([[0., 0., 4., 0.], [8., 0., 0., 0.]])
    >>> fastconv.convolve(rows, [0.25, 0.5, 0.25], "same", axes=-1, boundary="mirror")
    array([[0., 1., 2., 1.],
           [4., 2., 0., 0.]])
    """
    if axes is None and boundary is _ZERO and cval is _CVAL and method is _AUTO and workers is None and rtol is None:
        result = short_path(a, v, mode, out, True)
        if result is not None:
            return result
    return _convolve.convolve(a, v, mode, axes, boundary, cval, method, out, workers, rtol)


def correlate(a, v, mode="valid", *, axes=None, boundary="zero", cval=0.0, method="auto", out=None, workers=None,
              rtol=None):
    """Cross-correlate two arrays, of any number of dimensions.

    ``y[k] = sum of a[i + k] * conj(v[i]) over i``, along one axis or several. For one-dimensional arrays this is
    `numpy.correlate`, with its results, dtypes and modes.

    Parameters
    ----------
    a, v : array_like
        The signal and the kernel, as for `convolve`. `v` is conjugated.
    mode : {"valid", "same", "full"} or {0, 1, 2}
        As for `convolve`, with "valid" the default: lags k for which `v` lies within `a`. "full" begins
        with lag -(m - 1).
    axes, boundary, cval, method, out, workers, rtol
        As for `convolve`.

    Returns
    -------
    ndarray
        Of dtype ``numpy.result_type(a, v)``.

    See Also
    --------
    convolve : The same with `v` reversed and not conjugated. All its notes hold here.

    Examples
    --------
    Where does the pattern begin?

    >>> import numpy as np, fastconv
    >>> signal = np.array([0., 0., 1., 2., 1., 0.])
    >>> fastconv.correlate(signal, [1., 2., 1.]).argmax()
    np.int64(2)
    """
    if axes is None and boundary is _ZERO and cval is _CVAL and method is _AUTO and workers is None and rtol is None:
        result = short_path(a, v, mode, out, False)
        if result is not None:
            return result
    return _convolve.correlate(a, v, mode, axes, boundary, cval, method, out, workers, rtol)
