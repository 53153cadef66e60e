"""The problems of fuzz_capi.py, chosen by what they reach: libFuzzer, by atheris (pip install atheris).

    LD_PRELOAD=$(python -c "import atheris; print(atheris.path())")/ubsan_with_fuzzer.so \\
        python bench/fuzz_coverage.py -max_total_time=600       libFuzzer's options; a failed check ends it

What was built with `clang -fsanitize=fuzzer-no-link`, say _capi* and the drivers, guides it.
"""

import sys

import atheris
import fuzz_capi
import numpy as np


class Choices:
    """Draws as a numpy.random.Generator does, from the fuzzer's bytes; large arrays are noise."""

    def __init__(self, data):
        self.data = atheris.FuzzedDataProvider(data)
        self.noise = np.random.default_rng(1)

    def integers(self, low, high=None, size=None):
        if high is None:
            low, high = 0, low
        if size is None and np.ndim(high) == 0:
            return self.data.ConsumeIntInRange(int(low), int(high) - 1)
        if size is not None and np.prod(size) > 8:
            return self.noise.integers(low, high, size)
        highs = np.broadcast_to(high, np.shape(high) if size is None else size)
        return np.array([self.integers(low, k) for k in highs.flat]).reshape(highs.shape)

    def random(self, size=None):
        if size is None:
            return self.data.ConsumeIntInRange(0, 255) / 256
        return np.array([self.random() for _ in range(size)])

    def choice(self, items, size=None):
        if size is None:
            return items[self.integers(len(items))]
        return np.array([self.choice(items) for _ in range(size)])

    def permutation(self, n):
        return np.argsort(self.random(n), kind="stable")

    def standard_normal(self, shape):
        return self.noise.standard_normal(shape)


fuzzer = fuzz_capi.Fuzzer(1)
KINDS = [fuzzer.valid, fuzzer.line, fuzzer.wrong, fuzzer.separable, fuzzer.layer]


def one(data):
    fuzzer.rng = Choices(data)
    fuzzer.counts[KINDS[fuzzer.rng.integers(len(KINDS))]()] += 1


if __name__ == "__main__":
    np.seterr(all="ignore")
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
