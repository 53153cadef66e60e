# The contract of _threads for the drivers. Both calls cost a few nanoseconds for short work.
#
#     n = team_size(workers, seconds)
#     try:
#         with nogil: ... prange(..., num_threads=n)
#     finally:
#         team_done(n)

# Threads for a region of `seconds` of serial work; workers is what resolve_workers() gave (0: the default).
# Counts them as busy until team_done(), so that calls from several Python threads share the CPUs.
cdef int team_size(int workers, double seconds) except -1
# The same without Python; workers >= 1.
cdef int team_of(int workers, double seconds) noexcept nogil
cdef void team_done(int threads) noexcept nogil
