"""Exact sums of random variables, and shapes of distributions: for the tests of `fastconv.probability`."""

import itertools
from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np

BITS = 1074  # every float64 is a multiple of 2^-BITS


def integers(f):
    """The numbers of f in units of 2^-BITS."""
    return [int(Fraction(v) * 2**BITS) for v in np.asarray(f, float).tolist()]


def product(f, g):
    """Of integers, term by term: those that are not zero."""
    result = [0] * (len(f) + len(g) - 1)
    for i, v in enumerate(f):
        if v:
            for j, w in enumerate(g):
                result[i + j] += v * w
    return result


def power(f, n):
    """By repeated squaring of one long integer."""
    width = (sum(f) ** n).bit_length() + 1
    packed = sum(v << (width * i) for i, v in enumerate(f)) ** n
    return [packed >> (width * i) & ((1 << width) - 1) for i in range((len(f) - 1) * n + 1)]


@lru_cache
def dice(n):
    """The ways to throw 0 to 5 n with n dice of 0 to 5, by running sums."""
    ways = [1]
    for _ in range(n):
        sums = [0, *itertools.accumulate(ways + [0] * 5)]
        ways = [sums[c + 1] - sums[max(0, c - 5)] for c in range(len(sums) - 1)]
    return ways


def worst(y, want, bits):
    """The largest relative error of the normal numbers of y, which should be want 2^-bits; zeros match."""
    largest = Fraction(0)
    for v, w in zip(y.tolist(), want, strict=True):
        if w == 0:
            assert v == 0
        elif w << 1022 >> bits:
            largest = max(largest, abs(Fraction(v) * 2**bits / w - 1))
        else:
            assert 0 <= v <= 2.3e-308
    return float(largest)


def worst_log(y, want, bits=0, factor=1):
    """The same for logarithms, of want factor 2^-bits."""
    largest = 0.0
    with mpmath.workdps(30):
        for v, w in zip(y.tolist(), want, strict=True):
            if w == 0:
                assert v == -np.inf
            else:
                shift = max(0, w.bit_length() - 120)
                true = mpmath.log(w >> shift) + (shift - bits) * mpmath.log(2) + mpmath.log(factor)
                largest = max(largest, float(abs(v - true)))
    return largest


def shapes(n):
    """Logarithms of distributions of n values, about 300 decades high where their kind allows it."""
    x = np.arange(n)
    z = 37 * (2 * x / (n - 1) - 1)
    random = np.random.default_rng(5)
    one, two = (x - n / 4) / (n / 160), (x - 3 * n / 4) / (n / 120)
    found = {
        "normal": -z * z / 2,
        "gamma": 2.5 * np.log(x + 1) - x * 690 / n,
        "geometric": -x * 690 / n,
        "pareto": -2.5 * np.log1p(x),
        "bimodal": np.logaddexp(-one * one / 2, np.log(0.3) - two * two / 2),
        "flat": np.zeros(n),
        "lognormal": -(((np.log(x + 1) - np.log(n / 50)) / 0.5) ** 2) / 2 - np.log(x + 1),
        "even": np.where(x % 2 == 0, -z * z / 2, -np.inf),
        "rough": -z * z / 2 + random.normal(size=n),
        "gaps": np.where(random.random(n) < 0.5, -z * z / 2, -np.inf),
        "wild": random.uniform(-690, 0, n),
    }
    return {name: x - (x.max() + np.log(np.exp(x - x.max()).sum())) for name, x in found.items()}
