"""Gradients of layers and transposed layers: against `reference_nn`, finite differences, the adjoint."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn_cases import BOUNDARIES, Case, back, check, layers, numbers, seen_as

from fastconv import nn
from fastconv.nn import _choice, _geometry


def function(name, rank):
    return getattr(nn, name.replace("Nd", f"{rank}d"))


def gradients(case, g):
    """Of the input and the weight, channels first."""
    layout = case.options.get("layout", "NCHW")
    x, g = seen_as(case.x, layout), seen_as(g, layout)
    of_input = function("convNd_input", case.rank)(x.shape, case.w, g, **case.given)
    of_weight = function("convNd_weight", case.rank)(x, case.w.shape, g, **case.given)
    return back(of_input, layout), of_weight


def check_gradients(case, g):
    __tracebackhide__ = True
    of_input, of_weight = gradients(case, g)
    floats = case.x.dtype.kind in "fc"
    outputs = len(case.w) // case.groups
    copies = 1 if case.mode == "zeros" else 1 + max(map(sum, case.pads)) ** case.rank
    terms = outputs * math.prod(case.w.shape[2:]) * copies
    magnitude = case.input_gradient(g, magnitude=True) if floats else np.zeros(1)
    magnitude = magnitude.max(initial=0)  # whatever the algorithm
    check(of_input, case.input_gradient(g), magnitude, terms, 2)
    magnitude = case.weight_gradient(g, magnitude=True) if floats else None
    check(of_weight, case.weight_gradient(g), magnitude, len(g) * math.prod(case.size) + 1)


@settings(max_examples=150)
@given(layers())
def test_any_layer(case):
    rng = np.random.default_rng(2)
    check_gradients(case, numbers(rng, (len(case.x), len(case.w), *case.size), case.x.dtype))


@settings(max_examples=60)
@given(layers(["F", "D", "b", "H", "i", "Q"]))
def test_any_dtype(case):
    rng = np.random.default_rng(2)
    check_gradients(case, numbers(rng, (len(case.x), len(case.w), *case.size), case.x.dtype))


def engines_of_weight(case, g):
    """The gradient of the weight by each engine that can, the user's choice apart."""
    geometry = _geometry.layer(
        case.x.shape, case.w.shape, case.stride, case.pads, case.dilation, case.groups, BOUNDARIES[case.mode]
    )
    for engine in _choice.ENGINES["weight gradient"]:
        if engine.can(geometry, case.x.dtype):
            w = np.full(case.w.shape, np.nan, case.x.dtype)
            engine.run(geometry, case.x.conj(), g, None, w, 1, {})
            yield engine.name, w


def check_engines_of_weight(case):
    g = numbers(np.random.default_rng(2), (len(case.x), len(case.w), *case.size), case.x.dtype)
    want, magnitude = case.weight_gradient(g), case.weight_gradient(g, magnitude=True)
    names = set()
    for name, w in engines_of_weight(case, g):
        bound = np.broadcast_to(magnitude.max(initial=0), w.shape) if name == "fourier" else magnitude
        check(w, want, bound, len(g) * math.prod(case.size) + 1)
        names.add(name)
    return names


@settings(max_examples=60)
@given(layers(["f", "d"], ["zeros"]), st.booleans())
def test_engines_of_the_input(case, apart):
    if not case.x.size:
        return
    if apart:  # one channel in each group
        channels = case.x.shape[1]
        case = replace(case, w=case.w[:1, :1].repeat(channels, 0), groups=channels)
    geometry = _geometry.layer(
        case.x.shape, case.w.shape, case.stride, case.pads, case.dilation, case.groups, "zero"
    )
    g = numbers(np.random.default_rng(2), geometry.y_shape, case.x.dtype)
    bias = numbers(np.random.default_rng(3), case.x.shape[1], case.x.dtype)
    at = bias.reshape(-1, *(1,) * case.rank)
    want = case.input_gradient(g) + at
    magnitude = (case.input_gradient(g, magnitude=True) + np.abs(at)).max(initial=0)
    names = set()
    for engine in _choice.ENGINES["input gradient"]:
        if engine.can(geometry, case.x.dtype):
            x = np.full(case.x.shape, np.nan, case.x.dtype)
            engine.run(geometry, g, case.w, bias, x, 1, {})
            check(x, want.astype(x.dtype), magnitude, math.prod(case.w.shape) + 1, 2)
            names.add(engine.name)
    assert names >= ({"gemm", "depthwise"} if apart else {"gemm"})


@settings(max_examples=60)
@given(layers(["f", "d", "F"]))
def test_engines_of_the_weight(case):
    if case.x.size:
        check_engines_of_weight(case)


@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((2, 3, 400), (4, 3, 150), {}),
        ((2, 2, 40, 37), (3, 2, 9, 11), {}),
        ((3, 4, 1500), (8, 1, 20), {"groups": 4}),
        ((2, 3, 41, 45), (3, 1, 3, 5), {"groups": 3, "stride": (2, 1), "dilation": (1, 2)}),
        ((2, 2, 9, 20, 21), (2, 1, 2, 3, 3), {"groups": 2, "stride": (1, 2, 2)}),
    ],
)
def test_engines_of_larger_weights(rng, x_shape, w_shape, options, mode):
    pads = ((3, 2),) * (len(x_shape) - 2)
    case = Case(numbers(rng, x_shape, "f"), numbers(rng, w_shape, "f"), None, pads=pads, mode=mode, **options)
    assert check_engines_of_weight(case) >= {"gemm", "depthwise" if case.groups > 1 else "fourier"}


def test_long_weights_by_transforms_keep_what_is_not_finite_in_its_sums(rng):
    x, g = numbers(rng, (1, 2, 300), "d"), numbers(rng, (1, 3, 237), "d")
    clean = nn.conv1d_weight(x, (3, 2, 64), g, algorithm="fft")
    np.testing.assert_allclose(clean, nn.conv1d_weight(x, (3, 2, 64), g, algorithm="direct"), atol=1e-11)
    x[0, 1, 20] = np.inf
    spoiled = ~np.isfinite(nn.conv1d_weight(x, (3, 2, 64), g, algorithm="fft"))
    reached = np.zeros((3, 2, 64), bool)
    reached[:, 1, :21] = True
    assert np.array_equal(spoiled, reached)


@settings(max_examples=30)
@given(layers(["e"], ["zeros"]))
def test_float16(case):
    rng = np.random.default_rng(2)
    check_gradients(case, numbers(rng, (len(case.x), len(case.w), *case.size), case.x.dtype))


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((2, 34, 14, 15), (36, 34, 3, 3), {"pads": ((1, 1), (1, 1))}),
        ((1, 33, 9, 9), (40, 33, 1, 1), {}),
        ((1, 3, 37, 31), (24, 3, 7, 7), {"pads": ((3, 3), (3, 3)), "stride": (2, 2)}),
        ((2, 32, 17, 19), (32, 1, 3, 3), {"groups": 32, "pads": ((1, 1), (1, 1))}),
        ((1, 20, 200), (17, 20, 5), {"dilation": (3,), "pads": ((6, 6),), "mode": "circular"}),
        ((1, 8, 6, 9, 7), (9, 8, 3, 3, 3), {"pads": ((1, 1),) * 3}),
    ],
)
def test_larger_layers(rng, x_shape, w_shape, options, dtype):
    case = Case(numbers(rng, x_shape, dtype), numbers(rng, w_shape, dtype), **options)
    check_gradients(case, numbers(rng, (x_shape[0], w_shape[0], *case.size), dtype))


def differences(f, x, step=1e-6):
    """The gradient of f at x by central differences."""
    g = np.empty_like(x)
    for i in np.ndindex(*x.shape):
        high, low = x.copy(), x.copy()
        high[i] += step
        low[i] -= step
        g[i] = (f(high) - f(low)) / (2 * step)
    return g


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("mode", list(BOUNDARIES))
def test_finite_differences(rng, rank, mode):
    x, w = numbers(rng, (2, 4, *(5,) * rank), "d"), numbers(rng, (6, 2, *(2,) * rank), "d")
    options = {"stride": 2, "padding": ((2, 1),) * rank, "dilation": 2, "groups": 2, "padding_mode": mode}
    layer = function("convNd", rank)
    g = numbers(rng, layer(x, w, **options).shape, "d")
    of_input = function("convNd_input", rank)(x.shape, w, g, **options)
    of_weight = function("convNd_weight", rank)(x, w.shape, g, **options)

    def loss(x, w):
        return (g * layer(x, w, **options)).sum()

    np.testing.assert_allclose(of_input, differences(lambda x: loss(x, w), x), atol=1e-7)
    np.testing.assert_allclose(of_weight, differences(lambda w: loss(x, w), w), atol=1e-7)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_transposed_layers_by_finite_differences(rng, rank, layout):
    x, w = numbers(rng, (2, 4, *(3,) * rank), "d"), numbers(rng, (4, 3, *(2,) * rank), "d")
    x = seen_as(x, layout).copy()
    options = {"stride": 3, "padding": ((1, 0),) * rank, "output_padding": 1, "groups": 2, "dilation": 2}
    options["layout"] = layout
    layer = function("conv_transposeNd", rank)
    g = numbers(rng, layer(x, w, **options).shape, "d")
    of_input = function("conv_transposeNd_input", rank)(x.shape, w, g, **options)
    of_weight = function("conv_transposeNd_weight", rank)(x, w.shape, g, **options)

    def loss(x, w):
        return (g * layer(x, w, **options)).sum()

    np.testing.assert_allclose(of_input, differences(lambda x: loss(x, w), x), atol=1e-7)
    np.testing.assert_allclose(of_weight, differences(lambda w: loss(x, w), w), atol=1e-7)


def test_complex_layers_are_adjoint(rng):
    """<g, layer(x)> = <gradient, x> with <a, b> = sum of conj(a) b, and the same in w."""
    x, w = numbers(rng, (2, 4, 7, 8), "D"), numbers(rng, (6, 2, 3, 2), "D")
    options = {"stride": 2, "padding": 1, "groups": 2}
    y = nn.conv2d(x, w, **options)
    g = numbers(rng, y.shape, "D")
    of_input = nn.conv2d_input(x.shape, w, g, **options)
    of_weight = nn.conv2d_weight(x, w.shape, g, **options)
    assert np.isclose(np.vdot(of_input, x), np.vdot(g, y))
    assert np.isclose(np.vdot(of_weight, w), np.vdot(g, y))
    z = nn.conv_transpose2d(g, w, **options)
    h = numbers(rng, z.shape, "D")
    assert np.isclose(np.vdot(nn.conv_transpose2d_input(g.shape, w, h, **options), g), np.vdot(h, z))
    assert np.isclose(np.vdot(nn.conv_transpose2d_weight(g, w.shape, h, **options), w), np.vdot(h, z))


def test_unbatched_and_out(rng):
    x, w = numbers(rng, (4, 9, 9), "f"), numbers(rng, (6, 4, 3, 3), "f")
    g = numbers(rng, (6, 7, 7), "f")
    of_input, of_weight = nn.conv2d_input(x.shape, w, g), nn.conv2d_weight(x, w.shape, g)
    np.testing.assert_array_equal(of_input, nn.conv2d_input((1, *x.shape), w, g[None])[0], strict=True)
    np.testing.assert_array_equal(of_weight, nn.conv2d_weight(x[None], w.shape, g[None]), strict=True)
    for out in (np.empty_like(x), np.empty((4, 9, 18), "f")[..., ::2]):
        assert nn.conv2d_input(x.shape, w, g, out=out) is out
        np.testing.assert_array_equal(out, of_input)
    for out in (np.empty_like(w), np.empty((3, 3, 4, 6), "f").T, w):
        assert nn.conv2d_weight(x, w.shape, g, out=out) is out
        np.testing.assert_array_equal(out, of_weight)


def test_no_images(rng):
    w = numbers(rng, (6, 4, 3, 3), "f")
    assert nn.conv2d_input((0, 4, 9, 9), w, np.ones((0, 6, 7, 7), "f")).shape == (0, 4, 9, 9)
    of_weight = nn.conv2d_weight(np.ones((0, 4, 9, 9), "f"), w.shape, np.ones((0, 6, 7, 7), "f"))
    np.testing.assert_array_equal(of_weight, np.zeros_like(w), strict=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_give_the_same_bits(rng, workers):
    x, w = numbers(rng, (3, 16, 30, 31), "f"), numbers(rng, (20, 16, 3, 3), "f")
    g = numbers(rng, (3, 20, 28, 29), "f")
    for name, arguments in [("conv2d_input", (x.shape, w, g)), ("conv2d_weight", (x, w.shape, g))]:
        one, more = (getattr(nn, name)(*arguments, workers=n) for n in (1, workers))
        assert one.tobytes() == more.tobytes()


def test_inputs_that_no_window_reaches_have_no_gradient():
    """A stride may leave out the last rows."""
    of_input = nn.conv1d_input((1, 8), np.ones((1, 1, 2)), np.ones((1, 2)), stride=4)
    np.testing.assert_array_equal(of_input, [[1, 1, 0, 0, 1, 1, 0, 0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("groups", [1, 6])
def test_gradients_of_outputs_that_are_not_finite(rng, groups, bad):
    """They meet the zeros around the input, too."""
    x, w = numbers(rng, (2, 6, 20, 21), "f"), numbers(rng, (6, 6 // groups, 3, 3), "f")
    case = Case(x, w, pads=((1, 1), (1, 1)), groups=groups)
    g = numbers(rng, (2, 6, *case.size), "f")
    g[1, 2, 0, 5] = bad
    with np.errstate(invalid="ignore"):
        gw = nn.conv2d_weight(x, w.shape, g, **case.given)
        check(gw, case.weight_gradient(g), case.weight_gradient(g, magnitude=True), g[:, 0].size)
