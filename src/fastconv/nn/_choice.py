"""The engines that compute a layer or its gradients, and the choice of one: the fastest by estimate.

gemm        products of matrices, without the matrix of windows: everything
bf16x6      the same sums by tiles of bfloat16, where the processor has AMX: many channels
winograd4   F(4 x 4, 3 x 3): 3 x 3 taps, no strides; a quarter of the products
winograd2   F(2 x 2, 3 x 3): the same, 4 / 9 of the products; for small images
depthwise   one channel in each group
dots        scalar products of windows: long kernels of one axis, strides
fourier     transforms of blocks: long kernels, no strides
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from fastconv import (
    _bf16x6,
    _bf16x6_gradients,
    _depthwise,
    _dots,
    _layer,
    _layer_gradients,
    _layer_transposed,
    _winograd,
)
from fastconv._problem import ZERO, Array, Kept
from fastconv.nn import _costs, _fourier
from fastconv.nn._geometry import Geometry

# (geometry, first operand, second operand, bias, result, workers, kept): computes the result. What an engine
# makes of a weight that is used again is in `kept`; None: it is used once.
Run = Callable[[Geometry, Array, Array, Array | None, Array, int, Kept | None], None]
Test = Callable[[Geometry, np.dtype[Any]], bool]
Estimate = Callable[[Geometry, np.dtype[Any], bool], float]


LONG = 32  # taps of a row, for `dots`
FEW_CHANNELS = 8
TERMS = 512  # that are summed in one go, about


class Engine(NamedTuple):
    """One way to compute one of the three sums."""

    name: str
    algorithm: str  # what the user calls its kind
    can: Test
    seconds: Estimate  # on one thread; whether the weight is prepared
    run: Run


def _anything(geometry: Geometry, dtype: np.dtype[Any]) -> bool:
    return True


def _packed(kept: Kept | None, name: str, pack: Callable[[], Any]) -> Any:
    """What an engine makes of the weight, made once for each `kept`."""
    if kept is None:
        return pack()
    if name not in kept:
        kept[name] = pack()
    return kept[name]


def _gemm(
    g: Geometry, x: Array, w: Array, bias: Array | None, y: Array, workers: int, kept: Kept | None
) -> None:
    """A weight that serves once is packed only if it is read often."""
    weight = w if kept is None else _packed(kept, "gemm", lambda: _layer.pack(w, g.groups))
    _layer.forward(x, weight, bias, y, g.stride, g.dilation, g.lo, g.boundary, workers)


def _gemm_input(
    g: Geometry, y: Array, w: Array, bias: Array | None, x: Array, workers: int, kept: Kept | None
) -> None:
    _layer_transposed.transposed(y, w, bias, x, g.stride, g.dilation, g.lo, g.groups, workers)


def _gemm_weight(
    g: Geometry, x: Array, y: Array, bias: Array | None, w: Array, workers: int, kept: Kept | None
) -> None:
    _layer_gradients.weight_gradient(x, y, w, g.stride, g.dilation, g.lo, g.boundary, g.groups, workers)


def _as_layer(g: Geometry) -> Geometry:
    """The layer that a weight's gradient is: channels are its images, the output's gradients its weights."""
    return g._replace(
        batch=g.channels, channels=g.batch, m=g.n_out, n_out=g.m, stride=g.dilation, dilation=g.stride
    )


def _fourier_weight_can(g: Geometry, dtype: np.dtype[Any]) -> bool:
    return g.groups == 1 and _fourier.can(_as_layer(g), dtype)


def _fourier_weight_seconds(g: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    return _costs.fourier(_as_layer(g), dtype, prepared)


def _fourier_weight(
    g: Geometry, x: Array, y: Array, bias: Array | None, w: Array, workers: int, kept: Kept | None
) -> None:
    turned = x.swapaxes(0, 1), y.swapaxes(0, 1), None, w.swapaxes(0, 1)
    if not _fourier.run(_as_layer(g), *turned, workers, {}):
        _gemm_weight(g, x, y, bias, w, workers, kept)


def _bf16x6_can(g: Geometry, dtype: np.dtype[Any]) -> bool:
    """Where a strip holds nothing but what windows see, so that no other number can be unusable."""
    axes = zip(g.m, g.stride, g.dilation, g.boundary)
    seen = all(s == 1 or (boundary == ZERO and (d == 1 or m == 1)) for m, s, d, boundary in axes)
    return _bf16x6.AVAILABLE and dtype.char == "f" and seen


def _bf16x6_run(
    g: Geometry, x: Array, w: Array, bias: Array | None, y: Array, workers: int, kept: Kept | None
) -> None:
    """Layers of numbers that the tiles do not take are products of matrices."""
    packed = _packed(kept, "bf16x6", lambda: _bf16x6.Weights(w, g.groups, workers))
    step = g.stride, g.dilation, g.lo, g.boundary
    if not (packed.usable and _bf16x6.correlate(_seen(g, x), packed, bias, y, *step, workers)):
        _gemm(g, x, w, bias, y, workers, kept)


def _seen(g: Geometry, x: Array) -> Array:
    """Without what is beyond the last windows."""
    ends: tuple[Any, ...] = tuple(slice(max(1, reach - lo)) for reach, lo in zip(g.reach, g.lo))
    return x[(..., *ends)]


def _bf16x6_weight(
    g: Geometry, x: Array, y: Array, bias: Array | None, w: Array, workers: int, kept: Kept | None
) -> None:
    step = g.stride, g.dilation, g.lo, g.boundary, g.groups
    if not _bf16x6_gradients.weight_gradient(_seen(g, x), y, w, *step, workers):
        _gemm_weight(g, x, y, bias, w, workers, kept)


def _bf16x6_input_can(g: Geometry, dtype: np.dtype[Any]) -> bool:
    return max(g.stride) == 1 and g.groups == 1 and _reversible(g) and _bf16x6_can(_turned(g), dtype)


def _bf16x6_input_seconds(g: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    return _costs.bf16x6(_turned(g), dtype, prepared)


def _bf16x6_input(
    g: Geometry, y: Array, w: Array, bias: Array | None, x: Array, workers: int, kept: Kept | None
) -> None:
    turned = np.ascontiguousarray(np.flip(w.swapaxes(0, 1), tuple(range(2, w.ndim))))
    _bf16x6_run(_turned(g), y, turned, bias, x, workers, None)


def _winograd_can(m: int, g: Geometry, dtype: np.dtype[Any]) -> bool:
    """Sums of few channels are so exact that F(4 x 4, 3 x 3) would have more than 4 times their error."""
    steps = g.stride == g.dilation == (1, 1)
    fits = dtype.char in "fd" and g.m == (3, 3) and g.groups < max(2, g.channels) and steps
    return fits and (m == 2 or g.channels // g.groups >= FEW_CHANNELS)


def _winograd_run(
    m: int, g: Geometry, x: Array, w: Array, bias: Array | None, y: Array, workers: int, kept: Kept | None
) -> None:
    """Group by group."""
    lo, boundary = (g.lo[0], g.lo[1]), (g.boundary[0], g.boundary[1])
    inputs, outputs = g.channels // g.groups, g.outputs // g.groups
    for group in range(g.groups):
        of, to = slice(group * inputs, (group + 1) * inputs), slice(group * outputs, (group + 1) * outputs)
        taps = w[to]
        packed = _packed(
            kept, f"winograd{m} {group}", partial(_winograd.Weights, taps, m, workers, kept is None)
        )
        part = None if bias is None else bias[to]
        _winograd.correlate(x[:, of], packed, part, y[:, to], lo, boundary, workers)


def _depthwise_can(g: Geometry, dtype: np.dtype[Any]) -> bool:
    return dtype.char in "fd" and g.groups == g.channels and g.stride[-1] <= 2


def _depthwise_run(
    g: Geometry, x: Array, w: Array, bias: Array | None, y: Array, workers: int, kept: Kept | None
) -> None:
    """Zeros around x are left out of the sums, which shows if a weight is not finite: 0 · inf is NaN."""
    if _packed(kept, "finite", lambda: bool(np.isfinite(w).all())):
        _depthwise.correlate(x, w, bias, y, g.stride, g.dilation, g.lo, g.boundary, workers)
    else:
        _gemm(g, x, w, bias, y, workers, kept)


def _depthwise_input_can(g: Geometry, dtype: np.dtype[Any]) -> bool:
    """One output for each channel."""
    return dtype.char in "fd" and g.outputs == g.channels == g.groups and not any(g.boundary)


def _depthwise_input(
    g: Geometry, y: Array, w: Array, bias: Array | None, x: Array, workers: int, kept: Kept | None
) -> None:
    """A layer without strides for each phase of the stride."""
    rank = len(g.n)
    for first, taps, step, lo in _layer_transposed.phases(g.m, g.stride, g.dilation, g.lo):
        of_phase: tuple[Any, ...] = (..., *(slice(i, None, s) for i, s in zip(first, g.stride)))
        part = x[of_phase]
        turned = np.ascontiguousarray(w[(..., *taps)])
        if turned.size:
            _depthwise.correlate(y, turned, bias, part, (1,) * rank, step, lo, (0,) * rank, workers)
        else:
            part[...] = 0 if bias is None else bias.reshape(-1, *(1,) * rank)


def _depthwise_weight_can(g: Geometry, dtype: np.dtype[Any]) -> bool:
    return dtype.char in "fd" and g.groups == g.channels and g.dilation[-1] <= 2


def _depthwise_weight(
    g: Geometry, x: Array, y: Array, bias: Array | None, w: Array, workers: int, kept: Kept | None
) -> None:
    """Layers whose weights are gradients of outputs, some rows at a time: sums apart are more exact."""
    if not np.isfinite(y).all():  # as in `_depthwise_run`
        _gemm_weight(g, x, y, bias, w, workers, kept)
        return
    planes = x.reshape(1, g.batch * g.channels, *g.n)
    rows = max(1, TERMS // math.prod(g.n_out[1:]))
    part = np.empty((1, g.batch * g.outputs, *g.m), w.dtype)
    w.fill(0)
    for first in range(0, g.n_out[0], rows):
        taps = y[:, :, first : first + rows]
        lo = (g.lo[0] - first * g.stride[0], *g.lo[1:])
        weights = taps.reshape(-1, 1, *taps.shape[2:])
        _depthwise.correlate(planes, weights, None, part, g.dilation, g.stride, lo, g.boundary, workers)
        w += part.reshape(g.batch, *w.shape).sum(0)


def _reversible(g: Geometry) -> bool:
    """Whether `_turned` is a layer: no output is beyond what its windows reach."""
    reach = (d * (m - 1) for d, m in zip(g.dilation, g.m))
    return not any(g.boundary) and all(lo <= last for lo, last in zip(g.lo, reach))


def _turned(g: Geometry) -> Geometry:
    """The layer from y to x that the gradient of an input is, without strides: its taps are reversed."""
    lo = tuple(d * (m - 1) - lo for d, m, lo in zip(g.dilation, g.m, g.lo))
    return g._replace(channels=g.outputs, outputs=g.channels, n=g.n_out, n_out=g.n, lo=lo)


def _winograd_input_can(m: int, g: Geometry, dtype: np.dtype[Any]) -> bool:
    return g.groups == 1 and _reversible(g) and _winograd_can(m, _turned(g), dtype)


def _winograd_input_seconds(m: int, g: Geometry, dtype: np.dtype[Any], prepared: bool) -> float:
    return _costs.winograd(m, _turned(g), dtype, prepared)


def _winograd_input(
    m: int, g: Geometry, y: Array, w: Array, bias: Array | None, x: Array, workers: int, kept: Kept | None
) -> None:
    turned = np.ascontiguousarray(w.swapaxes(0, 1)[:, :, ::-1, ::-1])
    _winograd_run(m, _turned(g), y, turned, bias, x, workers, None)


def _dots_can(g: Geometry, dtype: np.dtype[Any]) -> bool:
    return dtype.char in "fd" and len(g.m) == 1 and g.dilation == (1,) and g.m[0] >= LONG


def _dots_run(
    g: Geometry, x: Array, w: Array, bias: Array | None, y: Array, workers: int, kept: Kept | None
) -> None:
    _dots.correlate(x, w, bias, y, g.stride[0], g.lo[0], g.boundary[0], g.groups, workers)


def _fourier_run(
    g: Geometry, x: Array, w: Array, bias: Array | None, y: Array, workers: int, kept: Kept | None
) -> None:
    if not _fourier.run(g, x, w, bias, y, workers, {} if kept is None else kept):
        _gemm(g, x, w, bias, y, workers, kept)


def _engines() -> dict[str, list[Engine]]:
    layer = [
        Engine("gemm", "direct", _anything, _costs.gemm, _gemm),
        Engine("bf16x6", "direct", _bf16x6_can, _costs.bf16x6, _bf16x6_run),
        Engine("depthwise", "direct", _depthwise_can, _costs.depthwise, _depthwise_run),
        Engine("dots", "direct", _dots_can, _costs.dots, _dots_run),
        Engine("fourier", "fft", _fourier.can, _costs.fourier, _fourier_run),
    ]
    of_input = [
        Engine("gemm", "direct", _anything, _costs.gemm, _gemm_input),
        Engine("bf16x6", "direct", _bf16x6_input_can, _bf16x6_input_seconds, _bf16x6_input),
        Engine("depthwise", "direct", _depthwise_input_can, _costs.depthwise, _depthwise_input),
    ]
    of_weight = [
        Engine("gemm", "direct", _anything, _costs.gemm_weight, _gemm_weight),
        Engine("bf16x6", "direct", _bf16x6_can, _costs.bf16x6_weight, _bf16x6_weight),
        Engine("depthwise", "direct", _depthwise_weight_can, _costs.depthwise_weight, _depthwise_weight),
        Engine("fourier", "fft", _fourier_weight_can, _fourier_weight_seconds, _fourier_weight),
    ]
    for m in (4, 2):
        name, can, seconds = f"winograd{m}", partial(_winograd_can, m), partial(_costs.winograd, m)
        layer.append(Engine(name, "winograd", can, seconds, partial(_winograd_run, m)))
        can, seconds = partial(_winograd_input_can, m), partial(_winograd_input_seconds, m)
        of_input.append(Engine(name, "winograd", can, seconds, partial(_winograd_input, m)))
    return {"layer": layer, "input gradient": of_input, "weight gradient": of_weight}


ENGINES = _engines()


def ranked(
    which: str, geometry: Geometry, dtype: np.dtype[Any], algorithm: str, prepared: bool
) -> list[tuple[float, Engine]]:
    """The engines of an algorithm ("auto": of any) for one of the sums, from the fastest; with seconds."""
    able = [
        (engine.seconds(geometry, dtype, prepared), engine)
        for engine in ENGINES[which]
        if algorithm in ("auto", engine.algorithm) and engine.can(geometry, dtype)
    ]
    if not able:
        known = sorted({engine.algorithm for engine in ENGINES[which] if engine.can(geometry, dtype)})
        raise ValueError(
            f"algorithm for this {which} must be 'auto' or {' or '.join(map(repr, known))}, "
            f"got {algorithm!r} ({dtype} weight of shape {geometry.w_shape}, stride {geometry.stride}, "
            f"dilation {geometry.dilation}, groups {geometry.groups})"
        )
    return sorted(able, key=lambda pair: pair[0])


@lru_cache(maxsize=1024)
def choose(
    which: str, geometry: Geometry, dtype: np.dtype[Any], algorithm: str, prepared: bool = False
) -> Engine:
    """The fastest, by estimate."""
    return ranked(which, geometry, dtype, algorithm, prepared)[0][1]
