"""Which input meets which tap for which output: from shapes and words to one frozen `Geometry`.

A layer, its gradients and the transposed layer are sums over the same triples, for x of shape (N, C, *n),
w of (O, C/groups, *m) and y of (N, O, *n_out), where the channel c of w's group of the output o is meant:

    layer             y[b, o, p] = sum over c, k of w[o, c, k] x~[b, c, p stride + k dilation - lo]
    its input's       x[b, c, q] = sum over o, p, k with q = p stride + k dilation - lo of
                          w[o, c, k] y[b, o, p]
    its weight's      w[o, c, k] = sum over b, p of y[b, o, p] x~[b, c, p stride + k dilation - lo]

x~ = x continued beyond its ends by `boundary`. The transposed layer is the second sum, with y for its input.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from fastconv._problem import BOUNDARIES, ZERO

Pads = tuple[tuple[int, int], ...] | str


class Geometry(NamedTuple):
    """One layer; tuples have one entry for each spatial axis."""

    batch: int
    channels: int  # of x
    outputs: int  # channels of y
    groups: int
    n: tuple[int, ...]
    m: tuple[int, ...]
    n_out: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    lo: tuple[int, ...]
    boundary: tuple[int, ...]  # codes of BOUNDARIES; zero where an axis has no padding

    @property
    def x_shape(self) -> tuple[int, ...]:
        return self.batch, self.channels, *self.n

    @property
    def w_shape(self) -> tuple[int, ...]:
        return self.outputs, self.channels // self.groups, *self.m

    @property
    def y_shape(self) -> tuple[int, ...]:
        return self.batch, self.outputs, *self.n_out

    @property
    def reach(self) -> tuple[int, ...]:
        """Elements of x~ that an axis takes, from -lo on."""
        axes = zip(self.n_out, self.m, self.stride, self.dilation)
        return tuple((n_out - 1) * s + (m - 1) * d + 1 for n_out, m, s, d in axes)

    @property
    def terms(self) -> int:
        """Products in one output's sum."""
        return self.channels // self.groups * math.prod(self.m)

    @property
    def products(self) -> int:
        """Products in all."""
        return self.batch * self.outputs * math.prod(self.n_out) * self.terms


@lru_cache(maxsize=1024)
def layer(
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
    boundary: str,
    x_name: str = "input",
    w_name: str = "weight",
) -> Geometry:
    """The geometry of a layer with input and weight of these shapes, batch and channels first."""
    batch, channels, *n = x_shape
    outputs, per_group, *m = w_shape
    if channels != per_group * groups:
        raise ValueError(
            f"{x_name} must have groups * {w_name}.shape[1] = {groups} * {per_group} channels, "
            f"got {channels} (shape {x_shape}, {w_name} {w_shape})"
        )
    if outputs % groups:
        raise ValueError(f"groups must divide {w_name}.shape[0] = {outputs}, got {groups}")
    _not_empty(m, w_name, w_shape)
    pads = _pads(padding, stride, dilation, m)
    codes = tuple(BOUNDARIES[boundary] if any(pair) else ZERO for pair in pads)
    n_out = []
    for size, taps, s, d, (lo, hi) in zip(n, m, stride, dilation, pads):
        room = size + lo + hi - d * (taps - 1) - 1
        if room < 0:
            raise ValueError(
                f"{w_name} must fit into the padded {x_name}, got {taps} taps with dilation {d} for a length "
                f"of {lo} + {size} + {hi} (shapes {w_shape} and {x_shape})"
            )
        n_out.append(room // s + 1)
    if any(code != ZERO and size == 0 for code, size in zip(codes, n)):
        raise ValueError(f"{x_name} must not be empty where it goes on outside, got shape {x_shape}")
    lows = tuple(lo for lo, _ in pads)
    return Geometry(
        batch, channels, outputs, groups, tuple(n), tuple(m), tuple(n_out), stride, dilation, lows, codes
    )


@lru_cache(maxsize=1024)
def transposed(
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    output_padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    x_name: str = "input",
    w_name: str = "weight",
) -> Geometry:
    """The geometry of the layer whose input's gradient a transposed layer is; its x is our output."""
    batch, channels, *n = x_shape
    in_channels, per_group, *m = w_shape
    if channels != in_channels:
        raise ValueError(
            f"{x_name} must have {w_name}.shape[0] = {in_channels} channels, "
            f"got {channels} (shape {x_shape}, {w_name} {w_shape})"
        )
    if channels % groups:
        raise ValueError(f"groups must divide the {channels} channels of {x_name}, got {groups}")
    _not_empty(m, w_name, w_shape)
    if 0 in n:
        raise ValueError(f"{x_name} must not be empty along a spatial axis, got shape {x_shape}")
    sizes = []
    for size, taps, s, d, (lo, hi), extra in zip(n, m, stride, dilation, padding, output_padding):
        if extra >= max(s, d):
            raise ValueError(
                f"output_padding must be less than stride or dilation, got {extra} for stride {s} and "
                f"dilation {d}"
            )
        length = (size - 1) * s - lo - hi + d * (taps - 1) + extra + 1
        if length < 1:
            raise ValueError(
                f"padding must leave an output, got ({lo}, {hi}) of a length of {length + lo + hi} "
                f"({x_name} {x_shape}, {w_name} {w_shape})"
            )
        sizes.append(length)
    lows = tuple(lo for lo, _ in padding)
    return Geometry(
        batch,
        per_group * groups,
        channels,
        groups,
        tuple(sizes),
        tuple(m),
        tuple(n),
        stride,
        dilation,
        lows,
        (ZERO,) * len(n),
    )


def padded(geometry: Geometry) -> Geometry:
    """The same layer of an input that is continued already: x~ in place of x."""
    return geometry._replace(n=geometry.reach, lo=(0,) * len(geometry.n), boundary=(ZERO,) * len(geometry.n))


def _not_empty(m: list[int], w_name: str, w_shape: tuple[int, ...]) -> None:
    if 0 in m:
        raise ValueError(f"{w_name} must have at least one tap along each axis, got shape {w_shape}")


def _pads(
    padding: Pads, stride: tuple[int, ...], dilation: tuple[int, ...], m: list[int]
) -> tuple[tuple[int, int], ...]:
    if padding == "valid":
        return ((0, 0),) * len(m)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ValueError(f"padding 'same' needs a stride of 1, got {stride}")
        totals = [d * (taps - 1) for d, taps in zip(dilation, m)]
        return tuple((total // 2, total - total // 2) for total in totals)
    assert not isinstance(padding, str)
    return padding
