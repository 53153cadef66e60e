"""`rtol=`: every output, however small beside its neighbours, against sums in a wider type."""

from fractions import Fraction

import numpy as np
import pytest
import reference

import fastconv
from fastconv import _bounds, _problem

DTYPES = ("f4", "f8", "c8", "c16")
TRANSFORMS = ("overlap_save", "fft")


def gaussian(n, sigma, dtype="f8"):
    x = np.exp(-0.5 * ((np.arange(n) - n // 2) / sigma) ** 2)
    return (x / x.sum()).astype(dtype)


def assert_within(y, name, a, v, mode, rtol, **options):
    """|y - truth| <= rtol · (the sum of the absolute values of the terms)"""
    truth = reference.exact(name, a, v, mode, **options)
    options["cval"] = abs(options.get("cval", 0))
    scale = reference.exact(name, np.abs(a), np.abs(v), mode, **options)
    wide = np.longdouble if y.dtype.kind == "f" else np.clongdouble
    assert np.all(np.abs(y.astype(wide) - truth) <= rtol * scale)


@pytest.mark.parametrize("method", ("auto", *TRANSFORMS))
def test_the_tails_of_probabilities(method):
    f, g = gaussian(3000, 90), gaussian(2000, 60)
    y = fastconv.convolve(f, g, rtol=1e-10, method=method)
    want = np.convolve(f.astype("g"), g.astype("g"))
    assert y.min() < 1e-40
    assert np.all(np.abs(y - want) <= 1e-10 * want)
    plain = fastconv.convolve(f, g, method="fft")
    assert not np.all(np.abs(plain - want) <= 1e-10 * want)


def test_the_tails_exactly():
    f, g = gaussian(300, 14), gaussian(200, 9)
    y = fastconv.convolve(f, g, rtol=1e-9, method="fft")
    for k in (0, 1, 100, 250, 498):
        terms = [Fraction(f[i]) * Fraction(g[k - i]) for i in range(300) if 0 <= k - i < 200]
        assert abs(Fraction(y[k]) - sum(terms)) <= Fraction(1e-9) * sum(terms)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("boundary", reference.BOUNDARIES)
def test_outputs_of_all_sizes(rng, dtype, boundary):
    rtol = 1e-2 if dtype in ("f4", "c8") else 1e-9
    a = reference.numbers(rng, 2500, dtype) * np.exp(rng.uniform(-9, 0, 2500).cumsum() % 60 - 60).astype(
        dtype
    )
    v = reference.numbers(rng, 80, dtype)
    cval = 1e-9 if boundary == "constant" else 0.0
    for name, method in [("convolve", "overlap_save"), ("correlate", "fft")]:
        options = {"axes": 0, "boundary": boundary, "cval": cval}
        y = getattr(fastconv, name)(a, v, "same", rtol=rtol, method=method, **options)
        assert_within(y, name, a, v, "same", rtol, **options)


def test_images_and_batches(rng):
    image = np.exp(-rng.uniform(0, 1, (90, 80)) * np.arange(80))
    v = rng.uniform(0, 1, (12, 9))
    assert_within(
        fastconv.convolve(image, v, rtol=1e-8, method="overlap_save"), "convolve", image, v, "full", 1e-8
    )
    rows, own = np.stack([gaussian(400, s) for s in (9, 30, 99)]), rng.uniform(0, 1, (3, 40))
    for kernel in (own, own[0]):
        y = fastconv.convolve(rows, kernel, axes=1, rtol=1e-8, method="fft")
        assert_within(y, "convolve", rows, kernel, "full", 1e-8, axes=1)


def test_values_that_are_not_finite(rng):
    a, v = rng.uniform(0, 1, 2000), rng.uniform(0, 1, 100)
    a[500] = np.inf
    y, want = (fastconv.convolve(a, v, method=m, rtol=r) for m, r in [("fft", 1e-6), ("direct", None)])
    np.testing.assert_allclose(y, want, rtol=1e-6)


def test_out_in_place_and_threads(rng):
    f, g = gaussian(60000, 900), gaussian(900, 90)
    want = fastconv.convolve(f, g, "same", rtol=1e-9, workers=1)
    np.testing.assert_array_equal(fastconv.convolve(f, g, "same", rtol=1e-9, workers=2), want)
    inside = f.copy()
    assert fastconv.convolve(inside, g, "same", rtol=1e-9, out=inside) is inside
    np.testing.assert_allclose(inside, want, rtol=2e-9)


def test_the_choice(rng):
    x, h = rng.uniform(0.5, 1, 10**6), rng.uniform(0.5, 1, 1000)
    assert fastconv.explain(x, h, rtol=1e-9).method == "overlap_save"
    assert fastconv.explain(x, h[:300], rtol=4e-14).method == "direct"  # too little for a transform
    assert fastconv.explain(x, h[:5], rtol=1e-9).method == "direct"
    assert fastconv.explain(x, h, rtol=1e-9, method="direct").method == "direct"


def test_integers_are_exact():
    a = np.arange(300)
    np.testing.assert_array_equal(fastconv.convolve(a, a, rtol=1e-30), np.convolve(a, a))


@pytest.mark.parametrize("rtol", ["1e-3", 1j, True, [1e-3]])
def test_wrong_types(rtol):
    with pytest.raises(TypeError, match="rtol must be a real number"):
        fastconv.convolve(np.ones(3), np.ones(2), rtol=rtol)


@pytest.mark.parametrize("rtol", [0, -1.0, np.inf, np.nan])
def test_wrong_values(rtol):
    with pytest.raises(ValueError, match="rtol must be positive"):
        fastconv.convolve(np.ones(3), np.ones(2), rtol=rtol)


def test_what_no_sum_can_keep_to():
    with pytest.raises(ValueError, match=r"rtol must be at least 1\.1\de-13, .* 1000 terms in float64"):
        fastconv.convolve(np.ones(3000), np.ones(1000), rtol=1e-13)
    fastconv.convolve(np.ones(3000), np.ones(1000), rtol=1.2e-13)
    with pytest.raises(ValueError, match=r"rtol must be above .* for method 'fft'"):
        fastconv.convolve(np.ones(3000), np.ones(100), rtol=2e-14, method="fft")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ("direct", *TRANSFORMS))
def test_errors_are_within_the_bound(rng, dtype, method):
    wide = "G" if dtype[0] == "c" else "g"
    for n, m in [(3000, 1), (3000, 40), (1000, 1000), (7, 5)]:
        a, v = reference.numbers(rng, n, dtype), reference.numbers(rng, m, dtype)
        for boundary in ("zero", "wrap", "constant"):
            options = {"axes": 0, "boundary": boundary, "cval": 3.0 if boundary == "constant" else 0.0}
            y = fastconv.convolve(a, v, "same", method=method, **options)
            error = np.abs(y.astype(wide) - reference.exact("convolve", a, v, "same", **options)).max()
            assert error <= fastconv.error_bound(a, v, "same", method=method, **options)


@pytest.mark.parametrize("method", ("direct", *TRANSFORMS))
def test_the_bound_for_input_made_to_round_badly(method):
    """All terms of one sign, and the same sign of each rounding error in sums in order."""
    a = np.full(4096, 1 + 2.0**-23, "f4")
    y = fastconv.convolve(a, a[:2000], "valid", method=method)
    truth = 2000 * (1 + 2.0**-23) ** 2
    bound = fastconv.error_bound(a, a[:2000], "valid", method=method)
    assert 0 < np.abs(y - truth).max() <= bound < 1


def test_norms_of_continued_signals(rng):
    a = rng.standard_normal((6, 5))
    for boundary in reference.BOUNDARIES:
        p = _problem.problem(False, a.shape, a.dtype, (5, 4), a.dtype, "same", None, boundary, (0, 1))
        norm, largest = _bounds._signal_norms(p, a, 2.0 if boundary == "constant" else 0.0)
        cval = 2.0 if boundary == "constant" else 0.0
        x, _ = reference.continued(a, -2, -2, 6 + 4, boundary, cval)
        x, _ = reference.continued(x, -1, -2, 5 + 3, boundary, cval)
        np.testing.assert_allclose(norm, np.linalg.norm(x))
        np.testing.assert_allclose(largest, np.abs(x).max())
