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

FEW_TAPS = 100  # are summed directly: in slabs at no cost, whole numbers without rounding
SLAB_BYTES = 1 << 21


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
        parts = (x.real, x.imag) if x.dtype.kind == "c" else (x, x)
        weights = (w.real, w.imag) if w.dtype.kind == "c" else (w, w)
        outside = (cval.real, cval.imag) if x.dtype.kind == "c" else (cval, cval)
        options: dict[str, Any] = {"skip_zeros": skip_zeros, "divisor": divisor}
        for xs, ws, k, ys in zip(parts, weights, outside, (y.real, y.imag)):
            correlation(xs, ws, axes, origins, boundary, k, ys, settings, **options)
        return

    skip_zeros = skip_zeros and x.dtype.kind in "fc" and not np.all(w)
    w, whole = _weights(x, w, y, cval if boundary == "constant" else 0, divisor, settings)
    dtype = np.result_type(x.dtype, w.dtype)
    start = [m - 1 - m // 2 - origin for m, origin in zip(w.shape, origins)]
    if np.may_share_memory(x, y) and (skip_zeros or y.dtype != dtype):
        x = x.copy()
    for rows, slab in _slabs(y, y.dtype == dtype or w.size > FEW_TAPS):
        part = slab if slab.dtype == dtype else np.empty(slab.shape, dtype)
        needed = x[tuple(slice(None) if k in axes else cut for k, cut in enumerate(rows))]
        first = tuple(rows[k].start + begin for k, begin in zip(axes, start))
        options = {"axes": tuple(axes), "boundary": boundary, "cval": cval}
        window: Any = Window(first, tuple(slab.shape[k] for k in axes))
        correlate(
            needed,
            w.conj(),
            window,
            **options,
            method="direct" if whole and w.dtype == np.float32 else "auto",
            out=part,
            workers=settings.workers,
        )
        if skip_zeros:
            _leave_out_zeros(needed, w, axes, first, boundary, cval, part)
        if part is not slab:
            if whole and dtype.kind == "f":
                np.rint(part, out=part)
                if divisor > 1:
                    part /= divisor
            store(part, slab, settings, 0 if whole else w.size)


def _slabs(y: Array, at_once: bool) -> Iterator[tuple[list[slice], Array]]:
    """Parts of y across its widest axis that stay in the cache, each with its place; or all of it at once."""
    place = [slice(0, n) for n in y.shape]
    if at_once:
        yield place, y
        return
    axis = max(range(y.ndim), key=lambda k: abs(y.strides[k]) * (y.shape[k] > 1))
    n = y.shape[axis]
    step = max(1, SLAB_BYTES * n // (8 * y.size))
    for first in range(0, n, step):
        place[axis] = slice(first, min(first + step, n))
        yield place, y[tuple(place)]


def _weights(
    x: Array, w: Array, y: Array, outside: Any, divisor: int, settings: Settings
) -> tuple[Array, bool]:
    """w in the dtype that lets the engine compute as it should, and whether the sums are whole numbers.

    Whole numbers are summed without rounding, in int16 or float32 where these hold all sums; `divisor` is
    left out. SciPy sums in double; where input and output are no wider than float32, float32 serves.
    """
    w = w.astype(np.result_type(w.dtype, np.float64))
    wide = np.longdouble if y.dtype.char in "gG" else np.float64
    narrow = _narrow(x)
    integers = x.dtype.kind in "biu" and y.dtype.kind in "biu"
    if integers and np.all(np.rint(w) == w) and outside == np.rint(outside):
        most = 1 if x.dtype.kind == "b" else max(-int(np.iinfo(x.dtype).min), int(np.iinfo(x.dtype).max))
        bound = max(1, np.abs(w).sum()) * max(most, abs(outside))
        if narrow and bound < 2**15 and divisor == 1:
            return w.astype(np.int16), True
        if narrow and bound < 2**22 and w.size <= FEW_TAPS:
            return w.astype(np.float32), True
        return w.astype(wide), True
    to_integers = y.dtype.kind in "biu"
    narrow = narrow and (settings.rounding == "nearest" if to_integers else y.real.dtype.char in "ef")
    dtype = _float(narrow, settings, wide)
    return (w / divisor).astype(np.result_type(dtype, np.complex64) if w.dtype.kind == "c" else dtype), False


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
    places = np.nonzero(~np.isfinite(y))
    if not places[0].size:
        return
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
