"""Layers and their transposes against `reference_nn`: dtypes, layouts, boundaries, places, threads, plans."""

import copy
import doctest
import importlib.util
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from nn_cases import DTYPES, Case, back, check, check_layer, layers, numbers, seen_as

from fastconv import _layer, nn

CONV = [None, nn.conv1d, nn.conv2d, nn.conv3d]
TRANSPOSE = [None, nn.conv_transpose1d, nn.conv_transpose2d, nn.conv_transpose3d]
LAYER = [None, nn.Conv1d, nn.Conv2d, nn.Conv3d]
DOCS = Path(__file__).parents[1] / "docs"


def run(case, **more):
    """The layer's output, channels first."""
    layout = case.options.get("layout", "NCHW")
    y = CONV[case.rank](seen_as(case.x, layout), case.w, case.bias, **case.given, **more)
    return back(y, layout)


def output_size(x, w, stride, pads, extra, dilation):
    axes = zip(x.shape[2:], w.shape[2:], stride, pads, extra, dilation)
    return tuple((n - 1) * s - lo - hi + d * (k - 1) + e + 1 for n, k, s, (lo, hi), e, d in axes)


@settings(max_examples=200)
@given(layers())
def test_any_layer(case):
    check_layer(run(case), case, algorithm="auto")


@settings(max_examples=100)
@given(layers(DTYPES))
def test_any_dtype(case):
    check_layer(run(case), case, algorithm="auto")


@settings(max_examples=100)
@given(layers(["f", "d", "e", "D", "h", "Q"], ["zeros"]))
def test_any_transposed_layer(case):
    """Its input has the output's shape of `case`, its output the input's, or somewhat more."""
    rng = np.random.default_rng(1)
    shape = (len(case.x), case.w.shape[0], *case.size)
    x = numbers(rng, shape, case.x.dtype)
    bias = None if case.bias is None else numbers(rng, (case.x.shape[1],), case.x.dtype)
    extra = tuple(max(s, d) - 1 for s, d in zip(case.stride, case.dilation))
    size = output_size(x, case.w, case.stride, case.pads, extra, case.dilation)
    if min(size) < 1:
        return
    layout = case.options["layout"]
    order = case.stride, case.pads, extra, case.groups, case.dilation
    y = TRANSPOSE[case.rank](seen_as(x, layout), case.w, bias, *order, layout=layout)
    magnitude = case.transposed(x, size, bias, magnitude=True).max() if y.dtype.kind in "fc" and y.size else 0
    check(back(y, layout), case.transposed(x, size, bias), magnitude, math.prod(case.w.shape) + 1)


@pytest.mark.parametrize("dtype", ["f", "d", "e"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((2, 40, 20, 33), (36, 40, 3, 3), {"pads": ((1, 1), (1, 1))}),
        ((1, 70, 9, 9), (33, 70, 1, 1), {}),
        ((1, 3, 37, 41), (24, 3, 7, 7), {"pads": ((3, 3), (3, 3)), "stride": (2, 2)}),
        ((2, 32, 17, 19), (32, 1, 3, 3), {"groups": 32, "pads": ((1, 1), (1, 1))}),
        ((2, 48, 25, 27), (70, 24, 3, 3), {"groups": 2, "pads": ((1, 1), (0, 2))}),
        ((2, 16, 11, 19), (32, 1, 5, 5), {"groups": 16, "pads": ((2, 2), (0, 4)), "mode": "reflect"}),
        ((1, 20, 300), (17, 20, 5), {"dilation": (3,), "pads": ((6, 6),), "mode": "circular"}),
        ((1, 1, 3000), (1, 1, 200), {"stride": (160,)}),
        ((1, 2, 900), (3, 2, 200), {}),
        ((1, 16, 6, 11, 13), (18, 16, 3, 3, 3), {"pads": ((1, 1),) * 3}),
        ((2, 4, 40, 40), (4, 4, 13, 13), {}),
    ],
)
def test_larger_layers(rng, x_shape, w_shape, options, dtype):
    """Shapes that networks have, each of some tiles."""
    x, w = numbers(rng, x_shape, dtype), numbers(rng, w_shape, dtype)
    case = Case(x, w, numbers(rng, w_shape[:1], dtype), **options)
    check_layer(run(case), case, algorithm="auto")


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unbatched(rng, rank):
    x, w = numbers(rng, (4, *(7,) * rank), "f"), numbers(rng, (6, 2, *(3,) * rank), "f")
    y = CONV[rank](x, w, groups=2)
    np.testing.assert_array_equal(y, CONV[rank](x[None], w, groups=2)[0], strict=True)
    z = TRANSPOSE[rank](y, w, groups=2)
    np.testing.assert_array_equal(z, TRANSPOSE[rank](y[None], w, groups=2)[0], strict=True)
    last = CONV[rank](np.moveaxis(x, 0, -1), w, groups=2, layout="NHWC")
    np.testing.assert_array_equal(np.moveaxis(last, -1, 0), y, strict=True)


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same(rng, taps, dilation):
    """The odd element of the padding stands at the high end."""
    x, w = numbers(rng, (1, 2, 11, 12), "d"), numbers(rng, (3, 2, taps, 2), "d")
    totals = dilation * (taps - 1), dilation
    pads = tuple((total // 2, total - total // 2) for total in totals)
    y = nn.conv2d(x, w, padding="same", dilation=dilation)
    assert y.shape == (1, 3, 11, 12)
    case = Case(x, w, pads=pads, dilation=(dilation, dilation))
    check_layer(y, case, algorithm="auto")


def test_ways_to_write_padding(rng):
    x, w = numbers(rng, (1, 2, 8, 9), "f"), numbers(rng, (3, 2, 3, 3), "f")
    for padding, pads in [
        (2, ((2, 2), (2, 2))),
        (np.int64(2), ((2, 2), (2, 2))),
        ((1,), ((1, 1), (1, 1))),
        ((1, 2), ((1, 1), (2, 2))),
        ([1, 2], ((1, 1), (2, 2))),
        (((0, 1), (2, 3)), ((0, 1), (2, 3))),
        ([[0, 1]], ((0, 1), (0, 1))),
        ("valid", ((0, 0), (0, 0))),
    ]:
        check_layer(nn.conv2d(x, w, padding=padding, algorithm="direct"), Case(x, w, pads=pads))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_padding_longer_than_the_input_goes_on_with_the_pattern(rng, mode, n):
    x, w = numbers(rng, (1, 2, n), "d"), numbers(rng, (3, 2, 4), "d")
    case = Case(x, w, pads=((7, 5),), mode=mode)
    check_layer(run(case), case)


@pytest.mark.parametrize("dtype", ["f", "h", "D"])
def test_nothing(rng, dtype):
    """No images, no channels, no pixels: empty results, or the bias alone."""
    w, bias = numbers(rng, (3, 2, 2, 2), dtype), numbers(rng, (3,), dtype)
    for layout in ("NCHW", "NHWC"):
        none = seen_as(np.ones((0, 2, 5, 5), dtype), layout)
        y = nn.conv2d(none, w, bias, layout=layout)
        assert (back(y, layout).shape, y.dtype) == ((0, 3, 4, 4), np.dtype(dtype))
    assert nn.conv_transpose2d(np.ones((0, 3, 5, 5), dtype), w).shape == (0, 2, 6, 6)
    for y in [
        nn.conv2d(np.ones((1, 0, 5, 5), dtype), np.ones((3, 0, 2, 2), dtype), bias),
        nn.conv2d(np.ones((1, 2, 0, 3), dtype), w, bias, padding=2),
        nn.conv_transpose2d(np.ones((1, 0, 5, 5), dtype), np.ones((0, 3, 2, 2), dtype), bias),
    ]:
        assert (y == bias[:, None, None]).all()
    assert nn.conv2d(np.ones((1, 2, 5, 5), dtype), np.ones((0, 2, 2, 2), dtype)).shape == (1, 0, 4, 4)


def places(rng, shape, dtype):
    """Arrays of a shape: contiguous, with gaps, backwards, channels last, not aligned."""
    yield np.empty(shape, dtype)
    yield np.empty((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2]
    yield np.empty(shape, dtype)[::-1, ::-1, ::-1]
    yield np.moveaxis(np.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + 1, np.uint8)
    yield memory[1:].view(dtype).reshape(shape)


@pytest.mark.parametrize("dtype", ["f", "d", "e", "F", "h", "q"])
def test_out(rng, dtype):
    x, w = numbers(rng, (2, 6, 9, 11), dtype), numbers(rng, (8, 3, 3, 3), dtype)
    want, back_again = nn.conv2d(x, w, groups=2), nn.conv_transpose2d(x[:, :, :4], w[:6], groups=2)
    for out in places(rng, want.shape, dtype):
        assert nn.conv2d(x, w, groups=2, out=out) is out
        np.testing.assert_array_equal(out, want, strict=True)
    for out in places(rng, back_again.shape, dtype):
        assert nn.conv_transpose2d(x[:, :, :4], w[:6], groups=2, out=out) is out
        np.testing.assert_array_equal(out, back_again, strict=True)


@pytest.mark.parametrize("dtype", ["f", "d", "e", "F", "h", "q"])
def test_input_in_any_memory(rng, dtype):
    w, bias = numbers(rng, (8, 3, 3, 3), dtype), numbers(rng, (8,), dtype)
    first = numbers(rng, (2, 6, 9, 11), dtype)
    want = nn.conv2d(first, w, bias, groups=2, padding=1)
    for x in places(rng, first.shape, dtype):
        x[...] = first
        x.flags.writeable = False
        np.testing.assert_array_equal(nn.conv2d(x, w, bias, groups=2, padding=1), want, strict=True)
    swapped = [a.astype(a.dtype.newbyteorder()) for a in (first, w, bias)]
    np.testing.assert_array_equal(nn.conv2d(*swapped, groups=2, padding=1), want, strict=True)
    for weights in places(rng, w.shape, dtype):
        weights[...] = w
        np.testing.assert_array_equal(nn.conv2d(first, weights, bias, groups=2, padding=1), want, strict=True)


def test_out_may_be_the_input(rng):
    x, w = numbers(rng, (2, 4, 9, 9), "f"), numbers(rng, (4, 4, 3, 3), "f")
    want = nn.conv2d(x, w, padding=1)
    y = x.copy()
    assert nn.conv2d(y, w, padding=1, out=y) is y
    np.testing.assert_array_equal(y, want)
    v = w.copy()
    small = numbers(rng, (4, 4, 5, 5), "f")
    assert nn.conv2d(small, v, out=v) is v
    np.testing.assert_array_equal(v, nn.conv2d(small, w))


@pytest.mark.parametrize("dtype", ["f", "d", "h", "F"])
def test_threads_give_the_same_bits(rng, dtype):
    x, w = numbers(rng, (3, 32, 40, 41), dtype), numbers(rng, (40, 32, 3, 3), dtype)
    one, two = (nn.conv2d(x, w, padding=1, workers=workers) for workers in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f", "d", "e"])
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((1, 40, 15, 15), (36, 40, 3, 3), {"pads": ((1, 1), (1, 1))}),
        ((1, 8, 30, 30), (8, 1, 3, 3), {"groups": 8}),
        ((1, 1, 500), (1, 1, 100), {}),
        ((1, 2, 12, 12, 12), (3, 2, 3, 3, 3), {}),
    ],
)
def test_what_is_not_finite_reaches_the_windows_that_hold_it(rng, x_shape, w_shape, options, dtype, bad):
    x, w = numbers(rng, x_shape, dtype), numbers(rng, w_shape, dtype)
    w[..., -1] = 0  # a weight of zero lets it through, too
    x[(0, -1, *(n // 2 for n in x_shape[2:]))] = bad
    case = Case(x, w, **options)
    with np.errstate(invalid="ignore"):
        check_layer(run(case), case, algorithm="auto")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(rng, bad):
    for shape in [(34, 34, 3, 3), (34, 1, 3, 3)]:
        x, w = numbers(rng, (1, 34, 20, 20), "f"), numbers(rng, shape, "f")
        w[3, 0, 0, 1] = bad
        for pads in (((0, 0), (0, 0)), ((1, 1), (2, 2))):
            case = Case(x, w, pads=pads, groups=34 // shape[1])
            with np.errstate(invalid="ignore"):
                check_layer(run(case), case, algorithm="auto")


PLANS = [
    ((2, 6, 12, 13), (8, 3, 3, 3), {"groups": 2, "padding": 1}),
    ((1, 64, 20, 20), (64, 64, 3, 3), {"padding": "same"}),
    ((2, 8, 20), (8, 1, 5), {"groups": 8, "padding_mode": "circular", "padding": 2}),
    ((5, 9, 9, 3), (4, 3, 3, 3), {"layout": "NHWC", "stride": 2}),
    ((1, 2, 6, 7, 8), (3, 2, 3, 3, 3), {}),
]


def close(y, want):
    """Equal up to the rounding of different algorithms."""
    assert (y.dtype, y.shape) == (want.dtype, want.shape)
    if y.dtype.kind not in "fc":
        np.testing.assert_array_equal(y, want)
    eps = np.finfo(y.dtype if y.dtype.kind in "fc" else "d").eps
    np.testing.assert_allclose(y, want, rtol=4 * eps, atol=20 * eps * np.abs(want).max(initial=1))


class TestPlans:
    @pytest.mark.parametrize("dtype", ["f", "d", "e", "F", "h"])
    @pytest.mark.parametrize(("x_shape", "w_shape", "options"), PLANS)
    def test_results_are_those_of_the_function(self, rng, x_shape, w_shape, options, dtype):
        rank = len(w_shape) - 2
        w, bias = numbers(rng, w_shape, dtype), numbers(rng, w_shape[:1], dtype)
        layer = LAYER[rank](w, bias, **options)
        for _ in range(3):
            x = numbers(rng, x_shape, dtype)
            want = layer(x)
            close(want, CONV[rank](x, w, bias, **options))
            out = np.empty_like(want)
            assert layer(x, out=out, workers=2) is out
            np.testing.assert_array_equal(out, want, strict=True)
        close(layer(x[:1]), want[:1])

    def test_weight_and_bias_are_copies(self, rng):
        w, bias = numbers(rng, (4, 3, 3, 3), "f"), numbers(rng, (4,), "f")
        layer = nn.Conv2d(w, bias)
        x = numbers(rng, (1, 3, 9, 9), "f")
        want = layer(x)
        w[:] = bias[:] = 0
        np.testing.assert_array_equal(layer(x), want)
        for array in (layer.weight, layer.bias):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        assert nn.Conv2d(w).bias is None

    def test_many_threads(self, rng):
        w = numbers(rng, (40, 40, 3, 3), "f")
        layer = nn.Conv2d(w, padding=1)
        inputs = [numbers(rng, (1, 40, n, n + 1), "f") for n in (8, 13, 20) * 6]
        want = [nn.Conv2d(w, padding=1)(x) for x in inputs]
        with ThreadPoolExecutor(6) as pool:
            for y, right in zip(pool.map(layer, inputs), want):
                np.testing.assert_array_equal(y, right, strict=True)

    def test_pickles_and_copies(self, rng):
        layer = nn.Conv1d(numbers(rng, (4, 2, 3), "d"), padding=1, padding_mode="reflect")
        x = numbers(rng, (2, 2, 30), "d")
        want = layer(x)
        for other in (pickle.loads(pickle.dumps(layer)), copy.copy(layer), copy.deepcopy(layer)):
            assert type(other) is nn.Conv1d
            assert repr(other) == repr(layer)
            np.testing.assert_array_equal(other(x), want, strict=True)

    def test_repr(self):
        layer = nn.Conv2d(np.ones((4, 2, 3, 3), "f"), np.ones(4, "f"), 2, padding="valid")
        assert repr(layer) == (
            "Conv2d(<float32 weight of shape (4, 2, 3, 3) and a bias>, stride=2, padding='valid')"
        )


class TestAlgorithms:
    SHAPES = (2, 20, 13, 18), (24, 20, 3, 3)

    def test_each_is_what_explain_says(self, rng):
        x, w = numbers(rng, self.SHAPES[0], "f"), numbers(rng, self.SHAPES[1], "f")
        found = nn.explain(x, w, padding=1)
        assert next(iter(found.estimates)) == found.engine
        assert list(found.estimates.values()) == sorted(found.estimates.values())
        assert {"gemm", "winograd2", "winograd4"} <= set(found.estimates)
        assert nn.explain(x, w, padding=1, algorithm="direct").algorithm == "direct"
        assert nn.explain(x, w, padding=1, algorithm="winograd").algorithm == "winograd"
        assert nn.Conv2d(w, padding=1, algorithm="winograd").explain(x).algorithm == "winograd"
        with pytest.raises(ValueError, match="weight must have 3, 4 or 5 dimensions, got 2"):
            nn.explain(x, w[0, 0])

    @pytest.mark.parametrize("algorithm", ["direct", "winograd"])
    @pytest.mark.parametrize("dtype", ["f", "d", "e"])
    @pytest.mark.parametrize("mode", ["zeros", "reflect", "circular"])
    def test_results(self, rng, algorithm, dtype, mode):
        x, w = numbers(rng, self.SHAPES[0], dtype), numbers(rng, self.SHAPES[1], dtype)
        pads = ((1, 2), (0, 3))
        case = Case(x, w, numbers(rng, (24,), dtype), pads=pads, mode=mode)
        check_layer(run(case, algorithm=algorithm), case, 4, algorithm)

    @pytest.mark.parametrize("algorithm", ["direct", "winograd"])
    def test_gradients_and_transposed_layers(self, rng, algorithm):
        x, w = numbers(rng, self.SHAPES[0], "f"), numbers(rng, self.SHAPES[1], "f")
        for pad in (0, 1, 2):
            case = Case(x, w, pads=((pad, pad),) * 2)
            g = numbers(rng, (2, 24, *case.size), "f")
            y = nn.conv2d_input(x.shape, w, g, padding=pad, algorithm=algorithm)
            magnitude = case.input_gradient(g, magnitude=True)
            check(y, case.input_gradient(g), magnitude.max(), 216, 4)

    @pytest.mark.parametrize("dtype", ["f", "d"])
    @pytest.mark.parametrize(("channels", "size"), [(1, 30), (7, 40), (8, 40), (64, 28), (256, 14)])
    def test_what_is_chosen_is_nearly_as_exact_as_the_direct_sum(self, rng, channels, size, dtype):
        x = numbers(rng, (1, channels, size, size), dtype)
        w = numbers(rng, (32, channels, 3, 3), dtype)
        truth = Case(x.astype("g"), w.astype("g"), pads=((1, 1), (1, 1))).forward()
        direct = np.empty(truth.shape, dtype)
        _layer.forward(x, w, None, direct, (1, 1), (1, 1), (1, 1), (0, 0), 1)
        chosen = nn.Conv2d(w, padding=1)(x)
        assert np.sqrt(np.mean((chosen - truth) ** 2)) <= 4 * np.sqrt(np.mean((direct - truth) ** 2))


MODULES = ["convolution", "transposed", "gradients", "transposed_gradients", "layers", "quantised", "explain"]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module):
    failed, tried = doctest.testmod(importlib.import_module(f"fastconv.nn._{module}"))
    assert tried
    assert not failed


@pytest.mark.skipif(not DOCS.exists(), reason="docs are not here")
def test_the_examples_of_the_docs():
    failed, tried = doctest.testfile(str(DOCS / "nn.md"), module_relative=False)
    assert tried
    assert not failed


@pytest.mark.skipif(not DOCS.exists(), reason="docs are not here")
def test_the_network_of_the_docs_reads_digits():
    spec = importlib.util.spec_from_file_location("digits", DOCS / "digits.py")
    digits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(digits)
    share, n = digits.evaluate()
    assert share > 0.97
    assert n > 300
