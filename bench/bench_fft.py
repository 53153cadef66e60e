"""The FFT driver against the direct one and SciPy: nanoseconds an output over a grid of sizes, as tables.

    python bench/bench_fft.py [--only lines,equal,batch,planes] [--quick]

One thread, outputs allocated before. The drivers are called below the public functions, so the times hold no
argument checks: they are what a cost model needs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from peers import random
from scipy.signal import fftconvolve, oaconvolve
from timing import Table, compare, human

from fastconv import _direct, _fft

DIRECT_TAPS = 1024  # more would take minutes
Call = Callable[[], object]


def driver(run: Callable[..., None], x: np.ndarray, w: np.ndarray) -> Call:
    """Mode 'full' over the last w.ndim axes of x."""
    n_batch = x.ndim - w.ndim
    lo = tuple(m - 1 for m in w.shape)
    y = np.empty((*x.shape[:n_batch], *(n + m - 1 for n, m in zip(x.shape[n_batch:], w.shape))), x.dtype)
    full = np.broadcast_to(np.flip(w), (*x.shape[:n_batch], *w.shape))
    return lambda: run(x, full, y, n_batch, lo, (0,) * w.ndim, 0, 1)


def measure(table: Table, x: np.ndarray, w: np.ndarray, peer: Call, whole: bool, quick: bool) -> None:
    calls = {"overlap_save": driver(_fft.overlap_save, x, w), "scipy": peer}
    if whole:
        calls["whole"] = driver(_fft.whole, x, w)
    if w.size <= DIRECT_TAPS:
        calls["direct"] = driver(_direct.correlate, x, w)
    timings = compare(calls, budget=0.03 if quick else 0.1, rounds=3 if quick else 5)
    found = {name: t.best for name, t in timings.items()}
    ours = min(found["overlap_save"], found.get("whole", np.inf))
    names = ("overlap_save", "whole", "direct")
    cells = [f"{found[name] / x.size * 1e9:.2f}" if name in found else None for name in names]
    table.row(x.dtype, size(x), size(w), human(ours), *cells, f"{found['scipy'] / ours:.1f}")


def size(a: np.ndarray) -> str:
    return "×".join(map(str, a.shape))


def table(title: str) -> Table:
    columns = [("type", 10), ("x", 13), ("h", 9), ("time", 8), ("o.-save", 8), ("whole", 8), ("direct", 8)]
    return Table(title, [*columns, ("×scipy", 7)])


def bench_lines(quick: bool) -> None:
    rows = table("one line; ns an element of x")
    for dtype in (np.float32, np.float64) if quick else (np.float32, np.float64, np.complex64, np.complex128):
        for n in (10**4, 10**6):
            for k in (16, 32, 64, 256, 1024, 4096, 16384, 65536, 262144):
                if k <= n:
                    x, w = random(n, dtype), random(k, dtype)
                    measure(rows, x, w, partial(oaconvolve, x, w), k >= 4096, quick)


def bench_equal(quick: bool) -> None:
    rows = table("two lines of one length")
    for dtype in (np.float32, np.float64):
        for n in (10**4, 10**5, 600000, 10**6, 2**20):
            x, w = random(n, dtype), random(n, dtype)
            measure(rows, x, w, partial(fftconvolve, x, w), True, quick)


def bench_batch(quick: bool) -> None:
    rows = table("lines of a batch, along the last axis and along the first")
    for dtype in (np.float32, np.float64):
        for k in (33, 127, 511):
            x, w = random((64, 65536), dtype), random(k, dtype)
            measure(rows, x, w, partial(oaconvolve, x, w[None], axes=1), False, quick)
            x = random((65536, 64), dtype)
            measure(rows, x.T, w, partial(oaconvolve, x, w[:, None], axes=0), False, quick)


def bench_planes(quick: bool) -> None:
    rows = table("planes")
    for dtype in (np.float32, np.float64):
        for k in (7, 11, 15, 31, 63, 127, 255, 511):
            x, w = random((2048, 2048), dtype), random((k, k), dtype)
            measure(rows, x, w, partial(oaconvolve, x, w), False, quick)


BENCHES = {"lines": bench_lines, "equal": bench_equal, "batch": bench_batch, "planes": bench_planes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(BENCHES))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        BENCHES[name](arguments.quick)


if __name__ == "__main__":
    main()
