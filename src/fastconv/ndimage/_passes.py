"""Correlations into outputs of any dtype: where the filters meet the engine.

    y[i] = sum over t of w[t] x~[i + t - m // 2 - origin]          for m weights along an axis

with x~ the input continued by the boundary. `correlation` is one such sum along one axis or several, `passes`
a chain of sums along one axis each. Both choose the dtype of the arithmetic and store its results as the
output's dtype; how the sums are computed is the matter of `fastconv.correlate`. Arguments have been checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastconv import _blocks
from fastconv._entry import correlate
from fastconv._problem import BOUNDARIES, Array, Window
from fastconv.ndimage._arguments import Settings

SLAB_BYTES = 1 << 20
EXACT = 2.0**53  # whole numbers up to here are float64


class Kernel(NamedTuple):
    """Weights along one axis."""

    weights: Array  # real or complex, not conjugated
    axis: int
    boundary: str
    origin: int = 0
    divisor: int = 1  # of the sums


def passes(x: Array, kernels: Sequence[Kernel], cval: Any, y: Array, settings: Settings) -> None:
    """y = x correlated with every kernel in turn.

    As in SciPy, the results of each have y's dtype; but those that are to be rounded or to saturate, do so
    once.
    """
    if not kernels:
        store(x.copy(), y, settings)
        return
    if rounds_later(y, settings):
        wide = wide_output(x, settings)
        passes(x, kernels, cval, wide, settings)
        store(wide, y, settings, sum(kernel.weights.size for kernel in kernels))
        return
    spare = np.empty_like(y) if len(kernels) > 1 else y
    for left, kernel in zip(range(len(kernels), 0, -1), kernels):
        target = y if left % 2 else spare
        w, axis, boundary, origin, divisor = kernel
        correlation(x, w, [axis], [origin], boundary, cval, target, settings, divisor=divisor)
        x = target


def rounds_later(y: Array, settings: Settings) -> bool:
    """Whether what is stored in y must be a final result: it is rounded or saturates."""
    return y.dtype.kind in "biu" and not (settings.rounding == "truncate" and settings.overflow == "wrap")


def wide_output(x: Array, settings: Settings) -> Array:
    """An array of real numbers for what will be rounded later."""
    return np.empty(x.shape, np.result_type(x.dtype, _float(_narrow(x), settings)))


def correlation(
    x: Array,
    w: Array,
    axes: Sequence[int],
    origins: Sequence[int],
    boundary: str,
    cval: Any,
    y: Array,
    settings: Settings,
    *,
    skip_zeros: bool = False,
    divisor: int = 1,
) -> None:
    """y = the sums, divided by `divisor`, along ascending `axes`, one for each of w's.

    `skip_zeros`: a weight of zero leaves its term out, also where the input is not finite.
    """
    if x.size == 0:
        return
    if not axes:
        x, w, y, axes, origins = x[None], w[None], y[None], [0], [0]
    if "c" in x.dtype.kind + w.dtype.kind and x.dtype.kind != w.dtype.kind:
        if np.may_share_memory(x, y):
            x = x.copy()
        images = (x.real, x.imag) if x.dtype.kind == "c" else (x, x)
        weights = (w.real, w.imag) if w.dtype.kind == "c" else (w, w)
        outside = (cval.real, cval.imag) if x.dtype.kind == "c" else (cval, cval)
        options: dict[str, Any] = {"skip_zeros": skip_zeros, "divisor": divisor}
        for xs, ws, k, ys in zip(images, weights, outside, (y.real, y.imag)):
            correlation(xs, ws, axes, origins, boundary, k, ys, settings, **options)
        return

    skip_zeros = skip_zeros and x.dtype.kind in "fc" and not np.all(w)
    dtype, whole = _arithmetic(x, w, y, cval if boundary == "constant" else 0, divisor, settings)
    w = (w if whole else w / divisor).astype(dtype)
    if dtype.kind == "i" and boundary == "constant":
        cval = np.int64(cval).astype(dtype)
    at_once = x.dtype == dtype == y.dtype and not (whole and divisor > 1)
    if np.may_share_memory(x, y) and (skip_zeros or not at_once):
        x = x.copy()
    start = [m - 1 - m // 2 - origin for m, origin in zip(w.shape, origins)]
    parts = iter([(x, start, y)]) if at_once else _slabs(x, w, axes, start, boundary, cval, y, dtype)
    for xs, first, ys in parts:
        part = ys if ys.dtype == dtype else np.empty(ys.shape, dtype)
        options = {"axes": tuple(axes), "boundary": boundary, "cval": cval}
        window: Any = Window(tuple(first), tuple(ys.shape[k] for k in axes))
        correlate(xs, w.conj(), window, **options, out=part, workers=settings.workers)
        if skip_zeros:
            _leave_out_zeros(xs, w, axes, first, boundary, cval, part)
        if whole and dtype.kind == "f":
            np.rint(part, out=part)  # of a transform
        if whole and divisor > 1:
            part = np.divide(part, divisor, dtype=np.float32 if dtype.itemsize == 2 else np.float64)
        if part is not ys:
            store(part, ys, settings, 0 if whole else w.size)


def _slabs(
    x: Array,
    w: Array,
    axes: Sequence[int],
    start: list[int],
    boundary: str,
    cval: Any,
    y: Array,
    dtype: np.dtype[Any],
) -> Iterator[tuple[Array, list[int], Array]]:
    """Parts of y, across its widest axis, that stay in the cache; with each the x it needs and its start."""
    axis = max(range(y.ndim), key=lambda k: abs(y.strides[k]) * (y.shape[k] > 1))
    i = axes.index(axis) if axis in axes else -1
    halo = w.shape[i] - 1 if i >= 0 else 0
    n = y.shape[axis]
    step = max(4 * halo, SLAB_BYTES * n // (dtype.itemsize * y.size), 1)
    begin = [*start[:i], halo, *start[i + 1 :]] if i >= 0 else start
    every: tuple[Any, ...] = (slice(None),) * axis
    for first in range(0, n, step):
        last = min(first + step, n)
        low, high = (first, last) if i < 0 else (first + start[i] - halo, last + start[i])
        if low >= 0 and high <= n:
            part = x[(*every, slice(low, high))].astype(dtype, copy=False)
        else:
            rows = _blocks.sources(np.arange(low, high), n, BOUNDARIES[boundary])
            part = x.take(rows, axis).astype(dtype, copy=False)
            part[(*every, rows < 0)] = cval
        yield part, begin, y[(*every, slice(first, last))]


def _arithmetic(
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
    narrow = _narrow(x)
    narrow = narrow and (settings.rounding == "nearest" if to_integers else y.real.dtype.char in "ef")
    real = _float(narrow, settings, np.longdouble if y.dtype.char in "gG" else np.float64)
    return np.result_type(x.dtype, real, w.dtype if w.dtype.kind == "c" else real), False


def _narrow(x: Array) -> bool:
    """Whether float32 holds all of x's values."""
    return bool(np.result_type(x.real.dtype, np.float32) == np.float32)


def _float(narrow: bool, settings: Settings, wide: type = np.float64) -> np.dtype[Any]:
    """The dtype of real arithmetic."""
    return np.dtype(settings.accumulate or (np.float32 if narrow else wide))


def _leave_out_zeros(
    x: Array, w: Array, axes: Sequence[int], start: Sequence[int], boundary: str, cval: Any, y: Array
) -> None:
    """Recompute what is not finite in y without the terms whose weights are zero."""
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(y.sum()):  # then so is every term
            return
    places = np.nonzero(~np.isfinite(y))
    sums = np.zeros(places[0].size, y.dtype)
    for tap in np.argwhere(w):
        window = list(places)
        outside = np.zeros(sums.size, bool)
        for k, t, first, m in zip(axes, tap.tolist(), start, w.shape):
            index = _blocks.sources(places[k] + (first + t - (m - 1)), x.shape[k], BOUNDARIES[boundary])
            outside |= index < 0
            window[k] = index
        terms = x[tuple(window)].astype(y.dtype)
        terms[outside] = cval
        with np.errstate(invalid="ignore", over="ignore"):
            sums += terms * w[tuple(tap)]
    y[places] = sums


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
            values *= 1 + (16 + terms / 8) * np.finfo(values.dtype).eps
    if y.dtype.kind in "iu" and settings.overflow == "saturate":
        np.clip(values, *_limits(y.dtype, values.dtype), out=values)
    with np.errstate(invalid="ignore", over="ignore"):
        np.copyto(y, _wrapped(values, y.dtype) if integers else values, casting="unsafe")


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
