"""Fast convolution of NumPy arrays on CPUs.

`convolve` and `correlate` are NumPy's in one dimension, and go on from there: any number of dimensions,
any axes, boundaries, a place for the result, threads. The package from top to bottom; imports point down:

    __main__ _cli _demo _wav _files     programs: python -m fastconv
    signal ndimage                      those of scipy.signal and scipy.ndimage; imported when used
    probability                         sums of random variables; imported when used
    _convolver                          kernels prepared for many signals
    _explain                            what a call would do, and how exact it would be
    _entry                              the public functions; small calls go straight to a kernel
    _convolve                           any other call: check, pose the problem, choose a method, run it
    _rtol _bounds                       outputs as exact as asked for; bounds of rounding errors
    _check _problem _methods            arguments; what is to be computed; the methods and the choice of one
    _in_place                           results that replace their signal
    _kernel_values                      what a kernel's values allow: factors, or fewer taps
    _sums _transforms _by_values        what drivers leave to do: values that are not finite
    _blocks                             and dtypes and layouts
    _direct _separable _sparse          compiled: axes, tiles and edges of sums
    _fft _whole _operands _block _tree  compiled: transforms in blocks or in one; arrays, blocks, passes
    _exact _limbs _bank _cut _mix       integers, exactly; banks of kernels: several convolutions at once
    _cost                               block sizes and estimates of time and memory
    _polyphase                          compiled: resampling, for signal
    _boundary _rounds _threads          compiled: what stands outside an array; units of work; their threads
    _kernels                            compiled once per instruction set, chosen at import; see table.h
    _cpu                                what this processor can run
"""

from importlib import import_module
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
    "explain",
    "get_num_threads",
    "ndimage",
    "probability",
    "set_num_threads",
    "show_config",
    "signal",
    "threads",
]


def __getattr__(name: str) -> ModuleType:
    """Import a namespace when it is first used."""
    if name in ("ndimage", "probability", "signal"):
        return import_module(f"fastconv.{name}")
    raise AttributeError(f"module 'fastconv' has no attribute {name!r}")
