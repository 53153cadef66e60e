from collections.abc import Callable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

DTYPES: dict[np.dtype[Any], int]

def overlap_save(
    x: _Array,
    w: _Array,
    y: _Array,
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Callable[[float], object] | None = None,
    size: tuple[int, ...] | None = None,
    kept: dict[Any, Any] | None = None,
) -> bool: ...
def whole(
    x: _Array,
    w: _Array,
    y: _Array,
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Callable[[float], object] | None = None,
    kept: dict[Any, Any] | None = None,
) -> bool: ...
def line_size(code: int, n_out: int, n_taps: int) -> tuple[int, float]: ...
def tile_size(
    code: int, n_rows: int, row_taps: int, n_cols: int, col_taps: int
) -> tuple[int, int, float]: ...
def block_size(
    code: int, n_out: tuple[int, ...], n_taps: tuple[int, ...]
) -> tuple[tuple[int, ...], float]: ...
def whole_size(code: int, n_out: int, n_taps: int) -> tuple[int, float]: ...
