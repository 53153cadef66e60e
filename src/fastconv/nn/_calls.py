"""Layers that were called before: what the call found out, for calls of the same kind.

A kind is all that decides what is done but the numbers: shapes, dtypes and options. What was computed and
checked for one call of a kind holds for all of them; what is left to check is where the arrays lie. Any doubt
sends a call the long way, which also tells what is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastconv._problem import Array, Kept
from fastconv._threads import resolve_workers
from fastconv.nn import _choice
from fastconv.nn._geometry import Geometry

MOST = 1024  # kinds remembered


class Kind(NamedTuple):
    """A kind's engine, and what it is given."""

    geometry: Geometry
    run: _choice.Run
    dtype: np.dtype[Any]
    shape: tuple[int, ...]  # of the output, as the user sees it
    unbatched: bool


def kind(
    geometry: Geometry, dtype: np.dtype[Any], algorithm: str, unbatched: bool, prepared: bool
) -> Kind | None:
    """The kind of a layer in the order of PyTorch, if an engine takes its arrays as they are."""
    empty = geometry.terms == 0 or 0 in geometry.n or 0 in geometry.y_shape
    if empty or not dtype.isnative:
        return None
    engine = _choice.choose("layer", geometry, dtype, algorithm, prepared)
    shape = geometry.y_shape[1:] if unbatched else geometry.y_shape
    return Kind(geometry, engine.run, dtype, shape, unbatched)


def remember(kinds: dict[Any, Kind], key: Any, found: Kind | None) -> None:
    if found is not None:
        if len(kinds) >= MOST:
            kinds.clear()
        kinds[key] = found


def run(
    kind: Kind, x: Any, w: Array, bias: Array | None, out: Any, workers: Any, kept: Kept | None
) -> Array | None:
    """The layer's output, or None: the long way, please. x, w and the bias are plain arrays of the kind."""
    geometry, engine, dtype, shape, unbatched = kind
    result: Array
    if not x.flags.aligned:
        return None
    if out is None:
        result = np.empty(shape, dtype)
    elif type(out) is np.ndarray and out.dtype == dtype and out.shape == shape and out.flags.behaved:
        result = out
        if np.may_share_memory(result, x) or np.may_share_memory(result, w):
            return None
        if bias is not None and np.may_share_memory(result, bias):
            return None
    else:
        return None
    threads = 0 if workers is None else resolve_workers(workers)
    if unbatched:
        engine(geometry, x[None], w, bias, result[None], threads, kept)
    else:
        engine(geometry, x, w, bias, result, threads, kept)
    return result
