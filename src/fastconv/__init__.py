"""Fast convolution of NumPy arrays on CPUs.

`convolve` and `correlate` are NumPy's in one dimension, and go on from there: any number of dimensions,
any axes, boundaries, a place for the result, threads. The package from top to bottom; imports point down:

    __main__ _cli _demo _wav _files     programs: python -m fastconv
    signal ndimage nn                   those of scipy.signal, scipy.ndimage, PyTorch; imported when used
    probability                         sums of random variables; imported when used
    nan exact                           missing data; integers of any size; imported when used
    _capi* _plans capi.pxd include/      the C API, for other extensions; imported when used
    _convolver                          kernels prepared for many signals
    _explain                            what a call would do, and how exact it would be
    _entry                              the public functions; small calls go straight to a kernel
    _digits                             integers of any size
    _convolve                           any other call: check, pose the problem, choose a method, run it
    _rtol _bounds                       outputs as exact as asked for; bounds of rounding errors
    _check _problem _methods            arguments; what is to be computed; the methods and the choice of one
    _in_place                           results that replace their signal
    _kernel_values                      what a kernel's values allow: factors, or fewer taps
    _sums _transforms _by_values        what drivers leave to do: values that are not finite
    _blocks                             and dtypes and layouts
    _direct _stencil _separable         compiled: axes, tiles and edges of sums
    _sparse _box
    _fft _whole _operands _block _tree  compiled: transforms in blocks or in one; arrays, blocks, passes
    _parts _missing _means              blocks beyond the cache; missing values
    _exact _limbs _bank _cut _mix       integers, exactly; banks of kernels: several convolutions at once
    _layer _spread _strip _layer8       layers of neural networks as matrix products, of bytes too
    _bf16x6 _bf16x6_gradients           the same sums, and gradients of weights, by tiles of bfloat16
    _layer_gradients _layer_transposed  their weights' gradients; their inputs', which are transposed layers
    _winograd _toom_cook                those of 3 x 3 taps by fewer products
    _depthwise _dots                    of one channel each; long kernels of one axis
    _cost                               block sizes and estimates of time and memory
    _polyphase                          compiled: resampling, for signal
    _bytes _narrow                      compiled: images of small integers, for ndimage
    _boundary _rounds _threads          compiled: what stands outside an array; units of work; their threads
    _kernels                            compiled once per instruction set, chosen at import; see table.h
    _cpu                                what this processor can run
    _repr                               arguments in messages
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from fastconv import _openmp  # noqa: F401  (first: it loads the OpenMP runtime)
from fastconv._config import show_config
from fastconv._convolver import Convolver
from fastconv._entry import convolve, correlate
from fastconv._explain import Explanation, error_bound, explain
from fastconv._threads import get_num_threads, set_num_threads, threads
from fastconv._version import __version__

__all__ = [
    "Convolver",
    "Explanation",
    "__version__",
    "convolve",
    "correlate",
    "error_bound",
    "exact",
    "explain",
    "get_include",
    "get_num_threads",
    "nan",
    "ndimage",
    "nn",
    "probability",
    "set_num_threads",
    "show_config",
    "signal",
    "threads",
]


def __getattr__(name: str) -> ModuleType:
    """Import a namespace when it is first used."""
    if name in ("exact", "nan", "ndimage", "nn", "probability", "signal", "_capi"):
        return import_module(f"fastconv.{name}")
    raise AttributeError(f"module 'fastconv' has no attribute {name!r}")


def get_include() -> str:
    """The directory of the C API's header, for the compiler: ``#include <fastconv/fastconv.h>``.

    Returns
    -------
    str

    Examples
    --------
    >>> import fastconv
    >>> from setuptools import Extension
    >>> filters = Extension("filters", ["filters.c"], include_dirs=[fastconv.get_include()])
    """
    return str(Path(__file__).parent / "include")
