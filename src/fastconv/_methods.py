"""The ordered list of methods: `choose` takes the fastest of those that can do a problem.

A method computes what its `Problem` says; how, is the matter of the module that runs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, NamedTuple

from fastconv import _check, _cost, _kernel_values, _limbs
from fastconv._cost import Blocks
from fastconv._problem import ZERO, Array, Kept, Problem, Run

FEW_TAPS = 32  # a transform is always slower
MOST_AXES = 7  # of a block of a transform
Look = Callable[[Problem, Array, Kept], float]


class Method(NamedTuple):
    name: str
    can: Callable[[Problem], bool]
    seconds: Callable[[Problem], float]  # a rough estimate, on one thread; the least if there is a look
    run: Run
    look: Look | None = None  # at the kernel: the estimate for its values, infinite where they do not suit
    blocks: Callable[[Problem], Blocks] | None = None  # of a line or plane


def choose(problem: Problem, name: str, w: Array | None = None, kept: Kept | None = None) -> Method:
    """The fastest method called `name` ("auto": any) that can do the problem with a kernel w.

    Without w, of those that do not depend on its values.
    """
    if type(name) is not str:  # which might not be hashed
        name = _check.name("method", name, NAMES)
    best, chosen = math.inf, None
    for seconds, method in ranked(problem, name):
        if chosen and seconds >= best:
            break
        if method.look is not None:
            seconds = math.inf if w is None or kept is None else method.look(problem, w, kept)
        if seconds < best or (chosen is None and method.look is None):
            best, chosen = seconds, method
    if chosen is None:
        raise ValueError(f"method {name!r} does not suit this kernel")
    return chosen


@lru_cache(maxsize=1024)
def ranked(problem: Problem, name: str) -> list[tuple[float, Method]]:
    """The methods that can do the problem, by their estimates for any kernel."""
    if name != "auto":
        _check.name("method", name, NAMES)
    able = [method for method in METHODS if name in ("auto", method.name) and method.can(problem)]
    if not able:
        raise TypeError(f"method {name!r} cannot compute {problem.what()}")
    return sorted(((method.seconds(problem), method) for method in able), key=lambda pair: pair[0])


def _later(module: str, function: str) -> Run:
    """A function of a module that is imported when a result is computed."""

    found: Run | None = None

    def run(*arguments: Any) -> None:
        nonlocal found
        if found is None:
            found = getattr(import_module(f"fastconv.{module}"), function)
        found(*arguments)

    return run


def _direct_seconds(problem: Problem) -> float:
    outputs = math.prod(problem.batch) * math.prod(problem.n_out)
    n_axes = sum(m > 1 for m in problem.m)
    return _cost.direct_seconds(problem.dtype, outputs, math.prod(problem.m), n_axes)


def _can_transform(problem: Problem) -> bool:
    return problem.dtype.char in "fdFD" and len(_long_axes(problem)) <= MOST_AXES


def _long_axes(problem: Problem) -> list[int]:
    """The axes that a transform has to work along; one at least."""
    axes = zip(problem.n, problem.m, problem.n_out, problem.lo)
    found = [k for k, (n, m, n_out, lo) in enumerate(axes) if m > 1 or lo or n != n_out]
    return found or [len(problem.m) - 1]


def tiles(problem: Problem) -> Blocks:
    """The blocks of "overlap_save", for one line or plane."""
    axes = _long_axes(problem)
    n_out, n_taps = (tuple(of[k] for k in axes) for of in (problem.n_out, problem.m))
    return _cost.tile_sizes(problem.dtype, n_out, n_taps)


def whole(problem: Problem) -> Blocks:
    """The block of "fft", for one line or plane."""
    least = []
    for k in _long_axes(problem):
        zero = problem.boundary[k] == ZERO
        least.append(_cost.extent(problem.n[k], problem.m[k], problem.n_out[k], problem.lo[k], zero)[-1])
    return _cost.whole_sizes(problem.dtype, tuple(least))


def limbs(problem: Problem) -> Blocks:
    """The block of "exact", for one line or plane of any values."""
    sides = []
    for k in _long_axes(problem):
        zero = problem.boundary[k] == ZERO
        extent = _cost.extent(problem.n[k], problem.m[k], problem.n_out[k], problem.lo[k], zero)
        sides.append(_limbs.Side(problem.n_out[k], problem.m[k], extent[-1]))
    return _limbs.blocks(8 * problem.dtype.itemsize, tuple(sides))


def _seconds(blocks: Callable[[Problem], Blocks], problem: Problem) -> float:
    """Of all lines or planes that are transformed, in such blocks."""
    if math.prod(problem.m) < FEW_TAPS:
        return math.inf
    found = blocks(problem)
    batch, n_out = math.prod(problem.batch), math.prod(problem.n_out)
    count = batch * n_out // max(1, math.prod(problem.n_out[k] for k in _long_axes(problem)))
    nbytes = batch * (math.prod(problem.n) + n_out) * problem.dtype.itemsize
    return _cost.transform_seconds(found, count, nbytes)


METHODS = (
    Method("direct", lambda p: p.dtype.kind != "O", _direct_seconds, _later("_sums", "direct")),
    Method(
        "separable",
        _kernel_values.can_separate,
        _kernel_values.separable_seconds,
        _later("_by_values", "separable"),
        _kernel_values.look_separable,
    ),
    Method(
        "sparse",
        _kernel_values.can_skip,
        _kernel_values.sparse_seconds,
        _later("_by_values", "sparse"),
        _kernel_values.look_sparse,
    ),
    Method(
        "overlap_save",
        _can_transform,
        partial(_seconds, tiles),
        _later("_transforms", "overlap_save"),
        blocks=tiles,
    ),
    Method("fft", _can_transform, partial(_seconds, whole), _later("_transforms", "whole"), blocks=whole),
    Method(
        "exact",
        lambda p: (
            p.dtype.kind in "iu" and len(_long_axes(p)) <= MOST_AXES and math.prod(p.m) <= _limbs.MOST_TAPS
        ),
        partial(_seconds, limbs),
        _later("_transforms", "exact"),
        blocks=limbs,
    ),
    Method("direct", lambda p: p.dtype.kind == "O", lambda _: math.inf, _later("_sums", "objects")),
)
NAMES = ("auto", *dict.fromkeys(method.name for method in METHODS))
