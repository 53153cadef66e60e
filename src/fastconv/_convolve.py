"""The general path of `convolve` and `correlate`: check, pose the problem, choose a method, run it.

`_entry` sends here every call that its short path for small arrays does not take. Nothing is computed here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv import _check, _methods
from fastconv._methods import Array, Tick
from fastconv._problem import BOUNDARIES, problem
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
    _tick: Tick = None,
) -> Any:
    """`fastconv.convolve`; `_tick`, if given, is called with the fraction done."""
    return _run(False, a, v, mode, axes, boundary, cval, method, out, workers, _tick)


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
    _tick: Tick = None,
) -> Any:
    """`fastconv.correlate`; `_tick`, if given, is called with the fraction done."""
    return _run(True, a, v, mode, axes, boundary, cval, method, out, workers, _tick)


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
    tick: Tick,
) -> Any:
    if type(a) is not np.ndarray or type(v) is not np.ndarray or out is not None:
        overriding = [x for x in (a, v, out) if _overrides(x)]
        if overriding:
            arguments = {"axes": axes, "boundary": boundary, "cval": cval, "method": method, "out": out}
            return _dispatch(correlate, overriding, a, v, mode, {**arguments, "workers": workers})
    a = _check.array(a, "a")
    v = _check.array(v, "v")
    if not correlate:  # as NumPy does: scalars are arrays of length 1
        a = a if a.ndim else a.reshape(1)
        v = v if v.ndim else v.reshape(1)
    if boundary not in BOUNDARIES:
        _check.name("boundary", boundary, tuple(BOUNDARIES))
    order = _ROW_MAJOR[a.ndim] if a.flags.c_contiguous else _by_stride(a)
    p = problem(
        correlate, a.shape, a.dtype, v.shape, v.dtype, _check.mode(mode), _check.axes(axes), boundary, order
    )
    chosen = _methods.choose(p, method)
    n_workers = 0 if workers is None else resolve_workers(workers)
    if boundary == "constant":
        cval = _check.cval(cval, p.dtype)

    if out is None:
        result = y = _empty(a, p.shape, p.dtype)
    else:
        result = y = _check.out(out, p.shape, p.dtype)
        if np.may_share_memory(y, a) or np.may_share_memory(y, v):
            y = np.empty_like(result)
    if y.size:
        _compute(chosen, p, a, v, y, cval, n_workers, tick)
    if out is None:
        return y
    if y is not result:
        np.copyto(result, y)
    return out


_ROW_MAJOR = [tuple(range(ndim)) for ndim in range(65)]  # NumPy's limit of dimensions is 64


def _by_stride(a: Array) -> tuple[int, ...]:
    """Axes from the widest stride to the narrowest: methods work along memory, whatever the axes are called."""
    return tuple(sorted(range(a.ndim), key=lambda k: -abs(a.strides[k])))


def _empty(a: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A new array with the memory order of a."""
    if a.ndim == 1 or a.flags.c_contiguous:
        return np.empty(shape, dtype)
    return np.empty_like(a, dtype, "K", False, shape)


def _compute(
    method: _methods.Method, p: Any, a: Array, v: Array, y: Array, cval: Any, workers: int, tick: Tick
) -> None:
    """Bring the arrays into the problem's order and run."""
    n_batch = len(p.batch)
    if a.ndim > 1:
        a, v, y = a.transpose(p.a_order), v.transpose(p.v_order), y.transpose(p.a_order)
        if p.v_new:
            v = v[(None,) * n_batch]
    x, w = (v, a) if p.swap else (a, v)
    flip = (slice(None),) * n_batch + (slice(None, None, -1),) * len(p.m)
    if p.flip_w:
        w = w[flip]
    method.run(p, x, w, y[flip] if p.flip_y else y, cval, workers, tick)


def _overrides(x: Any) -> bool:
    """Whether x's type has a `__array_function__` of its own."""
    function = getattr(type(x), "__array_function__", None)
    return function is not None and function is not np.ndarray.__array_function__


def _dispatch(correlate: bool, overriding: list[Any], a: Any, v: Any, mode: Any, arguments: dict[str, Any]) -> Any:
    """Leave the call to the types that override NumPy's functions: as NumPy's own where that says the same."""
    import fastconv

    name = "correlate" if correlate else "convolve"
    defaults = {"axes": None, "boundary": "zero", "cval": 0.0, "method": "auto", "out": None, "workers": None}
    used = {key: x for key, x in arguments.items() if type(x) is not type(defaults[key]) or x != defaults[key]}
    if not used and all(np.ndim(x) <= 1 for x in (a, v)):
        return getattr(np, name)(a, v, mode)
    function = getattr(fastconv, name)
    types = tuple({type(x) for x in (a, v, arguments["out"]) if hasattr(type(x), "__array_function__")})
    # NumPy's order: subclasses before their bases, else from left to right.
    ordered: list[Any] = []
    for x in overriding:
        if type(x) not in map(type, ordered):
            before = [i for i, other in enumerate(ordered) if isinstance(x, type(other))]
            ordered.insert(before[0] if before else len(ordered), x)
    for x in ordered:
        result = x.__array_function__(function, types, (a, v, mode), used)
        if result is not NotImplemented:
            return result
    raise TypeError(f"fastconv.{name} is not implemented for {', '.join(type(x).__name__ for x in ordered)}")
