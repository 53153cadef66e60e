"""Checks of the arguments of `fastconv.probability`. Errors name the argument, what it was and what it must
be."""

from __future__ import annotations

import operator
import sys
from fractions import Fraction
from typing import Any

import numpy as np

from fastconv import _check
from fastconv._problem import Array
from fastconv._repr import short

LEAST = 1e-290  # of tolerances


def weights(x: Any, name: str, log: bool) -> Array:
    """Probabilities, or their logarithms, as float64 of at least one dimension."""
    a = _check.array(x, name)
    if a.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold real numbers, got dtype {a.dtype}")
    if a.ndim == 0 or a.shape[-1] == 0:
        raise ValueError(f"{name} must hold at least one probability, got shape {a.shape}")
    if a.ndim > 32:
        raise ValueError(f"{name} must have at most 32 dimensions, got {a.ndim}")
    a = a.astype(float)
    if np.isnan(a).any():
        raise ValueError(f"{name} must not hold NaN")
    if log:
        if (a == np.inf).any():
            raise ValueError(f"{name} must hold logarithms of finite numbers, got inf")
    elif not (a >= 0).all():
        raise ValueError(f"{name} must not be negative, got {a.min()}")
    elif not (a < np.inf).all():
        raise ValueError(f"{name} must be finite, got inf")
    return a


def exact(x: Any, name: str) -> tuple[list[int], int]:
    """Integers or fractions as integers over one denominator."""
    if isinstance(x, np.ndarray) and (x.ndim != 1 or x.dtype.kind not in "iuO"):
        raise TypeError(
            f"{name} must hold ints or Fractions where exact=True, got {x.ndim} axes of {x.dtype}"
        )
    values = x.tolist() if isinstance(x, np.ndarray) else list(x)
    if not values:
        raise ValueError(f"{name} must hold at least one weight, got none")
    if not all(isinstance(v, (int, Fraction)) and not isinstance(v, bool) for v in values):
        raise TypeError(f"{name} must hold ints or Fractions where exact=True")
    if min(values) < 0:
        raise ValueError(f"{name} must not be negative, got {min(values)}")
    parts = [Fraction(v) for v in values]
    denominator = 1
    for v in parts:
        denominator *= v.denominator // np.gcd(denominator, v.denominator)
    return [int(v * denominator) for v in parts], int(denominator)


def count(n: Any, name: str = "n") -> int:
    """An int, not negative."""
    number = _check.integer(n, name)
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {short(number)}")
    if number > sys.maxsize:
        raise ValueError(f"{name} must be at most {sys.maxsize}, got {short(number)}")
    return number


def rtol(x: Any) -> float:
    """A tolerance, at least LEAST: nothing keeps to less, and its shares for many steps are above zero."""
    return max(_check.rtol(x), LEAST)


def number(x: Any, name: str) -> int | float:
    """A finite real number; an int stays one."""
    if hasattr(x, "__index__") and not isinstance(x, (bool, np.bool_)):
        return operator.index(x)
    if not isinstance(x, (float, np.floating, Fraction)) or not np.isfinite(float(x)):
        raise TypeError(f"{name} must be a finite real number, got {short(x)}")
    return float(x)


def numbers(x: Any, name: str) -> Array:
    """Real numbers, as float64."""
    a = _check.array(x, name)
    if a.dtype.kind in "buifO":
        try:
            return a.astype(float)
        except (TypeError, ValueError, OverflowError):
            pass
    raise TypeError(f"{name} must hold real numbers, got {short(x)}")


def truncate(x: Any) -> float:
    """A mass, from 0 to below 1."""
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (float, int, np.floating, np.integer)):
        raise TypeError(f"truncate must be None or a real number, got {short(x)}")
    if not 0 <= x < 1:
        raise ValueError(f"truncate must be from 0 to below 1, got {short(x)}")
    return float(x)
