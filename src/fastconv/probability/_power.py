"""Probabilities of the sum of very many equal variables, each from an exponential tilt that makes it likely.

With K(t) = log sum f(a) exp(t a), the tilted f is u(a) = f(a) exp(t a - K), and

    f^n(c) = exp(n K - t c) u^n(c),    u^n(c) = 1/N sum over k of phi(w_k)^n exp(-i w_k (c - n mu)),

with phi the transform of u about its mean mu, w_k = 2 pi k/N. t is chosen so that the mean n mu is near c,
where u^n is largest. Then few frequencies matter: the others are bounded by a plain transform. phi^n is taken
from phi - 1 = sum u (-2 sin(w d/2)^2 + i sin(w d)), d = a - mu, both parts small, so that little is lost
though n is large. The bound of an output's error adds up

    rounding     of phi, n times; of the sum over k; of K, in the widest float
    frequencies  that were left out, by |phi|^n
    aliases      u^n(c + N), u^n(c - N), ...: Chernoff's bound with a tilt of t +- 8/sigma

(V. Gruebel and R. Hermesmeier, ASTIN Bulletin 29 (1999), tilt against aliases; U. Keich, Stat. Sinica 15
(2005), for tails; here each output is aimed at in turn.)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fastconv._convolve import convolve
from fastconv._problem import Array
from fastconv.probability._pair import UNIT

WIDE = np.longdouble
WIDE_UNIT = float(np.finfo(WIDE).eps) / 2
SPREAD = 8.5  # standard deviations beyond which aliases are looked for
FEWEST = 64  # points of a transform
LEFT_OUT = -50.0  # log |phi^n| of frequencies that are not worked out
TRIES = 14  # tilts aimed at one output
AT_ONCE = 1 << 20  # terms of phi


class Uncertain(ArithmeticError):
    """Some outputs cannot be had within the tolerance."""


class _Tilt(NamedTuple):
    t: float
    log_sum: np.longdouble  # K
    u: Array
    mean: np.longdouble
    sigma: float


def tilted(f: Array, t: float) -> _Tilt:
    a = np.arange(len(f), dtype=WIDE)
    x = f + WIDE(t) * a
    top = x.max()
    u = np.exp(x - top)
    total = u.sum()
    u /= total
    mean = (u * a).sum()
    variance = float((u * (a - mean) ** 2).sum())
    return _Tilt(t, top + np.log(total), u, mean, math.sqrt(variance))


def _aimed(f: Array, mean: float) -> _Tilt:
    """The tilt with that mean, about."""
    found = tilted(f, 0.0)
    low, high = -math.inf, math.inf
    t = 0.0
    for _ in range(200):
        off = mean - float(found.mean)
        if abs(off) <= 1e-3 * found.sigma * min(1.0, found.sigma) + 1e-12 * mean:
            break
        if off > 0:
            low = t
        else:
            high = t
        step = off / max(found.sigma**2, 1e-300)
        step = max(-2.0, min(2.0, step))
        new = t + step
        if not low < new < high:
            new = (low + high) / 2
        if new == t:
            break
        t = new
        found = tilted(f, t)
    return found


def power_logs(f: Array, n: int, rtol: float, begin: int, end: int) -> Array:
    """log f^n(c) for begin <= c < end, where f holds logarithms, the first and last above -inf.

    Raises
    ------
    Uncertain
        If an output cannot be had within rtol, relatively, beside the rounding of its logarithm.
    """
    f = f.astype(WIDE)
    last = (len(f) - 1) * n
    if rtol <= 16 * n * WIDE_UNIT + 64 * UNIT:
        raise Uncertain(begin)
    result = np.full(end - begin, np.nan)
    if not np.isfinite(f).all():
        low, high = _reached(f, n, last), _reached(f[::-1], n, last)[::-1]
        missing = np.concatenate([np.nonzero(~low)[0], np.nonzero(~high)[0] + last + 1 - len(high)])
        missing = missing[(missing >= begin) & (missing < end)] - begin
        result[missing] = -np.inf
    at = begin
    width = 0.0
    while at < end:
        if result[at - begin] == -np.inf:
            at += 1
            continue
        target = at + width
        for _ in range(TRIES):
            target = min(max(target, at + 0.5), last - 0.5) if last > 1 else last / 2
            tilt = _aimed(f, target / n)
            if width == 0:
                target, width = at + 2.5 * math.sqrt(n) * tilt.sigma, 1.0
                continue
            first, values = _window(f, n, tilt, rtol)
            inside = at - first
            if 0 <= inside < len(values) and values[inside] == values[inside]:
                break
            target = at + (target - at) / 2
        else:
            raise Uncertain(at)
        stop = first + len(values)
        count = min(stop, end) - at
        bad = np.isnan(values[inside : inside + count])
        count = int(np.argmax(bad)) if bad.any() else count
        result[at - begin : at - begin + count] = values[inside : inside + count]
        at += count
        width = max(1.0, 0.95 * (at - target))
    return result


def middle(f: Array, n: int, mass: float) -> tuple[int, int]:
    """First and last + 1 of the outputs beside which at most `mass` lies, by Chernoff's bound."""
    f = f.astype(WIDE)
    last = (len(f) - 1) * n
    at = tilted(f, 0.0)
    spread = math.sqrt(n) * at.sigma
    edges = []
    for sign in (-1, 1):
        best = math.inf
        for z in np.geomspace(0.5, 50, 48).tolist():
            t = sign * z / (spread + 1e-300)
            gain = float(n * (tilted(f, t).log_sum - t * at.mean))
            best = min(best, (gain + math.log(2 / mass) + 1e-6) / abs(t))
        edges.append(float(n * at.mean) + sign * best)
    return max(0, math.floor(edges[0])), min(last, math.ceil(edges[1])) + 1


def _reached(f: Array, n: int, last: int) -> Array:
    """Which of the first outputs are sums of n elements of the support; from about its square on, all are."""
    length = min(last + 1, max(len(f) ** 2, FEWEST), 1 << 22)
    base = np.zeros(min(length, len(f)))
    base[f[:length] > -np.inf] = 1
    result = np.ones(1)
    while n:
        if n & 1:
            result = (convolve(result, base)[:length] > 0.5).astype(float)
        n >>= 1
        if n:
            base = (convolve(base, base)[:length] > 0.5).astype(float)
    reached: Array = result > 0.5
    return reached


def _window(f: Array, n: int, tilt: _Tilt, rtol: float) -> tuple[int, Array]:
    """The outputs around the tilt's mean, as logarithms from the first on; NaN where not certain."""
    spread = math.sqrt(n) * tilt.sigma
    last = (len(f) - 1) * n
    size = FEWEST
    while size < 2.5 * SPREAD * spread:
        size *= 2
    while True:
        whole = size > last
        alias = 0.0 if whole else _alias(f, n, tilt, size / 2)
        if alias * size < 1e-3 * rtol * min(1.0, 1 / (1 + spread)):
            break
        size *= 2
    centre = n * tilt.mean
    first = 0 if whole else max(0, int(centre) - size // 2)
    values, wrong = _transformed(n, tilt, size, float(centre - first))
    wrong += alias
    a = np.arange(len(f), dtype=WIDE)
    scale = float(np.max(np.abs(np.where(tilt.u > 0, f, 0)) + abs(tilt.t) * a * (tilt.u > 0)))
    of_wide = n * WIDE_UNIT * (8 * (1 + abs(float(tilt.log_sum))) + min(scale, 1e3))
    allowed = rtol - of_wide
    values = values[: min(size, last + 1 - first)]
    if allowed <= 0:
        return first, np.full(len(values), np.nan)
    right = values > wrong * (1 + 1 / allowed)
    if not whole:  # aliases are bounded for the middle half
        c = np.arange(len(values)) + first
        right &= np.abs(c - float(centre)) < size / 4
    result = np.full(len(values), np.nan)
    (at,) = np.nonzero(right)
    exponent = n * tilt.log_sum - WIDE(tilt.t) * (at + WIDE(first))
    result[at] = (np.log(values[at]) + exponent).astype(float)
    return first, result


def _alias(f: Array, n: int, tilt: _Tilt, distance: float) -> float:
    """A bound of what lies `distance` or further from the mean, on both sides."""
    bound = 0.0
    for sign in (1, -1):
        by = sign * min(SPREAD / (math.sqrt(n) * tilt.sigma + 1e-300), 30.0)
        more = tilted(f, tilt.t + by)
        exponent = float(n * (more.log_sum - tilt.log_sum - WIDE(by) * tilt.mean)) - abs(by) * distance
        bound += 2 * math.exp(min(exponent + 1e-6, 50)) / (1 - math.exp(-min(abs(by) * distance, 50)))
    return bound


def _transformed(n: int, tilt: _Tilt, size: int, centre: float) -> tuple[Array, float]:
    """u^n at the points 0 .. size - 1, its mean being at `centre`, and what rounding makes of it at most."""
    u = tilt.u.astype(float)
    terms = len(u)
    a = np.arange(terms)
    rough = np.abs(np.fft.rfft(np.bincount(a % size, u, size))) + 1e-13
    logs = n * np.log(np.minimum(rough, 1))
    (k,) = np.nonzero(logs > LEFT_OUT)
    left_out = 2 * float(np.exp(logs[logs <= LEFT_OUT]).sum()) / size
    d = (a - tilt.mean).astype(float)
    w = 2 * math.pi * k / size
    below, odd, square = (np.empty(len(k)) for _ in range(3))
    step = max(1, AT_ONCE // terms)
    for i in range(0, len(k), step):
        x = w[i : i + step, None] * d
        below[i : i + step] = (u * 2 * np.sin(x / 2) ** 2).sum(axis=1)
        odd[i : i + step] = (u * np.sin(x)).sum(axis=1)
        square[i : i + step] = (u * x**2).sum(axis=1)
    modulus = np.maximum(1 - 2 * below + below**2 + odd**2, 1e-300)
    log_modulus = np.log1p(np.maximum(-2 * below + below**2 + odd**2, -1 + 1e-16)) / 2
    angle = np.arctan2(odd, 1 - below)
    size_k = np.exp(n * log_modulus)
    roundings = 8 + min(terms, 128) / 8 + math.log2(max(1, terms / 128))
    wrong = n * roundings * UNIT * (2 * square + np.sqrt(square)) / np.sqrt(modulus)
    wrong += 4 * n * UNIT * (np.abs(log_modulus) + np.abs(angle)) + 8 * UNIT * w * size + 64 * UNIT
    spectrum = np.zeros(size // 2 + 1, complex)
    spectrum[k] = size_k * np.exp(1j * (w * centre + n * angle)).conj()
    weight = np.where((k == 0) | (2 * k == size), 1, 2)
    values = np.fft.irfft(spectrum, size)
    error = float((weight * size_k * np.expm1(np.minimum(wrong, 50))).sum()) / size
    error += 8 * math.log2(size) * UNIT * float((weight * size_k).sum()) / size
    return values, 1.01 * error + left_out
