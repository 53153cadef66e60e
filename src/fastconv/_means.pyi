from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

BLOCK_BYTES: int

def block_of(n_out: tuple[int, ...], m: tuple[int, ...], item: int) -> tuple[int, ...]: ...
def convolve(
    x: _Array,
    mask: _Array | None,
    w: _Array,
    y: _Array,
    lo: tuple[int, ...],
    boundary: int,
    outside: float,
    put: float,
    means: bool,
    total: float,
    scale: float,
    limit: float,
    tap_seconds: float,
    find_seconds: float,
    workers: int,
) -> None: ...
