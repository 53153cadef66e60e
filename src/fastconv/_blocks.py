"""Between the arrays of a call and the compiled direct driver, which takes aligned arrays of a few dtypes.

Arrays that fit go straight through. Others are computed in blocks of the output: the part of the input that
a block needs is copied and cast, computed, and cast into the output, so that working memory stays near
`BLOCK_BYTES` (or the kernel's size, if that is more) however large the arrays are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastconv import _direct
from fastconv._problem import BOUNDARIES, ZERO, Array, Tick

Window = Sequence[slice | Array]  # by axis: a slice, or the indices (-1: outside)
BLOCK_BYTES = 1 << 20
CONSTANT = BOUNDARIES["constant"]
REFLECT = BOUNDARIES["reflect"]
MIRROR = BOUNDARIES["mirror"]
NEAREST = BOUNDARIES["nearest"]

# By dtype character: what small types are cast to for the arithmetic, and the signed integers that have the
# bits of other integers and of timedelta64. The driver takes other numeric dtypes but complex long double.
CARRIER: dict[str, np.dtype[Any]] = {
    "?": np.dtype("f4"),
    "e": np.dtype("f4"),
    "b": np.dtype("i2"),
    "B": np.dtype("i2"),
}
SAME_BITS = {c: np.dtype(f"i{np.dtype(c).itemsize}") for c in "hHiIlLqQm"}
SAME_BITS = {c: signed for c, signed in SAME_BITS.items() if signed.char != c}


def correlate(
    x: Array,
    w: Array,
    y: Array,
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Tick,
) -> None:
    """y[b, o] = sum over t of w[b, t] x~[b, o + t - lo], for any numeric dtypes that promote to y's.

    The batch axes of x and w have length 1 or y's; `cval` is a scalar of y's dtype.
    """
    dtype = CARRIER[y.dtype.char] if y.dtype.char in CARRIER else y.dtype
    by_parts = dtype.char == "G" and CONSTANT in boundary  # the driver's cval is one number, not two
    if x.dtype == dtype == y.dtype and x.flags.aligned and y.flags.aligned and not by_parts:
        _drive(x, _cast(w, dtype), y, n_batch, lo, boundary, cval, workers, tick)
    elif (x.size + y.size) * dtype.itemsize <= BLOCK_BYTES and not by_parts:
        _one_block(_cast(x, dtype), _cast(w, dtype), y, n_batch, lo, boundary, cval, workers, tick)
    else:
        _in_blocks(x, w, y, dtype, n_batch, lo, boundary, cval, workers, tick)


def sources(index: Array, n: int, code: int) -> Array:
    """Where the values at `index` of a continued array of length n come from; -1: from outside."""
    if code in (ZERO, CONSTANT):
        index = index.copy()
        index[(index < 0) | (index >= n)] = -1
        return index
    if code == NEAREST:
        return index.clip(0, n - 1)
    if code == REFLECT or (code == MIRROR and n > 1):
        period = 2 * n if code == REFLECT else 2 * n - 2
        index = index % period
        index = np.minimum(index, period - (code == REFLECT) - index)
        return index
    return index % n


def gather(x: Array, window: Window) -> Array:
    """x at the window; a copy if that holds indices."""
    x = x[tuple(part if isinstance(part, slice) else slice(None) for part in window)]
    for axis, part in enumerate(window):
        if not isinstance(part, slice):
            x = x.take(part, axis)
    return x


def set_outside(x: Array, window: Window, cval: Any) -> None:
    """Put `cval` wherever x, gathered at the window, has an index -1."""
    for axis, part in enumerate(window):
        if not isinstance(part, slice) and part.min(initial=0) < 0:
            x[(slice(None),) * axis + (part < 0,)] = cval


def _cast(x: Array, dtype: np.dtype[Any]) -> Array:
    """x in a dtype and aligned; x itself if it is so already."""
    if x.dtype != dtype:
        return x.astype(dtype)
    return x if x.flags.aligned else x.copy()


def _drive(
    x: Array,
    w: Array,
    y: Array,
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Tick,
) -> None:
    """Hand arrays of one dtype to the driver, as one of its work dtypes."""
    char = y.dtype.char
    if char in SAME_BITS:
        cval = np.asarray(cval, y.dtype).view(SAME_BITS[char])[()]
        x, w, y = (array.view(SAME_BITS[char]) for array in (x, w, y))
    elif char == "G":
        # The parts are one batch axis more in y, and in x one convolved axis more, of length 2:
        # y.real = w.real x.real - w.imag x.imag, y.imag = w.imag x.real + w.real x.imag.
        part = np.dtype("g")
        parts = np.empty((2, 2, *w.shape), part)
        parts[0, 0], parts[0, 1] = w.real, -w.imag
        parts[1, 0], parts[1, 1] = w.imag, w.real
        w = np.moveaxis(parts, (0, 1), (n_batch, n_batch + 1))
        x = np.expand_dims(np.moveaxis(x[..., None].view(part), -1, n_batch), n_batch)
        y = np.expand_dims(np.moveaxis(y[..., None].view(part), -1, n_batch), n_batch + 1)
        n_batch, lo, boundary, cval = n_batch + 1, (0, *lo), (ZERO, *boundary), 0
    if n_batch:
        batch = y.shape[:n_batch]
        if x.shape[:n_batch] != batch:
            x = np.broadcast_to(x, batch + x.shape[n_batch:])
        if w.shape[:n_batch] != batch:
            w = np.broadcast_to(w, batch + w.shape[n_batch:])
    _direct.correlate(x, w, y, n_batch, lo, boundary, cval, workers, tick)


def _in_blocks(
    x: Array,
    w: Array,
    y: Array,
    dtype: np.dtype[Any],
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Tick,
) -> None:
    if all(size == 1 for size in w.shape[:n_batch]):
        w = _cast(w, dtype)
    for done, box, x_block, block_lo, codes in blocks(x, y, dtype, w.shape[n_batch:], lo, boundary, cval):
        w_block = _cast(w[rows(w, box[:n_batch])], dtype)
        _one_block(x_block, w_block, y[box], n_batch, block_lo, codes, cval, workers, None)
        if tick is not None:
            tick(done)


def blocks(
    x: Array,
    y: Array,
    dtype: np.dtype[Any],
    m: tuple[int, ...],
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
) -> Iterator[tuple[float, tuple[slice, ...], Array, tuple[int, ...], tuple[int, ...]]]:
    """Cut y into blocks: (fraction done with it, place, what it needs of x in `dtype`, lo, boundary)."""
    n_batch = y.ndim - len(m)
    n, n_out = x.shape[n_batch:], y.shape[n_batch:]
    block = _block_shape(y, n_batch, m, dtype.itemsize)
    starts = [range(0, size, step) for size, step in zip(y.shape, block)]
    n_blocks = math.prod(map(len, starts))
    for i, start in enumerate(itertools.product(*starts), 1):
        box = tuple(slice(o, min(o + step, size)) for o, step, size in zip(start, block, y.shape))
        windows = [
            _window(n[k], m[k], n_out[k], box[n_batch + k], lo[k], boundary[k], dtype.char == "G")
            for k in range(len(m))
        ]
        x_block = _cut(x, [*rows(x, box[:n_batch]), *(window[0] for window in windows)], dtype, cval)
        block_lo = tuple(window[1] for window in windows)
        codes = tuple(window[2] for window in windows)
        yield i / n_blocks, box, x_block, block_lo, codes


def _one_block(
    x: Array,
    w: Array,
    y: Array,
    n_batch: int,
    lo: tuple[int, ...],
    boundary: tuple[int, ...],
    cval: Any,
    workers: int,
    tick: Tick,
) -> None:
    """Compute in the dtype that x and w have been cast to, and cast into y."""
    if y.dtype == x.dtype and y.flags.aligned:
        _drive(x, w, y, n_batch, lo, boundary, cval, workers, tick)
        return
    block = np.empty_like(y, x.dtype)  # in the memory order of y
    _drive(x, w, block, n_batch, lo, boundary, cval, workers, tick)
    if y.dtype.kind == "b":
        np.not_equal(block, 0, out=y)
    elif y.dtype.char == "e":
        with np.errstate(over="ignore"):  # to infinity, silently as in NumPy
            np.copyto(y, block, casting="same_kind")
    else:
        np.copyto(y, block, casting="unsafe")


def _block_shape(y: Array, n_batch: int, m: tuple[int, ...], itemsize: int) -> list[int]:
    """Cut the output along its widest strides first, until a block and its window fit `BLOCK_BYTES`.

    No axis is cut below its kernel's length, which keeps the windows within twice their blocks, by axis.
    """
    overlap = [0] * n_batch + [m_k - 1 for m_k in m]
    least = [1] * n_batch + [max(m_k, 16) for m_k in m]
    narrowest, *wider = sorted(range(y.ndim), key=lambda k: abs(y.strides[k]))
    least[narrowest] = max(least[narrowest], 256)
    block = list(y.shape)
    for k in (*reversed(wider), narrowest):
        while block[k] > least[k]:
            size = itemsize * (math.prod(block) + math.prod(b + o for b, o in zip(block, overlap)))
            if size <= BLOCK_BYTES:
                return block
            block[k] = max(least[k], (block[k] + 1) // 2)
    return block


def _window(
    n: int, m: int, n_out: int, outputs: slice, lo: int, code: int, in_full: bool
) -> tuple[slice | Array, int, int]:
    """What a block of outputs needs of x along one axis, and the lo and boundary code that go with it.

    The driver continues the window where it can; `in_full` asks for windows that need no continuing.
    """
    first, last = outputs.start - lo, outputs.stop - lo + m - 1
    if first >= 0 and last <= n:
        return slice(first, last), 0, ZERO
    if code == ZERO or (code == CONSTANT and not in_full):
        begin = min(max(first, 0), n - 1)
        return slice(begin, max(min(last, n), begin + 1)), begin - first, code
    if outputs.stop - outputs.start == n_out and not in_full:
        return slice(0, n), lo, code
    return sources(np.arange(first, last), n, code), 0, ZERO


def rows(x: Array, box: Sequence[slice]) -> tuple[slice, ...]:
    """The batch part of a box in x, which may have length 1 where the output has more."""
    return tuple(slice(0, 1) if size == 1 else rows for size, rows in zip(x.shape, box))


def _cut(x: Array, window: Window, dtype: np.dtype[Any], cval: Any) -> Array:
    """x at the window, cast."""
    block = _cast(gather(x, window), dtype)
    set_outside(block, window, cval)
    return block
