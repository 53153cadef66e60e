from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def transposed(
    x: _Array,
    w: _Array,
    bias: _Array | None,
    y: _Array,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    lo: tuple[int, ...],
    groups: int,
    workers: int,
    tick: Callable[[float], object] | None = None,
) -> None: ...
