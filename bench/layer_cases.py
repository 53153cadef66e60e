"""The layers that bench_nn.py times, by section."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A layer; `of`: forward, transposed, integer (8 bits), or the gradient of the weight or the input."""

    name: str
    images: int
    channels: int
    outputs: int
    n: tuple[int, ...]
    taps: tuple[int, ...]
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    groups: int = 1
    of: str = "forward"

    @property
    def size(self) -> tuple[int, ...]:
        span = [self.dilation * (m - 1) + 1 for m in self.taps]
        if self.of == "transposed":
            return tuple((n - 1) * self.stride - 2 * self.pad + s for n, s in zip(self.n, span))
        return tuple((n + 2 * self.pad - s) // self.stride + 1 for n, s in zip(self.n, span))

    @property
    def products(self) -> float:
        """Multiply-adds of the definition, padding included."""
        pixels = math.prod(self.n if self.of == "transposed" else self.size)
        taps = math.prod(self.taps)
        return float(self.images * self.channels // self.groups * self.outputs * taps * pixels)

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.images, self.channels, *self.n)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return (self.images, self.outputs, *self.size)

    @property
    def w_shape(self) -> tuple[int, ...]:
        if self.of == "transposed":
            return (self.channels, self.outputs // self.groups, *self.taps)
        return (self.outputs, self.channels // self.groups, *self.taps)

    @property
    def result_shape(self) -> tuple[int, ...]:
        return {"weight": self.w_shape, "input": self.x_shape}.get(self.of, self.y_shape)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Two operands: input and weight, or one of them and the output's gradient. Room for the result."""
        rng = np.random.default_rng(0)
        shapes = {"weight": (self.x_shape, self.y_shape), "input": (self.y_shape, self.w_shape)}
        first, second = shapes.get(self.of, (self.x_shape, self.w_shape))
        if self.of == "integer":
            x = rng.integers(0, 256, first, dtype=np.uint8)
            return x, rng.integers(-128, 128, second, dtype=np.int8), np.zeros(self.result_shape, np.int32)
        x = rng.standard_normal(first, dtype=np.float32)
        return x, rng.standard_normal(second, dtype=np.float32), np.zeros(self.result_shape, np.float32)


def conv(name: str, c: int, o: int, n: int, m: int, **more: Any) -> Case:
    return Case(name, 1, c, o, (n, n), (m, m), **{"pad": m // 2, **more})


def planes(c: int, n: int, m: int, **more: Any) -> Case:
    return conv(f"{m}×{m} {'s2 ' if more else ''}{c} {n}²", c, c, n, m, groups=c, **more)


SECTIONS = {
    "direct": [
        conv("7×7 s2 3→64 224²", 3, 64, 224, 7, stride=2),
        conv("3×3 64 56²", 64, 64, 56, 3),
        conv("3×3 128 28²", 128, 128, 28, 3),
        conv("3×3 256 14²", 256, 256, 14, 3),
        conv("3×3 512 7²", 512, 512, 7, 3),
        conv("3×3 s2 64→128 56²", 64, 128, 56, 3, stride=2),
        conv("3×3 d2 128 28²", 128, 128, 28, 3, dilation=2, pad=2),
        conv("1×1 64→256 56²", 64, 256, 56, 1),
        conv("1×1 256→64 56²", 256, 64, 56, 1),
        conv("1×1 1024→256 14²", 1024, 256, 14, 1),
        conv("1×1 s2 256→512 56²", 256, 512, 56, 1, stride=2),
        conv("5×5 32→64 28²", 32, 64, 28, 5),
        conv("3×3 g4 128 28²", 128, 128, 28, 3, groups=4),
    ],
    "depthwise": [
        planes(32, 112, 3),
        planes(128, 56, 3),
        planes(128, 56, 3, stride=2),
        planes(512, 14, 3),
        planes(1024, 7, 3),
        planes(240, 28, 5),
        planes(96, 56, 7),
        planes(768, 7, 7),
    ],
    "other": [
        Case("conv1d 512 n=1000 k3", 1, 512, 512, (1000,), (3,), pad=1),
        Case("conv1d 1→1 k400 s160", 1, 1, 1, (160000,), (400,), stride=160),
        Case("conv1d 1→1 k4096", 1, 1, 1, (100_000,), (4096,)),
        Case("conv1d 8→8 k4096", 1, 8, 8, (30_000,), (4096,)),
        Case("conv3d 16→32 16×56² 3³", 1, 16, 32, (16, 56, 56), (3, 3, 3), pad=1),
        conv("3×3 3→16 112²", 3, 16, 112, 3),
        conv("3×3 64→1 128²", 64, 1, 128, 3),
    ],
    "small": [
        conv("3×3 16 14²", 16, 16, 14, 3),
        conv("3×3 8 8²", 8, 8, 8, 3),
        conv("1×1 32 7²", 32, 32, 7, 1),
    ],
    "transposed": [
        conv("4×4 s2 64→32 56²", 64, 32, 56, 4, stride=2, pad=1, of="transposed"),
        conv("2×2 s2 128→64 28²", 128, 64, 28, 2, stride=2, pad=0, of="transposed"),
        conv("3×3 64 56²", 64, 64, 56, 3, of="transposed"),
    ],
    "weight": [
        conv("3×3 64 56²", 64, 64, 56, 3, of="weight"),
        conv("3×3 256 14²", 256, 256, 14, 3, of="weight"),
        conv("1×1 64→256 56²", 64, 256, 56, 1, of="weight"),
        conv("7×7 s2 3→64 112²", 3, 64, 112, 7, stride=2, of="weight"),
    ],
    "input": [
        conv("3×3 64 56²", 64, 64, 56, 3, of="input"),
        conv("3×3 128 28²", 128, 128, 28, 3, of="input"),
        conv("3×3 256 14²", 256, 256, 14, 3, of="input"),
    ],
    "integer": [
        conv("7×7 s2 3→64 224²", 3, 64, 224, 7, stride=2, of="integer"),
        conv("3×3 64 56²", 64, 64, 56, 3, of="integer"),
        conv("3×3 128 28²", 128, 128, 28, 3, of="integer"),
        conv("3×3 256 14²", 256, 256, 14, 3, of="integer"),
        conv("1×1 64→256 56²", 64, 256, 56, 1, of="integer"),
        conv("1×1 256→64 56²", 256, 64, 56, 1, of="integer"),
        conv("1×1 1024→256 14²", 1024, 256, 14, 1, of="integer"),
    ],
}
