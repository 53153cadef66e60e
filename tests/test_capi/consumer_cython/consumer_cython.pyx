# cython: language_level=3, boundscheck=False
"""An extension module in Cython that calls fastconv without the GIL."""

from libc.stdlib cimport free, malloc
from libc.string cimport memset

cimport fastconv.capi as fc

fc.fastconv_import()


def matched(const float[::1] x, const float[::1] pattern, float[::1] y):
    """y = where the pattern lies in x: correlate(x, pattern, "valid")."""
    cdef int status
    with nogil:
        status = fc.fastconv.correlate1d(
            fc.FASTCONV_F32, &x[0], x.shape[0], &pattern[0], pattern.shape[0], &y[0], fc.FASTCONV_VALID
        )
    check(status)


def rows(const double[:, ::1] x, const double[::1] w, double[:, ::1] y):
    """Each row of x convolved with w, "same": one plan, one work buffer."""
    cdef fc.fastconv_problem problem
    cdef fc.fastconv_plan* plan
    cdef Py_ssize_t n = x.shape[1], m = w.shape[0], r
    cdef void* work
    cdef int status
    memset(&problem, 0, sizeof(problem))
    problem.operation, problem.dtype, problem.ndim = fc.FASTCONV_CONVOLVE, fc.FASTCONV_F64, 1
    problem.mode, problem.boundary, problem.threads = fc.FASTCONV_SAME, fc.FASTCONV_NEAREST, 1
    problem.x_shape, problem.w_shape, problem.w = &n, &m, &w[0]
    with nogil:
        status = fc.fastconv.plan_create(&problem, &plan)
        if status == fc.FASTCONV_OK:
            work = malloc(fc.fastconv.plan_work_bytes(plan))
            for r in range(x.shape[0]):
                status = fc.fastconv.plan_execute(plan, &x[r, 0], &y[r, 0], work)
                if status != fc.FASTCONV_OK:
                    break
            free(work)
        fc.fastconv.plan_destroy(plan)
    check(status)


cdef check(int status):
    if status != fc.FASTCONV_OK:
        raise ValueError(fc.fastconv.strerror(status).decode())
