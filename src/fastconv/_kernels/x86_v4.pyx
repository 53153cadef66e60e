# The kernels for x86_v4.
cdef const char* ISA = "x86_v4"
include "direct_x86_v4.pxi"
include "fft_x86_v4.pxi"
