"""What the layers have in common: their arguments, each checked and in one normal form.

Errors name the argument as PyTorch calls it, what it was and what it must be.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal, SupportsIndex

import numpy as np

from fastconv import _check
from fastconv._problem import Array
from fastconv._repr import short
from fastconv._threads import resolve_workers

Ints = SupportsIndex | Sequence[SupportsIndex]
Padding = SupportsIndex | Sequence[SupportsIndex] | Sequence[Sequence[SupportsIndex]] | str
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Layout = Literal["NCHW", "NHWC"]
Algorithm = Literal["auto", "direct", "winograd", "fft"]

# PyTorch's words, and fastconv's
BOUNDARIES = {"zeros": "zero", "reflect": "mirror", "replicate": "nearest", "circular": "wrap"}
LAYOUTS = ("NCHW", "NHWC")
ALGORITHMS = ("auto", "direct", "winograd", "fft")
KINDS = "iufc"
WIDEST = 8  # bytes of a real number: no long double


def array(given: Any, name: str, dims: tuple[int, ...], axes: str) -> Array:
    """`given` as an array in native byte order, of numbers, with as many dimensions as one of `dims`."""
    x = _check.array(given, name)
    if x.ndim not in dims:
        raise ValueError(
            f"{name} must have {' or '.join(map(str, dims))} dimensions, {axes}, got shape {x.shape}"
        )
    dtype = x.dtype
    if dtype.kind not in KINDS or dtype.itemsize // (1 + (dtype.kind == "c")) > WIDEST:
        raise TypeError(
            f"{name} must hold integers, float16, float32, float64, complex64 or complex128, got {dtype}"
        )
    return x if dtype.isnative else x.astype(dtype.newbyteorder("="))


def same_dtype(**given: Array | None) -> None:
    """Numbers of different dtypes are not mixed, as in PyTorch."""
    first, dtype = "", None
    for name, x in given.items():
        if dtype is None and x is not None:
            first, dtype = name, x.dtype
        elif x is not None and x.dtype != dtype:
            raise TypeError(f"{name} must have the dtype of {first}, {dtype}, got {x.dtype}")


def per_axis(value: Any, name: str, rank: int, least: int = 1) -> tuple[int, ...]:
    """A number, or one for each spatial axis, as a tuple."""
    if type(value) is int and least <= value <= sys.maxsize:
        return (value,) * rank
    entries = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,)
    if len(entries) not in (1, rank):
        raise ValueError(f"{name} must be an int or a tuple of {rank}, got {short(value)}")
    numbers = tuple(integer(k, name, least, value) for k in entries)
    return numbers * rank if len(numbers) == 1 else numbers


def integer(value: Any, name: str, least: int, given: Any = None) -> int:
    """`value` as an int not below `least`; `given` is what the user wrote, if that was more."""
    given = value if given is None else given
    number = _check.integer(value, name, "of integers", given)
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {short(given)}")
    if number > sys.maxsize:
        raise ValueError(f"{name} must be at most {sys.maxsize}, got {short(given)}")
    return number


def padding(value: Any, rank: int, words: bool = True) -> tuple[tuple[int, int], ...] | str:
    """ "same", "valid", or (low, high) for each spatial axis."""
    if type(value) is int and 0 <= value <= sys.maxsize:
        return ((value, value),) * rank
    if isinstance(value, str) and words:
        return _check.name("padding", value, ("same", "valid"))
    if isinstance(value, (tuple, list)) and any(isinstance(k, (tuple, list)) for k in value):
        if len(value) not in (1, rank) or any(not isinstance(k, (tuple, list)) or len(k) != 2 for k in value):
            raise ValueError(f"padding in pairs must be {rank} pairs (low, high), got {short(value)}")
        ends = [[integer(k, "padding", 0, value) for k in pair] for pair in value]
        pairs = tuple((lo, hi) for lo, hi in ends)
        return pairs * rank if len(pairs) == 1 else pairs
    if isinstance(value, str):
        raise TypeError(f"padding must be an int, or a tuple of {rank} or of pairs, got {short(value)}")
    return tuple((k, k) for k in per_axis(value, "padding", rank, 0))


def sizes(value: Any, name: str, dims: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an array that a gradient is asked for."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} must be a tuple of ints, got {short(value)}")
    if len(value) not in dims:
        raise ValueError(f"{name} must have {' or '.join(map(str, dims))} entries, got {short(value)}")
    return tuple(integer(k, name, 0, value) for k in value)


def boundary(padding_mode: Any) -> str:
    """fastconv's name of a padding mode."""
    return BOUNDARIES[_check.name("padding_mode", padding_mode, tuple(BOUNDARIES))]


def layout(layout: Any) -> str:
    return _check.name("layout", layout, LAYOUTS)


def algorithm(algorithm: Any) -> str:
    return _check.name("algorithm", algorithm, ALGORITHMS)


def workers(workers: Any) -> int:
    """0 stands for the number that is set for all calls."""
    return 0 if workers is None else resolve_workers(workers)


def channels_first(x: Array, rank: int, layout: str) -> Array:
    """A view of x with the axes (batch, channels, spatial); unbatched arrays get a batch of one."""
    if x.ndim == rank + 1:
        x = x[None]
    return x if layout == "NCHW" else x.transpose(0, rank + 1, *range(1, rank + 1))


def shape_in_layout(shape: tuple[int, ...], layout: str, unbatched: bool) -> tuple[int, ...]:
    if layout == "NHWC":
        shape = (shape[0], *shape[2:], shape[1])
    return shape[1:] if unbatched else shape


def shape_channels_first(shape: tuple[int, ...], rank: int, layout: str) -> tuple[int, ...]:
    if len(shape) == rank + 1:
        shape = (1, *shape)
    return shape if layout == "NCHW" else (shape[0], shape[-1], *shape[1:-1])
