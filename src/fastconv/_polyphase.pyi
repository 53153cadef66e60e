from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

def correlate(x: _Array, h: _Array, y: _Array, up: int, down: int, before: int) -> None: ...
