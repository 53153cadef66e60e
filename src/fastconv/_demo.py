"""`python -m fastconv demo`: convolution shown on a dropped ball, then on a signal and an image of real size.

Every result is checked, and the checks share nothing with the library: exact fractions for the ball, for the
others the definition summed by `math.fsum` at sampled outputs. Drawing belongs to `_demo_plot`.
"""

import math
import time
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastconv
from fastconv._methods import choose
from fastconv._problem import problem

F = (1, 3, 4, 2)  # in tenths: how far the ball rolls after the first drop
G = (2, 5, 3)  # and after the second

RATE = 48_000
SECONDS = 60
CUTOFF = 4_000

Samples = NDArray[np.float32]


class Job(NamedTuple):
    """One convolution: its two inputs, its output, and whether the output passed its check."""

    x: NDArray[np.floating]
    h: NDArray[np.floating]
    y: NDArray[np.floating]
    right: bool


def dropped_ball() -> Job:
    """Print P(total = c) with the paths a + b = c that are summed."""
    f, g = np.array(F) / 10, np.array(G) / 10
    total = fastconv.convolve(f, g)
    print("1. A dropped ball")
    print(
        "   It rolls a with probability f(a); dropped again where it lies, it rolls b with probability g(b)."
    )
    print("   The total is c on every path with a + b = c:  P(total = c) = (f * g)(c) = Σ f(a)·g(c - a)")
    print()
    print("   f:", "   ".join(f"{a}: {p:.1f}" for a, p in enumerate(f)))
    print("   g:", "   ".join(f"{b}: {p:.1f}" for b, p in enumerate(g)))
    print()
    print(f"   {'c':>3}   {'paths':<36}{'P(total = c)':>12}   exact")
    worst = Fraction(0)
    for c, p in enumerate(total.tolist()):
        paths = [(a, c - a) for a in range(len(F)) if 0 <= c - a < len(G)]
        exact = sum((Fraction(F[a] * G[b], 100) for a, b in paths), Fraction(0))
        worst = max(worst, abs(Fraction(p) - exact))
        print(f"   {c:>3}   {' + '.join(f'f({a})·g({b})' for a, b in paths):<36}{p:>12.2f}   {exact!s:>5}")
    right = worst <= 2 * np.finfo(np.float64).eps
    print(f"   {'sum':>3}   {'':<36}{total.sum():>12.2f}")
    print(f"   largest difference from the exact fractions {float(worst):.0e}: {_verdict(right)}")
    return Job(f, g, total, right)


def filter_signal() -> Job:
    """Low-pass a minute of synthesised sound."""
    n_taps = 511
    k = np.arange(n_taps) - (n_taps - 1) / 2
    h = np.sinc(2 * CUTOFF / RATE * k) * np.blackman(n_taps)
    h = (h / h.sum()).astype(np.float32)
    t = np.arange(SECONDS * RATE) / RATE
    sweep = np.sin(2 * np.pi * (200 * t + 150 * t**2))  # from 200 Hz, rising by 300 Hz each second
    hiss = np.random.default_rng(1).standard_normal(t.size, np.float32)
    x = (0.5 * sweep + 0.01 * hiss).astype(np.float32)
    print(f"2. {SECONDS} s of sound, {x.size:,} samples (float32); low-pass at {CUTOFF} Hz, {n_taps} taps")
    y, seconds = _timed(lambda: fastconv.convolve(x, h, "same"))
    _, peer = _timed(lambda: np.convolve(x, h, "same"))
    _report(x, h, "zero", seconds, "Msamples/s")
    print(f"   np.convolve: {1e3 * peer:.0f} ms, {peer / seconds:.1f} × the time")
    return Job(x, h, y, _check(x, h, y, reflect=False))


def filter_image() -> Job:
    """Put a synthesised city at night out of focus."""
    radius = 10
    row, column = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    h = np.clip(radius + 0.5 - np.hypot(row, column), 0, 1)
    h = (h / h.sum()).astype(np.float32)
    x = _city(1080, 1920)
    size, taps = " × ".join(map(str, x.shape[::-1])), " × ".join(map(str, h.shape))
    print(f"3. An image of {size} pixels (float32); an out-of-focus lens, {taps} taps")
    y, seconds = _timed(lambda: fastconv.convolve(x, h, "same", boundary="reflect"))
    _report(x, h, "reflect", seconds, "Mpixel/s")
    return Job(x, h, y, _check(x, h, y, reflect=True))


def _city(height: int, width: int) -> Samples:
    """Lit windows before a dusky sky."""
    random = np.random.default_rng(4)
    x = np.repeat(np.linspace(0.02, 0.35, height, dtype=np.float32)[:, None] ** 1.5, width, axis=1)
    for left in range(0, width, 120):
        top = random.integers(height // 5, 3 * height // 4)
        tower = x[top:, left : left + random.integers(70, 120)]
        tower[:] = 0.015
        windows = tower[16::24, 12:-12:16]
        light = random.uniform(0.3, 1, windows.shape) * (random.random(windows.shape) < 0.3)
        for down in range(8):
            for right in range(6):
                view = tower[16 + down :: 24, 12 + right : -12 : 16]
                view[:] = np.maximum(view, light[: view.shape[0], : view.shape[1]])
    for row, column in random.integers((0, 0), (height, width), (60, 2)):
        x[row : row + 5, column : column + 5] = random.uniform(1, 6)
    return x


def _timed(call: Callable[[], Samples]) -> tuple[Samples, float]:
    """The result, and the seconds of the fastest of three runs."""
    seconds = math.inf
    for _ in range(3):
        start = time.perf_counter()
        y = call()
        seconds = min(seconds, time.perf_counter() - start)
    return y, seconds


def _report(x: Samples, h: Samples, boundary: str, seconds: float, unit: str) -> None:
    posed = problem(False, x.shape, x.dtype, h.shape, h.dtype, "same", None, boundary, tuple(range(x.ndim)))
    rate, flops = x.size / seconds, 2 * x.size * h.size / seconds
    print(f"   method: {choose(posed, 'auto').name}, threads: {fastconv.get_num_threads()}, ", end="")
    print(f"{1e3 * seconds:.1f} ms, {rate / 1e6:.1f} {unit}, {flops / 1e9:.1f} GFLOP/s")


def _check(x: Samples, h: Samples, y: Samples, *, reflect: bool) -> bool:
    """Compare sampled outputs, the corners among them, with the definition."""
    random = np.random.default_rng(2)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in y.shape])).reshape(y.ndim, -1).T
    sampled = np.concatenate([corners, random.integers(0, y.shape, (200, y.ndim))])
    worst = 0.0
    for at in sampled.tolist():
        terms = _terms(x, h, at, reflect)
        worst = max(worst, abs(float(y[tuple(at)]) - math.fsum(terms)) / math.fsum(map(abs, terms)))
    bound = h.size * float(np.finfo(np.float32).eps) / 2
    right = worst <= bound
    print(f"   {len(sampled)} outputs against the definition: ", end="")
    print(f"largest relative error {worst:.0e}, at most {bound:.0e} allowed: {_verdict(right)}")
    return right


def _terms(x: Samples, h: Samples, at: list[int], reflect: bool) -> list[float]:
    """The products h[k] · x[at + (m - 1)//2 - k] of one 'same' output; outside, x is mirrored or absent."""
    terms = []
    for k in np.ndindex(h.shape):
        where = [o + (m - 1) // 2 - j for o, m, j in zip(at, h.shape, k)]
        if reflect:
            where = [min(i, 2 * n - 1 - i) if i >= 0 else -1 - i for i, n in zip(where, x.shape)]
        if all(0 <= i < n for i, n in zip(where, x.shape)):
            terms.append(float(h[k]) * float(x[tuple(where)]))
    return terms


def _verdict(right: bool) -> str:
    return "right" if right else "WRONG"


def run() -> list[Job]:
    """Run the ball, the signal and the image."""
    jobs = []
    for job in (dropped_ball, filter_signal, filter_image):
        jobs.append(job())
        print(flush=True)
    return jobs
