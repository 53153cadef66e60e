"""Products of many sequences, each within its share of a relative tolerance.

Relative errors of non-negative sequences add up: a product is as wrong as both factors together, and its own
rounding. A product that makes a sequence `part` of the final length may err by part · rtol / levels, so that
each level of a tree adds rtol / levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fastconv import _direct
from fastconv._problem import ZERO, Array
from fastconv.probability._pair import UNIT, convolve_logs, least

LINEAR_PRODUCTS = 1 << 22  # more are left to `_pair`
TINY = 1e-280  # products of smaller numbers are worked out by logarithms
LEAF = 256  # probabilities multiplied one by one


class Terms(NamedTuple):
    """Probabilities of first, first + 1, ..., or their logarithms; and the mass that was cut off."""

    values: Array
    log: bool = False
    first: int = 0
    lost: float = 0.0

    def logs(self) -> Array:
        if self.log:
            return self.values
        with np.errstate(divide="ignore"):
            found: Array = np.log(self.values)
        return found

    def probabilities(self) -> Array:
        with np.errstate(under="ignore"):
            return np.exp(self.values) if self.log else self.values

    def total(self) -> float:
        return float(self.probabilities().sum())


def multiply(x: Terms, y: Terms, rtol: float, truncate: float = 0.0) -> Terms:
    """The sum of two variables; tails of at most the mass `truncate` are cut off it."""
    first = x.first + y.first
    lost = x.lost * (y.total() + y.lost) + y.lost * x.total() if x.lost or y.lost else 0.0
    return cut(_multiply(x, y, rtol)._replace(first=first, lost=lost), truncate)


def cut(x: Terms, mass: float) -> Terms:
    if not mass:
        return x
    p = x.probabilities()
    begin = int(np.searchsorted(np.cumsum(p), mass / 2.01))
    end = len(p) - int(np.searchsorted(np.cumsum(p[::-1]), mass / 2.01))
    if begin >= end:
        return x
    cut = (float(p[:begin].sum()) + float(p[end:].sum())) * (1 + 1e-9)
    return Terms(x.values[begin:end], x.log, x.first + begin, x.lost + cut)


def _multiply(x: Terms, y: Terms, rtol: float) -> Terms:
    n, m = len(x.values), len(y.values)
    if not x.log and not y.log and min(n, m) == 1 and _smallest(x) * _smallest(y) > TINY:
        return Terms(x.values * y.values)
    if not x.log and not y.log and n * m <= LINEAR_PRODUCTS and _smallest(x) * _smallest(y) > TINY:
        if rtol < 1.01 * min(n, m) * UNIT:
            raise Unreachable(1.01 * min(n, m) * UNIT / rtol)
        a, v = (x.values, y.values) if n >= m else (y.values, x.values)
        result = np.empty(n + m - 1)
        _direct.correlate(a, v[::-1], result, 0, (len(v) - 1,), (ZERO,), 0.0, 0)
        return Terms(result)
    if rtol < least(min(n, m)):
        raise Unreachable(least(min(n, m)) / rtol)
    logs = x.logs()
    return Terms(convolve_logs(logs, logs if x.values is y.values else y.logs(), rtol), True)


class Unreachable(ArithmeticError):
    """A tolerance is below what float64 sums can keep to, by this factor."""

    def __init__(self, factor: float) -> None:
        super().__init__(factor)
        self.factor = factor


def reachable(compute: Callable[[], Terms], rtol: float) -> Terms:
    """What `compute` gives, if sums can keep to `rtol`."""
    try:
        return compute()
    except Unreachable as error:
        need = 1.1 * rtol * error.factor
        raise ValueError(f"rtol must be at least {need:.1e} for sums of this length, got {rtol}") from None


def _smallest(x: Terms) -> float:
    """The smallest positive value, or 1; zero if one is so huge that products might overflow."""
    positive = x.values[x.values > 0]
    if not len(positive):
        return 1.0
    return float(positive.min()) if positive.max() < 1e100 else 0.0


def product(parts: Sequence[Terms], rtol: float, truncate: float = 0.0) -> Terms:
    """Of all, by a balanced tree of neighbours in order of length."""
    parts = sorted(parts, key=lambda x: len(x.values))
    total = sum(len(x.values) for x in parts)
    levels = max(1, math.ceil(math.log2(max(1, len(parts)))))
    while len(parts) > 1:
        above = []
        for x, y in zip(parts[::2], parts[1::2]):
            share = min(1, (len(x.values) + len(y.values)) / total) / levels
            above.append(multiply(x, y, share * rtol, share * truncate))
        parts = above + parts[len(parts) - len(parts) % 2 :]
    return parts[0]


def power(x: Terms, n: int, rtol: float, truncate: float = 0.0) -> Terms:
    """The n-fold product with itself, n > 0, by squaring."""
    share = 1 / (2 * n.bit_length() * n)
    base, made, result, done = x, 1, None, 0
    while True:
        if n & made:
            done += made
            part = share * done
            result = base if result is None else multiply(result, base, part * rtol, part * truncate)
        if 2 * made > n:
            assert result is not None
            return result
        made *= 2
        base = multiply(base, base, share * made * rtol, share * made * truncate)


def compose(weights: Array, x: Terms, rtol: float) -> Terms:
    """The sum over k of exp(weights[k]) times the k-fold product of x: halves, and halves of halves."""
    count = len(weights)
    levels = max(1, (count - 1).bit_length())
    linear = np.exp(weights)
    plain = bool(np.all((linear > TINY) | np.isneginf(weights)))
    parts = [Terms((linear if plain else weights)[k : k + 1], not plain) for k in range(count)]
    base, made = x, 1
    while len(parts) > 1:
        share = rtol * min(1, made / count) / (2 * levels)
        above = []
        for k in range(0, len(parts) - 1, 2):
            above.append(_add(parts[k], multiply(base, parts[k + 1], share)))
        parts = above + parts[len(parts) - len(parts) % 2 :]
        if len(parts) > 1:
            made *= 2
            base = multiply(base, base, rtol * min(1, made / count) / (2 * levels))
    return parts[0]


def _add(x: Terms, y: Terms) -> Terms:
    length = max(len(x.values), len(y.values))
    if not x.log and not y.log:
        plain = np.zeros(length)
        plain[: len(x.values)] = x.values
        plain[: len(y.values)] += y.values
        return Terms(plain)
    result = np.full(length, -np.inf)
    result[: len(x.values)] = x.logs()
    np.logaddexp(result[: len(y.values)], y.logs(), out=result[: len(y.values)])
    return Terms(result, True)


def bernoulli(p: Array, rtol: float) -> Terms:
    """The number of successes of independent trials.

    The generating function of a trial is (1 - p)(1 + r t), r = p/(1 - p). Trials in order of r are multiplied
    in groups, in t over the group's geometric mean of r: no coefficient is then too large or too small.
    """
    sure = int(np.count_nonzero(p == 1))
    p = np.sort(p[(p > 0) & (p < 1)])
    wide = p.astype(np.longdouble)
    with np.errstate(under="ignore"):
        log_r = np.log(wide) - np.log1p(-wide)
    log_q = np.log1p(-wide)
    groups = []
    first = 0
    while first < len(p):
        last = min(len(p), first + LEAF)
        while last - first > 1 and (log_r[last - 1] - log_r[first]) * (last - first) > 8000:
            last = (first + last + 1) // 2
        groups.append((first, last))
        first = last
    parts = [Terms(np.full(1, 0.0), True)]
    by_length: dict[int, list[int]] = {}
    for first, last in groups:
        by_length.setdefault(last - first, []).append(first)
    for length, firsts in by_length.items():
        at = np.array(firsts)[:, None] + np.arange(length)
        parts += _elementary(log_r[at], log_q[at])
    found = product(parts, rtol)
    if not sure:
        return found
    return Terms(np.concatenate([np.full(sure, -np.inf), found.logs()]), True)


def _elementary(log_r: Array, log_q: Array) -> list[Terms]:
    """By row: the logarithms of the coefficients of the product of q (1 + r t)."""
    rows, length = log_r.shape
    mean = log_r.mean(axis=1)
    r = np.exp(log_r - mean[:, None])
    values = np.zeros((rows, length + 1), np.longdouble)
    values[:, 0] = 1
    for k in range(length):
        values[:, 1 : k + 2] += r[:, k, None] * values[:, : k + 1]
    logs = np.log(values) + mean[:, None] * np.arange(length + 1) + log_q.sum(axis=1)[:, None]
    return [Terms(row.astype(float), True) for row in logs]
