"""The truth tests compare with: convolution from its definition, slow and obvious, without the package.

    convolution   y[k] = Σ_t v[t] · ã[k - t]
    correlation   y[k] = Σ_t conj(v[t]) · ã[k - (m - 1) + t]          k = 0 … n + m - 2

per convolved axis, where n and m are the lengths of a and v, and ã is a, continued outside by the
boundary's rule. `mode` says which k are kept.

Error bound of `check`, per output, for a float or complex result of machine epsilon eps and T taps:

    |y - truth| ≤ c · eps · Σ|v||a| + T · (smallest subnormal),      c = 4 + √T, twice that for complex

eps is float32's where the result is float16 (sums are kept in float32), plus one rounding to float16.
Integers, booleans and objects must be equal.
"""

import math
from fractions import Fraction

import numpy as np

BOUNDARIES = ("zero", "constant", "reflect", "mirror", "nearest", "wrap")
MODES = ("full", "same", "valid")


def inside(i, n, boundary):
    """Which of the elements 0 … n-1 stands at coordinate i; None where there is none."""
    if 0 <= i < n:
        return i
    if boundary == "nearest":
        return 0 if i < 0 else n - 1
    if boundary == "wrap":  # a b c d | a b c d | a b c d
        return i % n
    if boundary == "reflect":  # d c b a | a b c d | d c b a
        i %= 2 * n
        return i if i < n else 2 * n - 1 - i
    if boundary == "mirror":  # d c b | a b c d | c b a
        if n == 1:
            return 0
        i %= 2 * n - 2
        return i if i < n else 2 * n - 2 - i
    return None


def kept(n, m, mode, name, numpy_rules):
    """First k that the mode keeps, and how many."""
    if mode in ("full", 2):
        return 0, n + m - 1
    if mode in ("valid", 0):
        return min(n, m) - 1, abs(n - m) + 1
    if n >= m or not numpy_rules:
        return (m - 1) // 2, n
    return (n - 1) // 2 if name == "convolve" else n // 2, m


def batches_first(a, v, axes):
    """a and v with the batch axes in front and the k convolved axes behind; a's convolved axes; k."""
    axes = range(a.ndim) if axes is None else np.atleast_1d(axes)
    axes = [int(axis) % a.ndim for axis in axes]
    k = len(axes)
    last = range(-k, 0)
    v = np.moveaxis(v, axes, last) if v.ndim == a.ndim else v.reshape((1,) * (a.ndim - k) + v.shape)
    return np.moveaxis(a, axes, last), v, axes, k


def continued(x, axis, first, count, boundary, cval):
    """x over the coordinates first … first+count-1 of an axis, and which of these exist in x."""
    source = [inside(i, x.shape[axis], boundary) for i in range(first, first + count)]
    exists = np.array([i is not None for i in source], dtype=bool)
    y = np.take(x, [i or 0 for i in source], axis=axis)
    y[(Ellipsis, ~exists) + (slice(None),) * (-1 - axis)] = cval
    return y, exists


def total(a, v, name, mode, axes, boundary, cval):
    """The sums themselves, in the type the arrays have."""
    numpy_rules = a.ndim == v.ndim == 1 and boundary == "zero"
    a, v, axes, k = batches_first(a, v, axes)
    if mode in ("valid", 0):
        boundary = "zero"  # every term of a valid output exists
    x, present, sizes = a, np.ones((1,) * k, bool), []
    for axis in range(-k, 0):
        n, m = a.shape[axis], v.shape[axis]
        start, size = kept(n, m, mode, name, numpy_rules)
        x, exists = continued(x, axis, start - (m - 1), size + m - 1, boundary, cval)
        present = present & exists.reshape(exists.shape + (1,) * (-1 - axis))
        sizes.append(size)
    taps = v.shape[-k:]
    y = np.zeros(np.broadcast_shapes(a.shape[:-k], v.shape[:-k]) + tuple(sizes), x.dtype)
    for tap in np.ndindex(taps):
        first = tap if name == "correlate" else [m - 1 - t for t, m in zip(tap, taps, strict=True)]
        window = tuple(slice(f, f + size) for f, size in zip(first, sizes, strict=True))
        weight = v[(Ellipsis, *tap)][(Ellipsis,) + (None,) * k]
        terms = weight * x[(Ellipsis, *window)]
        if boundary == "zero":
            terms = np.where(present[window], terms, 0)
        y = y | terms if y.dtype == bool else y + terms
    return np.moveaxis(y, range(-k, 0), axes)


def result_dtype(a, v):
    return np.result_type(a.dtype, v.dtype)


def exact(name, a, v, mode, *, axes=None, boundary="zero", cval=0):
    """The result before it is rounded to its dtype: longdouble, clongdouble, or what is exact already."""
    a, v = np.atleast_1d(a), np.atleast_1d(v)
    dtype = result_dtype(a, v)
    a, v = a.astype(dtype), v.astype(dtype)
    cval = np.asarray(cval).astype(dtype)
    if dtype.kind == "c" and name == "correlate":
        v = v.conj()
    with np.errstate(all="ignore"):
        if dtype.kind in "iu":  # modulo 2^64; the low bits are the result modulo 2^bits
            a, v, cval = a.astype(np.uint64), v.astype(np.uint64), cval.astype(np.uint64)
            return total(a, v, name, mode, axes, boundary, cval).astype(dtype)
        if dtype.kind == "m":
            a, v, cval = a.view(np.uint64), v.view(np.uint64), cval.view(np.uint64)
            return total(a, v, name, mode, axes, boundary, cval).view(dtype)
        if dtype.kind in "fc":
            wide = np.longdouble if dtype.kind == "f" else np.clongdouble
            a, v, cval = a.astype(wide), v.astype(wide), cval.astype(wide)
        return total(a, v, name, mode, axes, boundary, cval[()])


def rounded(name, a, v, mode, **options):
    """The result in its dtype, correctly rounded as far as longdouble is wider than it."""
    with np.errstate(all="ignore"):
        return exact(name, a, v, mode, **options).astype(result_dtype(np.asarray(a), np.asarray(v)))


def tolerance(name, a, v, mode, *, axes=None, boundary="zero", cval=0):
    """The error bound of the module's docstring, for finite input."""
    a, v = np.atleast_1d(a), np.atleast_1d(v)
    dtype = result_dtype(a, v)
    work = np.finfo(np.float32 if dtype == np.float16 else dtype)
    _, v_last, _, k = batches_first(a, v, axes)
    taps = math.prod(v_last.shape[-k:])
    c = (4 + math.sqrt(taps)) * (2 if dtype.kind == "c" else 1)
    if work.eps == np.finfo(np.longdouble).eps:
        c *= 2  # the truth is no more exact than the result
    a, v = np.abs(a.astype(dtype)).astype(np.longdouble), np.abs(v.astype(dtype)).astype(np.longdouble)
    with np.errstate(all="ignore"):
        scale = total(a, v, name, mode, axes, boundary, np.longdouble(np.abs(cval)))
    bound = c * work.eps * scale + taps * work.smallest_subnormal
    if dtype == np.float16:
        half = np.finfo(np.float16)
        bound = bound + np.maximum(scale * half.eps, half.smallest_subnormal)
    return bound


def assert_equal(y, want, what=""):
    """Same dtype, shape and values; NaN equals NaN, -0.0 equals 0.0."""
    __tracebackhide__ = True
    if y.dtype != want.dtype or y.shape != want.shape or not (y == want).all():
        np.testing.assert_array_equal(y, want, err_msg=what, strict=True)


def check(y, name, a, v, mode, *, equal=False, **options):
    """Assert that y is the result of `name` for these arguments; `equal` where rounding cannot happen."""
    __tracebackhide__ = True
    a, v = np.asarray(a), np.asarray(v)
    wide = exact(name, a, v, mode, **options)
    with np.errstate(all="ignore"):
        truth = wide.astype(result_dtype(a, v))
    assert type(y) is np.ndarray
    what = f"{name} {mode} {options}: {a.dtype}{a.shape} with {v.dtype}{v.shape}"
    if equal or truth.dtype.kind not in "fc":
        return assert_equal(y, truth, what)
    assert y.dtype == truth.dtype, f"dtype {y.dtype}, should be {truth.dtype}; {what}"
    assert y.shape == truth.shape, f"shape {y.shape}, should be {truth.shape}; {what}"
    finite = np.isfinite(truth)
    np.testing.assert_array_equal(np.where(finite, 0, y), np.where(finite, 0, truth), err_msg=what)
    assert np.isfinite(y[finite]).all(), f"non-finite where the truth is finite; {what}"
    error = np.abs(np.where(finite, y, 0) - np.where(finite, wide, 0))
    bound = tolerance(name, _tame(a), _tame(v), mode, **options)
    worst = np.where(finite & (error > bound), error / np.where(bound > 0, bound, 1), 0)
    assert not worst.any(), (
        f"{np.count_nonzero(worst)} of {y.size} values are wrong, the worst by {worst.max():.3g} times the"
        f" bound at {np.unravel_index(np.argmax(worst), y.shape)}; {what}"
    )


def _tame(x):
    """x with zeros for what is not finite: it takes no part in a finite sum."""
    return np.where(np.isfinite(x), x, np.zeros((), x.dtype)) if x.dtype.kind in "fc" else x


def numbers(rng, shape, dtype):
    """Random data of a dtype that makes rounding, wrapping and signs show."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.3
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    if dtype.kind == "m":
        return rng.integers(-(2**40), 2**40, shape).astype(dtype)
    if dtype.kind == "O":
        parts = rng.integers(-99, 99, (2, int(np.prod(shape))))
        values = [Fraction(int(p), abs(int(q)) + 1) for p, q in parts.T]
        return np.array([*values, None], dtype=object)[:-1].reshape(shape)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def small_integers(rng, shape, dtype):
    """Random integers of a dtype so small that their sums of products are exact in it."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.3
    low = 0 if dtype.kind == "u" else -7
    x = rng.integers(low, 8, shape)
    if dtype.kind == "O":
        return np.array([*(int(i) for i in x.flat), None], dtype=object)[:-1].reshape(shape)
    return (x + 1j * rng.integers(low, 8, shape) if dtype.kind == "c" else x).astype(dtype)
