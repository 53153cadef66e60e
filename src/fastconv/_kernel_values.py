"""What the values of a kernel allow: fewer products by its factors, or by its taps that are not zero.

Planning for the methods "separable" and "sparse", which `_by_values` runs. A kernel of two or more axes is a
sum of outer products of vectors: exactly, where it is of integers, else up to what rounding makes of it,

    |w - sum over q of f_0[q] x f_1[q] x ...|  <=  SLACK eps |w|        (Frobenius norms),

so that the error of a result stays within a few eps |x| |w|, x its window. The terms are found by cross
approximation with full pivoting (Bebendorf, Numer. Math. 86, 2000): the row and the column through the
largest element that remains, again and again, and so along one axis after the other.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from fastconv._cost import rates
from fastconv._problem import Array, Kept, Problem, distinct

Terms = list[list[Array]]  # by term and axis
MOST_TERMS = 4
MOST_SUM = 1 << 13  # taps of all axes together: the driver's working memory is a few vectors for each
SLACK = 3.0
FLOOR = 1e-150  # largest element of a kernel, at least: the factors of smaller ones are not exact
SAMPLE = 12  # rows and columns of a large kernel that are looked at first
INTEGERS = "hHiIlLqQ"
SHARE = 0.58  # of the rate of products, one axis after the other
OTHER_RATE = 7e9  # products a second, of integers
SPARSE_RATE = 0.45  # of it, where every product loads an element
PASS = 0.09e-9  # seconds a byte of the output, beside its products
MOST_SHARE = 0.3  # of taps that are not zero, in a kernel that is called sparse
FEW = 4096  # elements of a kernel that are all looked at
REMEMBERED = 1 << 14  # bytes of a kernel, at most
LOOK = 50e-6  # seconds to find factors, and to begin

# ---- sums of outer products --------------------------------------------------------------------------------


def can_separate(problem: Problem) -> bool:
    """Whether the driver takes it, with a kernel of two axes at least."""
    long = sum(m > 1 for m in problem.m)
    return can_skip(problem) and long >= 2 and sum(problem.m) <= MOST_SUM


def separable_seconds(problem: Problem, terms: int = 1) -> float:
    """An estimate on one thread, by default the least for any kernel."""
    outputs = math.prod(problem.batch) * math.prod(problem.n_out)
    rate = _rate(problem)
    return LOOK + outputs * (terms * sum(problem.m) / rate + PASS * problem.dtype.itemsize)


def _rate(problem: Problem) -> float:
    """Products a second, one axis after the other."""
    kind, size = problem.dtype.kind, problem.dtype.itemsize
    return SHARE * rates().products[f"{kind}{size}"] if kind in "fc" else OTHER_RATE


def look_separable(problem: Problem, w: Array, kept: Kept) -> float:
    """The estimate for a kernel, whose factors are kept; infinite if it has too many terms to be worth it."""
    n_batch = len(problem.batch)
    if "factors" not in kept:
        kept["factors"] = _factors_of(_signed(w.astype(problem.dtype, copy=False)), n_batch)
    found = kept["factors"]
    return math.inf if found is None else separable_seconds(problem, found.shape[-1] // sum(problem.m))


def _signed(w: Array) -> Array:
    """Unsigned integers as the signed ones of the same bits: small negative numbers have factors."""
    return w.view(w.dtype.char.lower()) if w.dtype.kind == "u" else w


def _factors_of(w: Array, n_batch: int) -> Array | None:
    """`factors`, which are remembered for small kernels."""
    if w.nbytes > REMEMBERED:
        return factors(w, n_batch)
    return _remembered(w.tobytes(), w.dtype, w.shape, n_batch)


@lru_cache(maxsize=128)
def _remembered(w: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], n_batch: int) -> Array | None:
    found = factors(np.frombuffer(w, dtype).reshape(shape), n_batch)
    if found is not None:
        found.flags.writeable = False
    return found


def factors(w: Array, n_batch: int) -> Array | None:
    """The factors of kernels w[batch..., taps...], as `_separable.correlate` takes them; None without any.

    A kernel of fewer terms than others gets terms of zeros.
    """
    batch, m = w.shape[:n_batch], w.shape[n_batch:]
    most = max(1, min(MOST_TERMS, math.prod(m) // sum(m)))
    found: list[Terms] = []
    for kernel in w.reshape(-1, *m):
        terms = _exact_term(kernel) if w.dtype.kind == "i" else _float_terms(kernel, most)
        if terms is None or len(terms) > most:
            return None
        found.append(terms)
    n_terms = max(map(len, found))
    parts = [np.zeros((len(found), n_terms, size), w.dtype) for size in m]
    for i, terms in enumerate(found):
        for q, term in enumerate(terms):
            for part, factor in zip(parts, term):
                part[i, q] = factor
    return np.concatenate([part.reshape(*batch, -1) for part in parts], axis=-1)


def _float_terms(w: Array, most: int) -> Terms | None:
    """The terms of a float or complex kernel, their factors of like size, that no product overflows early."""
    largest = float(np.abs(w).max())
    if not FLOOR < largest < 1 / FLOOR:  # zero, not finite, or where factors would not be exact
        return None
    exponent = math.frexp(largest)[1]
    wide = w.astype(np.complex128 if w.dtype.kind == "c" else np.float64) * 2.0**-exponent
    small = SLACK * float(np.finfo(w.dtype).eps) * _norm(wide)
    terms = _cross(wide, most, small)
    if terms is None:
        return None
    long = [k for k, size in enumerate(w.shape) if size > 1]
    for term in terms:
        sizes = [math.frexp(float(np.abs(factor).max()))[1] for factor in term]
        power = exponent + sum(sizes[k] for k in long)
        for i, k in enumerate(long):
            share = power // len(long) + (i < power % len(long))
            term[k] = term[k] * 2.0 ** (share - sizes[k])
    return terms


def _cross(w: Array, most: int, small: float) -> Terms | None:
    """w but for remainders of norm `small`: up to `most` terms along an axis, and so for each."""
    if w.ndim == 1:
        return [[w]]
    if len(w) == 1:
        inner = _cross(w[0], most, small)
        return None if inner is None else [[np.ones(1), *term] for term in inner]
    rows = w.reshape(len(w), -1)
    if rows.size > 4 * SAMPLE**2:
        sample = rows[:: -(-rows.shape[0] // SAMPLE), :: -(-rows.shape[1] // SAMPLE)]
        if _peel(sample, most, small) is None:
            return None
    pairs = _peel(rows, most, small)
    if pairs is None:
        return None
    terms: Terms = []
    for column, row in pairs:
        rest = _cross(row.reshape(w.shape[1:]), most, small)
        if rest is None:
            return None
        terms += [[column, *term] for term in rest]
    return terms


def _peel(w: Array, most: int, small: float) -> list[tuple[Array, Array]] | None:
    """(column, row) of a matrix: up to `most`, whose outer products leave a remainder of norm `small`."""
    pairs: list[tuple[Array, Array]] = []
    while len(pairs) < most:
        i, j = divmod(int(np.abs(w).argmax()), w.shape[1])
        if w[i, j] == 0:
            return pairs
        column, row = w[:, j], w[i] / w[i, j]
        w = w - column[:, None] * row
        pairs.append((column, row))
        if _norm(w) <= small:
            return pairs
    return None


def _norm(w: Array) -> float:
    return math.sqrt(np.vdot(w, w).real)


def _exact_term(w: Array) -> Terms | None:
    """The one term of a kernel of integers; products wrap around, as sums do."""
    if w.ndim == 1:
        return [[w]]
    rows = w.reshape(len(w), -1)
    i, j = divmod(int((rows != 0).argmax()), rows.shape[1])
    if rows[i, j] == 0:
        return None
    row = rows[i] // np.gcd.reduce(rows[i])
    if rows.shape[1] == 1:  # factors of a single tap are 1
        row = np.ones_like(row)
    column = rows[:, j] // row[j]
    if len(w) == 1:
        column, row = np.ones_like(column), rows[0]
    rest = _exact_term(row.reshape(w.shape[1:]))
    if rest is None or (column[:, None] * row != rows).any():
        return None
    return [[column, *term] for term in rest]


# ---- taps that are not zero --------------------------------------------------------------------------------


def can_skip(problem: Problem) -> bool:
    """Whether the driver takes its dtype."""
    return problem.dtype.char in "fdFD" or problem.dtype.char in INTEGERS


def sparse_seconds(problem: Problem, taps: int = 1) -> float:
    """An estimate on one thread, by default the least for any kernel."""
    outputs = math.prod(problem.batch) * math.prod(problem.n_out)
    rate = SPARSE_RATE * _rate(problem)
    return LOOK / 4 + math.prod(problem.m) * 1e-9 + outputs * (taps / rate + PASS * problem.dtype.itemsize)


def look_sparse(problem: Problem, w: Array, kept: Kept) -> float:
    """The estimate for a kernel, whose taps are kept if they look few; infinite if some are not finite."""
    if "taps" not in kept:
        share = _share(w)
        if share > MOST_SHARE:
            with np.errstate(all="ignore"):
                finite = np.isfinite(distinct(w).sum())
            return sparse_seconds(problem, math.ceil(share * math.prod(problem.m))) if finite else math.inf
        keep_taps(problem, w, kept)
    found = kept["taps"]
    return math.inf if found is None else sparse_seconds(problem, len(found[0]))


def _share(w: Array) -> float:
    """Of the elements that are not zero, in a sample of a large kernel."""
    if w.size > FEW:
        w = w[tuple(slice(None, None, size // round(FEW ** (1 / w.ndim)) | 1) for size in w.shape)]
    return np.count_nonzero(w) / w.size


def keep_taps(problem: Problem, w: Array, kept: Kept) -> None:
    kept["taps"] = taps(w.astype(problem.dtype, copy=False), len(problem.batch))


def taps(w: Array, n_batch: int) -> tuple[Array, Array] | None:
    """(where, values) of the taps that are not zero, as `_sparse.correlate` takes them; None if not finite.

    Where one kernel has a tap, all have: zero, if need be. A kernel of zeros has its first.
    """
    batch, m = w.shape[:n_batch], w.shape[n_batch:]
    lines = w.reshape(-1, math.prod(m))
    (at,) = np.nonzero(lines.any(axis=0))
    at = at if at.size else np.zeros(1, np.intp)
    values = lines[:, at]
    if w.dtype.kind in "fc" and not np.isfinite(values).all():
        return None
    return np.array(np.unravel_index(at, m)).T, values.reshape(*batch, -1)
