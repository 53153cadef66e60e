"""`Conv1d`, `Conv2d`, `Conv3d`: a layer with its weight prepared, for many inputs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fastconv._problem import Array, Kept
from fastconv.nn import _arguments, _calls
from fastconv.nn._convolution import apply, checked_weight, kind_of, parameters
from fastconv.nn._explain import Explanation, explain_layer

DEFAULTS = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "padding_mode": "zeros",
    "layout": "NCHW",
    "algorithm": "auto",
}


class _Layer:
    rank: ClassVar[int]

    def __init__(
        self,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: Any = 1,
        *,
        padding_mode: Any = "zeros",
        layout: Any = "NCHW",
        algorithm: Any = "auto",
    ) -> None:
        w, b = checked_weight(weight, bias, self.rank)
        _arguments.same_dtype(weight=w, bias=b)
        self._weight = _read_only_copy(w)
        self._bias = None if b is None else _read_only_copy(b)
        self._options = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "padding_mode": padding_mode,
            "layout": layout,
            "algorithm": algorithm,
        }
        self._given = parameters(self.rank, **self._options)
        if w.shape[0] % self._given.groups:
            raise ValueError(f"groups must divide weight.shape[0] = {w.shape[0]}, got {self._given.groups}")
        self._kept: Kept = {}
        self._known: dict[Any, _calls.Kind] = {}

    @property
    def weight(self) -> Array:
        return self._weight

    @property
    def bias(self) -> Array | None:
        return self._bias

    def __call__(self, input: ArrayLike, out: Array | None = None, workers: Any = None) -> Array:
        """The layer's output; `input`, `out` and `workers` as for the function."""
        key = (input.shape, input.dtype) if type(input) is np.ndarray else None
        known = self._known.get(key)
        if known is not None:
            y = _calls.run(known, input, self._weight, self._bias, out, workers, self._kept)
            if y is not None:
                return y
        y = apply(self.rank, self._given, input, self._weight, self._bias, out, workers, self._kept)
        if known is None and type(input) is np.ndarray and self._given.layout == "NCHW":
            _calls.remember(self._known, key, kind_of(self.rank, self._given, input, self._weight, True))
        return y

    def explain(self, input: ArrayLike) -> Explanation:
        """Tell how a call would work; see `fastconv.nn.explain`."""
        return explain_layer(self.rank, self._given, input, self._weight, True)

    def __repr__(self) -> str:
        changed = [f", {name}={value!r}" for name, value in self._options.items() if value != DEFAULTS[name]]
        bias = "" if self._bias is None else " and a bias"
        of = f"<{self._weight.dtype} weight of shape {self._weight.shape}{bias}>"
        return f"{type(self).__name__}({of}{''.join(changed)})"

    def __reduce__(self) -> Any:
        return _restore, (type(self), self._weight, self._bias, self._options)


class Conv1d(_Layer):
    """`conv1d` with all arguments but the input fixed; see `Conv2d`."""

    rank = 1


class Conv2d(_Layer):
    """`conv2d` with all arguments but the input fixed and the weight prepared.

    Parameters
    ----------
    weight, bias : array_like
        As for `conv2d`. They are copied.
    stride, padding, dilation, groups, padding_mode, layout, algorithm
        As for `conv2d`.

    Attributes
    ----------
    weight, bias : ndarray
        Read-only; `bias` may be None.

    Raises
    ------
    ValueError, TypeError
        As `conv2d`, here or at the call.

    Notes
    -----
    A prepared weight may make another algorithm the fastest: results are those of `conv2d` up to rounding.
    One layer may be called from many threads at once. Pickles and copies hold the arguments, not what was
    prepared.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nn
    >>> blur = nn.Conv2d(np.full((1, 1, 3, 3), 1 / 9), padding=1)
    >>> x = np.zeros((1, 5, 5))
    >>> x[0, 2, 2] = 9
    >>> blur(x)[0, 1]
    array([0., 1., 1., 1., 0.])
    >>> blur(x, out=np.empty((1, 5, 5))).shape
    (1, 5, 5)
    """

    rank = 2


class Conv3d(_Layer):
    """`conv3d` with all arguments but the input fixed; see `Conv2d`."""

    rank = 3


def _read_only_copy(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


def _restore(kind: type[_Layer], weight: Array, bias: Array | None, options: dict[str, Any]) -> _Layer:
    return kind(weight, bias, **options)
