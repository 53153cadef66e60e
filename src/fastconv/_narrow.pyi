from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

class Smoothing:
    def __init__(
        self,
        weights: list[_Array],
        axes: tuple[int, ...],
        lo: tuple[int, ...],
        boundary: tuple[int, ...],
        cval: Any,
        first: tuple[int | None, float] | None,
        last: tuple[int, float],
    ) -> None: ...
    def run(self, x: _Array, y: _Array, workers: int) -> bool: ...
