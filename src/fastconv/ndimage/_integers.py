"""Which sums of small integers the integer kernels compute exactly, and the call to them.

Sums that wrap around are right modulo 2^bits of the output whatever the kernels' sums are modulo; others must fit in the
kernels' sums. The narrowest family of kernels for which this is proved is the fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv import _bytes
from fastconv._problem import BOUNDARIES, Array
from fastconv._threads import resolve_workers
from fastconv.ndimage._arguments import Settings

MOST_TAPS = {"b4": 1000, "b2": 400, "h2": 250}  # more may be faster by a transform


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


def _holds(dtype: np.dtype[Any], value: int) -> bool:
    info = np.iinfo(dtype)
    return info.min <= value <= info.max


def _exact(x: np.dtype[Any], w: Array, y: np.dtype[Any], saturate: bool) -> tuple[str, int]:
    """The family of kernels, "" for none, and how sums are stored.

    With S = sum of |w| over weights of one sign, the sums of values a <= x <= b are within
    [a S+ - b S-, b S+ - a S-].
    """
    if x.char not in _bytes.ITEMS or y.itemsize not in _bytes.WRAPPED:
        return "", 0
    bits = 8 * y.itemsize
    info = np.iinfo(x)
    above, below = int(w[w > 0].sum()), -int(w[w < 0].sum())
    least, most = info.min * above - info.max * below, info.max * above - info.min * below
    store = _bytes.WRAPPED[y.itemsize]
    if saturate:
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
