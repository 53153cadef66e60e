"""`fftconvolve` and `oaconvolve` as in `scipy.signal`: floating-point results, chosen axes, broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check
from fastconv._problem import Array
from fastconv._repr import short
from fastconv.signal import _arguments

_Mode = Literal["full", "valid", "same"]
_Axes = SupportsIndex | Sequence[SupportsIndex] | None


def fftconvolve(in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", axes: _Axes = None) -> Any:
    """Convolve two N-dimensional arrays of floating-point numbers, as `scipy.signal.fftconvolve`.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of the same number of dimensions.
    mode : {"full", "valid", "same"}
        As for `convolve`, along each of `axes`; "same" is centred on `in1`.
    axes : int or sequence of int, optional
        The axes to convolve along; all by default. Along the others, the arrays broadcast.

    Returns
    -------
    ndarray or scalar
        Booleans, integers and objects count as float64, float16 as float32. Scalars give their product, an
        empty array gives one of shape (0,).

    See Also
    --------
    convolve : The result has the dtype of the inputs.
    fastconv.convolve : Boundaries, a place for the result.

    Notes
    -----
    fastconv chooses the method, which need not be an FFT. Unlike SciPy, a NaN or infinity reaches only the
    outputs whose window holds it; "same" keeps the broadcast size along the axes that are not convolved, as
    "full" and "valid" do; and integers give float64 also where the length of an array is 1.

    Examples
    --------
    One signal with two filters:

    >>> import numpy as np
    >>> from fastconv import signal
    >>> filters = np.array([[1, 1], [1, -1]])
    >>> signal.fftconvolve([[1, 2, 4]], filters, axes=1)
    array([[ 1.,  3.,  6.,  4.],
           [ 1.,  1.,  2., -4.]])
    """
    a, v = _arguments.arrays(in1, in2)
    wanted = _arguments.mode(mode)
    listed = _listed(axes, a.ndim)
    for name, x in (("in1", a), ("in2", v)):
        if x.dtype.kind == "m":
            raise TypeError(f"{name} must hold numbers, got dtype {x.dtype}")
    if a.ndim == 0:
        return a * v
    if not (a.size and v.size):
        return np.empty(0)
    # Along an axis where one array has length 1, a product is all there is.
    convolved = tuple(k for k in listed if a.shape[k] != 1 and v.shape[k] != 1)
    for k in range(a.ndim):
        if k not in convolved and a.shape[k] != v.shape[k] and 1 not in (a.shape[k], v.shape[k]):
            raise ValueError(
                f"in2 must have length 1 or in1's {a.shape[k]} along axis {k}, which is not convolved, "
                f"got {v.shape[k]}"
            )
    if wanted == "valid":
        _arguments.one_inside_the_other([a.shape[k] for k in convolved], [v.shape[k] for k in convolved])
    if wanted == "same":
        for k in set(listed).difference(convolved):
            if a.shape[k] == 1:
                v = v.take([(v.shape[k] - 1) // 2], axis=k)
    a, v = _floating(a, v)
    if not convolved:
        return a * v
    part = _arguments.same(a, v) if wanted == "same" else wanted
    return _arguments.run(False, a, v, part, axes=convolved, method=_arguments.METHODS["fft"])


def oaconvolve(in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", axes: _Axes = None) -> Any:
    """Convolve two N-dimensional arrays of floating-point numbers, as `scipy.signal.oaconvolve`.

    The same as `fftconvolve`: fastconv chooses the method, by overlapping blocks or not.

    Parameters
    ----------
    in1, in2, mode, axes
        As for `fftconvolve`.

    Returns
    -------
    ndarray or scalar
        As from `fftconvolve`.

    Examples
    --------
    >>> from fastconv import signal
    >>> signal.oaconvolve([1, 2, 3], [1, 10])
    array([ 1., 12., 23., 30.])
    """
    return fftconvolve(in1, in2, mode, axes)


def _listed(axes: Any, ndim: int) -> tuple[int, ...]:
    """The axes that the user named, from 0."""
    if axes is None:
        return tuple(range(ndim))
    short_array = isinstance(axes, np.ndarray) and axes.ndim < 2 and axes.size <= 64
    named = _check.axes(axes.tolist() if short_array else axes) or ()
    for k in named:
        if not -ndim <= k < ndim:
            raise ValueError(f"axes must be from {-ndim} to {ndim - 1} for {ndim} dimensions, got {short(k)}")
    positive = tuple(k % ndim for k in named)
    if len(set(positive)) < len(positive):
        raise ValueError(f"axes must be unique, got {short(axes)}")
    return positive


def _floating(in1: Array, in2: Array) -> tuple[Array, Array]:
    """The arrays, the smaller one cast so that they promote to the dtype of the result."""
    if "O" in (in1.dtype.kind, in2.dtype.kind):
        in1, in2 = (_from_objects(x, name) for x, name in ((in1, "in1"), (in2, "in2")))
    dtype = np.result_type(_float_dtype(in1), _float_dtype(in2))
    real = np.empty(0, dtype).real.dtype
    if in2.size <= in1.size:
        return in1, in2.astype(dtype if in2.dtype.kind == "c" else real, copy=False)
    return in1.astype(dtype if in1.dtype.kind == "c" else real, copy=False), in2


def _float_dtype(x: Array) -> np.dtype[Any]:
    if x.dtype.kind in "biu":
        return np.dtype(np.float64)
    return np.dtype(np.float32) if x.dtype.char == "e" else x.dtype


def _from_objects(x: Array, name: str) -> Array:
    if x.dtype.kind != "O":
        return x
    try:
        return x.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold real numbers if it holds objects: {error}") from None
