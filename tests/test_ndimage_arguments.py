"""The arguments of fastconv.ndimage: outputs, layouts, sizes, and errors that name what is wrong."""

import numpy as np
import pytest
import reference as ref

from fastconv import ndimage

try:
    from scipy import ndimage as scipy_ndimage
except ImportError:
    scipy_ndimage = None
with_scipy = pytest.mark.skipif(scipy_ndimage is None, reason="SciPy is not installed")

W = np.array([[0.5, -1, 0], [2, 0.25, 1]])
FILTERS = {
    "correlate": lambda x, **k: ndimage.correlate(x, W.reshape((1,) * (np.ndim(x) - 2) + W.shape), **k),
    "convolve": lambda x, **k: ndimage.convolve(x, W.reshape((1,) * (np.ndim(x) - 2) + W.shape), **k),
    "correlate1d": lambda x, **k: ndimage.correlate1d(x, W[1], **k),
    "convolve1d": lambda x, **k: ndimage.convolve1d(x, W[1], 0, **k),
    "gaussian_filter": lambda x, **k: ndimage.gaussian_filter(x, 1.2, **k),
    "gaussian_filter1d": lambda x, **k: ndimage.gaussian_filter1d(x, 1.2, 0, **k),
    "gaussian_laplace": lambda x, **k: ndimage.gaussian_laplace(x, 1.2, **k),
    "gaussian_gradient_magnitude": lambda x, **k: ndimage.gaussian_gradient_magnitude(x, 1.2, **k),
    "laplace": ndimage.laplace,
    "prewitt": ndimage.prewitt,
    "scharr": ndimage.scharr,
    "sep_filter": lambda x, **k: ndimage.sep_filter(x, [W[1]] * np.ndim(x), **k),
    "sobel": ndimage.sobel,
    "uniform_filter": ndimage.uniform_filter,
    "uniform_filter1d": lambda x, **k: ndimage.uniform_filter1d(x, 4, **k),
    "unsharp_mask": ndimage.unsharp_mask,
}
each_filter = pytest.mark.parametrize("name", FILTERS)


def test_every_function_is_here():
    assert set(FILTERS) | {"generic_laplace", "generic_gradient_magnitude"} == set(ndimage.__all__)


def same(y, want):
    """Equal but for the rounding that another order of the same sums brings."""
    assert (y.dtype, y.shape) == (want.dtype, want.shape)
    if want.dtype.kind in "biu":
        np.testing.assert_array_equal(y, want)
    else:
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-4 if want.dtype.char in "fF" else 1e-11)


@each_filter
@pytest.mark.parametrize("dtype", "Bhfd")
def test_in_place(rng, name, dtype):
    x = rng.integers(0, 9, (20, 30)).astype(dtype)
    want = FILTERS[name](x)
    y = x.copy()
    assert FILTERS[name](y, output=y) is y
    same(y, want)
    base = np.zeros((25, 40), dtype)
    x, y = base[:20, :30], base[3:23, 4:34]  # the same memory, shifted
    x[:] = rng.integers(0, 9, (20, 30))
    want = FILTERS[name](x)
    FILTERS[name](x, output=y)
    same(y, want)


@each_filter
def test_outputs(rng, name):
    x = rng.integers(0, 200, (8, 9), dtype=np.uint8)
    for dtype in (np.float32, "int32", np.dtype(">i2"), ">f8", float):
        want = FILTERS[name](x, output=dtype)
        assert want.dtype == dtype and want.shape == x.shape
        for place in (
            np.empty((8, 9), dtype),
            np.empty((9, 8), dtype).T,
            np.empty((16, 27), dtype)[::-2, ::3],
        ):
            assert FILTERS[name](x, output=place) is place
            same(place, want)
        if name != "gaussian_gradient_magnitude":  # in integers: the root of a sum that has wrapped around
            complex_x = FILTERS[name](x.astype(np.complex64))
            assert complex_x.dtype == np.complex64 and not np.any(complex_x.imag)


@each_filter
@pytest.mark.parametrize("dtype", ["<u2", "<f4", "<f8", "<c16", "<f2", "?"])
def test_layouts(rng, name, dtype, tmp_path):
    x = rng.integers(0, 9, (14, 15)).astype(dtype)
    if (dtype, name) == ("<c16", "gaussian_gradient_magnitude"):
        return  # roots beside a branch cut
    want = FILTERS[name](x)
    wide = np.zeros((28, 45), dtype)
    wide[::2, ::-3] = x
    mapped = np.memmap(tmp_path / "x", dtype, "w+", shape=x.shape)
    mapped[:] = x
    mapped.flush()
    bytes_apart = np.frombuffer(b"-" + x.tobytes(), np.uint8)[1:].view(dtype).reshape(x.shape)
    for other in (
        wide[::2, ::-3],
        np.asfortranarray(x),
        x.astype(np.dtype(dtype).newbyteorder(">")),
        np.memmap(tmp_path / "x", dtype, "r", shape=x.shape),
        bytes_apart,
        np.ma.MaskedArray(x),
    ):
        y = FILTERS[name](other)
        assert type(y) is np.ndarray and y.flags.c_contiguous
        if dtype == "<f2":
            np.testing.assert_allclose(y, want, rtol=2e-3, atol=0.1)
        else:
            same(y, want)
    np.testing.assert_array_equal(mapped, x)


@each_filter
@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (1, 1), (1, 6), (2, 5), (2, 1, 1, 3, 2)])
def test_small_shapes(name, shape):
    for dtype in "Bfd":
        y = FILTERS[name](np.ones(shape, dtype))
        assert (y.shape, y.dtype) == (shape, dtype)
        with np.errstate(invalid="ignore"):
            assert FILTERS[name](np.ones(shape, dtype), mode="constant").shape == shape


@with_scipy
def test_scalars():
    for x in (np.array(3.0), np.array(3), 3):
        for mine, theirs in (
            (ndimage.correlate(x, 2.5), scipy_ndimage.correlate(x, 2.5)),
            (ndimage.gaussian_filter(x, 1), scipy_ndimage.gaussian_filter(x, 1)),
            (ndimage.uniform_filter(x), scipy_ndimage.uniform_filter(x)),
            (ndimage.laplace(x), scipy_ndimage.laplace(x)),
        ):
            ref.assert_equal(mine, np.asarray(theirs))
        with pytest.raises(np.exceptions.AxisError):
            ndimage.sobel(x)


@with_scipy
def test_axes_left_alone(rng):
    x = rng.standard_normal((5, 6, 3))
    for sigma in (0, (0, 1.5, 0), (1e-16, 0, 0)):
        want = scipy_ndimage.gaussian_filter(x, sigma)
        np.testing.assert_allclose(ndimage.gaussian_filter(x, sigma), want, atol=1e-14)
    np.testing.assert_array_equal(ndimage.uniform_filter(x, (0, 1, 1)), x)
    ref.assert_equal(ndimage.gaussian_filter(x, 0, output=np.int8), x.astype(np.int8))
    rgb = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
    by_channel = np.stack([ndimage.gaussian_filter(rgb[..., c], 2) for c in range(3)], -1)
    ref.assert_equal(ndimage.gaussian_filter(rgb, 2, axes=(0, 1)), by_channel)


@with_scipy
def test_lists():
    ref.assert_equal(
        ndimage.correlate1d([2, 8, 0, 4, 1, 9, 9, 0], [1, 3]), np.array([8, 26, 8, 12, 7, 28, 36, 9])
    )
    halves = ndimage.correlate([4, 5, 6], [0.5, 0.5])
    ref.assert_equal(halves, scipy_ndimage.correlate([4, 5, 6], [0.5, 0.5]))


X = np.ones((4, 5))
COMPLEX = np.ones((4, 5), complex)
ERRORS = {
    "input must hold numbers, got dtype object": (RuntimeError, lambda: ndimage.sobel(X.astype(object))),
    "input must hold numbers, got dtype <U1": (RuntimeError, lambda: ndimage.laplace(["a"])),
    "input must not have masked": (TypeError, lambda: ndimage.sobel(np.ma.masked_equal(X, 1))),
    "weights must hold numbers": (RuntimeError, lambda: ndimage.correlate1d(X, ["a"])),
    "weights must be one-dimensional and not empty": (RuntimeError, lambda: ndimage.convolve1d(X, [])),
    r"weights must be one-dimensional.*\(4, 5\)": (RuntimeError, lambda: ndimage.correlate1d(X, X)),
    "weights must not be empty and have a dimension for each of the 2": (
        RuntimeError,
        lambda: ndimage.correlate(X, [1]),
    ),
    "weights must not be empty and have": (RuntimeError, lambda: ndimage.convolve(X, np.ones((3, 0)))),
    "origin must be from -1 to 1 for 3 weights, got 2": (
        ValueError,
        lambda: ndimage.correlate1d(X, [1, 2, 3], origin=2),
    ),
    "origin must be from -2 to 1 for 4": (ValueError, lambda: ndimage.uniform_filter1d(X, 4, origin=2)),
    "origin must be one value or one for each of the 2": (
        RuntimeError,
        lambda: ndimage.correlate(X, X, origin=[0]),
    ),
    "origin must be an integer, got 0.5": (TypeError, lambda: ndimage.convolve(X, X, origin=0.5)),
    "mode must be one of .* got 'Reflect'": (RuntimeError, lambda: ndimage.sobel(X, mode="Reflect")),
    "mode must be one of .* got None": (RuntimeError, lambda: ndimage.correlate(X, X, mode=None)),
    r"mode must be one of .* got \['wrap', 'wrap'\]": (
        RuntimeError,
        lambda: ndimage.correlate(X, X, mode=["wrap", "wrap"]),
    ),
    "mode must be one value or one for each of the 2 axes": (
        RuntimeError,
        lambda: ndimage.laplace(X, mode=["wrap"]),
    ),
    "axis: axis 2 is out of bounds": (np.exceptions.AxisError, lambda: ndimage.gaussian_filter1d(X, 1, 2)),
    "axis must be an integer, got None": (TypeError, lambda: ndimage.sobel(X, None)),
    "axes must be from -2 to 1 .* got 2": (ValueError, lambda: ndimage.laplace(X, axes=2)),
    r"axes must be unique, got \(0, -2\)": (ValueError, lambda: ndimage.uniform_filter(X, axes=(0, -2))),
    "axes must be an integer, got 'x'": (TypeError, lambda: ndimage.gaussian_laplace(X, 1, axes="x")),
    "cval must be real for a real input": (TypeError, lambda: ndimage.sobel(X, cval=1j)),
    "cval must be a number": (TypeError, lambda: ndimage.correlate(X, X, cval="1")),
    "cval must be a number, got None": (TypeError, lambda: ndimage.uniform_filter(X, cval=None)),
    r"output must have input's shape \(4, 5\), got \(4,\)": (
        RuntimeError,
        lambda: ndimage.sobel(X, output=np.ones(4)),
    ),
    "output must have a complex dtype, got float64": (
        RuntimeError,
        lambda: ndimage.sobel(COMPLEX, output=X.copy()),
    ),
    "output must be a complex dtype, got 'f4'": (RuntimeError, lambda: ndimage.sobel(COMPLEX, output="f4")),
    "output must hold numbers, got dtype object": (RuntimeError, lambda: ndimage.sobel(X, output=object)),
    "output must be an array, a dtype or None": (TypeError, lambda: ndimage.sobel(X, output=[1.0])),
    "output must be writeable": (
        ValueError,
        lambda: ndimage.sobel(X, output=np.broadcast_to(np.zeros(5), (4, 5))),
    ),
    "sigma must be positive, got 0": (ValueError, lambda: ndimage.gaussian_filter1d(X, 0)),
    "sigma must be one value or one for each of the 2": (
        RuntimeError,
        lambda: ndimage.gaussian_filter(X, [1, 2, 3]),
    ),
    "order must not be negative": (ValueError, lambda: ndimage.gaussian_filter(X, 1, -1)),
    "order must be an integer, got 1.5": (TypeError, lambda: ndimage.gaussian_filter1d(X, 1, order=1.5)),
    "radius must be a non-negative integer, got -1": (
        ValueError,
        lambda: ndimage.gaussian_filter(X, 1, radius=-1),
    ),
    "radius must be a non-negative integer, got 1.1": (
        ValueError,
        lambda: ndimage.gaussian_filter1d(X, 1, radius=1.1),
    ),
    "truncate must make a finite radius, got inf": (
        ValueError,
        lambda: ndimage.gaussian_filter(X, 1, truncate=np.inf),
    ),
    "size must be at least 1, got 0": (RuntimeError, lambda: ndimage.uniform_filter1d(X, 0)),
    "size must be at least 1, got -3": (RuntimeError, lambda: ndimage.uniform_filter(X, -3)),
    "size must be an integer, got 2.5": (TypeError, lambda: ndimage.uniform_filter(X, 2.5)),
    "kernels must have one entry for each of the 2 axes": (
        RuntimeError,
        lambda: ndimage.sep_filter(X, [[1, 2]]),
    ),
    "kernels must be one-dimensional": (RuntimeError, lambda: ndimage.sep_filter(X, [[[1]], [1]])),
    "rounding must be one of 'truncate', 'nearest', got 'up'": (
        ValueError,
        lambda: ndimage.sobel(X, rounding="up"),
    ),
    "overflow must be one of": (ValueError, lambda: ndimage.gaussian_laplace(X, 1, overflow=None)),
    "accumulate must be one of": (ValueError, lambda: ndimage.correlate(X, X, accumulate="int32")),
    "unexpected keyword argument 'sizes'": (TypeError, lambda: ndimage.correlate(X, X, sizes=3)),
    "unexpected keyword argument 'size'": (TypeError, lambda: ndimage.gaussian_laplace(X, 1, size=3)),
    "workers": (ValueError, lambda: ndimage.correlate(X, X, workers=0)),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message):
    error, call = ERRORS[message]
    with pytest.raises(error, match=message):
        call()


def test_output_is_left_alone_by_errors(rng):
    y = rng.standard_normal((4, 5))
    kept = y.copy()
    for options in ({"mode": "none"}, {"cval": "x"}, {"origin": 9}, {"rounding": 1}):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            ndimage.correlate(X, X, output=y, **options)
    np.testing.assert_array_equal(y, kept)


def test_real_outputs_of_complex_numbers():
    with pytest.warns(UserWarning, match="promoting specified output dtype to complex") as found:
        y = ndimage.correlate1d(COMPLEX, [1], output=np.float32)
    assert y.dtype == np.complex64 and found[0].filename == __file__
