"""Every method against direct summation and the reference: values, non-finite ones, signs, and the choice.

A transform's error is in units of eps ‖x‖ ‖w‖ of the blocks it works on, so that is what is allowed here.
"""

import itertools

import numpy as np
import pytest
import reference

import fastconv
from fastconv import _methods, _problem

TRANSFORMS = ("overlap_save", "fft")
DTYPES = ("f4", "f8", "c8", "c16")


def random(rng, shape, dtype):
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype[0] == "c" else x).astype(dtype)


def bound(a, v, cval=0):
    """Allowed error: 20 eps (‖a‖ ‖v‖ + |cval| Σ|v|), of the finite values."""
    a, v, cval = (np.where(np.isfinite(x), x, 0) for x in (a, v, cval))
    eps = np.finfo(np.result_type(a, v)).eps
    v = v.astype("D")
    return 20 * eps * (np.linalg.norm(a.astype("D")) * np.linalg.norm(v) + abs(cval) * np.abs(v).sum())


def assert_like_direct(name, a, v, mode, method, **options):
    call = getattr(fastconv, name)
    y, want = call(a, v, mode, method=method, **options), call(a, v, mode, method="direct", **options)
    assert y.dtype == want.dtype and y.shape == want.shape and y.strides == want.strides
    parts = [(y.real, want.real), (y.imag, want.imag)] if y.dtype.kind == "c" else [(y, want)]
    for part, truth in parts:
        finite = np.isfinite(truth)
        np.testing.assert_array_equal(np.where(finite, 0, part), np.where(finite, 0, truth))
        difference = np.abs(part[finite] - truth[finite])
        allowed = bound(a, v, options.get("cval", 0))
        assert (difference <= allowed).all(), (difference.max(), allowed)


@pytest.mark.parametrize("method", TRANSFORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ("convolve", "correlate"))
def test_lines(rng, name, dtype, method):
    for n, m in ((1, 1), (2, 5), (40, 40), (1000, 33), (1000, 999), (33, 1000), (5000, 64)):
        for mode in reference.MODES:
            assert_like_direct(name, random(rng, n, dtype), random(rng, m, dtype), mode, method)


@pytest.mark.parametrize("method", TRANSFORMS)
@pytest.mark.parametrize("boundary", reference.BOUNDARIES)
def test_boundaries_and_axes(rng, boundary, method):
    cval = 2.5 if boundary == "constant" else 0.0
    for dtype, axis in itertools.product(DTYPES, (0, 1, 2)):
        a = random(rng, (9, 70, 12), dtype)
        for shape in ([1, 1, 1], list(a.shape)):
            shape[axis] = 25
            v = random(rng, shape, dtype)
            for mode in ("full", "same"):
                options = {"axes": axis, "boundary": boundary, "cval": cval}
                assert_like_direct("convolve", a, v, mode, method, **options)


@pytest.mark.parametrize("method", TRANSFORMS)
@pytest.mark.parametrize("boundary", reference.BOUNDARIES)
@pytest.mark.parametrize("name", ("convolve", "correlate"))
def test_images(rng, name, boundary, method):
    cval = -1.5 if boundary == "constant" else 0.0
    for dtype, mode in itertools.product(DTYPES, reference.MODES):
        for order in "CF":
            a = np.asarray(random(rng, (50, 61), dtype), order=order)
            v = random(rng, (13, 8), dtype)
            assert_like_direct(name, a, v, mode, method, boundary=boundary, cval=cval)
    stack = random(rng, (3, 40, 37), "f4")
    for kernel in (random(rng, (1, 9, 9), "f4"), random(rng, (3, 9, 9), "f4")):
        options = {"axes": (1, 2), "boundary": boundary, "cval": cval}
        assert_like_direct(name, stack, kernel, "same", method, **options)


@pytest.mark.parametrize("method", TRANSFORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_tap_along_an_axis_that_is_cut(rng, dtype, method):
    for shape, taps in (((31, 1), (21, 2)), ((36, 1), (36, 27)), ((1, 31), (2, 21)), ((5, 6, 1), (9, 1, 11))):
        for mode in ("full", "same"):
            a, v = random(rng, shape, dtype), random(rng, taps, dtype)
            assert_like_direct("convolve", a, v, mode, method)
            assert_like_direct("correlate", v, a, "same", method)


@pytest.mark.parametrize("method", TRANSFORMS)
@pytest.mark.parametrize("boundary", reference.BOUNDARIES)
@pytest.mark.parametrize("name", ("convolve", "correlate"))
def test_volumes(rng, name, boundary, method):
    cval = 0.5 if boundary == "constant" else 0.0
    options = {"boundary": boundary, "cval": cval}
    for dtype, mode in itertools.product(DTYPES, reference.MODES):
        a, v = random(rng, (9, 14, 21), dtype), random(rng, (5, 4, 7), dtype)
        assert_like_direct(name, a, v, mode, method, **options)
        assert_like_direct(name, a.T, v[::-1, :, ::2], mode, method, **options)
        a, v = random(rng, (3, 2, 6, 7, 10), dtype), random(rng, (3, 1, 3, 4, 2), dtype)
        assert_like_direct(name, a, v, mode, method, axes=(3, 2, 4), **options)
    many = random(rng, (3, 4, 2, 3, 5, 4, 3), "f4")
    assert_like_direct(name, many, many[1:, :2, :, 2:, :3, 1:, :], "same", method, **options)


@pytest.mark.parametrize("method", TRANSFORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_value_that_is_not_finite_stays_local(rng, dtype, method):
    bad = [np.nan, np.inf, -np.inf] + ([complex(1, np.inf), complex(np.nan, 2)] if dtype[0] == "c" else [])
    for values in (bad[:1], bad[1:2], bad[1:3], bad):
        a, v = random(rng, 3000, dtype), random(rng, 100, dtype)
        v[30] = 0
        a[rng.permutation(3000)[: len(values)]] = values
        for boundary in ("zero", "wrap"):
            assert_like_direct("convolve", a, v, "same", method, axes=0, boundary=boundary)
        rows = np.broadcast_to(a[:600], (3, 600)).T.copy()
        rows[7, 1] = values[0]
        assert_like_direct("correlate", rows, v[:40], "full", method, axes=0)
    image = random(rng, (90, 80), dtype)
    image[40, 7], image[3, 70] = bad[:2]
    assert_like_direct("convolve", image, random(rng, (20, 15), dtype), "same", method)


@pytest.mark.parametrize("method", TRANSFORMS)
def test_taps_and_cval_that_are_not_finite(rng, method):
    a, v = random(rng, 500, "f8"), random(rng, 70, "f8")
    v[[3, 40]] = np.inf, np.nan
    assert_like_direct("convolve", a, v, "full", method)
    assert_like_direct("convolve", a, abs(v[4:30]), "full", method, axes=0, boundary="constant", cval=np.inf)


@pytest.mark.parametrize("method", TRANSFORMS)
def test_sums_near_the_largest_number(rng, method):
    with np.errstate(all="ignore"):
        a, v = random(rng, 900, "f4") * np.float32(1e38), random(rng, 64, "f4")
        y, want = (fastconv.convolve(a, v, method=m) for m in (method, "direct"))
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(want))


@pytest.mark.parametrize("method", TRANSFORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_that_overflow_within_a_transform_only(rng, dtype, method):
    largest = np.finfo(dtype).max.item()
    a, v = random(rng, 4000, dtype), random(rng, 200, dtype)
    a *= largest / 1e3 / np.abs(a).max()
    v /= 10 * np.abs(v).max()
    want = fastconv.convolve(a.astype("G") / largest, v.astype("G"), "same", method="direct")
    assert np.isfinite(fastconv.convolve(a, v, "same", method="direct")).all()
    y = fastconv.convolve(a, v, "same", method=method)
    assert np.abs(y / largest - want).max() < np.finfo(dtype).eps
    a[77] = np.nan
    y = fastconv.convolve(a, v, "same", method=method)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(fastconv.convolve(a, v, "same", method="direct")))


@pytest.mark.parametrize("method", TRANSFORMS)
def test_nothing_negative_from_non_negative_input(rng, method):
    for dtype in ("f4", "f8"):
        a, v = (np.exp(-0.5 * np.linspace(-30, 30, n) ** 2).astype(dtype) for n in (3000, 500))
        assert fastconv.convolve(a, v, method=method).min() >= 0


@pytest.mark.parametrize("method", TRANSFORMS)
def test_threads_and_out(rng, method):
    a, v = random(rng, (20, 9000), "f8"), random(rng, 300, "f8")
    want = fastconv.convolve(a, v, "same", axes=1, method=method, workers=1)
    for workers in (2, 3):
        y = fastconv.convolve(a, v, "same", axes=1, method=method, workers=workers)
        np.testing.assert_array_equal(y, want)
    out = np.empty((20, 18000))[:, ::-2]
    assert fastconv.convolve(a, v, "same", axes=1, method=method, out=out) is out
    np.testing.assert_array_equal(out, want)
    inside = a.copy()
    fastconv.convolve(inside, v, "same", axes=1, method=method, out=inside)
    assert np.abs(inside - want).max() <= 2 * bound(a, v)


@pytest.mark.parametrize("method", TRANSFORMS)
def test_other_layouts_and_mixed_dtypes(rng, method):
    a, v = random(rng, 2000, "f8"), random(rng, 90, "f8")
    shifted = np.empty(16001, np.uint8)[1:].view("f8")
    shifted[:] = a
    for x in (a[::-2], a.astype(">f8"), shifted, np.broadcast_to(a, (2, 2000))[1], rng.integers(-9, 9, 2000)):
        assert_like_direct("convolve", x, v, "same", method)
    assert_like_direct("convolve", a.astype("f4"), v, "same", method)
    assert_like_direct("correlate", a, random(rng, 90, "c16"), "full", method)


@pytest.mark.parametrize("method", TRANSFORMS)
def test_what_a_transform_cannot_do(rng, method):
    for dtype in ("i4", "?", "O", "g", "e"):
        with pytest.raises(TypeError, match=f"method '{method}' cannot compute .* {np.dtype(dtype)}"):
            fastconv.convolve(np.ones(9, dtype), np.ones(3, dtype), method=method)
    many = np.ones((2,) * 8)
    with pytest.raises(TypeError, match="8 convolved axes"):
        fastconv.convolve(many, many, method=method)


def chosen(a_shape, v_shape, dtype="f4", mode="same"):
    order = tuple(range(len(a_shape)))
    dtype = np.dtype(dtype)
    posed = _problem.problem(False, a_shape, dtype, v_shape, dtype, mode, None, "zero", order)
    return _methods.choose(posed, "auto").name


def test_the_choice():
    assert chosen((10**6,), (9,)) == "direct"
    assert chosen((10**6,), (1000,)) == "overlap_save"
    assert chosen((10**6,), (10**6,)) in TRANSFORMS
    assert chosen((1000, 1000), (3, 3)) == "direct"
    assert chosen((1000, 1000), (61, 61)) == "overlap_save"
    assert chosen((64, 64, 64), (3, 3, 3)) == "direct"
    assert chosen((64, 64, 64), (16, 16, 16)) in TRANSFORMS
    assert chosen((10**6,), (1000,), "i8") == "exact"
    assert chosen((10**6,), (1000,), "O") == "direct"
