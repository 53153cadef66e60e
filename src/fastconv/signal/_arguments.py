"""What the functions of `fastconv.signal` have in common: checks of their arguments, and the call downwards.

Errors name the argument as SciPy calls it, what it was and what it must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastconv import _check
from fastconv._entry import convolve, correlate
from fastconv._problem import Array, Window
from fastconv._repr import short

MODES = ("full", "valid", "same")
METHODS = {"auto": "auto", "direct": "direct", "fft": "auto"}  # SciPy's words, and fastconv's


def run(correlated: bool, in1: Array, in2: Array, mode: str | Window, **options: Any) -> Array:
    """`fastconv.correlate` or `fastconv.convolve`, which also take a `Window` as the mode."""
    function: Any = correlate if correlated else convolve
    result: Array = function(in1, in2, mode, **options)
    return result


def arrays(in1: Any, in2: Any) -> tuple[Array, Array]:
    """Both as arrays of the same number of dimensions, whose elements can be multiplied and added."""
    a, v = _check.array(in1, "in1"), _check.array(in2, "in2")
    if a.ndim != v.ndim:
        raise ValueError(f"in2 must have in1's {a.ndim} dimensions, got {v.ndim}")
    _check.result_dtype(a.dtype, v.dtype, ("in1", "in2"))
    return a, v


def mode(mode: Any) -> str:
    return _check.name("mode", mode, MODES)


def method(method: Any) -> str:
    """fastconv's name for a method of SciPy's."""
    return METHODS[_check.name("method", method, tuple(METHODS))]


def not_empty(**given: Array) -> None:
    for name, x in given.items():
        if x.size == 0:
            raise ValueError(f"{name} must not be empty, got shape {x.shape}")


def one_inside_the_other(n: Sequence[int], m: Sequence[int]) -> None:
    """What the mode 'valid' asks of the lengths along the convolved axes."""
    if any(i < j for i, j in zip(n, m)) and any(i > j for i, j in zip(n, m)):
        raise ValueError(
            "mode 'valid' needs in1 or in2 to be at least as long as the other along every convolved axis, "
            f"got {tuple(n)} and {tuple(m)}"
        )


def same(in1: Array, in2: Array) -> str | Window:
    """The mode that gives in1.size outputs, also where NumPy's 'same' would give in2.size."""
    if in1.ndim == 1 and in2.size > in1.size:
        return Window(((in2.size - 1) // 2,), (in1.size,))
    return "same"


def index(value: Any, name: str, least: int) -> int:
    """`value` as an int that is not below `least`."""
    number = _check.integer(value, name)
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {short(number)}")
    return number


def axis(value: Any, x: Array) -> int:
    """`value` as the index, from 0, of an axis of x along which x is not empty."""
    k = index(value, "axis", -x.ndim)
    if k >= x.ndim:
        raise ValueError(
            f"axis must be from {-x.ndim} to {x.ndim - 1} for x with {x.ndim} dimensions, got {short(k)}"
        )
    if x.shape[k] == 0:
        raise ValueError(f"x must not be empty along axis {k}, got shape {x.shape}")
    return k % x.ndim
