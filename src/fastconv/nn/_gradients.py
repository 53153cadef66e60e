"""The gradients of `torch.nn.grad`: of a layer's input and of its weight."""

from __future__ import annotations

from typing import Any, SupportsIndex, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.nn import _arguments, _compute, _geometry
from fastconv.nn._arguments import Ints, Padding
from fastconv.nn._convolution import WEIGHT_AXES, Options, checked_input, finish, parameters, place


def conv1d_input(
    input_size: tuple[int, ...],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv1d` with respect to its input; see `conv2d_input`.

    Examples
    --------
    >>> from fastconv import nn
    >>> nn.conv1d_input((1, 4), [[[1., 10.]]], [[1., 2., 3.]])
    array([[ 1., 12., 23., 30.]])
    """
    return _input(1, input_size, weight, grad_output, stride, padding, dilation, groups, **options)


def conv2d_input(
    input_size: tuple[int, ...],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv2d` with respect to its input, as `torch.nn.grad.conv2d_input`.

    Parameters
    ----------
    input_size : tuple of int
        The input's shape.
    weight : array_like
        The layer's weight.
    grad_output : array_like
        The gradient with respect to the layer's output, of its shape and the weight's dtype.
    stride, padding, dilation, groups, **options
        The layer's, as for `conv2d`.

    Returns
    -------
    ndarray
        Of shape `input_size` and the weight's dtype.

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Notes
    -----
    Of complex layers it is what PyTorch's autograd gives: `weight` is conjugated. With a `padding_mode` the
    elements that were copied into the padding gather the gradients of their copies.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> nn.conv2d_input((1, 3, 3), np.ones((1, 1, 2, 2)), np.ones((1, 2, 2)))
    array([[[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]]])
    """
    return _input(2, input_size, weight, grad_output, stride, padding, dilation, groups, **options)


def conv3d_input(
    input_size: tuple[int, ...],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv3d` with respect to its input; see `conv2d_input`."""
    return _input(3, input_size, weight, grad_output, stride, padding, dilation, groups, **options)


def conv1d_weight(
    input: ArrayLike,
    weight_size: tuple[int, ...],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv1d` with respect to its weight; see `conv2d_weight`.

    Examples
    --------
    >>> from fastconv import nn
    >>> nn.conv1d_weight([[1., 2., 3.]], (1, 1, 2), [[1., 10.]])
    array([[[21., 32.]]])
    """
    return _weight(1, input, weight_size, grad_output, stride, padding, dilation, groups, **options)


def conv2d_weight(
    input: ArrayLike,
    weight_size: tuple[int, ...],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv2d` with respect to its weight, as `torch.nn.grad.conv2d_weight`.

    Parameters
    ----------
    input : array_like
        The layer's input.
    weight_size : tuple of int
        The weight's shape.
    grad_output : array_like
        The gradient with respect to the layer's output, of its shape and the input's dtype.
    stride, padding, dilation, groups, **options
        The layer's, as for `conv2d`.

    Returns
    -------
    ndarray
        Of shape `weight_size` and the input's dtype.

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Notes
    -----
    Of complex layers it is what PyTorch's autograd gives: `input` is conjugated. The gradient of the bias is
    the sum of `grad_output` over all axes but that of its channels.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> x = np.arange(9.0).reshape(1, 3, 3)
    >>> nn.conv2d_weight(x, (1, 1, 2, 2), np.ones((1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    return _weight(2, input, weight_size, grad_output, stride, padding, dilation, groups, **options)


def conv3d_weight(
    input: ArrayLike,
    weight_size: tuple[int, ...],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv3d` with respect to its weight; see `conv2d_weight`."""
    return _weight(3, input, weight_size, grad_output, stride, padding, dilation, groups, **options)


def same_shape(g: Array, shape: tuple[int, ...], unbatched: bool, rank: int, layout: str) -> Array:
    """The gradient of an output, channels first, if it has the output's shape."""
    outer = _arguments.shape_in_layout(shape, layout, unbatched)
    if g.shape != outer:
        raise ValueError(f"grad_output must have the output's shape {outer}, got {g.shape}")
    return _arguments.channels_first(g, rank, layout)


def conjugate(x: Array) -> Array:
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _input(
    rank: int,
    input_size: Any,
    weight: Any,
    grad_output: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    *,
    padding_mode: Any = "zeros",
    layout: Any = "NCHW",
    algorithm: Any = "auto",
    out: Any = None,
    workers: Any = None,
) -> Array:
    given = parameters(rank, stride, padding, dilation, groups, padding_mode, layout, algorithm)
    size = _arguments.sizes(input_size, "input_size", (rank + 1, rank + 2))
    w = _arguments.array(weight, "weight", (rank + 2,), WEIGHT_AXES)
    g = checked_input(grad_output, rank, "grad_output")
    _arguments.same_dtype(weight=w, grad_output=g)
    n_workers = _arguments.workers(workers)
    unbatched = len(size) == rank + 1
    x_shape = _arguments.shape_channels_first(size, rank, layout)
    geometry = _geometry.layer(x_shape, w.shape, *given[:5], "input_size")
    g = same_shape(g, geometry.y_shape, unbatched, rank, layout)
    x, result = place(out, x_shape, w.dtype, rank, layout, unbatched, (w, g))
    _compute.input_gradient(geometry, conjugate(w), g, None, x, given.algorithm, n_workers)
    return finish(out, x, result)


def _weight(
    rank: int,
    input: Any,
    weight_size: Any,
    grad_output: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    *,
    padding_mode: Any = "zeros",
    layout: Any = "NCHW",
    algorithm: Any = "auto",
    out: Any = None,
    workers: Any = None,
) -> Array:
    given = parameters(rank, stride, padding, dilation, groups, padding_mode, layout, algorithm)
    x = checked_input(input, rank)
    w_shape = _arguments.sizes(weight_size, "weight_size", (rank + 2,))
    g = checked_input(grad_output, rank, "grad_output")
    _arguments.same_dtype(input=x, grad_output=g)
    n_workers = _arguments.workers(workers)
    unbatched = x.ndim == rank + 1
    x = _arguments.channels_first(x, rank, layout)
    geometry = _geometry.layer(x.shape, w_shape, *given[:5], w_name="weight_size")
    g = same_shape(g, geometry.y_shape, unbatched, rank, layout)
    w, result = weight_place(out, w_shape, x, g)
    _compute.weight_gradient(geometry, conjugate(x), g, w, given.algorithm, n_workers)
    return finish(out, w, result)


def weight_place(out: Any, shape: tuple[int, ...], x: Array, g: Array) -> tuple[Array, Array]:
    """As `place`, for a weight's gradient, which has no layout."""
    return place(out, shape, x.dtype, len(shape) - 2, "NCHW", False, (x, g))
