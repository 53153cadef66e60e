from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

AVAILABLE: bool

class Weights:
    shape: tuple[int, ...]
    groups: int
    usable: bool
    def __init__(self, w: _Array, groups: int, workers: int) -> None: ...

def correlate(
    x: _Array,
    w: Weights,
    bias: _Array | None,
    y: _Array,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    workers: int,
    tick: Callable[[float], object] | None = None,
) -> bool: ...
