"""Sums of two variables: the relative error of every probability, against exact sums."""

import numpy as np
import probabilities
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.probability import _pair, _terms, pmf_sum

SHAPES = probabilities.shapes(2000)
PAIRS = [(name, name) for name in SHAPES] + [
    ("normal", "gamma"),
    ("pareto", "normal"),
    ("bimodal", "geometric"),
    ("lognormal", "wild"),
    ("gaps", "pareto"),
]
WIDE = np.finfo(np.longdouble).maxexp > 10000


def in_long_double(f, g):
    """The logarithms of the sum of two distributions, given by theirs."""
    return np.log(np.convolve(np.exp(f.astype("g")), np.exp(g.astype("g"))))


def difference(y, want):
    """The largest, of logarithms with the same zeros."""
    zero = np.isneginf(want)
    np.testing.assert_array_equal(np.isneginf(y), zero)
    return float(np.abs(y[~zero] - want[~zero]).max())


@pytest.mark.skipif(not WIDE, reason="needs a long double with a wide range")
@pytest.mark.parametrize("rtol", [1e-10, 3e-12, 1e-6])
@pytest.mark.parametrize("one, other", PAIRS)
def test_every_probability(one, other, rtol):
    f, g = SHAPES[one], SHAPES[other][: 2000 if one == other else 1300]
    with np.errstate(divide="ignore"):
        want = in_long_double(f, g)
    y = _pair.convolve_logs(f, g, rtol)
    assert difference(y, want) <= rtol + 4e-15 * 1400


def test_a_transform_alone_is_wrong():
    f = np.exp(SHAPES["normal"])
    y = fastconv.convolve(f, f, method="fft")
    want = np.exp(_pair.convolve_logs(*[SHAPES["normal"]] * 2, 1e-10))
    assert np.mean(np.abs(y - want) > 1e-3 * want) > 0.5


@pytest.mark.parametrize("name", ["normal", "pareto", "bimodal", "wild", "gaps"])
def test_linear_against_exact_integers(name):
    f = np.exp(probabilities.shapes(250)[name])
    g = np.exp(probabilities.shapes(170)[name])[::-1]
    want = probabilities.product(probabilities.integers(f), probabilities.integers(g))
    y = pmf_sum(f, g)
    assert y.min() >= 0
    assert probabilities.worst(y, want, 2 * probabilities.BITS) < 1e-11
    if name != "wild":
        assert abs(y.sum() / (f.sum() * g.sum()) - 1) < 1e-12


@settings(max_examples=60)
@given(st.data())
def test_random_sequences(data):
    n, m = (data.draw(st.integers(1, 40)) for _ in range(2))
    number = st.one_of(st.just(0.0), st.floats(0, 1), st.floats(-690, 0).map(np.exp))
    f, g = (np.array(data.draw(st.lists(number, min_size=k, max_size=k))) for k in (n, m))
    want = probabilities.product(probabilities.integers(f), probabilities.integers(g))
    assert probabilities.worst(pmf_sum(f, g), want, 2 * probabilities.BITS) < 1e-10
    with np.errstate(divide="ignore"):
        logs = pmf_sum(np.log(f), np.log(g), log=True)
    assert probabilities.worst_log(logs, want, 2 * probabilities.BITS) < 2e-12


@pytest.mark.skipif(not WIDE, reason="needs a long double with a wide range")
@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 1500),
    st.integers(200, 1500),
    st.sampled_from([1e-12, 1e-10, 1e-5]),
    st.sampled_from([0.1, 3.0, 100.0]),
)
def test_random_walks_of_logarithms(seed, n, m, rtol, roughness):
    random = np.random.default_rng(seed)
    f, g = (np.cumsum(random.normal(0, roughness, k)) for k in (n, m))
    f[random.random(n) < random.choice([0, 0.1, 0.9])] = -np.inf
    f[0] = 0
    y = _pair.convolve_logs(f, g, rtol)
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        want = in_long_double(f - f.max(), g - g.max()) + f.max() + g.max()
    sure = want > f.max() + g.max() - 11000
    size = np.abs(np.where(f > -np.inf, f, 0)).max() + np.abs(g).max()
    assert difference(y[sure], want[sure]) <= rtol + 2e-15 * (100 + size)


def test_what_is_summed_directly_for_lack_of_certainty(monkeypatch):
    """Plans from wrong estimates cost time, not digits."""
    f = SHAPES["normal"]
    want = _pair.convolve_logs(f, f, 1e-10)
    levels = _pair._levels
    for wrong in (lambda x: x + 40, lambda x: x - 40, lambda x: 0 * x):
        monkeypatch.setattr(_pair, "_levels", lambda *a, wrong=wrong: wrong(levels(*a)))
        np.testing.assert_allclose(_pair.convolve_logs(f, f, 1e-10), want, rtol=0, atol=2e-10)


def test_estimates_that_are_wrong_by_more_than_a_float_can_tell():
    random = np.random.default_rng(17)
    f, g = (np.cumsum(random.normal(0, 100, n)) for n in (279, 272))
    y = _pair.convolve_logs(f, g, 1e-12)
    for c in range(0, 550, 7):
        terms = [f[a] + g[c - a] for a in range(279) if 0 <= c - a < 272]
        assert y[c] == pytest.approx(np.logaddexp.reduce(terms), abs=1e-11)


def test_zeros_and_single_values():
    inf = -np.inf
    np.testing.assert_array_equal(_pair.convolve_logs(np.full(3, inf), np.zeros(2), 1e-10), np.full(4, inf))
    y = _pair.convolve_logs(np.array([inf, 0, inf]), np.array([1.0, 2.0]), 1e-10)
    np.testing.assert_array_equal(y, [inf, 1, 2, inf])


def test_subnormal_numbers():
    f = np.full(3000, 3e-320)
    y = pmf_sum(f, np.ones(3000))
    np.testing.assert_allclose(
        y, 3e-320 * np.minimum(np.arange(1, 6000), np.arange(5999, 0, -1)), atol=5e-324
    )


def test_results_do_not_depend_on_threads():
    f = SHAPES["rough"]
    with fastconv.threads(1):
        one = _pair.convolve_logs(f, f, 1e-10)
    with fastconv.threads(2):
        np.testing.assert_array_equal(_pair.convolve_logs(f, f, 1e-10), one)


def test_a_tree_of_many():
    parts = [np.random.default_rng(k).uniform(0.1, 1, 5 + k % 7) for k in range(12)]
    parts = [part / part.sum() for part in parts]
    want = [1]
    for part in parts:
        want = probabilities.product(want, probabilities.integers(part))
    y = pmf_sum(*parts)
    assert probabilities.worst(y, want, probabilities.BITS * 12) < 1e-13


def test_a_tolerance_that_cannot_be_had():
    f = np.full(5000, 1 / 5000)
    with pytest.raises(ValueError, match=r"rtol must be at least .* got 1e-14"):
        pmf_sum(f, f, rtol=1e-14)
    with pytest.raises(_terms.Unreachable):
        _terms.multiply(_terms.Terms(f), _terms.Terms(np.ones(5000)), 1e-16)
