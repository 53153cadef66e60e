from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

DTYPES: dict[np.dtype[Any], int]

def correlate(
    x: _Array,
    w: _Array,
    y: _Array,
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Callable[[float], object] | None = None,
    look: bool = False,
) -> bool: ...
