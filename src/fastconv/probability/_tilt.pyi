from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

def tilt(x: Array, s: int, start: Array, slope: Array, y: Array) -> None: ...
def add_tilted(x: Array, s: int, start: Array, slope: Array, y: Array) -> None: ...
