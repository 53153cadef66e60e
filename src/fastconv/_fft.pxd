# Overlap-save, prepared.
cimport numpy as cnp

from fastconv._rounds cimport Task

# As the Python function `overlap_save`: the work, of which only strides and shapes of x and y are known; None where y is
# empty.
cdef Task prepare(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int n_batch, tuple lo, tuple boundary, cval,
                  size=*, dict kept=*)
