"""Threads: counts, the same bits for any of them, forks, many callers at once, the GIL, Ctrl-C.

What could hang runs in a process of its own with a time limit.
"""

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastconv as fc
from fastconv import _threads

HANGS = 60  # seconds, generous: many times what the slowest machine needs
SETTINGS = ("FASTCONV_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")

OPENMP = _threads.openmp_version() > 0
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

needs_openmp = pytest.mark.skipif(not OPENMP, reason="built without OpenMP")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs os.sched_setaffinity")
needs_sigint = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def run(source, **environment):
    """What the program prints, in a process whose thread settings are `environment`."""
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS} | environment
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(source)]
    return subprocess.run(command, env=env, text=True, check=True, capture_output=True, timeout=HANGS).stdout


@pytest.fixture
def restored():
    """Undoes set_num_threads."""
    before = fc.get_num_threads()
    yield
    fc.set_num_threads(before)


# ---- counts -----------------------------------------------------------------------------------------------


def test_default_is_within_the_cpus():
    assert 1 <= int(run("import fastconv; print(fastconv.get_num_threads())")) <= CPUS


def test_describe_says_where_the_number_came_from():
    with fc.threads(1):
        number, source = _threads.describe()
    assert number == 1
    assert source == ("threads()" if OPENMP else "built without OpenMP")


@needs_openmp
def test_the_innermost_setting_counts(restored):
    fc.set_num_threads(3)
    assert fc.get_num_threads() == 3
    with fc.threads(5):
        assert fc.get_num_threads() == 5
        with fc.threads(2):
            fc.set_num_threads(4)
            assert fc.get_num_threads() == 2
        assert fc.get_num_threads() == 5
    assert fc.get_num_threads() == 4


@needs_openmp
def test_a_block_ends_with_an_exception(restored):
    fc.set_num_threads(3)
    with pytest.raises(KeyError), fc.threads(5):
        raise KeyError
    assert fc.get_num_threads() == 3


@needs_openmp
def test_a_block_holds_for_its_own_thread(restored):
    fc.set_num_threads(3)
    with fc.threads(5), ThreadPoolExecutor(1) as pool:
        assert pool.submit(fc.get_num_threads).result() == 3
        pool.submit(fc.set_num_threads, 2).result()
        assert fc.get_num_threads() == 5
    assert fc.get_num_threads() == 2


@needs_openmp
def test_a_block_decorates_a_function():
    assert fc.threads(5)(fc.get_num_threads)() == 5


@needs_openmp
def test_negative_counts_back_from_the_cpus(restored):
    cpus = _threads.resolve_workers(-1)
    assert 1 <= cpus <= CPUS
    fc.set_num_threads(-1)
    assert fc.get_num_threads() == cpus
    with fc.threads(-cpus):
        assert fc.get_num_threads() == 1


def test_resolve_workers():
    assert _threads.resolve_workers(None) == 0
    assert _threads.resolve_workers(3) == 3
    assert _threads.resolve_workers(np.int64(3)) == 3
    assert 64 <= _threads.resolve_workers(10**30) <= 4096


SETTERS = {
    "workers": [
        lambda value: fc.convolve([1.0, 2.0], [1.0], workers=value),
        lambda value: fc.correlate(np.ones((3, 3)), np.ones((2, 2)), workers=value),
    ],
    "n": [fc.set_num_threads, fc.threads],
}


@pytest.mark.parametrize(("name", "setter"), [(name, setter) for name in SETTERS for setter in SETTERS[name]])
def test_wrong_counts(name, setter):
    for value in (1.0, True, "2", [2], np.float64(1), np.array([1, 2])):
        with pytest.raises(TypeError, match=f"^{name} must be .* got "):
            setter(value)
    for value in (0, -CPUS - 1, -(10**30)):
        with pytest.raises(ValueError, match=f"^{name} must be .*, got {value}$"):
            setter(value)


def test_none_is_a_default_for_workers_only():
    assert fc.convolve([1.0, 2.0], [1.0], workers=None).tolist() == [1.0, 2.0]
    for setter in SETTERS["n"]:
        with pytest.raises(TypeError, match=r"^n must be .* got None"):
            setter(None)


# ---- the environment --------------------------------------------------------------------------------------

PRINT = "import fastconv; print(*fastconv._threads.describe(), sep=': ')"


@needs_openmp
def test_environment():
    assert run(PRINT, FASTCONV_NUM_THREADS="3", OMP_NUM_THREADS="1") == "3: FASTCONV_NUM_THREADS\n"
    assert run(PRINT, FASTCONV_NUM_THREADS="") == run(PRINT)
    if CPUS > 1:
        assert run(PRINT, OMP_NUM_THREADS="1") == "1: OMP_NUM_THREADS or omp_set_num_threads\n"


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_wrong_environment(text):
    with pytest.raises(subprocess.CalledProcessError) as failure:
        run("import fastconv", FASTCONV_NUM_THREADS=text)
    message = f"ImportError: FASTCONV_NUM_THREADS must be a positive integer, got {text!r}"
    assert message in failure.value.stderr


@needs_openmp
@needs_affinity
def test_affinity_counts_at_each_call():
    program = """
        import os
        import fastconv
        print(fastconv.get_num_threads())
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(fastconv.get_num_threads(), fastconv._threads.resolve_workers(-1))
    """
    assert run(program).split() == [str(fc._threads.resolve_workers(-1)), "1", "1"]


def test_the_environment_stays_as_it_was():
    program = """
        import os
        before = dict(os.environ)
        import fastconv
        assert dict(os.environ) == before
    """
    run(program)
    run(program, GOMP_SPINCOUNT="77")
    run(program, OMP_WAIT_POLICY="passive")


def test_cgroup_quota(tmp_path):
    def quota():
        return _threads._cgroup_quota(str(tmp_path), str(membership))

    membership = tmp_path / "membership"
    assert quota() is None
    membership.write_text("1:cpu:/other\n0::/a/b\n")
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("max 100000\n")
    assert quota() is None
    (tmp_path / "a" / "cpu.max").write_text("150000 100000\n")
    assert quota() == 2
    (group / "cpu.max").write_text("1000 100000\n")
    assert quota() == 1

    (tmp_path / "cpu").mkdir()
    membership.write_text("4:cpu:/\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert quota() is None
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    assert quota() == 3


# ---- results ----------------------------------------------------------------------------------------------

PROBLEMS = {  # shapes of a and v, options; each with work for several threads
    "signal": ((300_000,), (33,), {}),
    "long kernel": ((60_000,), (5000,), {"mode": "same"}),
    "image": ((400, 500), (7, 9), {"mode": "same", "boundary": "reflect"}),
    "volume": ((40, 50, 60), (3, 4, 5), {}),
    "rows": ((300, 1000), (31,), {"axes": 1, "boundary": "wrap"}),
    "columns": ((1000, 300), (31,), {"axes": 0, "mode": "valid"}),
    "a kernel per row": ((60, 5000), (60, 31), {"axes": 1, "mode": "same", "boundary": "nearest"}),
}


def problem(name, dtype, rng):
    shape, taps, options = PROBLEMS[name]
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0, 100, shape).astype(dtype), rng.integers(0, 100, taps).astype(dtype), options
    a, v = rng.standard_normal(shape), rng.standard_normal(taps)
    if dtype.kind == "c":
        a, v = a + 1j * rng.standard_normal(shape), v + 1j * rng.standard_normal(taps)
    return a.astype(dtype), v.astype(dtype), options


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16", "f2", "i1", "u2", "i4", "i8", ">f8"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_same_bits_for_any_number_of_threads(name, dtype, rng):
    a, v, options = problem(name, dtype, rng)
    alone = fc.convolve(a, v, workers=1, **options)
    for workers in (2, 3, 8):
        assert fc.convolve(a, v, workers=workers, **options).tobytes() == alone.tobytes()
    with fc.threads(2):
        assert fc.convolve(a, v, **options).tobytes() == alone.tobytes()


def test_many_python_threads_at_once(rng):
    names = ("signal", "image", "rows")
    cases = [problem(name, dtype, rng) for name in names for dtype in ("f4", "f8", "i1")]
    expected = [fc.convolve(a, v, workers=1, **options).tobytes() for a, v, options in cases]
    start = threading.Barrier(16)

    def work(i):
        start.wait()
        for a, v, options in (cases * 2)[i % len(cases) :][: len(cases)]:
            yield fc.convolve(a, v, workers=(None, 1, 2, 5)[i % 4], **options).tobytes()

    with ThreadPoolExecutor(16) as pool:
        for i, results in enumerate(pool.map(lambda i: list(work(i)), range(16))):
            assert results == (expected * 2)[i % len(cases) :][: len(cases)]


def test_the_gil_is_released():
    program = """
        import sys, threading
        import numpy as np
        import fastconv as fc

        sys.setswitchinterval(1000)  # nobody gets the GIL by asking for it
        running, finished, progress = threading.Event(), False, 0

        def call():
            global finished
            running.set()
            fc.convolve(a, v, workers=1, **options)
            finished = True

        def goes_on():  # does this thread, while another one convolves?
            global finished
            running.clear()
            finished = False
            thread = threading.Thread(target=call)
            thread.start()
            running.wait()
            before = not finished
            thread.join()
            return before

        for a, v, options in [
            (np.ones(5_000_000, "f4"), np.ones(500, "f4"), {}),
            (np.ones((2000, 2000)), np.ones((25, 25)), {}),
            (np.ones((2000, 3000)), np.ones(500), {"axes": 1}),
            (np.ones((4000, 3000), "i1"), np.ones(900, "i1"), {"axes": 1}),
            (np.ones(3_000_000, "f2"), np.ones(900, "f2"), {}),
        ]:  # each takes longer than the slices of the system's scheduler
            progress += any(goes_on() for _ in range(20))  # on a busy machine it may come too late once
        print(progress)
    """
    assert run(program) == "5\n"


# ---- forks ------------------------------------------------------------------------------------------------

FORKING = """
    import os, signal, sys, threading
    import numpy as np
    import fastconv as fc

    x, h = np.arange(400_000.0) % 17, np.arange(40.0)
    expected = fc.convolve(x, h, workers=1).tobytes()

    def right(workers=None):
        return fc.convolve(x, h, workers=workers).tobytes() == expected

    def in_child(check):
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            try:
                os._exit(0 if check() else 1)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(2)
        status = os.waitpid(pid, 0)[1]
        assert status == 0, status
"""


def run_forking(source, **environment):
    run(FORKING + source, **environment)


@needs_fork
@needs_openmp
def test_a_forked_child_starts_with_one_thread_and_may_ask_for_more():
    program = """
    def child():
        assert fc._threads.describe() == (1, "forked process")
        with fc.threads(2):
            assert fc.get_num_threads() == 2 and right()
        assert fc.get_num_threads() == 1 and right() and right(2)
        fc.set_num_threads(3)
        assert fc.get_num_threads() == 3 and right()
        in_child(lambda: fc.get_num_threads() == 1 and right() and right(2))
        return fc.get_num_threads() == 3 and right()

    assert right(2)
    in_child(child)
    assert right(3)
    fc.set_num_threads(2)
    with fc.threads(3):
        in_child(child)
    assert fc.get_num_threads() == 2 and right()
    """
    run_forking(program, FASTCONV_NUM_THREADS="2")


@needs_fork
def test_forks_from_a_thread_while_others_compute():
    program = """
    stop = threading.Event()

    def compute():
        while not stop.is_set():
            assert right(2)

    def fork():
        for _ in range(5):
            in_child(lambda: right() and right(2))

    others = [threading.Thread(target=compute) for _ in range(3)]
    forker = threading.Thread(target=fork)
    for thread in (*others, forker):
        thread.start()
    for _ in range(5):
        assert right(3)
        in_child(lambda: right() and right(3))
    forker.join()
    stop.set()
    for thread in others:
        thread.join()
    """
    run_forking(program)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_after_a_parallel_call(method, tmp_path):
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    program = tmp_path / "pool.py"
    program.write_text(
        textwrap.dedent(f"""
        import multiprocessing, sys
        import numpy as np
        import fastconv as fc

        x, h = np.arange(400_000.0), np.arange(40.0)

        def work(workers):
            return fc.convolve(x, h, workers=workers).sum()

        if __name__ == "__main__":
            expected = work(2)
            with multiprocessing.get_context({method!r}).Pool(3) as pool:
                assert pool.map(work, [None, 1, 2, 3] * 3) == [expected] * 12
            assert work(2) == expected
        """)
    )
    subprocess.run([sys.executable, "-W", "ignore", program], check=True, timeout=HANGS)


# ---- Ctrl-C -----------------------------------------------------------------------------------------------

LONG = {  # each takes many seconds where it is not stopped
    "signal": 'np.ones(20_000_000, "f4"), np.ones(20_000, "f4")',
    "one long line": "np.ones(3_000_000), np.ones(1_500_000)",
    "image": 'np.ones((5000, 5000), "f4"), np.ones((101, 101), "f4")',
    "volume": "np.ones((300, 300, 300)), np.ones((21, 21, 21))",
    "rows": 'np.ones((2000, 20_000), "f4"), np.ones(9999, "f4"), "same", axes=1',
    "a kernel per row": 'np.ones((2000, 20_000), "f4"), np.ones((2000, 9999), "f4"), "same", axes=1',
    "many kernels": '*[np.lib.stride_tricks.sliding_window_view(np.ones(10**7), 2000)] * 2, "valid", axes=1',
    "columns": "np.ones((20_000, 1000)), np.ones(9999), axes=0",
    "int8": 'np.ones(20_000_000, "i1"), np.ones(60_000, "i1")',
    "int8 image": 'np.ones((5000, 5000), "i1"), np.ones((171, 171), "i1")',
    "float16 rows": 'np.ones((3000, 20_000), "f2"), np.ones(9999, "f2"), "same", axes=1',
    "strided": 'np.ones((10_000_000, 2), "f4")[:, 0], np.ones(60_000, "f4")',
    "int64": "np.ones(4_000_000, int), np.ones(60_000, int)",
    "longdouble": 'np.ones(1_000_000, "g"), np.ones(20_000, "g")',
    "one long line of longdouble": 'np.ones(1_000_000, "g"), np.ones(500_000, "g")',
    "complex longdouble image": 'np.ones((3000, 3000), "G"), np.ones((101, 101), "G")',
    "object": "np.ones(20_000, object), np.ones(20_000, object)",
    "infinite taps": "np.ones(5_000_000), np.full(30_000, np.inf)",
    "transforms": "np.broadcast_to(np.ones(1 << 20), (2000, 1 << 20)), np.ones(1 << 20), 'valid', axes=1,"
    " method='fft'",
}


@needs_sigint
@pytest.mark.parametrize(("case", "workers"), [(case, 2) for case in LONG] + [("signal", 1), ("image", 1)])
def test_ctrl_c_stops_a_long_call(case, workers):
    program = f"""
        import os, signal, threading, time
        import numpy as np
        import fastconv as fc

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background

        def interrupt():
            global pressed
            time.sleep(0.3)
            pressed = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

        def convolve(*args, **options):
            threading.Thread(target=interrupt).start()
            fc.convolve(*args, workers={workers}, **dict(method="direct") | options)

        x, h = np.arange(1000.0) % 7, np.arange(9.0)
        expected = np.convolve(x, h)
        pressed = None
        try:
            convolve({LONG[case]})
        except KeyboardInterrupt:
            print(time.monotonic() - pressed)
        assert np.array_equal(fc.convolve(x, h, workers={workers}), expected)
        y = fc.convolve(np.tile(x, 500), h, "valid", workers={workers})
        assert np.array_equal(y, np.convolve(np.tile(x, 500), h, "valid"))
        print("right")
    """
    seconds, right = run(program).split()
    assert right == "right"
    assert float(seconds) < 1
