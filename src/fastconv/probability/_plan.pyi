from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

def plan(
    f_size: Array,
    f_slope: Array,
    f_leant: Array,
    g_size: Array,
    g_slope: Array,
    g_leant: Array,
    s: int,
    level: Array,
    negligible: float,
    rounding: float,
    factor: float,
) -> tuple[list[tuple[int, int, int, int, bool, float]], Array]: ...
