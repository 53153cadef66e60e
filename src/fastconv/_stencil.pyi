from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def taken(x: _Array, y: _Array, lo: tuple[int, ...], m: tuple[int, ...], separable: bool = False) -> bool: ...
def is_cross(w: _Array) -> bool: ...
def correlate(
    x: _Array,
    w: _Array,
    y: _Array,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Callable[[float], object] | None = None,
) -> None: ...
