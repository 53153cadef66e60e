"""`correlate` and `convolve`, along several axes and along one, as in `scipy.ndimage`."""

from __future__ import annotations

from typing import Any, SupportsIndex, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.ndimage import _arguments
from fastconv.ndimage._arguments import Axes, Options, Output
from fastconv.ndimage._passes import correlation

_Origin = SupportsIndex | tuple[SupportsIndex, ...]


def correlate(
    input: ArrayLike,
    weights: ArrayLike,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: _Origin = 0,
    *,
    axes: Axes = None,
    **options: Unpack[Options],
) -> Array:
    """Correlate an image with weights of as many dimensions, as `scipy.ndimage.correlate`.

    ``y[i] = sum over j of weights[j] * input[i + j - m // 2 - origin]`` for m weights along an axis, which
    are conjugated if they are complex.

    Parameters
    ----------
    input : array_like
        The image or volume, of real or complex numbers.
    weights : array_like
        With a dimension for each of `axes`, in the order of the input's axes.
    output : ndarray or dtype, optional
        The place for the result, which may be `input` itself, or its dtype; that of `input` by default, or a
        complex one where `weights` are complex.
    mode : {"reflect", "mirror", "nearest", "wrap", "constant", "grid-mirror", "grid-wrap", "grid-constant"}
        How the input goes on outside: see `fastconv.ndimage`.
    cval : scalar
        The value outside for the mode "constant".
    origin : int or sequence of int
        Shifts the weights over the input, to the right if positive; one for each of `axes`, or the same for
        all.
    axes : int or sequence of int, optional
        The axes to filter along; all by default.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    See Also
    --------
    fastconv.correlate : Results longer or shorter than the input, one kernel for each row.

    Notes
    -----
    A weight of zero leaves its term out: what stands there may be infinite or NaN. SciPy takes weights below
    2.2e-16 for zeros, too.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.correlate([[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [0, 0, 1], [0, 0, 0]])
    array([[2, 3, 3],
           [5, 6, 6]])
    """
    return _correlate(input, weights, output, mode, cval, origin, axes, options, False)


def convolve(
    input: ArrayLike,
    weights: ArrayLike,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: _Origin = 0,
    *,
    axes: Axes = None,
    **options: Unpack[Options],
) -> Array:
    """Convolve an image with weights of as many dimensions, as `scipy.ndimage.convolve`.

    ``y[i] = sum over j of weights[j] * input[i - j + m // 2 + origin]`` for m weights along an axis.

    Parameters
    ----------
    input, weights, output, mode, cval, origin, axes
        As for `correlate`; the weights are reversed along each axis, and not conjugated. `origin` shifts them
        to the left if positive.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.convolve([0, 0, 1, 0, 0, 0], [1, 2, 3], mode="constant")
    array([0, 1, 2, 3, 0, 0])
    """
    return _correlate(input, weights, output, mode, cval, origin, axes, options, True)


def correlate1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: SupportsIndex = 0,
    **options: Unpack[Options],
) -> Array:
    """Correlate along one axis, as `scipy.ndimage.correlate1d`.

    Parameters
    ----------
    input, output, mode, cval
        As for `correlate`.
    weights : array_like
        One-dimensional.
    axis : int
        The axis to filter along.
    origin : int
        As for `correlate`.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Notes
    -----
    Weights of zero count: 0 times NaN is NaN. SciPy takes weights that differ by less than 2.2e-16 from
    symmetric ones for symmetric, which spoils tiny ones.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.correlate1d([1, 2, 4, 8], [-1, 1])
    array([0, 1, 2, 4])
    """
    return _correlate1d(input, weights, axis, output, mode, cval, origin, options, False)


def convolve1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: SupportsIndex = 0,
    **options: Unpack[Options],
) -> Array:
    """Convolve along one axis, as `scipy.ndimage.convolve1d`.

    Parameters
    ----------
    input, weights, axis, output, mode, cval, origin
        As for `correlate1d`; the weights are reversed, and not conjugated.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.convolve1d([1, 2, 4, 8], [1, -1])
    array([1, 2, 4, 0])
    """
    return _correlate1d(input, weights, axis, output, mode, cval, origin, options, True)


def _correlate(
    input: Any,
    weights: Any,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    axes: Any,
    options: Options,
    convolved: bool,
) -> Array:
    settings = _arguments.settings(options)
    x, w = _arguments.image(input), _arguments.weights(weights)
    along = _arguments.axes(axes, x)
    if w.ndim != len(along) or w.size == 0:
        raise RuntimeError(
            f"weights must not be empty and have a dimension for each of the {len(along)} axes, "
            f"got shape {w.shape}"
        )
    given = dict(zip(along, _arguments.each(origin, "origin", len(along))))
    along = sorted(along)
    origins = [_arguments.origin(given[k], m) for k, m in zip(along, w.shape)]
    boundary = _arguments.boundary(mode)
    outside = _arguments.cval(cval, x)
    y = _arguments.output(output, x, w.dtype.kind == "c")
    w, origins = _as_correlation(w, origins, convolved)
    correlation(x, w, along, origins, boundary, outside, y, settings, skip_zeros=True)
    return y


def _correlate1d(
    input: Any,
    weights: Any,
    axis: Any,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    options: Options,
    convolved: bool,
) -> Array:
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    outside = _arguments.cval(cval, x)
    w = _arguments.line(weights)
    k = _arguments.axis(axis, x)
    origins = [_arguments.origin(origin, w.size)]
    boundary = _arguments.boundary(mode)
    y = _arguments.output(output, x, w.dtype.kind == "c")
    w, origins = _as_correlation(w, origins, convolved)
    correlation(x, w, [k], origins, boundary, outside, y, settings)
    return y


def _as_correlation(w: Array, origins: list[int], convolved: bool) -> tuple[Array, list[int]]:
    """Weights and origins of the sums ``w[t] * x[i + t - m // 2 - origin]`` that are asked for."""
    if not convolved:
        return w.conj(), origins
    return np.flip(w), [-origin - (m % 2 == 0) for origin, m in zip(origins, w.shape)]
