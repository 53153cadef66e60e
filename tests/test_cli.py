"""`python -m fastconv convolve`: files in, files out; one line for what cannot be done."""

import functools
import os
import signal
import struct
import subprocess
import sys
import time
import tracemalloc
import wave

import numpy as np
import pytest

import fastconv
from fastconv import _files
from fastconv._cli import _Progress, main

RUN = [sys.executable, "-m", "fastconv"]
BOUNDARIES = {
    "zero": {"mode": "constant"},
    "constant": {"mode": "constant", "constant_values": 0.25},
    "reflect": {"mode": "symmetric"},
    "mirror": {"mode": "reflect"},
    "nearest": {"mode": "edge"},
    "wrap": {"mode": "wrap"},
}


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save(name, array):
    np.save(name, array)
    return name


def save_wav(name, samples, width, rate=8000):
    """Write integer samples, (frames,) or (frames, channels), to a WAV file, one at a time."""
    samples = np.asarray(samples)
    data = b"".join(
        (int(s) + (128 if width == 1 else 0)).to_bytes(width, "little", signed=width > 1)
        for s in samples.flat
    )
    with wave.open(name, "wb") as file:
        file.setparams((1 if samples.ndim == 1 else samples.shape[1], width, rate, 0, "NONE", ""))
        file.writeframes(data)
    return name


def load_wav(name):
    """The samples of a WAV file as integers, (frames, channels), and its parameters."""
    with wave.open(name) as file:
        params = file.getparams()
        data = file.readframes(params.nframes)
    width = params.sampwidth
    assert len(data) == params.nframes * params.nchannels * width
    values = [
        int.from_bytes(data[i : i + width], "little", signed=width > 1) for i in range(0, len(data), width)
    ]
    return np.array(values).reshape(-1, params.nchannels) - (128 if width == 1 else 0), params


def noise(width, shape, level=1.0):
    top = int(2 ** (8 * width - 1) * level)
    return np.random.default_rng(width).integers(-top, top, shape)


# .npy


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "c8", "?", ">f4"])
def test_npy(mode, dtype, capsys):
    x = np.random.default_rng(0).integers(0, 5, 1000).astype(dtype)
    h = np.random.default_rng(1).integers(0, 5, 7).astype(dtype)
    assert main(["convolve", save("x.npy", x), save("h.npy", h), "-o", "y.npy", "--mode", mode]) == 0
    y = np.load("y.npy")
    np.testing.assert_array_equal(y, np.convolve(x, h, mode))
    assert y.dtype == np.convolve(x, h, mode).dtype
    assert capsys.readouterr().out == f"y.npy: {y.dtype} {y.shape}\n"


def test_npy_options():
    x, h = np.random.default_rng(0).standard_normal((20, 30, 4)), np.ones((3, 5))
    options = [
        "--axes=1,0",
        "--boundary=constant",
        "--cval=2.5",
        "--mode=same",
        "--method=direct",
        "--workers=1",
    ]
    assert main(["convolve", save("x.npy", x), save("h.npy", h), "-o", "y.npy", *options]) == 0
    expected = fastconv.convolve(x, h, "same", axes=(1, 0), boundary="constant", cval=2.5)
    np.testing.assert_array_equal(np.load("y.npy"), expected)


def test_npy_integer_cval_is_exact():
    x = np.zeros(3, np.int64)
    cval = 2**62 + 1
    options = ["--boundary=constant", "--mode=same", f"--cval={cval}"]
    assert main(["convolve", save("x.npy", x), save("h.npy", [1, 0, 0]), "-o", "y.npy", *options]) == 0
    assert np.load("y.npy").tolist() == [0, 0, cval]


def test_npy_keeps_fortran_order():
    x = np.asfortranarray(np.random.default_rng(0).standard_normal((40, 50)))
    assert main(["convolve", save("x.npy", x), save("h.npy", np.ones((2, 3))), "-o", "y.npy"]) == 0
    y = np.load("y.npy")
    assert y.flags.fnc
    np.testing.assert_array_equal(y, fastconv.convolve(x, np.ones((2, 3))))


def test_output_may_be_the_input():
    x = np.arange(100_000.0)
    save("x.npy", x)
    assert main(["convolve", "x.npy", save("h.npy", [1.0, 2.0]), "-o", "x.npy"]) == 0
    np.testing.assert_array_equal(np.load("x.npy"), np.convolve(x, [1.0, 2.0]))


def test_output_through_a_link_replaces_what_it_points_to():
    os.symlink(save("target.npy", np.zeros(3)), "y.npy")
    assert main(["convolve", save("x.npy", np.ones(2)), save("h.npy", np.ones(2)), "-o", "y.npy"]) == 0
    assert os.path.islink("y.npy")
    assert np.load("target.npy").tolist() == [1, 2, 1]


@pytest.mark.parametrize("dtype", ["f4", "u1", ">f8"])
def test_big_npy_is_not_loaded(dtype):
    n = 100_000_000 // np.dtype(dtype).itemsize
    x = np.lib.format.open_memmap("x.npy", "w+", dtype, (n,))
    x[n // 2] = 3
    del x
    save("h.npy", np.array([1, 2, 1], dtype))
    main(["convolve", "h.npy", "h.npy", "-o", "y.npy"])  # whatever is made once
    tracemalloc.start()
    try:
        assert main(["convolve", "x.npy", "h.npy", "-o", "y.npy", "--mode=same"]) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6
    y = np.load("y.npy", mmap_mode="r")
    assert y.shape == (n,) and y[n // 2 - 1 : n // 2 + 2].tolist() == [3, 6, 3]


# .wav


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [300, (300, 1), (300, 2), (100, 5)])
def test_wav_identity_keeps_every_bit(width, shape):
    x = noise(width, shape)
    x.flat[:4] = -(2 ** (8 * width - 1)), 2 ** (8 * width - 1) - 1, 0, -1
    save_wav("x.wav", x, width, rate=44100)
    assert main(["convolve", "x.wav", save("h.npy", [1.0]), "-o", "y.wav"]) == 0
    y, params = load_wav("y.wav")
    np.testing.assert_array_equal(y, x.reshape(len(x), -1))
    assert (params.sampwidth, params.framerate) == (width, 44100)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("taps", [1, 6, 31])
def test_wav_blocks(boundary, mode, taps, monkeypatch):
    """Cut into rounds, it is what one convolution of the whole, continued, channel gives."""
    monkeypatch.setattr(_files, "BLOCK", 16)
    x, h = noise(2, (75, 2), 0.3), np.random.default_rng(0).uniform(-1, 1, taps) / taps
    options = ["--mode", mode, "--boundary", boundary, "--cval", "0.25"]
    save_wav("x.wav", x, 2)
    assert main(["convolve", "x.wav", save("h.npy", h), "-o", "y.wav", *options]) == 0
    start, n = {
        "full": (0, 75 + taps - 1),
        "same": ((taps - 1) // 2, 75),
        "valid": (taps - 1, 75 - taps + 1),
    }[mode]
    y, _ = load_wav("y.wav")
    for channel in range(2):
        whole = np.pad(x[:, channel] / 2**15, taps - 1, **BOUNDARIES[boundary])
        expected = np.convolve(whole, h, "valid")[start : start + n] * 2**15
        assert np.abs(y[:, channel] - expected).max() <= 0.501


def test_wav_kernel_longer_than_the_signal(monkeypatch):
    monkeypatch.setattr(_files, "BLOCK", 16)
    x, h = noise(3, 20, 0.5), np.random.default_rng(0).uniform(-1, 1, 90) / 90
    save_wav("x.wav", x, 3)
    assert main(["convolve", "x.wav", save("h.npy", h), "-o", "y.wav", "--boundary=wrap"]) == 0
    whole = np.pad(x / 2**23, 89, mode="wrap")
    expected = np.convolve(whole, h, "valid")
    y, _ = load_wav("y.wav")
    assert np.abs(y[:, 0] - expected * 2**23).max() <= 0.501


@pytest.mark.parametrize("x_channels, h_channels", [(1, 1), (3, 1), (3, 3), (1, 2)])
def test_wav_channels(x_channels, h_channels):
    x, h = noise(2, (50, x_channels), 0.5), noise(4, (8, h_channels), 0.2)
    save_wav("x.wav", x, 2)
    save_wav("h.wav", h, 4)
    assert main(["convolve", "x.wav", "h.wav", "-o", "y.wav"]) == 0
    y, _ = load_wav("y.wav")
    assert y.shape == (57, max(x_channels, h_channels))
    for channel in range(y.shape[1]):
        expected = np.convolve(x[:, channel % x_channels], h[:, channel % h_channels] / 2**31)
        assert np.abs(y[:, channel] - expected).max() <= 0.501


def test_wav_saturates_and_says_so(capsys):
    save_wav("x.wav", [0, 30000, -30000, 100], 2)
    assert main(["convolve", "x.wav", save("h.npy", [2.0]), "-o", "y.wav"]) == 0
    assert load_wav("y.wav")[0].ravel().tolist() == [0, 32767, -32768, 200]
    assert capsys.readouterr().err == "fastconv: y.wav: 2 of 4 samples saturated; the peak was 1.83\n"


@pytest.mark.parametrize("channels", [1, 2])
def test_wav_to_npy(channels):
    x = noise(2, (50, channels))
    save_wav("x.wav", x, 2)
    assert main(["convolve", "x.wav", save("h.npy", np.array([2, 1], "f4")), "-o", "y.npy"]) == 0
    y = np.load("y.npy")
    expected = np.stack([np.convolve(c / 2**15, [2, 1]) for c in x.T], axis=1)
    np.testing.assert_array_equal(y, expected if channels == 2 else expected[:, 0])
    assert y.dtype == np.float32


@pytest.mark.parametrize("channels", [1, 2])
def test_npy_with_a_wav_kernel(channels):
    h = noise(2, (5, channels))
    save_wav("h.wav", h, 2)
    x = np.random.default_rng(0).standard_normal((40, channels) if channels > 1 else 40).astype("f4")
    assert main(["convolve", save("x.npy", x), "h.wav", "-o", "y.npy", "--axes=0"]) == 0
    for channel in range(channels):
        expected = np.convolve(x[:, channel] if channels > 1 else x, h[:, channel] / 2**15)
        y = np.load("y.npy")
        np.testing.assert_allclose(y[:, channel] if channels > 1 else y, expected, atol=1e-5)


def test_wav_cut_short_is_used_and_said(capsys):
    save_wav("x.wav", np.arange(100), 2)
    os.truncate("x.wav", 44 + 2 * 60 + 1)
    assert main(["convolve", "x.wav", save("h.npy", [1.0]), "-o", "y.wav"]) == 0
    assert load_wav("y.wav")[0].ravel().tolist() == list(range(60))
    assert "100 frames promised, the file ends after 60" in capsys.readouterr().err


def test_wav_output_may_be_the_input():
    save_wav("x.wav", noise(2, 1000, 0.5), 2)
    assert main(["convolve", "x.wav", save("h.npy", [-1.0]), "-o", "x.wav"]) == 0
    np.testing.assert_array_equal(load_wav("x.wav")[0].ravel(), -noise(2, 1000, 0.5))


def test_wav_of_unknown_length():
    """As a program writes it into a pipe: the sizes in the header are the largest possible."""
    save_wav("x.wav", np.arange(100), 2)
    with open("x.wav", "r+b") as file:
        file.seek(4)
        file.write(b"\xff" * 4)
        file.seek(40)
        file.write(b"\xff" * 4)
    assert main(["convolve", "x.wav", save("h.npy", [1.0]), "-o", "y.wav"]) == 0
    assert load_wav("y.wav")[0].ravel().tolist() == list(range(100))


def test_wav_with_other_chunks_and_extensible_format(capsys):
    samples = np.arange(50)
    data = b"".join(int(s).to_bytes(3, "little", signed=True) for s in samples)
    subformat = struct.pack("<IHH8s", 1, 0, 16, b"\x80\x00\x00\xaa\x00\x38\x9b\x71")
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 24000, 3, 24, 22, 24, 0) + subformat
    chunks = [(b"LIST", b"INFO"), (b"fmt ", fmt), (b"fact", bytes(4)), (b"data", data), (b"LIST", b"more")]
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(chunk)) + chunk for name, chunk in chunks)
    with open("x.wav", "wb") as file:
        file.write(b"RIFF" + struct.pack("<I", len(body)) + body)
    code = main(["convolve", "x.wav", save("h.npy", [1.0]), "-o", "y.wav"])
    if sys.version_info < (3, 12):
        assert code == 2 and capsys.readouterr().err == "fastconv: error: x.wav: unknown format: 65534\n"
    else:
        assert code == 0 and load_wav("y.wav")[0].ravel().tolist() == samples.tolist()


def test_long_wav_is_not_loaded():
    with wave.open("x.wav", "wb") as file:
        file.setparams((2, 2, 48000, 0, "NONE", ""))
        for _ in range(100):
            file.writeframesraw(bytes(4 * 48000))
    save("h.npy", np.ones(9, "f4"))
    tracemalloc.start()
    try:
        assert main(["convolve", "x.wav", "h.npy", "-o", "y.wav"]) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 25e6


# what cannot be done


def inputs():
    save("x.npy", np.ones((3, 4)))
    save("h.npy", np.ones((2, 2)))
    save("one.npy", np.ones(3))
    save("empty.npy", np.ones(0))
    save("text.npy", np.array(["a", "b"]))
    save("nan.npy", np.array([np.nan]))
    save("complex.npy", np.array([1j]))
    np.save("objects.npy", np.array([1, None]), allow_pickle=True)
    np.savez("archive.npz", x=np.ones(3))
    save_wav("x.wav", np.zeros((9, 2)), 2)
    save_wav("three.wav", np.zeros((9, 3)), 2)
    save_wav("rate.wav", np.zeros(9), 2, rate=44100)
    save_wav("none.wav", np.zeros(0), 2)
    with open("junk.npy", "w") as file:
        file.write("this is not an array")
    with open("short.npy", "wb") as file, open("x.npy", "rb") as whole:
        file.write(whole.read()[:-8])
    for name in "empty.wav", "junk.wav":
        with open(name, "w") as file:
            file.write("junk" * (name == "junk.wav"))
    os.mkdir("folder.npy")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("", "required: COMMAND"),
        ("frobnicate", "invalid choice: 'frobnicate'"),
        ("convolve x.npy h.npy", "required: -o"),
        ("convolve missing.npy h.npy -o y.npy", "missing.npy: No such file or directory"),
        ("convolve missing.wav h.npy -o y.npy", "missing.wav: No such file or directory"),
        ("convolve folder.npy h.npy -o y.npy", "folder.npy: Is a directory"),
        ("convolve archive.npz h.npy -o y.npy", "X must be an .npy or a .wav file, got 'archive.npz'"),
        ("convolve x.npy h.npy -o y.txt", "Y must be an .npy or a .wav file, got 'y.txt'"),
        ("convolve x.npy h.npy -o folder.npy", "folder.npy: not a regular file"),
        ("convolve x.npy h.npy -o nowhere/y.npy", "nowhere/y.npy: No such file or directory"),
        ("convolve junk.npy h.npy -o y.npy", "junk.npy: "),
        ("convolve short.npy h.npy -o y.npy", "short.npy: "),
        ("convolve objects.npy h.npy -o y.npy", "objects.npy: "),
        ("convolve text.npy one.npy -o y.npy", "a must "),
        ("convolve empty.npy one.npy -o y.npy", "empty"),
        ("convolve x.npy one.npy -o y.npy", "v must have"),
        ("convolve x.npy h.npy -o y.npy --axes=7,8", "axes must "),
        ("convolve x.npy h.npy -o y.npy --axes=a", "--axes"),
        ("convolve x.npy h.npy -o y.npy --mode=most", "invalid choice: 'most'"),
        ("convolve x.npy h.npy -o y.npy --boundary=soft", "invalid choice: 'soft'"),
        ("convolve x.npy h.npy -o y.npy --boundary=constant --cval=many", "--cval"),
        ("convolve x.npy h.npy -o y.npy --boundary=constant --cval=1j", "cval must "),
        ("convolve x.npy h.npy -o y.npy --method=magic", "method must "),
        ("convolve x.npy h.npy -o y.npy --workers=0", "workers must "),
        ("convolve x.npy h.npy -o y.wav", "Y can be a .wav file only if X is one"),
        ("convolve empty.wav one.npy -o y.wav", "empty.wav: the file ends too early"),
        ("convolve junk.wav one.npy -o y.wav", "junk.wav: "),
        ("convolve none.wav one.npy -o y.wav", "none.wav: it holds no samples"),
        ("convolve x.wav rate.wav -o y.wav", "H must have the rate of X, 8000 Hz, got 44100 Hz"),
        ("convolve x.wav three.wav -o y.wav", "H must have 1 channel or those of X, 2, got 3"),
        ("convolve x.wav nan.npy -o y.wav", "must be finite"),
        ("convolve x.wav complex.npy -o y.wav", "must be real"),
        ("convolve x.wav one.npy -o y.wav --axes=0", "axes are not for a .wav X"),
        ("convolve one.npy x.wav -o y.npy", "v must have"),
        ("demo --plot", "expected one argument"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, capsys):
    inputs()
    before = sorted(os.listdir())
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("fastconv: error: ") and err.count("\n") == 1 and message in err
    assert sorted(os.listdir()) == before


def test_wav_valid_needs_a_long_signal(capsys):
    save_wav("x.wav", np.zeros(5), 2)
    assert main(["convolve", "x.wav", save("h.npy", np.ones(6)), "-o", "y.wav", "--mode=valid"]) == 2
    assert "H must not be longer than X" in capsys.readouterr().err


def test_a_wav_beyond_4_gib_is_refused_at_once(capsys, monkeypatch):
    monkeypatch.setattr("fastconv._wav.MAX_BYTES", 100)
    save_wav("x.wav", np.zeros(51), 2)
    assert main(["convolve", "x.wav", save("h.npy", [1.0]), "-o", "y.wav"]) == 2
    assert "4 GiB" in capsys.readouterr().err
    assert sorted(os.listdir()) == ["h.npy", "x.wav"]


@pytest.mark.skipif(os.name != "posix", reason="limits the file size as POSIX does")
@pytest.mark.parametrize("y", ["y.npy", "y.wav"])
def test_no_room_on_disk(y):
    save_wav("x.wav", np.zeros(20_000), 2)
    save("h.npy", [1.0])
    with open(y, "w") as file:
        file.write("precious")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)); "
    code = limit + "import sys; from fastconv._cli import main; sys.exit(main(sys.argv[1:]))"
    run = subprocess.run(
        [sys.executable, "-c", code, "convolve", "x.wav", "h.npy", "-o", y], capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (2, f"fastconv: error: {y}: File too large\n")
    assert open(y).read() == "precious"
    assert sorted(os.listdir()) == sorted(["h.npy", "x.wav", y])


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_run_leaves_nothing(number, code):
    save("x.npy", np.ones(20_000_000, "f4"))
    save("h.npy", np.ones(200_000, "f4"))
    save("y.npy", np.arange(3))
    before = sorted(os.listdir())
    command = [*RUN, "convolve", "x.npy", "h.npy", "-o", "y.npy", "--method", "direct"]
    heed = functools.partial(signal.signal, number, signal.SIG_DFL)  # in the background a shell ignores some
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as run:
        try:
            deadline = time.monotonic() + 30
            while sorted(os.listdir()) == before and run.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.3)
            sent = time.monotonic()
            run.send_signal(number)
            _, err = run.communicate(timeout=30)
            seconds = time.monotonic() - sent
        finally:
            run.kill()  # nothing, if it has ended
    assert run.returncode == code
    assert seconds < 1
    assert err == ("fastconv: interrupted\n" if code == 130 else "")
    assert sorted(os.listdir()) == before
    assert np.load("y.npy").tolist() == [0, 1, 2]


# the rest of the command line


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["convolve", "--help"], ["--version"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "fastconv" in capsys.readouterr().out


class Terminal:
    def __init__(self, terminal):
        self.text, self.isatty, self.flush = "", lambda: terminal, lambda: None

    def write(self, text):
        self.text += text


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_said_after_a_second(terminal, monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(sys, "stderr", stderr := Terminal(terminal))
    progress = _Progress()
    progress(0.1)
    assert stderr.text == ""
    now = 4.0
    progress(0.25)
    assert "25%" in stderr.text and "12 s left" in stderr.text
    assert ("\n" in stderr.text) != terminal
    now = 4.01
    said = stderr.text
    progress(0.26)
    assert stderr.text == said
    progress.close()
    assert stderr.text == said + ("\r\x1b[K" if terminal else "")


def test_a_closed_pipe_is_no_error():
    save("x.npy", np.ones(3))
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [*RUN, "convolve", "x.npy", "x.npy", "-o", "y.npy"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    assert run.stderr == ""


def test_import_loads_no_command_line():
    code = "import sys, fastconv; print({'wave', 'fastconv._cli', 'fastconv._demo'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
