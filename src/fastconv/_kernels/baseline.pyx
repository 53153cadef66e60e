# The kernels for baseline.
cdef const char* ISA = "baseline"
include "direct_baseline.pxi"
include "fft_baseline.pxi"
