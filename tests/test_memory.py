"""Working memory beyond the output stays below 2 MB a thread, also where the input is converted or a file.

The peak of the process's resident memory is reset and read around one call (Linux), in a process of its own
whose arrays are all in memory before.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/clear_refs")

MEASURE = """
import sys
import numpy as np
import fastconv as fc

def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))

def filled(x):
    x[...] = 1  # every page is there
    return x

def growth(a, v, mode, out, options):
    fc.convolve(a[..., :64], v, mode, workers=2, **options)  # imports what is needed
    fc.convolve(np.ones(100_000), np.ones(99), workers=2)  # starts the threads
    a.max()
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")
    before = resident("VmRSS")
    fc.convolve(a, v, mode, out=out, workers=2, **options)
    print(resident("VmHWM") - before)

"""

CASES = {
    "signal": 'a, v, out = ones("f4", N), ones("f4", 9), ones("f4", N)',
    "full": 'a, v, out = ones("f8", N), ones("f8", 101), ones("f8", N + 100)',
    "image": 'a, v, out = ones("f4", K, K), ones("f4", 5, 5), ones("f4", K, K)',
    "wrap": 'a, v, out, options = ones("f8", K, K), ones("f8", 3, 3), ones("f8", K, K), {"boundary": "wrap"}',
    "mirror": 'a, v, out, options = ones("f4", N), ones("f4", 9), ones("f4", N), {"boundary": "mirror"}',
    "volume": 'a, v, out = ones("f4", 40, 300, 300), ones("f4", 3, 3, 3), ones("f4", 40, 300, 300)',
    "rows": 'a, v, out, options = ones("f4", K, K), ones("f4", 9), ones("f4", K, K), {"axes": 1}',
    "columns": 'a, v, out, options = ones("f4", K, K), ones("f4", 9), ones("f4", K, K), {"axes": 0}',
    "transposed": 'a, v, out = ones("f4", K, K).T, ones("f4", 5, 5), ones("f4", K, K)',
    "reversed": 'a, v, out = ones("f4", N)[::-1], ones("f4", 9), ones("f4", N)[::-1]',
    "strided": 'a, v, out = ones("f8", N, 2)[:, 0], ones("f8", 9), ones("f8", N, 2)[:, 1]',
    "complex": 'a, v, out = ones("c8", N), ones("c8", 9), ones("c8", N)',
    "int16": 'a, v, out = ones("i2", N), ones("i2", 9), ones("i2", N)',
    "int64": 'a, v, out = ones("i8", K, K), ones("i8", 3, 3), ones("i8", K, K)',
    "uint8": 'a, v, out = ones("u1", N), ones("u1", 9), ones("u1", N)',
    "uint8 image": 'a, v, out = ones("u1", K, K), ones("u1", 5, 5), ones("u1", K, K)',
    "bool": 'a, v, out = ones("?", N), ones("?", 9), ones("?", N)',
    "float16": 'a, v, out = ones("f2", N), ones("f2", 9), ones("f2", N)',
    "mixed": 'a, v, out = ones("f4", N), ones("f8", 9), ones("f8", N)',
    "integers with floats": 'a, v, out = ones("i2", K, K), ones("f4", 5, 5), ones("f4", K, K)',
    "real with complex": 'a, v, out = ones("f8", N), ones("c16", 9), ones("c16", N)',
    "byte-swapped": 'a, v, out = ones(">f4", N), ones("f4", 9), ones("f4", N)',
    "unaligned": 'a, v, out = ones("u1", 4 * N + 1)[1:].view("f4"), ones("f4", 9), ones("f4", N)',
    "long double": 'a, v, out = ones("g", N // 2), ones("g", 5), ones("g", N // 2)',
    "infinite tap": 'a, v, out = ones("f4", N), ones("f4", 9), ones("f4", N); v[3] = np.inf',
    "broadcast": 'a, v, out = np.broadcast_to(ones("f4", 1, K), (K, K)), ones("f4", 3, 3), ones("f4", K, K)',
    "kernels": 'a, v, out, options = ones("f4", K, K), ones("f4", K, 5), ones("f4", K, K), {"axes": 1}',
    "in place": 'a, v = ones("f4", N), ones("f4", 9); out = a',
    "in place image": 'a, v = ones("f4", K, K), ones("f4", 5, 5); out = a',
    "file": """
ones("f4", N).tofile(path)
a, v, out = np.memmap(path, "f4", "r"), ones("f4", 9), ones("f4", N)
""",
    "file to convert": """
ones("i2", K, K).tofile(path)
a, v, out = np.memmap(path, ">i2", "r", shape=(K, K)), ones("f4", 3, 3), ones("f4", K, K)
""",
}


@pytest.mark.parametrize("case", CASES)
def test_growth(tmp_path, case):
    code = "\n".join(
        [
            MEASURE,
            "N, K, options = 5_000_000, 2100, {}",
            f"path = {str(tmp_path / 'data')!r}",
            "ones = lambda dtype, *shape: filled(np.empty(shape, dtype))",
            CASES[case],
            "growth(a, v, 'full' if len(out) == len(a) + len(v) - 1 != len(a) else 'same', out, options)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    kilobytes = int(done.stdout)
    assert kilobytes < 2 * 2048, f"{kilobytes} kB beyond the output for two threads"
