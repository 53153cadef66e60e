"""Sums of variables with integer weights, exactly: numbers of ways, in Python's integers of any length.

A small product is one multiplication of two long integers that hold the weights side by side (L. Kronecker);
a larger one is a convolution of digits, which takes less time and hears Ctrl-C. A power of a short sequence
follows from (f^n)' f = n f' f^n, coefficient by coefficient:

    c f(0) y(c) = sum over a > 0 of ((n + 1) a - c) f(a) y(c - a)

Any other power is one of squares.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from fastconv import _digits
from fastconv._convolve import pose
from fastconv._problem import Array

SHORT = 64  # weights other than zero, for the recurrence
AT_ONCE = 1 << 15  # bytes of an integer that Python multiplies


def multiply(f: list[int], g: list[int]) -> list[int]:
    if not any(f) or not any(g):
        return [0] * (len(f) + len(g) - 1)
    width = (max(f).bit_length() + max(g).bit_length() + min(len(f), len(g)).bit_length()) // 8 + 1
    if width * max(len(f), len(g)) > AT_ONCE:
        p, a, b, _ = pose(False, np.array(f, object), np.array(g, object), "full", None, "zero", 0)
        found: list[int] = _digits.sums(p, a, b, 0, None).tolist()
        return found
    return _taken(_packed(f, width) * _packed(g, width), width, len(f) + len(g) - 1)


def _packed(x: list[int], width: int) -> int:
    return int.from_bytes(b"".join(v.to_bytes(width, "little") for v in x), "little")


def _taken(x: int, width: int, length: int) -> list[int]:
    data = x.to_bytes(width * length, "little")
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, width * length, width)]


def power(f: list[int], n: int) -> list[int]:
    if n == 0:
        return [1]
    if not any(f):
        return [0] * ((len(f) - 1) * n + 1)
    used = [a for a, v in enumerate(f) if v]
    first, last = used[0], used[-1]
    terms = [(a - first, f[a]) for a in used[1:]]
    length = (last - first) * n + 1
    if len(terms) < SHORT:
        y = _raised(f[first : first + 1], n) + [0] * (length - 1)
        for c in range(1, length):
            total = sum(((n + 1) * a - c) * v * y[c - a] for a, v in terms if a <= c)
            y[c] = total // (c * f[first])
    else:
        y = _raised(f[first : last + 1], n)
    return [0] * (first * n) + y + [0] * ((len(f) - 1 - last) * n)


def _raised(f: list[int], n: int) -> list[int]:
    """f^n, by squares."""
    y = [1]
    for bit in f"{n:b}":
        y = multiply(y, y)
        if bit == "1":
            y = multiply(y, f)
    return y


def result(weights: list[int], denominator: int) -> Array:
    """As an array of ints, or of Fractions if there is a denominator."""
    found = np.empty(len(weights), object)
    values: list[Any] = weights if denominator == 1 else [Fraction(v, denominator) for v in weights]
    found[:] = values
    return found
