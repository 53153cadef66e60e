from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def weight_gradient(
    x: _Array,
    gy: _Array,
    gw: _Array,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    groups: int,
    workers: int,
    tick: Callable[[float], object] | None = None,
) -> None: ...
