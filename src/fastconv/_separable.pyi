from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def correlate(
    x: _Array,
    factors: _Array,
    m: tuple[int, ...],
    y: _Array,
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Callable[[float], object] | None = None,
    look: bool = True,
) -> list[tuple[slice, ...]]: ...
