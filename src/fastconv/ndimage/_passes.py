"""Correlations into outputs of any dtype: where the filters meet the engine.

    y[i] = sum over t of w[t] x~[i + t - m // 2 - origin]          for m weights along an axis

with x~ the input continued by the boundary. `correlation` is one such sum along one axis or several, `passes`
a chain of sums along one axis each. Where dtypes differ they work in slabs that stay in the cache: what one
needs of the input is cast and continued here. How sums are computed is the matter of `fastconv.correlate` and
of the driver for separable kernels. Arguments have been checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fastconv import _blocks, _direct, _separable, _stencil
from fastconv._cost import rates
from fastconv._direct import DTYPES
from fastconv._entry import correlate
from fastconv._problem import BOUNDARIES, Array, Window, distinct
from fastconv._threads import resolve_workers
from fastconv.ndimage import _integers
from fastconv.ndimage._arguments import Settings
from fastconv.ndimage._boxes import SUMS, Box, means, sums
from fastconv.ndimage._numbers import arithmetic, rounds_later, store, wide_dtype

SLAB_BYTES = 1 << 20
LONG = 5 * rates().vector_bytes // 2  # more taps along an axis are faster by a transform
VOLUME_BYTES = 80  # more taps along three axes or more have the driver filter much of its boxes twice
FUSED = 4  # axes at most: the driver's work grows with the product of their taps where an image is small
FEW = 12  # so many taps are summed directly the fastest,
SMALL = 100e-6  # and so many seconds of products, beside the search for a better method


class Kernel(NamedTuple):
    """Weights along one axis."""

    weights: Array  # real or complex, not conjugated
    axis: int
    boundary: str
    origin: int = 0
    divisor: int = 1  # of the sums; more than 1: as many weights, all 1


class Fusion(NamedTuple):
    """Passes that the driver for separable kernels makes at once, along ascending axes."""

    dtype: np.dtype[Any]
    factors: Array
    m: tuple[int, ...]
    axes: tuple[int, ...]
    start: list[int]  # as a `Window` has it
    lo: tuple[int, ...]
    codes: tuple[int, ...]


def passes(x: Array, kernels: Sequence[Kernel], cval: Any, y: Array, settings: Settings) -> None:
    """y = x correlated with every kernel in turn, each along an axis of its own.

    As in SciPy, the results of each have y's dtype; but what is to be rounded or to saturate does so once.
    """
    if x.dtype.kind == "c" and all(kernel.weights.dtype.kind != "c" for kernel in kernels):
        x = x.copy() if np.may_share_memory(x, y) else x
        passes(x.real, kernels, cval.real, y.real, settings)
        passes(x.imag, kernels, cval.imag, y.imag, settings)
    elif not kernels:
        store(x.copy(), y, settings)
    elif all(kernel.divisor > 1 for kernel in kernels) and means(x, _boxes(kernels), cval, y, settings):
        pass
    elif x.dtype.kind in "biu" and _integers.passed(x, kernels, cval, y, settings):
        pass
    elif x.size and (fusion := _fusion_of(x, kernels, cval, y, settings)):
        _fused(x, fusion, y, settings)
    elif rounds_later(y.dtype, settings):
        wide = np.empty(y.shape, wide_dtype(x.dtype, settings))
        passes(x, kernels, cval, wide, settings)
        store(wide, y, settings, sum(kernel.weights.size for kernel in kernels))
    else:
        spare = np.empty_like(y) if len(kernels) > 1 else y
        for left, kernel in zip(range(len(kernels), 0, -1), kernels):
            target = y if left % 2 else spare
            w, axis, boundary, origin, divisor = kernel
            correlation(x, w, [axis], [origin], boundary, cval, target, settings, divisor=divisor)
            x = target


def _boxes(kernels: Sequence[Kernel]) -> list[Box]:
    return [Box(kernel.weights.size, kernel.axis, kernel.boundary, kernel.origin) for kernel in kernels]


def _fusion_of(x: Array, kernels: Sequence[Kernel], cval: Any, y: Array, settings: Settings) -> Fusion | None:
    """The passes as one; None where the driver cannot give what they would, one after the other.

    That is where truncated results come between them or `cval` stands beside results of the first; and where
    the driver would be slower.
    """
    if any(kernel.divisor > 1 for kernel in kernels):
        return None
    beside = cval != 0 and any(kernel.boundary == "constant" for kernel in kernels)
    if (
        not 2 <= len(kernels) <= FUSED
        or beside
        or y.dtype.kind == "b"
        or max(k.weights.size for k in kernels) > LONG
    ):
        return None
    key = tuple([(k.weights.tobytes(), k.weights.dtype, *k[1:]) for k in kernels])
    return _fusion(x.ndim, x.dtype, y.dtype, key, settings)


@lru_cache(maxsize=256)
def _fusion(
    ndim: int,
    x_dtype: np.dtype[Any],
    y_dtype: np.dtype[Any],
    passes: tuple[tuple[bytes, np.dtype[Any], int, str, int, int], ...],
    settings: Settings,
) -> Fusion | None:
    kernels = [Kernel(np.frombuffer(k[0], k[1]), *k[2:]) for k in sorted(passes, key=lambda k: k[2])]
    m = tuple(kernel.weights.size for kernel in kernels)
    x, y = np.empty(0, x_dtype), np.empty(0, y_dtype)
    later = rounds_later(y_dtype, settings)
    dtype = wide_dtype(x_dtype, settings) if later else _common_dtype(x, kernels, y, settings)
    if dtype is None or dtype not in DTYPES or min(m) == 1:
        return None
    if max(m) > (LONG if len(m) == 2 else VOLUME_BYTES // dtype.itemsize):
        return None
    w = [(k.weights if dtype.kind == "i" else k.weights / k.divisor).astype(dtype) for k in kernels]
    factors = np.concatenate(w).reshape((1,) * (ndim - len(m)) + (-1,))
    start = [size - 1 - size // 2 - kernel.origin for size, kernel in zip(m, kernels)]
    lo = tuple(size - 1 - begin for size, begin in zip(m, start))
    codes = tuple(BOUNDARIES[kernel.boundary] for kernel in kernels)
    return Fusion(dtype, factors, m, tuple(kernel.axis for kernel in kernels), start, lo, codes)


def _common_dtype(x: Array, kernels: Sequence[Kernel], y: Array, settings: Settings) -> np.dtype[Any] | None:
    """The dtype of the sums of all passes; None if they have several, or y truncates those between."""
    common = None
    for kernel in kernels:
        dtype, whole = arithmetic(x, kernel.weights, y, 0, kernel.divisor, settings)
        truncated = y.dtype.kind in "iu" and not (whole and kernel.divisor == 1)
        if truncated or common not in (None, dtype):
            return None
        common = dtype
    return common


def _fused(x: Array, fusion: Fusion, y: Array, settings: Settings) -> None:
    """The passes in the driver for separable kernels: no array is between them."""
    dtype, factors, m, axes, start, lo, codes = fusion
    n_batch = x.ndim - len(axes)
    order = (*[k for k in range(x.ndim) if k not in axes], *axes) if n_batch else axes
    workers = 0 if settings.workers is None else resolve_workers(settings.workers)
    if np.may_share_memory(x, y) or not x.flags.aligned:
        x = x.copy()
    if x.dtype == dtype == y.dtype and y.flags.aligned:
        if n_batch:
            x, y = x.transpose(order), y.transpose(order)
        if _stencil.taken(x, y, lo, m, separable=True):
            _stencil.correlate(x, factors.reshape(2, 3), y, lo, codes, 0, workers)
            return
        _separable.correlate(x, factors, m, y, n_batch, lo, codes, 0, workers, look=False)
        return
    for xs, first, ys in _slabs(x, m, axes, start, codes, y, dtype):
        part = np.empty(ys.shape, dtype)
        lo = tuple(size - 1 - begin for size, begin in zip(m, first))
        source, target = xs.transpose(order), part.transpose(order)
        _separable.correlate(source, factors, m, target, n_batch, lo, codes, 0, workers, look=False)
        store(part, ys, settings, sum(m))


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

    if divisor == 1 and x.dtype.kind in "biu":
        if _integers.correlated(x, w, axes, origins, [boundary] * len(axes), cval, y, settings):
            return
        if len(axes) == 1 and w.dtype.kind == "f":
            if _integers.passed(x, [Kernel(w, axes[0], boundary, origins[0])], cval, y, settings):
                return
    skip_zeros = skip_zeros and x.dtype.kind in "fc" and not distinct(w).all()
    dtype, whole = arithmetic(x, w, y, cval if boundary == "constant" else 0, divisor, settings)
    is_mean = divisor > 1 and dtype in SUMS
    if is_mean and dtype.kind == "i":
        dtype = np.dtype(np.int64)
    w = (w if whole or divisor == 1 else w / divisor).astype(dtype)
    if dtype.kind == "i" and boundary == "constant":
        cval = np.int64(cval).astype(dtype)
    at_once = x.dtype == dtype == y.dtype and not (whole and divisor > 1)
    together = np.may_share_memory(x, y)
    if at_once and not is_mean and not together and len(axes) == x.ndim and _is_small(x, w, y):
        lo = tuple([m // 2 + origin for m, origin in zip(w.shape, origins)])
        workers = 0 if settings.workers is None else resolve_workers(settings.workers)
        codes = (BOUNDARIES[boundary],) * x.ndim
        cval = cval if boundary == "constant" else 0
        exact = not skip_zeros or (w.shape == (3, 3) and _stencil.is_cross(w))
        if exact and _stencil.taken(x, y, lo, w.shape):
            _stencil.correlate(x, w, y, lo, codes, cval, workers)
            return
        if _direct.correlate(x, w, y, 0, lo, codes, cval, workers, look=skip_zeros) and skip_zeros:
            start = [m - 1 - low for m, low in zip(w.shape, lo)]
            _leave_out_zeros(x, w, axes, start, boundary, cval, y)
        return
    if together and (skip_zeros or is_mean or not at_once):
        x = x.copy()
    start = [m - 1 - m // 2 - origin for m, origin in zip(w.shape, origins)]
    codes = (BOUNDARIES[boundary],) * len(axes)
    parts = iter([(x, start, y)]) if at_once else _slabs(x, w.shape, axes, start, codes, y, dtype, cval)
    for xs, first, ys in parts:
        part = ys if ys.dtype == dtype else np.empty(ys.shape, dtype)
        options = {"axes": tuple(axes), "boundary": boundary, "cval": cval}
        window: Any = Window(tuple(first), tuple(ys.shape[k] for k in axes))
        if is_mean:
            low = w.size - 1 - first[0]
            sums(xs, w.size, axes[0], low, boundary, cval, part, not whole, settings.workers)
        else:
            correlate(xs, w.conj(), window, **options, out=part, workers=settings.workers)
        if skip_zeros:
            _leave_out_zeros(xs, w, axes, first, boundary, cval, part)
        if whole and dtype.kind == "f":
            np.rint(part, out=part)  # of a transform
        if whole and divisor > 1:
            part = np.divide(part, divisor, dtype=np.float32 if dtype.itemsize == 2 else np.float64)
        if part is not ys:
            store(part, ys, settings, 0 if whole else w.size)


def _is_small(x: Array, w: Array, y: Array) -> bool:
    """Whether the driver for direct sums takes the arrays as they are, and no other is much faster."""
    dtype = x.dtype
    if dtype.char not in "fd" or not (x.flags.aligned and y.flags.aligned):
        return False
    return w.size <= FEW or w.size * x.size <= SMALL * rates().products[f"f{dtype.itemsize}"]


def _slabs(
    x: Array,
    m: Sequence[int],
    axes: Sequence[int],
    start: list[int],
    codes: Sequence[int],
    y: Array,
    dtype: np.dtype[Any],
    cval: Any = 0,
) -> Iterator[tuple[Array, list[int], Array]]:
    """Parts of y, across its widest axis, that stay in the cache; with each the x it needs and its start."""
    axis = max(range(y.ndim), key=lambda k: abs(y.strides[k]) * (y.shape[k] > 1))
    i = axes.index(axis) if axis in axes else -1
    halo = m[i] - 1 if i >= 0 else 0
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
            rows = _blocks.sources(np.arange(low, high), n, codes[i])
            part = x.take(rows, axis).astype(dtype, copy=False)
            part[(*every, rows < 0)] = cval
        yield part, begin, y[(*every, slice(first, last))]


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
