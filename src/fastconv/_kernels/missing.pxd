# Passes over rows with missing values, as _means sees them; the contract is in missing.h.
ctypedef Py_ssize_t (*take_function)(const void*, const char*, Py_ssize_t, double, void*, void*) noexcept nogil
ctypedef void (*divide_function)(void*, const void*, double, Py_ssize_t) noexcept nogil

cdef extern from "missing.h" nogil:
    const char* FC_MISSING_TABLE
    ctypedef struct fc_missing_table:
        take_function[2] take
        divide_function[2] divide
