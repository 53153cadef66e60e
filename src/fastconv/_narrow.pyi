from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def correlate(
    x: _Array,
    weights: list[_Array],
    y: _Array,
    axes: tuple[int, ...],
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    first: tuple[int | None, float] | None,
    last: tuple[int, float],
    workers: int,
) -> bool: ...
