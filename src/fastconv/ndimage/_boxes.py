"""Means over boxes: which calls the driver for them computes at once, and which part by part.

An integer output of an integer input is exact: sums are whole numbers, divided and rounded once, or as in
SciPy after each axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastconv import _box
from fastconv._problem import BOUNDARIES, Array
from fastconv._threads import resolve_workers
from fastconv.ndimage._arguments import Settings

SUMS = [
    np.dtype(dtype) for dtype in ("int16", "int32", "int64", "float32", "float64")
]  # kept as int64 if whole


class Box(NamedTuple):
    """The elements along one axis that are averaged."""

    size: int
    axis: int
    boundary: str
    origin: int

    @property
    def low(self) -> int:
        """How many of them hang over the low end."""
        return self.size // 2 + self.origin


def means(x: Array, boxes: Sequence[Box], cval: Any, y: Array, settings: Settings) -> bool:
    """y = the means of x, where they can be had from x as it is; else False, and nothing has been done."""
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    integers = y.dtype.kind in "iu"
    between = integers and settings.rounding == "truncate" and settings.overflow == "wrap"
    if not _suits(x, boxes, cval, y, settings, between):
        return False
    if not x.flags.aligned or np.may_share_memory(x, y):
        x = x.copy()
    contiguous = [k for k in range(x.ndim) if x.strides[k] == x.itemsize and x.shape[k] > 1]
    if not contiguous:
        x = np.ascontiguousarray(x)
        contiguous = [x.ndim - 1]
    line = contiguous[-1]
    if not between:
        boxes = sorted(boxes, key=lambda box: (box.axis == line, box.axis))
    steps = _steps(boxes, line)
    spare = np.empty_like(x) if len(steps) > 1 else x
    direct = y.flags.aligned and (len(steps) == 1 or y.strides[line] == y.itemsize)
    result = y if direct else np.empty_like(x)
    for left, step in zip(range(len(steps), 0, -1), steps):
        target = result if left % 2 else spare
        _step(x, step, line, cval, target, between, settings)
        x = target
    if result is not y:
        y[...] = result
    return True


def _suits(x: Array, boxes: Sequence[Box], cval: Any, y: Array, settings: Settings, between: bool) -> bool:
    """Whether x, y and the sums have one dtype, but for integers whose sums are exact."""
    if x.dtype != y.dtype or x.dtype not in _box.KINDS or x.size == 0:
        return False
    if x.dtype.kind == "f":
        return settings.accumulate is None or x.dtype == settings.accumulate
    sizes = [box.size for box in boxes]
    if x.dtype.itemsize == 8 or (len(boxes) > 2 and not between):
        return False
    if max(sizes) > _box.most(x.dtype) or (not between and math.prod(sizes) > _box.most(x.dtype)):
        return False
    info = np.iinfo(x.dtype)
    outside = any(box.boundary == "constant" for box in boxes)
    return not outside or bool(np.rint(cval) == cval and info.min <= cval <= info.max)


def _steps(boxes: Sequence[Box], line: int) -> list[Sequence[Box]]:
    """Boxes one after the other, but a column with the line that follows it."""
    steps: list[Sequence[Box]] = []
    for box in boxes:
        if box.axis == line and steps and len(steps[-1]) == 1 and steps[-1][0].axis != line:
            steps[-1] = (*steps[-1], box)
        else:
            steps.append((box,))
    return steps


def _step(
    x: Array, step: Sequence[Box], line: int, cval: Any, y: Array, between: bool, settings: Settings
) -> None:
    """The means along a column axis, along the lines, or along both."""
    column = next((box for box in step if box.axis != line), None)
    row = next((box for box in step if box.axis == line), None)
    if column and not row and x.flags.c_contiguous and y.flags.c_contiguous:
        shape = (*x.shape[: column.axis + 1], -1)
        x, y, line = x.reshape(shape), y.reshape(shape), column.axis + 1
    others = [k for k in range(x.ndim) if k != line]
    rows = column.axis if column else max(others, key=x.shape.__getitem__, default=None)
    if rows is None:
        x, y, rows, line = x[None], y[None], 0, 1
    order = [*(k for k in range(x.ndim) if k not in (rows, line)), rows, line]
    plain = Box(1, 0, "nearest", 0)
    pair = (column or plain, row or plain)
    _box.mean(
        x.transpose(order),
        y.transpose(order),
        (pair[0].size, pair[1].size),
        (pair[0].low, pair[1].low),
        (BOUNDARIES[pair[0].boundary], BOUNDARIES[pair[1].boundary]),
        cval if "constant" in (pair[0].boundary, pair[1].boundary) else 0,
        True,
        between,
        settings.rounding == "nearest",
        0 if settings.workers is None else resolve_workers(settings.workers),
    )


def sums(
    x: Array,
    m: int,
    axis: int,
    low: int,
    boundary: str,
    cval: Any,
    y: Array,
    divide: bool,
    workers: int | None,
) -> None:
    """y = the sums or means of m elements of x along an axis: both int64, float32 or float64."""
    if x.strides[-1] != x.itemsize or not x.flags.aligned:
        x = np.ascontiguousarray(x)
    line = x.ndim - 1
    both: tuple[Any, Any, Any]
    if axis == line:
        x, y = (x[None], y[None]) if x.ndim == 1 else (x, y)
        both = (1, m), (0, low), (0, BOUNDARIES[boundary])
    else:
        x, y = x.swapaxes(axis, -2), y.swapaxes(axis, -2)
        both = (m, 1), (low, 0), (BOUNDARIES[boundary], 0)
    _box.mean(x, y, *both, cval, divide, False, False, 0 if workers is None else resolve_workers(workers))
