"""Units of work in rounds: threads take them in groups, and between rounds signals are heard.

What a unit is, the driver knows; how many threads a call may use, _threads.
"""

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange, threadid
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
cimport numpy as cnp

from time import perf_counter

import numpy as np

from fastconv._threads cimport team_done, team_of, team_size

cnp.import_array()

FREE = "free"                       # in `kept`: memory for the next call
cdef double GROUP_SECONDS = 20e-6   # units that one thread takes at a time
cdef double ROUND_SECONDS = 0.1     # between looks at signals


cdef class Task:
    def __dealloc__(self):
        free(self.work.job)


cdef Task new_task(Py_ssize_t job_bytes):
    cdef Task task = Task()
    task.work.job = <char*>calloc(1, job_bytes)
    if task.work.job == NULL:
        raise MemoryError()
    task.work.job_bytes = job_bytes
    task.work.spoiled_at = -1
    return task


cdef int run_task(Task task, int workers, tick, dict kept=None) except -1:
    cdef const Work* work = &task.work
    return run(work.job, work.unit, work.n_units, work.unit_seconds, work.scratch_bytes, workers, tick, kept)


cdef inline Py_ssize_t pitch_of(Py_ssize_t scratch_bytes) noexcept nogil:
    """From one thread's scratch to the next: threads do not share cache sets."""
    return (scratch_bytes + 4095) // 4096 * 4096 + 1024


cdef Py_ssize_t work_bytes(const Work* work, int threads) noexcept nogil:
    return 64 + (work.job_bytes + 63) // 64 * 64 + threads * pitch_of(work.scratch_bytes)


cdef bint execute(const Work* work, const char* x, char* y, char* memory, int threads) noexcept nogil:
    cdef Py_ssize_t group = max(1, <Py_ssize_t>(GROUP_SECONDS / work.unit_seconds)), pitch = pitch_of(work.scratch_bytes)
    cdef Py_ssize_t n_groups = (work.n_units + group - 1) // group, g
    cdef char* job = memory + 63 - (<size_t>memory + 63) % 64
    cdef char* scratch = job + (work.job_bytes + 63) // 64 * 64
    cdef int spoiled = 0
    cdef int team = team_of(threads, work.n_units * work.unit_seconds if n_groups > 1 else 0)
    memcpy(job, work.job, work.job_bytes)
    (<const char**>(job + work.x_at))[0] = x
    (<char**>(job + work.y_at))[0] = y
    if work.spoiled_at >= 0:
        (<int**>(job + work.spoiled_at))[0] = &spoiled
    if team == 1:
        run_units(job, work.unit, 0, work.n_units, scratch)
    else:
        for g in prange(n_groups, num_threads=team, schedule="dynamic"):
            run_units(job, work.unit, g * group, min(work.n_units, (g + 1) * group), scratch + threadid() * pitch)
    team_done(team)
    return spoiled != 0


cdef void run_units(const void* job, unit_function unit, Py_ssize_t begin, Py_ssize_t end, char* scratch) noexcept nogil:
    cdef Py_ssize_t u
    for u in range(begin, end):
        unit(job, u, scratch)


cdef int run(const void* job, unit_function unit, Py_ssize_t n_units, double unit_seconds, Py_ssize_t scratch_bytes,
             int workers, tick, dict kept=None) except -1:
    """Between rounds tick(fraction done) is called as well."""
    cdef Py_ssize_t group = max(1, <Py_ssize_t>(GROUP_SECONDS / unit_seconds))
    cdef Py_ssize_t n_groups = (n_units + group - 1) // group, done = 0, stop, g, per_round
    cdef Py_ssize_t bytes = pitch_of(scratch_bytes)
    cdef int team = team_size(workers, n_units * unit_seconds if n_groups > 1 else 0)
    cdef double began, seconds
    cdef cnp.ndarray scratch
    cdef char* base
    try:
        scratch = borrow(kept, team * bytes)
        base = <char*>cnp.PyArray_DATA(scratch)
        per_round = max(team, <Py_ssize_t>(ROUND_SECONDS / 10 * team / (group * unit_seconds)))
        while done < n_groups:
            stop = min(n_groups, done + per_round)
            began = perf_counter()
            if team == 1:
                with nogil:
                    run_units(job, unit, done * group, min(n_units, stop * group), base)
            else:
                for g in prange(done, stop, nogil=True, num_threads=team, schedule="dynamic"):
                    run_units(job, unit, g * group, min(n_units, (g + 1) * group), base + threadid() * bytes)
            done = stop
            seconds = perf_counter() - began
            per_round = max(team, <Py_ssize_t>(per_round * min(4.0, ROUND_SECONDS / max(seconds, 1e-6))))
            PyErr_CheckSignals()
            if tick is not None:
                tick(<double>done / n_groups)
        give_back(kept, scratch)
    finally:
        team_done(team)
    return 0


cdef cnp.ndarray borrow(dict kept, Py_ssize_t bytes):
    cdef list free
    cdef cnp.ndarray memory
    if kept is not None:
        free = kept.setdefault(FREE, [])
        try:
            memory = free.pop()
        except IndexError:                              # all in use
            return aligned(bytes)
        if memory.nbytes >= bytes:
            return memory
    return aligned(bytes)


cdef void give_back(dict kept, cnp.ndarray memory):
    if kept is not None:
        (<list>kept[FREE]).append(memory)


cdef cnp.ndarray aligned(Py_ssize_t bytes):
    cdef cnp.ndarray memory = np.empty(bytes + 64, np.uint8)
    return memory[64 - <size_t>cnp.PyArray_DATA(memory) % 64:]
