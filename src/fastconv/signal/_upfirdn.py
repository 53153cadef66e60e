"""`upfirdn` as in `scipy.signal`: upsample, filter, downsample, without building the upsampled signal.

    y[k] = sum over i of h[k down - i up] x~[i],        x~ = x continued beyond its ends by the mode

Few outputs are scalar products, which `_polyphase` computes. For many there is a faster way: with
g = gcd(up, down), phases = up / g and step = down / g, the outputs k = r + t phases of one phase r need
every up-th tap from r down mod up, and x~ from an origin that moves by step for each t. So with x~ folded
into rows, one for each remainder modulo step, a phase is one convolution with a small kernel.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal, SupportsIndex, get_args

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check, _polyphase
from fastconv._problem import Array
from fastconv.signal import _arguments

_Mode = Literal[
    "constant",
    "symmetric",
    "reflect",
    "edge",
    "wrap",
    "smooth",
    "antisymmetric",
    "antireflect",
    "line",
]
MODES: tuple[_Mode, ...] = get_args(_Mode)
# A convolution for each phase, rather than a product for each output, if it costs at most so many
# multiplications per useful one, and saves at least so many, where an output by itself costs some more.
WASTE = 4
LEAST = 300_000
OUTPUT = 8


def upfirdn(
    h: ArrayLike,
    x: ArrayLike,
    up: SupportsIndex = 1,
    down: SupportsIndex = 1,
    axis: SupportsIndex = -1,
    mode: _Mode = "constant",
    cval: Any = 0,
) -> Array:
    """Upsample, filter with a finite impulse response, and downsample, as `scipy.signal.upfirdn`.

    Parameters
    ----------
    h : array_like
        The impulse response, one-dimensional.
    x : array_like
        The signal, of any number of dimensions.
    up, down : int
        Put ``up - 1`` zeros between the elements of `x`; keep every `down`-th element of what the filter
        gives.
    axis : int
        The axis of `x`.
    mode : str
        How `x` goes on outside: "constant", with `cval`; as in `numpy.pad` for "symmetric", "reflect", "edge"
        and "wrap"; on a straight line through the last two elements ("smooth") or through the first and the
        last ("line"); as "symmetric" with the sign changed ("antisymmetric"); or as "reflect", turned about
        the last element ("antireflect").
    cval : scalar
        The value outside for the mode "constant".

    Returns
    -------
    ndarray
        Of length ``((n - 1) * up + len(h) - 1) // down + 1`` along `axis`, and of float32, float64, complex64
        or complex128, as ``numpy.result_type(h, x, numpy.float32)``.

    Notes
    -----
    Unlike SciPy, a NaN or infinity in `x` reaches only the outputs that need it; an array of one element goes
    on as a constant where SciPy fails; and `x` may not be empty along `axis`.

    Examples
    --------
    >>> from fastconv import signal
    >>> signal.upfirdn([0.5, 1, 0.5], [1, 2, 3], up=2)      # new elements between the old
    array([0.5, 1. , 1.5, 2. , 2.5, 3. , 1.5])
    >>> signal.upfirdn([1], [0, 1, 2, 3, 4, 5], down=2)
    array([0., 2., 4.])
    """
    taps, signal = _check.array(h, "h"), _check.array(x, "x")
    if taps.ndim != 1 or taps.size == 0:
        raise ValueError(f"h must be one-dimensional and not empty, got an array of shape {taps.shape}")
    dtype = _result_dtype(taps.dtype, signal.dtype)
    up, down = _arguments.index(up, "up", 1), _arguments.index(down, "down", 1)
    if signal.ndim == 0:
        raise ValueError("x must have at least one dimension, got a scalar")
    along = _arguments.axis(axis, signal)
    chosen = _check.name("mode", mode.lower() if isinstance(mode, str) else mode, MODES)
    outside = _check.cval(cval, dtype, "cval")

    taps, rows = taps.astype(dtype), signal.swapaxes(along, -1).astype(dtype, copy=False)
    y = _resampled(taps, rows, up, down, chosen, outside)
    return np.ascontiguousarray(y.swapaxes(along, -1))


@lru_cache
def _result_dtype(h: np.dtype[Any], x: np.dtype[Any]) -> np.dtype[Any]:
    dtype = np.result_type(_check.result_dtype(h, x, ("h", "x")), np.float32)
    if dtype.char not in "fdFD":
        raise TypeError(f"h and x must promote to float32, float64, complex64 or complex128, got {dtype}")
    return dtype


def _resampled(h: Array, x: Array, up: int, down: int, mode: str, cval: Any) -> Array:
    """The result for the last axis of x."""
    n = x.shape[-1]
    n_out = ((n - 1) * up + h.size - 1) // down + 1
    phases, step = up // math.gcd(up, down), down // math.gcd(up, down)
    n_taps = -(-h.size // up)  # of the longest phase
    columns = 1 - (1 - n_taps) // step  # that the taps of a phase reach into
    saved = x.size // n * n_out // phases * (n_taps + OUTPUT)
    pays = columns * step <= WASTE * n_taps and saved >= LEAST
    y = _folded(h, x, up, down, n_out, mode, cval) if pays else _summed(h, x, up, down, n_out, mode, cval)
    if pays and not np.isfinite(y).all():
        # The zeros in the kernels, which are no taps, have spread what is not finite.
        y = np.where(np.isfinite(y), y, _summed(h, x, up, down, n_out, mode, cval))
    return y


def _summed(h: Array, x: Array, up: int, down: int, n_out: int, mode: str, cval: Any) -> Array:
    """Output by output."""
    before = 0
    if mode != "constant" or cval != 0:
        before, n = -(-h.size // up) - 1, x.shape[-1]
        x = _continued(x, before, max(0, (n_out - 1) * down // up + 1 - n), mode, cval)
    y = np.empty((*x.shape[:-1], n_out), x.dtype)
    rows = math.prod(x.shape[:-1])
    x = np.ascontiguousarray(x).reshape(rows, x.shape[-1])
    _polyphase.correlate(x, h, y.reshape(rows, n_out), up, down, before)
    return y


def _folded(h: Array, x: Array, up: int, down: int, n_out: int, mode: str, cval: Any) -> Array:
    """Phase by phase."""
    phases, step = up // math.gcd(up, down), down // math.gcd(up, down)
    turns = -(-n_out // phases)  # t = 0 ... turns - 1
    columns = 1 - (1 - -(-h.size // up)) // step
    x = _continued(x, (columns - 1) * step, turns * step - x.shape[-1], mode, cval)
    rows = x.reshape(*x.shape[:-1], turns + columns - 1, step).swapaxes(-1, -2)
    rows = np.ascontiguousarray(rows)
    y = np.empty((*x.shape[:-1], n_out), x.dtype)
    for r in range(min(phases, n_out)):
        last, first_tap = divmod(r * down, up)  # of x, and the tap that it meets
        taps, place = h[first_tap::up], y[..., r::phases]
        kernel: Array = np.zeros(columns * step, h.dtype)
        kernel[step - 1 - last :][: taps.size] = taps
        kernel = kernel.reshape(columns, step).T
        needed = rows[..., : place.shape[-1] + columns - 1]
        _arguments.run(False, needed, kernel, "valid", axes=(-2, -1), out=place[..., None, :])
    return y


def _continued(x: Array, before: int, after: int, mode: str, cval: Any) -> Array:
    """x with elements before and after it along the last axis."""
    width = [(0, 0)] * (x.ndim - 1) + [(before, after)]
    if mode == "constant":
        return np.pad(x, width, constant_values=cval)
    if mode == "antireflect":
        return np.pad(x, width, "reflect", reflect_type="odd")
    n = x.shape[-1]
    i = np.arange(-before, n + after)
    base: Any = {"antisymmetric": "symmetric", "smooth": "edge", "line": "edge"}.get(mode, mode)
    y: Array = np.pad(x, width, base)
    if mode == "antisymmetric":
        y *= np.where(i // n % 2, -1, 1)
    if mode not in ("smooth", "line") or n == 1:
        return y
    left, right = x[..., :1], x[..., -1:]
    if mode == "line":
        rise = fall = (right - left) / (n - 1)
    else:
        rise, fall = x[..., 1:2] - left, right - x[..., -2:-1]
    y[..., :before] += rise * i[:before]
    y[..., before + n :] += fall * (i[before + n :] - (n - 1))
    return y
