"""Random problems for the C API: valid ones give what the Python functions do, others a status.

    python bench/fuzz_capi.py 120          seconds; prints how many inputs there were, by function and status

x, y and the work buffer end, or start, at pages without access, and what lies around y must stay as it was.
"""

import argparse
import collections
import ctypes as ct
import faulthandler
import itertools
import mmap
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import capi_struct as capi

import fastconv as fc
from fastconv import nn

MEMORY = 1 << 22
INTS = (-(2**31), -7, -1, 0, 1, 2, 3, 5, 6, 12, 33, 2**31 - 1)
SIZES = (-(2**63), -(2**40), -1, 0, 1, 2, 3, 2**31, 2**40, 2**62, 2**63 - 1)


class Room:
    """Memory between two pages without access; arrays are placed at either end."""

    def __init__(self, size):
        page = mmap.PAGESIZE
        self.size = -(-size // page) * page
        self.raw = np.frombuffer(mmap.mmap(-1, self.size + 2 * page), np.uint8)
        protect = ct.CDLL(None).mprotect
        protect.argtypes = ct.c_void_p, ct.c_size_t, ct.c_int
        for start in (0, self.size + page):
            assert protect(self.raw.ctypes.data + start, page, 0) == 0
        self.bytes = self.raw[page : page + self.size]

    def place(self, size, at_end):
        """Addresses of so many bytes."""
        return self.bytes[self.size - size :] if at_end else self.bytes[:size]


def layout(rng, shape, dtype, room):
    """An array of a shape in the room, of random order, steps and directions; its neighbours are noise."""
    dtype, order = np.dtype(dtype), rng.permutation(len(shape))
    steps = rng.choice((1, 1, 1, 2, 3), len(shape))
    backward = rng.random(len(shape)) < 0.2
    outer = [shape[k] * steps[k] for k in order]
    size = int(np.prod(outer)) * dtype.itemsize
    flat = room.place(size, rng.integers(2))
    whole = flat.view(dtype).reshape(outer).transpose(np.argsort(order))
    x = whole[tuple(slice(None, None, -int(s) if b else int(s)) for s, b in zip(steps, backward))]
    assert x.shape == tuple(shape)
    return x


def values(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0, 100, shape).astype(dtype)
    x = rng.standard_normal(shape)
    x = (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)
    if x.size and rng.random() < 0.1:
        x.flat[rng.integers(x.size)] = rng.choice((np.nan, np.inf, -np.inf, 1e30))
    return x


def same(y, want, largest=1.0):
    if want.dtype.kind in "iu":
        return np.array_equal(y, want)
    finite = np.isfinite(want)
    eps = np.finfo(want.dtype).eps
    largest = np.abs(want[finite]).max(initial=largest)
    good = np.abs(y[finite] - want[finite]).max(initial=0) <= 3000 * eps * largest
    return np.array_equal(np.isfinite(y), finite) and good


def norm(x):
    return float(np.linalg.norm(x[np.isfinite(x)].astype(complex)))


class Fuzzer:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.rooms = [Room(MEMORY) for _ in range(4)]
        self.counts = collections.Counter()

    def array(self, number, shape, dtype):
        x = layout(self.rng, shape, dtype, self.rooms[number])
        x[...] = values(self.rng, shape, dtype)
        return x

    def sizes(self):
        ndim = self.rng.choice((1, 1, 2, 2, 3, 4))
        most = {1: 700, 2: 40, 3: 12, 4: 6}[ndim]
        return [
            tuple(int(k) for k in self.rng.integers(1, m, ndim)) for m in (most, most if ndim > 1 else 90)
        ]

    def options(self, dtype):
        rng = self.rng
        cval = values(rng, 1, dtype)
        names = [list(words) for words in (capi.MODES, capi.BOUNDARIES, capi.METHODS)]
        mode, boundary, method = (words[rng.integers(len(words))] for words in names)
        if np.dtype(dtype).kind in "iu" and method == "overlap_save":
            method = "auto"
        options = dict(mode=mode, boundary=boundary, method=method, threads=int(rng.integers(0, 4)))
        return options | dict(correlate=bool(rng.integers(2)), cval=cval)

    def valid(self):
        """A plan, with a work buffer of the exact size between pages without access."""
        rng = self.rng
        dtype = list(capi.DTYPES)[rng.integers(len(capi.DTYPES))]
        n, m = self.sizes()
        x, w, options = self.array(0, n, dtype), self.array(1, m, dtype), self.options(dtype)
        call = dict(mode=options["mode"], boundary=options["boundary"])
        if call["boundary"] == "constant":
            call["cval"] = options["cval"][0]
        p = capi.problem(x, w, None, **options)
        shape = capi.integers([0] * p.ndim)
        status = capi.api.output_shape(p, shape)
        if status:
            assert capi.name(status) == "BAD_MODE", capi.name(status)
            return "plan", "BAD_MODE"
        want = (fc.correlate if options["correlate"] else fc.convolve)(x, w, **call)
        assert tuple(shape) == want.shape
        y = layout(rng, want.shape, dtype, self.rooms[2])
        around = self.rooms[2].bytes
        around[: y.nbytes * 200] = 0xA5
        around[-y.nbytes * 200 :] = 0xA5
        y[...] = 0
        before = around.copy()
        plan = capi.Plan(capi.problem(x, w, y, **options))
        assert plan.status == 0, capi.name(plan.status)
        room = self.rooms[3] if plan.bytes <= MEMORY else Room(plan.bytes)
        work = room.place(plan.bytes, rng.integers(2)) if rng.integers(3) else None
        status = plan(x, y, None if work is None else work.ctypes.data)
        assert status == 0, capi.name(status)
        # Transforms err by what taps without a partner weigh, too.
        largest = 1.0 if options["method"] == "direct" else norm(x) * norm(w)
        assert same(y, want, largest), (dtype, n, m, options, np.abs(y - want).max())
        y[...] = 0
        assert np.array_equal(around, before), ("bytes around y", dtype, n, m, options)
        return "plan", "OK"

    def line(self):
        rng = self.rng
        dtype = list(capi.DTYPES)[rng.integers(len(capi.DTYPES))]
        n, m = (int(k) for k in rng.integers(1, rng.choice((6, 40, 1500)), 2))
        mode = list(capi.MODES)[rng.integers(3)]
        count = {"full": n + m - 1, "same": max(n, m), "valid": abs(n - m) + 1}[mode]
        item = np.dtype(dtype).itemsize
        x, w, y = (
            room.place(size * item, rng.integers(2)).view(dtype)
            for room, size in zip(self.rooms, (n, m, count))
        )
        x[...], w[...] = values(rng, n, dtype), values(rng, m, dtype)
        name = ("convolve", "correlate")[rng.integers(2)]
        function = getattr(capi.api, name + "1d")
        addresses = (x.ctypes.data, n, w.ctypes.data, m, y.ctypes.data, capi.MODES[mode])
        status = function(capi.DTYPES[dtype], *addresses)
        assert status == 0, capi.name(status)
        with np.errstate(all="ignore"):
            want = getattr(fc, name)(x, w, mode, method="direct")
        assert same(y, want), (name, dtype, n, m, mode)
        return "line", "OK"

    def wrong(self):
        """A struct with fields of any value: only its shape may be believed where a plan comes of it."""
        rng = self.rng
        dtype = list(capi.DTYPES)[rng.integers(len(capi.DTYPES))]
        n, m = self.sizes()
        x, w = self.array(0, n, dtype), self.array(1, m, dtype)
        p = capi.problem(x, w, None, **self.options(dtype))
        kept = []
        for _ in range(rng.integers(1, 4)):
            kind = rng.integers(5)
            if kind == 0:
                field = "operation dtype ndim mode boundary method threads".split()[rng.integers(7)]
                value = int(rng.choice(INTS))
                if field == "dtype" and 0 <= value < 12:
                    value = 12  # else more bytes of the kernel would be read than there are
                if field == "ndim" and value > len(n) and value <= 32:
                    value = 33  # more entries than the arrays of sizes have
                setattr(p, field, value)
            elif kind == 1:
                setattr(p, "x_shape w_shape x_strides y_strides cval".split()[rng.integers(5)], None)
            elif kind == 2:
                p.w = None
            else:
                field = "x_shape w_shape x_strides y_strides".split()[rng.integers(4 if kind == 4 else 1)]
                sizes = list(m if field == "w_shape" else n)  # as fewer axes may count
                sizes[rng.integers(len(sizes))] = size = int(rng.choice(SIZES))
                if field == "w_shape" and 0 < size < 2**62:
                    continue  # as for dtype
                kept.append(capi.integers(sizes))
                setattr(p, field, kept[-1])
        shape = capi.integers([0] * 40)
        said = capi.api.output_shape(p, shape)
        if said == 0 and np.prod([float(k) for k in shape[: p.ndim]]) > 1e6:
            return "wrong", "too large to make"
        plan = capi.Plan(p)
        assert -15 < plan.status <= 0
        assert (plan.status == 0) == bool(plan.address.value)
        assert plan.status == 0 or plan.bytes == 0
        if capi.name(plan.status) == "FAILED":
            fields = {name: getattr(p, name) for name, _ in p._fields_}
            for key, value in fields.items():
                fields[key] = value[: p.ndim] if isinstance(value, capi.sizes) and value else value
            print("an error inside:", fields, flush=True)
        return "wrong", capi.name(plan.status)

    def separable(self):
        rng = self.rng
        dtype = list(capi.DTYPES)[rng.integers(len(capi.DTYPES))]
        shape = tuple(int(k) for k in rng.integers(1, 40, 2))
        x = self.array(0, shape, dtype)
        column, row = (values(rng, int(k), dtype) for k in rng.integers(1, 9, 2))
        y = layout(rng, shape, dtype, self.rooms[2])
        cval, boundary = values(rng, 1, dtype), list(capi.BOUNDARIES)[rng.integers(6)]
        status = capi.api.separable2d(
            capi.DTYPES[dtype], x.ctypes.data, capi.integers(shape), capi.integers(x.strides),
            column.ctypes.data, len(column), row.ctypes.data, len(row), y.ctypes.data,
            capi.integers(y.strides), capi.BOUNDARIES[boundary], cval.ctypes.data, int(rng.integers(0, 3)),
        )  # fmt: skip
        assert status == 0, capi.name(status)
        options = {"cval": cval[0]} if boundary == "constant" else {}
        with np.errstate(all="ignore"):
            taps = np.multiply.outer(column, row).conj()
            want = fc.correlate(x, taps, "same", boundary=boundary, **options)
        assert same(y, want), ("separable2d", dtype, shape, boundary)
        return "separable2d", "OK"

    def layer(self):
        """Layers whose fields are small numbers of any sign: the status tells which are valid."""
        rng = self.rng
        dtype = ("f4", "f8", "c8", "c16", "i1", "i4")[rng.integers(6)]
        wild = rng.random() < 0.5
        n, c, h, w, o, kh, kw = (int(k) for k in rng.integers(1, (3, 7, 14, 14, 7, 4, 4)))
        groups = int(rng.integers(0, 3))
        if not wild and groups == 2:
            c, o = 2 * c, 2 * o
        layer = capi.Layer(capi.DTYPES[dtype], groups, int(rng.integers(0, 3)), n, c, h, w, o, kh, kw)
        for field, count in (("stride", 2), ("dilation", 2), ("padding", 4)):
            for k in range(count):
                getattr(layer, field)[k] = int(rng.integers(0, 4))
        if wild:
            for _ in range(rng.integers(1, 4)):
                field = "dtype groups threads n c h w o kh kw".split()[rng.integers(10)]
                value = int(rng.choice(INTS if field in ("dtype", "groups", "threads") else SIZES))
                if field in ("n", "c", "h", "w", "o", "kh", "kw") and 3 < value < 2**62:
                    value = -value  # a layer that would read beyond the arrays
                setattr(layer, field, value)
        room = [self.rooms[k].bytes for k in range(3)]
        sizes = [max(1, v) for v in (layer.n, layer.c, layer.h, layer.w, layer.o, layer.kh, layer.kw)]
        if max(sizes) > 100:
            x, weight, y = (np.zeros(64, "f8") for _ in range(3))
            status = capi.api.conv2d(layer, x.ctypes.data, weight.ctypes.data, None, y.ctypes.data)
            assert status != 0
            return "conv2d", capi.name(status)
        for memory in room[:2]:
            memory[: 1 << 16] = rng.integers(0, 50, 1 << 16)
        item = np.dtype(list(capi.DTYPES)[layer.dtype] if 0 <= layer.dtype < 12 else "c16")
        x, weight = (memory[: 1 << 16].view(item) for memory in room[:2])
        if item.kind in "fc":
            x[...], weight[...] = values(rng, x.shape, item), values(rng, weight.shape, item)
        room[2][...] = 0xA5
        status = capi.api.conv2d(layer, x.ctypes.data, weight.ctypes.data, None, room[2].ctypes.data)
        if status == 0:
            groups = layer.groups or 1
            n, c, h, w, o, kh, kw = (getattr(layer, field) for field in ("n", "c", "h", "w", "o", "kh", "kw"))
            a = x[: n * c * h * w].reshape(n, c, h, w)
            b = weight[: o * (c // groups) * kh * kw].reshape(o, c // groups, kh, kw)
            pads = list(layer.padding)
            stride, dilation = ([k or 1 for k in field] for field in (layer.stride, layer.dilation))
            a = np.pad(a, ((0, 0), (0, 0), tuple(pads[:2]), tuple(pads[2:])))
            with np.errstate(all="ignore"):
                want = nn.conv2d(a, b, stride=stride, dilation=dilation, groups=groups, algorithm="direct")
            y = room[2][: want.nbytes].view(item).reshape(want.shape)
            if np.isfinite(a).all() and np.isfinite(b).all():
                assert same(y, want), ("conv2d", item, n, c, h, w, o, kh, kw, groups)
            assert (room[2][want.nbytes :] == 0xA5).all()
        return "conv2d", capi.name(status)

    def run(self, seconds):
        kinds = [self.valid, self.line, self.line, self.wrong, self.wrong, self.separable]
        if hasattr(capi.api, "conv2d") and capi.api.size >= ct.sizeof(capi.Api) and capi.api.conv2d:
            kinds.append(self.layer)
        begun = time.monotonic()
        for kind in itertools.cycle(kinds):
            if time.monotonic() - begun > seconds:
                return self.counts
            self.counts[kind()] += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    faulthandler.enable()
    np.seterr(all="ignore")
    counts = Fuzzer(args.seed).run(args.seconds)
    for (kind, status), count in sorted(counts.items()):
        print(f"{kind:12} {status:20} {count:8}")
    print(f"{sum(counts.values())} inputs in {args.seconds:.0f} s")


if __name__ == "__main__":
    main()
