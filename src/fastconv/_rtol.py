"""`rtol=`: every output within rtol times the sum of the absolute values of its terms.

A direct sum has such a bound of its own. The error of a transform is bounded by the norms of all its input
instead (_bounds), and serves for outputs that are large beside that bound; the others are summed directly.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from fastconv import _check
from fastconv._bounds import TRANSFORMS, bound, direct_factor, transform_factor
from fastconv._methods import Method, choose, ranked
from fastconv._problem import Array, Kept, Problem, Tick, within

BOX = (512, 32, 16)  # outputs along each axis that are summed together, for one axis, two, more
MOST = 0.5  # of all outputs; if more are in doubt, all are summed directly


def choose_within(problem: Problem, name: str, rtol: Any) -> Method:
    """The fastest method called `name` ("auto": any) that can keep to rtol, and does when it is run."""
    rtol = _check.rtol(rtol)
    if problem.dtype.kind not in "fc":  # exact
        return choose(problem, name)
    least = direct_factor(problem)
    if rtol < least:
        raise ValueError(
            f"rtol must be at least {least:.2e}, which sums of {math.prod(problem.m)} terms in "
            f"{problem.dtype} can keep to, got {rtol!r}"
        )
    for _, method in ranked(problem, name):
        if method.name == "direct":
            return method
        if method.name in TRANSFORMS and transform_factor(problem, method.name) < rtol:
            return method._replace(run=partial(_run, method, rtol))
    if name in TRANSFORMS:
        factor = transform_factor(problem, name)
        raise ValueError(f"rtol must be above {factor:.2e} for method {name!r}, got {rtol!r}")
    raise TypeError(f"method {name!r} cannot keep to an rtol")


def _run(
    method: Method,
    rtol: float,
    problem: Problem,
    x: Array,
    w: Array,
    y: Array,
    cval: Any,
    workers: int,
    tick: Tick,
    kept: Kept,
) -> None:
    """A transform, and direct sums where it leaves doubt."""
    from fastconv import _sums

    n_batch = len(problem.batch)
    method.run(problem, x, w, y, cval, workers, within(tick, 0, 0.5), kept)
    # The error is at most b, and the sum of the absolute terms at least |y| - b.
    enough = bound(problem, method.name, x, w, cval) * (1 + 1 / rtol)
    doubt = ~(np.abs(y) >= enough.reshape(enough.shape + (1,) * len(problem.m)))
    boxes = _boxes(np.any(doubt, axis=tuple(range(n_batch)), keepdims=True)[(0,) * n_batch])
    outputs = sum(math.prod(last - first for first, last in box) for box in boxes)
    if outputs > MOST * math.prod(problem.n_out):
        boxes = [[(0, n) for n in problem.n_out]]
    for i, box in enumerate(boxes):
        part = problem._replace(
            n_out=tuple(last - first for first, last in box),
            lo=tuple(lo - first for lo, (first, _) in zip(problem.lo, box)),
        )
        place = (slice(None),) * n_batch + tuple(slice(*edges) for edges in box)
        part_tick = within(tick, 0.5 + i / len(boxes) / 2, 0.5 + (i + 1) / len(boxes) / 2)
        _sums.direct(part, x, w, y[place], cval, workers, part_tick, {})


def _boxes(marked: Array) -> list[list[tuple[int, int]]]:
    """Boxes, (first, last) by axis, that hold all marked elements; neighbours along the last axis are one."""
    size = BOX[min(marked.ndim, len(BOX)) - 1]
    shape = marked.shape
    for axis, n in enumerate(shape):
        marked = np.logical_or.reduceat(marked, np.arange(0, n, size), axis)
    found: list[list[tuple[int, int]]] = []
    for index in np.argwhere(marked).tolist():
        box = [(i * size, min((i + 1) * size, n)) for i, n in zip(index, shape)]
        if found and found[-1][:-1] == box[:-1] and found[-1][-1][1] == box[-1][0]:
            found[-1][-1] = (found[-1][-1][0], box[-1][1])
        else:
            found.append(box)
    return found
