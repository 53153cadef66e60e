"""Calls like earlier ones skip what those found out: results, checks and errors are those of a first call."""

import numpy as np
import pytest

from fastconv import nn
from fastconv.nn import _calls, _convolution

KINDS = [
    ((2, 3, 9, 10), (4, 3, 3, 3), {"padding": 1}),
    ((3, 9, 10), (4, 3, 3, 3), {"padding": "same"}),
    ((2, 4, 9, 10), (4, 1, 3, 3), {"groups": 4, "stride": (2, 1)}),
    ((1, 8, 20, 20), (8, 8, 3, 3), {"padding": (1, 0), "padding_mode": "reflect"}),
    ((1, 2, 20, 20), (3, 2, 5, 5), {"algorithm": "direct", "dilation": 2}),
    ((2, 9, 10, 3), (4, 3, 3, 3), {"layout": "NHWC"}),
    ((0, 3, 9, 10), (4, 3, 3, 3), {}),
]


@pytest.mark.parametrize("dtype", ["f", "d", "e", "h", "F", ">f4"])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), KINDS)
def test_a_call_again_is_the_call(rng, x_shape, w_shape, options, dtype):
    x, w, b = ((8 * rng.standard_normal(shape)).astype(dtype) for shape in (x_shape, w_shape, w_shape[:1]))
    layer = nn.Conv2d(w, b, **options)
    for bias, call in ((b, layer), (b, None), (None, None)):
        first, *others = (call(x) if call else nn.conv2d(x, w, bias, **options) for _ in range(3))
        out = np.empty_like(first)
        returned = call(x, out=out) if call else nn.conv2d(x, w, bias, **options, out=out)
        assert returned is out
        strided = np.repeat(x, 2, axis=-1)[..., ::2]
        others += [out, call(strided) if call else nn.conv2d(strided, w, bias, **options)]
        for y in others:
            assert y.dtype == first.dtype and y.tobytes() == first.tobytes()


def test_out_that_overlaps_is_written_last(rng):
    x, w = rng.standard_normal((1, 4, 12, 12)).astype("f"), rng.standard_normal((4, 4, 3, 3)).astype("f")
    expected = nn.conv2d(x, w, padding=1)
    layer = nn.Conv2d(w, padding=1)
    for call in (layer, lambda x, out: nn.conv2d(x, w, padding=1, out=out)):
        for _ in range(2):
            y = x.copy()
            assert call(y, out=y) is y
            assert np.array_equal(y, expected)
        unaligned = np.empty(expected.nbytes + 1, np.uint8)[1:].view("f").reshape(expected.shape)
        assert np.array_equal(call(x, out=unaligned), expected)
        unaligned[...] = x
        assert np.array_equal(call(unaligned, out=np.empty_like(x)), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": True}, "stride must be of integers, got True"),
        ({"stride": 1.0}, "stride must be of integers, got 1.0"),
        ({"stride": (1, True)}, "stride must be of integers"),
        ({"padding": False}, "padding must be of integers, got False"),
        ({"groups": 1.0}, "groups must be of integers, got 1.0"),
        ({"out": np.empty((1, 4, 10, 10))}, "out must have the result's dtype float32"),
        ({"out": [0.0]}, "out must be an ndarray, got list"),
        ({"workers": 1.5}, "workers must be a positive integer"),
    ],
)
def test_what_is_equal_but_wrong_is_still_wrong(options, message):
    x, w = np.ones((1, 4, 12, 12), "f"), np.ones((4, 4, 3, 3), "f")
    nn.conv2d(x, w, stride=1, padding=0, groups=1)
    nn.conv2d(x, w, stride=(1, 1))
    layer = nn.Conv2d(w)
    layer(x)
    with pytest.raises(TypeError, match=message):
        nn.conv2d(x, w, **options)
    if {"out", "workers"} & set(options):
        with pytest.raises(TypeError, match=message):
            layer(x, **options)


def test_errors_after_a_good_call(rng):
    x, w, b = np.ones((1, 4, 12, 12), "f"), np.ones((4, 4, 3, 3), "f"), np.ones(4, "f")
    layer = nn.Conv2d(w, b)
    y = layer(x)
    nn.conv2d(x, w, b)
    read_only = np.empty_like(y)
    read_only.flags.writeable = False
    for out, error in ((read_only, "writeable"), (np.empty((1, 4, 9, 9), "f"), "shape")):
        for call in (layer, lambda x, out: nn.conv2d(x, w, b, out=out)):
            with pytest.raises(ValueError, match=f"out must .*{error}"):
                call(x, out=out)
    with pytest.raises(TypeError, match="weight must have the dtype of input"):
        nn.conv2d(x, w.astype("d"), b)
    with pytest.raises(TypeError, match="bias must have the dtype of input"):
        nn.conv2d(x, w, b.astype("d"))
    with pytest.raises(ValueError, match="bias must have"):
        nn.conv2d(x, w, b[:3])
    assert np.array_equal(nn.conv2d(x, w, list(b)), y)


def test_few_kinds_are_remembered(monkeypatch, rng):
    monkeypatch.setattr(_calls, "MOST", 4)
    w = rng.standard_normal((2, 1, 3)).astype("f")
    layer = nn.Conv1d(w)
    for n in range(3, 20):
        x = rng.standard_normal((1, n)).astype("f")
        assert np.array_equal(nn.conv1d(x, w), nn.conv1d(x, w))
        assert layer(x).shape == (2, n - 2)
        assert len(layer._known) <= 4
    assert len(_convolution._known) <= 4
