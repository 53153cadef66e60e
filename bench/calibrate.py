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
    return partial(_direct.correlate, x, w, np.empty(n, dtype), 0, (0,), (0,), 0, 1)


def products() -> tuple[dict[str, float], float]:
    """Products a second by dtype; seconds of a byte of outputs."""
    dtypes = ("f4", "f8", "c8", "c16", "f16", "i2", "i4", "i8")
    found = best({(dtype, n): direct(dtype, n) for dtype, n in product(dtypes, (32, 96))})
    rates = {dtype: 64 * 20000 / (found[dtype, 96] - found[dtype, 32]) for dtype in dtypes}
    rates["c32"] = rates["f16"] / 4
    rest = found["f4", 32] - 32 * 20000 / rates["f4"]
    return {dtype: float(f"{rate:.2g}") for dtype, rate in rates.items()}, max(0.0, rest) / 80000


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


def numbers(char: str) -> tuple[float, ...]:
    """The constants of a dtype's blocks, by least squares of the relative errors."""
    cases = {m: lines(char, m) for m in blocks(char)}
    found = best({m: call for m, (call, _) in cases.items()})
    terms = np.array([_cost._terms(np.dtype(char), (m,)) for m in cases])
    seconds = np.array([(found[m] - 5e-6) / (m * count) for m, (_, count) in cases.items()])
    fitted, _ = nnls(terms / seconds[:, np.newaxis], np.ones(len(seconds)))
    error = np.abs(terms @ fitted / seconds - 1)
    print(f"# {char}: blocks within {error.max():.0%}, {np.sqrt(np.mean(error**2)):.0%} in the mean")
    return tuple(float(f"{t:.2g}") for t in fitted)


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
    ratios = []
    for m in (1 << 12, 1 << 15):
        x, y = random(m, "f"), np.empty(2 * m - 1, "f")
        call = partial(_whole.whole, x, x, y, 0, (m - 1,), (0,), 0, 1)
        (size,) = _cost.whole_sizes(x.dtype, y.shape).sizes
        terms = _cost._terms(x.dtype, (size,))
        model = size * sum(t * factor for t, factor in zip(known.number["f"], terms))
        ratios.append((best({0: call})[0] - 5e-6) / model)
    return float(np.mean(ratios))


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
    rates, output = products()
    known = _cost.rates()._replace(products=rates, output=output, number={c: numbers(c) for c in "fdFD"})
    known = known._replace(row=row(known), whole=whole(known), new=new(), call=call())
    rounded = {k: float(f"{v:.2g}") if isinstance(v, float) else v for k, v in known._asdict().items()}
    print(f"# {_kernels.isa}")
    pprint(rounded, sort_dicts=False, width=100)


if __name__ == "__main__":
    main()
