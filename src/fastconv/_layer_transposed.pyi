from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

_Ints = tuple[int, ...]

def phases(
    taps: _Ints, stride: _Ints, dilation: _Ints, lo: _Ints
) -> Iterator[tuple[_Ints, tuple[Any, ...], _Ints, _Ints]]: ...
def transposed(
    x: _Array,
    w: _Array,
    bias: _Array | None,
    y: _Array,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    lo: tuple[int, ...],
    groups: int,
    workers: int,
    tick: Callable[[float], object] | None = None,
) -> None: ...
