"""The drivers of CNN layers against sums over taps: dtypes, axis parameters, layouts, groups and threads."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
import reference_nn as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastconv import _layer, _layer_gradients, _layer_transposed
from fastconv._problem import BOUNDARIES

DTYPES = ["float32", "float64", "longdouble", "complex64", "complex128", "int16", "int32", "int64"]
MODES = ["zero", "reflect", "mirror", "nearest", "wrap"]


def values(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "i":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def laid_out(a, layout):
    """The same values in memory of another order, with negative strides or gaps."""
    if layout == "channels last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
    if layout == "reversed":
        return np.ascontiguousarray(a[..., ::-1])[..., ::-1]
    if layout == "gaps":
        wide = np.full([2 * n for n in a.shape], 1, a.dtype)
        wide[tuple(slice(None, None, 2) for _ in a.shape)] = a
        return wide[tuple(slice(None, None, 2) for _ in a.shape)]
    return np.ascontiguousarray(a)


LAYOUTS = ["plain", "channels last", "reversed", "gaps"]


def guarded(shape, dtype, layout):
    """An array of that layout in the midst of memory that must not change, and a check of it."""
    pattern = np.frombuffer(b"\xa5" * 16, np.uint8)
    room = 4 * math.prod(shape) * 2 ** len(shape) + 256
    memory = np.tile(pattern, room * np.dtype(dtype).itemsize // 16 + 1)
    whole = memory[: memory.size // np.dtype(dtype).itemsize * np.dtype(dtype).itemsize].view(dtype)
    order = [*range(len(shape))]
    if layout == "channels last":
        order = [0, *range(2, len(shape)), 1]
    gap = 2 if layout == "gaps" else 1
    sizes = [shape[k] * gap for k in order]
    n = math.prod(sizes)
    view = whole[64 : 64 + n].reshape(sizes)[tuple(slice(None, None, gap) for _ in order)]
    view = view.transpose(np.argsort(order))
    if layout == "reversed":
        view = view[..., ::-1]
    before = memory.copy()

    def untouched():
        expected = before[: whole.nbytes].view(dtype)
        kept = expected[64 : 64 + n].reshape(sizes)[tuple(slice(None, None, gap) for _ in order)]
        kept = kept.transpose(np.argsort(order))
        (kept[..., ::-1] if layout == "reversed" else kept)[...] = view
        return memory.tobytes() == before.tobytes()

    return view, untouched


def check(found, expected, magnitude, n_terms):
    """Integers exactly; floats within c eps sum |x| |w|, with sums of n_terms products."""
    if found.dtype.kind == "i":
        np.testing.assert_array_equal(found, expected)
        return
    eps = np.finfo(found.dtype).eps
    bound = (8 + 0.5 * min(n_terms, 400)) * eps * magnitude
    assert np.all(np.abs(found - expected) <= bound), np.max(np.abs(found - expected) / (magnitude + 1e-300))


@dataclass(frozen=True)
class Layer:
    images: int
    groups: int
    channels: int
    outputs: int
    n: tuple
    taps: tuple
    size: tuple
    stride: tuple
    dilation: tuple
    lo: tuple
    boundary: tuple

    def arguments(self):
        return self.stride, self.dilation, self.lo, tuple(BOUNDARIES[b] for b in self.boundary)

    def arrays(self, rng, dtype):
        x = values(rng, (self.images, self.groups * self.channels, *self.n), dtype)
        w = values(rng, (self.groups * self.outputs, self.channels, *self.taps), dtype)
        return x, w, values(rng, (self.groups * self.outputs,), dtype)


@st.composite
def layers(draw, most=40):
    nd = draw(st.integers(1, 3))
    small = st.integers(1, 3)
    n = tuple(draw(st.integers(1, (most, 12, 6)[nd - 1])) for _ in range(nd))
    taps = tuple(draw(st.integers(1, (12, 5, 3)[nd - 1])) for _ in range(nd))
    return Layer(
        images=draw(st.integers(0, 3)),
        groups=draw(st.integers(1, 3)),
        channels=draw(st.integers(1, 20 if nd < 3 else 5)),
        outputs=draw(st.integers(1, 20)),
        n=n,
        taps=taps,
        size=tuple(draw(st.integers(1, (90, 14, 6)[nd - 1])) for _ in range(nd)),
        stride=tuple(draw(small) for _ in range(nd)),
        dilation=tuple(draw(small) for _ in range(nd)),
        lo=tuple(draw(st.integers(-2, 2 * m)) for m in taps),
        boundary=tuple(draw(st.sampled_from(MODES)) for _ in range(nd)),
    )


def run_forward(
    layer, dtype, seed, x_layout="plain", y_layout="plain", with_bias=True, workers=1, packed=False
):
    rng = np.random.default_rng(seed)
    x, w, bias = layer.arrays(rng, dtype)
    bias = bias if with_bias else None
    y, untouched = guarded((layer.images, len(w), *layer.size), dtype, y_layout)
    weights = _layer.pack(w, layer.groups) if packed else w
    _layer.forward(laid_out(x, x_layout), weights, bias, y, *layer.arguments(), workers)
    assert untouched()
    return x, w, bias, y


@lru_cache(maxsize=64)
def expected_forward(layer, dtype, seed, with_bias):
    """What the reference finds, and the same sums of absolute values."""
    x, w, bias = layer.arrays(np.random.default_rng(seed), dtype)
    arguments = x, w, bias if with_bias else None, layer.size
    arguments += layer.stride, layer.dilation, layer.lo, layer.boundary
    magnitude = None if np.dtype(dtype).kind == "i" else reference.forward(*arguments, magnitude=True)
    return reference.forward(*arguments), magnitude


def check_forward(layer, dtype, seed, with_bias=True, **options):
    *_, y = run_forward(layer, dtype, seed, with_bias=with_bias, **options)
    expected, magnitude = expected_forward(layer, dtype, seed, with_bias)
    check(y, expected, magnitude, layer.channels * math.prod(layer.taps))


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    layers(),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS),
    st.booleans(),
    st.sampled_from([1, 2, 3, 8]),
    st.booleans(),
)
def test_forward(layer, dtype, seed, x_layout, y_layout, with_bias, workers, packed):
    check_forward(
        layer,
        dtype,
        seed,
        x_layout=x_layout,
        y_layout=y_layout,
        with_bias=with_bias,
        workers=workers,
        packed=packed,
    )


def plain(images, channels, outputs, n, taps, stride=1, dilation=1, pad=0, groups=1, boundary="zero"):
    """A layer as torch has it: one stride, dilation and padding for all axes."""
    nd = len(n)
    size = tuple((n_k + 2 * pad - dilation * (m - 1) - 1) // stride + 1 for n_k, m in zip(n, taps))
    sizes = images, groups, channels // groups, outputs // groups, n, taps, size
    return Layer(*sizes, (stride,) * nd, (dilation,) * nd, (pad,) * nd, (boundary,) * nd)


LARGER = {
    "3×3": plain(2, 24, 20, (20, 23), (3, 3), pad=1),
    "7×7 s2": plain(1, 3, 20, (40, 30), (7, 7), stride=2, pad=3),
    "1×1": plain(1, 200, 70, (14, 14), (1, 1)),
    "1×1 images": plain(5, 64, 48, (7, 7), (1, 1)),
    "1×1 s2": plain(2, 32, 48, (15, 14), (1, 1), stride=2),
    "3×3 many outputs": plain(1, 24, 260, (5, 7), (3, 3), pad=1),
    "1-D": plain(1, 30, 20, (1200,), (3,), pad=1),
    "1-D strided": plain(1, 1, 1, (3000,), (400,), stride=160),
    "1-D large kernel": plain(1, 2, 3, (600,), (400,), pad=200),
    "3-D": plain(1, 5, 9, (6, 9, 12), (3, 3, 3), pad=1),
    "dilated": plain(1, 16, 16, (20, 20), (3, 3), dilation=4, pad=4),
    "kernel larger than the input": plain(2, 3, 4, (3, 2), (7, 9), pad=5),
    "groups": plain(2, 24, 36, (15, 13), (3, 3), pad=1, groups=4),
    "depthwise": plain(1, 12, 12, (15, 13), (3, 3), pad=1, groups=12),
    "mirror": plain(1, 8, 8, (20, 20), (5, 5), pad=2, boundary="mirror"),
    "wrap": plain(1, 8, 8, (20, 20), (5, 5), pad=12, boundary="wrap"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LARGER)
def test_larger_layers(name, layout):
    check_forward(LARGER[name], "float32", 1, x_layout=layout)
    check_forward(LARGER[name], "float32", 1, y_layout=layout, packed=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["3×3", "7×7 s2", "1-D", "groups"])
def test_dtypes(name, dtype):
    check_forward(LARGER[name], dtype, 3)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*product(LARGER, DTYPES[:1]), *product(["3×3", "1-D"], DTYPES[1:])],
)
def test_bits_do_not_depend_on_threads(name, dtype):
    one, *others = (run_forward(LARGER[name], dtype, 4, workers=n)[-1] for n in (1, 2, 3, 8))
    for other in others:
        if dtype == "longdouble":  # has bytes without meaning
            np.testing.assert_array_equal(other, one)
        else:
            assert other.tobytes() == one.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int32"])
@pytest.mark.parametrize("name", ["3×3 many outputs", "1×1", "groups", "3-D"])
def test_packed_weights_give_the_same_bits(name, dtype):
    found = [run_forward(LARGER[name], dtype, 11, packed=packed)[-1] for packed in (False, True)]
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["3×3", "7×7 s2", "1×1 images", "1-D", "groups"])
def test_values_that_are_not_finite_stay_in_their_windows(name, bad):
    layer = LARGER[name]
    rng = np.random.default_rng(5)
    x, w, bias = layer.arrays(rng, "float64")
    arguments = layer.size, layer.stride, layer.dilation, layer.lo, layer.boundary
    x[(0, 1, *(n // 2 for n in layer.n))] = bad
    w[0] = 0
    y = np.empty((layer.images, len(w), *layer.size))
    _layer.forward(x, w, bias, y, *layer.arguments(), 1)
    with np.errstate(invalid="ignore"):
        expected = reference.forward(x, w, bias, *arguments)
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)
    assert 0 < np.count_nonzero(~np.isfinite(y)) < y.size


@pytest.mark.parametrize("with_bias", [False, True])
def test_without_channels_the_result_is_the_bias(with_bias):
    bias = np.arange(3.0) if with_bias else None
    y = np.full((2, 3, 5), 9.0)
    _layer.forward(np.empty((2, 0, 5)), np.empty((3, 0, 2)), bias, y, (1,), (1,), (1,), (0,), 1)
    np.testing.assert_array_equal(y, np.broadcast_to(np.arange(3.0)[:, None] * with_bias, y.shape))


def test_without_images_or_pixels_nothing_is_written():
    w = np.ones((3, 2, 2))
    _layer.forward(np.empty((0, 2, 5)), w, None, np.empty((0, 3, 4)), (1,), (1,), (0,), (0,), 1)
    _layer.forward(np.empty((2, 2, 5)), w, None, np.empty((2, 3, 0)), (1,), (1,), (0,), (0,), 1)


def test_an_input_without_pixels_is_all_padding():
    y = np.full((1, 3, 4), 9.0)
    _layer.forward(np.empty((1, 2, 0)), np.ones((3, 2, 2)), np.ones(3), y, (1,), (1,), (3,), (0,), 1)
    np.testing.assert_array_equal(y, 1)


def test_strided_weights():
    layer = LARGER["3×3"]
    x, w, bias = layer.arrays(np.random.default_rng(6), "float32")
    first, second = (np.empty((layer.images, len(w), *layer.size), "float32") for _ in range(2))
    _layer.forward(x, w, bias, first, *layer.arguments(), 1)
    _layer.forward(x, laid_out(w, "channels last"), bias[::-1].copy()[::-1], second, *layer.arguments(), 1)
    np.testing.assert_array_equal(first, second)


def transposed_arrays(layer, rng, dtype):
    """With layer.size as the input's sizes and layer.n as the result's."""
    x = values(rng, (layer.images, layer.groups * layer.outputs, *layer.size), dtype)
    w = values(rng, (layer.groups * layer.outputs, layer.channels, *layer.taps), dtype)
    return x, w, values(rng, (layer.groups * layer.channels,), dtype)


def run_transposed(layer, dtype, seed, x_layout="plain", y_layout="plain", with_bias=True, workers=1):
    x, w, bias = transposed_arrays(layer, np.random.default_rng(seed), dtype)
    bias = bias if with_bias else None
    y, untouched = guarded((layer.images, layer.groups * layer.channels, *layer.n), dtype, y_layout)
    arguments = layer.stride, layer.dilation, layer.lo, layer.groups
    _layer_transposed.transposed(laid_out(x, x_layout), w, bias, y, *arguments, workers)
    assert untouched()
    return x, w, bias, y


@lru_cache(maxsize=64)
def expected_transposed(layer, dtype, seed, with_bias):
    x, w, bias = transposed_arrays(layer, np.random.default_rng(seed), dtype)
    arguments = x, w, bias if with_bias else None, layer.n
    arguments += layer.stride, layer.dilation, layer.lo, layer.groups
    magnitude = None if np.dtype(dtype).kind == "i" else reference.transposed(*arguments, magnitude=True)
    return reference.transposed(*arguments), magnitude


def check_transposed(layer, dtype, seed, with_bias=True, **options):
    *_, y = run_transposed(layer, dtype, seed, with_bias=with_bias, **options)
    expected, magnitude = expected_transposed(layer, dtype, seed, with_bias)
    check(y, expected, magnitude, layer.outputs * math.prod(layer.taps))


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    layers(most=20),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS),
    st.booleans(),
    st.sampled_from([1, 2, 3, 8]),
)
def test_transposed(layer, dtype, seed, x_layout, y_layout, with_bias, workers):
    layer = replace(layer, size=tuple(min(n, 16) for n in layer.size))
    check_transposed(
        layer, dtype, seed, x_layout=x_layout, y_layout=y_layout, with_bias=with_bias, workers=workers
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["3×3", "7×7 s2", "1×1 s2", "1-D strided", "3-D", "dilated", "groups"])
def test_transposed_larger(name, layout):
    check_transposed(LARGER[name], "float32", 7, x_layout=layout)
    check_transposed(LARGER[name], "float32", 7, y_layout=layout)


def run_weight_gradient(layer, dtype, seed, x_layout="plain", w_layout="plain", workers=1):
    rng = np.random.default_rng(seed)
    x, w, _ = layer.arrays(rng, dtype)
    gy = values(rng, (layer.images, len(w), *layer.size), dtype)
    gw, untouched = guarded(w.shape, dtype, w_layout)
    arguments = gw, *layer.arguments(), layer.groups, workers
    _layer_gradients.weight_gradient(laid_out(x, x_layout), laid_out(gy, x_layout), *arguments)
    assert untouched()
    return x, gy, gw


def check_weight_gradient(layer, dtype, seed, **options):
    x, gy, gw = run_weight_gradient(layer, dtype, seed, **options)
    arguments = layer.taps, layer.stride, layer.dilation, layer.lo, layer.boundary, layer.groups
    expected = reference.weight_gradient(x, gy, *arguments)
    magnitude = None
    if gw.dtype.kind != "i":
        magnitude = reference.weight_gradient(x, gy, *arguments, magnitude=True)
    check(gw, expected, magnitude, layer.images * math.prod(layer.size))


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    layers(most=20),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS),
    st.sampled_from([1, 2, 3, 8]),
)
def test_weight_gradient(layer, dtype, seed, x_layout, w_layout, workers):
    check_weight_gradient(layer, dtype, seed, x_layout=x_layout, w_layout=w_layout, workers=workers)


@pytest.mark.parametrize("name", LARGER)
def test_weight_gradient_larger(name):
    check_weight_gradient(LARGER[name], "float32", 9)
    check_weight_gradient(LARGER[name], "float32", 9, x_layout="channels last", w_layout="channels last")


def test_weight_gradient_of_a_large_kernel():
    check_weight_gradient(plain(1, 2, 2, (2600,), (2500,)), "float64", 10, workers=2)


@pytest.mark.parametrize("run", [run_transposed, run_weight_gradient])
@pytest.mark.parametrize("name", ["3×3", "7×7 s2", "1×1 images", "1-D", "groups"])
def test_bits_of_gradients_do_not_depend_on_threads(name, run):
    one, *others = (run(LARGER[name], "float32", 4, workers=n)[-1] for n in (1, 2, 3, 8))
    for other in others:
        assert other.tobytes() == one.tobytes()
