"""Long runs of what tests/test_faults.py tries briefly; every line printed is a figure.

    python bench/soak.py memory 100000     valid calls of all functions: growth of resident memory
    python bench/soak.py pools             joblib's pools (if installed), fork and spawn after parallel calls
    python bench/soak.py torch             PyTorch's OpenMP runtime beside ours, imported before and after

Senseless arguments: python tests/faults.py 100000. The C API: python bench/fuzz_capi.py 300.
"""

import argparse
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

TESTS = str(Path(__file__).parent.parent / "tests")
sys.path.insert(0, TESTS)
import public_calls  # noqa: E402

import fastconv as fc  # noqa: E402

WITHOUT = ("get_num_threads", "show_config", "threads")  # which differ between processes

TORCH = """
import sys, threading
sys.path.insert(0, {tests!r})
{imports}
import numpy as np
import public_calls  # noqa: E402

x, w = np.ones((8, 16, 64, 64), "f4"), np.ones((16, 16, 3, 3), "f4")
table = public_calls.calls(60)
expected = {{name: public_calls.bits(function(**options)) for name, (function, options) in table.items()}}
fc.set_num_threads(2)
torch.set_num_threads(2)
wrong = []

def ours():
    for name, (function, options) in table.items():
        if name not in {without} and public_calls.bits(function(**options)) != expected[name]:
            wrong.append(name)

def theirs():
    for _ in range(30):
        y = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(w))
        if float(y.min()) != 144:
            wrong.append("torch")

for turn in range(3):                               # one after the other, then both at once
    ours(), theirs()
together = [threading.Thread(target=work) for work in (ours, theirs, ours, theirs)]
for thread in together:
    thread.start()
for thread in together:
    thread.join()
assert not wrong, wrong
print("the same bits in", 5 * len(expected), "calls")
"""


def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def memory(count):
    calls = list(public_calls.calls(12).values())
    begun, before = time.monotonic(), None
    for i in range(count):
        function, options = calls[i % len(calls)]
        function(**options)
        if i == count // 10:
            before = resident()
    grown = resident() - before
    seconds = time.monotonic() - begun
    print(f"{count} calls of {len(calls)} kinds in {seconds:.0f} s: {grown} kB more after the first tenth")


def work(name):
    function, options = public_calls.calls(60)[name]
    return public_calls.bits(function(**options))


def pools(_):
    names = [name for name in public_calls.calls(60) if name not in WITHOUT]
    expected = [work(name) for name in names]
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(3) as pool:
            assert pool.map_async(work, names).get(300) == expected
        print(f"{method} pool: {len(names)} functions, the same bits")
    try:
        import joblib
    except ImportError:
        return
    for backend in ("loky", "threading", "multiprocessing"):
        results = joblib.Parallel(n_jobs=3, backend=backend)(joblib.delayed(work)(name) for name in names)
        assert results == expected, backend
        print(f"joblib {backend}: {len(names)} functions, the same bits")


def torch(_):
    for imports in ("import torch\nimport fastconv as fc", "import fastconv as fc\nimport torch"):
        program = TORCH.format(imports=imports, tests=TESTS, without=WITHOUT)
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=500)
        words = done.stdout.strip() or done.stderr[-1500:]
        print(
            f"{' then '.join(line.split()[1] for line in imports.splitlines())}: {done.returncode}, {words}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("memory", "pools", "torch"))
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    args = parser.parse_args()
    np.seterr(all="ignore")
    fc.convolve(np.ones(500_000), np.ones(99))  # starts the threads
    {"memory": memory, "pools": pools, "torch": torch}[args.what](args.count)


if __name__ == "__main__":
    main()
