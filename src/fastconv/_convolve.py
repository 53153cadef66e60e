"""The general path of `convolve` and `correlate`: check, pose the problem, choose a method, run it.

`_entry` sends here every call that its short path for small arrays does not take. Nothing is computed here.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

from fastconv import _check
from fastconv._in_place import run_in_place
from fastconv._methods import choose
from fastconv._problem import BOUNDARIES, Array, Kept, Problem, Run, Tick, Window, problem
from fastconv._rtol import choose_within
from fastconv._threads import resolve_workers


def convolve(
    a: Any,
    v: Any,
    mode: Any = "full",
    axes: Any = None,
    boundary: Any = "zero",
    cval: Any = 0.0,
    method: Any = "auto",
    out: Any = None,
    workers: Any = None,
    rtol: Any = None,
    _tick: Tick = None,
) -> Any:
    """`fastconv.convolve`; `_tick`, if given, is called with the fraction done."""
    return _run(False, a, v, mode, axes, boundary, cval, method, out, workers, rtol, _tick)


def correlate(
    a: Any,
    v: Any,
    mode: Any = "valid",
    axes: Any = None,
    boundary: Any = "zero",
    cval: Any = 0.0,
    method: Any = "auto",
    out: Any = None,
    workers: Any = None,
    rtol: Any = None,
    _tick: Tick = None,
) -> Any:
    """`fastconv.correlate`; `_tick`, if given, is called with the fraction done."""
    return _run(True, a, v, mode, axes, boundary, cval, method, out, workers, rtol, _tick)


def _run(
    correlate: bool,
    a: Any,
    v: Any,
    mode: Any,
    axes: Any,
    boundary: Any,
    cval: Any,
    method: Any,
    out: Any,
    workers: Any,
    rtol: Any,
    tick: Tick,
) -> Any:
    if type(a) is not np.ndarray or type(v) is not np.ndarray or out is not None:
        overriding = [x for x in (a, v, out) if overrides(x)]
        if overriding:
            options = {"axes": axes, "boundary": boundary, "cval": cval, "method": method, "out": out}
            options |= {"workers": workers, "rtol": rtol}
            return _dispatch(correlate, overriding, a, v, mode, options)
    p, a, v, cval = pose(correlate, a, v, mode, axes, boundary, cval)
    n_workers = 0 if workers is None else resolve_workers(workers)
    if out is None:
        result = new_result(p, a)
    else:
        result = _check.out(out, p.shape, p.dtype)
        if np.may_share_memory(result, v):
            v = v.copy()
    x, w = signal_and_kernel(p, a, v)
    kept: Kept = {}
    run = (choose(p, method, w, kept) if rtol is None else choose_within(p, method, rtol)).run
    compute(p, run, a, x, w, cval, result, n_workers, tick, kept)
    return result if out is None else out


def pose(
    correlate: bool, a: Any, v: Any, mode: Any, axes: Any, boundary: Any, cval: Any
) -> tuple[Problem, Array, Array, Any]:
    """The problem of a call, its arrays, and cval as the result's dtype has it."""
    if type(a) is not np.ndarray or type(v) is not np.ndarray:
        a, v = _check.array(a, "a"), _check.array(v, "v")
    if not correlate and not (a.ndim and v.ndim):  # as in NumPy a scalar is an array of length 1
        a, v = np.atleast_1d(a, v)
    if (type(mode) is not str or mode not in _check.MODES) and type(mode) is not Window:
        mode = _check.mode(mode)
    if axes is not None:
        axes = _check.axes(axes)
    if type(boundary) is not str or boundary not in BOUNDARIES:
        boundary = _check.name("boundary", boundary, tuple(BOUNDARIES))
    p = problem(correlate, a.shape, a.dtype, v.shape, v.dtype, mode, axes, boundary, order_of(a))
    return p, a, v, _check.cval(cval, p.dtype) if boundary == "constant" else 0


def compute(
    p: Problem,
    run: Run,
    a: Array,
    x: Array,
    w: Array,
    cval: Any,
    y: Array,
    workers: int,
    tick: Tick,
    kept: Kept,
) -> None:
    """Run a method with signal and kernel, into y, which may overlap `a` but not w."""
    if not y.size:
        return
    if not np.may_share_memory(y, a):
        run(p, x, w, _result(p, y), cval, workers, tick, kept)
    elif not p.swap and _same_memory(y, a):
        run_in_place(run, p, x, w, _result(p, y), cval, workers, tick, kept)
    else:
        apart = np.empty_like(y)
        run(p, x, w, _result(p, apart), cval, workers, tick, kept)
        np.copyto(y, apart)


def new_result(p: Problem, a: Array) -> Array:
    """With a's order of axes in memory."""
    if a.ndim == 1 or a.flags.c_contiguous or 0 in a.strides:
        return np.empty(p.shape, p.dtype)
    return np.empty_like(a, p.dtype, "K", False, p.shape)


_ROW_MAJOR = [tuple(range(ndim)) for ndim in range(65)]  # NumPy's limit of dimensions is 64


def order_of(a: Array) -> tuple[int, ...]:
    """Axes from the widest stride to the narrowest, so that methods work along memory, unless some are 0."""
    if a.flags.c_contiguous or 0 in a.strides:
        return _ROW_MAJOR[a.ndim]
    return tuple(sorted(range(a.ndim), key=lambda k: -abs(a.strides[k])))


def _same_memory(y: Array, a: Array) -> bool:
    """Whether each element of y is the element of a with the same index."""
    same_layout = y.shape == a.shape and y.strides == a.strides and y.dtype == a.dtype
    return same_layout and y.ctypes.data == a.ctypes.data


def signal_and_kernel(p: Problem, a: Array, v: Array) -> tuple[Array, Array]:
    """x and w in the problem's order of axes, the kernel reversed if need be."""
    if p.a_order:
        a = a.transpose(p.a_order)
    if p.v_order:
        v = v.transpose(p.v_order)
    if p.v_new:
        v = v[(None,) * p.v_new]
    x, w = (v, a) if p.swap else (a, v)
    return x, w[_reversed(p)] if p.flip_w else w


def _result(p: Problem, y: Array) -> Array:
    """y in the problem's order of axes."""
    if p.a_order:
        y = y.transpose(p.a_order)
    return y[_reversed(p)] if p.flip_y else y


def _reversed(p: Problem) -> tuple[slice, ...]:
    return (slice(None),) * len(p.batch) + (slice(None, None, -1),) * len(p.m)


def overrides(x: Any) -> bool:
    """Whether x's type has a `__array_function__` of its own."""
    function = getattr(type(x), "__array_function__", None)
    return function is not None and function is not np.ndarray.__array_function__


# The arrays of the call that is being left to their types.
_ASKED: ContextVar[tuple[Any, Any]] = ContextVar("_ASKED", default=(None, None))


def _dispatch(
    correlate: bool, overriding: list[Any], a: Any, v: Any, mode: Any, options: dict[str, Any]
) -> Any:
    """Leave the call to the types that override NumPy's functions: as NumPy's own if that says the same."""
    import fastconv

    name = "correlate" if correlate else "convolve"
    defaults: dict[str, Any] = {"axes": None, "boundary": "zero", "cval": 0.0, "method": "auto", "out": None}
    defaults |= {"workers": None, "rtol": None}
    used = {key: x for key, x in options.items() if type(x) is not type(defaults[key]) or x != defaults[key]}
    if not used and all(getattr(x, "ndim", 1) <= 1 for x in (a, v)):
        return getattr(np, name)(a, v, mode)
    asked_a, asked_v = _ASKED.get()
    if a is asked_a and v is asked_v:  # a type that does not know the function has called it again
        kind = type(overriding[0]).__name__
        raise TypeError(f"fastconv.{name} with options that numpy.{name} lacks is not known to {kind}")
    function = getattr(fastconv, name)  # the public one, which types may know
    types = tuple({type(x) for x in (a, v, options["out"]) if hasattr(type(x), "__array_function__")})
    ordered: list[Any] = []  # as NumPy asks: subclasses before their bases, else from left to right
    for x in overriding:
        if type(x) not in map(type, ordered):
            before = [i for i, other in enumerate(ordered) if isinstance(x, type(other))]
            ordered.insert(before[0] if before else len(ordered), x)
    token = _ASKED.set((a, v))
    try:
        for x in ordered:
            result = x.__array_function__(function, types, (a, v, mode), used)
            if result is not NotImplemented:
                return result
    finally:
        _ASKED.reset(token)
    raise TypeError(f"fastconv.{name} is not implemented for {', '.join(type(x).__name__ for x in ordered)}")
