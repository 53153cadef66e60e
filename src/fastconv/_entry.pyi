from collections.abc import Sequence
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

_Mode = Literal["full", "same", "valid"] | Literal[0, 1, 2]
_Boundary = Literal["zero", "constant", "reflect", "mirror", "nearest", "wrap"]
_Method = Literal["auto", "direct", "overlap_save", "fft"]

def convolve(
    a: ArrayLike,
    v: ArrayLike,
    mode: _Mode = "full",
    *,
    axes: SupportsIndex | Sequence[SupportsIndex] | None = None,
    boundary: _Boundary = "zero",
    cval: Any = 0.0,
    method: _Method = "auto",
    out: np.ndarray[Any, Any] | None = None,
    workers: SupportsIndex | None = None,
    rtol: float | None = None,
) -> np.ndarray[Any, Any]: ...
def correlate(
    a: ArrayLike,
    v: ArrayLike,
    mode: _Mode = "valid",
    *,
    axes: SupportsIndex | Sequence[SupportsIndex] | None = None,
    boundary: _Boundary = "zero",
    cval: Any = 0.0,
    method: _Method = "auto",
    out: np.ndarray[Any, Any] | None = None,
    workers: SupportsIndex | None = None,
    rtol: float | None = None,
) -> np.ndarray[Any, Any]: ...
def short_path(
    a: object, v: object, mode: object, out: object, reversed_taps: bool
) -> np.ndarray[Any, Any] | None: ...
