from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

class Weights:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    groups: int

def pack(w: _Array, groups: int) -> Weights: ...
def forward(
    x: _Array,
    w: _Array | Weights,
    bias: _Array | None,
    y: _Array,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    workers: int,
    tick: Callable[[float], object] | None = None,
) -> None: ...
