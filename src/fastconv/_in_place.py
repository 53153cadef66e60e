"""Results that replace their signal: slab by slab, the rows that the next slab reads held back."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv._problem import BOUNDARIES, Array, Kept, Problem, Run, Tick, within

WRAP = BOUNDARIES["wrap"]
SLAB_BYTES = 1 << 20


def run_in_place(
    run: Run,
    problem: Problem,
    x: Array,
    w: Array,
    y: Array,
    cval: Any,
    workers: int,
    tick: Tick,
    kept: Kept,
) -> None:
    """Run where y is the memory of x: in slabs across the widest axis, in order, each stored when computed.

    The rows at the end of a slab, which the next one reads, are held back until that is computed, and those
    at the beginning of the first, if the axis wraps, to the end.
    """
    n_batch = len(problem.batch)
    axis = max(range(y.ndim), key=lambda k: abs(y.strides[k]) * (y.shape[k] > 1))
    k, n = axis - n_batch, y.shape[axis]
    halo = problem.m[k] - 1 if k >= 0 else 0
    wraps = k >= 0 and problem.boundary[k] == WRAP
    thickness = max(halo + 1, SLAB_BYTES * n // y.nbytes)

    def rows(first: int, last: int) -> tuple[slice, ...]:
        return (slice(None),) * axis + (slice(first, last),)

    buffer = np.empty_like(y[rows(0, thickness)])
    head: list[tuple[Array, Array]] = []  # (place in y, values held back for it)
    tail: list[tuple[Array, Array]] = []
    for start in range(0, n, thickness):
        size = min(thickness, n - start)
        here = rows(start, start + size)
        slab, target = buffer[rows(0, size)], y[here]
        part_tick = within(tick, start / n, (start + size) / n)
        if k < 0:
            part = problem._replace(batch=slab.shape[:n_batch])
            rows_of_w = w if w.shape[axis] == 1 else w[here]
            run(part, x[here], rows_of_w, slab, cval, workers, part_tick, kept if rows_of_w is w else {})
        else:
            lo = (*problem.lo[:k], problem.lo[k] - start, *problem.lo[k + 1 :])
            part = problem._replace(n_out=slab.shape[n_batch:], lo=lo)
            run(part, x, w, slab, cval, workers, part_tick, kept)
        for place, values in tail:
            np.copyto(place, values)
        first = min(halo, size) if wraps and start == 0 else 0
        last = max(first, size - halo)
        np.copyto(target[rows(first, last)], slab[rows(first, last)])
        tail = [(target[rows(last, size)], slab[rows(last, size)].copy())]
        if first:
            head = [(target[rows(0, first)], slab[rows(0, first)].copy())]
    for place, values in tail + head:
        np.copyto(place, values)
