"""Small integers: what kernels of their own compute of them, and the calls to those.

Whole weights: sums that wrap around are right modulo 2^bits of the output whatever the kernels' sums are modulo; others must fit in the
kernels' sums. The narrowest family of kernels for which this is proved is the fastest.
Real weights: sums as `_numbers` wants them, along one axis or two, rounded or truncated where they are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastconv import _bytes, _narrow
from fastconv._problem import BOUNDARIES, Array
from fastconv._threads import resolve_workers
from fastconv.ndimage._arguments import Settings
from fastconv.ndimage._numbers import arithmetic, rounds_later, slack, wide_dtype

MOST_TAPS = {"b4": 1000, "b2": 400, "h2": 250}  # more may be faster by a transform
LONG = 64  # the same along one axis


class Kernel(NamedTuple):
    """Weights along one axis."""

    weights: Array  # real or complex, not conjugated
    axis: int
    boundary: str
    origin: int = 0
    divisor: int = 1  # of the sums


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
    """y = the sums of whole weights along ascending `axes`, if integer kernels compute them exactly; else False."""
    if x.dtype.kind == "b":
        x = x.view(np.uint8)
    if x.dtype.kind not in "iu" or y.dtype.kind not in "iu" or x.ndim == 0 or w.size > max(MOST_TAPS.values()):
        return False
    if not (x.flags.aligned and y.flags.aligned and x.dtype.isnative and y.dtype.isnative):
        return False
    if not np.all(np.abs(w) < 2.0**31) or not np.all(np.rint(w) == w):
        return False
    if "constant" in boundaries and not (np.rint(cval) == cval and _holds(x.dtype, int(cval))):
        return False
    taps = w.astype(np.int64)
    family, store = _exact(x.dtype, taps, y.dtype, settings.overflow == "saturate")
    if not family or w.size > MOST_TAPS[family]:
        return False
    if np.may_share_memory(x, y):
        x = x.copy()
    lo = tuple(m // 2 + origin for m, origin in zip(w.shape, origins))
    codes = tuple(BOUNDARIES[boundary] for boundary in boundaries)
    workers = 0 if settings.workers is None else resolve_workers(settings.workers)
    outside = int(cval) if "constant" in boundaries else 0
    _bytes.correlate(x, taps, y, tuple(axes), lo, codes, outside, family, store, workers)
    return True


def smoothed(x: Array, kernels: Sequence[Kernel], cval: Any, y: Array, settings: Settings) -> bool:
    """y = x correlated with real kernels, one after the other, if there is a driver for that; else False."""
    chars = x.dtype.char in _bytes.ITEMS and y.dtype.char in _bytes.SATURATED
    if not (chars and x.ndim and 1 <= len(kernels) <= 2 and all(1 < k.weights.size <= LONG for k in kernels)):
        return False
    if not (x.flags.aligned and y.flags.aligned and x.dtype.isnative and y.dtype.isnative):
        return False
    if any(k.divisor != 1 or k.weights.dtype.kind != "f" for k in kernels):
        return False
    constant = any(kernel.boundary == "constant" for kernel in kernels)
    if constant and (cval and len(kernels) > 1 or np.rint(cval) != cval or not _holds(x.dtype, int(cval))):
        return False
    bound, later, sizes = 2.0**16, rounds_later(y, settings), [kernel.weights.size for kernel in kernels]
    for kernel in kernels:
        bound *= max(1.0, float(np.abs(kernel.weights).sum()))
    if not bound < 2.0**30:
        return False
    dtypes = [arithmetic(x, kernel.weights, y, 0, 1, settings) for kernel in kernels]
    if all(whole for _, whole in dtypes):
        return False
    dtype = wide_dtype(x, settings) if later else next(dtype for dtype, whole in dtypes if not whole)
    if dtype.char not in "fd":
        return False
    store = (_bytes.SATURATED[y.dtype.char] if settings.overflow == "saturate" else _bytes.WRAPPED[y.itemsize])
    first = None
    if not later and len(kernels) == 2:
        least, most = _reach(x.dtype, kernels[0].weights)
        within = np.iinfo(y.dtype).min <= least and most < np.iinfo(y.dtype).max + 0.999
        first = (None if within else store, slack(sizes[0], dtype))
    scale = 0.0 if settings.rounding == "nearest" else slack(sum(sizes) if later else sizes[-1], dtype)
    if np.may_share_memory(x, y):
        x = x.copy()
    w = [np.ascontiguousarray(kernel.weights, dtype) for kernel in kernels]
    lo = tuple(kernel.weights.size // 2 + kernel.origin for kernel in kernels)
    codes = tuple(BOUNDARIES[kernel.boundary] for kernel in kernels)
    axes = tuple(kernel.axis for kernel in kernels)
    outside = int(cval) if constant else 0
    workers = 0 if settings.workers is None else resolve_workers(settings.workers)
    return _narrow.correlate(x, w, y, axes, lo, codes, outside, first, (store, scale), workers)


def _holds(dtype: np.dtype[Any], value: int) -> bool:
    info = np.iinfo(dtype)
    return info.min <= value <= info.max


def _reach(x: np.dtype[Any], w: Array) -> tuple[Any, Any]:
    """Between which limits the sums of any values of a dtype are."""
    info = np.iinfo(x)
    above, below = w[w > 0].sum(), -w[w < 0].sum()
    return info.min * above - info.max * below, info.max * above - info.min * below


def _exact(x: np.dtype[Any], w: Array, y: np.dtype[Any], saturate: bool) -> tuple[str, int]:
    """The family of kernels, "" for none, and how sums are stored."""
    if x.char not in _bytes.ITEMS or y.itemsize not in _bytes.WRAPPED:
        return "", 0
    bits = 8 * y.itemsize
    store = _bytes.WRAPPED[y.itemsize]
    if saturate:
        least, most = (int(limit) for limit in _reach(x, w))
        bits = next((n for n in (16, 32) if -(1 << n - 1) <= least and most < 1 << n - 1), 0)
        if not bits or (y.char not in _bytes.SATURATED and not (y.kind == "i" or least >= 0)):
            return "", 0
        store = _bytes.SATURATED.get(y.char, store)
    elif bits == 8:
        w[...] = w.astype(np.int8)  # the low bits are enough
    elif bits == 16:
        w[...] = w.astype(np.int16)
    if x.char == "B" and -128 <= w.min() and w.max() <= 127:
        if "b4" in _bytes.FAMILIES and bits <= 32:
            return "b4", store
        if "b2" in _bytes.FAMILIES and bits <= 16 and y.itemsize <= 2 and _pairs_fit(w):
            return "b2", store
    if -(1 << 15) <= w.min() and w.max() < 1 << 15:
        return "h2", store
    return "", 0


def _pairs_fit(w: Array) -> bool:
    """Whether the products of two neighbours, along any axis, with values up to 255 add up to 16 bits, signed."""
    for axis in range(w.ndim):
        a, b = np.moveaxis(w, axis, 0)[:-1], np.moveaxis(w, axis, 0)[1:]
        if np.any(np.maximum(a, 0) + np.maximum(b, 0) > 128) or np.any(np.minimum(a, 0) + np.minimum(b, 0) < -128):
            return False
    return True
