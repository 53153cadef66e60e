"""`convolve2d` and `correlate2d` as in `scipy.signal`: images with boundaries."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check
from fastconv._problem import Array, Window
from fastconv._repr import short
from fastconv.signal import _arguments

_Mode = Literal["full", "valid", "same"]
_Boundary = Literal["fill", "pad", "wrap", "circular", "symm", "symmetric"]

# SciPy's words, and fastconv's
BOUNDARIES = {
    "fill": "constant",
    "pad": "constant",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "reflect",
    "symmetric": "reflect",
}


def convolve2d(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", boundary: _Boundary = "fill", fillvalue: Any = 0
) -> Array:
    """Convolve two images, as `scipy.signal.convolve2d`.

    Parameters
    ----------
    in1, in2 : array_like
        Two-dimensional arrays.
    mode : {"full", "valid", "same"}
        As for `convolve`.
    boundary : {"fill", "wrap", "symm"}
        How `in1` goes on outside: with `fillvalue`, periodically, or, for ``a b c``, as
        ``c b a | a b c | c b a``. Also "pad", "circular" and "symmetric".
    fillvalue : scalar
        The value outside for the boundary "fill". Where the result is of integers, its fraction is dropped.

    Returns
    -------
    ndarray
        Of dtype ``numpy.result_type(in1, in2)``.

    See Also
    --------
    fastconv.convolve : More boundaries, any number of dimensions, a place for the result.

    Notes
    -----
    Any numeric dtype will do, which in SciPy booleans, float16 and objects will not.

    Examples
    --------
    >>> from fastconv import signal
    >>> image = [[1, 2], [3, 4]]
    >>> signal.convolve2d(image, [[1, 1]], boundary="symm")
    array([[2, 3, 4],
           [6, 7, 8]])
    >>> signal.convolve2d(image, [[1, 1]], "same", boundary="fill", fillvalue=10)
    array([[11,  3],
           [13,  7]])
    """
    return _images(False, in1, in2, mode, boundary, fillvalue)


def correlate2d(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", boundary: _Boundary = "fill", fillvalue: Any = 0
) -> Array:
    """Cross-correlate two images, as `scipy.signal.correlate2d`.

    Parameters
    ----------
    in1, in2 : array_like
        Two-dimensional arrays; `in2` is conjugated.
    mode : {"full", "valid", "same"}
        As for `convolve`, except that "same" starts at m // 2 of "full" for m elements of `in2`, not at
        (m - 1) // 2 as in `correlate`.
    boundary, fillvalue
        As for `convolve2d`.

    Returns
    -------
    ndarray
        Of dtype ``numpy.result_type(in1, in2)``.

    Notes
    -----
    Where "valid" swaps complex arrays, because `in2` is the larger one, SciPy 1.17 conjugates the wrong one;
    here it is `in2` always, as in `correlate`.

    Examples
    --------
    >>> from fastconv import signal
    >>> signal.correlate2d([[1, 2], [3, 4]], [[1, 10]], "same", boundary="wrap")
    array([[21, 12],
           [43, 34]])
    """
    return _images(True, in1, in2, mode, boundary, fillvalue)


def _images(correlated: bool, in1: Any, in2: Any, mode: Any, boundary: Any, fillvalue: Any) -> Array:
    a, v = _arguments.arrays(in1, in2)
    if a.ndim != 2:
        raise ValueError(f"in1 and in2 must have 2 dimensions, got {a.ndim}")
    mode = _arguments.mode(mode)
    boundary = BOUNDARIES[_check.name("boundary", boundary, tuple(BOUNDARIES))]
    cval = _scalar(fillvalue, np.result_type(a, v))
    if boundary == "constant" and cval == 0:
        boundary = "zero"
    if mode == "valid":
        _arguments.one_inside_the_other(a.shape, v.shape)
    if not (a.size and v.size):
        return _of_nothing(a, v, mode, boundary)
    centred = Window((v.shape[0] // 2, v.shape[1] // 2), a.shape)
    part = centred if correlated and mode == "same" else mode
    return _arguments.run(correlated, a, v, part, boundary=boundary, cval=cval)


def _scalar(fillvalue: Any, dtype: np.dtype[Any]) -> Any:
    """`fillvalue` as a scalar of a dtype."""
    value = _check.array(fillvalue, "fillvalue")
    if value.size != 1:
        raise ValueError(f"fillvalue must be a scalar, got {short(fillvalue)}")
    value = value.reshape(())
    if dtype.kind in "iu" and value.dtype.kind == "f":
        value = np.trunc(value)
    return _check.cval(value[()], dtype, "fillvalue")


def _of_nothing(in1: Array, in2: Array, mode: str, boundary: str) -> Array:
    """Zeros for the sums of no products, if there is anything that could go on outside."""
    if in1.size == 0 and boundary != "zero":
        raise ValueError(f"in1 must not be empty where it goes on outside, got shape {in1.shape}")
    lengths = list(zip(in1.shape, in2.shape))
    shape = {
        "full": [max(n + m - 1, 0) for n, m in lengths],
        "same": in1.shape,
        "valid": [abs(n - m) + 1 for n, m in lengths],
    }
    return np.zeros(shape[mode], np.result_type(in1, in2))
