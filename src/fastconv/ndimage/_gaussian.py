"""Gaussian filters and what is made of them, as in `scipy.ndimage`, and `unsharp_mask`."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, SupportsIndex, Unpack

import numpy as np
from numpy.polynomial.hermite_e import hermeval
from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv._repr import short
from fastconv.ndimage import _arguments
from fastconv.ndimage._arguments import Axes, Modes, Options, Output
from fastconv.ndimage._generic import generic_gradient_magnitude, generic_laplace, of_parts
from fastconv.ndimage._numbers import store
from fastconv.ndimage._passes import Kernel, passes

SHORT = 1000  # radius of a kernel
_Sigma = float | Sequence[float]
_Radius = SupportsIndex | None | Sequence[SupportsIndex | None]


def gaussian_filter1d(
    input: ArrayLike,
    sigma: float,
    axis: SupportsIndex = -1,
    order: SupportsIndex = 0,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: SupportsIndex | None = None,
    **options: Unpack[Options],
) -> Array:
    """Smooth with a Gaussian along one axis, or differentiate, as `scipy.ndimage.gaussian_filter1d`.

    Parameters
    ----------
    input, output, mode, cval
        As for `correlate`.
    sigma : float
        Standard deviation in elements, positive.
    axis : int
        The axis to filter along.
    order : int
        0: the Gaussian; n: the nth derivative of what that gives.
    truncate : float
        The Gaussian ends after so many standard deviations, at ``radius = int(truncate * sigma + 0.5)``.
    radius : int, optional
        It ends after so many elements.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import ndimage
    >>> ndimage.gaussian_filter1d([0.0, 0.0, 1.0, 0.0, 0.0], 1).round(3)
    array([0.058, 0.242, 0.399, 0.242, 0.058])
    """
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    k = _arguments.axis(axis, x)
    w = _kernel(*_shape(sigma, order, truncate, radius))
    boundary = _arguments.boundary(mode)
    outside = _arguments.cval(cval, x)
    y = _arguments.output(output, x)
    passes(x, [Kernel(w, k, boundary)], outside, y, settings)
    return y


def gaussian_filter(
    input: ArrayLike,
    sigma: _Sigma,
    order: SupportsIndex | Sequence[SupportsIndex] = 0,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: _Radius = None,
    axes: Axes = None,
    **options: Unpack[Options],
) -> Array:
    """Smooth with a Gaussian, or differentiate, as `scipy.ndimage.gaussian_filter`.

    Parameters
    ----------
    input, output, cval
        As for `correlate`.
    sigma, order, mode, radius
        As for `gaussian_filter1d`, each the same for all axes or one for each of `axes`. Axes with a `sigma`
        of zero are left alone.
    truncate : float
        As for `gaussian_filter1d`.
    axes : int or sequence of int, optional
        The axes to filter along, one after the other; all by default.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Notes
    -----
    As in SciPy, an integer output is truncated after each axis. With ``rounding="nearest"`` it is rounded
    once, at the end.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import ndimage
    >>> image = np.zeros((3, 5), np.uint8)
    >>> image[1, 2] = 255
    >>> ndimage.gaussian_filter(image, 0.7, rounding="nearest")
    array([[ 1, 11, 31, 11,  1],
           [ 1, 30, 83, 30,  1],
           [ 1, 11, 31, 11,  1]], dtype=uint8)
    """
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    along = _arguments.axes(axes, x)
    sigmas, orders, radii = (
        _arguments.each(value, name, len(along))
        for value, name in ((sigma, "sigma"), (order, "order"), (radius, "radius"))
    )
    boundaries = _arguments.boundaries(mode, len(along))
    kernels = [
        Kernel(_kernel(*_shape(s, n, truncate, r)), k, boundary)
        for k, s, n, r, boundary in zip(along, sigmas, orders, radii, boundaries)
        if _arguments.real(s, "sigma") > 1e-15
    ]
    outside = _arguments.cval(cval, x)
    y = _arguments.output(output, x)
    passes(x, kernels, outside, y, settings)
    return y


def gaussian_laplace(
    input: ArrayLike,
    sigma: _Sigma,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    *,
    axes: Axes = None,
    **kwargs: Any,
) -> Array:
    """The Laplacian by second derivatives of a Gaussian, as `scipy.ndimage.gaussian_laplace`.

    Parameters
    ----------
    input, output, cval
        As for `correlate`.
    sigma : float or sequence of float
        As for `gaussian_filter`.
    mode : str or sequence of str
        As for `correlate`; of several, each holds for the derivative along one of `axes`, with all its
        smoothing.
    axes : int or sequence of int, optional
        The axes to filter along; all by default.
    **kwargs
        Further keywords of `gaussian_filter`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import ndimage
    >>> ndimage.gaussian_laplace(np.eye(1, 7, 3), 1, axes=1).round(2)
    array([[ 0.04,  0.16,  0.  , -0.4 ,  0.  ,  0.16,  0.04]])
    """
    return _of_derivatives(generic_laplace, 2, input, sigma, output, mode, cval, axes, kwargs)


def gaussian_gradient_magnitude(
    input: ArrayLike,
    sigma: _Sigma,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    *,
    axes: Axes = None,
    **kwargs: Any,
) -> Array:
    """The gradient's length by derivatives of a Gaussian, as `scipy.ndimage.gaussian_gradient_magnitude`.

    Parameters
    ----------
    input, sigma, output, mode, cval, axes, **kwargs
        As for `gaussian_laplace`.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Notes
    -----
    With `axes`, SciPy 1.17 smooths along the other axes, too; here they are left alone.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import ndimage
    >>> slope = 3.0 * np.arange(50) + 4.0 * np.arange(50)[:, None]
    >>> ndimage.gaussian_gradient_magnitude(slope, 2)[25, 25].round(3)
    np.float64(4.998)
    """
    return _of_derivatives(generic_gradient_magnitude, 1, input, sigma, output, mode, cval, axes, kwargs)


def unsharp_mask(
    input: ArrayLike,
    sigma: _Sigma = 1.0,
    amount: float = 1.0,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    axes: Axes = None,
    **options: Unpack[Options],
) -> Array:
    """Sharpen: ``input + amount * (input - gaussian_filter(input, sigma))``.

    Parameters
    ----------
    input, sigma, output, mode, cval, truncate, axes
        As for `gaussian_filter`.
    amount : float
        How much of the detail to add.
    **options
        `workers`, `accumulate`: see `fastconv.ndimage`. `rounding` and `overflow` are "nearest" and
        "saturate" unless they are given.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import ndimage
    >>> edge = np.array([[50, 50, 50, 200, 200, 200]], np.uint8)
    >>> ndimage.unsharp_mask(edge, 1.0)
    array([[ 49,  41,   5, 245, 209, 201]], dtype=uint8)
    """
    options = {"rounding": "nearest", "overflow": "saturate", **options}
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    y = _arguments.output(output, x)
    dtype = np.result_type(x.dtype, y.dtype, np.float32)
    detail = gaussian_filter(x, sigma, 0, dtype, mode, cval, truncate, axes=axes, **options)
    more = _arguments.real(amount, "amount")
    detail *= -more
    detail += (1 + more) * x
    store(detail, y, settings)
    return y


def _shape(sigma: Any, order: Any, truncate: Any, radius: Any) -> tuple[float, int, int]:
    """sigma, order and radius of a kernel, checked."""
    width = _arguments.real(sigma, "sigma")
    if not width > 0:
        raise ValueError(f"sigma must be positive, got {short(sigma)}")
    n = _arguments.whole(order, "order")
    if n < 0:
        raise ValueError(f"order must not be negative, got {short(n)}")
    if radius is None:
        reach = _arguments.real(truncate, "truncate") * width + 0.5
        if not 0 <= reach < math.inf:
            raise ValueError(f"truncate must make a finite radius, got {short(truncate)}")
        return width, n, int(reach)
    try:
        taps = operator.index(radius)
    except TypeError:
        taps = -1
    if taps < 0:
        raise ValueError(f"radius must be a non-negative integer, got {short(radius)}")
    return width, n, taps


def _kernel(sigma: float, order: int, radius: int) -> Array:
    """Weights; short ones are remembered."""
    return (_remembered if radius <= SHORT else _weights)(sigma, order, radius)


def _weights(sigma: float, order: int, radius: int) -> Array:
    """The weights g(j) He_n(j / sigma) / sigma^n of a correlation, He_n Hermite's polynomial: with sum g = 1.

    The nth derivative of exp(-u^2 / 2) is (-1)^n He_n(u) exp(-u^2 / 2); a correlation takes it at -u.
    """
    u = np.arange(-radius, radius + 1) / sigma
    g = np.exp(-0.5 * u * u)
    w: Array = g / g.sum() * hermeval(u, [0] * order + [1]) / sigma**order
    w.flags.writeable = False
    return w


_remembered = lru_cache(maxsize=64)(_weights)


def _of_derivatives(
    generic: Any,
    order: int,
    input: Any,
    sigma: Any,
    output: Any,
    mode: Any,
    cval: Any,
    axes: Any,
    keywords: dict[str, Any],
) -> Array:
    """`generic`, with the derivatives of a Gaussian of an order along each of the axes."""
    x = _arguments.image(input)
    along = _arguments.axes(axes, x)
    sigmas = _arguments.each(sigma, "sigma", len(along))

    def derivative(input: Array, axis: int, output: Any, mode: str, cval: Any) -> Array:
        orders = [order if k == axis else 0 for k in along]
        return gaussian_filter(input, sigmas, orders, output, mode, cval, axes=along, **keywords)

    options: Any = {name: value for name, value in keywords.items() if name in Options.__annotations__}
    return of_parts(generic, x, derivative, output, mode, cval, along, _arguments.settings(options))
