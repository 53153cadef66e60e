"""`Convolver`: the results of `convolve` bit for bit, from many threads, pickled and copied."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
import pytest
import reference

import fastconv
from fastconv import Convolver, _convolver, _methods, _transforms

CASES = [
    ((5000,), (7,), {}),
    ((50000,), (700,), {"mode": "same"}),
    ((50000,), (700,), {"mode": "valid", "method": "fft"}),
    ((30,), (700,), {}),
    ((300,), (5,), {"axes": 0, "boundary": "reflect", "mode": "same"}),
    ((20000,), (300,), {"boundary": "constant", "cval": 2.0, "mode": "same"}),
    ((20000,), (300,), {"rtol": 1e-3}),
    ((120, 130), (5, 3), {"mode": "same"}),
    ((120, 130), (31, 30), {"mode": "same", "boundary": "wrap"}),
    ((5, 4000), (600,), {"axes": 1}),
    ((4000, 5), (600,), {"axes": 0, "method": "overlap_save"}),
    ((3, 4000), (3, 600), {"axes": -1}),
]


def assert_same(y, want):
    assert y.dtype == want.dtype
    np.testing.assert_array_equal(y, want, strict=True)


@pytest.mark.parametrize("correlate", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "c16", "i4"])
@pytest.mark.parametrize("shape, taps, options", CASES)
def test_results_are_those_of_convolve(rng, shape, taps, options, dtype, correlate):
    if dtype == "i4":  # has no transforms
        options = {key: x for key, x in options.items() if key != "method"}
    function = fastconv.correlate if correlate else fastconv.convolve
    a, v = reference.numbers(rng, shape, dtype), reference.numbers(rng, taps, dtype)
    options = {"mode": "full", **options}
    convolver = Convolver(v, correlate=correlate, **options)
    for _ in range(3):
        assert_same(convolver(a), function(a, v, **options))
        a = reference.numbers(rng, shape, dtype)
    want = function(a, v, **options)
    out = np.empty_like(want)
    assert convolver(a, out) is out
    assert_same(out, want)
    assert_same(convolver(a, workers=2), want)
    turned = np.asfortranarray(a)[..., ::-1]
    assert_same(convolver(turned), function(turned, v, **options))
    assert_same(convolver(a.astype("D")), function(a.astype("D"), v, **options))


def test_defaults():
    a, v = np.arange(9.0), [1.0, 2.0, 3.0]
    assert_same(Convolver(v)(a), fastconv.convolve(a, v))
    assert_same(Convolver(v, correlate=True)(a), fastconv.correlate(a, v))
    assert_same(Convolver(v)([1, 2]), fastconv.convolve([1, 2], v))
    assert_same(Convolver(v)(2.0), fastconv.convolve(2.0, v))
    assert_same(Convolver(v, mode=1)(a), fastconv.convolve(a, v, 1))


def test_the_kernel_is_a_copy():
    v = np.array([1.0, 2.0])
    convolver = Convolver(v)
    v[:] = 9
    assert_same(convolver([1.0]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="read-only"):
        convolver.v[0] = 3


@pytest.mark.parametrize("shape, taps, options", CASES)
def test_many_threads(rng, shape, taps, options):
    v = reference.numbers(rng, taps, "f8")
    convolver = Convolver(v, **options)
    signals = [reference.numbers(rng, shape, "f8") for _ in range(4)] * 8
    want = [fastconv.convolve(a, v, **options) for a in signals[:4]] * 8
    with ThreadPoolExecutor(4) as pool:
        for y, expected in zip(pool.map(convolver, signals), want):
            assert_same(y, expected)


def test_many_shapes(rng):
    v = reference.numbers(rng, 200, "f8")
    convolver = Convolver(v)
    for n in range(3000, 3000 + 3 * _convolver.MOST_PLANS):
        a = np.ones(n)
        assert_same(convolver(a, workers=1), fastconv.convolve(a, v, workers=1))
    assert len(convolver._plans) <= _convolver.MOST_PLANS


@pytest.mark.parametrize("shape, taps, options", CASES)
def test_pickles_and_copies(rng, shape, taps, options):
    a, v = reference.numbers(rng, shape, "f8"), reference.numbers(rng, taps, "f8")
    convolver = Convolver(v, correlate=True, **options)
    want = convolver(a)
    size = len(pickle.dumps(convolver))
    assert size < v.nbytes + 1000
    for same in (pickle.loads(pickle.dumps(convolver)), copy.copy(convolver), copy.deepcopy(convolver)):
        assert_same(same(a), want)
        assert repr(same) == repr(convolver)


def test_out_over_the_signal(rng):
    v = reference.numbers(rng, 300, "f8")
    for n in (20000, 100, 50):
        a = reference.numbers(rng, n, "f8")
        convolver = Convolver(v, mode="same", boundary="wrap")
        want = convolver(a)
        assert convolver(a, a) is a
        np.testing.assert_allclose(a, want, atol=1e-11)
        memory = reference.numbers(rng, n + 5, "f8")
        want = convolver(memory[:n])
        np.testing.assert_allclose(convolver(memory[:n], memory[5:]), want, atol=1e-11)
    both, a = np.empty((2, 50)), np.arange(50.0)
    both[1] = a
    bank = Convolver(v[:10].reshape(2, 5), mode="same", bank=True)
    assert_same(bank(both[1], both), bank(a))


@pytest.mark.parametrize(
    "options", [{}, {"mode": "valid"}, {"axes": 0, "boundary": "nearest", "mode": "same"}]
)
def test_banks(rng, options):
    v = reference.numbers(rng, (3, 90), "f8")
    bank = Convolver(v, bank=True, **options)
    for a in (reference.numbers(rng, 20000, "f8"), reference.numbers(rng, 200, "f4"), np.arange(99)):
        want = np.stack([fastconv.convolve(a, part, **options) for part in v])
        out = np.empty_like(want)
        assert bank(a, out=out, workers=1) is out
        np.testing.assert_allclose(out, want, rtol=0, atol=1e-13 * np.abs(want).max())
        assert_same(bank(a), out)
    assert_same(copy.copy(bank)(a), out)
    image = reference.numbers(rng, (40, 30), "f8")
    kernels = reference.numbers(rng, (2, 3, 3), "f8")
    want = np.stack([fastconv.convolve(image, part, "same") for part in kernels])
    assert_same(Convolver(list(kernels), mode="same", bank=True)(image), want)


@pytest.mark.parametrize(
    ("shape", "taps", "options"),
    [
        ((50000,), (700,), {"mode": "same"}),
        ((50000,), (700,), {"correlate": True, "boundary": "mirror", "mode": "full"}),
        ((3, 9000), (300,), {"axes": 1, "boundary": "constant", "cval": 1.5, "mode": "same"}),
        ((9000, 3), (300,), {"axes": 0}),
        ((200, 210), (31, 30), {"boundary": "wrap", "mode": "same"}),
        ((2, 200, 210), (31, 30), {"axes": (1, 2), "mode": "valid"}),
        ((3, 2, 9000), (300,), {"axes": -1}),
    ],
)
@pytest.mark.parametrize("dtype", ["f4", "c16"])
def test_banks_by_transforms(rng, monkeypatch, shape, taps, options, dtype):
    shared = []
    together = _transforms.bank
    monkeypatch.setattr(_transforms, "bank", lambda *args: shared.append(together(*args)) or shared[-1])
    v = rng.standard_normal((4, *taps)).astype(dtype)
    if dtype == "c16":
        v = v * (1 + 2j)
    a = rng.standard_normal(shape).astype(dtype)
    bank = Convolver(v, bank=True, method="overlap_save", **options)
    options = {"mode": "full", **options}
    call = fastconv.correlate if options.pop("correlate", False) else fastconv.convolve

    def check(a, atol):
        y, want = bank(a), np.stack([call(a, part, method="direct", **options) for part in v])
        assert y.shape == want.shape and y.dtype == want.dtype
        np.testing.assert_array_equal(np.isnan(y), np.isnan(want))
        finite = np.isfinite(want)
        np.testing.assert_allclose(y[finite], want[finite], rtol=0, atol=atol)

    eps = np.finfo(dtype).eps
    for x in (a, a[..., ::-1], 2 * a):
        check(x, 40 * eps * np.linalg.norm(a) * np.linalg.norm(v))
    assert shared == ([] if len(shape) - len(taps) > 1 else [True] * 3)
    a.flat[77] = np.nan
    check(a, 40 * eps * np.linalg.norm(np.nan_to_num(a)) * np.linalg.norm(v))
    assert shared[3:] in ([], [False])


def test_banks_of_nothing_negative():
    pmf = np.exp(-0.5 * np.linspace(-30, 30, 3000) ** 2)
    assert Convolver(np.stack([pmf[:500], pmf[500:1000]]), bank=True)(pmf).min() >= 0


def test_words():
    assert repr(Convolver([1.0, 2.0])) == "Convolver(<float64 array of shape (2,)>, mode='full')"
    text = repr(Convolver([[1, 2]], axes=0, method="direct", correlate=True, bank=True))
    assert text.endswith("mode='valid', axes=(0,), method='direct', correlate=True, bank=True)")
    x, h = np.ones(10**5), np.ones(1000)
    assert Convolver(h, mode="same").explain(x) == fastconv.explain(x, h, "same")
    assert Convolver([h], bank=True).explain(x) == fastconv.explain(x, h)


def test_types_of_others(rng):
    class Other:
        def __array_function__(self, function, types, arguments, options):
            return function, options

    function, options = Convolver([1.0, 2.0], boundary="wrap")(Other())
    assert function is fastconv.convolve
    assert options == {"boundary": "wrap"}


def test_later_calls_plan_nothing(rng, monkeypatch):
    v = reference.numbers(rng, 900, "f8")
    convolver = Convolver(v)
    a = reference.numbers(rng, 50000, "f8")
    want = convolver(a)
    monkeypatch.setattr(_methods, "ranked", None)
    monkeypatch.setattr(_convolver, "problem", None)
    assert_same(convolver(a), want)


def test_a_call_costs_little(rng):
    """A plan that is there costs less than 100 µs, by far, beside its method."""
    convolver = Convolver(np.ones((3, 3)))
    a = np.ones((4, 4))
    convolver(a)
    times = []
    for _ in range(50):
        start = perf_counter()
        convolver(a)
        times.append(perf_counter() - start)
    assert min(times) < 100e-6


def test_bad_input():
    for v in (3.0, [], np.ones((0, 3))):
        with pytest.raises(ValueError, match="v "):
            Convolver(v)
    with pytest.raises(ValueError, match="two dimensions for a bank"):
        Convolver([1.0], bank=True)
    with pytest.raises(ValueError, match="v must be array-like"):
        Convolver([[1.0], [2.0, 3.0]], bank=True)
    with pytest.raises(TypeError, match="v must hold numbers"):
        Convolver(["a"])
    for name, wrong in [
        ("mode", "most"),
        ("boundary", "edge"),
        ("method", "quick"),
        ("rtol", -1.0),
        ("axes", ()),
    ]:
        with pytest.raises(ValueError, match=name):
            Convolver([1.0], **{name: wrong})
    convolver = Convolver(np.ones((2, 2)))
    with pytest.raises(ValueError, match="dimensions"):
        convolver(np.ones(3))
    with pytest.raises(ValueError, match="out must have the result's shape"):
        convolver(np.ones((3, 3)), np.empty(3))
    with pytest.raises(TypeError, match="out must be an ndarray"):
        convolver(np.ones((3, 3)), [3])
    with pytest.raises(TypeError, match="workers"):
        convolver(np.ones((3, 3)), workers="two")
    with pytest.raises(ValueError, match="rtol must be at least"):
        Convolver(np.ones(1000), rtol=1e-16)(np.ones(3000))
