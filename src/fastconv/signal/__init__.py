"""`scipy.signal`'s convolutions: the same names, arguments and results, computed by fastconv.

Changing ``from scipy import signal`` to ``from fastconv import signal`` is enough for the functions below.
Nothing is computed here: each module turns SciPy's words into calls of `fastconv.convolve` and
`fastconv.correlate`.

    _arguments      what the functions have in common: checks, the one call downwards
    _convolution    convolve, correlate, correlation_lags, choose_conv_method
    _fftconvolve    fftconvolve, oaconvolve: floating-point results, chosen axes, broadcasting
    _images         convolve2d, correlate2d: with boundaries
    _filters        lfilter for finite impulse responses
    _upfirdn        upfirdn: filters between sampling rates

Everywhere, unlike SciPy: integers are exact modulo 2^bits whatever the method; a NaN or infinity reaches only
the outputs whose window holds it; and the GIL is released. Each docstring names its own differences.
"""

from fastconv.signal._convolution import choose_conv_method, convolve, correlate, correlation_lags
from fastconv.signal._fftconvolve import fftconvolve, oaconvolve
from fastconv.signal._filters import lfilter
from fastconv.signal._images import convolve2d, correlate2d
from fastconv.signal._upfirdn import upfirdn

__all__ = [
    "choose_conv_method",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "correlation_lags",
    "fftconvolve",
    "lfilter",
    "oaconvolve",
    "upfirdn",
]
