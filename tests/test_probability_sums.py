"""The public functions of `fastconv.probability` against exact numbers, known formulas and each other."""

import math
import random
from fractions import Fraction

import mpmath
import numpy as np
import probabilities
import pytest

import fastconv
from fastconv import probability as pr
from fastconv.probability import PMF

DIE = np.full(6, 1 / 6)


def log_binomial(n, k, p):
    return (
        mpmath.loggamma(n + 1)
        - mpmath.loggamma(k + 1)
        - mpmath.loggamma(n - k + 1)
        + k * mpmath.log(p)
        + (n - k) * mpmath.log1p(-p)
    )


# ---- powers


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
def test_dice(n):
    want, factor = probabilities.dice(n), mpmath.mpf(1 / 6) ** n
    y = pr.pmf_power(DIE, n)
    normal = y > 1e-307
    part = [w for w, used in zip(want, normal) if used]
    assert probabilities.worst_log(np.log(y[normal]), part, factor=factor) < 1e-11
    logs = pr.pmf_power(PMF(DIE, offset=1), n, log=True)
    assert logs.offset == n and logs.log
    assert probabilities.worst_log(logs.values, want, factor=factor) < 2e-11


def test_a_thousand_dice_by_tilts():
    f = np.log(DIE.astype(np.longdouble))
    y = pr._power.power_logs(f, 1000, 1e-10, 0, 5001)
    assert probabilities.worst_log(y, probabilities.dice(1000), factor=mpmath.mpf(1 / 6) ** 1000) < 1e-11


@pytest.mark.parametrize("n, p", [(1000, 0.3), (10**5, 0.5), (10**5, 0.001), (10**6, 0.25)])
def test_binomials(n, p):
    f = np.array([1 - p, p])  # sums to 1 exactly
    y = pr.pmf_power(f, n, truncate=1e-200 if n > 1000 else None)
    if n == 1000:
        y = PMF(y)
    assert y.lost <= 1e-200
    with mpmath.workdps(40):
        for i in range(0, len(y.values), max(1, len(y.values) // 200)):
            want = log_binomial(n, y.offset + i, mpmath.mpf(p))
            assert want < -705 or abs(mpmath.log(y.values[i]) - want) < 1e-10


def test_powers_with_gaps():
    f = np.array([0, 0, 0.25, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.25])
    want = probabilities.power([int(v * 4) for v in f], 40)
    assert probabilities.worst(pr.pmf_power(f, 40), want, 80) < 1e-11
    want = probabilities.power([1, 0, 2, 1], 400)
    with np.errstate(divide="ignore"):
        logs = np.log(np.array([0.25, 0, 0.5, 0.25], np.longdouble))
    y = pr._power.power_logs(logs, 400, 1e-10, 0, len(want))
    assert probabilities.worst_log(y, want, 800) < 1e-10
    even = np.array([0.5, 0, 0.25, 0, 0.25])
    assert not pr.pmf_power(even, 50)[1::2].any()


def test_powers_of_a_long_distribution():
    x = np.arange(300)
    f = np.exp(-(((x - 120) / 8.0) ** 2) / 2)
    f /= f.sum()
    twice = pr.pmf_sum(f, f)
    np.testing.assert_allclose(pr.pmf_power(f, 4), pr.pmf_sum(twice, twice), rtol=1e-9, atol=1e-307)
    logs = np.log(f.astype(np.longdouble))
    y = pr._power.power_logs(logs, 4, 1e-10, 300, 700)
    np.testing.assert_allclose(np.exp(y), pr.pmf_power(f, 4)[300:700], rtol=1e-9)


def test_small_and_no_powers():
    np.testing.assert_array_equal(pr.pmf_power([0.5, 0.5], 0), [1])
    np.testing.assert_array_equal(pr.pmf_power([0.5, 0.5], 1), [0.5, 0.5])
    np.testing.assert_array_equal(pr.pmf_power([0, 0.5, 0], 3), [0, 0, 0, 0.125, 0, 0, 0])
    np.testing.assert_array_equal(pr.pmf_power([0.0, 0.0], 2), [0, 0, 0])


# ---- sums


@pytest.mark.parametrize("k", [1, 3, 12])
def test_poisson_and_negative_binomial(k):
    with mpmath.workdps(30):
        c = np.arange(1500)
        f = np.array([float(mpmath.exp(-20 + a * mpmath.log(20) - mpmath.loggamma(a + 1))) for a in c[:180]])
        y = pr.pmf_sum(*[f] * k)[:150]  # outputs that the cut does not reach
        for a in range(0, 150, 7):
            want = mpmath.exp(-20 * k + a * mpmath.log(20 * k) - mpmath.loggamma(a + 1))
            assert abs(y[a] / want - 1) < 1e-10
        r, q = 2.5, mpmath.mpf(0.5)
        log_f = [
            mpmath.loggamma(a + r) - mpmath.loggamma(r) - mpmath.loggamma(a + 1) + (a + r) * mpmath.log(q)
            for a in range(1500)
        ]
        y = pr.pmf_sum(*[np.array(log_f, float)] * k, log=True)[:1500]
        for a in range(0, 1500, 71):
            want = mpmath.loggamma(a + r * k) - mpmath.loggamma(r * k) - mpmath.loggamma(a + 1)
            want += a * mpmath.log(q) + r * k * mpmath.log(q)
            assert abs(y[a] - want) < 1e-10


def test_offsets_steps_and_operators():
    a, b = PMF(DIE, offset=1), PMF([0.25, 0.75], offset=-2)
    both = a + b
    assert both.offset == -1 and both.step == 1
    np.testing.assert_allclose(both.values, np.convolve(DIE, [0.25, 0.75]))
    assert (a + 10).offset == (10 + a).offset == 11 and (a - 1).offset == 0
    np.testing.assert_allclose((a - b).values, np.convolve(DIE, [0.75, 0.25]))
    assert (a - b).offset == 2 and (1 - a).offset == -5
    assert (3 * a).offset == 3 and len((a * 3).values) == 16
    np.testing.assert_array_equal(sum([a, a]).values, (a + a).values)
    half = PMF([0.5, 0.5], offset=0.25, step=0.5)
    assert (half + half).support.tolist() == [0.5, 1.0, 1.5]
    assert (half + PMF([1.0], offset=3)).offset == 3.25  # a constant has any step
    with pytest.raises(TypeError):
        a + "1"
    with pytest.raises(TypeError):
        a * 1.5
    with pytest.raises(AttributeError):
        a.offset = 3
    with pytest.raises(ValueError, match="read-only"):
        a.values[0] = 1


def test_moments_cdf_and_quantiles():
    three = 3 * PMF(DIE, offset=1)
    counts = probabilities.dice(3)
    assert three.mean == pytest.approx(10.5) and three.var == pytest.approx(8.75)
    for x in (-1, 2.5, 3, 7, 7.5, 17.999, 18, 40):
        want = sum(w for c, w in enumerate(counts, 3) if c <= x) / 216
        assert three.cdf(x) == pytest.approx(want, abs=1e-15)
        assert three.sf(x) == pytest.approx(1 - want, abs=1e-14)
    assert three.cdf([3, 4]).tolist() == pytest.approx([1 / 216, 4 / 216])
    assert [three.quantile(q) for q in (0, 0.5, 1)] == [3, 10, 18]
    assert (100 * PMF(DIE, offset=1)).sf(590) == pytest.approx(
        sum(probabilities.dice(100)[-10:]) / 6**100, rel=1e-12
    )
    sample = three.sample(20000, rng=1)
    assert abs(sample.mean() - 10.5) < 0.1 and sample.min() >= 3
    tenths = PMF(np.full(11, 1 / 11), step=0.1)
    assert tenths.cdf(0.3) == pytest.approx(4 / 11)


def test_plot():
    pytest.importorskip("matplotlib").use("Agg")
    axes = PMF(DIE, offset=1).plot()
    assert axes.get_ylabel() == "probability"


def test_truncation_is_counted():
    x = PMF(np.exp(-np.arange(200.0)) * (1 - math.exp(-1)))
    cut = pr.pmf_sum(x, x, truncate=1e-12)
    whole = pr.pmf_sum(x, x)
    assert 0 < cut.lost <= 1e-12 and len(cut.values) < 60
    low, high = cut.bounds()
    part = whole.values[cut.offset :][: len(low)]
    assert np.all(low <= part * (1 + 1e-10)) and np.all(part <= high * (1 + 1e-10))
    assert cut.total + cut.lost == pytest.approx(whole.total, abs=1e-15)
    many = pr.pmf_power([0.5, 0.25, 0.25], 10**5, truncate=1e-15)
    assert many.lost <= 1e-15 and many.total == pytest.approx(1, abs=1e-10)
    assert many.mean == pytest.approx(75000, rel=1e-9) and len(many.values) < 10000


def test_rows():
    rng = np.random.default_rng(3)
    f, g = rng.random((4, 1, 30)), rng.random((5, 20))
    y = pr.pmf_sum(f, g)
    assert y.shape == (4, 5, 49)
    np.testing.assert_array_equal(y[2, 3], pr.pmf_sum(f[2, 0], g[3]))
    np.testing.assert_allclose(pr.pmf_power(f, 3)[1, 0], np.convolve(np.convolve(*[f[1, 0]] * 2), f[1, 0]))
    p = rng.random((3, 12))
    np.testing.assert_array_equal(pr.poisson_binomial(p)[1], pr.poisson_binomial(p[1]))


# ---- other functions


def test_differences():
    f, g = np.random.default_rng(4).random((2, 9))
    np.testing.assert_allclose(pr.pmf_difference(f, g), np.convolve(f, g[::-1]))
    assert pr.pmf_difference([1, 2], [3, 4, 5], exact=True).tolist() == [5, 14, 11, 6]
    np.testing.assert_allclose(
        pr.pmf_difference(np.log(f), np.log(g), log=True), np.log(np.convolve(f, g[::-1]))
    )


def test_poisson_binomial():
    rng = np.random.default_rng(6)
    p = np.concatenate([rng.random(300) ** 4, [0, 0, 1], rng.random(50) * 1e-12, 1 - rng.random(20) * 1e-9])
    want = np.ones(1, np.longdouble)
    for q in p.astype(np.longdouble):
        want = np.append(want * (1 - q), 0) + np.append(0, want * q)
    logs = pr.poisson_binomial(p, log=True)
    with np.errstate(divide="ignore"):
        true = np.log(want)
    np.testing.assert_array_equal(np.isneginf(logs), np.isneginf(true))
    known = ~np.isneginf(true)
    assert np.abs(logs[known] - true[known]).max() < 1e-11
    normal = want > 1e-307
    y = pr.poisson_binomial(p)
    assert np.abs(y[normal] / want[normal] - 1).max() < 1e-11
    np.testing.assert_array_equal(pr.poisson_binomial([]), [1])
    half = pr.poisson_binomial(np.full(2000, 0.5))
    assert half[1000] == pytest.approx(math.comb(2000, 1000) / 2**2000, rel=1e-11)


def test_compound():
    f = [0.5, 0.25, 0.125, 0.125]
    count = [0.1, 0.2, 0.0, 0.3, 0.4]
    want = sum(q * np.pad(pr.pmf_power(f, k), (0, 12 - 3 * k)) for k, q in enumerate(count))
    np.testing.assert_allclose(pr.compound(count, f), want, rtol=1e-13)
    moved = pr.compound(PMF(count, offset=1), PMF(f, offset=2))
    np.testing.assert_allclose(moved.values[2:], pr.pmf_sum([0, 0, *f], pr.compound(count, [0, 0, *f]))[2:])
    k = np.arange(150)
    poisson = np.array([math.exp(-10 + a * math.log(10) - math.lgamma(a + 1)) for a in k])
    y = pr.compound(poisson, [0.5, 0.5])  # of a Poisson number of coins: Poisson
    want = [math.exp(-5 + a * math.log(5) - math.lgamma(a + 1)) for a in range(60)]
    np.testing.assert_allclose(y[:60], want, rtol=1e-10)
    with pytest.raises(ValueError, match="f must stand for multiples"):
        pr.compound(count, PMF(f, offset=-1))


def test_mixture():
    y = pr.mixture([PMF([1.0], offset=2), PMF([0.5, 0.5], offset=-1)], [0.25, 0.75])
    assert y.offset == -1 and y.values.tolist() == [0.375, 0.375, 0, 0.25]
    logs = pr.mixture([np.log([0.5, 0.5]), [-800.0]], [0.5, 0.5], log=True)
    np.testing.assert_allclose(logs, np.log([0.25, 0.25]))
    with pytest.raises(ValueError, match="offsets must differ by multiples"):
        pr.mixture([PMF([1.0, 0], offset=0.5), PMF([1.0, 0])], [0.5, 0.5])


def test_irregular_supports():
    values, p = pr.support_sum([0.1, 0.7, 1000], [0.2, 0.3, 0.5], [0.2, -0.4], [0.5, 0.5])
    assert values.tolist() == [-0.3, 0.3, 0.9, 999.6, 1000.2]
    np.testing.assert_allclose(p, [0.1, 0.25, 0.15, 0.25, 0.25])
    x = PMF.from_support([3, 0.5, 3], [0.25, 0.5, 0.25])
    assert x.offset == 0.5 and x.step == 2.5 and x.values.tolist() == [0.5, 0.5]
    assert PMF.from_support([7], [1.0]).support.tolist() == [7]
    with pytest.raises(ValueError, match="lattice"):
        PMF.from_support([0, 1e-12, 1], [0.25, 0.5, 0.25])


def test_exact():
    assert pr.pmf_sum([1, 2, 3], [4, 5], [6], exact=True).tolist() == [24, 78, 132, 90]
    ways = pr.pmf_power([1] * 6, 1000, exact=True)
    assert ways.tolist() == probabilities.dice(1000) and sum(ways.tolist()) == 6**1000
    third = pr.pmf_power([Fraction(1, 3), Fraction(2, 3)], 3, exact=True)
    assert third.tolist() == [Fraction(1, 27), Fraction(6, 27), Fraction(12, 27), Fraction(8, 27)]
    dense = list(range(1, 101))
    assert pr.pmf_power(dense, 5, exact=True).tolist() == probabilities.power(dense, 5)
    assert pr.pmf_power([0, 3, 0, 0, 2, 0], 3, exact=True).tolist() == probabilities.power(
        [0, 3, 0, 0, 2, 0], 3
    )
    assert pr.pmf_power([0, 0], 3, exact=True).tolist() == [0, 0, 0, 0]
    assert pr.pmf_sum(np.array([2**62, 1]), [2**62, 1], exact=True).tolist() == [2**124, 2**63, 1]


# ---- densities


def test_normal_densities():
    grid = np.linspace(-12, 12, 481)
    found = pr.pdf_sum(
        lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi), lambda x: np.exp(-x * x / 2), grid
    )
    want = np.exp(-(found.x**2) / 4) / math.sqrt(2)
    near = np.abs(found.x) < 12
    assert np.abs(found.values / want - 1)[near].max() < 1e-8
    assert found.x[0] == -24 and len(found.x) == 961


def test_the_triangle():
    found = pr.pdf_sum(np.ones(101), np.ones(101), np.linspace(0, 1, 101))
    np.testing.assert_allclose(found.values, 1 - np.abs(found.x - 1), atol=1e-14)
    assert np.nanmax(found.error[2:-2]) < 0.01


@pytest.mark.parametrize("order, error", [(2, 3e-5), (4, 3e-9)])
def test_exponential_and_gamma_densities(order, error):
    grid = np.linspace(0, 40, 2001)
    found = pr.pdf_sum(lambda x: np.exp(-x), lambda x: np.exp(-x), grid, order=order)
    inside = found.x <= 40
    want = found.x * np.exp(-found.x)
    np.testing.assert_allclose(found.values[inside], want[inside], rtol=1e-12, atol=1e-15)
    found = pr.pdf_sum(lambda x: x * np.exp(-x), lambda x: x**2 / 2 * np.exp(-x), grid, order=order)
    want = found.x**4 / 24 * np.exp(-found.x)
    off = np.abs(found.values - want)[inside]
    assert off.max() < error
    if order == 2:
        assert np.all(off <= 1.05 * found.error[inside] + 1e-9)


def test_bad_densities():
    grid = np.linspace(0, 1, 11)
    with pytest.raises(ValueError, match="grid must be finite, increasing and uniform"):
        pr.pdf_sum(np.ones(3), np.ones(3), [0, 1, 3])
    with pytest.raises(ValueError, match="f must have one value for each of the 11"):
        pr.pdf_sum(np.ones(3), np.ones(11), grid)
    with pytest.raises(ValueError, match="g must be finite and not negative"):
        pr.pdf_sum(np.ones(11), lambda x: x - 0.5, grid)
    with pytest.raises(ValueError, match="order must be 2 or 4"):
        pr.pdf_sum(np.ones(11), np.ones(11), grid, order=3)


# ---- bad input

BAD = [
    (lambda: pr.pmf_sum(), ValueError, "at least one"),
    (lambda: pr.pmf_sum([0.5, -0.1], [1.0]), ValueError, "argument 0 must not be negative, got -0.1"),
    (lambda: pr.pmf_sum([0.5, np.nan]), ValueError, "must not hold NaN"),
    (lambda: pr.pmf_sum([0.5, np.inf]), ValueError, "must be finite"),
    (lambda: pr.pmf_sum([1j]), TypeError, "real numbers, got dtype complex128"),
    (lambda: pr.pmf_sum(["a"]), TypeError, "real numbers"),
    (lambda: pr.pmf_sum([]), ValueError, "at least one probability"),
    (lambda: pr.pmf_sum(0.5), ValueError, "at least one probability"),
    (lambda: pr.pmf_sum([np.inf], log=True), ValueError, "logarithms of finite numbers"),
    (lambda: pr.pmf_sum([1.0], rtol=0), ValueError, "rtol must be positive"),
    (lambda: pr.pmf_sum([1.0], rtol="x"), TypeError, "rtol must be a real number"),
    (lambda: pr.pmf_sum([1.0], truncate=1), ValueError, "truncate must be from 0 to below 1"),
    (lambda: pr.pmf_sum([1.0], truncate="x"), TypeError, "truncate must be"),
    (lambda: pr.pmf_sum([0.5], exact=True), TypeError, "ints or Fractions"),
    (lambda: pr.pmf_sum([-1], exact=True), ValueError, "must not be negative"),
    (lambda: pr.pmf_sum([1], exact=True, log=True), ValueError, "leave them out"),
    (lambda: pr.pmf_sum(np.ones((2, 3)), np.ones((3, 3))), ValueError, "rows must broadcast"),
    (lambda: pr.pmf_sum(np.ones((2, 3)), truncate=0.1), ValueError, "one dimension"),
    (lambda: PMF([0.5, 0.5]) + PMF([0.5, 0.5], step=2), ValueError, r"steps must be equal, got \[1, 2\]"),
    (lambda: PMF([[0.5]]), ValueError, "one dimension"),
    (lambda: PMF([0.5], step=0), ValueError, "step must be positive"),
    (lambda: PMF([0.5], offset="x"), TypeError, "offset must be a finite real number"),
    (lambda: PMF([0.5], offset=np.nan), TypeError, "offset must be a finite real number"),
    (lambda: PMF([0.5]).quantile(2), ValueError, "q must be from 0 to 1"),
    (lambda: PMF([0.5]).cdf(np.nan), ValueError, "x must not be NaN"),
    (lambda: PMF([0.0]).quantile(0.5), ValueError, "without mass"),
    (lambda: pr.pmf_power([1.0], -1), ValueError, "n must not be negative, got -1"),
    (lambda: pr.pmf_power([1.0], 1.5), TypeError, "n must be an integer"),
    (lambda: pr.poisson_binomial([1.5]), ValueError, "p must be from 0 to 1"),
    (lambda: pr.poisson_binomial(0.5), ValueError, "at least one dimension"),
    (lambda: pr.poisson_binomial([1j]), TypeError, "p must hold real numbers"),
    (lambda: pr.mixture([[1.0]], [0.5, 0.5]), ValueError, "weights must be one for each of the 1"),
    (lambda: pr.support_sum([1], [1.0], [2, 3], [1.0]), ValueError, "p and q must be as many"),
    (lambda: PMF.from_support([1, 2], [1.0]), ValueError, "probabilities must be as many"),
]


@pytest.mark.parametrize("call, error, message", BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_large_exact_products_and_powers():
    """By digits what one product of long integers gives, by squares what the recurrence gives."""
    rng = random.Random(5)
    f, g = ([rng.getrandbits(900) for _ in range(count)] for count in (400, 37))
    expected = [sum(f[i] * g[c - i] for i in range(400) if 0 <= c - i < 37) for c in range(436)]
    assert pr.pmf_sum(f, g, exact=True).tolist() == expected
    f = [k % 5 for k in range(1, 90)]
    powers = [[1]]
    for _ in range(12):
        powers.append(pr.pmf_sum(powers[-1], f, exact=True).tolist())
    assert pr.pmf_power(f, 12, exact=True).tolist() == powers[12]
    assert pr.pmf_power([3**1000], 77, exact=True).tolist() == [3**77_000]


def test_tolerances_that_nothing_keeps_to():
    """Also those of which a share is zero."""
    grid = np.linspace(0, 1, 9)
    for rtol in (5e-324, 1e-300, 1e-17):
        for call in (
            lambda rtol: pr.pmf_sum([0.5, 0.5], [0.5, 0.5], [0.5, 0.25, 0.25], rtol=rtol),
            lambda rtol: pr.pmf_power([0.5, 0.5], 10, rtol=rtol),
            lambda rtol: pr.compound([0.5, 0.25, 0.25], [0.5, 0.5], rtol=rtol),
            lambda rtol: pr.pdf_sum(np.ones(9), np.ones(9), grid, rtol=rtol),
        ):
            with pytest.raises(ValueError, match="rtol must be"):
                call(rtol)
    with pytest.raises(ValueError, match="n must be at most"):
        pr.pmf_power([0.5, 0.5], 10**5000)


def test_a_power_that_cannot_be_had():
    two = np.zeros(300)
    two[[0, 1, 298, 299]] = 0.25
    with pytest.raises(ValueError, match="rtol must be larger for this f and n = 1000000"):
        pr.pmf_power(two, 10**6, truncate=1e-300, rtol=1e-15)
    with np.errstate(divide="ignore"), pytest.raises(pr._power.Uncertain):
        pr._power.power_logs(np.log(np.exp(-two) - 0.7), 4, 1e-13, 0, 1197)


def test_imported_when_used():
    assert fastconv.probability is pr
