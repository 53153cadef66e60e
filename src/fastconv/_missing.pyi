from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def weights(missing: _Array, ok: _Array) -> None: ...
def subtract(points: _Array, n: tuple[int, ...], w: _Array, m: tuple[int, ...], y: _Array) -> None: ...
def sums_at(
    outputs: _Array,
    x: _Array,
    missing: _Array,
    n: tuple[int, ...],
    w: _Array,
    m: tuple[int, ...],
    tops: _Array,
    bottoms: _Array,
) -> None: ...
