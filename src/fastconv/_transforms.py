"""The methods "overlap_save", "fft" and "exact": the drivers with what a transform alone would get wrong.

One value that is not finite spoils a whole block: the driver tells, and here the outputs whose windows hold
such values are worked out apart. Rounding may make a small sum of non-negative terms negative: it becomes 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fastconv import _bank, _exact, _fft, _sums, _whole
from fastconv._problem import Array, Kept, Problem, Tick

Driver = Callable[..., bool]


def overlap_save(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick, kept: Kept
) -> None:
    """In blocks; directly where that cannot be right."""
    _run(_fft.overlap_save, problem, x, w, y, cval, workers, tick, kept)


def whole(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick, kept: Kept
) -> None:
    """In one block for each batch element; directly where that cannot be right."""
    _run(_whole.whole, problem, x, w, y, cval, workers, tick, kept)


def exact(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick, kept: Kept
) -> None:
    """Integers, in limbs that are rounded right."""
    _exact.correlate(x, w, y, len(problem.batch), problem.lo, problem.boundary, cval, workers, tick, kept)


def bank(problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, kept: Kept) -> bool:
    """Several kernels w[s, t] at once, each block of x transformed once; y[s, b, o] has at most one b.

    False, and y is not to be used, where this may be wrong for one of them.
    """
    w, finite, no_minus, tiny = _taps(problem, w, kept)
    if not finite or tiny or not np.isfinite(cval) or not y.flags.aligned:
        return False
    x = np.require(x, problem.dtype, "A")
    if not problem.batch:
        x, y = x[None], y[:, None]
    place = problem.lo, problem.boundary, cval, workers
    if _bank.correlate(x[:, None], w[:, None], y.swapaxes(0, 1), *place, kept=kept):
        return False
    if no_minus and cval >= 0 and _no_minus(x) and y.min() < 0:
        np.maximum(y, 0, out=y)
    return True


def _run(
    driver: Driver,
    problem: Problem,
    x: Array,
    w: Array,
    y: Array,
    cval: Any,
    workers: int,
    tick: Tick,
    kept: Kept,
) -> None:
    if not _correlate(driver, problem, x, w, y, cval, workers, tick, kept):
        _sums.direct(problem, x, w, y, cval, workers, tick, {})
    elif problem.conjugate_y:
        np.conjugate(y, out=y)


class _Taps(NamedTuple):
    """A kernel as the drivers take it."""

    w: Array
    finite: bool
    no_minus: bool
    tiny: bool  # its transform would lose digits


def _taps(problem: Problem, w: Array, kept: Kept) -> _Taps:
    found: _Taps | None = kept.get(_Taps)
    if found is None:
        w = np.require(np.conjugate(w) if problem.conjugate_w else w, problem.dtype, "A")
        info = np.finfo(w.dtype)
        tiny = 0 < _largest(w) < 2.0 ** (info.minexp + 2 * info.nmant)
        found = _Taps(w, bool(np.isfinite(w).all()), w.dtype.kind == "f" and _no_minus(w), tiny)
        kept[_Taps] = found
    return found


def _correlate(
    driver: Driver,
    problem: Problem,
    x: Array,
    w: Array,
    y: Array,
    cval: Any,
    workers: int,
    tick: Tick,
    kept: Kept,
) -> bool:
    """Compute y if this can be done right: False if the kernel or cval is not finite, or a sum overflows."""
    w, finite_taps, no_minus, tiny = _taps(problem, w, kept)
    if not finite_taps or not np.isfinite(cval):
        return False
    if x.dtype != problem.dtype or not x.flags.aligned:
        x = np.require(x, problem.dtype, "A")
    result = y if y.flags.aligned else np.empty_like(y)
    batch = problem.batch
    if batch:
        x, w = (np.broadcast_to(part, batch + part.shape[len(batch) :]) for part in (x, w))
    run = partial(driver, n_batch=len(batch), lo=problem.lo, boundary=problem.boundary, workers=workers)
    scaled = tiny and _scaled(run, x, w, result, cval)
    if not scaled and run(x, w, result, cval=cval, tick=tick, kept=kept):
        finite = np.isfinite(x)
        clean = x if finite.all() else np.where(finite, x, 0)
        spoiled = clean is x or run(clean, w, result, cval=cval, kept=kept)
        if spoiled and not _scaled(run, clean, w, result, cval):
            return False
        if clean is not x:
            _put_not_finite(x, w, result, partial(run, cval=0.0))
    elif no_minus and cval >= 0 and _no_minus(x) and result.min() < 0:
        np.maximum(result, 0, out=result)
    if result is not y:
        np.copyto(y, result)
    return True


def _scaled(run: Driver, x: Array, w: Array, y: Array, cval: Any) -> bool:
    """Compute y with x and w divided by powers of 2: False if not all is finite, or a sum might overflow."""
    cval = y.dtype.type(cval)
    n_terms = math.prod(w.shape) * (2 if y.dtype.kind == "c" else 1)
    x_power = math.frexp(max(_largest(x), _largest(cval)))[1]
    w_power = math.frexp(_largest(w))[1]
    power = x_power + w_power
    if power + n_terms.bit_length() > np.finfo(y.dtype).maxexp:
        return False
    if run(_times(x, -x_power), _times(w, -w_power), y, cval=_times(cval, -x_power)):
        return False
    np.copyto(y, _times(y, power))
    return True


def _times(x: Any, power: int) -> Any:
    """x times 2^power, in two steps: one factor might be too large."""
    for part in (power // 2, power - power // 2):
        x = x * x.real.dtype.type(2.0**part)
    return x


def _largest(x: Any) -> float:
    """The largest magnitude among the parts of the numbers."""
    return float(max(abs(edge) for part in (np.real(x), np.imag(x)) for edge in (np.min(part), np.max(part))))


def _no_minus(x: Array) -> bool:
    """Whether all of x is at least 0; the first elements along each axis are asked first."""
    return bool(x[(slice(64 // x.ndim),) * x.ndim].min() >= 0 and x.min() >= 0)


def _put_not_finite(x: Array, w: Array, y: Array, run: Driver) -> None:
    """Put what the infinities and NaNs of x make of the outputs whose windows hold them."""
    if y.dtype.kind == "f":
        _mark(y, [(x, w)], run)
    else:
        _mark(y.real, [(x.real, w.real), (x.imag, -w.imag)], run)
        _mark(y.imag, [(x.imag, w.real), (x.real, w.imag)], run)


def _mark(y: Array, terms: list[tuple[Array, Array]], run: Driver) -> None:
    """The same for y = the sum of the correlations of some pairs (x, w), all real, of finite w.

    An output is NaN if a term is NaN or infinity times zero, or if terms are infinite with both signs.
    """
    up, down, nan = np.zeros((3, *y.shape), bool)
    for x, w in terms:
        _count(nan, np.isnan(x), np.ones(w.shape, bool), run)
        for sign in (1, -1):
            at = x == sign * np.inf
            _count(up, at, sign * w > 0, run)
            _count(down, at, sign * w < 0, run)
            _count(nan, at, w == 0, run)
    y[up] = np.inf
    y[down] = -np.inf
    y[nan | (up & down)] = np.nan


def _count(found: Array, at: Array, taps: Array, run: Driver) -> None:
    """Mark the outputs that a true element of `at` reaches by a true tap."""
    if at.any() and taps.any():
        number = np.empty(found.shape)
        run(at.astype(float), taps.astype(float), number)
        found |= number > 0.5
