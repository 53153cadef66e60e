"""Convolution of files, .npy and .wav: mapped input, output under a temporary name, renamed when complete.

An .npy array is convolved in one call between two mapped files. A WAV file is cut into rounds of `BLOCK`
frames of output, each computed from the frames it needs, so that memory does not grow with the length of the
file. The command line belongs to `_cli`, samples to `_wav`.
"""

import os
import uuid
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastconv import _check, _wav
from fastconv._convolve import convolve
from fastconv._problem import problem
from fastconv._repr import short

BLOCK = 1 << 18

Tick = Callable[[float], None]  # told the fraction done
Say = Callable[[str], None]  # told what the user should know although the work goes on


class Options(NamedTuple):
    """The arguments of `fastconv.convolve`."""

    mode: str
    axes: tuple[int, ...] | None
    boundary: str
    cval: complex
    method: str
    workers: int | None


def convolve_files(x: str, h: str, y: str, options: Options, tick: Tick, say: Say) -> str:
    """Write the convolution of the files `x` and `h` to the file `y`; return what `y` holds."""
    signal, kernel = _open(x, "X", say), _open(h, "H", say)
    suffix = _suffix(y, "Y")
    if isinstance(signal, _wav.Reader):
        return _convolve_wav(signal, _taps(kernel, signal), y, options, tick, say)
    if suffix == ".wav":
        raise ValueError("Y can be a .wav file only if X is one, whose rate and sample width it takes")
    if isinstance(kernel, _wav.Reader):
        taps = kernel.read()
        kernel = taps[0] if len(taps) == 1 else taps.T
    return _convolve_npy(signal, kernel, y, options, tick)


def _suffix(path: str, name: str) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".npy", ".wav"):
        raise ValueError(f"{name} must be an .npy or a .wav file, got {short(path)}")
    return suffix


def _open(path: str, name: str, say: Say) -> "NDArray[Any] | _wav.Reader":
    """Map `path` for reading."""
    suffix = _suffix(path, name)
    try:
        if suffix == ".npy":
            return np.asarray(np.lib.format.open_memmap(path, mode="r"))
        reader = _wav.Reader(path)
    except (ValueError, wave.Error, EOFError) as error:
        raise ValueError(f"{path}: {str(error) or 'the file ends too early'}") from error
    if reader.n < reader.promised:
        say(f"{path}: {reader.promised} frames promised, the file ends after {reader.n}; those are used")
    return reader


@contextmanager
def _replacing(path: str) -> Iterator[Path]:
    """A temporary name in the folder of `path`: renamed to `path` if the block ends well, else removed."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ValueError(f"{path}: not a regular file")
    temporary = target.with_name(f".fastconv-{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _create(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], *, fortran: bool) -> NDArray[Any]:
    """A mapped .npy file, its room on disk reserved: a full disk is an OSError now, not a crash later."""
    y = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape, fortran_order=fortran)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return np.asarray(y)


def _convolve_npy(a: NDArray[Any], v: NDArray[Any], y: str, options: Options, tick: Tick) -> str:
    """Write a * v to the file `y`, in the memory order of a."""
    mode, axes, boundary, cval, method, workers = options
    order = tuple(range(a.ndim))
    posed = problem(False, a.shape, a.dtype, v.shape, v.dtype, mode, axes, boundary, order)
    with _replacing(y) as temporary:
        out = _create(temporary, posed.shape, posed.dtype, fortran=a.flags.fnc)
        convolve(a, v, mode, axes, boundary, cval, method, out, workers, _tick=tick)
        del out  # a mapped file cannot be renamed on Windows
    return f"{y}: {posed.dtype} {posed.shape}"


def _taps(h: "NDArray[Any] | _wav.Reader", x: _wav.Reader) -> NDArray[Any]:
    """H for a WAV file X, as (channels, taps)."""
    if isinstance(h, _wav.Reader):
        if h.rate != x.rate:
            raise ValueError(f"H must have the rate of X, {x.rate} Hz, got {h.rate} Hz")
        taps = h.read()
    elif h.ndim in (1, 2) and h.size and h.dtype.kind in "biuf":
        taps = np.ascontiguousarray(np.atleast_2d(h.T))
    else:
        raise ValueError(f"H for a .wav X must be real, (taps,) or (taps, channels), got {h.dtype} {h.shape}")
    if not np.isfinite(taps).all():
        raise ValueError("H for a .wav X must be finite")
    if len(taps) != x.channels and 1 not in (len(taps), x.channels):
        raise ValueError(f"H must have 1 channel or those of X, {x.channels}, got {len(taps)}")
    return taps


def _convolve_wav(x: _wav.Reader, taps: NDArray[Any], y: str, options: Options, tick: Tick, say: Say) -> str:
    """Write x * taps along time to the file `y`, round by round."""
    mode, axes, boundary, cval, method, workers = options
    if axes is not None:
        raise ValueError("axes are not for a .wav X: its time axis is convolved")
    m = taps.shape[1]
    outputs = {"full": (0, x.n + m - 1), "same": ((m - 1) // 2, x.n), "valid": (m - 1, x.n - m + 1)}
    first, n_out = outputs[mode]
    if n_out < 1:
        raise ValueError(f"H must not be longer than X in mode 'valid', got {m} frames for {x.n}")
    outside = _check.cval(cval, x.dtype) if boundary == "constant" else 0.0
    channels, dtype = max(x.channels, len(taps)), np.result_type(x.dtype, taps.dtype)

    def rounds() -> Iterator[tuple[int, int, NDArray[Any]]]:
        step = max(BLOCK, m)
        for start in range(0, n_out, step):
            stop = min(start + step, n_out)

            def part(fraction: float, start: int = start, stop: int = stop) -> None:
                tick((start + fraction * (stop - start)) / n_out)

            window = x.read(first + start - m + 1, first + stop, boundary, outside)
            block = convolve(window, taps, "valid", (1,), "zero", 0.0, method, None, workers, _tick=part)
            yield start, stop, block

    with _replacing(y) as temporary:
        if _suffix(y, "Y") == ".npy":
            shape = (n_out, channels) if channels > 1 else (n_out,)
            out = _create(temporary, shape, dtype, fortran=False)
            for start, stop, block in rounds():
                out[start:stop] = block.T if channels > 1 else block[0]
            del out
            return f"{y}: {dtype} {shape}"
        with open(temporary, "xb") as file, _wav.Writer(file, x.rate, x.width, channels, n_out) as writer:
            for *_, block in rounds():
                writer.write(block)
    if writer.clipped:
        say(f"{y}: {writer.clipped} of {n_out * channels} samples saturated; the peak was {writer.peak:.3g}")
    return f"{y}: {n_out} frames, {channels} channels, {8 * x.width} bit, {x.rate} Hz"
