"""The numbers of the filters: in which dtype sums are computed, and how they become those of the output.

SciPy sums in double and truncates; so do we, unless asked otherwise or where another dtype gives the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np

from fastconv._problem import Array
from fastconv.ndimage._arguments import Settings

EXACT = 2.0**53  # whole numbers up to here are float64


def arithmetic(
    x: Array, w: Array, y: Array, outside: Any, divisor: int, settings: Settings
) -> tuple[np.dtype[Any], bool]:
    """The dtype of the sums, and whether these are whole numbers, which are divided later.

    SciPy sums in double. Where input and output are no wider than float32, float32 serves; integers where all
    numbers are whole: those of the output if its sums may wrap around, else the narrowest that hold all sums.
    """
    to_integers = y.dtype.kind in "biu"
    if x.dtype.kind in "biu" and to_integers and np.all(np.rint(w) == w) and np.rint(outside) == outside:
        total = float(np.abs(w.astype(np.float64)).sum())
        if total < EXACT and abs(outside) < EXACT:
            if settings.overflow == "wrap" and divisor == 1 and y.dtype.kind != "b":
                return np.dtype(f"i{max(2, y.itemsize)}"), True
            info = np.iinfo(x.dtype if x.dtype.kind != "b" else np.uint8)
            bound = total * max(-float(info.min), float(info.max), abs(outside))
            dtypes = [dtype for dtype, bits in (("i2", 15), ("i4", 31), ("i8", 63)) if bound < 2.0**bits]
            return np.dtype(dtypes[0] if dtypes else np.float64), True
    return _float_arithmetic(x.dtype, w.dtype.kind == "c" and w.dtype, y.dtype, settings), False


@lru_cache(maxsize=256)
def _float_arithmetic(
    x: np.dtype[Any], w: np.dtype[Any] | Literal[False], y: np.dtype[Any], settings: Settings
) -> np.dtype[Any]:
    """The dtype of sums that are no whole numbers; `w`: of complex weights."""
    narrow = _narrow(np.empty(0, x))
    narrow = narrow and (settings.rounding == "nearest" if y.kind in "biu" else y.char in "efF")
    real = _float(narrow, settings, np.longdouble if y.char in "gG" else np.float64)
    return np.result_type(x, real, w or real)


def _narrow(x: Array) -> bool:
    """Whether float32 holds all of x's values."""
    return bool(np.result_type(x.real.dtype, np.float32) == np.float32)


def _float(narrow: bool, settings: Settings, wide: type = np.float64) -> np.dtype[Any]:
    """The dtype of real arithmetic."""
    return np.dtype(settings.accumulate or (np.float32 if narrow else wide))


def rounds_later(y: np.dtype[Any], settings: Settings) -> bool:
    """Whether what is stored as y must be a final result: it is rounded or saturates."""
    return y.kind in "biu" and not (settings.rounding == "truncate" and settings.overflow == "wrap")


def wide_dtype(x: np.dtype[Any], settings: Settings) -> np.dtype[Any]:
    """The dtype of the real numbers that will be rounded later."""
    return np.result_type(x, _float(_narrow(np.empty(0, x)), settings))


def store(values: Array, y: Array, settings: Settings, terms: int = 0) -> None:
    """y = values, which may change; if y has integers, rounded and brought into range as the settings say.

    Sums of rounded `terms` that are whole numbers but for their rounding error are not cut to the next one.
    (SciPy does that at times: a flat area of 200 may become 199.)
    """
    integers = y.dtype.kind in "biu"
    if integers and values.dtype.kind == "f":
        if settings.rounding == "nearest":
            np.rint(values, out=values)
        elif terms and y.itemsize <= 4:
            values *= slack(terms, values.dtype)
    if y.dtype.kind in "iu" and settings.overflow == "saturate":
        np.clip(values, *_limits(y.dtype, values.dtype), out=values)
    with np.errstate(invalid="ignore", over="ignore"):
        np.copyto(y, _wrapped(values, y.dtype) if integers else values, casting="unsafe")


def slack(terms: int, dtype: np.dtype[Any]) -> float:
    """A factor that lifts sums of rounded `terms` over the whole numbers that they should be."""
    return float(1 + (16 + terms / 8) * np.finfo(dtype).eps)


def _limits(to: np.dtype[Any], dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The least and the greatest value of `dtype` that the integers `to` can hold."""
    low, high = int(np.iinfo(to).min), int(np.iinfo(to).max)
    if dtype.kind == "f":
        top = dtype.type(high)
        return dtype.type(low), np.nextafter(top, dtype.type(0)) if int(top) > high else top
    info = np.iinfo(dtype)
    return max(low, int(info.min)), min(high, int(info.max))


def _wrapped(values: Array, to: np.dtype[Any]) -> Array:
    """Integers with the low bits of the truncated values: casts from floats are not sure to wrap around."""
    if values.dtype.kind != "f":
        return values
    if to.char in "QL" and to.itemsize == 8:
        return np.where(values < 0, values.astype(np.int64).view(np.uint64), values.astype(np.uint64))
    return values.astype(np.int32 if to.itemsize <= 2 else np.int64)
