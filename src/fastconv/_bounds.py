"""Bounds of the rounding errors of each method; docs/accuracy.md derives them.

For finite numbers and as long as no product underflows, every output y[b, o] is within

    direct      factor · sum over t of |w[b, t]| |x~[b, o + t - lo]|
    transforms  factor · ‖x~[b]‖ ‖w[b]‖
    separable   factor · ‖x~[b]‖ sum over terms of the products of the norms of w's factors

of the true sum; x~ is the signal x continued by its boundary, and its norm that of all elements which the
outputs need. Sums of integers are exact.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastconv import _cost, _kernel_values
from fastconv._methods import tiles, whole
from fastconv._problem import BOUNDARIES, Array, Problem

CONSTANT = BOUNDARIES["constant"]
TRANSFORMS = ("overlap_save", "fft")
TWIDDLE = {4: 1.02, 8: 4.0}  # the error of a factor in units of eps / 2, by bytes of its real type
ODD_PASSES = 4  # of radix 3 and 5 along an axis, at most
NORM = 1 + 1e-6  # the norms are themselves rounded


def direct_factor(problem: Problem) -> float:
    """Of the sum of the absolute values of an output's terms, in any order of adding them up."""
    dtype, terms = problem.dtype, math.prod(problem.m)
    if dtype.kind not in "fc":
        return 0.0
    if dtype.itemsize == 2:  # summed in float32, rounded at the end
        half = float(np.finfo(dtype).eps) / 2
        return (1 + _gamma(terms, float(np.finfo(np.float32).eps) / 2)) * (1 + half) - 1
    unit = float(np.finfo(dtype).eps) / 2
    return _gamma(terms, unit) if dtype.kind == "f" else math.sqrt(2) * _gamma(2 * terms, unit)


def transform_factor(problem: Problem, method: str) -> float:
    """Of the product of the norms of signal and kernel."""
    real = problem.dtype.type(0).real.dtype
    unit = float(np.finfo(real).eps) / 2
    multiply = (1 + TWIDDLE[real.itemsize] * unit) * (1 + math.sqrt(5) * unit)
    level = multiply * (1 + unit)
    levels = math.log2(_numbers(problem, method)) + 1  # one more: drivers may take the axes in another order
    lanes = _cost.rates().vector_bytes // real.itemsize
    product = 1 + math.sqrt(2) * _gamma(lanes + 1, unit)
    passes = 3 * (levels * math.log(level) + ODD_PASSES * len(problem.m) * math.log(1 + 4 * unit))
    return math.expm1(passes + math.log(product * multiply * (1 + unit) ** 2))


def _gamma(n: int, unit: float) -> float:
    """What n roundings in a row amount to at most."""
    return n * unit / (1 - n * unit) if n * unit < 1 else math.inf


def _numbers(problem: Problem, method: str) -> int:
    """At most so many complex numbers are in one block."""
    if method == "fft":
        return math.prod(whole(problem).sizes)
    most = 2 * _cost.MOST_BYTES // problem.dtype.itemsize
    return max(most, math.prod(tiles(problem).sizes))


def bound(problem: Problem, method: str, x: Array, w: Array, cval: Any) -> Array:
    """For each batch element, the most that the error of an output can be."""
    if problem.dtype.kind not in "fc":
        return np.zeros(problem.batch)
    size = _magnitudes(w)
    axes = tuple(range(len(problem.batch), w.ndim))
    top = float(size.max(initial=0.0)) or 1.0
    with np.errstate(all="ignore"):
        norm, largest = _signal_norms(problem, x, cval)
        product = norm * top * np.sqrt(np.sum((size / top) ** 2, axis=axes))
        if method in TRANSFORMS:
            found = transform_factor(problem, method) * product
        elif method == "separable":
            found = norm * _separable_factor(problem, w)
        else:
            terms = np.minimum(product, largest * np.sum(size, axis=axes))
            tiny = float(np.finfo(problem.dtype).smallest_subnormal)
            found = direct_factor(problem) * terms + 2 * math.prod(problem.m) * tiny
    return np.broadcast_to(np.where(np.isfinite(found), NORM * found, np.inf), problem.batch)


def _separable_factor(problem: Problem, w: Array) -> Array:
    """Of the signal's norm: the roundings of all passes, and what the kernel is beside its terms."""
    n_batch, dtype = len(problem.batch), problem.dtype
    packed = _kernel_values.factors(w.astype(dtype, copy=False), n_batch)
    assert packed is not None
    terms = packed.shape[-1] // sum(problem.m)
    unit = float(np.finfo(dtype).eps) / 2
    norms, passes, first = np.ones((*packed.shape[:-1], terms)), 0.0, 0
    for m in problem.m:
        factor = packed[..., first : first + terms * m].reshape(*packed.shape[:-1], terms, m)
        norms = norms * np.linalg.norm(factor, axis=-1)
        n = terms * m + 1  # each factor is rounded
        passes += math.log1p(_gamma(n, unit) if dtype.kind == "f" else math.sqrt(2) * _gamma(2 * n, unit))
        first += terms * m
    rest = np.sqrt(np.sum(_magnitudes(w) ** 2, axis=tuple(range(n_batch, w.ndim))))
    found: Array = math.expm1(passes) * norms.sum(axis=-1) + 2 * _kernel_values.SLACK * unit * rest
    return found


def _magnitudes(x: Array) -> Array:
    found: Array = np.abs(x.astype(complex if x.dtype.kind == "c" else float))
    return found


def _signal_norms(problem: Problem, x: Array, cval: Any) -> tuple[Array, Array]:
    """‖x~‖ and the largest |x~|, over all that the outputs need, by batch element."""
    from fastconv._blocks import sources

    n_batch = len(problem.batch)
    size = _magnitudes(x)
    largest = size.max(axis=tuple(range(n_batch, x.ndim)))
    top = max(float(size.max(initial=0.0)), abs(complex(cval))) or 1.0
    squares = (size / top) ** 2
    total = inside = 1
    for n, m, n_out, lo, code in zip(problem.n, problem.m, problem.n_out, problem.lo, problem.boundary):
        needed = sources(np.arange(-lo, n_out + m - 1 - lo), n, code)
        count = np.bincount(needed + 1, minlength=n + 1)[1:]
        squares = np.tensordot(squares, count, (n_batch, 0))
        total, inside = total * len(needed), inside * int(count.sum())
    if CONSTANT in problem.boundary:
        squares = squares + (total - inside) * (abs(complex(cval)) / top) ** 2
        largest = np.maximum(largest, abs(complex(cval)))
    return top * np.sqrt(squares), largest
