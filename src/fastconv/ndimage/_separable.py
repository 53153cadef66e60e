"""Filters of one kernel for each axis: `uniform_filter` as in `scipy.ndimage`, and `sep_filter`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv._repr import short
from fastconv.ndimage import _arguments
from fastconv.ndimage._arguments import Axes, Modes, Options, Output
from fastconv.ndimage._passes import Kernel, passes

_Integers = SupportsIndex | Sequence[SupportsIndex]


def uniform_filter1d(
    input: ArrayLike,
    size: SupportsIndex,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: SupportsIndex = 0,
    **options: Unpack[Options],
) -> Array:
    """The mean of `size` neighbours along one axis, as `scipy.ndimage.uniform_filter1d`.

    Parameters
    ----------
    input, output, mode, cval
        As for `correlate`.
    size : int
        How many elements to average.
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
    Unlike in SciPy, an output depends on its own window only: a NaN does not reach to the end of the line,
    and rounding errors do not add up along it. A mean of any number of elements takes a few additions; one of
    integers is exact.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.uniform_filter1d([1.0, 1.0, 4.0, 1.0, float("nan"), 1.0, 1.0, 1.0], 3)
    array([ 1.,  2.,  2., nan, nan, nan,  1.,  1.])
    """
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    kernel = _box(size, _arguments.axis(axis, x), mode, origin)
    outside = _arguments.cval(cval, x)
    y = _arguments.output(output, x)
    passes(x, [kernel], outside, y, settings)
    return y


def uniform_filter(
    input: ArrayLike,
    size: _Integers = 3,
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    origin: _Integers = 0,
    *,
    axes: Axes = None,
    **options: Unpack[Options],
) -> Array:
    """The mean over a box, as `scipy.ndimage.uniform_filter`.

    Parameters
    ----------
    input, output, cval
        As for `correlate`.
    size, mode, origin
        As for `uniform_filter1d`, each the same for all axes or one for each of `axes`. A `size` of 0 or 1
        leaves its axis alone.
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
    As in SciPy, an integer output is truncated after each axis; with ``rounding="nearest"`` it is rounded
    once, at the end. The notes of `uniform_filter1d` hold here, too.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.uniform_filter([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], mode="constant")
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 0.]])
    """
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    along = _arguments.axes(axes, x)
    sizes, modes, origins = (
        _arguments.each(value, name, len(along))
        for value, name in ((size, "size"), (mode, "mode"), (origin, "origin"))
    )
    boxes = zip(sizes, along, modes, origins)
    kernels = [_box(m, k, one, shift) for m, k, one, shift in boxes if m not in (0, 1)]
    outside = _arguments.cval(cval, x)
    y = _arguments.output(output, x)
    passes(x, kernels, outside, y, settings)
    return y


def sep_filter(
    input: ArrayLike,
    kernels: Sequence[ArrayLike],
    output: Output = None,
    mode: Modes = "reflect",
    cval: complex = 0.0,
    origin: _Integers = 0,
    *,
    axes: Axes = None,
    **options: Unpack[Options],
) -> Array:
    """Correlate with one kernel along each axis, one axis after the other, as OpenCV's `sepFilter2D`.

    Parameters
    ----------
    input, output, cval
        As for `correlate`.
    kernels : sequence of array_like
        One-dimensional weights for each of `axes`, conjugated if complex.
    mode, origin
        As for `correlate`, each the same for all axes or one for each of `axes`.
    axes : int or sequence of int, optional
        The axes to filter along; all by default.
    **options
        `workers`, `accumulate`, `rounding`, `overflow`: see `fastconv.ndimage`.

    Returns
    -------
    ndarray
        Of the shape of `input`. An integer output is truncated after each axis; with ``rounding="nearest"``
        it is rounded once, at the end.

    Examples
    --------
    >>> from fastconv import ndimage
    >>> ndimage.sep_filter([[0, 0, 0], [0, 1, 0], [0, 0, 0]], ([1, 2, 1], [-1, 0, 1]))
    array([[ 1,  0, -1],
           [ 2,  0, -2],
           [ 1,  0, -1]])
    """
    settings = _arguments.settings(options)
    x = _arguments.image(input)
    along = _arguments.axes(axes, x)
    if len(kernels) != len(along):
        raise RuntimeError(
            f"kernels must have one entry for each of the {len(along)} axes, got {short(kernels)}"
        )
    weights = [_arguments.line(kernel, "kernels") for kernel in kernels]
    boundaries = _arguments.boundaries(mode, len(along))
    origins = [
        _arguments.origin(one, w.size)
        for one, w in zip(_arguments.each(origin, "origin", len(along)), weights)
    ]
    outside = _arguments.cval(cval, x)
    y = _arguments.output(output, x, any(w.dtype.kind == "c" for w in weights))
    chain = [Kernel(w.conj(), k, mode, one) for w, k, mode, one in zip(weights, along, boundaries, origins)]
    passes(x, chain, outside, y, settings)
    return y


def _box(size: SupportsIndex, axis: int, mode: str, origin: SupportsIndex) -> Kernel:
    """The kernel of a mean."""
    m = _arguments.whole(size, "size")
    if m < 1:
        raise RuntimeError(f"size must be at least 1, got {short(m)}")
    return Kernel(np.ones(m), axis, _arguments.boundary(mode), _arguments.origin(origin, m), m)
