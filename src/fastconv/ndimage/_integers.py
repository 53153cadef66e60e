"""Small integers: what kernels of their own compute of them, and the calls to those.

Whole weights: sums that wrap around are right modulo 2^bits of the output; others must fit in the kernels.
The narrowest family of kernels for which that is proved is the fastest.
Real weights: sums in the dtype that `_numbers` says, along one axis or two, rounded or truncated on the way.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fastconv import _bytes, _narrow
from fastconv._problem import BOUNDARIES, Array
from fastconv._threads import resolve_workers
from fastconv.ndimage._arguments import Settings
from fastconv.ndimage._numbers import rounds_later, slack, wide_dtype

MOST_PRODUCTS = 1000  # more may be faster by a transform
MOST_TAPS = {"b4": MOST_PRODUCTS, "b2": 400, "h2": 250}
# the same of separable kernels, into 1 or 2 bytes and into 4: more are faster along one axis at a time
AT_ONCE = {"b4": 200, "b2": 64, "h2": 30}
AT_ONCE_WIDE = {"b4": 200, "b2": 64, "h2": 100}
EDGE = 2.0**31  # weights, and real sums, stay below
WHOLE = 2.0**24  # whole numbers up to here are float32
LONG = 64  # the same along one axis


def correlated(
    x: Array,
    w: Array,
    axes: Sequence[int],
    origins: Sequence[int],
    boundaries: Sequence[str],
    cval: Any,
    y: Array,
    settings: Settings,
    most: Mapping[str, int] = MOST_TAPS,
) -> bool:
    """Whether y has become the sums of whole weights along ascending `axes`, exactly."""
    if x.dtype.kind == "b":
        x = x.view(np.uint8)
    if w.size > MOST_PRODUCTS or not (x.ndim and _serve(x, _bytes.ITEMS) and _serve(y, "BbHhiIlL")):
        return False
    flat = w.ravel().tolist()
    if w.dtype.kind == "f" and not all(tap.is_integer() for tap in flat):
        return False
    if not (-EDGE < min(flat) and max(flat) < EDGE):
        return False
    constant = "constant" in boundaries
    if constant and not _is_value(cval, x.dtype):
        return False
    taps = w.astype(np.int64)
    family, store = _exact(
        x.dtype, taps, [int(tap) for tap in flat], y.dtype, settings.overflow == "saturate"
    )
    if not family or w.size > most[family]:
        return False
    if np.may_share_memory(x, y):
        x = x.copy()
    lo = tuple(m // 2 + origin for m, origin in zip(w.shape, origins))
    codes = tuple(BOUNDARIES[boundary] for boundary in boundaries)
    workers = 0 if settings.workers is None else resolve_workers(settings.workers)
    _bytes.correlate(x, taps, y, tuple(axes), lo, codes, int(cval) if constant else 0, family, store, workers)
    return True


def smoothed(
    x: Array, kernels: Sequence[Any], cval: Any, y: Array, settings: Settings, whole: bool = False
) -> bool:
    """Whether y has become x correlated with kernels (`_passes.Kernel`), one after the other.

    `whole`: with whole weights, if float32 holds all sums; else with real ones.
    """
    if not (x.ndim and 1 <= len(kernels) <= 2 and _serve(x, _bytes.ITEMS) and _serve(y, _bytes.SATURATED)):
        return False
    sizes = [kernel.weights.size for kernel in kernels]
    if (
        min(sizes) < 2
        or max(sizes) > LONG
        or any(k.divisor != 1 or k.weights.dtype.kind not in "iuf" for k in kernels)
    ):
        return False
    flat = [kernel.weights.astype(np.float64).tolist() for kernel in kernels]
    if whole != all(tap.is_integer() for line in flat for tap in line):
        return False
    largest = float(np.iinfo(x.dtype).max + 1) * math.prod(max(1.0, sum(map(abs, line))) for line in flat)
    if not largest < (WHOLE if whole else EDGE):
        return False
    constant = any(kernel.boundary == "constant" for kernel in kernels)
    if constant and ((cval != 0 and len(kernels) > 1) or not _is_value(cval, x.dtype)):
        return False
    later, saturate = rounds_later(y, settings), settings.overflow == "saturate"
    dtype = wide_dtype(x, settings) if later else np.dtype(settings.accumulate or np.float64)
    store = _bytes.SATURATED[y.dtype.char] if saturate else _bytes.WRAPPED[y.itemsize]
    first = None
    if whole:
        dtype = np.dtype(np.float32)
    elif not later and len(kernels) == 2:
        (least, most), info = _reach(x.dtype, flat[0]), np.iinfo(y.dtype)
        within = info.min <= least and most < info.max + 0.999
        first = (None if within else store, slack(sizes[0], dtype))
    scale = slack(sum(sizes) if later else sizes[-1], dtype)
    if whole or settings.rounding == "nearest":
        scale = 0.0
    if np.may_share_memory(x, y):
        x = x.copy()
    w = [np.ascontiguousarray(kernel.weights, dtype) for kernel in kernels]
    lo = tuple(m // 2 + kernel.origin for m, kernel in zip(sizes, kernels))
    codes = tuple(BOUNDARIES[kernel.boundary] for kernel in kernels)
    axes = tuple(kernel.axis for kernel in kernels)
    workers = 0 if settings.workers is None else resolve_workers(settings.workers)
    return _narrow.correlate(
        x, w, y, axes, lo, codes, int(cval) if constant else 0, first, (store, scale), workers
    )


def _serve(x: Array, chars: Container[str]) -> bool:
    """Whether x has one of these dtypes, as the processor reads it."""
    return x.dtype.char in chars and x.dtype.isnative and x.flags.aligned


def _is_value(cval: Any, dtype: np.dtype[Any]) -> bool:
    info = np.iinfo(dtype)
    return bool(info.min <= cval <= info.max and cval == int(cval))


def _reach(x: np.dtype[Any], taps: Iterable[Any]) -> tuple[Any, Any]:
    """Between which limits the sums of any values of a dtype are."""
    info = np.iinfo(x)
    low, high = int(info.min), int(info.max)
    ends = [(low * tap, high * tap) if tap > 0 else (high * tap, low * tap) for tap in taps]
    return sum(least for least, _ in ends), sum(most for _, most in ends)


def _exact(
    x: np.dtype[Any], w: Array, taps: Sequence[int], y: np.dtype[Any], saturate: bool
) -> tuple[str, int]:
    """The family of kernels, "" for none, and how sums are stored. w, of `taps`, keeps the bits it needs."""
    if y.itemsize not in _bytes.WRAPPED:
        return "", 0
    bits, store = 8 * y.itemsize, _bytes.WRAPPED[y.itemsize]
    least, most = min(taps), max(taps)
    if saturate:
        low, high = _reach(x, taps)
        bits = next((n for n in (16, 32) if -(1 << n - 1) <= low and high < 1 << n - 1), 0)
        if not bits or (y.char not in _bytes.SATURATED and not (y.kind == "i" or low >= 0)):
            return "", 0
        store = _bytes.SATURATED.get(y.char, store)
    elif bits < 32 and not -(1 << bits - 1) <= least <= most < 1 << bits - 1:
        w[...] = w.astype(f"i{bits // 8}")  # the low bits are enough
        least, most = int(w.min()), int(w.max())
    if x.char == "B" and -128 <= least and most <= 127:
        if "b4" in _bytes.FAMILIES:
            return "b4", store
        if "b2" in _bytes.FAMILIES and bits <= 16 and y.itemsize <= 2 and _pairs_fit(w, least, most):
            return "b2", store
    return ("h2", store) if -(1 << 15) <= least and most < 1 << 15 else ("", 0)


def _pairs_fit(w: Array, least: int, most: int) -> bool:
    """Whether products of two neighbours, along any axis, with values up to 255 add up to 16 bits, signed."""
    if -64 <= least and most <= 64:
        return True
    for axis in range(w.ndim):
        a, b = np.moveaxis(w, axis, 0)[:-1], np.moveaxis(w, axis, 0)[1:]
        if np.any(np.maximum(a, 0) + np.maximum(b, 0) > 128) or np.any(
            np.minimum(a, 0) + np.minimum(b, 0) < -128
        ):
            return False
    return True
