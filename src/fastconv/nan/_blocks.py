"""The array in blocks: their numerators, and denominators where values are missing.

Where direct sums are the fastest way, _means does all that blocks need. Elsewhere a block is a slab of
outputs with all that their windows hold, outside values too, copied to memory of its own, so that NaNs can be
taken out. Where nothing is missing, or may stay, the array itself is convolved.

A denominator is the sum of the kernel less the taps that meet missing values: these are subtracted if that is
less work than the convolution of weights 0 and 1. Subtractions and transforms err by some eps of the sum of
all |w|, so outputs of which little is left of the denominator are summed term by term.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fastconv import _blocks, _convolve, _means, _missing
from fastconv._methods import Method, choose
from fastconv._problem import BOUNDARIES, Array, Kept, Problem, Window, problem
from fastconv.nan._arguments import Call

CONSTANT = BOUNDARIES["constant"]
BLOCK_BYTES = 1 << 19
BLOCK_TAPS = 3  # a block is so many times as long as the kernel at least
LONG = 8  # times the kernel: then an axis is worth cutting
SUBTRACT_SECONDS = 0.4e-9  # a tap of a missing value,
ROW_SECONDS = 8e-9  # a row of the kernel's last axis,
FIND_SECONDS = 1.5e-9  # and a value that may be missing
PASS_SECONDS = 2e-9  # a value of a block that _means does not compute, for each of its two convolutions
SCAN = 1 << 14  # values that are looked at together
MOST_TAPS = 1 << 12  # of kernels that _means takes
FEW_TERMS = 1 << 18  # of sums that are not worth a look at which are empty
EXACT = ("direct", "sparse")  # methods that err by eps of an output's own terms
LITTLE = {4: 1 / 16, 8: 1 / 64}  # by item size: a denominator, of the sum of all |w|


def run(call: Call) -> Array:
    """The result."""
    y = call.y
    shared = [part for part in (call.x, call.mask, call.w) if part is not None]
    if any(np.may_share_memory(y, part) for part in shared):
        np.copyto(y, run(call._replace(y=np.empty_like(y))))
        return y
    order = _convolve.order_of(call.x)
    _in_order(
        call._replace(
            x=call.x.transpose(order),
            mask=None if call.mask is None else call.mask.transpose(order),
            w=call.w.transpose(order),
            y=y.transpose(order),
        )
    )
    return y


def _outside_is_missing(call: Call) -> bool:
    return call.boundary == CONSTANT and math.isnan(call.outside)


def _has_missing(call: Call) -> bool:
    if call.mask is not None and call.mask.any():
        return True
    if call.x.dtype.kind != "f":
        return False
    rows = max(1, SCAN * len(call.x) // call.x.size)  # so many at a time: often the first ones tell
    return any(np.isnan(call.x[i : i + rows].min()) for i in range(0, len(call.x), rows))


def _in_order(call: Call) -> None:
    """Axes from the widest stride to the narrowest."""
    call = _complete(call)
    y, inside = call.y, call
    if call.boundary is None:
        box = tuple(slice(m - 1 - m // 2, n - m // 2) for n, m in zip(call.x.shape, call.w.shape))
        y[...] = 0
        inside = call._replace(y=y[box])
    if inside.treatment == "propagate" and inside.mask is None and y.dtype == inside.w.dtype:
        _whole(inside)
    elif not _by_means(inside):
        _in_blocks(inside)
    if call.preserve:
        if call.x.dtype.kind == "f":
            np.copyto(y, np.nan, where=np.isnan(call.x))
        if call.mask is not None:
            np.copyto(y, np.nan, where=call.mask)


def _complete(call: Call) -> Call:
    """The same for data without missing values, if there are none."""
    if call.treatment == "interpolate":
        if _outside_is_missing(call) or _has_missing(call):
            call.check_weights()
        else:
            call = call._replace(treatment="propagate", mask=None)
    elif call.treatment == "fill" and not _has_missing(call):
        call = call._replace(treatment="propagate", mask=None)
    return call


def _whole(call: Call) -> None:
    """Nothing is missing, or it is as NumPy's arithmetic has it."""
    start = tuple(m - 1 if call.boundary is None else m // 2 for m in call.w.shape)
    boundary = {code: word for word, code in BOUNDARIES.items()}[call.boundary or 0]
    x = call.x if call.x.dtype == call.w.dtype else call.x.astype(call.w.dtype)
    mode = Window(start, call.y.shape)
    _convolve.convolve(
        x, call.w, mode, None, boundary, call.outside, out=call.y, workers=call.workers or None
    )


# ---- blocks ------------------------------------------------------------------------------------------------


class _Kernel(NamedTuple):
    """The kernel as a correlation has it, with what methods keep of it."""

    w: Array
    sum: float
    size: float  # sum of |w|
    kept: Kept


class _Memory:
    """For one block at a time: its values, weights 0 and 1, and its denominators."""

    def __init__(self, size: int, dtype: np.dtype[Any]) -> None:
        self.x = np.empty(size, dtype)
        self._more: dict[str, Array] = {}

    def more(self, name: str, shape: tuple[int, ...]) -> Array:
        """An array of at most the block's size, kept for the next block."""
        if name not in self._more:
            self._more[name] = np.empty_like(self.x)
        return self._more[name][: math.prod(shape)].reshape(shape)


def _kernel(w: Array) -> _Kernel:
    w = np.ascontiguousarray(w[(slice(None, None, -1),) * w.ndim])
    return _Kernel(w, float(w.sum(dtype=float)), float(np.abs(w).sum(dtype=float)), {})


def _lo(call: Call) -> list[int]:
    """Taps that hang over the low end of the array, by axis."""
    return [0 if call.boundary is None else m - 1 - m // 2 for m in call.w.shape]


def _by_means(call: Call) -> bool:
    """By direct sums in compiled blocks, if that is the fastest way."""
    x, y, w = call.x, call.y, call.w
    if not (x.dtype == w.dtype == y.dtype and x.dtype.char in "fd" and w.size <= MOST_TAPS):
        return False
    if not (x.flags.aligned and y.flags.aligned):
        return False
    kernel = _kernel(w)
    n = tuple(b + m - 1 for b, m in zip(_means.block_of(y.shape, w.shape, w.itemsize), w.shape))
    p = _block_problem(n, kernel.w)
    best = choose(p, "auto", kernel.w, kernel.kept)
    seconds = best.look(p, kernel.w, kernel.kept) if best.look else best.seconds(p)
    if choose(p, "direct").seconds(p) > seconds + math.prod(n) * PASS_SECONDS:
        return False
    limit = LITTLE[w.itemsize] * kernel.size
    put = {"interpolate": 0.0, "ignore": 0.0, "fill": call.fill_value, "propagate": math.nan}[call.treatment]
    _means.convolve(
        x,
        call.mask,
        kernel.w,
        y,
        tuple(_lo(call)),
        call.boundary or 0,
        call.outside,
        put,
        call.treatment == "interpolate",
        kernel.sum,
        1.0 if call.normalized else kernel.sum,
        limit,
        _subtract_seconds(w) if abs(kernel.sum) > 2 * limit else math.inf,
        FIND_SECONDS,
        call.workers,
    )
    return True


def _block_problem(n: tuple[int, ...], w: Array) -> Problem:
    return problem(True, n, w.dtype, w.shape, w.dtype, "valid", None, "zero", tuple(range(w.ndim)))


def _subtract_seconds(w: Array) -> float:
    """To take the taps of one missing value off."""
    return float(w.size * SUBTRACT_SECONDS + w.size // w.shape[-1] * ROW_SECONDS)


def _in_blocks(call: Call) -> None:
    kernel = _kernel(call.w)
    w, lo = kernel.w, _lo(call)
    padded = [n_out + m - 1 for n_out, m in zip(call.y.shape, w.shape)]
    axis, thickness = _cut(call.y.shape, w.shape, w.itemsize)
    padded[axis] = min(thickness, call.y.shape[axis]) + w.shape[axis] - 1
    memory = _Memory(math.prod(padded), w.dtype)
    for begin in range(0, call.y.shape[axis], thickness):
        end = min(begin + thickness, call.y.shape[axis])
        padded[axis] = end - begin + w.shape[axis] - 1
        x = memory.x[: math.prod(padded)].reshape(padded)
        _fill(x, call, axis, begin, lo)
        _block(call, kernel, x, call.y[_along(axis, slice(begin, end))], memory)


def _cut(n_out: tuple[int, ...], m: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """The axis that is cut, and outputs of a block along it: the first that is long beside the kernel."""
    times = [n / taps for n, taps in zip(n_out, m)]
    axis = next((k for k, t in enumerate(times) if t >= LONG), times.index(max(times)))
    row = itemsize * math.prod(n + taps - 1 for k, (n, taps) in enumerate(zip(n_out, m)) if k != axis)
    return axis, max(1, BLOCK_BYTES // row - m[axis] + 1, BLOCK_TAPS * m[axis])


def _along(axis: int, part: Any) -> tuple[Any, ...]:
    """The index of a part along an axis."""
    return (*(slice(None),) * axis, part)


def _fill(x: Array, call: Call, axis: int, begin: int, lo: list[int]) -> None:
    """x = the array continued, NaN where masked: all that the outputs from `begin` on read."""
    code, first, n = call.boundary or 0, begin - lo[axis], x.shape[axis]
    middle = [slice(at, at + size) for at, size in zip(lo, call.x.shape)]
    enters = min(max(0, -first), n)
    leaves = max(enters, min(n, call.x.shape[axis] - first))
    source = _blocks.sources(np.arange(first, first + n), call.x.shape[axis], code)
    for start, stop in ((0, enters), (enters, leaves), (leaves, n)):
        middle[axis] = slice(start, stop)
        if start == stop:
            continue
        if (start, stop) == (enters, leaves):
            _copy(x[tuple(middle)], call, _along(axis, slice(first + start, first + stop)))
        elif source[start] < 0:
            x[tuple(middle)] = call.outside
        else:
            _copy(x[tuple(middle)], call, _along(axis, source[start:stop]))
    for k in range(x.ndim):  # then the other axes, from what is there
        size, n = call.x.shape[k], x.shape[k]
        for start, stop in ((0, lo[k]), (lo[k] + size, n)) if k != axis else ():
            source = _blocks.sources(np.arange(start, stop) - lo[k], size, code)
            if start < stop:
                x[_along(k, slice(start, stop))] = (
                    call.outside if source[0] < 0 else x[_along(k, lo[k] + source)]
                )


def _copy(to: Array, call: Call, part: tuple[Any, ...]) -> None:
    np.copyto(to, call.x[part], casting="unsafe")
    if call.mask is not None:
        np.copyto(to, np.nan, where=call.mask[part])


def _block(call: Call, kernel: _Kernel, x: Array, y: Array, memory: _Memory) -> None:
    """The outputs of one block, whose values it may change."""
    p = _block_problem(x.shape, kernel.w)
    method = choose(p, "auto", kernel.w, kernel.kept)
    ok, count = memory.more("ok", x.shape), 0
    if call.treatment != "propagate":
        value = call.fill_value if call.treatment == "fill" else 0.0
        count = _missing.take_out(x.reshape(-1), ok.reshape(-1), value)
    weighted = count > 0 and call.treatment == "interpolate"
    sums = y if y.dtype == x.dtype else memory.more("sums", y.shape)
    method.run(p, x, kernel.w, sums, 0, call.workers, None, kernel.kept)
    if weighted:
        below = _denominators(p, method, kernel, x, ok, count, sums, call.workers, memory)
        with np.errstate(all="ignore"):
            np.divide(sums, below, out=sums)
        if not call.normalized:
            sums *= kernel.sum
    if sums is not y:
        with np.errstate(over="ignore"):
            np.copyto(y, sums, casting="same_kind")


def _denominators(
    p: Problem,
    method: Method,
    kernel: _Kernel,
    x: Array,
    ok: Array,
    count: int,
    sums: Array,
    workers: int,
    memory: _Memory,
) -> Array:
    """Those of the outputs; where little is left of them, the sums are computed again."""
    taps, m = kernel.w.reshape(-1), kernel.w.shape
    below = memory.more("below", sums.shape)
    each = _subtract_seconds(kernel.w)
    few = x.dtype.itemsize in LITTLE and count * each + x.size * FIND_SECONDS < method.seconds(p)
    if few:
        below[...] = kernel.sum
        _missing.subtract(np.flatnonzero(ok == 0), x.shape, taps, m, below.reshape(-1))
    else:
        method.run(p, ok, kernel.w, below, 0, workers, None, kernel.kept)
    if few or method.name not in EXACT:
        limit = LITTLE[x.dtype.itemsize] * kernel.size
        if not below.min() >= limit:
            weak = np.flatnonzero(np.abs(below) < limit)
            if weak.size * taps.size > FEW_TERMS:
                empty = _values(ok, m).reshape(-1)[weak] == 0
                below.reshape(-1)[weak[empty]] = 0
                sums[np.unravel_index(weak[empty], sums.shape)] = 0
                weak = weak[~empty]
            tops, bottoms = np.zeros((2, weak.size))
            _missing.sums_at(weak, x.reshape(-1), ok.reshape(-1), x.shape, taps, m, tops, bottoms)
            below.reshape(-1)[weak] = bottoms
            sums[np.unravel_index(weak, sums.shape)] = tops
    return below


def _values(ok: Array, m: tuple[int, ...]) -> Array:
    """How many values each window holds."""
    count = ok.astype(np.int32)
    for axis, taps in enumerate(m):
        n_out = count.shape[axis] - taps + 1
        np.cumsum(count, axis, out=count)
        ends = count[_along(axis, slice(taps - 1, None))].copy()
        ends[_along(axis, slice(1, None))] -= count[_along(axis, slice(0, n_out - 1))]
        count = ends
    return count
