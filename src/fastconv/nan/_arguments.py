"""The arguments of `convolve`, checked and in one normal form."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastconv import _check
from fastconv._problem import BOUNDARIES, Array
from fastconv._repr import short
from fastconv._threads import resolve_workers

# Astropy's words and fastconv's
WORDS = {
    "fill": "constant",
    "extend": "nearest",
    "wrap": "wrap",
    "zero": "zero",
    "constant": "constant",
    "nearest": "nearest",
    "reflect": "reflect",
    "mirror": "mirror",
}
TREATMENTS = ("interpolate", "fill", "propagate", "ignore")


class Call(NamedTuple):
    """What is to be computed."""

    x: Array  # the data, of any real dtype
    mask: Array | None  # bool
    w: Array  # the kernel, of the dtype of sums, not reversed; its sum is 1 if it is normalized
    total: float  # sum of the kernel as it was given
    boundary: int | None  # a code of BOUNDARIES; None: no window may leave the array
    outside: float  # what stands outside at a constant boundary
    treatment: str
    fill_value: float
    normalized: bool
    preserve: bool
    tolerance: float
    y: Array  # where the result goes
    workers: int

    def check_weights(self) -> None:
        """Values are missing and to be interpolated: can they be?"""
        if abs(self.total) <= self.tolerance:
            raise ValueError(
                "kernel must not have a sum near zero for nan_treatment 'interpolate' of data with missing "
                f"values, got the sum {self.total}; nan_treatment 'fill' or 'ignore' takes any kernel"
            )


def call(
    array: Any,
    kernel: Any,
    boundary: Any,
    fill_value: Any,
    nan_treatment: Any,
    normalize_kernel: Any,
    mask: Any,
    preserve_nan: Any,
    normalization_zero_tol: Any,
    out: Any,
    workers: Any,
) -> Call:
    code = None if boundary is None else BOUNDARIES[WORDS[_check.name("boundary", boundary, tuple(WORDS))]]
    _check.name("nan_treatment", nan_treatment, TREATMENTS)
    fill = _real(fill_value, "fill_value")
    tolerance = _real(normalization_zero_tol, "normalization_zero_tol")
    if not tolerance >= 0:
        raise ValueError(f"normalization_zero_tol must be at least 0, got {short(normalization_zero_tol)}")
    if np.ma.is_masked(kernel):
        raise ValueError("kernel must not have masked elements; kernel.filled(value) puts a value there")
    x, w = _numbers(array, "array"), _numbers(kernel, "kernel")
    if x.ndim == 0:
        raise ValueError("array must have at least one dimension, got a scalar")
    if w.ndim != x.ndim:
        raise ValueError(f"kernel must have the array's {x.ndim} dimensions, got {w.ndim}")
    for name, part in (("array", x), ("kernel", w)):
        if part.size == 0:
            raise ValueError(f"{name} must not be empty, got shape {part.shape}")
    if boundary is None and any(m > n for n, m in zip(x.shape, w.shape)):
        raise ValueError(
            f"kernel must be no longer than the array {x.shape} along any axis for boundary None, "
            f"got {w.shape}"
        )
    dtype = x.dtype.newbyteorder("=") if x.dtype.kind == "f" else np.dtype(float)
    summed = np.dtype(np.float32) if dtype.char == "e" else dtype
    w, total = _taps(w, summed, bool(normalize_kernel), tolerance)
    return Call(
        x=x,
        mask=_mask(mask, array, x.shape),
        w=w,
        total=total,
        boundary=code,
        outside=0.0 if boundary == "zero" else fill,
        treatment=nan_treatment,
        fill_value=fill,
        normalized=bool(normalize_kernel),
        preserve=bool(preserve_nan),
        tolerance=tolerance,
        y=np.empty(x.shape, dtype) if out is None else _check.out(out, x.shape, dtype),
        workers=0 if workers is None else resolve_workers(workers),
    )


def _real(value: Any, name: str) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (float, int, np.floating, np.integer)):
        raise TypeError(f"{name} must be a real number, got {short(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a float, got {short(value)}") from None


def _numbers(x: Any, name: str) -> Array:
    """`x` as an array of real numbers, without its mask."""
    found = _check.array(np.ma.getdata(x) if isinstance(x, np.ma.MaskedArray) else x, name)
    if found.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold real numbers, got dtype {found.dtype}")
    return found


def _taps(w: Array, dtype: np.dtype[Any], normalize: bool, tolerance: float) -> tuple[Array, float]:
    """The kernel in the dtype of sums, normalized if it is to be; the sum of the one that was given."""
    wide = w.astype(np.promote_types(dtype, float))
    total = wide.sum()
    if normalize:
        if not abs(total) > tolerance:
            raise ValueError(
                f"kernel must not have a sum near zero to be normalized, got {float(total)}; "
                "normalize_kernel=False takes any kernel"
            )
        wide = wide / total
    return wide.astype(dtype), float(total)


def _mask(mask: Any, array: Any, shape: tuple[int, ...]) -> Array | None:
    """Where values are missing that need not be NaN."""
    found: Array | None = None
    if mask is not None:
        if np.ma.is_masked(mask):
            raise ValueError("mask must not have masked elements itself")
        given = _check.array(np.ma.getdata(mask), "mask")
        if given.shape != shape:
            raise ValueError(f"mask must have the array's shape {shape}, got {given.shape}")
        if given.dtype.kind not in "buif":
            raise TypeError(f"mask must hold bools or numbers, got dtype {given.dtype}")
        found = given != 0
    if np.ma.is_masked(array):
        own = np.ma.getmaskarray(array)
        found = own if found is None else found | own
    return found
