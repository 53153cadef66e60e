from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

FAMILIES: dict[str, int]
ITEMS: dict[str, int]
SATURATED: dict[str, int]
WRAPPED: dict[int, int]

class Correlation:
    def __init__(
        self,
        w: _Array,
        axes: tuple[int, ...],
        lo: tuple[int, ...],
        boundary: tuple[int, ...],
        cval: Any,
        family: str,
        store: int,
    ) -> None: ...
    def run(self, x: _Array, y: _Array, workers: int) -> None: ...
