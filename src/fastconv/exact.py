"""Convolution of integers that is exact: modulo 2^bits, with a look-out for overflow, or of any size.

Integers of a dtype wrap around in `fastconv.convolve` as in NumPy, and are exact modulo 2^bits whatever the
number of terms. The functions here say what to do about results that leave the dtype: `overflow` "wrap",
"raise" or "object". Arrays of Python's integers, of any size, are convolved exactly too; _digits tells how.
"""

from __future__ import annotations

from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check, _convolve, _digits
from fastconv._explain import error_bound
from fastconv._problem import ZERO, Array, Problem, distinct
from fastconv._repr import short

__all__ = ["convolve", "correlate"]

Overflow = Literal["wrap", "raise", "object"]
OVERFLOW = ("wrap", "raise", "object")
Axes = SupportsIndex | tuple[SupportsIndex, ...] | None


def convolve(
    a: ArrayLike,
    b: ArrayLike,
    mode: str | int = "full",
    *,
    axes: Axes = None,
    boundary: str = "zero",
    cval: int = 0,
    overflow: Overflow = "wrap",
    workers: int | None = None,
) -> Array:
    """Convolve integers, exactly.

    Parameters
    ----------
    a, b : array_like
        Of any integer dtype, or of Python's integers (dtype object, or a list that no dtype holds).
    mode, axes, boundary, workers
        As for `fastconv.convolve`.
    cval : int
        The value outside for the boundary "constant".
    overflow : {"wrap", "raise", "object"}
        What to do where a result leaves the dtype ``numpy.result_type(a, b)``: take it modulo 2^bits; raise
        OverflowError; or give all results as Python's integers. Of Python's integers results are always such.

    Returns
    -------
    ndarray
        Of dtype ``numpy.result_type(a, b)``, or object.

    Raises
    ------
    OverflowError
        If `overflow` is "raise" and a result leaves the dtype.
    ValueError, TypeError
        For wrong arguments: they name the argument, what it was and what it must be.

    See Also
    --------
    correlate : The same without reversing `b`.
    fastconv.convolve : Of all dtypes; integers as with "wrap".

    Notes
    -----
    "raise" costs nothing where the largest values show that no sum can overflow, as much as a convolution in
    int64 or float64 where these settle it, and as much as "object" else.

    Examples
    --------
    >>> from fastconv import exact
    >>> exact.convolve([2**40, 1], [2**40, 1])
    array([            0, 2199023255552,             1])
    >>> exact.convolve([2**40, 1], [2**40, 1], overflow="object")
    array([1208925819614629174706176, 2199023255552, 1], dtype=object)
    """
    return _run(False, a, b, mode, axes, boundary, cval, overflow, workers)


def correlate(
    a: ArrayLike,
    b: ArrayLike,
    mode: str | int = "valid",
    *,
    axes: Axes = None,
    boundary: str = "zero",
    cval: int = 0,
    overflow: Overflow = "wrap",
    workers: int | None = None,
) -> Array:
    """Correlate integers, exactly: `convolve` with `b` reversed, as `fastconv.correlate` has it.

    Parameters
    ----------
    a, b : array_like
        As for `convolve`.
    mode, axes, boundary, cval, overflow, workers
        As for `convolve`.

    Returns
    -------
    ndarray
        As for `convolve`.

    Raises
    ------
    OverflowError, ValueError, TypeError
        As for `convolve`.

    Examples
    --------
    >>> from fastconv import exact
    >>> exact.correlate([1, 2, 3, 4], [0, 1])
    array([2, 3, 4])
    """
    return _run(True, a, b, mode, axes, boundary, cval, overflow, workers)


def _run(
    correlated: bool,
    a: Any,
    b: Any,
    mode: Any,
    axes: Any,
    boundary: Any,
    cval: Any,
    overflow: Any,
    workers: Any,
) -> Array:
    _check.name("overflow", overflow, OVERFLOW)
    a, b = _integers(a, "a"), _integers(b, "b")
    if a.dtype == object or b.dtype == object:
        overflow = "object"
    if np.result_type(a, b).kind not in "iuO":  # int64 with uint64
        if overflow != "object":
            raise TypeError(
                "a and b must have a common integer dtype unless overflow is 'object', "
                f"got {a.dtype} and {b.dtype}"
            )
        a = a.astype(object)
    function = _convolve.correlate if correlated else _convolve.convolve
    options = {"axes": axes, "boundary": boundary, "workers": workers}
    if overflow == "wrap" or not (a.size and b.size):
        return _array(function(a, b, mode, cval=cval, **options))
    p, a, b, _ = _convolve.pose(correlated, a, b, mode, axes, boundary, cval)
    cval = _whole(cval) if boundary == "constant" else 0
    if overflow == "object":
        if p.dtype != object and _most(p, a, b, cval) < 2**63:
            return _wide(function, a, b, mode, cval, options).astype(object)
        return _digits.sums(p, a, b, cval, workers)
    info, most = np.iinfo(p.dtype), _most(p, a, b, cval)
    low = 0 if _no_minus(a, b, cval) else -most
    if info.min <= low and most <= info.max:
        return _array(function(a, b, mode, cval=cval, **options))
    if most < 2**63:
        y = _wide(function, a, b, mode, cval, options)
        _raise_if(bool(y.size and (y.min() < info.min or y.max() > info.max)), p)
        return y.astype(p.dtype)
    if _settled(correlated, p, a, b, mode, cval, most, options):
        return _array(function(a, b, mode, cval=cval, **options))
    sums = _digits.sums(p, a, b, cval, workers)
    _raise_if(any(not info.min <= y <= info.max for y in sums.reshape(-1)), p)
    return sums.astype(p.dtype)


def _array(y: Any) -> Array:
    found: Array = y
    return found


def _integers(x: Any, name: str) -> Array:
    """`x` as an array of an integer dtype, or of Python's integers."""
    found = _check.array(x, name)
    if found.dtype.kind in "iu" and found.size:
        return found
    if not isinstance(x, np.ndarray) and found.dtype.kind in "fO":  # a list of integers that no dtype holds
        found = np.asarray(x, object)
    if found.dtype == object:
        for value in found.reshape(-1):  # .flat has 32 dimensions
            if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
                raise TypeError(f"{name} must hold integers, got {short(value)}")
    elif found.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got dtype {found.dtype}")
    return found


def _whole(cval: Any) -> int:
    if isinstance(cval, (bool, np.bool_)) or not hasattr(cval, "__index__"):
        raise TypeError(f"cval must be an integer, got {short(cval)}")
    return int(cval)


def _no_minus(a: Array, b: Array, cval: int) -> bool:
    return bool(distinct(a).min() >= 0 and distinct(b).min() >= 0 and cval >= 0)


def _most(p: Problem, a: Array, b: Array, cval: int) -> int:
    """No result is larger, whatever its sign: the largest |x| times the sum of |w|."""
    found = [max(_largest(x), abs(cval)) * _total(w) for x, w in ((a, b), (b, a))]
    if p.boundary.count(ZERO) == len(p.boundary):
        return min(found)
    return found[p.swap]


def _largest(x: Array) -> int:
    found = distinct(x)
    return max(int(found.max()), -int(found.min()))


def _total(x: Array) -> int:
    """The sum of |x|; where float64 does not hold it, a little more."""
    found = distinct(x)
    total = float(np.abs(found.astype(float)).sum()) * (x.size // found.size)
    return int(total) if total < 2.0**53 else int(total * (1 + 2.0**-20))


def _wide(function: Any, a: Array, b: Array, mode: Any, cval: int, options: dict[str, Any]) -> Array:
    """In int64, which holds all results."""
    return _array(function(a.astype(np.int64), b.astype(np.int64), mode, cval=cval, **options))


def _settled(
    correlated: bool, p: Problem, a: Array, b: Array, mode: Any, cval: int, most: int, options: dict[str, Any]
) -> bool:
    """Do sums in float64 show that no result leaves the dtype? Raises if they show that one does."""
    x, w = a.astype(float), b.astype(float)
    of = {key: options[key] for key in ("axes", "boundary")}
    error = error_bound(x, w, mode, correlate=correlated, cval=float(cval), **of)
    function = _convolve.correlate if correlated else _convolve.convolve
    y = function(x, w, mode, cval=float(cval), **options)
    slack = error + 2.0**-50 * float(most)  # arguments were rounded too
    info = np.iinfo(p.dtype)
    low, high = float(y.min()), float(y.max())
    _raise_if(high - slack > float(info.max) or low + slack < float(info.min), p)
    return high + slack < float(info.max) and low - slack > float(info.min)


def _raise_if(leaves: bool, p: Problem) -> None:
    if leaves:
        raise OverflowError(f"a result leaves {p.dtype}; overflow='object' gives Python's integers")
