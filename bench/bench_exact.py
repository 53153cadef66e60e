"""fastconv.exact against SciPy's inexact float64 transform, NumPy's sums and Python's big integers.

    python bench/bench_exact.py [--workers N]

Results are checked by values of the polynomials at an odd point, modulo 2^64.
"""

from __future__ import annotations

import argparse
import random

import numpy as np
from scipy.signal import fftconvolve
from timing import Table, compare, human

from fastconv import exact

SIZES = [(1000, 1000), (2**14, 2**14), (2**17, 2**17), (10**6, 1000), (2**20, 2**20)]
PATTERN = 0x7FFF7FFF7FFF7FFF


def value(x: np.ndarray, r: int) -> int:
    """Of the polynomial with coefficients x, modulo 2^64."""
    powers = np.full(len(x), r, np.uint64)
    powers[0] = 1
    return int(np.sum(np.multiply.accumulate(powers) * x.astype(np.uint64), dtype=np.uint64))


def integers(kind: str, n: int) -> np.ndarray:
    if kind == "pattern":
        return np.full(n, PATTERN)
    bits = 63 if kind == "random" else 15
    return np.random.default_rng(n).integers(-(2**bits), 2**bits - 1, n, endpoint=True)


def wraps(workers: int) -> None:
    columns = [("sizes", 20), ("values", 9), ("exact", 9), ("fftconvolve", 12)]
    columns += [("ratio", 6), ("right", 6)]
    table = Table(f"int64 modulo 2^64, workers={workers}; fftconvolve of the same in float64", columns)
    for n, m in SIZES:
        for kind in ("random", "pattern", "int16"):
            a, b = integers(kind, n), integers(kind, m)
            x, w = a.astype(float), b.astype(float)
            calls = {
                "exact": lambda a=a, b=b: exact.convolve(a, b, workers=workers),
                "scipy": lambda x=x, w=w: fftconvolve(x, w),
            }
            times = {name: timing.best for name, timing in compare(calls, budget=0.5).items()}
            right = value(calls["exact"](), 3) == value(a, 3) * value(b, 3) % 2**64
            ratio = f"{times['exact'] / times['scipy']:.2f}"
            table.row(f"{n} x {m}", kind, human(times["exact"]), human(times["scipy"]), ratio, right)


def overflows(workers: int) -> None:
    columns = [("size", 9), ("overflow", 9), ("", 9)]
    table = Table("what a look-out for overflow costs: int64, int16 values", columns)
    for n in (2**14, 2**17):
        a, b = integers("int16", n), integers("int16", n)
        for overflow in exact.OVERFLOW:
            call = {"": lambda a=a, b=b, o=overflow: exact.convolve(a, b, overflow=o, workers=workers)}
            table.row(n, overflow, human(compare(call)[""].best))
    a, b = integers("random", 2**14), integers("random", 2**14)
    call = {"": lambda: exact.convolve(a, b, overflow="object", workers=workers)}
    table.row(2**14, "object*", human(compare(call)[""].best))
    print("* of values up to 2^63: results of up to 140 bits")


def big(workers: int) -> None:
    table = Table("products of big integers", [("bits", 10), ("exact", 9), ("Python", 9), ("right", 6)])
    generator = random.Random(1)
    for bits in (10**4, 10**5, 10**6, 10**7):
        a, b = generator.getrandbits(bits), generator.getrandbits(bits)
        calls = {
            "exact": lambda a=a, b=b: exact.convolve([a], [b], workers=workers),
            "python": lambda a=a, b=b: a * b,
        }
        times = compare(calls, budget=0.1, rounds=2)
        right = calls["exact"]()[0] == a * b
        table.row(bits, human(times["exact"].best), human(times["python"].best), right)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--only", choices=["wraps", "overflows", "big"], default=None)
    given = parser.parse_args()
    for section in (wraps, overflows, big):
        if given.only in (None, section.__name__):
            section(given.workers)
