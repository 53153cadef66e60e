"""Differences of neighbours: `sobel`, `prewitt`, `laplace` as in `scipy.ndimage`, and `scharr`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, SupportsIndex, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.ndimage import _arguments
from fastconv.ndimage._arguments import Axes, Modes, Options, Output
from fastconv.ndimage._correlation import correlate1d
from fastconv.ndimage._generic import generic_laplace, of_parts
from fastconv.ndimage._passes import Kernel, correlation, passes


def sobel(
    input: ArrayLike,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    **options: Unpack[Options],
) -> Array:
    """Sobel's derivative, as `scipy.ndimage.sobel`: [-1, 0, 1] along an axis, [1, 2, 1] along the others.

    Parameters
    ----------
    input, output, cval
        As for `correlate`.
    axis : int
        The axis to take the derivative along.
    mode : str or sequence of str
        As for `correlate`, for all axes or one for each.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`. Unsigned integers wrap around, so ask for a signed `output`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import ndimage
    >>> edge = np.array([[0, 0, 255, 255]] * 3, np.uint8)
    >>> ndimage.sobel(edge, output=np.int16)[1]
    array([   0, 1020, 1020,    0], dtype=int16)
    """
    return _edges(input, axis, (1, 2, 1), output, mode, cval, options)


def prewitt(
    input: ArrayLike,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    **options: Unpack[Options],
) -> Array:
    """Prewitt's derivative, as `scipy.ndimage.prewitt`: [-1, 0, 1] along an axis, [1, 1, 1] along the others.

    Parameters
    ----------
    input, axis, output, mode, cval, **options
        As for `sobel`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.prewitt([[0, 0, 9, 9]] * 3)[1]
    array([ 0, 27, 27,  0])
    """
    return _edges(input, axis, (1, 1, 1), output, mode, cval, options)


def scharr(
    input: ArrayLike,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    **options: Unpack[Options],
) -> Array:
    """Scharr's derivative, as OpenCV's `Scharr`: [-1, 0, 1] along an axis, [3, 10, 3] along the others.

    Parameters
    ----------
    input, axis, output, mode, cval, **options
        As for `sobel`.

    Returns
    -------
    ndarray
        Of the shape of `input`. It depends less on the direction of an edge than `sobel`'s.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.scharr([[0, 0, 9, 9]] * 3)[1]
    array([  0, 144, 144,   0])
    """
    return _edges(input, axis, (3, 10, 3), output, mode, cval, options)


def laplace(
    input: ArrayLike,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    *,
    axes: Axes = None,
    **options: Unpack[Options],
) -> Array:
    """The sum of second differences [1, -2, 1] along the axes, as `scipy.ndimage.laplace`.

    Parameters
    ----------
    input, output, cval
        As for `correlate`.
    mode : str or sequence of str
        As for `correlate`, for all axes or one for each of `axes`.
    axes : int or sequence of int, optional
        The axes to take differences along; all by default.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.laplace([1, 4, 9, 16, 25])
    array([ 3,  2,  2,  2, -9])
    """

    def second(input: Array, axis: int, output: Any, mode: str, cval: Any) -> Array:
        return correlate1d(input, [1, -2, 1], axis, output, mode, cval, **options)

    settings = _arguments.settings(options)
    x = _arguments.image(input)
    along = _arguments.axes(axes, x)
    modes = _arguments.each(mode, "mode", len(along))
    y = _arguments.output(output, x)
    if len(set(modes)) != 1 or (x.dtype.kind not in "biu" and y.dtype.kind in "biu"):  # each is truncated
        return of_parts(generic_laplace, x, second, y, modes, cval, along, settings)
    boundary, outside = _arguments.boundary(modes[0]), _arguments.cval(cval, x)
    cross, origins = _cross(len(along)), [0] * len(along)
    correlation(x, cross, sorted(along), origins, boundary, outside, y, settings, skip_zeros=True)
    return y


@lru_cache
def _cross(ndim: int) -> Array:
    """[1, -2, 1] along each axis, summed."""
    cross = np.zeros((3,) * ndim)
    for k in range(ndim):
        cross[(1,) * k + (slice(None),) + (1,) * (ndim - 1 - k)] += [1, -2, 1]
    cross.flags.writeable = False
    return cross


def _edges(
    input: Any, axis: Any, smooth: tuple[int, ...], output: Any, mode: Any, cval: Any, options: Options
) -> Array:
    """The difference along an axis, `smooth` along the others."""
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    along = _arguments.axis(axis, x)
    boundaries = _arguments.boundaries(mode, x.ndim)
    outside = _arguments.cval(cval, x)
    y = _arguments.output(output, x)
    passes(x, _edge_kernels(along, smooth, tuple(boundaries)), outside, y, settings)
    return y


@lru_cache
def _edge_kernels(along: int, smooth: tuple[int, ...], boundaries: tuple[str, ...]) -> list[Kernel]:
    others = [k for k in range(len(boundaries)) if k != along]
    weights = [np.array([-1, 0, 1]), *[np.array(smooth)] * len(others)]
    return [Kernel(w, k, boundaries[k]) for w, k in zip(weights, [along, *others])]
