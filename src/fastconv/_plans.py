"""What a plan of the C API is to do: the problem, the method, the parts. No compiled code.

As `fastconv.convolve` decides, but that the signal is always x, however short, since the kernel is prepared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastconv._methods import ranked
from fastconv._problem import ZERO, Array, Problem, outputs, windows_leave
from fastconv._sums import boxes


class Refused(Exception):
    """With the name of the field that is wrong: "mode" or "method"."""


def geometry(
    dtype: np.dtype[Any], n: list[int], m: list[int], correlate: bool, mode: str, boundary: int
) -> Problem:
    """The problem of n elements and m taps along each axis."""
    numpy_rule = len(n) == 1 and boundary == ZERO
    try:
        start, n_out = outputs(n, m, mode, correlate, numpy_rule)
    except ValueError:
        raise Refused("mode") from None
    lo = [size - 1 - first for size, first in zip(m, start)]
    leaves = windows_leave(n, m, n_out, lo)
    code = ZERO if mode == "valid" else boundary
    return Problem(
        dtype=dtype,
        shape=tuple(n_out),
        batch=(),
        n=tuple(n),
        m=tuple(m),
        n_out=tuple(n_out),
        lo=tuple(lo),
        boundary=tuple(code if beyond else ZERO for beyond in leaves),
        overhang=code == ZERO and any(leaves),
        swap=False,
        a_order=None,
        v_order=None,
        v_new=0,
        flip_w=not correlate,
        flip_y=False,
        conjugate_w=correlate and dtype.kind == "c",
        conjugate_y=False,
    )


def by_stride(problem: Problem, strides: Sequence[int]) -> tuple[list[int], Problem]:
    """The axes from x's widest stride to the narrowest, and the problem with its axes in that order."""
    order = sorted(range(len(strides)), key=lambda k: -abs(strides[k]))
    names = "shape", "n", "m", "n_out", "lo", "boundary"
    fields: dict[str, Any] = {name: tuple(getattr(problem, name)[k] for k in order) for name in names}
    return order, problem._replace(**fields)


def in_blocks(problem: Problem, w: Array, cval: Any, method: str) -> bool:
    """Whether by overlap-save: as `method` says, or if that is faster; not where a transform is wrong."""
    seconds = {of.name: time for time, of in ranked(problem, "auto")}
    if "overlap_save" not in seconds:
        if method == "overlap_save":
            raise Refused("method")
        return False
    if method == "direct" or (method == "auto" and seconds["direct"] <= seconds["overlap_save"]):
        return False
    info = np.finfo(problem.dtype)
    largest = max(np.abs(w.real).max(), np.abs(w.imag).max())
    tiny = 0 < largest < 2.0 ** (info.minexp + 2 * info.nmant)
    return bool(np.isfinite(largest) and np.isfinite(cval) and not tiny)


def direct_parts(problem: Problem, w: Array) -> Iterator[tuple[tuple[slice, ...], tuple[int, ...], Array]]:
    """Boxes of the output with the lo and the taps of each, for direct sums."""
    if problem.overhang and w.dtype.kind in "fc" and not np.isfinite(w).all():
        yield from boxes(problem, w)
    else:
        yield tuple(slice(0, size) for size in problem.n_out), problem.lo, w
