"""Convolution of data in which values are missing, with the arguments of `astropy.convolution.convolve`.

A value is missing where it is NaN or masked. `convolve` takes plain arrays and masked ones, of any number of
dimensions and with kernels of any shape, and does what Astropy's `convolve` and `convolve_fft` do;
docs/missing_data.md tells what the treatments do, and where results differ.

    _arguments      checks
    _blocks         the array in pieces: numerators, and denominators where values are missing
"""

from __future__ import annotations

from typing import Literal

from numpy.typing import ArrayLike

from fastconv._problem import Array
from fastconv.nan import _arguments, _blocks

__all__ = ["convolve"]


def convolve(
    array: ArrayLike,
    kernel: ArrayLike,
    boundary: str | None = "fill",
    fill_value: float = 0.0,
    nan_treatment: Literal["interpolate", "fill", "propagate", "ignore"] = "interpolate",
    normalize_kernel: bool = True,
    mask: ArrayLike | None = None,
    preserve_nan: bool = False,
    normalization_zero_tol: float = 1e-8,
    *,
    out: Array | None = None,
    workers: int | None = None,
) -> Array:
    """Convolve an array in which values are missing.

    With the kernel w and its centre c, ``m // 2`` along an axis where it has m elements, an output is a sum
    over the window ``x[i - t + c]`` of the elements t of w: for "interpolate" the mean, weighted by w, of the
    values that are there,

        y[i] = sum of w[t] x[i - t + c] / sum of w[t],      both over what is not missing.

    Parameters
    ----------
    array : array_like
        Real numbers. NaNs are missing; of a masked array, what is masked too.
    kernel : array_like
        Real numbers, as many dimensions as `array`; lengths may be odd or even.
    boundary : {"fill", "extend", "wrap", None}, optional
        What stands outside: `fill_value`; the nearest element; the array again. None computes only outputs
        whose window lies inside, and leaves 0 at the others. "zero" (0), "constant" (`fill_value`),
        "nearest", "reflect" and "mirror" are known as well; see `fastconv.convolve`.
    fill_value : float, optional
        NaN: what stands outside is missing.
    nan_treatment : {"interpolate", "fill", "propagate", "ignore"}, optional
        Missing values are left out of the weighted mean; replaced by `fill_value`; make all outputs NaN whose
        window holds one; or are left out of the sum, which is not made up for them.
    normalize_kernel : bool, optional
        Divide the kernel by its sum. If not, the means of "interpolate" are multiplied by it.
    mask : array_like, optional
        Of the array's shape: what is not 0 is missing.
    preserve_nan : bool, optional
        Missing values are NaN in the result.
    normalization_zero_tol : float, optional
        The sum of a kernel may not be nearer to zero if results are divided by it.
    out : ndarray, optional
        Where to put the result, of its shape and dtype; it may not overlap `array`, `kernel` or `mask`.
    workers : int, optional
        At most so many threads. Results do not depend on it.

    Returns
    -------
    ndarray
        Of the array's shape; of its dtype if that is floating, else float64.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said above; if the kernel's sum is too near to zero though the kernel is to
        be normalized, or values are missing and to be interpolated; if no window lies inside an array with
        the boundary None; if the kernel is a masked array in which elements are masked.

    See Also
    --------
    fastconv.convolve : Of data that are complete.

    Notes
    -----
    Outputs of "interpolate" are NaN where no value has a weight. Sums are kept in the precision of the
    result, in float32 for float16. Beyond input and output, memory for some blocks is used: for small kernels
    about 1 MB for each thread, else about 0.5 MB each, or what three times the kernel's length of rows takes.
    Denominators are computed where values are missing only, and term by term where transforms are not exact
    enough: a mean of few values is as exact as any other.

    Examples
    --------
    >>> import numpy as np
    >>> from fastconv import nan
    >>> nan.convolve([1.0, np.nan, 3.0, 5.0], [1, 1, 1], boundary="extend")
    array([1.        , 2.        , 4.        , 4.33333333])
    >>> nan.convolve([1.0, np.nan, 3.0, 5.0], [1, 1, 1], fill_value=np.nan, preserve_nan=True)
    array([ 1., nan,  4.,  4.])
    """
    call = _arguments.call(
        array,
        kernel,
        boundary,
        fill_value,
        nan_treatment,
        normalize_kernel,
        mask,
        preserve_nan,
        normalization_zero_tol,
        out,
        workers,
    )
    return _blocks.run(call)
