"""Engines of direct sums in float32 beside each other: matrix products, and tiles of bfloat16 with AMX."""

import numpy as np
import pytest
from hypothesis import given, settings
from nn_cases import BOUNDARIES, Case, check, check_layer, layers, numbers

from fastconv import _kernels, nn
from fastconv.nn import _choice, _geometry

ENGINES, GRADIENTS = (
    [engine for engine in _choice.ENGINES[which] if engine.name in ("gemm", "bf16x6")]
    for which in ("layer", "weight gradient")
)
SINGLE = np.dtype("f")


def geometry_of(case):
    step = case.stride, case.pads, case.dilation, case.groups, BOUNDARIES[case.mode]
    return _geometry.layer(case.x.shape, case.w.shape, *step)


def results(case, workers=1, y=None):
    """Of each engine that can: its name and result."""
    geometry = geometry_of(case)
    for engine in ENGINES:
        if engine.can(geometry, SINGLE):
            place = np.full(geometry.y_shape, np.nan, "f") if y is None else y
            engine.run(geometry, case.x, case.w, case.bias, place, workers, {})
            yield engine.name, place


def gradients(case, g, workers=1):
    """Of the weight, for g, that of the output: each engine's name and result."""
    geometry = geometry_of(case)
    for engine in GRADIENTS:
        if engine.can(geometry, SINGLE):
            place = np.full(case.w.shape, np.nan, "f")
            engine.run(geometry, case.x, g, None, place, workers, {})
            yield engine.name, place


def check_gradient(gw, case, g):
    check(gw, case.weight_gradient(g), case.weight_gradient(g, magnitude=True), g[:, 0].size)


@settings(max_examples=150)
@given(layers(["f"]))
def test_any_layer(case):
    if case.x.size == 0:
        return
    for _, y in results(case):
        check_layer(y, case)
    g = numbers(np.random.default_rng(1), geometry_of(case).y_shape, "f")
    for _, gw in gradients(case, g):
        check_gradient(gw, case, g)


LAYERS = [
    ((2, 40, 20, 33), (36, 40, 3, 3), {"pads": ((1, 1), (1, 1))}),
    ((1, 70, 9, 9), (33, 70, 1, 1), {}),
    ((3, 64, 7, 7), (100, 64, 3, 3), {"pads": ((1, 1), (1, 1)), "mode": "reflect"}),
    ((1, 32, 37, 41), (24, 32, 5, 5), {"pads": ((2, 2), (2, 2)), "stride": (2, 2)}),
    ((1, 330, 13, 12), (16, 330, 1, 1), {"stride": (2, 3)}),
    ((2, 96, 17, 19), (48, 32, 3, 3), {"groups": 3, "dilation": (2, 3), "pads": ((2, 0), (3, 4))}),
    ((1, 65, 300), (65, 65, 5), {"dilation": (3,), "pads": ((6, 6),), "mode": "circular"}),
    ((1, 33, 6, 11, 13), (18, 33, 3, 2, 3), {"pads": ((1, 1), (0, 1), (1, 1))}),
    ((3, 32, 7, 7), (64, 32, 3, 3), {"pads": ((1, 1), (1, 1))}),
    ((2, 13, 29, 31), (32, 13, 3, 5), {"stride": (1, 2), "pads": ((1, 1), (2, 2)), "mode": "replicate"}),
    ((1, 3, 30, 37), (16, 3, 17, 17), {"pads": ((8, 8), (8, 8))}),
    ((1, 24, 40, 23), (96, 12, 3, 3), {"groups": 2, "dilation": (3, 2)}),
    ((2, 70, 90), (48, 70, 3), {"pads": ((1, 1),), "stride": (2,)}),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), LAYERS)
def test_layers_of_networks(rng, x_shape, w_shape, options):
    case = Case(
        numbers(rng, x_shape, "f"), numbers(rng, w_shape, "f"), numbers(rng, w_shape[:1], "f"), **options
    )
    for _, y in results(case):
        check_layer(y, case)
    g = numbers(rng, y.shape, "f")
    for _, gw in gradients(case, g):
        check_gradient(gw, case, g)


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), LAYERS)
def test_results_do_not_depend_on_threads(rng, x_shape, w_shape, options):
    case = Case(numbers(rng, x_shape, "f"), numbers(rng, w_shape, "f"), **options)
    expected = dict(results(case))
    g = numbers(rng, geometry_of(case).y_shape, "f")
    of_weight = dict(gradients(case, g))
    for workers in (2, 3, 8):
        for name, y in results(case, workers):
            np.testing.assert_array_equal(y, expected[name])
        for name, gw in gradients(case, g, workers):
            np.testing.assert_array_equal(gw, of_weight[name])


def test_places_of_any_strides(rng):
    x, w = numbers(rng, (2, 40, 14, 18), "f", strided=True), numbers(rng, (36, 40, 3, 3), "f", strided=True)
    case = Case(x, w, pads=((1, 1), (1, 1)))
    places = [np.empty((14, 18, 36, 2), "f").T.swapaxes(2, 3), np.empty((2, 36, 28, 36), "f")[..., ::2, ::-2]]
    for place in places:
        for _, y in results(case, y=place):
            check_layer(np.ascontiguousarray(y), case)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e-30, 3e38, 1e-42])
@pytest.mark.parametrize("where", ["input", "weight"])
def test_numbers_that_tiles_do_not_take(rng, bad, where):
    """All is then summed in float32: the same bits, and nothing is spread or lost."""
    x, w = numbers(rng, (1, 64, 12, 12), "f"), numbers(rng, (40, 64, 3, 3), "f")
    (x if where == "input" else w)[-1, 3, 1, 2] = bad
    found = dict(results(Case(x, w, pads=((1, 1), (1, 1)))))
    for y in found.values():
        np.testing.assert_array_equal(y, found["gemm"])
    case, g = Case(x, numbers(rng, (40, 64, 3, 3), "f")), numbers(rng, (1, 40, 10, 10), "f")
    if where == "weight":
        g[0, 3, 1, 2] = bad
    found = dict(gradients(case, g))
    for gw in found.values():
        np.testing.assert_array_equal(gw, found["gemm"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), LAYERS)
def test_what_is_not_finite_stays_in_its_windows(rng, x_shape, w_shape, options, bad):
    case = Case(numbers(rng, x_shape, "f"), numbers(rng, w_shape, "f"), **options)
    case.x[(-1, 0, *(n // 2 for n in x_shape[2:]))] = bad
    with np.errstate(invalid="ignore"):
        for _, y in results(case):
            check_layer(y, case)


@pytest.mark.parametrize("scale", [1e-35, 1e-12, 1e12, 1e18])
def test_any_scale(rng, scale):
    x, w = numbers(rng, (1, 64, 12, 12), "f") * np.float32(scale), numbers(rng, (40, 64, 3, 3), "f")
    for _, y in results(case := Case(x, w)):
        check_layer(y, case)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_no_window_sees_changes_no_bit(rng, workers):
    x, w = numbers(rng, (1, 64, 24, 24), "f"), numbers(rng, (40, 64, 3, 3), "f")
    case = Case(x, w, stride=(3, 2))
    before = dict(results(case, workers))
    x[..., -1] = np.nan  # beyond the last window of a row
    for name, y in results(case, workers):
        np.testing.assert_array_equal(y, before[name])


@pytest.mark.parametrize("channels", [8, 64, 512])
def test_errors_of_engines(rng, channels):
    """Tiles are as exact as sums in float32."""
    x, w = numbers(rng, (1, channels, 10, 10), "f"), numbers(rng, (32, channels, 3, 3), "f")
    truth = Case(x.astype("g"), w.astype("g")).forward()
    error = {name: np.sqrt(np.mean((y - truth) ** 2)) for name, y in results(Case(x, w))}
    assert max(error.values()) <= 1.2 * error["gemm"]


def test_many_channels_take_tiles_where_there_are_some():
    x, w = np.ones((1, 128, 28, 28), "f"), np.ones((128, 128, 3, 3), "f")
    best = "bf16x6" if _kernels.has("bf16x6") else "gemm"
    assert nn.explain(x, w, dilation=2).engine == best
    assert nn.explain(x.astype("d"), w.astype("d"), dilation=2).engine == "gemm"
