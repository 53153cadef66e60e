from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def take_out(block: _Array, weights: _Array, value: float) -> int: ...
def subtract(points: _Array, n: tuple[int, ...], w: _Array, m: tuple[int, ...], y: _Array) -> None: ...
def sums_at(
    outputs: _Array,
    x: _Array,
    ok: _Array,
    n: tuple[int, ...],
    w: _Array,
    m: tuple[int, ...],
    tops: _Array,
    bottoms: _Array,
) -> None: ...
