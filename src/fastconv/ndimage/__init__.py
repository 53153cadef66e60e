"""`scipy.ndimage`'s linear filters: the same names, arguments and results, computed by fastconv.

Changing ``from scipy import ndimage`` to ``from fastconv import ndimage`` is enough for the functions below;
`scharr`, `sep_filter` and `unsharp_mask` are beside them for those who know them from OpenCV or scikit-image.

    _arguments      what the functions have in common: checks, in SciPy's words
    _numbers        the dtype of the arithmetic; rounding into the output's
    _integers       small integers: kernels that are exact for them
    _boxes          means over boxes: those that are computed at once
    _passes         the calls downwards
    _correlation    correlate, convolve, correlate1d, convolve1d
    _separable      uniform_filter, uniform_filter1d, sep_filter
    _generic        generic_laplace, generic_gradient_magnitude
    _derivatives    sobel, prewitt, scharr, laplace
    _gaussian       gaussian_filter, gaussian_filter1d, gaussian_laplace, gaussian_gradient_magnitude,
                    unsharp_mask

The modes, for an input ``a b c d``:

    "reflect", "grid-mirror"        d c b a | a b c d | d c b a
    "mirror"                          d c b | a b c d | c b a
    "nearest"                       a a a a | a b c d | d d d d
    "wrap", "grid-wrap"             a b c d | a b c d | a b c d
    "constant", "grid-constant"     k k k k | a b c d | k k k k         with the value k = `cval`

The result has the input's dtype, or that of `output`. All real and complex dtypes will do, float16 and long
double too. As in SciPy, sums are kept in double and, for an integer output, truncated and wrapped around,
after each axis where a filter works along one after the other. Where input and output are no wider than
float32, or complex64, sums are kept in float32: accurate to a few eps of the sum of their terms' absolute
values. Every function takes, as keywords,

    workers         at most so many threads, as in `fastconv.convolve`; results do not depend on it
    accumulate      "float32" or "float64": keep sums in it, whatever the dtypes
    rounding        "truncate", or "nearest": round an integer output to the nearest whole number, once
    overflow        "wrap", or "saturate": an integer output stops at the ends of its dtype's range

Long kernels run by Fourier transforms, as `fastconv.convolve` says. Unlike SciPy: a NaN or infinity reaches
only the outputs whose window holds it, in uniform filters as well; a whole number is not truncated to the
next one because of the rounding error of its sum; masked arrays raise an error, since their masks would be
lost. Each docstring names its own differences.
"""

from fastconv.ndimage._correlation import convolve, convolve1d, correlate, correlate1d
from fastconv.ndimage._derivatives import laplace, prewitt, scharr, sobel
from fastconv.ndimage._gaussian import (
    gaussian_filter,
    gaussian_filter1d,
    gaussian_gradient_magnitude,
    gaussian_laplace,
    unsharp_mask,
)
from fastconv.ndimage._generic import generic_gradient_magnitude, generic_laplace
from fastconv.ndimage._separable import sep_filter, uniform_filter, uniform_filter1d

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "prewitt",
    "scharr",
    "sep_filter",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
    "unsharp_mask",
]
