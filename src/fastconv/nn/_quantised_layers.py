"""`ConvInteger`, `QLinearConv`: quantised layers with their weight prepared, for many inputs."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.nn._arguments import Ints, Layout, Padding
from fastconv.nn._quantised import Layer, scaling

DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "layout": "NCHW"}


class _Prepared:
    """What both have in common. `_given`: all arguments by name, the weight apart."""

    _given: dict[str, Any]

    def __init__(self, w: Any, given: dict[str, Any]) -> None:
        steps = {name: given[name] for name in DEFAULTS}
        self._layer = Layer(w, given["x_zero_point"], given["w_zero_point"], **steps)
        self._given = given
        self._weight = self._layer.w = self._layer.w.copy()
        self._weight.flags.writeable = False
        if len(self._weight) % self._layer.groups:
            raise ValueError(f"groups must divide w.shape[0] = {len(self._weight)}, got {self._layer.groups}")
        self._layer.pack()

    @property
    def weight(self) -> Array:
        return self._weight

    def __repr__(self) -> str:
        shown = [
            f", {name}={value!r}"
            for name, value in self._given.items()
            if not isinstance(value, np.ndarray) and (name not in DEFAULTS or value != DEFAULTS[name])
        ]
        of = f"<{self._weight.dtype} weight of shape {self._weight.shape}>"
        return f"{type(self).__name__}({of}{''.join(shown)})"

    def __reduce__(self) -> Any:
        return _restore, (type(self), self._weight, self._given)


class ConvInteger(_Prepared):
    """`conv_integer` with all arguments but the input fixed and the weight prepared.

    Parameters
    ----------
    w, x_zero_point, w_zero_point, stride, padding, dilation, groups, layout
        As for `conv_integer`. The weight is copied.

    Attributes
    ----------
    weight : ndarray
        Read-only.

    Raises
    ------
    ValueError, TypeError
        As `conv_integer`, here or at the call.

    Notes
    -----
    One layer may be called from many threads at once. Pickles and copies hold the arguments, not what was
    prepared.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> difference = nn.ConvInteger(np.array([[[1, -1]]], np.int8), x_zero_point=128)
    >>> difference(np.array([[128, 130, 255]], np.uint8))
    array([[  -2, -125]], dtype=int32)
    """

    def __init__(
        self,
        w: ArrayLike,
        x_zero_point: Any = 0,
        w_zero_point: Any = 0,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: SupportsIndex = 1,
        *,
        layout: Layout = "NCHW",
    ) -> None:
        given = {"x_zero_point": x_zero_point, "w_zero_point": w_zero_point, "stride": stride}
        given |= {"padding": padding, "dilation": dilation, "groups": groups, "layout": layout}
        super().__init__(w, given)

    def __call__(self, x: ArrayLike, out: Array | None = None, workers: Any = None) -> Array:
        """The sums, in int32; `x`, `out` and `workers` as for the function."""
        return self._layer(x, None, 0, None, out, workers)


class QLinearConv(_Prepared):
    """`qlinear_conv` with all arguments but the input fixed and the weight prepared.

    Parameters
    ----------
    x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias
        As for `qlinear_conv`. The weight and the bias are copied.
    stride, padding, dilation, groups, layout
        As for `conv_integer`.

    Attributes
    ----------
    weight : ndarray
        Read-only.

    Raises
    ------
    ValueError, TypeError
        As `qlinear_conv`, here or at the call.

    Notes
    -----
    See `ConvInteger`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> mean = nn.QLinearConv(0.5, 0, np.array([[[1, 1]]], np.int8), 0.5, 0, 0.5, 100)
    >>> mean(np.array([[10, 20, 200]], np.uint8))
    array([[115, 210]], dtype=uint8)
    """

    def __init__(
        self,
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
        *,
        layout: Layout = "NCHW",
    ) -> None:
        bias = None if bias is None else np.array(bias)
        given = {"x_scale": x_scale, "x_zero_point": x_zero_point, "w_scale": w_scale}
        given |= {"w_zero_point": w_zero_point, "y_scale": y_scale, "y_zero_point": y_zero_point}
        given |= {"bias": bias, "stride": stride, "padding": padding, "dilation": dilation}
        given |= {"groups": groups, "layout": layout}
        super().__init__(w, given)
        self._factors, self._bias = scaling(len(self._weight), x_scale, w_scale, y_scale, bias)

    def __call__(self, x: ArrayLike, out: Array | None = None, workers: Any = None) -> Array:
        """The result in 8 bits; `x`, `out` and `workers` as for the function."""
        zero = self._given["y_zero_point"]
        return self._layer(x, self._bias, zero, self._factors, out, workers)


def _restore(kind: Any, weight: Array, given: dict[str, Any]) -> Any:
    return kind(w=weight, **given)
