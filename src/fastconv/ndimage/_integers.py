"""Small integers: what kernels of their own compute of them, and the calls to those.

Whole weights: sums that wrap around are right modulo 2^bits of the output; others must fit in the kernels.
The narrowest family of kernels for which that is proved is the fastest.
Real weights: sums in the dtype that `_numbers` says, along one axis or two, rounded or truncated on the way.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache, reduce
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
) -> bool:
    """Whether y has become the sums of whole weights along ascending `axes`, exactly."""
    if w.size > MOST_PRODUCTS or not (x.ndim and x.flags.aligned and y.flags.aligned):
        return False
    weights = (w.tobytes(), w.dtype, w.shape)
    outside = cval if "constant" in boundaries else 0
    places = (tuple(axes), tuple(origins), tuple(boundaries))
    plan = _correlation(x.dtype, weights, *places, outside, y.dtype, settings.overflow == "saturate")
    if plan is None:
        return False
    _run(plan, x, y, settings)
    return True


@lru_cache(maxsize=256)
def _correlation(
    x: np.dtype[Any],
    weights: tuple[bytes, np.dtype[Any], tuple[int, ...]],
    axes: tuple[int, ...],
    origins: tuple[int, ...],
    boundaries: tuple[str, ...],
    cval: Any,
    y: np.dtype[Any],
    saturate: bool,
    most: tuple[tuple[str, int], ...] = tuple(MOST_TAPS.items()),
) -> _bytes.Correlation | None:
    """What computes exact sums of up to so many taps; None: nothing does."""
    if x.kind == "b":
        x = np.dtype(np.uint8)
    if not (_serve(x, _bytes.ITEMS) and _serve(y, "BbHhiIlL")):
        return None
    w = np.frombuffer(weights[0], weights[1]).reshape(weights[2])
    flat = w.ravel().tolist()
    if w.dtype.kind == "f" and not all(tap.is_integer() for tap in flat):
        return None
    if not (-EDGE < min(flat) and max(flat) < EDGE and _is_value(cval, x)):
        return None
    taps = w.astype(np.int64)
    family, store = _exact(x, taps, [int(tap) for tap in flat], y, saturate)
    if not family or w.size > dict(most)[family]:
        return None
    lo = tuple(m // 2 + origin for m, origin in zip(w.shape, origins))
    codes = tuple(BOUNDARIES[boundary] for boundary in boundaries)
    return _bytes.Correlation(taps, axes, lo, codes, int(cval), family, store)


def passed(x: Array, kernels: Sequence[Any], cval: Any, y: Array, settings: Settings) -> bool:
    """Whether y has become x correlated with kernels (`_passes.Kernel`), one after the other."""
    if (
        not (x.ndim and x.flags.aligned and y.flags.aligned)
        or sum(k.weights.size for k in kernels) > 4 * LONG
    ):
        return False
    key = tuple([(k.weights.tobytes(), k.weights.dtype, *k[1:]) for k in kernels])
    outside = cval if any(kernel.boundary == "constant" for kernel in kernels) else 0
    plans = _passes(x.dtype, key, outside, y.dtype, settings)
    return any(_run(plan, x, y, settings) is not False for plan in plans)


@lru_cache(maxsize=256)
def _passes(
    x: np.dtype[Any],
    passes: tuple[tuple[bytes, np.dtype[Any], int, str, int, int], ...],
    cval: Any,
    y: np.dtype[Any],
    settings: Settings,
) -> list[_bytes.Correlation | _narrow.Smoothing]:
    """What computes these `_passes.Kernel`s, with their weights as bytes, if memory lies so that it can."""
    axes, boundaries, origins, divisors = zip(*[k[2:] for k in passes])
    kernels = [np.frombuffer(data, dtype) for data, dtype, *_ in passes]
    if any(divisor != 1 for divisor in divisors) or any(w.dtype.kind not in "biuf" for w in kernels):
        return []
    if cval != 0 and len(passes) > 1:
        return []
    plans: list[_bytes.Correlation | _narrow.Smoothing | None] = []
    flat = [w.astype(np.float64).tolist() for w in kernels]
    if not all(tap.is_integer() for line in flat for tap in line):
        plans.append(_smoothing(x, flat, axes, boundaries, origins, cval, y, settings))
    else:
        if math.prod(map(len, flat)) <= max(AT_ONCE.values()):
            order = sorted(range(len(axes)), key=lambda k: axes[k])
            w = reduce(np.multiply.outer, [np.array(flat[k]) for k in order])
            places = [tuple(of[k] for k in order) for of in (axes, origins, boundaries)]
            most = tuple((AT_ONCE if y.itemsize < 4 else AT_ONCE_WIDE).items())
            weights = (w.tobytes(), w.dtype, w.shape)
            saturate = settings.overflow == "saturate"
            plans.append(_correlation(x, weights, *places, cval, y, saturate, most))
        plans.append(_smoothing(x, flat, axes, boundaries, origins, cval, y, settings, whole=True))
    return [plan for plan in plans if plan]


def _smoothing(
    x: np.dtype[Any],
    flat: list[list[float]],
    axes: tuple[int, ...],
    boundaries: tuple[str, ...],
    origins: tuple[int, ...],
    cval: Any,
    y: np.dtype[Any],
    settings: Settings,
    whole: bool = False,
) -> _narrow.Smoothing | None:
    """What computes passes by real numbers: those of whole weights only if float32 holds all sums."""
    sizes = [len(line) for line in flat]
    if not (1 <= len(flat) <= 2 and 2 <= min(sizes) and max(sizes) <= LONG):
        return None
    if not (_serve(x, _bytes.ITEMS) and _serve(y, _bytes.SATURATED) and _is_value(cval, x)):
        return None
    largest = float(np.iinfo(x).max + 1) * math.prod(max(1.0, sum(map(abs, line))) for line in flat)
    if not largest < (WHOLE if whole else EDGE):
        return None
    dtype, later, saturate = _sums(x, y, settings), rounds_later(y, settings), settings.overflow == "saturate"
    store = _bytes.SATURATED[y.char] if saturate else _bytes.WRAPPED[y.itemsize]
    first = None
    if whole:
        dtype = np.dtype(np.float32)
    elif not later and len(flat) == 2:
        (least, most), info = _reach(x, flat[0]), np.iinfo(y)
        within = info.min <= least and most < info.max + 0.999
        first = (None if within else store, slack(sizes[0], dtype))
    scale = slack(sum(sizes) if later else sizes[-1], dtype)
    if whole or settings.rounding == "nearest":
        scale = 0.0
    w = [np.array(line, dtype) for line in flat]
    lo = tuple(m // 2 + origin for m, origin in zip(sizes, origins))
    codes = tuple(BOUNDARIES[boundary] for boundary in boundaries)
    return _narrow.Smoothing(w, axes, lo, codes, int(cval), first, (store, scale))


def _sums(x: np.dtype[Any], y: np.dtype[Any], settings: Settings) -> np.dtype[Any]:
    """The dtype of sums of real terms."""
    if rounds_later(y, settings):
        return wide_dtype(x, settings)
    return np.dtype(settings.accumulate or np.float64)


def _run(plan: _bytes.Correlation | _narrow.Smoothing, x: Array, y: Array, settings: Settings) -> bool | None:
    if x.dtype.kind == "b":
        x = x.view(np.uint8)
    if np.may_share_memory(x, y):
        x = x.copy()
    return plan.run(x, y, 0 if settings.workers is None else resolve_workers(settings.workers))


def _serve(dtype: np.dtype[Any], chars: Container[str]) -> bool:
    """Whether it is one of these dtypes, as the processor reads it."""
    return dtype.char in chars and dtype.isnative


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
