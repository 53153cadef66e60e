"""The methods "separable" and "sparse": their drivers, with what these alone would get wrong.

What `_kernel_values` found in the kernel is kept; where nothing is, it is looked for again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastconv import _blocks, _separable, _sparse, _sums
from fastconv._kernel_values import keep_taps, look_separable
from fastconv._problem import Array, Kept, Problem, Tick


def separable(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick, kept: Kept
) -> None:
    """By the kernel's factors; directly in the boxes that hold values that are not finite.

    Where terms cancel, rounding may make a small sum of non-negative products negative: it becomes 0.
    """
    if "factors" not in kept:
        look_separable(problem, w, kept)
    factors = np.conjugate(kept["factors"]) if problem.conjugate_w else kept["factors"]
    n_batch = len(problem.batch)

    def run(x: Array, factors: Array, y: Array, *rest: Any) -> list[tuple[slice, ...]]:
        return _separable.correlate(x, factors, problem.m, y, n_batch, *rest)

    spoiled = _drive(run, problem, x, factors, y, cval, workers, tick)
    if factors.shape[-1] > sum(problem.m) and problem.dtype.kind == "f" and w.min() >= 0 and cval >= 0:
        if np.fmin.reduce(y, axis=None) < 0 and np.fmin.reduce(x, axis=None) >= 0:
            np.maximum(y, 0, out=y)
    if problem.conjugate_y:
        np.conjugate(y, out=y)
    for box in spoiled:
        _directly(problem, box, x, w, y, cval, workers)


def _drive(
    run: Callable[..., Any],
    problem: Problem,
    x: Array,
    taps: Array,
    y: Array,
    cval: Any,
    workers: int,
    tick: Tick,
) -> list[tuple[slice, ...]]:
    """run(x, taps, y, lo, boundary, cval, workers, tick) with arrays as drivers take them; its boxes.

    Where x is of another dtype, or x or y is not aligned, in blocks.
    """
    dtype, lo, boundary = problem.dtype, problem.lo, problem.boundary
    taps = np.ascontiguousarray(taps)
    if dtype.char in _blocks.SAME_BITS:
        dtype = _blocks.SAME_BITS[dtype.char]
        cval = np.asarray(cval, problem.dtype).view(dtype)[()]
        taps, y = taps.view(dtype), y.view(dtype)
        x = x.view(dtype) if x.dtype == problem.dtype else x
    batch = problem.batch
    if x.dtype == dtype and x.flags.aligned and y.flags.aligned:
        x = x if x.shape[: len(batch)] == batch else np.broadcast_to(x, (*batch, *problem.n))
        return run(x, taps, y, lo, boundary, cval, workers, tick) or []
    boxes = []
    for done, box, part, part_lo, codes in _blocks.blocks(x, y, dtype, problem.m, lo, boundary, cval):
        block = np.empty_like(y[box])
        part = np.broadcast_to(part, block.shape[: len(batch)] + part.shape[len(batch) :])
        own = np.ascontiguousarray(taps[_blocks.rows(taps, box[: len(batch)])])
        if run(part, own, block, part_lo, codes, cval, workers, None):
            boxes.append(box)
        y[box] = block
        if tick is not None:
            tick(done)
    return boxes


def _directly(
    problem: Problem, box: tuple[slice, ...], x: Array, w: Array, y: Array, cval: Any, workers: int
) -> None:
    """Compute a box of y by the method "direct"."""
    n_batch = len(problem.batch)
    part_of_x, part_of_w = (array[_blocks.rows(array, box[:n_batch])] for array in (x, w))
    part = problem._replace(
        batch=y[box].shape[:n_batch],
        n_out=y[box].shape[n_batch:],
        lo=tuple(lo - part.start for lo, part in zip(problem.lo, box[n_batch:])),
    )
    _sums.direct(part, part_of_x, part_of_w, y[box], cval, workers, None, {})


def sparse(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick, kept: Kept
) -> None:
    """By the kernel's taps that are not zero, but NaN where a zero meets a value that is not finite."""
    if not np.isfinite(cval):
        _sums.direct(problem, x, w, y, cval, workers, tick, {})
        return
    if "taps" not in kept:
        keep_taps(problem, w, kept)
    where, values = kept["taps"]
    n_batch = len(problem.batch)

    def run(x: Array, taps: Array, y: Array, *rest: Any) -> None:
        _sparse.correlate(x, where, taps, y, n_batch, *rest)

    taps = np.conjugate(values) if problem.conjugate_w else values
    _drive(run, problem, x, taps, y, cval, workers, tick)
    with np.errstate(all="ignore"):
        finite = x.dtype.kind not in "fc" or bool(np.isfinite(x.sum()))
    if not finite:
        bad = np.broadcast_to(~np.isfinite(x), (*problem.batch, *problem.n)).astype(float)
        met = np.empty(y.shape)
        run(bad, (values != 0).astype(float), met, problem.lo, problem.boundary, 0.0, workers)
        y[_window_sums(problem, bad) > met] = np.nan if y.dtype.kind == "f" else complex(np.nan, np.nan)
    if problem.conjugate_y:
        np.conjugate(y, out=y)


def _window_sums(problem: Problem, x: Array) -> Array:
    """The sum of x over the window of each output; outside stands what a boundary copies, else 0."""
    for k, (n, m, n_out, lo, code) in enumerate(
        zip(problem.n, problem.m, problem.n_out, problem.lo, problem.boundary), len(problem.batch)
    ):
        window: list[slice | Array] = [slice(None)] * x.ndim
        window[k] = _blocks.sources(np.arange(-lo, n_out + m - 1 - lo), n, code)
        x = _blocks.gather(x, window)
        _blocks.set_outside(x, window, 0)
        sums = np.cumsum(np.insert(x, 0, 0, axis=k), axis=k)
        x = sums.take(np.arange(m, n_out + m), k) - sums.take(np.arange(n_out), k)
    return x
