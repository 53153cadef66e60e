"""What the functions of `fastconv.ndimage` have in common: their arguments, each in one normal form.

Errors name the argument as SciPy calls it, what it was and what it must be; their classes are SciPy's.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, SupportsIndex, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from fastconv import _check
from fastconv._problem import Array
from fastconv._repr import short
from fastconv._threads import resolve_workers

Axes = SupportsIndex | Sequence[SupportsIndex] | None
Modes = str | Sequence[str]
Output = Array | DTypeLike | None

# SciPy's words, and fastconv's
BOUNDARIES = {
    "reflect": "reflect",
    "mirror": "mirror",
    "nearest": "nearest",
    "wrap": "wrap",
    "constant": "constant",
    "grid-mirror": "reflect",
    "grid-wrap": "wrap",
    "grid-constant": "constant",
}
CHOICES = {
    "accumulate": (None, "float32", "float64"),
    "rounding": ("truncate", "nearest"),
    "overflow": ("wrap", "saturate"),
}


class Options(TypedDict, total=False):
    """Keywords that every filter takes beyond SciPy's; the namespace's docstring says what they do."""

    workers: int | None
    accumulate: Literal["float32", "float64"] | None
    rounding: Literal["truncate", "nearest"]
    overflow: Literal["wrap", "saturate"]


class Settings(NamedTuple):
    """The options, complete."""

    workers: int | None = None
    accumulate: str | None = None
    rounding: str = "truncate"
    overflow: str = "wrap"


USUAL = Settings()


def settings(options: Options) -> Settings:
    if not options:
        return USUAL
    chosen = Settings(**options)
    for name, allowed in CHOICES.items():
        word = getattr(chosen, name)
        if not isinstance(word, str | None) or word not in allowed:
            words = ", ".join(map(repr, allowed))
            raise ValueError(f"{name} must be one of {words}, got {short(word)}")
    if chosen.workers is not None:
        resolve_workers(chosen.workers)
    return chosen


def image(input: Any) -> Array:
    """`input` as an array of numbers; a mask would be lost, so there must be none."""
    if type(input) is not np.ndarray and np.ma.is_masked(input):
        raise TypeError("input must not have masked elements: fill them first, e.g. with input.filled(0)")
    return _numeric(_check.array(input, "input"), "input")


def weights(weights: Any, name: str = "weights") -> Array:
    return _numeric(_check.array(weights, name), name)


def line(given: Any, name: str = "weights") -> Array:
    """Weights for one axis."""
    w = weights(given, name)
    if w.ndim != 1 or w.size == 0:
        raise RuntimeError(f"{name} must be one-dimensional and not empty, got an array of shape {w.shape}")
    return w


def _numeric(x: Array, name: str) -> Array:
    if x.dtype.kind not in "biufc":
        raise RuntimeError(f"{name} must hold numbers, got dtype {x.dtype}")
    return x


def output(output: Any, x: Array, is_complex: bool = False) -> Array:
    """The array for the result, new or given; complex if x is, or if `is_complex`."""
    is_complex = is_complex or x.dtype.kind == "c"
    if isinstance(output, np.ndarray):
        if output.shape != x.shape:
            raise RuntimeError(f"output must have input's shape {x.shape}, got {output.shape}")
        if is_complex and output.dtype.kind != "c":
            raise RuntimeError(f"output must have a complex dtype, got {output.dtype}")
        if not output.flags.writeable:
            raise ValueError("output must be writeable, got a read-only array")
        return _numeric(np.asarray(output), "output")
    if output is None:
        dtype = np.promote_types(x.dtype, np.complex64) if is_complex else x.dtype.newbyteorder("=")
        return np.empty(x.shape, dtype)
    if not isinstance(output, (str, type, np.dtype)):
        raise TypeError(f"output must be an array, a dtype or None, got {short(output)}")
    try:
        dtype = np.dtype(output)
    except TypeError:
        raise TypeError(f"output must be an array, a dtype or None, got {short(output)}") from None
    if is_complex and dtype.kind != "c":
        if isinstance(output, str):
            raise RuntimeError(f"output must be a complex dtype, got {short(output)}")
        warnings.warn(f"promoting specified output dtype to complex, from {dtype}", stacklevel=4)
        dtype = np.promote_types(dtype, np.complex64)
    return _numeric(np.empty(x.shape, dtype), "output")


def boundary(mode: Any, name: str = "mode") -> str:
    """fastconv's name for a mode of SciPy's."""
    if not isinstance(mode, str) or mode not in BOUNDARIES:
        raise RuntimeError(f"{name} must be one of {', '.join(map(repr, BOUNDARIES))}, got {short(mode)}")
    return BOUNDARIES[mode]


def boundaries(mode: Any, count: int) -> list[str]:
    return [boundary(one) for one in each(mode, "mode", count)]


def each(value: Any, name: str, count: int) -> list[Any]:
    """One entry for each of `count` axes: of a sequence, or the same for all."""
    if isinstance(value, str) or not np.iterable(value):
        return [value] * count
    entries = list(value)
    if len(entries) != count:
        raise RuntimeError(
            f"{name} must be one value or one for each of the {count} axes, got {short(value)}"
        )
    return entries


def whole(value: Any, name: str) -> int:
    """`value` as an int."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {short(value)}") from None


def real(value: Any, name: str) -> float:
    """`value` as a float."""
    try:
        if not isinstance(value, (str, bytes)):
            return float(value)
    except (TypeError, OverflowError):
        pass
    raise TypeError(f"{name} must be a real number, got {short(value)}")


def axis(axis: Any, x: Array) -> int:
    """`axis` as the index, from 0, of an axis of x."""
    k = whole(axis, "axis")
    if not -x.ndim <= k < x.ndim:
        raise np.exceptions.AxisError(
            f"axis: axis {short(k)} is out of bounds for array of dimension {x.ndim}"
        )
    return k % x.ndim


def axes(axes: Any, x: Array) -> list[int]:
    """`axes` as indices, from 0, of axes of x; None stands for all."""
    if axes is None:
        return list(range(x.ndim))
    given = axes if isinstance(axes, Iterable) else (axes,)
    found = [whole(k, "axes") for k in given]
    for k in found:
        if not -x.ndim <= k < x.ndim:
            raise ValueError(f"axes must be from {-x.ndim} to {x.ndim - 1} for this input, got {short(k)}")
    found = [k % x.ndim for k in found]
    if len(set(found)) < len(found):
        raise ValueError(f"axes must be unique, got {short(axes)}")
    return found


def origin(origin: Any, m: int) -> int:
    """`origin` as an int that keeps the weights, m along this axis, over the element."""
    k = whole(origin, "origin")
    if not -(m // 2) <= k <= (m - 1) // 2:
        raise ValueError(f"origin must be from {-(m // 2)} to {(m - 1) // 2} for {m} weights, got {short(k)}")
    return k


def cval(cval: Any, x: Array) -> Any:
    """`cval` as a number, real unless x is complex."""
    if type(cval) is float:
        return cval
    value = _check.array(cval, "cval")
    if value.ndim or value.dtype.kind not in "biufc":
        raise TypeError(f"cval must be a number, got {short(cval)}")
    if value.dtype.kind == "c" and x.dtype.kind != "c":
        raise TypeError(f"cval must be real for a real input, got {short(cval)}")
    return value[()]
