"""The sum of two variables: every probability within a relative tolerance, however small.

Probabilities are held as logarithms, so that no tail is too small. For each node of a plan (`_plan`) the parts
of f and g are tilted, convolved by the engine, tilted back and added up in units of exp(L), where L estimates
log (f * g), linear between the edges of blocks of outputs. By block is summed up what all may be wrong by:

    a transform          factor · ||u|| ||v||, docs/accuracy.md
    a direct sum         γ(terms) of its own value; and what underflows
    what was left out    the bound by which the plan left it out

An output that is not certain by this is summed term by term. The estimates decide how long that takes; they
have no part in the certainty.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fastconv import _direct, _whole
from fastconv._bounds import transform_factor
from fastconv._convolve import convolve
from fastconv._problem import ZERO, Array, problem
from fastconv.probability._plan import plan

UNIT = 2.0**-53
MOST_BLOCKS = 384  # of the longer sequence
LEAST_BLOCK = 16
SMALL = 1 << 16  # products: fewer are summed directly, whatever the range
CUT = -500 * math.log(2)  # smaller factors, relative to the largest, are zero: no product is subnormal
NEGLIGIBLE, ROUNDING = 1e-3, 0.2  # shares of the tolerance: of a part left out, of a transform
LARGE = 600  # exponents beyond are not taken


def least(terms: int) -> float:
    """The least tolerance that sums of so many terms can keep to."""
    return 1.01 * (terms + 2) * UNIT


def convolve_logs(f: Array, g: Array, rtol: float) -> Array:
    """log (exp f * exp g), where -inf stands for 0.

    Each probability is within rtol of the true one, relatively, beside the rounding of the logarithms met on
    the way: some units in the last place of the largest. rtol is at least `least(min(f.size, g.size))`.
    """
    f, skip_f = _trimmed(f)
    g, skip_g = _trimmed(g)
    result = np.full(len(f) + len(g) - 1 + sum(skip_f) + sum(skip_g), -np.inf)
    if len(f) and len(g):
        first = skip_f[0] + skip_g[0]
        result[first : first + len(f) + len(g) - 1] = _convolve(f, g, rtol)
    return result


def _trimmed(x: Array) -> tuple[Array, tuple[int, int]]:
    """Without the zeros at its ends, and how many they are; nothing is left if all are zero."""
    if len(x) and x[0] > -np.inf and x[-1] > -np.inf:
        return x, (0, 0)
    (inside,) = np.nonzero(x > -np.inf)
    if not len(inside):
        return x[:0], (0, len(x))
    first, last = int(inside[0]), int(inside[-1]) + 1
    return x[first:last], (first, len(x) - last)


def _convolve(f: Array, g: Array, rtol: float) -> Array:
    n = len(f) + len(g) - 1
    if min(len(f), len(g)) == 1:
        return f + g
    rtol -= least(min(len(f), len(g)))
    if len(f) * len(g) <= SMALL:
        s = max(len(f), len(g))
        theta = (f[0] + g[0] - f[-1] - g[-1]) / (n - 1)
        top = float(np.max(f + theta * np.arange(len(f))) + np.max(g + theta * np.arange(len(g))))
        level = top - theta * s * np.arange(3.0)
        nodes, wrong = [(0, 1, 0, 1, False, theta)], np.zeros(2)
    else:
        s = max(LEAST_BLOCK, -(-max(len(f), len(g)) // MOST_BLOCKS))
        blocks_f, blocks_g = _blocks(f, s), _blocks(g, s)
        level = _levels(blocks_f, blocks_g, s)
        factor = _factor(len(f), len(g))
        nodes, wrong = plan(*blocks_f[:3], *blocks_g[:3], s, level, NEGLIGIBLE * rtol, ROUNDING * rtol, factor)
    scale = np.interp(np.arange(n), s * np.arange(len(level)), level)
    total = np.zeros(n)
    for node in nodes:
        _add(node, f, g, s, level, scale, total, wrong)
    enough = np.repeat(wrong * (1 + 1 / rtol), s)[:n]
    doubt = ~(total >= enough)
    if np.any(doubt):
        doubt &= _reached(f, g)
        total[~doubt & (total < enough)] = 0
    with np.errstate(divide="ignore"):
        result: Array = np.log(total, out=total)
    result += scale
    (doubtful,) = np.nonzero(doubt)
    _term_by_term(f, g, doubtful, result)
    return result


def _add(
    node: tuple[int, int, int, int, bool, float],
    f: Array,
    g: Array,
    s: int,
    level: Array,
    scale: Array,
    total: Array,
    wrong: Array,
) -> None:
    """A node's share of all outputs, and of what may be wrong, in units of exp(scale)."""
    i0, i1, j0, j1, is_transform, theta = node
    u, u_top = _tilted(f[i0 * s : i1 * s], theta)
    v, v_top = _tilted(g[j0 * s : j1 * s], theta)
    if u_top == -np.inf or v_top == -np.inf:
        return
    driver = _whole.whole if is_transform else _direct.correlate
    y = np.empty(len(u) + len(v) - 1)
    driver(u, v[::-1], y, 0, (len(v) - 1,), (ZERO,), 0.0, 0)
    error = 2 * min(len(u), len(v)) * math.exp(CUT)
    if is_transform:
        error += _factor(len(u), len(v)) * (1 + 1e-9) * math.sqrt(np.dot(u, u) * np.dot(v, v))
    first = (i0 + j0) * s
    back = np.arange(len(y), dtype=float)
    back *= -theta
    back += u_top + v_top
    part = slice(first, first + len(y))
    back -= scale[part]
    np.clip(back, -LARGE, LARGE, out=back)
    y *= np.exp(back, out=back)
    total[part] += y
    edges = u_top + v_top - theta * s * np.arange(i1 + j1 - i0 - j0 + 1) - level[i0 + j0 : i1 + j1 + 1]
    edges = np.exp(np.clip(edges + math.log(error), -LARGE, LARGE)) + len(u) * len(v) * math.exp(-LARGE)
    wrong[i0 + j0 : i1 + j1] += np.maximum(edges[1:], edges[:-1])


def _tilted(x: Array, theta: float) -> tuple[Array, float]:
    """exp(x[i] + theta i - top), with the largest value 1 and none below exp(CUT); top."""
    tilted = np.arange(len(x), dtype=float)
    tilted *= theta
    tilted += x
    top = float(tilted.max())
    if top > -np.inf:
        tilted -= top
        np.maximum(tilted, CUT, out=tilted)
        np.exp(tilted, out=tilted)
    return tilted, top


@lru_cache(maxsize=1024)
def _factor(n: int, m: int) -> float:
    """Of ||u|| ||v||: the most that an output of a transform errs."""
    float64 = np.dtype(np.float64)
    posed = problem(False, (n,), float64, (m,), float64, "full", None, "zero", (0,))
    return transform_factor(posed, "fft")


class _Blocks(NamedTuple):
    """A sequence x of logarithms in blocks; a is an element's place, from the centre of its block."""

    size: Array  # log ||exp x||
    slope: Array  # of x, about
    leant: Array  # log ||exp(x - slope a)||
    mean: Array  # the logarithm of the mean of exp x
    level: Array  # that of exp(x - slope a)


def _blocks(x: Array, s: int) -> _Blocks:
    count = -(-len(x) // s)
    padded = np.full((count, s), -np.inf)
    padded.reshape(-1)[: len(x)] = x
    size, mean = _sums(padded)
    slope = np.zeros(count)
    (used,) = np.nonzero(mean > -np.inf)
    if len(used) > 1:
        slope[used] = np.gradient(mean[used], used * float(s))
    padded -= slope[:, None] * (np.arange(s) - (s - 1) / 2)
    leant, level = _sums(padded)
    return _Blocks(size, slope, leant, mean, level)


def _sums(x: Array) -> tuple[Array, Array]:
    """By row: log ||exp x||, and the logarithm of the mean of exp x."""
    top = x.max(axis=1)
    value = x - np.where(top > -np.inf, top, 0)[:, None]
    np.maximum(value, CUT, out=value)  # what this adds is far below the rounding of the norm
    np.exp(value, out=value)
    norm = np.sqrt(np.einsum("ij,ij->i", value, value)) * (1 + 1e-9)
    return top + np.log(norm), top + np.log(value.mean(axis=1))


def _levels(f: _Blocks, g: _Blocks, s: int) -> Array:
    """An estimate of log (f * g) at c = k s: over pairs of blocks, the products of one's mean and the other's level.

    Where a block meets one of slope t, its mean counts if t is 0, its level if t is its own slope.
    """
    n, m = len(f.mean), len(g.mean)
    pairs = np.full((n, n + m), -np.inf)
    with np.errstate(all="ignore"):
        share_f = np.clip(g.slope / f.slope[:, None], 0, 1)
        share_g = np.clip(f.slope[:, None] / g.slope, 0, 1)
        found = f.mean[:, None] + np.nan_to_num(share_f) * (f.level - f.mean)[:, None]
        found += g.mean + np.nan_to_num(share_g) * (g.level - g.mean)
        found[np.isnan(found)] = -np.inf
    for i, row in enumerate(found):
        pairs[i, i + 1 : i + 1 + m] = row
    level = np.full(n + m + 1, -np.inf)
    top = pairs.max(axis=0)
    known = top > -np.inf
    shifted = pairs[:, known] - top[known]
    level[: n + m][known] = top[known] + np.log(np.exp(shifted).sum(axis=0) * s)
    (at,) = np.nonzero(level > -np.inf)
    level = np.interp(np.arange(n + m + 1), at, level[at])
    level[0] = 2 * level[1] - level[2]
    level[-1] = 2 * level[-2] - level[-3]
    return level


def _reached(f: Array, g: Array) -> Array:
    """Which outputs have a term that is not zero."""
    if f.min() > -np.inf and g.min() > -np.inf:
        return np.ones(len(f) + len(g) - 1, bool)
    terms: Any = convolve((f > -np.inf).astype(float), (g > -np.inf).astype(float))
    reached: Array = terms > 0.5  # the error is far less
    return reached


def _term_by_term(f: Array, g: Array, where: Array, result: Array) -> None:
    """result[c] = log sum exp(f[a] + g[c - a]), for c in `where`."""
    backwards = g[::-1]
    n, m = len(f), len(g)
    for c in where.tolist():
        a0, a1 = max(0, c - m + 1), min(n, c + 1)
        terms = f[a0:a1] + backwards[m - 1 - c + a0 : m - 1 - c + a1]
        top = terms.max()
        if top > -np.inf:
            terms -= top
            result[c] = top + math.log(np.exp(np.maximum(terms, CUT, out=terms), out=terms).sum())
        else:
            result[c] = top
