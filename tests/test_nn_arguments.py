"""Errors of `fastconv.nn` name the argument, what it was and what it must be."""

import numpy as np
import pytest

from fastconv import nn

X, W = np.ones((2, 4, 9, 9), "f"), np.ones((6, 4, 3, 3), "f")
B = np.ones(6, "f")
G = np.ones((2, 6, 7, 7), "f")
Z = np.ones((2, 6, 5, 5), "f")  # input of the transposed layer with W

LAYER = [
    ((X[0, 0], W), {}, ValueError, r"input must have 3 or 4 dimensions.*got shape \(9, 9\)"),
    ((X, W[0]), {}, ValueError, r"weight must have 4 dimensions.*got shape \(4, 3, 3\)"),
    ((X, W[:, :3]), {}, ValueError, r"input must have groups \* weight.shape\[1\] = 1 \* 3 channels, got 4"),
    (
        (X, W),
        {"groups": 2},
        ValueError,
        r"input must have groups \* weight.shape\[1\] = 2 \* 4 channels, got 4",
    ),
    ((X, W[:5, :2]), {"groups": 2}, ValueError, r"groups must divide weight.shape\[0\] = 5, got 2"),
    ((X, W), {"groups": 0}, ValueError, "groups must be at least 1, got 0"),
    ((X, W), {"groups": 1.0}, TypeError, "groups must be of integers, got 1.0"),
    ((X, W, B[:5]), {}, ValueError, r"bias must have weight.shape\[0\] = 6 elements, got 5"),
    ((X, W, B[:, None]), {}, ValueError, r"bias must have 1 dimensions.*got shape \(6, 1\)"),
    ((X, W.astype("d")), {}, TypeError, "weight must have the dtype of input, float32, got float64"),
    ((X, W, B.astype("e")), {}, TypeError, "bias must have the dtype of input, float32, got float16"),
    ((X > 0, W > 0), {}, TypeError, "weight must hold integers, float16.*got bool"),
    ((X.astype("O"), W), {}, TypeError, "input must hold integers, float16.*got object"),
    ((X.astype("g"), W.astype("g")), {}, TypeError, "weight must hold integers.*got (long|float96|float128)"),
    ((X.astype("M8[s]"), W), {}, TypeError, "input must hold integers.*got datetime64"),
    ((X, W[:, :, :0]), {}, ValueError, r"weight must have at least one tap .*got shape \(6, 4, 0, 3\)"),
    (
        (X[:, :, :2], W),
        {},
        ValueError,
        "weight must fit into the padded input, got 3 taps with dilation 1 for",
    ),
    (
        (X, W),
        {"dilation": 5},
        ValueError,
        r"weight must fit .*3 taps with dilation 5 for a length of 0 \+ 9 \+ 0",
    ),
    ((X, W), {"stride": 0}, ValueError, "stride must be at least 1, got 0"),
    ((X, W), {"stride": (1, -1)}, ValueError, r"stride must be at least 1, got \(1, -1\)"),
    ((X, W), {"stride": (1, 2, 3)}, ValueError, r"stride must be an int or a tuple of 2, got \(1, 2, 3\)"),
    ((X, W), {"stride": 1.5}, TypeError, "stride must be of integers, got 1.5"),
    ((X, W), {"stride": True}, TypeError, "stride must be of integers, got True"),
    ((X, W), {"stride": None}, TypeError, "stride must be of integers, got None"),
    ((X, W), {"dilation": 0}, ValueError, "dilation must be at least 1, got 0"),
    ((X, W), {"padding": -1}, ValueError, "padding must be at least 0, got -1"),
    ((X, W), {"padding": "full"}, ValueError, "padding must be one of 'same', 'valid', got 'full'"),
    ((X, W), {"padding": (1, 2, 3)}, ValueError, r"padding must be an int or a tuple of 2, got \(1, 2, 3\)"),
    ((X, W), {"padding": ((1, 2, 3), (1, 2))}, ValueError, r"padding in pairs must be 2 pairs \(low, high\)"),
    ((X, W), {"padding": ((1, -2), (1, 2))}, ValueError, "padding must be at least 0, got"),
    (
        (X, W),
        {"padding": "same", "stride": 2},
        ValueError,
        r"padding 'same' needs a stride of 1, got \(2, 2\)",
    ),
    ((X, W), {"padding_mode": "constant"}, ValueError, "padding_mode must be one of 'zeros', 'reflect', "),
    ((X, W), {"layout": "NWHC"}, ValueError, "layout must be one of 'NCHW', 'NHWC', got 'NWHC'"),
    ((X, W), {"algorithm": "gemm"}, ValueError, "algorithm must be one of 'auto', 'direct', "),
    ((X, W), {"algorithm": None}, TypeError, "algorithm must be one of 'auto', 'direct', "),
    (
        (X, W[:, :, :2]),
        {"algorithm": "winograd"},
        ValueError,
        "algorithm for this layer must be 'auto' or 'direct'",
    ),
    ((X, W), {"workers": 0}, ValueError, "workers must be"),
    ((X, W), {"out": [1]}, TypeError, "out must be an ndarray, got list"),
    (
        (X, W),
        {"out": np.empty((2, 6, 7, 8), "f")},
        ValueError,
        r"out must have the result's shape \(2, 6, 7, 7\)",
    ),
    (
        (X, W),
        {"out": np.empty((2, 6, 7, 7))},
        TypeError,
        "out must have the result's dtype float32, got float64",
    ),
    (
        (X[:, :, :0], W),
        {"padding": 2, "padding_mode": "circular"},
        ValueError,
        "input must not be empty where it goes on outside",
    ),
]


@pytest.mark.parametrize(("arguments", "options", "error", "words"), LAYER)
def test_layers(arguments, options, error, words):
    with pytest.raises(error, match=words):
        nn.conv2d(*arguments, **options)


@pytest.mark.parametrize(("arguments", "options", "error", "words"), LAYER)
def test_plans(arguments, options, error, words):
    """The same, when the plan is made or when it is called."""
    x, *weights = arguments
    call = {name: options[name] for name in ("out", "workers") if name in options}
    rest = {name: value for name, value in options.items() if name not in call}
    if "bias must have the dtype" in words:
        words = words.replace("input", "weight")
    with pytest.raises(error, match=words):
        nn.Conv2d(*weights, **rest)(x, **call)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((X, W), {}, ValueError, r"input must have weight.shape\[0\] = 6 channels, got 4"),
        ((Z[0, 0], W), {}, ValueError, "input must have 3 or 4 dimensions"),
        ((Z, W[0]), {}, ValueError, "weight must have 4 dimensions"),
        ((Z, W), {"groups": 4}, ValueError, "groups must divide the 6 channels of input, got 4"),
        ((Z, W, B), {}, ValueError, r"bias must have groups \* weight.shape\[1\] = 4 elements, got 6"),
        ((Z, W.astype("d")), {}, TypeError, "weight must have the dtype of input, float32, got float64"),
        (
            (Z, W),
            {"output_padding": 1},
            ValueError,
            "output_padding must be less than stride or dilation, got 1",
        ),
        ((Z, W), {"output_padding": -1}, ValueError, "output_padding must be at least 0, got -1"),
        ((Z, W), {"padding": 4}, ValueError, r"padding must leave an output, got \(4, 4\) of a length of 7"),
        (
            (Z, W),
            {"padding": "same"},
            TypeError,
            "padding must be an int, or a tuple of 2 or of pairs, got 'same'",
        ),
        ((Z[:, :, :0], W), {}, ValueError, "input must not be empty along a spatial axis"),
        ((Z, W[:, :, :0]), {}, ValueError, "weight must have at least one tap"),
        ((Z, W), {"algorithm": "fastest"}, ValueError, "algorithm must be one of"),
        (
            (Z, W),
            {"out": np.empty((2, 4, 7, 8), "f")},
            ValueError,
            r"out must have the result's shape \(2, 4, 7, 7\)",
        ),
    ],
)
def test_transposed_layers(arguments, options, error, words):
    with pytest.raises(error, match=words):
        nn.conv_transpose2d(*arguments, **options)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "words"),
    [
        ("conv2d_input", (X, W, G), TypeError, "input_size must be a tuple of ints, got"),
        ("conv2d_input", ((9, 9), W, G), ValueError, r"input_size must have 3 or 4 entries, got \(9, 9\)"),
        ("conv2d_input", ((2, 4, 9, -9), W, G), ValueError, "input_size must be at least 0, got"),
        ("conv2d_input", ((2, 4, 9, 9.0), W, G), TypeError, "input_size must be of integers, got"),
        (
            "conv2d_input",
            ((2, 3, 9, 9), W, G),
            ValueError,
            r"input_size must have groups \* weight.shape\[1\]",
        ),
        (
            "conv2d_input",
            ((2, 4, 9, 8), W, G),
            ValueError,
            r"grad_output must have the output's shape \(2, 6, 7, 6\)",
        ),
        ("conv2d_input", (X.shape, W, G.astype("d")), TypeError, "grad_output must have the dtype of weight"),
        ("conv2d_weight", (X, W, G), TypeError, "weight_size must be a tuple of ints"),
        ("conv2d_weight", (X, (6, 4, 3), G), ValueError, "weight_size must have 4 entries"),
        (
            "conv2d_weight",
            (X, (6, 2, 3, 3), G),
            ValueError,
            r"input must have groups \* weight_size.shape\[1\]",
        ),
        ("conv2d_weight", (X, W.shape, G[:, :, 1:]), ValueError, "grad_output must have the output's shape"),
        ("conv2d_weight", (X, W.shape, G.astype("d")), TypeError, "grad_output must have the dtype of input"),
        (
            "conv_transpose2d_input",
            ((2, 5, 5, 5), W, X),
            ValueError,
            r"input_size must have weight.shape\[0\] = 6",
        ),
        ("conv_transpose2d_input", (Z.shape, W, X), ValueError, r"the output's shape \(2, 4, 7, 7\)"),
        (
            "conv_transpose2d_weight",
            (Z, (6, 4, 0, 3), X),
            ValueError,
            "weight_size must have at least one tap",
        ),
        ("conv_transpose2d_weight", (Z, W.shape, X), ValueError, r"the output's shape \(2, 4, 7, 7\)"),
    ],
)
def test_gradients(name, arguments, error, words):
    with pytest.raises(error, match=words):
        getattr(nn, name)(*arguments)


def test_read_only_out():
    out = np.empty((2, 6, 7, 7), "f")
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writeable"):
        nn.conv2d(X, W, out=out)


def test_lists_will_do():
    np.testing.assert_array_equal(nn.conv1d([[1, 2, 3]], [[[1, 1]]], [1]), [[4, 6]])


def test_names_and_order_are_those_of_pytorch():
    """Positional and keyword arguments may be copied from a call of torch.nn.functional."""
    rest = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    y = nn.conv2d(input=X, weight=W, bias=B, stride=2, padding=1, dilation=1, groups=1)
    np.testing.assert_array_equal(nn.conv2d(X, W, B, 2, 1, 1, 1), y)
    z = nn.conv_transpose2d(
        input=Z, weight=W, bias=None, stride=2, padding=1, output_padding=1, groups=1, dilation=1
    )
    np.testing.assert_array_equal(nn.conv_transpose2d(Z, W, None, 2, 1, 1, 1, 1), z)
    g = nn.conv2d_input(input_size=X.shape, weight=W, grad_output=G, **rest)
    np.testing.assert_array_equal(nn.conv2d_input(X.shape, W, G, 1, 0, 1, 1), g)
    g = nn.conv2d_weight(input=X, weight_size=W.shape, grad_output=G, **rest)
    np.testing.assert_array_equal(nn.conv2d_weight(X, W.shape, G, 1, 0, 1, 1), g)
