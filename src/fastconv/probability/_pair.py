"""The sum of two variables: every probability within a relative tolerance, however small.

Probabilities are held as logarithms, so that no tail is too small. For each node of a plan (`_plan`) the
parts of f and g are tilted, convolved by the engine, tilted back and added up in units of exp(L), where L
estimates log (f * g), linear between the edges of blocks of outputs. By block is summed up what all may be
wrong by:

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
from fastconv.probability._tilt import add_tilted, tilt

Node = tuple[int, int, int, int, bool, float]  # see _plan
UNIT = 2.0**-53
MOST_BLOCKS = 384  # of the longer sequence
LEAST_BLOCK = 16
SMALL = 1 << 16  # products: fewer are summed directly, whatever the range
CUT = -500 * math.log(2)  # smaller factors, relative to the largest, are zero: no product is subnormal
NEGLIGIBLE, ROUNDING = 1e-3, 0.2  # shares of the tolerance: of a part left out, of a transform
GAP, SHORT = 16, 32  # between outputs that are summed together; so few terms are summed at once
ROUNDS, MANY = 2, 1 << 29  # a lower estimate is tried where so many terms would be summed directly
LARGE = 600  # exponents beyond are not taken


def least(terms: int) -> float:
    """The least tolerance that sums of so many terms can keep to."""
    return 1.01 * (terms + 100) * UNIT


def convolve_logs(f: Array, g: Array, rtol: float) -> Array:
    """log (exp f * exp g), where -inf stands for 0.

    Each probability is within rtol of the true one, relatively, beside the rounding of the logarithms met on
    the way: some units in the last place of the largest. rtol is at least `least(min(f.size, g.size))`.
    """
    same = f is g
    f, skip_f = _trimmed(f)
    g, skip_g = (f, skip_f) if same else _trimmed(g)
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
        theta = float(f[0] + g[0] - f[-1] - g[-1]) / (n - 1)
        x, y = (_blocks(part, s, np.array([-theta])) for part in (f, g))
        level = x.top[0] + y.top[0] - theta * s * np.arange(3.0)
        nodes, wrong = [(0, 1, 0, 1, False, theta)], np.zeros(2)
    else:
        s = _block_length(max(len(f), len(g)))
        x = _blocks(f, s)
        y = x if g is f else _blocks(g, s)
        level = _levels(x, y, s)
        nodes, wrong = _planned(x, y, s, level, rtol)
    total = _added(nodes, x, y, s, level, wrong)
    for _ in range(ROUNDS):
        enough = np.repeat(wrong * (1 + 1 / rtol), s)[:n]
        (doubtful,) = np.nonzero(~(total >= enough))
        terms = np.minimum(np.minimum(doubtful + 1, n - doubtful), min(len(f), len(g)))
        if terms.sum() <= MANY:
            break
        lower = np.log(np.clip(enough / np.maximum(total, 1e-300), 1, 1e12))
        by_block = np.zeros(len(level) + 1)
        by_block[1 : 1 + -(-n // s)] = np.maximum.reduceat(lower, np.arange(0, n, s))
        by_block[by_block > 0] += 1
        level = level - np.maximum(by_block[1:], by_block[:-1])
        nodes, wrong = _planned(x, y, s, level, rtol)
        total = _added(nodes, x, y, s, level, wrong)
    scale = (level[:-1, None] + np.multiply.outer(np.diff(level) / s, np.arange(s))).reshape(-1)[:n]
    doubt = ~(total >= np.repeat(wrong * (1 + 1 / rtol), s)[:n])
    if np.any(doubt):
        reached = _reached(f, g)
        total[~reached] = 0
        doubt &= reached
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Array = np.log(total, out=total)
    result += scale
    (doubtful,) = np.nonzero(doubt)
    if len(doubtful):
        for run in np.split(doubtful, np.nonzero(np.diff(doubtful) > GAP)[0] + 1):
            theta = float(scale[run[0]] - scale[min(run[0] + 1, n - 1)])
            _directly(f, g, theta, run, result, rtol)
    return result


def _added(nodes: list[Node], x: _Blocks, y: _Blocks, s: int, level: Array, wrong: Array) -> Array:
    total = np.zeros(len(x.values) + len(y.values) - 1)
    for node in nodes:
        _add(node, x, y, s, level, total, wrong)
    return total


def _planned(x: _Blocks, y: _Blocks, s: int, level: Array, rtol: float) -> tuple[list[Node], Array]:
    factor = _factor(len(x.values), len(y.values))
    limits = NEGLIGIBLE * rtol, ROUNDING * rtol, factor
    return plan(x.size, x.slope, x.leant, y.size, y.slope, y.leant, s, level, *limits)


def _block_length(n: int) -> int:
    """For a sequence of n elements: 4, 5 or 6 times a power of 2, as are the lengths of transforms."""
    least = max(LEAST_BLOCK, -(-n // MOST_BLOCKS))
    power = 1 << max(0, least.bit_length() - 3)
    return next(k * power for k in (4, 5, 6, 8) if k * power >= least)


def _add(
    node: Node,
    f: _Blocks,
    g: _Blocks,
    s: int,
    level: Array,
    total: Array,
    wrong: Array,
) -> None:
    """A node's share of all outputs, and of what may be wrong, in units of exp(level)."""
    i0, i1, j0, j1, is_transform, theta = node
    u, u_top = _tilted(f, i0, i1, s, theta)
    v, v_top = _tilted(g, j0, j1, s, theta)
    if u_top == -np.inf or v_top == -np.inf:
        return
    driver = _whole.whole if is_transform else _direct.correlate
    y = np.empty(len(u) + len(v) - 1)
    driver(u, v[::-1], y, 0, (len(v) - 1,), (ZERO,), 0.0, 0)
    error = 2 * min(len(u), len(v)) * math.exp(CUT)
    if is_transform:
        error += _factor(len(u), len(v)) * (1 + 1e-9) * math.sqrt(np.dot(u, u) * np.dot(v, v))
    edges = u_top + v_top - theta * s * np.arange(i1 + j1 - i0 - j0 + 1) - level[i0 + j0 : i1 + j1 + 1]
    first = (i0 + j0) * s
    add_tilted(y, s, edges, np.diff(edges) / s, total[first : first + len(y)])
    most = np.maximum(edges[1:], edges[:-1])
    bound = np.exp(np.clip(most + math.log(error), -LARGE, LARGE)) + len(u) * len(v) * math.exp(-LARGE)
    wrong[i0 + j0 : i1 + j1] += np.where(most > LARGE, np.inf, bound)  # a factor that was cut


def _tilted(x: _Blocks, begin: int, end: int, s: int, theta: float) -> tuple[Array, float]:
    """exp(x[i] + theta i - top), at most 1 and 0 where below exp(CUT), of some blocks; top."""
    slope = x.slope[begin:end] + theta
    start = x.top[begin:end] + theta * s * np.arange(end - begin)
    top = float(np.max(np.maximum(start, start + slope * (s - 1))))
    part = x.values[begin * s : end * s]
    y = np.empty(len(part))
    if top > -np.inf:
        tilt(part, s, start - top, slope, y)
    return y, top


@lru_cache(maxsize=1024)
def _factor(n: int, m: int) -> float:
    """Of ||u|| ||v||: the most that an output of a transform errs."""
    float64 = np.dtype(np.float64)
    posed = problem(False, (n,), float64, (m,), float64, "full", None, "zero", (0,))
    return transform_factor(posed, "fft")


class _Blocks(NamedTuple):
    """A sequence x of logarithms in blocks; a is an element's place in its block, c that of the centre."""

    top: Array
    values: Array  # exp(x - top - slope a), at most 1; 0 where below exp(CUT)
    size: Array  # log ||exp x||
    slope: Array  # of x, about
    leant: Array  # log ||exp(x - slope (a - c))||
    mean: Array  # the logarithm of the mean of exp x
    level: Array  # that of exp(x - slope (a - c))


def _blocks(x: Array, s: int, slope: Array | None = None) -> _Blocks:
    count = -(-len(x) // s)
    padded = np.full((count, s), -np.inf)
    padded.reshape(-1)[: len(x)] = x
    _, _, size, mean = _sums(padded)
    if slope is None:
        slope = np.zeros(count)
        (used,) = np.nonzero(mean > -np.inf)
        if len(used) > 1:
            slope[used] = np.gradient(mean[used], used * float(s))
    padded -= slope[:, None] * np.arange(s)
    top, values, leant, level = _sums(padded)
    half = slope * (s - 1) / 2
    return _Blocks(top, values.reshape(-1)[: len(x)], size, slope, leant + half, mean, level + half)


def _sums(x: Array) -> tuple[Array, Array, Array, Array]:
    """By row: the largest x; exp(x - largest); log ||exp x||; the logarithm of the mean of exp x."""
    top = x.max(axis=1)
    value = x - np.where(top > -np.inf, top, 0)[:, None]
    np.maximum(value, CUT - 1, out=value)
    np.exp(value, out=value)
    value *= value >= math.exp(CUT)
    norm = np.sqrt(np.einsum("ij,ij->i", value, value)) * (1 + 1e-9)  # what is cut off is far below
    with np.errstate(divide="ignore"):
        size: Array = top + np.log(norm)
        mean: Array = top + np.log(value.mean(axis=1))
    return top, value, size, mean


def _levels(f: _Blocks, g: _Blocks, s: int) -> Array:
    """An estimate of log (f * g) at c = k s: over pairs of blocks, the products of one's mean and the other's
    level.

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
    level = np.asarray(np.interp(np.arange(n + m + 1), at, level[at]))
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


def _directly(f: Array, g: Array, theta: float, where: Array, result: Array, rtol: float) -> None:
    """result[c] for c in `where`, which are close together, by direct sums, or one by one."""
    first, last = int(where[0]), int(where[-1])
    a0, a1 = max(0, first - len(g) + 1), min(len(f), last + 1)
    b0, b1 = max(0, first - a1 + 1), min(len(g), last + 1 - a0)
    if a1 - a0 > SHORT:
        u, u_top = _tilted_part(f[a0:a1], theta)
        v, v_top = _tilted_part(g[b0:b1], theta)
        if u_top > -np.inf < v_top:
            y = np.empty(last + 1 - first)
            lo = len(v) - 1 - (first - a0 - b0)
            _direct.correlate(u, v[::-1], y, 0, (lo,), (ZERO,), 0.0, 0)
            y = y[where - first]
            right = y > 2 * len(u) * math.exp(CUT) * (1 + 1 / rtol)
            done = where[right]
            result[done] = np.log(y[right]) + (u_top + v_top - theta * (done - a0 - b0))
            where = where[~right]
    _term_by_term(f, g, where, result)


def _tilted_part(x: Array, theta: float) -> tuple[Array, float]:
    """exp(x[i] + theta i - top), the largest 1 and none below exp(CUT); top."""
    tilted = theta * np.arange(len(x)) + x
    top = float(tilted.max())
    if top > -np.inf:
        tilted -= top
        np.exp(np.maximum(tilted, CUT, out=tilted), out=tilted)
    return tilted, top


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
