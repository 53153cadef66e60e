"""How many threads may a call use? The only place that knows; the drivers open the regions.

The first of these that speaks: the call's ``workers``, the innermost ``threads()`` block, what
``set_num_threads()`` or FASTCONV_NUM_THREADS set, and else the least of omp_get_max_threads()
(OMP_NUM_THREADS, threadpoolctl), the CPUs this process may run on and its cgroup's CPU quota. A request may
exceed the CPUs. Short work gets one thread, and calls from several Python threads share the CPUs.

libgomp's pool does not survive fork(): a child that opened a region would wait for threads it has not got.
So the pool is dropped just before a fork (the next region brings it back), and the child starts with one
thread, whatever was set before; it may ask for more. If the pool cannot be dropped, it keeps to one thread.
"""
import math
import os
from contextlib import contextmanager
from contextvars import ContextVar
from operator import index

from fastconv._repr import short

cdef extern from *:
    r"""
    #ifdef _OPENMP
      #include <omp.h>
      #define FC_OPENMP _OPENMP
    #else
      #define FC_OPENMP 0
      static int omp_get_max_threads(void) { return 1; }
      static int omp_get_num_procs(void) { return 1; }
    #endif

    static int fc_setting = 0;    /* threads set by set_num_threads() or FASTCONV_NUM_THREADS; 0: neither */
    static int fc_busy = 0;       /* threads at work in all calls of the process */
    static int fc_forks = 0;      /* forks between the process that imported us and this one */
    static int fc_serial = 0;     /* a region would hang in this process */

    /* CPUs this process may run on now: LLVM's omp_get_num_procs() goes on telling how many they were once. */
    #ifdef __linux__
      #include <sched.h>
      static int fc_cpus(void) {
          cpu_set_t cpus;
          return sched_getaffinity(0, sizeof cpus, &cpus) ? omp_get_num_procs() : CPU_COUNT(&cpus);
      }
    #else
      #define fc_cpus omp_get_num_procs
    #endif

    #ifdef _MSC_VER
      #include <intrin.h>
      static int fc_get(const int *p) { return *(const volatile int *)p; }
      static void fc_set(int *p, int n) { *(volatile int *)p = n; }
      static int fc_add(int *p, int n) { return _InterlockedExchangeAdd((volatile long *)p, n); }
    #else
      static int fc_get(const int *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
      static void fc_set(int *p, int n) { __atomic_store_n(p, n, __ATOMIC_RELAXED); }
      static int fc_add(int *p, int n) { return __atomic_fetch_add(p, n, __ATOMIC_RELAXED); }
    #endif

    #ifdef _WIN32
    static int fc_watch_forks(void) { return 0; }
    #else
    #include <pthread.h>
    static int fc_pool_stays = 0;
    static void fc_before_fork(void) {
      #if FC_OPENMP && defined(__GNUC__) && !defined(__clang__)
        fc_pool_stays = omp_pause_resource_all(omp_pause_soft) != 0;
      #endif
    }
    static void fc_in_child(void) {
        fc_setting = 1;
        fc_busy = 0;
        fc_forks++;
        fc_serial |= fc_pool_stays;
    }
    static int fc_watch_forks(void) { return pthread_atfork(fc_before_fork, NULL, fc_in_child); }
    #endif
    """
    const int FC_OPENMP
    int omp_get_max_threads() nogil
    int fc_cpus() nogil
    int fc_setting, fc_busy, fc_forks, fc_serial
    int fc_get(const int *) nogil
    void fc_set(int *, int) nogil
    int fc_add(int *, int) nogil
    int fc_watch_forks()

# A thread must have this much work: to wake one that sleeps costs about half of it.
cdef double SECONDS_PER_THREAD = 40e-6
# libgomp ends the process when the system refuses it a thread.
cdef int MOST_THREADS = 256

cdef object _block = ContextVar("fastconv.threads")       # (threads, fc_forks at the time of asking)


cdef int team_size(int workers, double seconds) except -1:
    if workers <= 0:
        workers = _default()[0] if FC_OPENMP and seconds >= 2 * SECONDS_PER_THREAD else 1
    return team_of(workers, seconds)


cdef int team_of(int workers, double seconds) noexcept nogil:
    cdef int n = 1, others, room
    if seconds >= 2 * SECONDS_PER_THREAD and FC_OPENMP and not fc_get(&fc_serial):
        n = min(workers, <int>min(seconds / SECONDS_PER_THREAD, <double>MOST_THREADS))
    others = fc_add(&fc_busy, n)
    if n > 1 and others > 0:
        room = max(min(fc_cpus(), _quota) - others, 1)
        if n > room:
            fc_add(&fc_busy, room - n)
            n = room
    return n


cdef void team_done(int threads) noexcept nogil:
    fc_add(&fc_busy, -threads)


cdef tuple _default():
    """(threads a long call uses when it does not say, where the number came from)."""
    cdef int least, cpus, forks = fc_get(&fc_forks), setting = fc_get(&fc_setting)
    if fc_get(&fc_serial):
        return 1, "forked while OpenMP threads were in use"
    if not FC_OPENMP:
        return 1, "built without OpenMP"
    block = _block.get(None)
    if block is not None and block[1] == forks:
        return block[0], "threads()"
    if setting:
        return setting, _setting_source if _setting_forks == forks else "forked process"
    least, cpus = omp_get_max_threads(), _usable_cpus()
    if least < cpus:
        return least, "OMP_NUM_THREADS or omp_set_num_threads"
    return cpus, "CPU quota" if cpus == _quota else "CPUs of this process"


cdef int _usable_cpus() except -1:
    """The CPUs this process may run on now, at most its quota."""
    if FC_OPENMP:
        return min(fc_cpus(), _quota)
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _quota)
    return min(os.cpu_count() or 1, _quota)


def _cgroup_quota(root="/sys/fs/cgroup", membership="/proc/self/cgroup"):
    """The least CPU quota of this process's cgroups (version 2, or version 1 as mounted), or None."""
    def read(*path):
        try:
            with open(os.path.join(*path)) as file:
                return file.read().split()
        except OSError:
            return []

    limits = [read(root, "cpu", "cpu.cfs_quota_us") + read(root, "cpu", "cpu.cfs_period_us")]
    group = next((line[3:] for line in read(membership) if line.startswith("0::")), "/")
    while True:
        limits.append(read(root, group.strip("/"), "cpu.max"))
        if group in ("/", ""):
            break
        group = os.path.dirname(group)
    cpus = [
        max(math.ceil(int(quota) / int(period)), 1)
        for quota, period in filter(None, limits) if quota not in ("max", "-1")
    ]
    return min(cpus, default=None)


def _from_environment():
    """FASTCONV_NUM_THREADS, or 0 where it is not set."""
    text = os.environ.get("FASTCONV_NUM_THREADS", "")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ImportError(f"FASTCONV_NUM_THREADS must be a positive integer, got {text!r}")
    return min(int(text), MOST_THREADS)


def _count(value, name, allowed):
    """The number of threads that a positive or negative integer stands for."""
    if isinstance(value, bool):
        raise TypeError(_not_a_count(value, name, allowed))
    try:
        n = index(value)
    except TypeError:
        raise TypeError(_not_a_count(value, name, allowed)) from None
    if n < 0:
        n += _usable_cpus() + 1
        if n <= 0:
            cpus = _usable_cpus()
            raise ValueError(f"{name} must be at least -{cpus} with {cpus} usable CPUs, got {short(value)}")
    elif n == 0:
        raise ValueError(_not_a_count(value, name, allowed))
    return min(n, MOST_THREADS)


def _not_a_count(value, name, allowed):
    return (
        f"{name} must be a positive integer, or a negative one (-1: all CPUs, -2: all but one){allowed}, "
        f"got {short(value)}"
    )


def resolve_workers(workers):
    """The number of threads `workers` asks for; 0 for None, the default."""
    return 0 if workers is None else _count(workers, "workers", " or None")


def set_num_threads(n):
    """Set how many threads a call may use where it does not say.

    It holds for the whole process; a ``threads()`` block or a call's ``workers`` goes before it.

    Parameters
    ----------
    n : int
        At least 1. A negative number counts back from the CPUs this process may use: -1 is all of them.

    Notes
    -----
    A process made by ``fork()`` starts with one thread, since its siblings use the other CPUs;
    it may call this function again.
    """
    global _setting_source, _setting_forks
    n = _count(n, "n", "")
    _setting_source, _setting_forks = "set_num_threads()", fc_get(&fc_forks)
    fc_set(&fc_setting, n)


def get_num_threads():
    """Return how many threads a long call may use, here and now, where it does not say."""
    return _default()[0]


def threads(n):
    """Context manager: calls within the block use `n` threads where they do not say.

    It holds for the current context (``contextvars``): other Python threads and other asyncio tasks are
    not affected. Blocks nest; the innermost counts.

    Parameters
    ----------
    n : int
        As for `set_num_threads`.

    Examples
    --------
    >>> import fastconv
    >>> with fastconv.threads(1):
    ...     fastconv.get_num_threads()
    1
    """
    return _threads_block(_count(n, "n", ""))


@contextmanager
def _threads_block(n):
    token = _block.set((n, fc_get(&fc_forks)))
    try:
        yield
    finally:
        _block.reset(token)


def openmp_version():
    """The date of the OpenMP standard compiled for, as 201511, or 0 without OpenMP."""
    return FC_OPENMP


def describe():
    """The number of threads a long call uses, and in words where it came from."""
    return _default()


MOST_THREADS = max(MOST_THREADS, fc_cpus())
cdef int _quota = _cgroup_quota() or MOST_THREADS
_setting_source, _setting_forks = "FASTCONV_NUM_THREADS", 0
fc_setting = _from_environment()
if fc_watch_forks():
    raise ImportError("fastconv: pthread_atfork failed")
