"""`explain` tells what a call does, and computes nothing."""

import dataclasses

import numpy as np
import pytest

import fastconv
from fastconv import _convolve, _methods


def ones(*shape, dtype="f8"):
    return np.ones(shape, dtype)


def method_run(monkeypatch, *arguments, **options):
    """The method that a call runs."""
    chosen = []

    def choose(*arguments):
        method = _methods.choose(*arguments)
        chosen.append(method.name)
        return method

    monkeypatch.setattr(_convolve, "choose", choose)
    fastconv.convolve(*arguments, **options)
    return chosen[0] if chosen else "direct"  # the short path


@pytest.mark.parametrize(
    "a, v, options",
    [
        (ones(10**5), ones(9), {}),
        (ones(10**5), ones(3000), {}),
        (ones(1000), ones(1000), {}),
        (ones(30000, dtype="f4"), ones(30000, dtype="f4"), {}),
        (ones(300, 300), ones(3, 3), {"mode": "same"}),
        (ones(300, 300), ones(41, 41), {"mode": "same", "boundary": "reflect"}),
        (ones(20, 5000), ones(400), {"axes": 1}),
        (ones(9000, dtype="i4"), ones(900, dtype="i4"), {}),
        (ones(9000), ones(900), {"method": "direct"}),
        (ones(9000), ones(900), {"method": "fft"}),
    ],
)
def test_it_names_the_method_that_runs(monkeypatch, a, v, options):
    found = fastconv.explain(a, v, **options)
    assert found.method == method_run(monkeypatch, a, v, **options)
    assert found.method in found.estimates
    assert found.seconds == found.estimates[found.method] > 0
    assert list(found.estimates.values()) == sorted(found.estimates.values())
    if "method" not in options:
        assert found.seconds == min(found.estimates.values())


def test_blocks_and_memory():
    x = ones(10**6, dtype="f4")
    found = fastconv.explain(x, x[:1000], method="overlap_save", workers=1)
    assert len(found.blocks) == 1
    assert 1000 < found.blocks[0] < 10**5
    assert 4 * found.blocks[0] < found.memory < 1 << 24
    assert found.threads == 1
    more = fastconv.explain(x.astype("f8"), x[:1000], method="overlap_save", workers=2)
    assert more.threads == 2
    assert more.memory > found.memory
    image = fastconv.explain(ones(500, 500), ones(40, 40), method="overlap_save")
    assert len(image.blocks) == 2
    assert all(size > 40 for size in image.blocks)
    assert fastconv.explain(x, x[:5]).blocks == ()
    assert fastconv.explain(x, x[:1000], method="fft").memory > x.nbytes


def test_the_text():
    text = str(fastconv.explain(ones(10**6), ones(1000)))
    for line in (
        "method: ",
        "blocks: ",
        "time, direct: ",
        "time, overlap_save: ",
        "working memory: ",
        "error bound: ",
    ):
        assert line in text
    assert "unknown" in str(fastconv.explain(np.array([1, 2], object), [3]))


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        fastconv.explain([1], [2]).method = "fft"


def test_correlate():
    a, v = ones(10**5), ones(3000)
    assert fastconv.explain(a, v, correlate=True) == fastconv.explain(a, v, "valid", correlate=True)
    assert fastconv.explain(a, v) == fastconv.explain(a, v, "full")
    assert fastconv.error_bound(a, v, correlate=True) > 0


def test_bounds():
    a, v = ones(10**5), ones(3000)
    found = fastconv.explain(a, v)
    assert found.error_bound == fastconv.error_bound(a, v) == fastconv.error_bound(a, v, method=found.method)
    assert fastconv.error_bound(a.astype(int), v.astype(int)) == 0
    assert fastconv.error_bound(a * np.nan, v) == np.inf
    assert fastconv.error_bound(a, 2 * v) == pytest.approx(2 * fastconv.error_bound(a, v))
    assert fastconv.error_bound(ones(0, 5), ones(3), axes=1) == 0
    tiny, huge = (fastconv.error_bound(a * s, v, method="fft") for s in (1e-200, 1e200))
    assert huge == pytest.approx(tiny * 1e200 * 1e200)
    assert fastconv.error_bound(a.astype("f2"), v[:3].astype("f2")) > 2**-11


@pytest.mark.parametrize("function", [fastconv.explain, fastconv.error_bound])
def test_bad_input(function):
    with pytest.raises(ValueError, match="mode"):
        function([1.0], [2.0], "most")
    with pytest.raises(ValueError, match="method must be one of"):
        function([1.0], [2.0], method="quick")
    with pytest.raises(TypeError, match="method 'fft' cannot compute"):
        function([1], [2], method="fft")
    with pytest.raises(ValueError, match="v cannot be empty"):
        function([1.0], [])
    with pytest.raises(ValueError, match="boundary"):
        function([1.0], [2.0], boundary="edge")


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_sums_of_outer_products_keep_to_their_bound(rng, dtype):
    t = np.linspace(-3, 3, 21)
    bell, hat = np.exp(-(t**2)), (1 - t**2) * np.exp(-(t**2))
    image = rng.standard_normal((60, 70)).astype(dtype)
    for kernel in (np.outer(bell, bell), np.outer(bell, hat) + np.outer(hat, bell)):
        v = kernel.astype(dtype)
        want = fastconv.convolve(image.astype("G"), v, "same")
        error = np.abs(fastconv.convolve(image, v, "same", method="separable") - want).max()
        found = fastconv.error_bound(image, v, "same", method="separable")
        assert 0 < error <= found < 300 * np.finfo(dtype).eps * np.linalg.norm(image) * np.linalg.norm(v)
