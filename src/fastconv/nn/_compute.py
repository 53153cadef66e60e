"""From arrays of any dtype to engines: the three sums of `_geometry`, each over checked arguments.

Engines take float32, float64, complex64, complex128, int16, int32 and int64. Other dtypes become one of these
here: float16 is summed in float32, and integers in those of two bytes or more, whose low bits are the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv._blocks import sources
from fastconv._problem import Array, Kept
from fastconv.nn import _choice
from fastconv.nn._geometry import Geometry, padded


def work_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that an engine sums numbers of `dtype` in."""
    if dtype.char in "fdFD":
        return dtype
    if dtype.kind in "iu":
        return np.dtype(f"i{max(2, dtype.itemsize)}")
    return np.dtype("f4") if dtype.itemsize == 2 else dtype


def layer(
    geometry: Geometry,
    x: Array,
    w: Array,
    bias: Array | None,
    y: Array,
    algorithm: str,
    workers: int,
    kept: Kept | None = None,
) -> None:
    """y = the layer of x. What engines make of w is kept in `kept`, if there are calls to come."""
    if y.size == 0 or geometry.terms == 0 or 0 in geometry.n:
        _only_bias(y, bias)
        return
    dtype = work_dtype(y.dtype)
    engine = _choice.choose("layer", geometry, dtype, algorithm, kept is not None)
    if kept is None:
        w = _operand(w, dtype)
    elif "weight" in kept:
        w = kept["weight"]
    else:
        w = kept["weight"] = _operand(w, dtype)
    b = None if bias is None else _operand(bias, dtype)
    total = _place(y, dtype)
    engine.run(geometry, _operand(x, dtype), w, b, total, workers, kept)
    _narrow(total, y)


def input_gradient(
    geometry: Geometry, w: Array, g: Array, bias: Array | None, x: Array, algorithm: str, workers: int
) -> None:
    """x = the gradient of the layer's input, for g, that of its output; plus a bias, in transposed layers."""
    if x.size == 0 or g.size == 0 or w.size == 0:
        _only_bias(x, bias)
        return
    dtype = work_dtype(x.dtype)
    continued = any(geometry.boundary)
    outer = padded(geometry) if continued else geometry
    engine = _choice.choose("input gradient", outer, dtype, algorithm)
    b = None if bias is None else _operand(bias, dtype)
    total = np.empty(outer.x_shape, dtype) if continued else _place(x, dtype)
    engine.run(outer, _operand(g, dtype), _operand(w, dtype), b, total, workers, {})
    _narrow(_fold(total, geometry) if continued else total, x)


def weight_gradient(geometry: Geometry, x: Array, g: Array, w: Array, algorithm: str, workers: int) -> None:
    """w = the gradient of the layer's weight, for g, that of its output."""
    if w.size == 0 or g.size == 0 or x.size == 0:
        w.fill(0)
        return
    dtype = work_dtype(w.dtype)
    engine = _choice.choose("weight gradient", geometry, dtype, algorithm)
    total = _place(w, dtype)
    engine.run(geometry, _operand(x, dtype), _operand(g, dtype), None, total, workers, {})
    _narrow(total, w)


def _only_bias(y: Array, bias: Array | None) -> None:
    y[...] = 0 if bias is None else bias.reshape(-1, *(1,) * (y.ndim - 2))


def _operand(x: Array, dtype: np.dtype[Any]) -> Array:
    """x as engines take it; a view where that is possible."""
    if x.dtype.kind == "u" and x.dtype.itemsize == dtype.itemsize:
        x = x.view(dtype)
    if x.dtype != dtype:
        x = x.astype(dtype)
    return x if x.flags.aligned else x.copy()


def _place(y: Array, dtype: np.dtype[Any]) -> Array:
    """Where an engine puts what will be y: y itself if it can be."""
    if y.dtype.kind == "u" and y.dtype.itemsize == dtype.itemsize:
        y = y.view(dtype)
    return y if y.dtype == dtype and y.flags.aligned else np.empty(y.shape, dtype)


def _narrow(total: Array, y: Array) -> None:
    """y = total, unless it is y: floats are rounded, integers lose their high bits."""
    if total is not y and not np.may_share_memory(total, y):
        with np.errstate(over="ignore"):
            np.copyto(y, total, casting="unsafe")


def _fold(total: Array, geometry: Geometry) -> Array:
    """The gradient of an input from that of its continuation: each element gathers those of its copies."""
    axes = zip(geometry.n, geometry.reach, geometry.lo, geometry.boundary)
    for axis, (n, reach, lo, boundary) in enumerate(axes, 2):
        source = sources(np.arange(reach) - lo, n, boundary)
        lines = np.moveaxis(total, axis, 0)
        total = np.zeros((*total.shape[:axis], n, *total.shape[axis + 1 :]), total.dtype)
        inner = np.moveaxis(total, axis, 0)
        first, last = min(lo, reach), min(lo + n, reach)
        inner[: last - first] = lines[first:last]
        for i in (*range(first), *range(last, reach)):
            if source[i] >= 0:
                inner[source[i]] += lines[i]
    return total
