"""Random layers for the tests of `fastconv.nn`, and what `reference_nn` says about them."""

import math
from dataclasses import dataclass, field

import numpy as np
import reference
import reference_nn
from hypothesis import strategies as st

BOUNDARIES = {"zeros": "zero", "reflect": "mirror", "replicate": "nearest", "circular": "wrap"}
DTYPES = ["f", "d", "e", "F", "D", "b", "B", "h", "H", "i", "I", "q", "Q"]
MOST = {1: 24, 2: 9, 3: 5}  # elements along a spatial axis


@dataclass
class Case:
    """A layer and its input; `options` are keywords of the layer's functions."""

    x: np.ndarray  # (N, C, *S)
    w: np.ndarray
    bias: np.ndarray | None = None
    stride: tuple = ()
    pads: tuple = ()
    dilation: tuple = ()
    groups: int = 1
    mode: str = "zeros"
    options: dict = field(default_factory=dict)

    def __post_init__(self):
        rank = self.rank
        self.stride, self.dilation = self.stride or (1,) * rank, self.dilation or (1,) * rank
        self.pads = self.pads or ((0, 0),) * rank

    @property
    def rank(self):
        return self.x.ndim - 2

    @property
    def given(self):
        """Keywords for functions of the layer."""
        words = {
            "stride": self.stride,
            "padding": self.pads,
            "dilation": self.dilation,
            "groups": self.groups,
        }
        return {**words, **({"padding_mode": self.mode} if self.mode != "zeros" else {}), **self.options}

    @property
    def size(self):
        """Of the output, along spatial axes."""
        axes = zip(self.x.shape[2:], self.w.shape[2:], self.stride, self.dilation, self.pads)
        return tuple((n + lo + hi - d * (k - 1) - 1) // s + 1 for n, k, s, d, (lo, hi) in axes)

    def steps(self):
        """Arguments of the reference: stride, dilation, lo."""
        return self.stride, self.dilation, tuple(lo for lo, _ in self.pads)

    def forward(self, **kwargs):
        boundary = (BOUNDARIES[self.mode],) * self.rank
        return reference_nn.forward(self.x, self.w, self.bias, self.size, *self.steps(), boundary, **kwargs)

    def input_gradient(self, g, **kwargs):
        """Of complex layers, of the conjugate weight: the derivatives' adjoint."""
        n, (stride, dilation, lo) = self.x.shape[2:], self.steps()
        reach = [size + lo + hi for size, (lo, hi) in zip(n, self.pads)]
        zero = (0,) * self.rank
        options = {"groups": self.groups, **kwargs}
        total = reference_nn.transposed(g, self.w.conj(), None, reach, stride, dilation, zero, **options)
        return folded(total, n, lo, BOUNDARIES[self.mode])

    def weight_gradient(self, g, **kwargs):
        boundary = (BOUNDARIES[self.mode],) * self.rank
        options = {"groups": self.groups, **kwargs}
        return reference_nn.weight_gradient(
            self.x.conj(), g, self.w.shape[2:], *self.steps(), boundary, **options
        )

    def transposed(self, x, size, bias=None, **kwargs):
        """The transposed layer with this layer's weight, of x."""
        options = {"groups": self.groups, **kwargs}
        return reference_nn.transposed(x, self.w, bias, size, *self.steps(), **options)


def folded(total, n, lo, boundary):
    """Along each axis, elements of a continued array added to those they are copies of."""
    for axis, (size, first) in enumerate(zip(n, lo), 2):
        lines = np.moveaxis(total, axis, 0)
        inner = np.zeros((size, *lines.shape[1:]), total.dtype)
        with np.errstate(all="ignore"):
            for i, line in enumerate(lines):
                to = reference_nn.source(i - first, size, boundary)
                if to is not None:
                    inner[to] += line
        total = np.moveaxis(inner, 0, axis)
    return total


def check(y, want, magnitude, terms, factor=1.0):
    """Assert that y is `want`, up to rounding of sums of `terms` products whose absolute values sum up to
    `magnitude`; integers must be equal."""
    __tracebackhide__ = True
    assert type(y) is np.ndarray
    assert (y.dtype, y.shape) == (want.dtype, want.shape)
    if want.dtype.kind not in "fc":
        np.testing.assert_array_equal(y, want)
        return
    work = np.finfo(np.float32 if y.dtype == np.float16 else y.dtype)
    c = (4 + math.sqrt(terms)) * (2 if y.dtype.kind == "c" else 1) * factor
    bound = c * work.eps * magnitude + terms * work.smallest_subnormal
    if y.dtype == np.float16:
        half = np.finfo(np.float16)
        bound = bound + np.maximum(magnitude * half.eps, half.smallest_subnormal)
    wide = np.clongdouble if y.dtype.kind == "c" else np.longdouble
    with np.errstate(all="ignore"):
        error = np.abs(y.astype(wide) - want)
    good = (error <= bound) | (y == want) | (np.isnan(y) & np.isnan(want))
    assert good.all(), (
        f"{np.count_nonzero(~good)} of {y.size} values are wrong; {y[~good]}, not {want[~good]}"
    )


def check_layer(y, case, factor=1.0, algorithm="direct"):
    """Errors of other algorithms than "direct" depend on the values around a window, too."""
    __tracebackhide__ = True
    real = case.forward(magnitude=True) if y.dtype.kind in "fc" else None
    if algorithm != "direct" and y.size and y.dtype.kind in "fc":
        real = np.maximum(real, np.where(np.isfinite(real), real, 0).max())
    check(y, case.forward(), real, math.prod(case.w.shape[1:]) + 1, factor)


def seen_as(x, layout):
    return x if layout == "NCHW" else np.moveaxis(x, 1, -1)


def back(x, layout):
    return x if layout == "NCHW" else np.moveaxis(x, -1, 1)


def numbers(rng, shape, dtype, strided=False):
    """Random numbers; if strided, in memory that has gaps and runs backwards."""
    if not strided:
        return reference.numbers(rng, shape, dtype)
    wide = reference.numbers(rng, (*shape[:-1], 2 * shape[-1]), dtype)
    return wide[..., ::-2] if len(shape) < 2 else wide[:, ::-1, ..., ::2]


@st.composite
def layers(draw, dtypes=("f", "d"), modes=tuple(BOUNDARIES), ranks=(1, 2, 3)):
    """Any layer, small."""
    rank, groups = draw(st.sampled_from(ranks)), draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels, outputs = (groups * draw(st.integers(1, most)) for most in (5, 9))
    dtype = draw(st.sampled_from(dtypes))
    mode = draw(st.sampled_from(modes))
    each = {"min_size": rank, "max_size": rank}
    m = draw(st.lists(st.integers(1, 4), **each))
    stride = draw(st.lists(st.integers(1, 3), **each))
    dilation = draw(st.lists(st.integers(1, 3), **each))
    n = draw(st.lists(st.integers(1, MOST[rank]), **each))
    pads = []
    for size, k, d in zip(n, m, dilation):
        lo, hi = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        pads.append((lo, max(hi, d * (k - 1) + 1 - size - lo)))
    batch = draw(st.sampled_from([1, 1, 2, 3, 0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    strided = draw(st.booleans())
    return Case(
        numbers(rng, (batch, channels, *n), dtype, strided),
        numbers(rng, (outputs, channels // groups, *m), dtype, strided),
        numbers(rng, (outputs,), dtype) if draw(st.booleans()) else None,
        tuple(stride),
        tuple(pads),
        tuple(dilation),
        groups,
        mode,
        {"layout": draw(st.sampled_from(["NCHW", "NHWC"]))},
    )
