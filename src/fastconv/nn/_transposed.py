"""`conv_transpose1d`, `conv_transpose2d`, `conv_transpose3d`: the layers of `torch.nn.functional`."""

from __future__ import annotations

from typing import Any, SupportsIndex, TypedDict, Unpack

from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.nn import _arguments, _compute, _geometry
from fastconv.nn._arguments import Algorithm, Ints, Layout
from fastconv.nn._convolution import checked_bias, checked_input, finish, place

AXES = "(in channels, out channels / groups, taps along each axis)"


class Options(TypedDict, total=False):
    """Keywords beyond PyTorch's; the namespace's docstring says what they do."""

    layout: Layout
    algorithm: Algorithm
    out: Array | None
    workers: SupportsIndex | None


def conv_transpose1d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The transpose of `conv1d`, as `torch.nn.functional.conv_transpose1d`.

    Parameters
    ----------
    input : array_like
        Of shape (N, C, L), or (C, L).
    weight : array_like
        Of shape (C, O / groups, K).
    bias, stride, padding, output_padding, groups, dilation, **options
        As for `conv_transpose2d`, with one spatial axis.

    Returns
    -------
    ndarray
        Of shape (N, O, L'), or (O, L').

    Examples
    --------
    >>> from fastconv import nn
    >>> nn.conv_transpose1d([[1., 2., 3.]], [[[1., 10.]]], stride=2)
    array([[ 1., 10.,  2., 20.,  3., 30.]])
    """
    return _transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation, **options)


def conv_transpose2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The transpose of `conv2d` as a linear map, as `torch.nn.functional.conv_transpose2d`.

    Each input element adds the weight, times itself, to the output, `stride` apart:
    ``y[n, o, q] = bias[o] + sum over c, p, k with q = p * stride + k * dilation - lo of weight[c, o, k] *
    x[n, c, p]``. Nothing is conjugated.

    Parameters
    ----------
    input : array_like
        Of shape (N, C, H, W), or (C, H, W) for a single image.
    weight : array_like
        Of shape (C, O / groups, K, L) and the input's dtype.
    bias : array_like, optional
        O numbers of the same dtype, added to the channels of the output.
    stride, dilation : int or tuple of int
        Steps between the inputs' places in the output, and between taps.
    padding : int, tuple of int or tuple of pairs
        Elements cut off at both ends of each axis of the output, or ((top, bottom), (left, right)).
    output_padding : int or tuple of int
        Elements more at the high end of each axis; less than the stride or the dilation.
    groups : int
        Channels of input and output are split into so many groups, of which each sees its own.
    **options
        `layout`, `algorithm`, `out`, `workers`: see `fastconv.nn`.

    Returns
    -------
    ndarray
        Of shape (N, O, H', W') or (O, H', W') and the input's dtype, with
        ``H' = (H - 1) * stride - top - bottom + dilation * (K - 1) + output_padding + 1``.

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    See Also
    --------
    conv_transpose2d_input, conv_transpose2d_weight : Its gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> nn.conv_transpose2d(np.ones((1, 2, 2)), np.ones((1, 1, 2, 2)))
    array([[[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]]])
    """
    return _transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation, **options)


def conv_transpose3d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    **options: Unpack[Options],
) -> Array:
    """The transpose of `conv3d`, as `torch.nn.functional.conv_transpose3d`.

    Parameters
    ----------
    input : array_like
        Of shape (N, C, D, H, W), or (C, D, H, W).
    weight : array_like
        Of shape (C, O / groups, K, L, M).
    bias, stride, padding, output_padding, groups, dilation, **options
        As for `conv_transpose2d`, with three spatial axes.

    Returns
    -------
    ndarray
        Of shape (N, O, D', H', W'), or (O, D', H', W').

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> nn.conv_transpose3d(np.ones((1, 4, 2, 2, 2)), np.ones((4, 3, 2, 2, 2)), stride=2).shape
    (1, 3, 4, 4, 4)
    """
    return _transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation, **options)


def pose(
    rank: int,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    x_name: str = "input",
    w_name: str = "weight",
) -> _geometry.Geometry:
    """The geometry of a transposed layer for the arguments as the user wrote them."""
    pads = _arguments.padding(padding, rank, words=False)
    assert not isinstance(pads, str)
    return _geometry.transposed(
        x_shape,
        w_shape,
        _arguments.per_axis(stride, "stride", rank),
        pads,
        _arguments.per_axis(output_padding, "output_padding", rank, 0),
        _arguments.per_axis(dilation, "dilation", rank),
        _arguments.integer(groups, "groups", 1),
        x_name,
        w_name,
    )


def _transpose(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
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
    w = _arguments.array(weight, "weight", (rank + 2,), AXES)
    x = checked_input(input, rank)
    n_workers = _arguments.workers(workers)
    unbatched = x.ndim == rank + 1
    x = _arguments.channels_first(x, rank, layout)
    geometry = pose(rank, x.shape, w.shape, stride, padding, output_padding, groups, dilation)
    b = None
    if bias is not None:
        b = checked_bias(bias, geometry.channels, "groups * weight.shape[1]")
    _arguments.same_dtype(input=x, weight=w, bias=b)
    y, result = place(out, geometry.x_shape, x.dtype, rank, layout, unbatched, (x, w, b))
    _compute.input_gradient(geometry, w, x, b, y, algorithm, n_workers)
    return finish(out, y, result)
