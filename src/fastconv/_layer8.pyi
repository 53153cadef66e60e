from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

class Weights:
    shape: tuple[int, ...]
    groups: int
    totals: _Array

    def __init__(self, w: _Array, groups: int) -> None: ...

def forward(
    x: _Array,
    w: Weights,
    x_zero: int,
    w_zero: _Array | None,
    bias: _Array,
    y: _Array,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    lo: tuple[int, ...],
    factors: _Array | None,
    zero: int,
    workers: int,
) -> None: ...
