# The kernels for x86_v2.
cdef const char* ISA = "x86_v2"
include "direct_x86_v2.pxi"
include "fft_x86_v2.pxi"
