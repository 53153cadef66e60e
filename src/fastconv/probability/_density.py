"""Sums of continuous variables: the integral of f(x) g(z - x) by the trapezoidal rule on a uniform grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastconv import _check
from fastconv._problem import Array
from fastconv._repr import short
from fastconv.probability import _arguments
from fastconv.probability._terms import Terms, multiply, reachable

UNIFORM = 1e-6  # of a step: how far a grid's steps may differ


class Density(NamedTuple):
    """The density of a sum.

    Attributes
    ----------
    x : ndarray
        Where it was computed.
    values : ndarray
        The density there.
    error : ndarray
        An estimate of the absolute error of each value, from two steps.
    """

    x: Array
    values: Array
    error: Array


def pdf_sum(f: Any, g: Any, grid: Any, *, order: int = 4, rtol: float = 1e-10) -> Density:
    """The density of the sum of two independent continuous variables.

    Parameters
    ----------
    f, g : callable or array_like
        Densities: functions of an array, or samples at the points of `grid`. Outside the grid they are 0.
    grid : array_like
        Uniform and increasing, at least three points. Jumps must lie on its ends or on points of it, and
        count with the value that f or g has there.
    order : {4, 2}, optional
        2: the trapezoidal rule T(h), exact for lines, with an error of order h^2 where f and g are smooth. 4:
        one step of Richardson's extrapolation, (4 T(h/2) - T(h))/3. For samples always 2.
    rtol : float, optional
        Of the sums that the rule consists of.

    Returns
    -------
    Density
        x from 2 grid[0] to 2 grid[-1], with the step of the grid.

    Notes
    -----
    The error is estimated from T(h) and T(h/2) for functions, (T(h/2) - T(h))/3; from T(2h) and T(h) for
    samples, at every second output and interpolated between, if their number is odd, and NaN otherwise. The
    estimate of order 4 is that of order 2, so it is cautious. The rule halves the first and the last term of
    each integral.

    Raises
    ------
    ValueError, TypeError
        If the grid is not uniform, samples do not fit it, or a density is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv.probability import pdf_sum
    >>> uniform = np.ones(11)
    >>> pdf_sum(uniform, uniform, np.linspace(0, 1, 11)).values[:13:4].round(12)
    array([0. , 0.4, 0.8, 0.8])
    """
    x = _grid(grid)
    if order not in (2, 4):
        raise ValueError(f"order must be 2 or 4, got {short(order)}")
    rtol = _arguments.rtol(rtol)
    h = (x[-1] - x[0]) / (len(x) - 1)
    z = 2 * x[0] + h * np.arange(2 * len(x) - 1)
    if callable(f) and callable(g):
        fine = x[0] + h / 2 * np.arange(2 * len(x) - 1)
        u, v = _samples(f, fine, "f"), _samples(g, fine, "g")
        once = _trapezoid(u[::2], v[::2], h, rtol)
        twice = _trapezoid(u, v, h / 2, rtol)[::2]
        change = (twice - once) / 3
        values = np.maximum(twice + change, 0) if order == 4 else twice
        return Density(z, values, np.abs(change))
    u, v = _samples(f, x, "f"), _samples(g, x, "g")
    values = _trapezoid(u, v, h, rtol)
    error = np.full(len(z), np.nan)
    if len(x) % 2:
        coarse = np.abs(values[::2] - _trapezoid(u[::2], v[::2], 2 * h, rtol)) / 3
        error = np.interp(z, z[::2], coarse)
    return Density(z, values, error)


def _trapezoid(u: Array, v: Array, h: float, rtol: float) -> Array:
    """Sums over i of u[i] v[k - i] with the first and last halved."""
    n = len(u)
    whole = reachable(lambda: multiply(Terms(u), Terms(v), rtol), rtol).probabilities()
    ends = np.concatenate([u[0] * v, u[1:] * v[-1]]) + np.concatenate([v[0] * u, v[1:] * u[-1]])
    values: Array = h * (whole - ends / 2)
    values[0] = values[2 * n - 2] = 0.0
    return np.maximum(values, 0)


def _grid(grid: Any) -> Array:
    x = _arguments.numbers(grid, "grid")
    if x.ndim != 1 or len(x) < 3:
        raise ValueError(f"grid must have one dimension and at least three points, got shape {x.shape}")
    steps = np.diff(x)
    if not np.isfinite(x).all() or not steps.min() > 0 or np.ptp(steps) > UNIFORM * steps.max():
        raise ValueError("grid must be finite, increasing and uniform")
    return x


def _samples(f: Callable[[Array], Any] | Any, x: Array, name: str) -> Array:
    y = _check.array(f(x) if callable(f) else f, name)
    if y.dtype.kind not in "buif":
        raise TypeError(f"{name} must give real numbers, got dtype {y.dtype}")
    y = y.astype(float)
    if y.shape != x.shape:
        raise ValueError(f"{name} must have one value for each of the {len(x)} points, got shape {y.shape}")
    if not np.all((y >= 0) & (y < np.inf)):
        raise ValueError(f"{name} must be finite and not negative")
    return y
