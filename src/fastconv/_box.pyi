from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

KINDS: dict[np.dtype[Any], tuple[int, ...]]

def most(dtype: np.dtype[Any]) -> float: ...
def mean(
    x: _Array,
    y: _Array,
    m: tuple[int, int],
    lo: tuple[int, int],
    boundary: tuple[int, int],
    cval: Any,
    divide: bool,
    between: bool,
    nearest: bool,
    workers: int,
) -> None: ...
