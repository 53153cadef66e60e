"""`fastconv.exact`: against sums of Python's integers; where those are too many, against checksums.

A convolution is a product of polynomials, so at any point r its value is the product of theirs: modulo 2^64
at odd r for results that wrap, modulo the prime 2^61 - 1 for Python's integers.
"""

import doctest
import math
import random

import hypothesis.strategies as st
import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings

from fastconv import _digits, exact

DTYPES = "bBhHiIqQ"
PRIME = 2**61 - 1
PATTERN = 0x7FFF7FFF7FFF7FFF


def truth(name, a, b, mode, **options):
    a, b = (np.array(x, dtype=object) for x in (a, b))
    return ref.exact(name, a, b, mode, **options)


def values(rng, shape, dtype):
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    return np.where(rng.random(shape) < 0.2, np.array([info.min, info.max][rng.integers(2)], dtype), x)


def large(rng, shape, bits):
    flat = [rng.getrandbits(bits) * rng.choice([1, -1]) for _ in range(math.prod(shape))]
    return np.array([*flat, None], dtype=object)[:-1].reshape(shape)


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ref.MODES)
def test_all_dtypes(rng, name, dtype, mode):
    for n, m in [(1, 1), (9, 4), (4, 9), (200, 60)]:
        a, b = values(rng, n, dtype), values(rng, m, dtype)
        function = getattr(exact, name)
        want = truth(name, a, b, mode)
        y = function(a, b, mode, overflow="object")
        assert y.dtype == object and y.tolist() == want.tolist()
        wrapped = function(a, b, mode)
        assert wrapped.dtype == dtype
        bits = np.iinfo(dtype).bits
        assert all((int(p) - q) % 2**bits == 0 for p, q in zip(wrapped, want, strict=True))
        info = np.iinfo(dtype)
        if all(info.min <= value <= info.max for value in want):
            assert function(a, b, mode, overflow="raise").tolist() == want.tolist()
        else:
            with pytest.raises(OverflowError, match=f"leaves {a.dtype}"):
                function(a, b, mode, overflow="raise")


@pytest.mark.parametrize("dtype", DTYPES)
def test_raise_at_the_very_edge(dtype):
    """The largest and the least value of the dtype are results, and one more is not."""
    info = np.iinfo(dtype)
    for n in (1, 7, 300):
        for edge, step in ((info.max, 1), (info.min, -1)):
            a, b = np.zeros(n, dtype), np.zeros(n, dtype)
            a[0], b[0], b[-1] = edge, 1, 1
            assert exact.convolve(a, b, overflow="raise")[n - 1] == edge
            if n > 1 and edge:
                a[-1] = step
                with pytest.raises(OverflowError, match=f"leaves {a.dtype}"):
                    exact.convolve(a, b, overflow="raise")


def test_raise_where_terms_cancel():
    """No bound of magnitudes settles these: large terms of both signs."""
    rng = np.random.default_rng(1)
    a = rng.integers(-(2**62), 2**62, 500)
    b = np.array([2**60, -(2**60), 1])
    y = exact.convolve(a // 2**60, b, overflow="object")
    assert exact.convolve(a // 2**60, b, overflow="raise").tolist() == y.tolist()
    a = np.array([2**62, 2**62 - 1, 2**62 - 5, 2**62])
    assert exact.convolve(a, [1, 1, -1], "valid", overflow="raise").tolist() == [2**62 - 6, 2**62 - 4]
    with pytest.raises(OverflowError):
        exact.convolve(a, [1, 1], overflow="raise", mode="full", boundary="wrap")


@pytest.mark.parametrize("boundary", ref.BOUNDARIES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_boundaries_and_axes(rng, name, boundary):
    cval = -5 if boundary == "constant" else 0
    options = {"boundary": boundary, "cval": cval}
    python = random.Random(2)
    for mode in ref.MODES:
        for shape, taps in [((9,), (4,)), ((6, 7), (3, 2)), ((3, 4, 5), (2, 5, 3))]:
            for a, b in (
                (values(rng, shape, "q"), values(rng, taps, "q")),
                (large(python, shape, 200), large(python, taps, 70)),
            ):
                if mode == "valid" and any(n < m for n, m in zip(shape, taps)):
                    continue
                y = getattr(exact, name)(a, b, mode, overflow="object", **options)
                assert (y == truth(name, a, b, mode, **options)).all()
        a, b = large(python, (4, 10, 3), 90), large(python, (4, 3, 1), 90)
        y = getattr(exact, name)(a, b, mode, axes=1, **options)
        assert (y == truth(name, a, b, mode, axes=1, **options)).all()
    a = np.asfortranarray(values(rng, (8, 9), "q"))[::-1]
    y = getattr(exact, name)(a, a[:2, :3], "same", overflow="object", **options)
    assert (y == truth(name, a, a[:2, :3], "same", **options)).all()


@pytest.mark.parametrize("bits", [1, 15, 16, 17, 63, 64, 65, 500, 20000])
def test_integers_of_any_size(bits):
    python = random.Random(bits)
    for n, m in [(1, 1), (5, 3), (30, 17)]:
        a, b = large(python, (n,), bits), large(python, (m,), bits + 3)
        assert exact.convolve(a, b).tolist() == np.convolve(a, b).tolist()
        y = exact.convolve(a.tolist(), b.tolist(), overflow="object")
        assert y.tolist() == np.convolve(a, b).tolist()
    ones = [2**bits - 1] * 20, [-(2**bits)] * 7
    for a in ones:
        for b in ones:
            y = exact.convolve(a, b, overflow="object")
            assert y.tolist() == truth("convolve", a, b, "full").tolist()


def test_carries_through_many_digits():
    """(2^k - 1)(2^k + 1) = 2^2k - 1, and its negative: all digits are the largest, or carry."""
    for bits in (160, 1600, 160000):
        for a, b in ((2**bits - 1, 2**bits + 1), (1 - 2**bits, 2**bits + 1), (2**bits, -(2**bits))):
            assert exact.convolve([a], [b]).tolist() == [a * b]
    word = np.full((1, 50), 0xFFFF)
    word[0, 0] += 1
    assert _digits.integers(word) == [2**800]
    assert _digits.integers(-word) == [-(2**800)]


def test_a_product_of_big_integers():
    python = random.Random(3)
    a, b = python.getrandbits(300_000), -python.getrandbits(250_000)
    assert exact.convolve([a], [b])[0] == a * b


def value_mod_2_64(x, r):
    """Of the polynomial with coefficients x at r, modulo 2^64, in NumPy's arithmetic, which wraps."""
    powers = np.full(len(x), r, np.uint64)
    powers[0] = 1
    return np.sum(np.multiply.accumulate(powers) * x.astype(np.uint64), dtype=np.uint64)


@pytest.mark.parametrize("kind", ["random", "pattern", "least"])
def test_a_million_by_a_million(kind):
    """Limbs of 16 bits would be rounded wrongly for the pattern."""
    rng, n = np.random.default_rng(4), 2**20
    if kind == "random":
        a, b = values(rng, n, "q"), values(rng, n, "q")
    else:
        a = b = np.full(n, PATTERN if kind == "pattern" else -(2**63))
    y = exact.convolve(a, b)
    for r in (3, 0x9E3779B97F4A7C15, 2**63 + 5):
        p, q = (int(value_mod_2_64(x, r)) for x in (a, b))
        assert value_mod_2_64(y, r) == p * q % 2**64
    assert np.array_equal(exact.convolve(a, b, workers=1), y)


def value_mod_prime(x, r):
    total = 0
    for value in reversed(x.tolist()):
        total = (total * r + value) % PRIME
    return total


@pytest.mark.parametrize("kind", ["random", "pattern"])
def test_true_values_of_long_lines(kind):
    rng, n = np.random.default_rng(5), 2**14
    a, b = values(rng, n, "q"), values(rng, n - 5, "q")
    if kind == "pattern":
        a[:] = b[:] = PATTERN
    y = exact.convolve(a, b, overflow="object")
    wrapped = exact.convolve(a, b)
    assert all((p - q) % 2**64 == 0 for p, q in zip(y, wrapped.tolist(), strict=True))
    for r in (12345678901234567, 2**60 + 7):
        assert value_mod_prime(y, r) == value_mod_prime(a, r) * value_mod_prime(b, r) % PRIME


def test_dtypes_that_do_not_meet():
    a, b = np.array([-1, 2]), np.array([2**64 - 1, 3], np.uint64)
    with pytest.raises(TypeError, match="common integer dtype"):
        exact.convolve(a, b)
    assert exact.convolve(a, b, overflow="object").tolist() == truth("convolve", a, b, "full").tolist()
    assert exact.convolve([2**63, -1], [1, 1]).tolist() == [2**63, 2**63 - 1, -1]


BAD = [
    ({"a": [1.5]}, TypeError, "a must hold integers"),
    ({"a": np.ones(3)}, TypeError, "a must hold integers"),
    ({"b": [True]}, TypeError, "b must hold integers"),
    ({"b": np.array([1, None])}, TypeError, "b must hold integers, got None"),
    ({"b": ["a"]}, TypeError, "b must hold integers"),
    ({"a": []}, ValueError, "a cannot be empty"),
    ({"a": np.zeros(0, int)}, ValueError, "a cannot be empty"),
    ({"overflow": "saturate"}, ValueError, "overflow must be"),
    ({"overflow": None}, TypeError, "overflow must be"),
    ({"mode": "half"}, ValueError, "mode must be"),
    ({"axes": 1}, ValueError, "axes must be"),
    ({"boundary": "edge"}, ValueError, "boundary must be"),
    ({"boundary": "constant", "cval": 1.5, "overflow": "object"}, (TypeError, ValueError), "cval must be"),
    ({"boundary": "constant", "cval": 2**70, "overflow": "object"}, ValueError, "cval must be"),
]


@pytest.mark.parametrize("change, error, message", BAD, ids=[str(k) for k in range(len(BAD))])
def test_bad_arguments(change, error, message):
    arguments = {"a": [1, 2, 3], "b": [1, 2]} | change
    with pytest.raises(error, match=message):
        exact.convolve(**arguments)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_problem(data):
    ndim = data.draw(st.integers(1, 2))
    most = (40, 7)[ndim - 1]
    shape = data.draw(st.tuples(*[st.integers(1, most)] * ndim))
    taps = data.draw(st.tuples(*[st.integers(1, most)] * ndim))
    name = data.draw(st.sampled_from(["convolve", "correlate"]))
    mode = data.draw(st.sampled_from(["full", "same"]))
    boundary = data.draw(st.sampled_from(ref.BOUNDARIES))
    seed = data.draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    dtype, shift = data.draw(st.sampled_from(DTYPES)), data.draw(st.integers(0, 63))
    a, b = (values(rng, size, dtype) >> min(shift, np.iinfo(dtype).bits - 1) for size in (shape, taps))
    options = {"boundary": boundary, "cval": 3 if boundary == "constant" else 0}
    want = truth(name, a, b, mode, **options)
    assert (getattr(exact, name)(a, b, mode, overflow="object", **options) == want).all()
    info = np.iinfo(dtype)
    fits = all(info.min <= value <= info.max for value in want.flat)
    try:
        y = getattr(exact, name)(a, b, mode, overflow="raise", **options)
    except OverflowError:
        assert not fits
    else:
        assert fits and y.dtype == dtype and (y == want).all()


def test_threads_change_nothing():
    rng = np.random.default_rng(6)
    a, b = values(rng, 2**17, "q"), values(rng, 2**16, "q")
    want = exact.convolve(a, b, workers=1)
    assert np.array_equal(exact.convolve(a, b, workers=2), want)
    a, b = a.reshape(256, 512), b.reshape(256, 256)
    assert np.array_equal(exact.convolve(a, b, workers=3), exact.convolve(a, b, workers=1))


def test_examples():
    failed, tried = doctest.testmod(exact)
    assert tried > 4 and failed == 0


def test_more_dimensions_than_flat_has():
    a = np.full((1,) * 39 + (3,), 2**70, object)
    assert exact.convolve(a, a).reshape(-1).tolist() == [k * 2**140 for k in (1, 2, 3, 2, 1)]
    with pytest.raises(OverflowError):
        exact.convolve(*[np.full((1,) * 40, 2**62)] * 2, overflow="raise")
