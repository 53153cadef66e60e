# The kernels for x86_v3.
cdef const char* ISA = "x86_v3"
include "direct_x86_v3.pxi"
include "fft_x86_v3.pxi"
