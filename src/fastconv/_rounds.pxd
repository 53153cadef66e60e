# Running a driver's units of work, for the drivers; unit(job, number, scratch of its thread) does one of them.
cimport numpy as cnp

ctypedef void (*unit_function)(const void* job, Py_ssize_t unit, char* scratch) noexcept nogil

# All units, on the threads that this call may use; each takes about unit_seconds. `kept` may hold memory to reuse.
cdef int run(const void* job, unit_function unit, Py_ssize_t n_units, double unit_seconds, Py_ssize_t scratch_bytes,
             int workers, tick, dict kept=*) except -1
# Memory from a cache line's start on; of `kept`, where another call has given such back.
cdef cnp.ndarray aligned(Py_ssize_t bytes)
cdef cnp.ndarray borrow(dict kept, Py_ssize_t bytes)
cdef void give_back(dict kept, cnp.ndarray memory)
