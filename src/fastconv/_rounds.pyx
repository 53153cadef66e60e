"""Units of work in rounds: threads take them in groups, and between rounds signals are heard.

What a unit is, the driver knows; how many threads a call may use, _threads.
"""

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange, threadid
cimport numpy as cnp

from time import perf_counter

import numpy as np

from fastconv._threads cimport team_done, team_size

cnp.import_array()

FREE = "free"                       # in `kept`: memory for the next call
cdef double GROUP_SECONDS = 20e-6   # units that one thread takes at a time
cdef double ROUND_SECONDS = 0.1     # between looks at signals


cdef void run_units(const void* job, unit_function unit, Py_ssize_t begin, Py_ssize_t end, char* scratch) noexcept nogil:
    cdef Py_ssize_t u
    for u in range(begin, end):
        unit(job, u, scratch)


cdef int run(const void* job, unit_function unit, Py_ssize_t n_units, double unit_seconds, Py_ssize_t scratch_bytes,
             int workers, tick, dict kept=None) except -1:
    """Between rounds tick(fraction done) is called as well."""
    cdef Py_ssize_t group = max(1, <Py_ssize_t>(GROUP_SECONDS / unit_seconds))
    cdef Py_ssize_t n_groups = (n_units + group - 1) // group, done = 0, stop, g, per_round
    cdef Py_ssize_t bytes = (scratch_bytes + 4095) // 4096 * 4096 + 1024     # threads do not share cache sets
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
