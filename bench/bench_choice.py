"""Is "auto" right? Every method that can do a problem against the one that is chosen, over a grid of sizes.

    python bench/bench_choice.py [--only lines,equal,batch,planes,volumes] [--all]

Prints the cells where the chosen method takes more than 1.2 times as long as the best one (--all: every
cell), and how many there are. One thread, complete calls, outputs allocated before.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from peers import random
from timing import Table, compare, human

import fastconv

ENOUGH = 1.2
HOPELESS = 6  # times the best estimate: is not measured
Cell = tuple[tuple[int, ...], tuple[int, ...], Any]  # shapes of signal and kernel, axes


def lines() -> Iterator[Cell]:
    for n, k in product((1000, 10**4, 10**5, 10**6), (8, 24, 40, 64, 100, 200, 500, 2000, 10**4, 10**5)):
        if k <= n // 2:
            yield (n,), (k,), None


def equal() -> Iterator[Cell]:
    for n in (100, 300, 1000, 1500, 3000, 10**4, 10**5, 600000):
        yield (n,), (n,), None


def batch() -> Iterator[Cell]:
    for shape, k in product(((64, 8192), (1000, 300), (30, 30000)), (16, 33, 64, 127, 300)):
        yield shape, (k,), 1
        yield shape[::-1], (k,), 0


def planes() -> Iterator[Cell]:
    for n, k in product((64, 256, 1024), (3, 5, 7, 9, 11, 13, 15, 21, 31, 63)):
        yield (n, n), (k, k), None
    for k in ((1, 99), (99, 1), (3, 40), (40, 3)):
        yield (512, 512), k, None


def volumes() -> Iterator[Cell]:
    for n, k in product((48, 96), (3, 5, 7, 11, 21)):
        yield (n, n, n), (k, k, k), None


GRIDS = {"lines": lines, "equal": equal, "batch": batch, "planes": planes, "volumes": volumes}


def size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def ratio(table: Table, dtype: str, cell: Cell, every: bool) -> float:
    """The chosen method's time over the best one's."""
    shape, taps, axes = cell
    x, w = random(shape, dtype), random(taps, dtype)
    found = fastconv.explain(x, w, axes=axes, workers=1)
    y = fastconv.convolve(x, w, axes=axes)
    call = partial(fastconv.convolve, x, w, axes=axes, out=y, workers=1)
    methods = [name for name, seconds in found.estimates.items() if seconds < HOPELESS * found.seconds]
    timings = compare({name: partial(call, method=name) for name in methods}, budget=0.02, rounds=3)
    times = {name: timing.best for name, timing in timings.items()}
    best = min(times, key=times.__getitem__)
    over = times[found.method] / times[best]
    if every or over > ENOUGH:
        estimates = [
            f"{found.seconds / times[found.method]:.2f}",
            f"{found.estimates[best] / times[best]:.2f}",
        ]
        cells = [found.method, human(times[found.method]), best, human(times[best]), f"{over:.2f}"]
        table.row(x.dtype, size(shape), size(taps), *cells, *estimates)
    return over


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(GRIDS))
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    columns = [("type", 10), ("x", 13), ("h", 9), ("chosen", 13), ("time", 8), ("best", 13), ("time", 8)]
    columns += [("ratio", 6), ("est.", 5), ("est.", 5)]
    for name in arguments.only.split(","):
        table = Table(f"{name}; est.: the estimate over the time, of the chosen and of the best", columns)
        over = [ratio(table, dtype, cell, arguments.all) for cell in GRIDS[name]() for dtype in "fdFD"]
        good = sum(r <= ENOUGH for r in over)
        print(f"{good} of {len(over)} cells within {ENOUGH}; mean {np.exp(np.mean(np.log(over))):.3f}")


if __name__ == "__main__":
    main()
