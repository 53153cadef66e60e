"""Laplacians and gradient magnitudes from any derivative, as in `scipy.ndimage`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.ndimage import _arguments
from fastconv.ndimage._arguments import Axes, Modes, Output, Settings
from fastconv.ndimage._numbers import rounds_later, store, wide_dtype

Derivative = Callable[..., Any]


def generic_laplace(
    input: ArrayLike,
    derivative2: Derivative,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: Axes = None,
) -> Array:
    """The sum of second derivatives along the axes, as `scipy.ndimage.generic_laplace`.

    Parameters
    ----------
    input, output, cval
        As for `correlate`.
    derivative2 : callable
        ``derivative2(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)``: the derivative
        along an axis, in `output` if that is an array, returned if it is a dtype.
    mode : str or sequence of str
        As for `correlate`, for all axes or one for each of `axes`.
    extra_arguments : sequence
        Further arguments of `derivative2`.
    extra_keywords : dict, optional
        Further keywords of `derivative2`.
    axes : int or sequence of int, optional
        The axes to take derivatives along; all by default.

    Returns
    -------
    ndarray
        Of the shape of `input`.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> def second(input, axis, output, mode, cval):
    ...     return ndimage.correlate1d(input, [1, -2, 1], axis, output, mode, cval)
    >>> ndimage.generic_laplace([1, 4, 9, 16, 25], second)
    array([ 3,  2,  2,  2, -9])
    """
    y, terms = _terms(input, derivative2, output, mode, cval, extra_arguments, extra_keywords, axes)
    for term in terms:
        y += term
    return y


def generic_gradient_magnitude(
    input: ArrayLike,
    derivative: Derivative,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: Axes = None,
) -> Array:
    """The root of the sum of squared derivatives, as `scipy.ndimage.generic_gradient_magnitude`.

    Parameters
    ----------
    input, output, mode, cval, extra_arguments, extra_keywords, axes
        As for `generic_laplace`.
    derivative : callable
        As `derivative2` there. What it returns is overwritten.

    Returns
    -------
    ndarray
        Of the shape of `input`. Squares and sums have its dtype: those of small integers wrap around.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import ndimage
    >>> slope = 3.0 * np.arange(4) + 4.0 * np.arange(4)[:, None]
    >>> ndimage.generic_gradient_magnitude(slope, ndimage.sobel, mode="mirror")[1:3, 1:3]
    array([[40., 40.],
           [40., 40.]])
    """
    y, terms = _terms(input, derivative, output, mode, cval, extra_arguments, extra_keywords, axes)
    if _arguments.axes(axes, y):
        np.multiply(y, y, out=y)
        for term in terms:
            y += np.multiply(term, term, out=term)
        np.sqrt(y, out=y, casting="unsafe")
    return y


def _terms(
    input: Any,
    derivative: Derivative,
    output: Any,
    mode: Any,
    cval: Any,
    extra_arguments: Sequence[Any],
    extra_keywords: Mapping[str, Any] | None,
    axes: Any,
) -> tuple[Array, Iterator[Array]]:
    """The output, with the derivative along the first axis in it (the input, if none), and the others."""
    x = _arguments.image(input)
    along = _arguments.axes(axes, x)
    y = _arguments.output(output, x)
    keywords = extra_keywords or {}
    if not along:
        np.copyto(y, x, casting="unsafe")
        return y, iter(())
    modes = _arguments.each(mode, "mode", len(along))
    if np.may_share_memory(x, y):
        x = x.copy()
    derivative(x, along[0], y, modes[0], cval, *extra_arguments, **keywords)
    others = zip(along[1:], modes[1:])
    return y, (derivative(x, k, y.dtype, one, cval, *extra_arguments, **keywords) for k, one in others)


def of_parts(
    generic: Callable[..., Array],
    x: Array,
    derivative: Derivative,
    output: Any,
    mode: Any,
    cval: Any,
    axes: Sequence[int],
    settings: Settings,
) -> Array:
    """`generic`, whose sum of several derivatives is rounded once where the settings ask for rounding."""
    y = _arguments.output(output, x)
    if not rounds_later(y.dtype, settings):
        return generic(x, derivative, y, mode, cval, axes=axes)
    wide = generic(x, derivative, wide_dtype(x.dtype, settings), mode, cval, axes=axes)
    store(wide, y, settings)
    return y
