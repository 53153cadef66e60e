"""`conv1d`, `conv2d`, `conv3d`: the layers of `torch.nn.functional`."""

from __future__ import annotations

from typing import Any, NamedTuple, SupportsIndex, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check
from fastconv._problem import Array, Kept
from fastconv.nn import _arguments, _calls, _compute, _geometry
from fastconv.nn._arguments import Algorithm, Ints, Layout, Padding, PaddingMode

WEIGHT_AXES = "(out channels, in channels / groups, taps along each axis)"


class Options(TypedDict, total=False):
    """Keywords beyond PyTorch's; the namespace's docstring says what they do."""

    padding_mode: PaddingMode
    layout: Layout
    algorithm: Algorithm
    out: Array | None
    workers: SupportsIndex | None


class Parameters(NamedTuple):
    """What a layer is besides its weight and bias, checked."""

    stride: tuple[int, ...]
    padding: _geometry.Pads
    dilation: tuple[int, ...]
    groups: int
    boundary: str
    layout: str
    algorithm: str


def conv1d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """Correlate signals with filters over channels, as `torch.nn.functional.conv1d`.

    Parameters
    ----------
    input : array_like
        Of shape (N, C, L), or (C, L).
    weight : array_like
        Of shape (O, C / groups, K).
    bias, stride, padding, dilation, groups, **options
        As for `conv2d`, with one spatial axis.

    Returns
    -------
    ndarray
        Of shape (N, O, L'), or (O, L').

    Examples
    --------
    >>> from fastconv import nn
    >>> nn.conv1d([[1., 2., 3., 4.]], [[[1., 10.]]], stride=2)
    array([[21., 43.]])
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups, **options)


def conv2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """Correlate images with filters over channels, as `torch.nn.functional.conv2d`.

    ``y[n, o, p] = bias[o] + sum over c, k of weight[o, c, k] * x[n, c, p * stride + k * dilation - lo]`` with
    the padded input x, where lo elements of padding stand before it, and c runs over the channels in o's
    group. Nothing is reversed or conjugated.

    Parameters
    ----------
    input : array_like
        Of shape (N, C, H, W), or (C, H, W) for a single image. N may be 0. Any strides will do.
    weight : array_like
        Of shape (O, C / groups, K, L) and the input's dtype.
    bias : array_like, optional
        O numbers of the same dtype, added to the channels of the output.
    stride, dilation : int or tuple of int
        Steps between outputs and between taps, for both axes or for each.
    padding : int, tuple of int, tuple of pairs, "same" or "valid"
        Elements added at both ends of each axis, or ((top, bottom), (left, right)). "same" gives an output of
        the input's size, with the odd element at the high end, for a stride of 1; "valid" is 0.
    groups : int
        Channels of input and output are split into so many groups, of which each sees its own.
    **options
        `padding_mode`, `layout`, `algorithm`, `out`, `workers`: see `fastconv.nn`.

    Returns
    -------
    ndarray
        Of shape (N, O, H', W') or (O, H', W') and the input's dtype, with
        ``H' = (H + top + bottom - dilation * (K - 1) - 1) // stride + 1``.

    Raises
    ------
    ValueError
        If shapes do not fit, or a number is out of its range.
    TypeError
        If the dtypes are not the same, or not of numbers.

    See Also
    --------
    Conv2d : The layer with its weight prepared, for many inputs.
    conv2d_input, conv2d_weight : Its gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> nn.conv2d(x, np.ones((2, 1, 2, 2)), bias=[0.0, 100.0])
    array([[[[  8.,  12.],
             [ 20.,  24.]],
    <BLANKLINE>
            [[108., 112.],
             [120., 124.]]]])
    >>> nn.conv2d(x, np.ones((1, 1, 3, 3)), padding=1, padding_mode="replicate")[0, 0, 0]
    array([12., 18., 24.])
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups, **options)


def conv3d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """Correlate volumes with filters over channels, as `torch.nn.functional.conv3d`.

    Parameters
    ----------
    input : array_like
        Of shape (N, C, D, H, W), or (C, D, H, W).
    weight : array_like
        Of shape (O, C / groups, K, L, M).
    bias, stride, padding, dilation, groups, **options
        As for `conv2d`, with three spatial axes.

    Returns
    -------
    ndarray
        Of shape (N, O, D', H', W'), or (O, D', H', W').

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> nn.conv3d(np.ones((1, 2, 4, 4, 4)), np.ones((5, 2, 3, 3, 3)), padding="same").shape
    (1, 5, 4, 4, 4)
    """
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups, **options)


def parameters(
    rank: int,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    padding_mode: Any,
    layout: Any,
    algorithm: Any,
) -> Parameters:
    return Parameters(
        _arguments.per_axis(stride, "stride", rank),
        _arguments.padding(padding, rank),
        _arguments.per_axis(dilation, "dilation", rank),
        _arguments.integer(groups, "groups", 1),
        _arguments.boundary(padding_mode),
        _arguments.layout(layout),
        _arguments.algorithm(algorithm),
    )


def checked_weight(weight: Any, bias: Any, rank: int) -> tuple[Array, Array | None]:
    w = _arguments.array(weight, "weight", (rank + 2,), WEIGHT_AXES)
    return w, None if bias is None else checked_bias(bias, w.shape[0], "weight.shape[0]")


def checked_bias(bias: Any, outputs: int, what: str) -> Array:
    b = _arguments.array(bias, "bias", (1,), "one number for each output channel")
    if len(b) != outputs:
        raise ValueError(f"bias must have {what} = {outputs} elements, got {len(b)}")
    return b


def checked_input(x: Any, rank: int, name: str = "input") -> Array:
    return _arguments.array(x, name, (rank + 1, rank + 2), "batch (or none), channels and spatial axes")


def apply(
    rank: int,
    given: Parameters,
    input: Any,
    w: Array,
    bias: Array | None,
    out: Any,
    workers: Any,
    kept: Kept | None,
) -> Array:
    """The layer of `input`, for checked parameters, weight and bias."""
    x = checked_input(input, rank)
    _arguments.same_dtype(input=x, weight=w, bias=bias)
    n_workers = _arguments.workers(workers)
    unbatched = x.ndim == rank + 1
    x = _arguments.channels_first(x, rank, given.layout)
    geometry = _geometry.layer(
        x.shape, w.shape, given.stride, given.padding, given.dilation, given.groups, given.boundary
    )
    y, result = place(out, geometry.y_shape, x.dtype, rank, given.layout, unbatched, (x, w, bias))
    _compute.layer(geometry, x, w, bias, y, given.algorithm, n_workers, kept)
    return finish(out, y, result)


def place(
    out: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    rank: int,
    layout: str,
    unbatched: bool,
    inputs: tuple[Array | None, ...],
) -> tuple[Array, Array]:
    """(where the result is computed, in the order of `shape`; the same memory as the user sees it)."""
    outer = _arguments.shape_in_layout(shape, layout, unbatched)
    if out is None:
        result = np.empty(outer, dtype)
    else:
        result = _check.out(out, outer, dtype)
        if any(x is not None and np.may_share_memory(result, x) for x in inputs):
            result = np.empty(outer, dtype)
    return _arguments.channels_first(result, rank, layout), result


def finish(out: Any, y: Array, result: Array) -> Array:
    """What the user gets: `out`, if given, which a result that was computed elsewhere is copied to."""
    if out is None:
        return result
    if out is not result and not np.may_share_memory(out, result):
        out[...] = result
    returned: Array = out
    return returned


def _convolve(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
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
    key = None
    if type(input) is type(weight) is np.ndarray and (bias is None or type(bias) is np.ndarray):
        key = _key(
            (rank, input.shape, weight.shape, input.dtype, weight.dtype, padding_mode, layout, algorithm),
            (stride, padding, dilation, groups),
        )
    known = _known.get(key)
    if known is not None and weight.flags.aligned and _fits(bias, known):
        y = _calls.run(known, input, weight, bias, out, workers, None)
        if y is not None:
            return y
    given = parameters(rank, stride, padding, dilation, groups, padding_mode, layout, algorithm)
    w, b = checked_weight(weight, bias, rank)
    y = apply(rank, given, input, w, b, out, workers, None)
    if known is None and key is not None and layout == "NCHW":
        _calls.remember(_known, key, kind_of(rank, given, input, w, False))
    return y


_known: dict[Any, _calls.Kind] = {}


def _key(words: tuple[Any, ...], numbers: tuple[Any, ...]) -> Any:
    """What a kind of calls is found by, or None. 1 == True == 1.0: types belong to it."""
    for value in numbers:
        if type(value) is tuple:
            if any(type(k) is not int for k in value):
                return None
        elif type(value) is not int and type(value) is not str:
            return None
    for value in words[5:]:
        if type(value) is not str:
            return None
    return words, numbers


def _fits(bias: Array | None, kind: _calls.Kind) -> bool:
    """Whether a bias is what engines take."""
    if bias is None:
        return True
    return bias.shape == (kind.geometry.outputs,) and bias.dtype == kind.dtype and bias.flags.aligned


def kind_of(rank: int, given: Parameters, x: Array, w: Array, prepared: bool) -> _calls.Kind | None:
    """What to remember of a call that went well."""
    if _compute.work_dtype(x.dtype) != x.dtype:
        return None
    shape = x.shape if x.ndim == rank + 2 else (1, *x.shape)
    geometry = _geometry.layer(
        shape, w.shape, given.stride, given.padding, given.dilation, given.groups, given.boundary
    )
    return _calls.kind(geometry, x.dtype, given.algorithm, x.ndim == rank + 1, prepared)
