"""fastconv.nan.convolve against astropy.convolution: time, memory beyond the result, differences.

    python bench/bench_nan.py [--quick] [--workers N]

Memory is the peak that tracemalloc sees, less the result. Differences are the largest, relative to the
largest value. Astropy's direct `convolve` is left out where it would take longer than 10 s.
"""

from __future__ import annotations

import argparse
import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from astropy.convolution import convolve, convolve_fft
from timing import Table, compare, human

from fastconv import nan

SLOW = 5e9  # products
CASES = [  # shape, taps, dtype, share missing
    ((2**20,), (9,), "d", 0.01),
    ((2**20,), (101,), "d", 0.01),
    ((2**20,), (2001,), "d", 0.01),
    *[((1024, 1024), (k, k), "d", 0.01) for k in (3, 5, 9, 15, 31, 101)],
    *[((1024, 1024), (15, 15), "d", share) for share in (0, 1e-4, 0.3)],
    *[((1024, 1024), (k, k), "f", 0.01) for k in (5, 15, 101)],
    ((2048, 2048), (15, 15), "d", 0.01),
    ((2048, 2048), (101, 101), "d", 0.01),
    ((96, 96, 96), (5, 5, 5), "d", 0.01),
]


def data(shape: tuple[int, ...], dtype: str, share: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape).astype(dtype)
    x[rng.random(shape) < share] = np.nan
    if share:
        x[tuple(slice(n // 4, n // 4 + n // 8) for n in shape)] = np.nan
    return x


def kernel(taps: tuple[int, ...]) -> np.ndarray:
    """A bell, less regular than a product of bells."""
    at = np.meshgrid(*[np.linspace(-2, 2, m) for m in taps], indexing="ij")
    return np.exp(-0.5 * sum(x**2 for x in at)) * (1 + 0.1 * np.random.default_rng(2).random(taps))


def extra(call: Callable[[], np.ndarray]) -> float:
    """MB beyond the result."""
    call()
    tracemalloc.start()
    y = call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - y.nbytes) / 1e6


def difference(y: np.ndarray, z: np.ndarray) -> float:
    return float(np.nanmax(np.abs(y - z)) / np.nanmax(np.abs(z)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="some cases only")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    columns = [("array", 14), ("kernel", 10), ("", 3), ("missing", 8), ("ours", 9), ("convolve", 9)]
    columns += [("convolve_fft", 13), ("MB: ours", 9), ("convolve", 9), ("convolve_fft", 13), ("differs", 9)]
    table = Table(f"fastconv.nan, workers={args.workers}, and astropy.convolution", columns)
    for shape, taps, dtype, share in CASES[::4] if args.quick else CASES:
        x, w = data(shape, dtype, share), kernel(taps)
        calls: dict[str, Callable[[], np.ndarray]] = {}
        calls["ours"] = partial(nan.convolve, x, w, workers=args.workers)
        if x.size * w.size <= SLOW:
            calls["convolve"] = partial(convolve, x, w)
        calls["convolve_fft"] = partial(convolve_fft, x, w, allow_huge=True)
        times = compare(calls, budget=0.1, rounds=3)
        ours = times["ours"].best
        ratios = [f"{times[name].best / ours:.1f} x" if name in times else None for name in list(times)[1:]]
        memory = [f"{extra(calls[name]):.1f}" if name in calls else None for name in ("ours", "convolve")]
        if len(ratios) < 2:
            ratios.insert(0, None)
        against = calls.get("convolve", calls["convolve_fft"])
        table.row(
            "x".join(map(str, shape)),
            "x".join(map(str, taps)),
            dtype,
            f"{share:.2%}",
            human(ours),
            *ratios,
            *memory,
            f"{extra(calls['convolve_fft']):.1f}",
            f"{difference(calls['ours'](), against()):.0e}",
        )


if __name__ == "__main__":
    main()
