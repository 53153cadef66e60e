"""`convolve` and `correlate` over all axes, as in `scipy.signal`, and what goes with them."""

from __future__ import annotations

import timeit
from functools import partial
from typing import Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike

from fastconv._methods import choose
from fastconv._problem import Array, Window, problem
from fastconv._repr import short
from fastconv.signal import _arguments

_Mode = Literal["full", "valid", "same"]
_Method = Literal["auto", "direct", "fft"]


def convolve(in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", method: _Method = "auto") -> Any:
    """Convolve two N-dimensional arrays, as `scipy.signal.convolve`.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of the same number of dimensions.
    mode : {"full", "valid", "same"}
        "full" gives every output that one product reaches. "valid" gives those that need nothing from
        outside; one array must be at least as long as the other along every axis. "same" gives as many as
        `in1` has, from the middle of "full".
    method : {"auto", "direct", "fft"}
        "direct" adds the products up. "auto" and "fft" leave the choice to fastconv.

    Returns
    -------
    ndarray or scalar
        Of dtype ``numpy.result_type(in1, in2)``; a scalar if the inputs are.

    See Also
    --------
    fastconv.convolve : Chosen axes, boundaries, a place for the result.
    choose_conv_method : The method that "auto" takes.

    Notes
    -----
    Unlike SciPy, integers wrap around modulo 2^bits whatever the method, a NaN or infinity reaches only the
    outputs whose window holds it, and arrays of booleans, float16 and objects may have any number of
    dimensions.

    Examples
    --------
    >>> from fastconv import signal
    >>> signal.convolve([1, 2, 3], [1, 10])
    array([ 1, 12, 23, 30])
    >>> signal.convolve([1, 10], [1, 2, 3, 4, 5], "same")
    array([23, 34])
    """
    a, v = _arguments.arrays(in1, in2)
    return _over_all_axes(False, a, v, _arguments.mode(mode), _arguments.method(method))


def correlate(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: _Mode = "full",
    method: _Method = "auto",
    *,
    maxlag: SupportsIndex | tuple[SupportsIndex, ...] | None = None,
) -> Any:
    """Cross-correlate two N-dimensional arrays, as `scipy.signal.correlate`.

    ``z[k] = sum of in1[i] * conj(in2[i - k]) over i``, for the lags k that `mode` or `maxlag` asks for.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of the same number of dimensions.
    mode : {"full", "valid", "same"}
        Which lags, as for `convolve`; `correlation_lags` lists them.
    method : {"auto", "direct", "fft"}
        As for `convolve`.
    maxlag : int or tuple of int, optional
        Compute the lags from -maxlag to maxlag, and only those: one number for all axes, or one for each.
        The result has the length ``2 * maxlag + 1``, with zeros at lags for which the arrays do not overlap.
        `mode` must be "full".

    Returns
    -------
    ndarray or scalar
        Of dtype ``numpy.result_type(in1, in2)``.

    See Also
    --------
    correlation_lags : The lags that belong to the outputs.

    Notes
    -----
    `maxlag` is not in SciPy. For the rest, the notes of `convolve` hold.

    Examples
    --------
    By how much is `late` later than `early`?

    >>> import numpy as np
    >>> from fastconv import signal
    >>> early, late = np.zeros(1000), np.zeros(1000)
    >>> early[500], late[503] = 1, 1
    >>> z = signal.correlate(late, early, maxlag=5)
    >>> np.arange(-5, 6)[z.argmax()]
    np.int64(3)
    """
    a, v = _arguments.arrays(in1, in2)
    if maxlag is None:
        return _over_all_axes(True, a, v, _arguments.mode(mode), _arguments.method(method))
    if mode != "full":
        raise ValueError(f"mode must be 'full' where maxlag is given, got {short(mode)}")
    return _near_lag_0(a, v, _lags_by_axis(maxlag, a.ndim), _arguments.method(method))


def _over_all_axes(correlated: bool, in1: Array, in2: Array, mode: str, method: str) -> Any:
    if in1.ndim == 0:
        return in1 * (in2.conj() if correlated and in2.dtype.kind == "c" else in2)
    _arguments.not_empty(in1=in1, in2=in2)
    if mode == "valid":
        _arguments.one_inside_the_other(in1.shape, in2.shape)
    part = _arguments.same(in1, in2) if mode == "same" else mode
    if method == "auto":
        return _arguments.run(correlated, in1, in2, part)
    return _arguments.run(correlated, in1, in2, part, method=method)


def _lags_by_axis(maxlag: Any, ndim: int) -> tuple[int, ...]:
    lags = maxlag if isinstance(maxlag, (tuple, list)) else (maxlag,) * ndim
    if len(lags) != ndim:
        raise ValueError(f"maxlag must have one entry for each of the {ndim} axes, got {short(maxlag)}")
    return tuple(_arguments.index(lag, "maxlag", 0) for lag in lags)


def _near_lag_0(in1: Array, in2: Array, maxlag: tuple[int, ...], method: str) -> Array:
    _arguments.not_empty(in1=in1, in2=in2)
    before = [min(lag, m - 1) for lag, m in zip(maxlag, in2.shape)]  # lags of which there is a product
    after = [min(lag, n - 1) for lag, n in zip(maxlag, in1.shape)]
    start = tuple(m - 1 - b for m, b in zip(in2.shape, before))
    size = tuple(b + 1 + a for b, a in zip(before, after))
    z = _arguments.run(True, in1, in2, Window(start, size), method=method)
    missing = [(lag - b, lag - a) for lag, b, a in zip(maxlag, before, after)]
    return np.pad(z, missing) if any(map(any, missing)) else z


def correlation_lags(in1_len: SupportsIndex, in2_len: SupportsIndex, mode: _Mode = "full") -> Array:
    """The lags of the outputs of `correlate` for one-dimensional arrays, as `scipy.signal.correlation_lags`.

    Parameters
    ----------
    in1_len, in2_len : int
        Lengths of the arrays.
    mode : {"full", "valid", "same"}
        As given to `correlate`.

    Returns
    -------
    ndarray of int
        ``correlate(in1, in2, mode)[i]`` belongs to the lag ``correlation_lags(in1.size, in2.size, mode)[i]``.

    Notes
    -----
    SciPy 1.17 is off by one for "same" where `in1_len` is odd and `in2_len` even; here the lags are the true
    ones.

    Examples
    --------
    >>> from fastconv import signal
    >>> signal.correlation_lags(5, 4, "same")
    array([-2, -1,  0,  1,  2])
    >>> signal.correlate([0, 0, 0, 1, 0], [0, 0, 1, 0], "same")     # the 1 comes later by one
    array([0, 0, 0, 1, 0])
    """
    n, m = _arguments.index(in1_len, "in1_len", 1), _arguments.index(in2_len, "in2_len", 1)
    wanted = _arguments.mode(mode)
    if wanted == "full":
        return np.arange(1 - m, n)
    if wanted == "same":
        return np.arange(-(m // 2), n - m // 2)
    return np.arange(min(0, n - m), max(0, n - m) + 1)


@overload
def choose_conv_method(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", measure: Literal[False] = False
) -> str: ...
@overload
def choose_conv_method(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", *, measure: Literal[True]
) -> tuple[str, dict[str, float]]: ...
def choose_conv_method(
    in1: ArrayLike, in2: ArrayLike, mode: _Mode = "full", measure: bool = False
) -> str | tuple[str, dict[str, float]]:
    """The method that `convolve` and `correlate` take, as `scipy.signal.choose_conv_method`.

    Parameters
    ----------
    in1, in2, mode
        As given to `convolve`.
    measure : bool
        Whether to run and time the methods instead of asking fastconv's planner.

    Returns
    -------
    method : {"direct", "fft"}
        "fft" stands for every method of fastconv but the direct sum.
    times : dict
        Seconds by method; only where `measure` is true.

    Notes
    -----
    The answer depends on shapes and dtypes alone. SciPy looks at the values of integers, too, because its FFT
    rounds them; fastconv's results are exact whatever the method.

    Examples
    --------
    >>> from fastconv import signal
    >>> signal.choose_conv_method([1.0, 2.0, 3.0], [0.5, 0.5])
    'direct'
    """
    a, v = _arguments.arrays(in1, in2)
    wanted = _arguments.mode(mode)
    if measure:
        times = {
            name: min(timeit.repeat(partial(convolve, a, v, mode, name), repeat=3, number=1))
            for name in ("fft", "direct")
        }
        return ("fft" if times["fft"] < times["direct"] else "direct"), times
    if a.ndim == 0:
        return "direct"
    _arguments.not_empty(in1=a, in2=v)
    if wanted == "valid":
        _arguments.one_inside_the_other(a.shape, v.shape)
    part = _arguments.same(a, v) if wanted == "same" else wanted
    p = problem(False, a.shape, a.dtype, v.shape, v.dtype, part, None, "zero", tuple(range(a.ndim)))
    return "direct" if choose(p, "auto").name == "direct" else "fft"
