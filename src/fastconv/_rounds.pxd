# Running a driver's units of work, for the drivers; unit(job, number, scratch of its thread) does one of them.
cimport numpy as cnp

ctypedef void (*unit_function)(const void* job, Py_ssize_t unit, char* scratch) noexcept nogil

cdef struct Work:                   # what a driver prepared
    char* job                       # its own struct, of job_bytes
    Py_ssize_t job_bytes
    Py_ssize_t x_at, y_at           # where in it the addresses of the arrays stand,
    Py_ssize_t spoiled_at           # and that of an int to set if a value is not finite; -1: none
    unit_function unit
    Py_ssize_t n_units, scratch_bytes
    double unit_seconds

cdef class Task:                    # owns it
    cdef Work work
    cdef object kept                # what the job points to

cdef Task new_task(Py_ssize_t job_bytes)
cdef int run_task(Task task, int workers, tick, dict kept=*) except -1
# The same without Python, for arrays at x and y, in memory of so many bytes; returns whether some value was not finite.
cdef Py_ssize_t work_bytes(const Work* work, int threads) noexcept nogil
cdef bint execute(const Work* work, const char* x, char* y, char* memory, int threads) noexcept nogil
# All units, on the threads that this call may use; each takes about unit_seconds. `kept` may hold memory to reuse.
cdef int run(const void* job, unit_function unit, Py_ssize_t n_units, double unit_seconds, Py_ssize_t scratch_bytes,
             int workers, tick, dict kept=*) except -1
# Memory from a cache line's start on; of `kept`, where another call has given such back.
cdef cnp.ndarray aligned(Py_ssize_t bytes)
cdef cnp.ndarray borrow(dict kept, Py_ssize_t bytes)
cdef void give_back(dict kept, cnp.ndarray memory)
