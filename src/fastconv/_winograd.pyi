from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def constants(m: int, dtype: np.dtype[Any]) -> _Array: ...
def taps_matrix(m: int) -> _Array: ...

class Weights:
    m: int
    def __init__(self, w: _Array, m: int, workers: int = 0, once: bool = False) -> None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def nbytes(self) -> int: ...

def correlate(
    x: _Array,
    weights: Weights,
    bias: _Array | None,
    y: _Array,
    lo: tuple[int, int],
    boundary: tuple[int, int],
    workers: int,
    tick: Callable[[float], object] | None = None,
) -> None: ...
