# The kernels for neon.
cdef const char* ISA = "neon"
include "direct_neon.pxi"
include "fft_neon.pxi"
