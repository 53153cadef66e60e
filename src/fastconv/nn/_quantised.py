"""`conv_integer` and `qlinear_conv`: layers of 8-bit integers, as ONNX's ConvInteger and QLinearConv."""

from __future__ import annotations

from typing import Any, SupportsIndex, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check, _layer8
from fastconv._problem import Array
from fastconv._repr import short
from fastconv.nn import _arguments, _geometry
from fastconv.nn._arguments import Ints, Layout, Padding
from fastconv.nn._convolution import WEIGHT_AXES, checked_bias, checked_input, finish, place

BYTES = ("int8", "uint8")


class Options(TypedDict, total=False):
    """Keywords beyond ONNX's attributes; the namespace's docstring says what they do."""

    layout: Layout
    out: Array | None
    workers: SupportsIndex | None


class Layer:
    """A layer of bytes but for its input: checked arguments, and the weights as the kernels read them."""

    def __init__(
        self,
        w: Any,
        x_zero_point: Any,
        w_zero_point: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: Any,
        layout: Any,
    ) -> None:
        w = _check.array(w, "w")
        self.rank = w.ndim - 2
        if self.rank not in (1, 2, 3):
            raise ValueError(f"w must have 3, 4 or 5 dimensions, {WEIGHT_AXES}, got shape {w.shape}")
        if w.dtype not in BYTES:
            raise TypeError(f"w must hold int8 or uint8, got {w.dtype}")
        self.w: Array = w
        self.layout = _arguments.layout(layout)
        self.steps = _arguments.per_axis(stride, "stride", self.rank)
        self.padding = _arguments.padding(padding, self.rank)
        self.dilation = _arguments.per_axis(dilation, "dilation", self.rank)
        self.groups = _arguments.integer(groups, "groups", 1)
        self.x_zero_point = x_zero_point
        zeros = _zero_point(w_zero_point, "w_zero_point", w.dtype, len(w))
        signed = zeros - (128 if w.dtype == np.uint8 else 0)
        self.w_zero: Array = np.ascontiguousarray(np.broadcast_to(signed, len(w)), np.int32)
        self.packed: _layer8.Weights | None = None

    def pack(self) -> _layer8.Weights:
        """The weights, packed once; `groups` must divide the outputs."""
        if self.packed is None:
            self.packed = _layer8.Weights(self.w, self.groups)
        return self.packed

    def __call__(
        self, x: Any, bias: Array | None, y_zero: Any, factors: Array | None, out: Any, workers: Any
    ) -> Array:
        """The sums; with factors, these times the sums, rounded to bytes. y_zero: as the user gave it.

        The padding stands for x's zero. Products of bytes want x unsigned and w signed, see `_layer8`.
        """
        x = checked_input(x, self.rank, "x")
        if x.dtype not in BYTES:
            raise TypeError(f"x must hold int8 or uint8, got {x.dtype}")
        dtype, zero = np.dtype(np.int32), 0
        if factors is not None:
            dtype, zero = _result_zero(y_zero, x.dtype)
        n_workers = _arguments.workers(workers)
        unbatched = x.ndim == self.rank + 1
        x_zero = int(_zero_point(self.x_zero_point, "x_zero_point", x.dtype, 1)[0])
        x = _arguments.channels_first(x, self.rank, self.layout)
        g = _geometry.layer(
            x.shape, self.w.shape, self.steps, self.padding, self.dilation, self.groups, "zero", "x", "w"
        )
        y, result = place(out, g.y_shape, dtype, self.rank, self.layout, unbatched, (x,))
        total = y if y.flags.aligned else np.empty(y.shape, dtype)
        packed = self.pack()
        x_zero += 128 if x.dtype == np.int8 else 0
        sums = (self.w_zero * np.int64(g.terms) - packed.totals) * x_zero
        if bias is not None:
            sums += bias
        _layer8.forward(
            x,
            packed,
            x_zero,
            self.w_zero if self.w_zero.any() else None,
            sums.astype(np.int32),
            total,
            g.stride,
            g.dilation,
            g.lo,
            factors,
            zero,
            n_workers,
        )
        if total is not y:
            y[...] = total
        return finish(out, y, result)


def conv_integer(
    x: ArrayLike,
    w: ArrayLike,
    x_zero_point: Any = 0,
    w_zero_point: Any = 0,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """Correlate 8-bit integers with 8-bit filters over channels into int32, as ONNX's ConvInteger.

    ``y = sum over c, k of (w - w_zero_point) * (x - x_zero_point)``, exactly; the padding holds x_zero_point.

    Parameters
    ----------
    x : array_like
        int8 or uint8, of shape (N, C, *S) or (C, *S) with one to three spatial axes S.
    w : array_like
        int8 or uint8, of shape (O, C / groups, *K).
    x_zero_point : int
        What stands for 0 in `x`; of its dtype's range.
    w_zero_point : int or O ints
        What stands for 0 in `w`, for all outputs or for each.
    stride, padding, dilation, groups
        As for `conv2d`.
    **options
        `layout`, `out`, `workers`: see `fastconv.nn`.

    Returns
    -------
    ndarray
        int32, of shape (N, O, *S') or (O, *S').

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said.

    See Also
    --------
    qlinear_conv : The result in 8 bits, too.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> x = np.array([[128, 130, 255]], np.uint8)
    >>> nn.conv_integer(x, np.array([[[1, -1]]], np.int8), x_zero_point=128)
    array([[  -2, -125]], dtype=int32)
    """
    return _conv_integer(x, w, x_zero_point, w_zero_point, stride, padding, dilation, groups, **options)


def _conv_integer(
    x: Any,
    w: Any,
    x_zero_point: Any,
    w_zero_point: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    *,
    layout: Any = "NCHW",
    out: Any = None,
    workers: Any = None,
) -> Array:
    layer = Layer(w, x_zero_point, w_zero_point, stride, padding, dilation, groups, layout)
    return layer(x, None, 0, None, out, workers)


def qlinear_conv(
    x: ArrayLike,
    x_scale: Any,
    x_zero_point: Any,
    w: ArrayLike,
    w_scale: Any,
    w_zero_point: Any,
    y_scale: Any,
    y_zero_point: Any,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    **options: Unpack[Options],
) -> Array:
    """A layer of quantised numbers ``scale * (q - zero_point)``, as ONNX's QLinearConv.

    The sums of `conv_integer`, plus the bias, times ``x_scale * w_scale / y_scale`` in float64, are rounded
    to the nearest integer, halves to the even one; `y_zero_point` is added, and what leaves the range of the
    result stops at its ends.

    Parameters
    ----------
    x, x_zero_point, w, w_zero_point
        As for `conv_integer`.
    x_scale, y_scale : float
        Positive.
    w_scale : float or O floats
        Positive, for all outputs or for each.
    y_zero_point : int
        What stands for 0 in the result. A NumPy scalar or array of int8 or uint8 gives the result this dtype;
        a Python int gives it that of `x`.
    bias : array_like, optional
        O numbers of int32, of the scale ``x_scale * w_scale``.
    stride, padding, dilation, groups
        As for `conv2d`.
    **options
        `layout`, `out`, `workers`: see `fastconv.nn`.

    Returns
    -------
    ndarray
        int8 or uint8, of shape (N, O, *S') or (O, *S').

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> x = np.array([[10, 20, 200]], np.uint8)
    >>> w = np.array([[[1, 1]]], np.int8)
    >>> nn.qlinear_conv(x, 0.5, 0, w, 1.0, 0, 0.5, 100)
    array([[130, 255]], dtype=uint8)
    """
    quantised = x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias
    return _qlinear_conv(quantised, stride, padding, dilation, groups, **options)


def _qlinear_conv(
    quantised: tuple[Any, ...],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    *,
    layout: Any = "NCHW",
    out: Any = None,
    workers: Any = None,
) -> Array:
    x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias = quantised
    layer = Layer(w, x_zero_point, w_zero_point, stride, padding, dilation, groups, layout)
    factors, b = scaling(len(layer.w), x_scale, w_scale, y_scale, bias)
    return layer(x, b, y_zero_point, factors, out, workers)


def scaling(outputs: int, x_scale: Any, w_scale: Any, y_scale: Any, bias: Any) -> tuple[Array, Array | None]:
    """What sums are multiplied by, and what is added before, for each output."""
    ratio = (
        _scale(x_scale, "x_scale", 1) * _scale(w_scale, "w_scale", outputs) / _scale(y_scale, "y_scale", 1)
    )
    b = None
    if bias is not None:
        b = checked_bias(bias, outputs, "w.shape[0]")
        if b.dtype != np.int32:
            raise TypeError(f"bias must hold int32, got {b.dtype}")
    return np.ascontiguousarray(np.broadcast_to(ratio, outputs)), b


def _result_zero(y_zero_point: Any, x_dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """The result's dtype and what stands for 0 in it."""
    dtype = x_dtype
    if isinstance(y_zero_point, (np.generic, np.ndarray)) and y_zero_point.dtype in BYTES:
        dtype = y_zero_point.dtype
    return dtype, int(_zero_point(y_zero_point, "y_zero_point", dtype, 1)[0])


def _zero_point(value: Any, name: str, dtype: np.dtype[Any], outputs: int) -> Array:
    """One int of the dtype's range, or one for each output."""
    zeros = _check.array(value, name)
    if zeros.dtype.kind not in "iu":
        raise TypeError(f"{name} must be of integers, got {short(value)}")
    info = np.iinfo(dtype)
    zeros = _one_or_each(zeros, name, outputs)
    if zeros.size and not (info.min <= zeros.min() and zeros.max() <= info.max):
        raise ValueError(f"{name} must be from {info.min} to {info.max}, got {short(value)}")
    return zeros.astype(np.int32)


def _scale(value: Any, name: str, outputs: int) -> Array:
    scales = _check.array(value, name)
    if scales.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be of real numbers, got {short(value)}")
    scales = _one_or_each(scales, name, outputs).astype(np.float64)
    if not ((scales > 0) & np.isfinite(scales)).all():
        raise ValueError(f"{name} must be positive and finite, got {short(value)}")
    return scales


def _one_or_each(values: Array, name: str, outputs: int) -> Array:
    if values.ndim > 1 or values.size not in (1, outputs):
        each = f" or {outputs} of them, one for each output channel" if outputs > 1 else ""
        raise ValueError(f"{name} must be a number{each}, got shape {values.shape}")
    return values.reshape(-1)
