"""The ordered list of methods: `choose` takes the fastest of those that can do a problem.

A method computes what its `Problem` says. Bringing arrays to the compiled driver is left to `_blocks`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from fastconv import _check
from fastconv._problem import BOUNDARIES, ZERO, Array, Problem, Tick

WRAP = BOUNDARIES["wrap"]
SLAB_BYTES = 1 << 20
KERNEL_BYTES = 1 << 23
FEW_TAPS = 32  # direct summation is always faster
START = 60e-6  # seconds before the first block


class Method(NamedTuple):
    name: str
    can: Callable[[Problem], bool]
    seconds: Callable[[Problem], float]  # a rough estimate, on one thread
    # (problem, x, w, y, cval, workers, tick): arrays in the problem's order and flipped, but not conjugated
    run: Callable[[Problem, Array, Array, Array, Any, int, Tick], None]


@lru_cache(maxsize=1024)
def choose(problem: Problem, name: str) -> Method:
    """The fastest method called `name` ("auto": any) that can do the problem."""
    if name != "auto":
        _check.name("method", name, NAMES)
    able = [method for method in METHODS if name in ("auto", method.name) and method.can(problem)]
    if not able:
        raise TypeError(f"method {name!r} cannot compute {problem.what()}")
    if len(able) == 1 or math.prod(problem.m) < FEW_TAPS:
        return able[0]
    return min(able, key=lambda method: method.seconds(problem))


def _direct(problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick) -> None:
    """The sum as it is written, by the compiled driver.

    It copies its kernels first; where there are many, it gets a part of them at a time.
    """
    from fastconv import _blocks

    n_batch = len(problem.batch)
    if w.nbytes > KERNEL_BYTES and n_batch and (size := max(w.shape[:n_batch])) > 1:
        axis = w.shape.index(size)
        step = max(1, size * KERNEL_BYTES // w.nbytes)
        for start in range(0, size, step):
            rows = (slice(None),) * axis + (slice(start, start + step),)
            part = x if x.shape[axis] == 1 else x[rows]
            part_tick = _within(tick, start / size, min(start + step, size) / size)
            _direct(problem, part, w[rows], y[rows], cval, workers, part_tick)
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
    """Infinite and NaN taps at a zero boundary: the driver would multiply them by the zeros outside.

    The output is cut into boxes. In each, a given tap lies inside x for every output or for none, and is
    left out of the kernel if for none.
    """
    from fastconv import _blocks

    n_batch = len(problem.batch)
    bad = ~np.isfinite(w)
    axes = list(zip(problem.n, problem.m, problem.n_out, problem.lo, problem.boundary))
    edges = []
    for (n, _, n_out, lo, code), taps in zip(axes, np.nonzero(bad)[n_batch:]):
        enter_and_leave = {edge - t for t in taps.tolist() for edge in (lo, lo + n) if code == ZERO}
        edges.append([0, *sorted(o for o in enter_and_leave if 0 < o < n_out), n_out])
    boxes = list(itertools.product(*(itertools.pairwise(e) for e in edges)))
    for i, box in enumerate(boxes):
        outside = np.zeros(problem.m, bool)
        for k, ((n, m, _, lo, code), (first, _)) in enumerate(zip(axes, box)):
            source = first - lo + np.arange(m)
            absent = ((source < 0) | (source >= n)) & (code == ZERO)
            outside |= absent.reshape(m, *(1,) * (len(axes) - 1 - k))
        part = y[(slice(None),) * n_batch + tuple(slice(*edge) for edge in box)]
        box_lo = tuple(lo - first for lo, (first, _) in zip(problem.lo, box))
        inside = np.where(bad & outside, w.dtype.type(0), w)
        part_tick = _within(tick, i / len(boxes), (i + 1) / len(boxes))
        _blocks.correlate(x, inside, part, n_batch, box_lo, problem.boundary, cval, workers, part_tick)


def _within(tick: Tick, first: float, last: float) -> Tick:
    """The tick of a part of the work: from the fraction `first` to `last`."""
    return None if tick is None else lambda done: tick(first + done * (last - first))


class _NoTerm:
    """The empty sum of Python objects."""

    def __add__(self, term: Any) -> Any:
        return term


def _objects(problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick) -> None:
    """Python arithmetic, tap by tap and as NumPy does it: x first in each product, no zero to start from."""
    from fastconv import _blocks

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


def run_in_place(
    method: Method, problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick
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
        part_tick = _within(tick, start / n, (start + size) / n)
        if k < 0:
            part = problem._replace(batch=slab.shape[:n_batch])
            method.run(part, x[here], w if w.shape[axis] == 1 else w[here], slab, cval, workers, part_tick)
        else:
            lo = (*problem.lo[:k], problem.lo[k] - start, *problem.lo[k + 1 :])
            part = problem._replace(n_out=slab.shape[n_batch:], lo=lo)
            method.run(part, x, w, slab, cval, workers, part_tick)
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


def _direct_seconds(problem: Problem) -> float:
    """Products at the rate of the register tiles, and outputs at the rate of memory."""
    rate = {"f": 42e9, "d": 21e9, "F": 10e9, "D": 5e9}.get(problem.dtype.char, 10e9)
    outputs = math.prod(problem.batch) * math.prod(problem.n_out)
    return outputs * (math.prod(problem.m) / rate + 0.25e-9)


def _can_transform(problem: Problem) -> bool:
    return problem.dtype.char in "fdFD" and len(_long_axes(problem)) <= 2


def _long_axes(problem: Problem) -> list[int]:
    """The axes that a transform has to work along; one at least."""
    axes = zip(problem.n, problem.m, problem.n_out, problem.lo)
    found = [k for k, (n, m, n_out, lo) in enumerate(axes) if m > 1 or lo or n != n_out]
    return found or [len(problem.m) - 1]


def _transform(
    whole: bool, problem: Problem, x: Array, w: Array, y: Array, cval: Any, workers: int, tick: Tick
) -> None:
    """By FFT, in blocks or whole; directly where that cannot be right."""
    from fastconv import _transforms

    taps = np.conjugate(w) if problem.conjugate_w else w
    if not _transforms.correlate(whole, problem, x, taps, y, cval, workers, tick):
        _direct(problem, x, w, y, cval, workers, tick)
    elif problem.conjugate_y:
        np.conjugate(y, out=y)


def _overlap_save_seconds(problem: Problem) -> float:
    from fastconv import _fft

    axes = _long_axes(problem)
    code = _fft.DTYPES[problem.dtype]
    others = [n for k, n in enumerate(problem.n_out) if k not in axes]
    rest = math.prod(problem.batch) * math.prod(others)
    row, col = axes[0], axes[-1]
    try:
        if row == col:
            return START + rest * float(_fft.line_size(code, problem.n_out[row], problem.m[row])[-1])
        sizes = (problem.n_out[row], problem.m[row], problem.n_out[col], problem.m[col])
        return START + rest * float(_fft.tile_size(code, *sizes)[-1])
    except ValueError:  # no block can hold the kernel
        return math.inf


def _fft_seconds(problem: Problem) -> float:
    from fastconv import _fft

    k = _long_axes(problem)[0]
    rest = math.prod(problem.batch) * math.prod(problem.n_out) // problem.n_out[k]
    _, seconds = _fft.whole_size(_fft.DTYPES[problem.dtype], problem.n_out[k], problem.m[k])
    return START + rest * float(seconds)


METHODS = (
    Method("direct", lambda problem: problem.dtype.kind != "O", _direct_seconds, _direct),
    Method("overlap_save", _can_transform, _overlap_save_seconds, partial(_transform, False)),
    Method(
        "fft",
        lambda problem: _can_transform(problem) and len(_long_axes(problem)) == 1,
        _fft_seconds,
        partial(_transform, True),
    ),
    Method("direct", lambda problem: problem.dtype.kind == "O", lambda problem: math.inf, _objects),
)
NAMES = ("auto", *dict.fromkeys(method.name for method in METHODS))
