from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def fours(
    x: _Array,
    groups: int,
    reach: tuple[int, ...],
    lo: tuple[int, ...],
    fill: int,
    flip: int,
    workers: int,
) -> _Array: ...
def requantise(sums: _Array, factors: _Array, zero: int, y: _Array, workers: int) -> None: ...
