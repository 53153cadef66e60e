"""What is to be computed, in numbers: from shapes and words to one frozen `Problem`. No compiled code.

Every call becomes a correlation of a signal x with a kernel w,

    y[b, o] = sum over t of w[b, t] x~[b, o + t - lo],        x~ = x continued beyond its ends by `boundary`,

with batch axes b first and convolved axes o, t last. Which of the two arrays is the signal, how its axes are
ordered, what is reversed or conjugated and where the output starts is decided here, once for all methods.
The values of the arrays and the arguments that only concern the run (out, workers, cval) are not seen here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fastconv import _check
from fastconv._repr import short

Array = np.ndarray[Any, Any]
Tick = Callable[[float], object] | None  # is told the fraction done, now and then
Kept = dict[Any, Any]  # what a method keeps of a kernel between calls; threads share it

BOUNDARIES = {"zero": 0, "constant": 1, "reflect": 2, "mirror": 3, "nearest": 4, "wrap": 5}
ZERO = BOUNDARIES["zero"]


class Window(NamedTuple):
    """A mode for callers inside: any part of the full result, by convolved axis in the order of a's axes."""

    start: tuple[int, ...]
    size: tuple[int, ...]


class Problem(NamedTuple):
    """One convolution or correlation; tuples named by axis have one entry per convolved axis."""

    dtype: np.dtype[Any]  # of the result
    shape: tuple[int, ...]  # of the result, its axes in the order of a's
    batch: tuple[int, ...]  # sizes of the batch axes
    n: tuple[int, ...]  # signal lengths by axis
    m: tuple[int, ...]  # kernel lengths by axis
    n_out: tuple[int, ...]  # output lengths by axis
    lo: tuple[int, ...]  # taps that hang over the low end at the first output, by axis
    boundary: tuple[int, ...]  # code of BOUNDARIES by axis; zero where no window leaves the signal
    overhang: bool  # some windows leave the signal at a zero boundary
    swap: bool  # v is the signal and a the kernel
    a_order: tuple[int, ...] | None  # brings axes of a and the result to (batch, convolved), if need be
    v_order: tuple[int, ...] | None  # the same for v
    v_new: int  # batch axes that v lacks
    flip_w: bool  # the kernel is reversed: convolution
    flip_y: bool  # the result is reversed: correlation with the arrays swapped
    conjugate_w: bool
    conjugate_y: bool

    def what(self) -> str:
        """For messages."""
        axes = "axis" if len(self.m) == 1 else "axes"
        return f"{len(self.m)} convolved {axes} of {self.dtype}"


# (problem, x, w, y, cval, workers, tick, kept): computes y; arrays in the problem's order, not conjugated
Run = Callable[[Problem, Array, Array, Array, Any, int, Tick, Kept], None]


@lru_cache(maxsize=1024)
def problem(
    correlate: bool,
    a_shape: tuple[int, ...],
    a_dtype: np.dtype[Any],
    v_shape: tuple[int, ...],
    v_dtype: np.dtype[Any],
    mode: str | Window,
    axes: tuple[int, ...] | None,
    boundary: str,
    order: tuple[int, ...],
) -> Problem:
    """The problem that checked arguments pose; `order`: a's axes from the widest stride to the narrowest."""
    dtype = _check.result_dtype(a_dtype, v_dtype)
    v_axis = _match_axes(len(a_shape), len(v_shape), axes)
    if dtype.char == "G" and len(a_shape) > 62:  # the parts of these become two axes more
        raise ValueError(f"a must have at most 62 dimensions for a result of {dtype}, got {len(a_shape)}")
    conv = [k for k in order if k in v_axis]
    batch = [k for k in order if k not in v_axis]
    v_new = len(batch) if len(v_shape) < len(a_shape) else 0

    n = [a_shape[k] for k in conv]
    m = [v_shape[v_axis[k]] for k in conv]
    if 0 in n:
        raise ValueError(f"a cannot be empty along a convolved axis, got shape {a_shape}")
    if 0 in m:
        raise ValueError(f"v cannot be empty along a convolved axis, got shape {v_shape}")
    shape = list(a_shape)
    if not v_new:
        for k in batch:
            shape[k] = _broadcast(k, a_shape[k], v_shape[k])

    numpy_rule = len(a_shape) == 1 and boundary == "zero"
    if isinstance(mode, Window):
        place = [sorted(conv).index(k) for k in conv]
        starts, n_out = ([part[i] for i in place] for part in mode)
    else:
        starts, n_out = outputs(n, m, mode, correlate, numpy_rule)
    lo = [m_k - 1 - s for m_k, s in zip(m, starts)]
    code = ZERO if mode == "valid" else BOUNDARIES[boundary]
    codes = tuple(code if leaves else ZERO for leaves in windows_leave(n, m, n_out, lo))
    for k, size in zip(conv, n_out):
        shape[k] = size

    swap = not any(codes) and math.prod(m) > math.prod(n)
    if swap:
        lo = [size - m_k + s if correlate else n_k - 1 - s for n_k, m_k, size, s in zip(n, m, n_out, starts)]
        n, m = m, n
    x_dtype, w_dtype = (v_dtype, a_dtype) if swap else (a_dtype, v_dtype)
    # v is conjugated, but not in products of objects. If it is the signal, then by way of the kernel and the
    # result: sum a conj(v) = conj(sum conj(a) v).
    conjugate_y = correlate and swap and dtype.kind == "c" and x_dtype.kind == "c"
    conjugate_w = correlate and dtype.kind == "c" and w_dtype.kind == "c" and swap == conjugate_y
    return Problem(
        dtype=dtype,
        shape=tuple(shape),
        batch=tuple(shape[k] for k in batch),
        n=tuple(n),
        m=tuple(m),
        n_out=tuple(n_out),
        lo=tuple(lo),
        boundary=codes,
        overhang=any(leaves and c == ZERO for leaves, c in zip(windows_leave(n, m, n_out, lo), codes)),
        swap=swap,
        a_order=_permutation(batch + conv),
        v_order=_permutation(([] if v_new else batch) + [v_axis[k] for k in conv]),
        v_new=v_new,
        flip_w=not correlate,
        flip_y=correlate and swap,
        conjugate_w=conjugate_w,
        conjugate_y=conjugate_y,
    )


def _match_axes(ndim: int, v_ndim: int, axes: tuple[int, ...] | None) -> dict[int, int]:
    """{convolved axis of a: its axis in v}."""
    if ndim == 0 or v_ndim == 0:
        raise ValueError(f"{'v' if ndim else 'a'} must have at least one dimension, got a scalar")
    if axes is None:
        if ndim != v_ndim:
            raise ValueError(f"v must have a's {ndim} dimensions unless axes is given, got {v_ndim}")
        return {k: k for k in range(ndim)}
    for k in axes:
        if not -ndim <= k < ndim:
            raise ValueError(
                f"axes must be from {-ndim} to {ndim - 1} for a with {ndim} dimensions, got {short(k)}"
            )
    positive = [k % ndim for k in axes]
    if len(set(positive)) < len(positive):
        raise ValueError(f"axes must be unique, got {short(axes)}")
    if v_ndim == ndim:
        return {k: k for k in positive}
    if v_ndim == len(positive):
        return {k: j for j, k in enumerate(positive)}
    raise ValueError(
        f"v must have a dimension for each of the {len(axes)} axes, or as many as a ({ndim}), got {v_ndim}"
    )


def _broadcast(axis: int, a: int, v: int) -> int:
    if a == v or v == 1:
        return a
    if a == 1:
        return v
    raise ValueError(f"v must have length 1 or a's {a} along axis {axis}, which is not convolved, got {v}")


def _permutation(axes: list[int]) -> tuple[int, ...] | None:
    return None if axes == sorted(axes) else tuple(axes)


def outputs(
    n: list[int], m: list[int], mode: str, correlate: bool, numpy_rule: bool
) -> tuple[list[int], list[int]]:
    """First index in the full result, and number of outputs, by axis."""
    if mode == "full":
        return [0] * len(n), [n_k + m_k - 1 for n_k, m_k in zip(n, m)]
    if mode == "same":
        if numpy_rule and m[0] > n[0]:
            return [n[0] // 2 if correlate else (n[0] - 1) // 2], list(m)
        return [(m_k - 1) // 2 for m_k in m], list(n)
    if any(n_k < m_k for n_k, m_k in zip(n, m)) and any(n_k > m_k for n_k, m_k in zip(n, m)):
        raise ValueError(
            "mode 'valid' needs a or v to be at least as long as the other along every convolved axis, "
            f"got {tuple(n)} and {tuple(m)}"
        )
    return [min(n_k, m_k) - 1 for n_k, m_k in zip(n, m)], [abs(n_k - m_k) + 1 for n_k, m_k in zip(n, m)]


def windows_leave(n: list[int], m: list[int], n_out: list[int], lo: list[int]) -> list[bool]:
    """Whether any window reaches beyond the signal, by axis."""
    return [lo_k > 0 or size + m_k - 1 - lo_k > n_k for n_k, m_k, size, lo_k in zip(n, m, n_out, lo)]


def within(tick: Tick, first: float, last: float) -> Tick:
    """The tick of a part of the work: from the fraction `first` to `last`."""
    return None if tick is None else lambda done: tick(first + done * (last - first))


def distinct(x: Array) -> Array:
    """x without repetition: where a stride is 0, one element stands for all."""
    return x[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in x.strides)]
