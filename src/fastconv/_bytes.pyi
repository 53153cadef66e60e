from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

FAMILIES: dict[str, int]
ITEMS: dict[str, int]
SATURATED: dict[str, int]
WRAPPED: dict[int, int]

def correlate(
    x: _Array,
    w: _Array,
    y: _Array,
    axes: tuple[int, ...],
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    family: str,
    store: int,
    workers: int,
) -> None: ...
