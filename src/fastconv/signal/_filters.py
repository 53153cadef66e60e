"""`lfilter` as in `scipy.signal`, for finite impulse responses."""

from __future__ import annotations

from typing import Any, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike

from fastconv import _check
from fastconv._problem import Array, Window
from fastconv.signal import _arguments


@overload
def lfilter(b: ArrayLike, a: ArrayLike, x: ArrayLike, axis: SupportsIndex = -1, zi: None = None) -> Array: ...
@overload
def lfilter(
    b: ArrayLike, a: ArrayLike, x: ArrayLike, axis: SupportsIndex = -1, *, zi: ArrayLike
) -> tuple[Array, Array]: ...
def lfilter(
    b: ArrayLike, a: ArrayLike, x: ArrayLike, axis: SupportsIndex = -1, zi: ArrayLike | None = None
) -> Array | tuple[Array, Array]:
    """Filter along an axis with a finite impulse response, as `scipy.signal.lfilter`.

    ``y[n] = (b[0] * x[n] + b[1] * x[n - 1] + ...) / a[0]``

    Parameters
    ----------
    b : array_like
        The impulse response, one-dimensional.
    a : array_like
        One number, by which `b` is divided. More of them would make the response infinite, for which there is
        `scipy.signal.lfilter`.
    x : array_like
        The signal, of any number of dimensions.
    axis : int
        The axis of `x` to filter along.
    zi : array_like, optional
        What earlier input adds to the first outputs: the `zf` of the call before. Of the shape of `x`, but
        with length ``len(b) - 1`` along `axis`; other axes may have length 1.

    Returns
    -------
    y : ndarray
        Of the shape of `x`.
    zf : ndarray
        What this input will add to the next outputs; only where `zi` is given.

    Raises
    ------
    NotImplementedError
        If the arguments do not promote to float32, float64, longdouble, a complex dtype or objects, as in
        SciPy.

    Examples
    --------
    A signal in two pieces:

    >>> from fastconv import signal
    >>> signal.lfilter([1.0, 0.5], 1, [1, 2, 3, 4])
    array([1. , 2.5, 4. , 5.5])
    >>> y, z = signal.lfilter([1.0, 0.5], 1, [1, 2], zi=[0])
    >>> y
    array([1. , 2.5])
    >>> y, z = signal.lfilter([1.0, 0.5], 1, [3, 4], zi=z)
    >>> y
    array([4. , 5.5])
    """
    taps, scale = np.atleast_1d(_check.array(b, "b"), _check.array(a, "a"))
    signal = _check.array(x, "x")
    for name, coefficients in (("b", taps), ("a", scale)):
        if coefficients.ndim != 1 or coefficients.size == 0:
            raise ValueError(
                f"{name} must be one-dimensional and not empty, got an array of shape {coefficients.shape}"
            )
    if scale.size > 1:
        raise ValueError(
            f"a must hold one number, got {scale.size}: this lfilter is for finite impulse responses, "
            "scipy.signal.lfilter for others"
        )
    if signal.ndim == 0:
        raise ValueError("x must have at least one dimension, got a scalar")
    along = _arguments.axis(axis, signal)
    state = None if zi is None else _state(zi, signal, along, taps.size - 1)

    used = [taps, scale, signal] if state is None else [taps, scale, signal, state]
    dtype = np.result_type(*used)
    if dtype.char not in "fdgFDGO":
        raise NotImplementedError(
            f"b, a, x and zi must promote to a float, complex or object dtype, got {dtype}"
        )
    if scale[0] == 0:
        raise ValueError("a must not be zero")
    taps = taps.astype(dtype) / scale.astype(dtype)[0]

    n, n_state = signal.shape[along], taps.size - 1
    y = _arguments.run(False, signal, taps, Window((0,), (n,)), axes=along)
    if state is None:
        return y
    zf = _arguments.run(False, signal, taps, Window((n,), (n_state,)), axes=along)
    at_once = min(n, n_state)
    first = np.moveaxis(y, along, -1)[..., :at_once]
    first += state[..., :at_once]
    later = np.moveaxis(zf, along, -1)[..., : n_state - at_once]
    later += state[..., at_once:]
    return y, zf


def _state(zi: Any, x: Array, axis: int, n_state: int) -> Array:
    """`zi` with the filtered axis last, broadcast to the rows of x."""
    state = _check.array(zi, "zi")
    shape = (*x.shape[:axis], n_state, *x.shape[axis + 1 :])
    fits = state.ndim == x.ndim and all(
        given == wanted or (given == 1 and k != axis)
        for k, (given, wanted) in enumerate(zip(state.shape, shape))
    )
    if not fits:
        raise ValueError(f"zi must have the shape {shape}, or 1 in place of rows, got {state.shape}")
    return np.moveaxis(np.broadcast_to(state, shape), axis, -1)
