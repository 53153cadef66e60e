"""The public functions on probabilities: arguments to `_terms`, results to arrays or `PMF`s."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from fastconv import _check
from fastconv._problem import Array
from fastconv._repr import short
from fastconv.probability import _arguments, _exact, _power, _terms
from fastconv.probability._pmf import PMF, on_lattice
from fastconv.probability._terms import Terms, Unreachable


def pmf_sum(
    *pmfs: Any, rtol: float = 1e-10, log: bool = False, exact: bool = False, truncate: float | None = None
) -> Any:
    """Probabilities of the sum of independent variables, each within `rtol`, however small.

    Parameters
    ----------
    *pmfs : array_like or PMF
        At least one. Element i of an array is the probability of i. Arrays of more dimensions hold one
        variable in each row, along the last axis; the other axes broadcast. Probabilities need not sum to 1
        and are never rescaled: the result sums to the product of the sums.
    rtol : float, optional
        Every probability is within rtol of the true one, relatively, as long as it is a normal number; a
        larger one is rounded as a float64 is, and its logarithm gains a few units in the last place from each
        level of the tree of products.
    log : bool, optional
        Arrays hold natural logarithms, and so does the result: no probability is too small.
    exact : bool, optional
        Arrays hold ints or Fractions, and the result is exact, an array of Python's ints or Fractions.
    truncate : float, optional
        Cut tails of at most this mass, here and on the way. The result is a PMF; its `lost` says how much was
        cut.

    Returns
    -------
    ndarray or PMF
        A PMF if an argument is one, or with `truncate`.

    Raises
    ------
    ValueError, TypeError
        If probabilities are negative or NaN, steps differ, or rtol is below what float64 can keep to.

    See Also
    --------
    pmf_power, pmf_difference, mixture, compound, poisson_binomial

    Notes
    -----
    A product by FFT is right where it is large. A small output is taken from a transform of tilted parts, in
    which it is large, or from a direct sum. Which of these is right is decided by a proved bound: see
    docs/probability.md. (The splitting and tilting of H. Wilson and U. Keich, Comput. Stat. Data Anal. 101
    (2016), made recursive.)

    Examples
    --------
    The dropped ball: it rolls a with probability f(a), then b with probability g(b).

    >>> from fastconv.probability import PMF, pmf_sum
    >>> f, g = [0.1, 0.3, 0.4, 0.2], [0.2, 0.5, 0.3]
    >>> pmf_sum(f, g)
    array([0.02, 0.11, 0.26, 0.33, 0.22, 0.06])
    >>> pmf_sum([1, 1], [1, 1], [1, 1], exact=True)
    array([1, 3, 3, 1], dtype=object)
    >>> pmf_sum(PMF(f, offset=-1), g)
    PMF(offset=-1, step=1, 6 values)
    """
    if not pmfs:
        raise ValueError("pmf_sum needs at least one argument, got none")
    names = [f"argument {i}" for i in range(len(pmfs))]
    if exact:
        _no_options(log, truncate)
        weights, denominator = [1], 1
        for f, name in sorted(zip(pmfs, names), key=lambda pair: len(pair[0])):
            own, own_denominator = _arguments.exact(f, name)
            weights, denominator = _exact.multiply(weights, own), denominator * own_denominator
        return _exact.result(weights, denominator)
    rtol = _arguments.rtol(rtol)
    cut = 0.0 if truncate is None else _arguments.truncate(truncate)
    if any(isinstance(f, PMF) for f in pmfs) or truncate is not None:
        whole = [_pmf(f, name, log) for f, name in zip(pmfs, names)]
        step = _one_step(whole)
        found = _terms.reachable(lambda: _terms.product([f._terms() for f in whole], rtol, cut), rtol)
        return _result(found, sum((f.offset for f in whole), 0), step, log)
    arrays = [_arguments.weights(f, name, log) for f, name in zip(pmfs, names)]
    if all(a.ndim == 1 for a in arrays):
        found = _terms.reachable(lambda: _terms.product([Terms(a, log) for a in arrays], rtol), rtol)
        return _values(found, log)
    try:
        batch = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    except ValueError:
        raise ValueError(f"rows must broadcast, got shapes {[a.shape for a in arrays]}") from None
    arrays = [np.broadcast_to(a, (*batch, a.shape[-1])) for a in arrays]
    result = np.empty((*batch, sum(a.shape[-1] for a in arrays) - len(arrays) + 1))
    for row in np.ndindex(batch):
        parts = [Terms(a[row], log) for a in arrays]
        result[row] = _values(_terms.reachable(lambda: _terms.product(parts, rtol), rtol), log)  # noqa: B023
    return result


def pmf_power(
    f: Any,
    n: int,
    *,
    rtol: float = 1e-10,
    log: bool = False,
    exact: bool = False,
    truncate: float | None = None,
) -> Any:
    """Probabilities of the sum of n independent variables like f, each within `rtol`, however small.

    Parameters
    ----------
    f : array_like or PMF
    n : int
        Not negative. 0 variables have the sum 0.
    rtol, log, exact, truncate
        As for `pmf_sum`. With large n `truncate` keeps the result short. rtol is asked for with the numbers
        of f taken as they are: 1/6 as a float64 is not a sixth, and the difference counts n times.

    Returns
    -------
    ndarray or PMF

    Notes
    -----
    By squaring as long as n roundings leave rtol; else by tilted powers of transforms (see
    docs/probability.md).

    Examples
    --------
    >>> from fastconv.probability import pmf_power
    >>> pmf_power([1] * 6, 2, exact=True)                       # ways to throw 0 to 10 with two dice
    array([1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1], dtype=object)
    >>> import numpy as np
    >>> logs = pmf_power(np.log([1/6] * 6), 1000, log=True)     # of probabilities far below the least float64
    >>> round(float(logs[0]), 9)
    -1791.759469228
    """
    n = _arguments.count(n)
    if exact:
        _no_options(log, truncate)
        weights, denominator = _arguments.exact(f, "f")
        return _exact.result(_exact.power(weights, n), _exact.power([denominator], n)[0])
    rtol = _arguments.rtol(rtol)
    cut = 0.0 if truncate is None else _arguments.truncate(truncate)
    if isinstance(f, PMF) or truncate is not None:
        whole = _pmf(f, "f", log)
        return _result(_powered(whole._terms(), n, rtol, cut), n * whole.offset, whole.step, log)
    a = _arguments.weights(f, "f", log)
    if a.ndim == 1:
        return _values(_powered(Terms(a, log), n, rtol, 0.0), log)
    result = np.empty((*a.shape[:-1], n * (a.shape[-1] - 1) + 1))
    for row in np.ndindex(a.shape[:-1]):
        result[row] = _values(_powered(Terms(a[row], log), n, rtol, 0.0), log)
    return result


def _powered(x: Terms, n: int, rtol: float, cut: float) -> Terms:
    length = n * (len(x.values) - 1) + 1
    (used,) = np.nonzero(x.values > (-np.inf if x.log else 0))
    if n == 0:
        return Terms(np.ones(1))
    if not len(used):
        return Terms(np.full(length, -np.inf if x.log else 0.0), x.log)
    first, last = int(used[0]), int(used[-1])
    step = int(np.gcd.reduce(used - first)) or 1
    lean = Terms(x.values[first : last + 1 : step], x.log, 0, x.lost)
    try:
        found = _terms.power(lean, n, rtol, cut)
    except Unreachable:
        found = _by_tilts(lean, n, rtol, cut)
    lost = found.lost if x.lost == 0 else max(found.lost, (x.total() + x.lost) ** n - x.total() ** n)
    begin, size = found.first * step + n * first, (len(found.values) - 1) * step + 1
    if cut:
        spread = np.full(size, -np.inf if found.log else 0.0)
        spread[::step] = found.values
        return Terms(spread, found.log, begin, lost)
    spread = np.full(length, -np.inf if found.log else 0.0)
    spread[begin : begin + size : step] = found.values
    return Terms(spread, found.log, 0, lost)


def _by_tilts(x: Terms, n: int, rtol: float, cut: float) -> Terms:
    if x.log:
        logs = x.values.astype(np.longdouble)
    else:
        with np.errstate(divide="ignore"):
            logs = np.log(x.values.astype(np.longdouble))
    begin, end = _power.middle(logs, n, cut) if cut else (0, n * (len(logs) - 1) + 1)
    try:
        return Terms(_power.power_logs(logs, n, rtol, begin, end), True, begin, cut)
    except _power.Uncertain as error:
        raise ValueError(
            f"rtol must be larger for this f and n = {n}: the probability of {error} cannot be had "
            f"within {rtol:.1e} in float64 (exact=True can)"
        ) from None


def pmf_difference(
    f: Any,
    g: Any,
    *,
    rtol: float = 1e-10,
    log: bool = False,
    exact: bool = False,
    truncate: float | None = None,
) -> Any:
    """Probabilities of the difference of two independent variables, each within `rtol`, however small.

    Parameters
    ----------
    f, g : array_like or PMF
    rtol, log, exact, truncate
        As for `pmf_sum`.

    Returns
    -------
    ndarray or PMF
        Of arrays, the element i stands for the difference i - (len(g) - 1).

    Examples
    --------
    >>> from fastconv.probability import PMF, pmf_difference
    >>> pmf_difference([0.5, 0.5], [0.25, 0.75])               # of -1, 0, 1
    array([0.375, 0.5  , 0.125])
    >>> pmf_difference(PMF([0.5, 0.5]), [0.25, 0.75]).offset
    -1
    """
    if exact:
        return pmf_sum(f, list(g)[::-1], log=log, exact=True, truncate=truncate)
    if isinstance(f, PMF) or isinstance(g, PMF) or truncate is not None:
        f, g = _pmf(f, "f", log), _pmf(g, "g", log)
        return pmf_sum(f, -g, rtol=rtol, log=log, truncate=truncate)
    a, b = _arguments.weights(f, "f", log), _arguments.weights(g, "g", log)
    return pmf_sum(a, b[..., ::-1], rtol=rtol, log=log)


def compound(
    count: Any, f: Any, *, rtol: float = 1e-10, log: bool = False, truncate: float | None = None
) -> Any:
    """Probabilities of a sum of a random number of independent variables like f, each within `rtol`.

    Parameters
    ----------
    count : array_like or PMF
        Of the number of variables.
    f : array_like or PMF
        Of a variable, not negative.
    rtol, log
        As for `pmf_sum`.
    truncate : float, optional
        Cut tails of at most this mass off the result.

    Returns
    -------
    ndarray or PMF

    Examples
    --------
    >>> from fastconv.probability import compound
    >>> compound([0.5, 0.25, 0.25], [0, 0.5, 0.5])             # none, one or two steps of 1 or 2
    array([0.5   , 0.125 , 0.1875, 0.125 , 0.0625])
    """
    rtol = _arguments.rtol(rtol)
    cut = 0.0 if truncate is None else _arguments.truncate(truncate)
    number, each = _pmf(count, "count", log), _pmf(f, "f", log)
    for name, x, unit in (("count", number, 1), ("f", each, each.step)):
        place = x.offset / unit
        if place < 0 or place != int(place) or (name == "count" and x.step != int(x.step)):
            raise ValueError(f"{name} must stand for multiples of its unit from 0 on, got {short(x)}")
    spread = np.full(int(number.offset) + int(number.step) * (len(number.values) - 1) + 1, -np.inf)
    spread[int(number.offset) :: int(number.step)] = number.logs
    lead = int(each.offset / each.step)
    values = np.concatenate([np.full(lead, -np.inf if each.log else 0.0), each.values])
    found = _terms.reachable(lambda: _terms.compose(spread, Terms(values, each.log), rtol), rtol)
    if not (isinstance(count, PMF) or isinstance(f, PMF) or truncate is not None):
        return _values(found, log)
    return _result(_terms.cut(found, cut), 0, each.step, log)


def poisson_binomial(p: Any, *, rtol: float = 1e-10, log: bool = False) -> Array:
    """Probabilities of the number of successes in independent trials, each within `rtol`, however small.

    Parameters
    ----------
    p : array_like
        The probability of success of each trial, along the last axis.
    rtol, log
        As for `pmf_sum`.

    Returns
    -------
    ndarray
        Of 0 to the number of trials, along the last axis.

    Examples
    --------
    >>> from fastconv.probability import poisson_binomial
    >>> poisson_binomial([0.5, 0.25]).round(12)
    array([0.375, 0.5  , 0.125])
    """
    a = _check.array(p, "p")
    if a.dtype.kind not in "buif":
        raise TypeError(f"p must hold real numbers, got dtype {a.dtype}")
    if a.ndim == 0:
        raise ValueError("p must have at least one dimension, got a scalar")
    a = a.astype(float)
    if not np.all((a >= 0) & (a <= 1)):
        raise ValueError("p must be from 0 to 1")
    rtol = _arguments.rtol(rtol)
    result = np.full((*a.shape[:-1], a.shape[-1] + 1), -np.inf if log else 0.0)
    for row in np.ndindex(a.shape[:-1]):
        found = _values(_terms.reachable(lambda: _terms.bernoulli(a[row], rtol), rtol), log)  # noqa: B023
        result[row][: len(found)] = found
    return result


def mixture(pmfs: Sequence[Any], weights: Any, *, log: bool = False) -> Any:
    """Probabilities of a variable that follows one of several, chosen with the probabilities `weights`.

    Parameters
    ----------
    pmfs : sequence of array_like or PMF
    weights : array_like
        One for each; not logarithms.
    log : bool, optional
        As for `pmf_sum`.

    Returns
    -------
    ndarray or PMF

    Examples
    --------
    >>> from fastconv.probability import mixture
    >>> mixture([[1.0], [0.5, 0.5]], [0.5, 0.5])
    array([0.75, 0.25])
    """
    w = _arguments.weights(weights, "weights", False)
    if w.shape != (len(pmfs),):
        raise ValueError(
            f"weights must be one for each of the {len(pmfs)} distributions, got shape {w.shape}"
        )
    whole = [_pmf(f, f"pmfs[{i}]", log) for i, f in enumerate(pmfs)]
    step = _one_step(whole)
    first = min(f.offset for f in whole)
    places = [(f.offset - first) / step for f in whole]
    if any(place != round(place) for place in places):
        raise ValueError(
            f"offsets must differ by multiples of the step {step}, got {[f.offset for f in whole]}"
        )
    starts = [round(place) for place in places]
    length = max(start + len(f.values) for start, f in zip(starts, whole))
    logs = any(f.log for f in whole)
    result = np.full(length, -np.inf if logs else 0.0)
    for f, start, weight in zip(whole, starts, w.tolist()):
        part = result[start : start + len(f.values)]
        if logs and weight:
            np.logaddexp(part, f.logs + math.log(weight), out=part)
        elif not logs:
            part += weight * f.values
    found = Terms(result, logs, 0, sum(weight * f.lost for f, weight in zip(whole, w.tolist())))
    return _result(found, first, step, log) if any(isinstance(f, PMF) for f in pmfs) else _values(found, log)


def support_sum(x: Any, p: Any, y: Any, q: Any) -> tuple[Array, Array]:
    """The sum of two independent variables with any values: all pairs, equal sums put together exactly.

    Parameters
    ----------
    x, y : array_like
        The values, in any order; numbers count as they are written in decimal, so that 0.1 + 0.2 is 0.3.
    p, q : array_like
        Their probabilities.

    Returns
    -------
    values, probabilities : ndarray
        In increasing order of the values, each once.

    Examples
    --------
    >>> from fastconv.probability import support_sum
    >>> support_sum([0.1, 0.3], [0.5, 0.5], [0.2, 0], [0.25, 0.75])
    (array([0.1, 0.3, 0.5]), array([0.375, 0.5  , 0.125]))
    """
    a, b = _arguments.weights(p, "p", False), _arguments.weights(q, "q", False)
    places, unit = on_lattice([*np.asarray(x, object).reshape(-1), *np.asarray(y, object).reshape(-1)])
    n = np.size(x)
    if a.shape != (n,) or b.shape != (np.size(y),):
        raise ValueError(
            f"p and q must be as many as x and y, {n} and {np.size(y)}, got {a.shape} and {b.shape}"
        )
    if max(map(abs, places)) < 1 << 62:
        sums = np.add.outer(np.array(places[:n]), np.array(places[n:]))
    else:
        sums = np.add.outer(np.array(places[:n], object), np.array(places[n:], object))
    values, at = np.unique(sums.reshape(-1), return_inverse=True)
    total = np.bincount(at.reshape(-1), np.multiply.outer(a, b).reshape(-1), len(values))
    exact = [Fraction(int(v)) * unit for v in values]
    return np.array([int(v) if unit == 1 else float(v) for v in exact]), total


def _no_options(log: bool, truncate: float | None) -> None:
    if log or truncate is not None:
        raise ValueError("exact=True leaves nothing to log or truncate: leave them out")


def _pmf(f: Any, name: str, log: bool) -> PMF:
    if isinstance(f, PMF):
        return f
    a = _arguments.weights(f, name, log)
    if a.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got {a.ndim}")
    return PMF(a, log=log)


def _one_step(pmfs: Sequence[PMF]) -> int | float:
    steps = {f.step for f in pmfs if len(f.values) > 1} or {pmfs[0].step}
    if len(steps) > 1:
        raise ValueError(f"steps must be equal, got {sorted(steps)}")
    return steps.pop()


def _values(x: Terms, log: bool) -> Array:
    return x.logs() if log else x.probabilities()


def _result(x: Terms, offset: int | float, step: int | float, log: bool) -> PMF:
    return PMF(_values(x, log), offset + x.first * step, step, log=log, lost=x.lost)
