"""`conv_integer` and `qlinear_conv`: layers of 8-bit integers, as ONNX's ConvInteger and QLinearConv."""

from __future__ import annotations

from typing import Any, SupportsIndex, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check, _layer, _layer8
from fastconv._problem import Array
from fastconv._repr import short
from fastconv.nn import _arguments, _geometry
from fastconv.nn._arguments import Ints, Layout, Padding
from fastconv.nn._convolution import WEIGHT_AXES, checked_bias, checked_input, finish, place
from fastconv.nn._geometry import padded

BYTES = ("int8", "uint8")


class Options(TypedDict, total=False):
    """Keywords beyond ONNX's attributes; the namespace's docstring says what they do."""

    layout: Layout
    out: Array | None
    workers: SupportsIndex | None


class _Layer:
    """A layer of bytes: checked arguments, and its sums."""

    def __init__(
        self,
        x: Any,
        w: Any,
        x_zero_point: Any,
        w_zero_point: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: Any,
        layout: Any,
        workers: Any,
    ) -> None:
        w = _check.array(w, "w")
        self.rank = w.ndim - 2
        if self.rank not in (1, 2, 3):
            raise ValueError(f"w must have 3, 4 or 5 dimensions, {WEIGHT_AXES}, got shape {w.shape}")
        x = checked_input(x, self.rank, "x")
        for name, array in (("x", x), ("w", w)):
            if array.dtype not in BYTES:
                raise TypeError(f"{name} must hold int8 or uint8, got {array.dtype}")
        self.dtype: np.dtype[Any] = x.dtype
        self.workers = _arguments.workers(workers)
        self.layout = _arguments.layout(layout)
        self.unbatched = x.ndim == self.rank + 1
        self.x = _arguments.channels_first(x, self.rank, self.layout)
        self.w: Array = w
        self.geometry = _geometry.layer(
            self.x.shape,
            w.shape,
            _arguments.per_axis(stride, "stride", self.rank),
            _arguments.padding(padding, self.rank),
            _arguments.per_axis(dilation, "dilation", self.rank),
            _arguments.integer(groups, "groups", 1),
            "zero",
            "x",
            "w",
        )
        self.x_zero = _zero_point(x_zero_point, "x_zero_point", x.dtype, 1)
        self.w_zero = _zero_point(w_zero_point, "w_zero_point", w.dtype, w.shape[0])

    def sums(self, y: Array) -> None:
        """y = the sums of (x - x_zero_point) (w - w_zero_point), modulo 2^32. Padding stands for x's zero.

        Products of bytes want x unsigned and w signed: 128 is added to bytes and zero points of an x that is
        not, and subtracted from those of w. Then, with K terms in each sum,

            y = sum x w - w_zero sum x - x_zero (sum w - K w_zero)

        where the sum of x is that of one output channel more for each group, with weights of 1.
        """
        g = self.geometry
        if 0 in y.shape or g.terms == 0:
            y.fill(0)
            return
        flip_x, flip_w = (128 if array.dtype == np.int8 else 0 for array in (self.x, self.w))
        x_zero, w_zero = int(self.x_zero[0]) + flip_x, self.w_zero - (128 - flip_w)
        x = _layer8.fours(self.x, g.groups, g.reach, g.lo, x_zero, flip_x, self.workers)
        w = self.w.view(np.int8) ^ np.int8(0 if flip_w else -128)
        bias = np.broadcast_to(g.terms * w_zero, g.outputs) - w.reshape(len(w), -1).sum(1, dtype=np.int32)
        bias = (bias * np.int32(x_zero)).astype(np.int32)
        outer = padded(g)
        if w_zero.any():
            outputs = g.outputs // g.groups
            sums = np.empty((g.batch, g.groups, 1 + outputs, *g.n_out), np.int32)
            wide_bias = np.insert(bias, range(0, g.outputs, outputs), 0)
            self._products(outer, x, _with_ones(w, g.groups), wide_bias, sums.reshape(g.batch, -1, *g.n_out))
            w_zero = np.broadcast_to(w_zero, g.outputs).reshape(-1, *(1,) * self.rank)
            for image, of in zip(y, sums):
                for i in range(g.groups):
                    part = slice(i * outputs, (i + 1) * outputs)
                    np.multiply(of[i, :1], w_zero[part], out=image[part])
                    np.subtract(of[i, 1:], image[part], out=image[part])
        else:
            self._products(outer, x, w, bias, y)

    def _products(self, outer: _geometry.Geometry, x: Array, w: Array, bias: Array | None, y: Array) -> None:
        """The sums of x w, both with four channels in an element."""
        outputs, per_group, *m = w.shape
        lines = w.view(np.uint8).reshape(outputs, per_group, -1)
        taps = _layer8.fours(lines, 1, lines.shape[2:], (0,), 0, 0, self.workers)
        if per_group % 4:
            taps.view(np.uint8).reshape(*taps.shape, 4)[:, -1, ..., per_group % 4 :] = 0
        steps = outer.stride, outer.dilation, outer.lo, outer.boundary
        _layer.forward(x, taps.reshape(outputs, -1, *m), bias, y, *steps, self.workers)

    def place(self, out: Any, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        shape, arrays = self.geometry.y_shape, (self.x, self.w)
        return place(out, shape, dtype, self.rank, self.layout, self.unbatched, arrays)


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
    layer = _Layer(x, w, x_zero_point, w_zero_point, stride, padding, dilation, groups, layout, workers)
    y, result = layer.place(out, np.dtype(np.int32))
    layer.sums(y)
    return finish(out, y, result)


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
    layer = _Layer(x, w, x_zero_point, w_zero_point, stride, padding, dilation, groups, layout, workers)
    outputs = layer.geometry.outputs
    ratio = (
        _scale(x_scale, "x_scale", 1) * _scale(w_scale, "w_scale", outputs) / _scale(y_scale, "y_scale", 1)
    )
    dtype = layer.dtype
    if isinstance(y_zero_point, (np.generic, np.ndarray)) and y_zero_point.dtype in BYTES:
        dtype = y_zero_point.dtype
    zero = _zero_point(y_zero_point, "y_zero_point", dtype, 1)
    b = None
    if bias is not None:
        b = checked_bias(bias, outputs, "w.shape[0]")
        if b.dtype != np.int32:
            raise TypeError(f"bias must hold int32, got {b.dtype}")
    y, result = layer.place(out, dtype)
    total = np.empty(layer.geometry.y_shape, np.int32)
    layer.sums(total)
    if b is not None:
        total += b.reshape(-1, *(1,) * layer.rank)
    factors = np.ascontiguousarray(np.broadcast_to(ratio, outputs))
    _layer8.requantise(total, factors, int(zero[0]), y, layer.workers)
    return finish(out, y, result)


def _with_ones(w: Array, groups: int) -> Array:
    """w with an output channel of ones before those of each group."""
    outputs, *shape = w.shape
    wide = np.ones((groups, 1 + outputs // groups, *shape), w.dtype)
    wide[:, 1:] = w.reshape(groups, -1, *shape)
    return wide.reshape(-1, *shape)


def _zero_point(value: Any, name: str, dtype: np.dtype[Any], outputs: int) -> Array:
    """One int of the dtype's range, or one for each output."""
    zeros = _check.array(value, name)
    if zeros.dtype.kind not in "iu":
        raise TypeError(f"{name} must be of integers, got {short(value)}")
    info = np.iinfo(dtype)
    if zeros.size and not (info.min <= zeros.min() and zeros.max() <= info.max):
        raise ValueError(f"{name} must be from {info.min} to {info.max}, got {short(value)}")
    return _one_or_each(zeros, name, outputs).astype(np.int32)


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
