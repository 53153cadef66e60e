"""fastconv.probability: time and worst relative error, beside peers that lose the tails.

    python bench/bench_probability.py [--n N] [--full]

One thread. Pairs: the sum of two variables of N values each, rtol = 1e-10, against scipy.signal.fftconvolve;
--full also times np.convolve, which is right and slow. Errors are those of 200 outputs and of both ends,
against sums in long double, where the true value is a normal number.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from scipy import signal, stats
from timing import Table, compare, human

import fastconv
from fastconv import probability


def shapes(n: int) -> dict[str, np.ndarray]:
    """Distributions of n values; normal, gamma and negative binomial go down to 1e-300."""
    x = np.arange(n)
    random = np.random.default_rng(5)
    z = 37 * (2 * x / (n - 1) - 1)
    one, two = (x - n / 4) / (n / 160), (x - 3 * n / 4) / (n / 120)
    found = {
        "normal": -z * z / 2,
        "gamma": 2.5 * np.log(x + 1) - x * 690 / n,
        "negative binomial": stats.nbinom.logpmf(x, 5.5, -np.expm1(-680 / n)),
        "Poisson": stats.poisson.logpmf(x, n / 6),
        "Pareto": -2.5 * np.log1p(x),
        "lognormal": -(((np.log(x + 1) - np.log(n / 50)) / 0.5) ** 2) / 2 - np.log(x + 1),
        "two normals": np.logaddexp(-one * one / 2, np.log(0.3) - two * two / 2),
        "uniform": np.zeros(n),
        "rough normal": -z * z / 2 + random.normal(size=n),
        "normal with gaps": np.where(random.random(n) < 0.5, -z * z / 2, -np.inf),
    }
    values = {name: np.exp(v - v.max()) for name, v in found.items()}
    return {name: v / v.sum() for name, v in values.items()}


def worst(y: np.ndarray, f: np.ndarray, g: np.ndarray) -> float:
    """The largest relative error among some outputs."""
    places = np.random.default_rng(0).integers(0, len(y), 200)
    largest = 0.0
    for c in {*places.tolist(), *range(5), *range(len(y) - 5, len(y))}:
        a0, a1 = max(0, c - len(g) + 1), min(len(f), c + 1)
        true = np.dot(f[a0:a1].astype("g"), g[::-1][len(g) - 1 - c + a0 : len(g) - 1 - c + a1].astype("g"))
        if true > 2.3e-308:
            largest = max(largest, float(abs(y[c] - true) / true))
    return largest


def pairs(n: int, full: bool) -> None:
    columns = [
        ("f and g", 18),
        ("time", 8),
        ("fftconvolve", 12),
        ("ratio", 6),
        ("worst error", 12),
        ("its own", 9),
    ]
    table = Table(f"f + g, {n:,} values each, rtol=1e-10", columns)
    for name, f in shapes(n).items():
        g = f.copy()
        calls = {
            "ours": partial(probability.pmf_sum, f, g),
            "scipy": partial(signal.fftconvolve, f, g),
        }
        found = compare(calls, budget=0.3, rounds=3)
        ours, scipy = found["ours"].best, found["scipy"].best
        errors = [f"{worst(call(), f, g):.0e}" for call in calls.values()]
        table.row(name, human(ours), human(scipy), f"{ours / scipy:.2f}", *errors)
    if full:
        f = shapes(n)["normal"]
        found = compare({"numpy": partial(np.convolve, f, f)}, budget=0.0, rounds=1)
        print(f"np.convolve: {human(found['numpy'].best)}")


def others() -> None:
    table = Table("other sums", [("what", 50), ("time", 8)])
    die = np.full(6, 1 / 6)
    p = np.random.default_rng(0).random(100_000)
    poisson = stats.poisson.pmf(np.arange(150), 10)
    calls = {
        "1000 dice, log=True": partial(probability.pmf_power, np.log(die), 1000, log=True),
        "100 dice": partial(probability.pmf_power, die, 100),
        "1000 dice, exact=True": partial(probability.pmf_power, [1] * 6, 1000, exact=True),
        "1,000,000 dice, truncate=1e-15": partial(probability.pmf_power, die, 10**6, truncate=1e-15),
        "poisson_binomial of 100,000": partial(probability.poisson_binomial, p),
        "poisson_binomial of 10,000": partial(probability.poisson_binomial, p[:10_000]),
        "compound: a Poisson number (10) of dice": partial(probability.compound, poisson, die),
        "two fair coins": partial(probability.pmf_sum, [0.5, 0.5], [0.5, 0.5]),
    }
    for name, call in calls.items():
        table.row(name, human(compare({name: call}, budget=0.3, rounds=2)[name].best))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--full", action="store_true", help="time np.convolve too")
    parser.add_argument("--only", choices=("pairs", "others"))
    options = parser.parse_args()
    fastconv.set_num_threads(1)
    if options.only != "others":
        pairs(options.n, options.full)
    if options.only != "pairs":
        others()


if __name__ == "__main__":
    main()
