"""`PMF`: probabilities with the places they stand at."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from fastconv._problem import Array
from fastconv._repr import short
from fastconv.probability import _arguments
from fastconv.probability._terms import Terms

LONGEST = 1 << 27  # a lattice that irregular supports are put on


@dataclass(frozen=True, eq=False)
class PMF:
    """Probabilities of the values offset, offset + step, offset + 2 step, ...

    Parameters
    ----------
    values : array_like
        One dimension, not negative. They need not sum to 1, and are never rescaled: sums of variables have
        the product of their totals.
    offset, step : real number, optional
        The value of the first probability, and the distance to the next, positive. Ints stay ints.
    log : bool, optional
        `values` holds natural logarithms; -inf stands for 0.
    lost : float, optional
        A mass that is missing and lies anywhere: `bounds` adds it.

    Examples
    --------
    >>> from fastconv.probability import PMF
    >>> die = PMF([1/6] * 6, offset=1)
    >>> (die + die).cdf(4)
    0.16666666666666666
    >>> round((2 * die).mean, 12), die.quantile(0.5)
    (7.0, 3)
    """

    values: Array
    offset: int | float = 0
    step: int | float = 1
    log: bool = field(default=False, kw_only=True)
    lost: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        values = _arguments.weights(self.values, "values", self.log)
        if values.ndim != 1:
            raise ValueError(f"values must have one dimension, got {values.ndim}")
        values.flags.writeable = False
        step = _arguments.number(self.step, "step")
        if not step > 0:
            raise ValueError(f"step must be positive, got {step}")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "offset", _arguments.number(self.offset, "offset"))
        object.__setattr__(self, "step", step)

    @classmethod
    def from_support(cls, support: Any, probabilities: Any) -> PMF:
        """Of values at irregular distances: on the widest lattice that holds all of them, as they are
        written.

        Numbers are taken in decimal, so that 0.1 and 0.3 lie on the multiples of 0.1; equal ones are put
        together.

        Examples
        --------
        >>> PMF.from_support([0.5, 0.1, 0.5], [0.25, 0.5, 0.25])
        PMF(offset=0.1, step=0.4, 2 values)
        """
        p = _arguments.weights(probabilities, "probabilities", False)
        places, unit = on_lattice(support)
        if p.shape != (len(places),):
            raise ValueError(
                f"probabilities must be as many as support has values, {len(places)}, got {p.shape}"
            )
        first = min(places)
        common = gcd(*(place - first for place in places)) or 1
        length = (max(places) - first) // common + 1
        if length > LONGEST:
            raise ValueError(f"support must lie on a lattice of at most {LONGEST} points, got {length}")
        at = np.array([(place - first) // common for place in places])
        return cls(np.bincount(at, p, length), _plain(first * unit), _plain(common * unit))

    def __repr__(self) -> str:
        return f"PMF(offset={self.offset}, step={self.step}, {len(self.values)} values)"

    @property
    def support(self) -> Array:
        """The value of each probability."""
        return self.offset + self.step * np.arange(len(self.values))

    @property
    def probabilities(self) -> Array:
        """`values`, not as logarithms."""
        return self._terms().probabilities()

    @property
    def logs(self) -> Array:
        """The natural logarithms of the probabilities."""
        return self._terms().logs()

    @property
    def total(self) -> float:
        """The sum of the probabilities, without what is lost."""
        return float(self.probabilities.sum())

    @property
    def mean(self) -> float:
        """Of the variable, given that it is not lost."""
        p = self.probabilities
        return float(self.offset + self.step * (p @ np.arange(len(p))) / p.sum())

    @property
    def var(self) -> float:
        """The variance, given that it is not lost."""
        p = self.probabilities
        place = np.arange(len(p)) - (self.mean - self.offset) / self.step
        return float(self.step**2 * (p @ place**2) / p.sum())

    def bounds(self) -> tuple[Array, Array]:
        """The least and the most that each probability can be: what is lost may lie anywhere."""
        return self.probabilities, self.probabilities + self.lost

    def cdf(self, x: Any) -> Any:
        """P(X <= x), summed from the left, so that small ones are right; for a scalar or an array of x."""
        return self._sums(x, False)

    def sf(self, x: Any) -> Any:
        """P(X > x), summed from the right."""
        return self._sums(x, True)

    def _sums(self, x: Any, above: bool) -> Any:
        x = _arguments.numbers(x, "x")
        if np.isnan(x).any():
            raise ValueError("x must not be NaN")
        place = np.floor((x - self.offset) / self.step * (1 + 4e-16) + 1e-12)
        at = np.clip(place + 1, 0, len(self.values)).astype(np.intp)
        p = self.probabilities
        sums = np.zeros(len(p) + 1)
        if above:
            sums[:-1] = np.cumsum(p[::-1], dtype=np.longdouble)[::-1]
        else:
            sums[1:] = np.cumsum(p, dtype=np.longdouble)
        found = sums[at]
        return found if found.ndim else float(found)

    def quantile(self, q: Any) -> Any:
        """The least value x with cdf(x) >= q · total, for q from 0 to 1."""
        q = _arguments.numbers(q, "q")
        if not np.all((q >= 0) & (q <= 1)):
            raise ValueError(f"q must be from 0 to 1, got {short(q)}")
        p = self.probabilities
        sums = np.cumsum(p, dtype=np.longdouble)
        (used,) = np.nonzero(p)
        if not len(used):
            raise ValueError("the quantiles of a PMF without mass do not exist")
        at = np.clip(np.searchsorted(sums, q * sums[-1] * (1 - 1e-15)), used[0], used[-1])
        found = self.offset + self.step * at
        return found if found.ndim else found.item()

    def sample(self, size: Any = None, rng: Any = None) -> Any:
        """Random values; `rng` is a seed or generator of NumPy's."""
        p = self.probabilities
        return np.random.default_rng(rng).choice(self.support, size, p=p / p.sum())

    def plot(self, axes: Any = None, **options: Any) -> Any:
        """Draw the probabilities as stems with matplotlib, into `axes` or new ones, which are returned."""
        if axes is None:
            from matplotlib import pyplot

            axes = pyplot.subplots()[1]
        axes.vlines(self.support, 0, self.probabilities, **options)
        axes.set(xlabel="value", ylabel="probability")
        return axes

    def __neg__(self) -> PMF:
        last = self.offset + self.step * (len(self.values) - 1)
        return PMF(self.values[::-1], -last, self.step, log=self.log, lost=self.lost)

    def __add__(self, other: Any) -> PMF:
        """The sum of independent variables, or of one and a number."""
        from fastconv.probability._sums import pmf_sum

        if isinstance(other, PMF):
            found: PMF = pmf_sum(self, other, log=self.log or other.log)
            return found
        if not isinstance(other, (int, float, np.number)):
            return NotImplemented
        shift = _arguments.number(other, "a number to be added")
        return PMF(self.values, self.offset + shift, self.step, log=self.log, lost=self.lost)

    __radd__ = __add__

    def __sub__(self, other: Any) -> PMF:
        """The difference of independent variables, or of one and a number."""
        if isinstance(other, (PMF, int, float, np.number)):
            return self + -other
        return NotImplemented

    def __rsub__(self, other: Any) -> PMF:
        shifted: PMF = -self + other
        return shifted

    def __mul__(self, n: Any) -> PMF:
        """The sum of n independent variables like this one."""
        from fastconv.probability._sums import pmf_power

        if not hasattr(n, "__index__"):
            return NotImplemented
        found: PMF = pmf_power(self, n, log=self.log)
        return found

    __rmul__ = __mul__

    def _terms(self) -> Terms:
        return Terms(self.values, self.log, 0, self.lost)


def on_lattice(values: Any) -> tuple[list[int], Fraction]:
    """Numbers, as they are written in decimal, as multiples of a unit."""
    parts = [_fraction(v) for v in np.asarray(values, dtype=object).reshape(-1).tolist()]
    if not parts:
        raise ValueError("support must hold at least one value, got none")
    denominator = lcm(*(part.denominator for part in parts))
    return [int(part * denominator) for part in parts], Fraction(1, denominator)


def _fraction(value: Any) -> Fraction:
    if isinstance(value, Fraction):
        return value
    number = _arguments.number(value, "a value of the support")
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def _plain(x: Fraction) -> int | float:
    return int(x) if x.denominator == 1 else float(x)
