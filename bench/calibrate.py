"""Measures the constants of fastconv's cost model (_cost.py) on this machine and prints them.

    FASTCONV_ISA=x86_v3 python bench/calibrate.py

They are the entry of _RATES for the instruction set that runs. Each time is the best of several rounds over
all calls, so that all of them meet the highest clock rate; leave the machine idle meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from pprint import pprint
from typing import Any

import numpy as np
from peers import random
from scipy.optimize import nnls
from timing import sample

import fastconv
from fastconv import _cost, _direct, _fft, _kernels, _whole

ROUNDS = 12
TAPS = 33
DRIVER = 5e-6  # seconds before the first block, below the public functions
Call = Callable[[], object]


def best(calls: dict[Any, Call]) -> dict[Any, float]:
    """Seconds of each call."""
    seconds = dict.fromkeys(calls, math.inf)
    for _ in range(ROUNDS):
        for name, call in calls.items():
            call()
            number = max(1, int(200e-6 / sample(call, 1)))
            seconds[name] = min(seconds[name], *(sample(call, number) for _ in range(3)))
    return seconds


def direct(dtype: str, n_taps: int, n: int = 20000) -> Call:
    x, w = random(n + n_taps - 1, dtype), random(n_taps, dtype)
    if dtype == "i8":  # as values beyond 32 bits take
        x <<= 40
    return partial(_direct.correlate, x, w, np.empty(n, dtype), 0, (0,), (0,), 0, 1)


def products() -> tuple[dict[str, float], dict[str, float]]:
    """Products a second, and seconds of an output, by dtype."""
    dtypes = ("f4", "f8", "c8", "c16", "f16", "i2", "i4", "i8")
    found = best({(dtype, n): direct(dtype, n) for dtype, n in product(dtypes, (32, 96))})
    rates = {dtype: 64 * 20000 / (found[dtype, 96] - found[dtype, 32]) for dtype in dtypes}
    rest = {dtype: max(0.0, found[dtype, 32] / 20000 - 32 / rates[dtype]) for dtype in dtypes}
    rates["c32"], rest["c32"] = rates["f16"] / 4, 2 * rest["f16"]
    return tuple({d: float(f"{x:.2g}") for d, x in found.items()} for found in (rates, rest))


def blocks(char: str) -> list[int]:
    """Numbers in a block, from few to the most."""
    item = np.dtype(char.lower()).itemsize
    sizes = [odd << k for k in range(4, 18) for odd in (16, 20, 24)]
    return [m for m in sizes[::2] if 2 * m * item <= 4 * _cost.MOST_BYTES]


def lines(char: str, m: int) -> tuple[Call, float]:
    """Overlap-save with blocks of m numbers; how many blocks, half of one for the kernel's transform."""
    count = max(1, (1 << 16) // m)
    outputs = (2 * m if char in "fd" else m) - TAPS + 1
    x, w = random(count * outputs + TAPS - 1, char), random(TAPS, char)
    y = np.empty(count * outputs, char)
    return partial(_fft.overlap_save, x, w, y, 0, (0,), (0,), 0, 1, size=(m,)), count + 0.5


def numbers() -> dict[str, tuple[float, ...]]:
    """The constants of each dtype's blocks, by least squares of the relative errors."""
    cases = {(char, m): lines(char, m) for char in "fdFD" for m in blocks(char)}
    found = best({case: call for case, (call, _) in cases.items()})
    constants = {}
    for char in "fdFD":
        sizes = blocks(char)
        terms = np.array([_cost._terms(np.dtype(char), (m,)) for m in sizes])
        seconds = np.array([(found[char, m] - DRIVER) / (m * cases[char, m][1]) for m in sizes])
        fitted, _ = nnls(terms / seconds[:, np.newaxis], np.ones(len(seconds)))
        error = np.abs(terms @ fitted / seconds - 1)
        print(f"# {char}: blocks within {error.max():.0%}, {np.sqrt(np.mean(error**2)):.0%} in the mean")
        constants[char] = tuple(float(f"{t:.2g}") for t in fitted)
    return constants


def row(known: _cost.Rates) -> float:
    """Seconds of a row of a block, beyond those of its numbers."""
    x, w, y = random((1024, 1024), "f"), random((9, 9), "f"), np.empty((1024, 1024), "f")
    sizes = 64, 128
    call = partial(_fft.overlap_save, x, w, y, 0, (4, 4), (0, 0), 0, 1, size=sizes)
    count = math.ceil(1024 / 120) ** 2
    terms = _cost._terms(x.dtype, sizes)
    model = math.prod(sizes) * sum(t * factor for t, factor in zip(known.number["f"], terms))
    return max(0.0, best({0: call})[0] / count - model) / (2 * sizes[0])


def whole(known: _cost.Rates) -> float:
    """One block for a signal and a kernel of its length, over a block of its size."""
    calls: dict[Any, Call] = {}
    for n, char in product((10**4, 10**5, 10**6), "fd"):
        x, y = random(n, char), np.empty(2 * n - 1, char)
        calls[n, char] = partial(_whole.whole, x, x, y, 0, (n - 1,), (0,), 0, 1)
    ratios = []
    for (n, char), seconds in best(calls).items():
        dtype = np.dtype(char)
        size = math.prod(_cost.whole_sizes(dtype, (2 * n - 1,)).sizes)
        terms = _cost._terms(dtype, (size,))
        model = size * sum(t * factor for t, factor in zip(known.number[char], terms))
        ratios.append((seconds - DRIVER) / model)
    print("# whole blocks:", *(f"{ratio:.2g}" for ratio in ratios))
    return float(np.exp(np.mean(np.log(ratios))))


def far() -> float:
    """Seconds of a byte of signals and results beyond the cache, over those of one that is in it."""
    calls: dict[Any, Call] = {}
    for n in (10**5, 10**6):
        x, w, y = random(n, "f"), random(65, "f"), np.empty(n + 64, "f")
        calls[n] = partial(_fft.overlap_save, x, w, y, 0, (64,), (0,), 0, 1, size=(1024,))
    found = best(calls)
    return max(0.0, found[10**6] - 10 * found[10**5]) / 8e6


def call() -> float:
    """A small convolution by transforms, over the same as a direct one."""
    x, w = random(64, "f"), random(64, "f")
    found = best({name: partial(fastconv.convolve, x, w, method=name) for name in ("overlap_save", "direct")})
    return found["overlap_save"] - found["direct"]


def new() -> float:
    """A byte of memory that is used for the first time, over one that is used again."""
    size = 2 * _cost.NEW_BYTES
    memory = np.empty(size, np.uint8)
    found = best({"new": lambda: np.empty(size, np.uint8).fill(1), "old": lambda: memory.fill(1)})
    return (found["new"] - found["old"]) / size


def main() -> None:
    rates, outputs = products()
    known = _cost.rates()._replace(products=rates, outputs=outputs, number=numbers())
    known = known._replace(row=row(known), whole=whole(known), far=far(), new=new(), call=call())
    rounded = {k: float(f"{v:.2g}") if isinstance(v, float) else v for k, v in known._asdict().items()}
    print(f"# {_kernels.isa}")
    pprint(rounded, sort_dicts=False, width=100)


if __name__ == "__main__":
    main()
