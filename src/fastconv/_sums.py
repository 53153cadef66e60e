"""The method "direct": the sum as it is written, by the compiled driver or in Python's arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastconv import _blocks
from fastconv._problem import ZERO, Array, Kept, Problem, Tick, within

KERNEL_BYTES = 1 << 23


def direct(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick, kept: Kept
) -> None:
    """The sum as it is written, by the compiled driver.

    It copies its kernels first; where there are many, it gets a part of them at a time.
    """
    n_batch = len(problem.batch)
    if w.nbytes > KERNEL_BYTES and n_batch and (size := max(w.shape[:n_batch])) > 1:
        axis = w.shape.index(size)
        step = max(1, size * KERNEL_BYTES // w.nbytes)
        for start in range(0, size, step):
            rows = (slice(None),) * axis + (slice(start, start + step),)
            part = x if x.shape[axis] == 1 else x[rows]
            part_tick = within(tick, start / size, min(start + step, size) / size)
            direct(problem, part, w[rows], y[rows], cval, workers, part_tick, {})
        return
    if problem.conjugate_w:
        w = np.conjugate(w)
    if problem.overhang and w.dtype.kind in "fc" and np.count_nonzero(np.isfinite(w)) < w.size:
        _direct_not_finite(problem, x, w, y, cval, workers, tick)
    else:
        _blocks.correlate(x, w, y, n_batch, problem.lo, problem.boundary, cval, workers, tick)
    if problem.conjugate_y:
        np.conjugate(y, out=y)


def _direct_not_finite(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick
) -> None:
    """Infinite and NaN taps at a zero boundary: the driver would multiply them by the zeros outside."""
    n_batch = len(problem.batch)
    parts = list(boxes(problem, w))
    for i, (box, lo, inside) in enumerate(parts):
        part_tick = within(tick, i / len(parts), (i + 1) / len(parts))
        _blocks.correlate(x, inside, y[box], n_batch, lo, problem.boundary, cval, workers, part_tick)


def boxes(problem: Problem, w: Array) -> Iterator[tuple[tuple[slice, ...], tuple[int, ...], Array]]:
    """Cut the output so that in each box a tap that is not finite lies inside x for every output or none.

    Yields the box, its lo, and the kernel without those that lie outside.
    """
    n_batch = len(problem.batch)
    bad = ~np.isfinite(w)
    axes = list(zip(problem.n, problem.m, problem.n_out, problem.lo, problem.boundary))
    edges = []
    for (n, _, n_out, lo, code), taps in zip(axes, np.nonzero(bad)[n_batch:]):
        enter_and_leave = {edge - t for t in taps.tolist() for edge in (lo, lo + n) if code == ZERO}
        edges.append([0, *sorted(o for o in enter_and_leave if 0 < o < n_out), n_out])
    for box in itertools.product(*(itertools.pairwise(e) for e in edges)):
        outside = np.zeros(problem.m, bool)
        for k, ((n, m, _, lo, code), (first, _)) in enumerate(zip(axes, box)):
            source = first - lo + np.arange(m)
            absent = ((source < 0) | (source >= n)) & (code == ZERO)
            outside |= absent.reshape(m, *(1,) * (len(axes) - 1 - k))
        place = (slice(None),) * n_batch + tuple(slice(*edge) for edge in box)
        box_lo = tuple(lo - first for lo, (first, _) in zip(problem.lo, box))
        yield place, box_lo, np.where(bad & outside, w.dtype.type(0), w)


class _NoTerm:
    """The empty sum of Python objects."""

    def __add__(self, term: Any) -> Any:
        return term


def objects(
    problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick, kept: Kept
) -> None:
    """Python arithmetic, tap by tap and as NumPy does it: x first in each product, no zero to start from."""
    x, w = x.astype(object, copy=False), w.astype(object, copy=False)
    y.fill(_NoTerm())
    n_batch = len(problem.batch)
    every = (slice(None),) * n_batch
    axes = list(zip(problem.n, problem.n_out, problem.lo, problem.boundary))
    for i, tap in enumerate(np.ndindex(problem.m)):
        outputs = every
        window: tuple[slice | Array, ...] = every
        for t, (n, n_out, lo, code) in zip(tap, axes):
            here = slice(max(lo - t, 0), max(min(n + lo - t, n_out), 0)) if code == ZERO else slice(0, n_out)
            outputs += (here,)
            window += (_blocks.sources(np.arange(here.start, here.stop) + (t - lo), n, code),)
        terms = _blocks.gather(x, window)
        _blocks.set_outside(terms, window, cval)
        y[outputs] += terms * w[every + tuple(slice(t, t + 1) for t in tap)]
        if tick is not None:
            tick((i + 1) / w.size)
