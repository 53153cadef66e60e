"""Gradients of the transposed layers, named as `torch.nn.grad` names those of the others."""

from __future__ import annotations

from typing import Any, SupportsIndex, Unpack

from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.nn import _arguments, _compute
from fastconv.nn._arguments import Ints
from fastconv.nn._convolution import checked_input, finish, place
from fastconv.nn._gradients import conjugate, same_shape, weight_place
from fastconv.nn._transposed import AXES, Options, pose


def conv_transpose1d_input(
    input_size: tuple[int, ...],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv_transpose1d` with respect to its input; see `conv_transpose2d_input`."""
    return _input(
        1, input_size, weight, grad_output, stride, padding, output_padding, groups, dilation, **options
    )


def conv_transpose2d_input(
    input_size: tuple[int, ...],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv_transpose2d` with respect to its input.

    Parameters
    ----------
    input_size : tuple of int
        The input's shape.
    weight : array_like
        The layer's weight.
    grad_output : array_like
        The gradient with respect to the layer's output, of its shape and the weight's dtype.
    stride, padding, output_padding, groups, dilation, **options
        The layer's, as for `conv_transpose2d`.

    Returns
    -------
    ndarray
        Of shape `input_size` and the weight's dtype.

    Raises
    ------
    ValueError, TypeError
        As `conv_transpose2d`.

    Notes
    -----
    It is `conv2d` of `grad_output` with the same weight, conjugated if it is complex.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> nn.conv_transpose2d_input((1, 2, 2), np.ones((1, 1, 2, 2)), np.ones((1, 3, 3)))
    array([[[4., 4.],
            [4., 4.]]])
    """
    return _input(
        2, input_size, weight, grad_output, stride, padding, output_padding, groups, dilation, **options
    )


def conv_transpose3d_input(
    input_size: tuple[int, ...],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv_transpose3d` with respect to its input; see `conv_transpose2d_input`."""
    return _input(
        3, input_size, weight, grad_output, stride, padding, output_padding, groups, dilation, **options
    )


def conv_transpose1d_weight(
    input: ArrayLike,
    weight_size: tuple[int, ...],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv_transpose1d` with respect to its weight; see `conv_transpose2d_weight`."""
    return _weight(
        1, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation, **options
    )


def conv_transpose2d_weight(
    input: ArrayLike,
    weight_size: tuple[int, ...],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv_transpose2d` with respect to its weight.

    Parameters
    ----------
    input : array_like
        The layer's input.
    weight_size : tuple of int
        The weight's shape.
    grad_output : array_like
        The gradient with respect to the layer's output, of its shape and the input's dtype.
    stride, padding, output_padding, groups, dilation, **options
        The layer's, as for `conv_transpose2d`.

    Returns
    -------
    ndarray
        Of shape `weight_size` and the input's dtype.

    Raises
    ------
    ValueError, TypeError
        As `conv_transpose2d`.

    Notes
    -----
    A complex `input` is conjugated. The gradient of the bias is the sum of `grad_output` over all axes but
    that of its channels.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> x = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> nn.conv_transpose2d_weight(x, (1, 1, 2, 2), np.ones((1, 3, 3)))
    array([[[[10., 10.],
             [10., 10.]]]])
    """
    return _weight(
        2, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation, **options
    )


def conv_transpose3d_weight(
    input: ArrayLike,
    weight_size: tuple[int, ...],
    grad_output: ArrayLike,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The gradient of `conv_transpose3d` with respect to its weight; see `conv_transpose2d_weight`."""
    return _weight(
        3, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation, **options
    )


def _input(
    rank: int,
    input_size: Any,
    weight: Any,
    grad_output: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    *,
    layout: Any = "NCHW",
    algorithm: Any = "auto",
    out: Any = None,
    workers: Any = None,
) -> Array:
    layout, algorithm = _arguments.layout(layout), _arguments.algorithm(algorithm)
    size = _arguments.sizes(input_size, "input_size", (rank + 1, rank + 2))
    w = _arguments.array(weight, "weight", (rank + 2,), AXES)
    g = checked_input(grad_output, rank, "grad_output")
    _arguments.same_dtype(weight=w, grad_output=g)
    n_workers = _arguments.workers(workers)
    unbatched = len(size) == rank + 1
    shape = _arguments.shape_channels_first(size, rank, layout)
    geometry = pose(
        rank, shape, w.shape, stride, padding, output_padding, groups, dilation, x_name="input_size"
    )
    g = same_shape(g, geometry.x_shape, unbatched, rank, layout)
    x, result = place(out, shape, w.dtype, rank, layout, unbatched, (w, g))
    _compute.layer(geometry, g, conjugate(w), None, x, algorithm, n_workers)
    return finish(out, x, result)


def _weight(
    rank: int,
    input: Any,
    weight_size: Any,
    grad_output: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    *,
    layout: Any = "NCHW",
    algorithm: Any = "auto",
    out: Any = None,
    workers: Any = None,
) -> Array:
    layout, algorithm = _arguments.layout(layout), _arguments.algorithm(algorithm)
    x = checked_input(input, rank)
    w_shape = _arguments.sizes(weight_size, "weight_size", (rank + 2,))
    g = checked_input(grad_output, rank, "grad_output")
    _arguments.same_dtype(input=x, grad_output=g)
    n_workers = _arguments.workers(workers)
    unbatched = x.ndim == rank + 1
    x = _arguments.channels_first(x, rank, layout)
    geometry = pose(
        rank, x.shape, w_shape, stride, padding, output_padding, groups, dilation, w_name="weight_size"
    )
    g = same_shape(g, geometry.x_shape, unbatched, rank, layout)
    w, result = weight_place(out, w_shape, x, g)
    _compute.weight_gradient(geometry, g, conjugate(x), w, algorithm, n_workers)
    return finish(out, w, result)
