"""All public functions under faults: senseless arguments, little memory, Ctrl-C, many calls, many threads."""

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import public_calls
import pytest
from test_threads import HANGS, needs_openmp, needs_sigint, run

import fastconv as fc

HERE = Path(__file__).parent
SPACES = [space for space in public_calls.NAMESPACES if public_calls.space_of(space) is not None]
IMPORTS = f"import sys; sys.path.insert(0, {str(HERE)!r}); import public_calls"
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def of_space(space, n):
    """The calls of a namespace."""
    return {name: call for name, call in public_calls.calls(n).items() if name.rpartition(".")[0] == space}


def program(source):
    """What it prints."""
    return run(IMPORTS + textwrap.dedent(source))


def test_every_public_function_has_a_call():
    without = {"Explanation", "nn.Explanation", "set_num_threads"}
    assert set(public_calls.public()) - set(public_calls.calls()) <= without
    for function, options in public_calls.calls().values():
        function(**options)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX timers and limits")
@pytest.mark.parametrize("seed", [1, 2])
def test_senseless_arguments(seed):
    """More by hand: python tests/faults.py 100000."""
    command = [sys.executable, HERE / "faults.py", "250", "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5 * HANGS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "wrong" not in done.stdout, done.stdout


# ---- threads ----------------------------------------------------------------------------------------------


@needs_openmp
@pytest.mark.parametrize("space", SPACES)
def test_same_bits_for_any_number_of_threads(space):
    for name, (function, options) in of_space(space, 60).items():
        with fc.threads(1):
            alone = public_calls.bits(function(**options))
        for count in (2, 3, 8):
            with fc.threads(count):
                assert public_calls.bits(function(**options)) == alone or "num_threads" in name, name


def test_many_python_threads_over_all_functions():
    table = public_calls.calls(40)
    for name in ("get_num_threads", "show_config", "threads"):
        del table[name]
    names = sorted(table)
    expected = {name: public_calls.bits(table[name][0](**table[name][1])) for name in names}
    start = threading.Barrier(16)

    def work(i):
        start.wait()
        for k in range(0, len(names), 2):
            name = names[(k + i * 5) % len(names)]
            function, options = table[name]
            assert public_calls.bits(function(**options)) == expected[name], name

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))


# ---- memory -----------------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("space", SPACES)
def test_memory_is_steady(space):
    grown = program(f"""
        def resident():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        table = public_calls.calls(12)
        calls = [call for name, call in table.items() if name.rpartition(".")[0] == {space!r}]

        def some(count):
            for i in range(count):
                function, options = calls[i % len(calls)]
                function(**options)

        some(20 * len(calls))
        before = resident()
        some(500)
        print(resident() - before)
    """)
    assert int(grown) < 2048  # kB


@linux
@pytest.mark.parametrize("space", SPACES)
def test_little_memory(space):
    """A call ends with its result or a MemoryError, and the next one is right."""
    assert "right" in program(f"""
        import resource
        import numpy as np
        import fastconv as fc

        def address_space():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmSize"))

        fc.convolve(np.ones(500_000), np.ones(99), workers=2)  # starts the threads
        table = public_calls.calls(100)
        refused = 0
        for name, (function, options) in table.items():
            if name.rpartition(".")[0] == {space!r}:
                with fc.threads(2):
                    before = public_calls.bits(function(**options))
                    for more in (0, 1 << 16, 1 << 20):
                        resource.setrlimit(resource.RLIMIT_AS, (address_space() + more, -1))
                        try:
                            function(**options)
                        except MemoryError:
                            refused += 1
                        finally:
                            resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
                    assert public_calls.bits(function(**options)) == before, name
        print("right", refused)
    """)


@linux
@pytest.mark.parametrize(
    "call",
    [
        "fc.correlate(huge('f8'), huge('f8'), 'valid')",
        "fc.correlate(huge('f4'), huge('f4')[:-9], 'valid', method='direct')",
        "fc.correlate(huge('f8'), huge('f8'), 'valid', method='sparse')",
        "fc.convolve(np.ones(5), huge('i1'), 'full')",
        "fc.convolve(np.ones(5), huge('f8'), 'same', boundary='wrap')",
        "fc.correlate(huge('f8').reshape(2**30, -1), huge('f8').reshape(2**30, -1), 'valid')",
        "exact.correlate(huge('i8'), huge('i8'), 'valid', overflow='raise')",
        "exact.correlate(huge('i8'), huge('i8'), 'valid', overflow='object')",
        "ndimage.correlate(np.ones(9), huge('f8'))",
        "signal.lfilter(huge('f8'), 1.0, np.ones(9))",
        "nan.convolve(huge('f8'), huge('f8')[1:])",
        "signal.oaconvolve(np.ones(9), np.ones(3), axes=huge('i8'))",
        "signal.oaconvolve(np.ones(9), np.ones(3), axes=np.broadcast_to(1.0, (10**6, 10**6)))",
        "probability.pmf_sum(np.broadcast_to(1.0, (10**6, 10**6)), [1, 1], exact=True)",
        "nn.conv1d(np.ones((1, 1, 9)), huge('f8').reshape(1, 1, -1), padding=2**58)",
        "nn.conv_integer(np.ones((1, 1, 9), 'u1'), np.ones((1, 1, 3), 'i1'), huge('u1'))",
        "nn.qlinear_conv(np.ones((1, 1, 9), 'u1'), 1, 0, np.ones((1, 1, 3), 'i1'), huge('f4'), 0, 1, 0)",
    ],
)
def test_a_kernel_that_no_memory_holds_is_refused_at_once(call):
    """Its elements are one: NumPy makes it."""
    seconds = program(f"""
        import resource, time
        import numpy as np
        import fastconv as fc
        from fastconv import exact, nan, ndimage, nn, probability, signal

        def huge(dtype):
            return np.broadcast_to(np.ones((), dtype), 2**59)

        fc.convolve(np.ones(500_000), np.ones(99), workers=2)
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, -1))
        begun = time.monotonic()
        try:
            {call}
        except (MemoryError, TypeError, ValueError):
            print(time.monotonic() - begun)
    """)
    assert float(seconds) < 5


# ---- Ctrl-C -----------------------------------------------------------------------------------------------

LONG = {  # each takes many seconds where it is not stopped
    "nn.conv2d": "nn.conv2d(ones(8, 128, 400, 400), ones(256, 128, 3, 3), algorithm='direct', padding=1)",
    "nn.conv2d, winograd": "nn.conv2d(ones(8, 128, 400, 400), ones(256, 128, 3, 3), algorithm='winograd')",
    "nn.conv2d, fft": "nn.conv2d(ones(64, 16, 600, 600), ones(24, 16, 31, 31), algorithm='fft')",
    "nn.conv2d, depthwise": "nn.conv2d(ones(16, 64, 400, 400), ones(64, 1, 31, 31), groups=64, padding=15)",
    "nn.conv1d": "nn.conv1d(ones(16, 256, 20_000), ones(256, 256, 15))",
    "nn.conv3d": "nn.conv3d(ones(2, 32, 60, 60, 60), ones(64, 32, 7, 7, 7))",
    "nn.conv_transpose2d": "nn.conv_transpose2d(ones(8, 128, 200, 200), ones(128, 128, 5, 5), stride=2)",
    "nn.conv2d_weight": "nn.conv2d_weight(ones(8, 128, 300, 300), (256, 128, 3, 3), ones(8, 256, 298, 298))",
    "nn.conv_integer": "nn.conv_integer(np.ones((16, 256, 300, 300), 'u1'), np.ones((512, 256, 3, 3), 'i1'))",
    "nan.convolve": "nan.convolve(np.ones((4000, 4000)), np.ones((101, 101)))",
    "exact.convolve": "exact.convolve(np.full(500_000, 2**60), np.full(200_000, 2**60), overflow='object')",
    "ndimage.correlate": "ndimage.correlate(np.ones((9000, 9000), 'u1'), np.arange(625).reshape(25, 25) % 7)",
    "ndimage.uniform_filter": "[ndimage.uniform_filter(x, 99) for x in [ones(9000, 9000)] * 100]",
    "ndimage.gaussian_filter": "[ndimage.gaussian_filter(x, 8.0) for x in [np.ones((9000, 9000), 'u1')] * 9]",
    "probability.pmf_sum": "probability.pmf_sum(np.arange(1, 200_001.0), np.arange(1, 200_001.0) ** 9)",
    "probability.pmf_power": "probability.pmf_power(np.arange(1, 5001.0), 3001)",
    "probability.pmf_power, exact": "probability.pmf_power(list(range(1, 30)), 5001, exact=True)",
    "probability.pmf_power, exact, squares": "probability.pmf_power(list(range(1, 301)), 3001, exact=True)",
    "probability.pmf_power, exact, one": "probability.pmf_power([3**10_000], 2000, exact=True)",
    "probability.pmf_sum, exact": "probability.pmf_sum(*[[3**5000] * 9000] * 2, exact=True)",
}


@needs_sigint
@pytest.mark.parametrize("case", [case for case in LONG if case.partition(".")[0] in SPACES])
def test_ctrl_c_stops_a_long_call(case):
    """It does so within what a loaded machine needs; a call that was over before proves nothing."""
    seconds = program(f"""
        import os, signal, threading, time
        import numpy as np
        import fastconv as fc
        from fastconv import {case.partition(".")[0]}

        def ones(*shape):
            return np.ones(shape, "f4")

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background

        def interrupt():
            global pressed
            time.sleep(1.5)
            pressed = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

        fc.convolve(np.ones(500_000), np.ones(99), workers=2)
        pressed = time.monotonic() + 9
        threading.Thread(target=interrupt).start()
        try:
            with fc.threads(2):
                {LONG[case]}
            time.sleep(3)
        except KeyboardInterrupt:
            print(time.monotonic() - pressed)
        assert fc.convolve(np.ones(500_000), np.ones(99), workers=2).max() - 99 < 1e-9
    """)
    assert float(seconds) < 10
