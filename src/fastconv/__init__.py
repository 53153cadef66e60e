"""Fast convolution of NumPy arrays on CPUs."""

from fastconv import _openmp  # noqa: F401
