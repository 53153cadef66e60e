"""Checks of single arguments: each function returns what the user wrote in one normal form, or raises.

Errors name the argument, what it was and what it must be. What the arguments mean together (shapes, offsets,
which array is the kernel) is decided in `_problem`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv._repr import short

MODES = ("valid", "same", "full")  # NumPy's integer modes are the positions
KINDS = "buifcmO"  # bool, integers, floats, complex, timedelta64, object
LARGEST = float(np.finfo(float).max)


def array(x: Any, name: str) -> np.ndarray[Any, Any]:
    """`x` as a plain ndarray."""
    try:
        return np.asarray(x)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must be array-like: {error}") from None


def result_dtype(a: np.dtype[Any], v: np.dtype[Any], names: tuple[str, str] = ("a", "v")) -> np.dtype[Any]:
    """The dtype that a and v promote to, if its elements can be multiplied and added."""
    for name, dtype in zip(names, (a, v)):
        if dtype.kind not in KINDS:
            raise TypeError(f"{name} must hold numbers, timedelta64 or objects, got dtype {dtype}")
    try:
        return np.result_type(a, v)
    except TypeError:
        raise TypeError(f"{' and '.join(names)} must have a common dtype, got {a} and {v}") from None


def integer(value: Any, name: str, what: str = "an integer", given: Any = None) -> int:
    """`value` as an int; `given` is what the user wrote, if that was more."""
    if not isinstance(value, (bool, np.bool_)):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name} must be {what}, got {short(value if given is None else given)}")


def mode(mode: Any) -> str:
    """'full', 'same' or 'valid', spelt so or as NumPy's 2, 1, 0."""
    if isinstance(mode, str):
        if mode in MODES:
            return str(mode)
    elif 0 <= (index := integer(mode, "mode", "'full', 'same' or 'valid' (or 2, 1, 0)")) <= 2:
        return MODES[index]
    raise ValueError(f"mode must be 'full', 'same' or 'valid' (or 2, 1, 0), got {short(mode)}")


def axes(axes: Any) -> tuple[int, ...] | None:
    """None, or a tuple of ints; whether they fit the array is checked with its shape."""
    if axes is None:
        return None
    entries = axes if isinstance(axes, (tuple, list)) else (axes,)
    if len(entries) == 0:
        raise ValueError("axes must name at least one axis, got none")
    return tuple(integer(k, "axes", "None, an int or a tuple of ints", axes) for k in entries)


def name(argument: str, value: Any, names: Sequence[str]) -> str:
    """`value`, one of `names`."""
    if isinstance(value, str) and value in names:
        return value
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{argument} must be one of {', '.join(map(repr, names))}, got {short(value)}")


def rtol(rtol: Any) -> float:
    """A positive number."""
    if isinstance(rtol, (bool, np.bool_)) or not isinstance(rtol, (float, int, np.floating, np.integer)):
        raise TypeError(f"rtol must be a real number, got {short(rtol)}")
    if not 0 < rtol <= LARGEST:
        raise ValueError(f"rtol must be positive and finite, got {short(rtol)}")
    return float(rtol)


def cval(cval: Any, dtype: np.dtype[Any], name: str = "cval") -> Any:
    """`cval` as a scalar of the result's dtype: floats may be rounded, nothing else may change its value."""
    kind = dtype.kind
    if kind == "O":
        return cval
    value = array(cval, name)
    real = value.dtype.kind in "buif" or isinstance(cval, int)
    if value.ndim or not (real or value.dtype.kind == kind or value.dtype.kind == "c"):
        raise TypeError(f"{name} must be a scalar that {dtype} can hold, got {short(cval)}")
    if kind == "c" or (kind == "f" and real):
        return value.astype(dtype)[()]
    if not real and kind != "m":
        raise TypeError(f"{name} must be real for a result of {dtype}, got {short(cval)}")
    if value.dtype.kind == "m":
        if value.astype(dtype) != value:
            raise ValueError(f"{name} must be a multiple of the unit of {dtype}, got {short(cval)}")
        value = value.astype(dtype).view(np.int64)
    number = value.item()
    low, high = (0, 1) if kind == "b" else _limits(dtype)
    if not (low <= number <= high and number == int(number)):
        raise ValueError(
            f"{name} must be a whole number from {low} to {high} for a result of {dtype}, got {short(cval)}"
        )
    return np.array(int(number), np.int64 if kind == "m" else dtype).astype(dtype)[()]


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(np.int64 if dtype.kind == "m" else dtype)
    return int(info.min), int(info.max)


def out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """`out` as a plain ndarray that can take the result."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an ndarray, got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"out must have the result's shape {shape}, got {out.shape}")
    if out.dtype != dtype:
        raise TypeError(f"out must have the result's dtype {dtype}, got {out.dtype}")
    if not out.flags.writeable:
        raise ValueError("out must be writeable, got a read-only array")
    return np.asarray(out)
