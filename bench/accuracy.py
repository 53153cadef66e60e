"""Rounding errors as measured, beside the bounds of fastconv.error_bound: the table of docs/accuracy.md.

    python bench/accuracy.py

Errors are those of sums in a wider type, at a sample of outputs, in units of eps ‖a‖ ‖v‖.
"""

from __future__ import annotations

import numpy as np
from peers import random
from timing import Table

import fastconv

CASES = [
    ("noise", 64, 10**5),
    ("noise", 1000, 10**5),
    ("noise", 30000, 10**5),
    ("noise", 10**5, 10**5),
    ("ones", 1000, 10**5),
    ("chirp", 1000, 10**5),
    ("probabilities", 3000, 10**5),
]
SAMPLE = 200
WIDE = {"f": "d", "d": "g", "F": "D", "D": "G"}


def signal(kind: str, n: int, dtype: str) -> np.ndarray:
    t = np.arange(n) - n // 2
    if kind == "noise":
        return random(n, dtype)
    if kind == "ones":
        return np.ones(n, dtype)
    if kind == "chirp":
        return np.cos(np.pi * t * t / n).astype(dtype)
    return np.exp(-0.5 * (t * 12 / n) ** 2).astype(dtype)


def errors(a: np.ndarray, v: np.ndarray, method: str) -> tuple[float, float, float]:
    """The root of the mean square, the largest, and the bound."""
    y = fastconv.convolve(a, v, "valid", method=method)
    wide = WIDE[a.dtype.char]
    reverse = v[::-1].astype(wide)
    picked = np.random.default_rng(1).integers(0, len(y), SAMPLE)
    truth = np.array([np.dot(a[i : i + len(v)].astype(wide), reverse) for i in picked])
    found = np.abs(y[picked] - truth).astype(float)
    unit = np.finfo(a.dtype).eps * float(np.linalg.norm(a.astype("D")) * np.linalg.norm(v.astype("D")))
    bound = fastconv.error_bound(a, v, "valid", method=method)
    return float(np.sqrt(np.mean(found**2))) / unit, float(found.max()) / unit, bound / unit


def main() -> None:
    columns = [("input", 13), ("k", 7), ("type", 10), ("method", 12), ("rms", 8), ("max", 8), ("bound", 8)]
    table = Table("errors in units of eps ‖a‖ ‖v‖; a has 100000 elements, v has k", columns)
    for kind, k, n in CASES:
        for dtype in "fdFD":
            a, v = signal(kind, n + k - 1, dtype), signal(kind, k, dtype)
            for method in ("direct", "overlap_save", "fft"):
                rms, most, bound = errors(a, v, method)
                table.row(kind, k, a.dtype, method, f"{rms:.2g}", f"{most:.2g}", f"{bound:.3g}")


if __name__ == "__main__":
    main()
