"""PCM samples of WAV files as floats and back: `Reader` maps a file, `Writer` fills one block by block.

Full scale is [-1, 1): a sample of b bits is its signed integer / 2**(b-1), as float32 for 8 and 16 bits, as
float64 for 24 and 32. Arrays are (channels, frames), so that every channel is one contiguous row. File names
and messages to the user belong to the callers.
"""

import os
import wave
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from fastconv import _blocks
from fastconv._problem import BOUNDARIES

MAX_BYTES = 2**32 - 44  # what the 32-bit sizes of a WAV header can say, less the header itself


def _to_float(raw: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    """(frames, channels, width) bytes -> floats (channels, frames), by way of left-justified 32-bit ints."""
    frames, channels, width = raw.shape
    wide = np.zeros((frames, channels, 4), np.uint8)
    for byte in range(width):
        wide[..., 4 - width + byte] = raw[..., byte]
    if width == 1:
        wide[..., 3] ^= 0x80  # 8-bit samples alone are stored unsigned, offset by 128
    x = np.empty((channels, frames), dtype)
    np.multiply(wide.view("<i4")[..., 0].T, 2.0**-31, out=x, casting="same_kind")
    return x


def _from_float(y: NDArray[Any], width: int) -> tuple[NDArray[np.uint8], int]:
    """Floats (channels, frames) -> bytes (frames, channels, width), how many saturated; no dither."""
    top = 2 ** (8 * width - 1)
    scaled = np.rint(y.T * np.float64(top))
    clipped = int(np.count_nonzero((scaled < -top) | (scaled > top - 1)))
    wide = np.clip(scaled, -top, top - 1, out=scaled).astype("<i4", order="C")
    if width == 1:
        wide += 128
    raw = np.empty((*wide.shape, width), np.uint8)
    for byte in range(width):
        raw[..., byte] = wide.view(np.uint8).reshape(*wide.shape, 4)[..., byte]
    return raw, clipped


class Reader:
    """A mapped PCM file; `n` frames of `channels` samples, `width` bytes each, `rate` frames a second."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            with wave.open(file) as header:
                self.channels, self.width, self.rate, self.promised, *_ = header.getparams()
            if self.width not in (1, 2, 3, 4):
                raise wave.Error(f"samples of {8 * self.width} bits are not supported, only 8, 16, 24 or 32")
            offset = file.tell()  # the wave module stops at the first sample
            present = (os.fstat(file.fileno()).st_size - offset) // (self.width * self.channels)
            self.n = min(self.promised, present)
            if self.n == 0:
                raise wave.Error("it holds no samples")
            self._raw = np.memmap(file, np.uint8, "r", offset, (self.n, self.channels, self.width))
        self.dtype = np.dtype(np.float32 if self.width <= 2 else np.float64)

    def read(
        self, start: int = 0, stop: int | None = None, boundary: str = "zero", cval: float = 0.0
    ) -> NDArray[Any]:
        """Frames `start` to `stop` (default: all) as floats; outside the file they follow `boundary`."""
        stop = self.n if stop is None else stop
        if 0 <= start and stop <= self.n:
            return _to_float(self._raw[start:stop], self.dtype)
        sources = _blocks.sources(np.arange(start, stop), self.n, BOUNDARIES[boundary])
        x = _to_float(self._raw[sources], self.dtype)
        x[:, sources < 0] = cval
        return x


class Writer:
    """Writes floats to an open file as PCM; `clipped` counts those that saturated, `peak` is the largest."""

    def __init__(self, file: BinaryIO, rate: int, width: int, channels: int, n: int) -> None:
        if n * channels * width > MAX_BYTES:
            raise ValueError("Y would be larger than the 4 GiB of a .wav file: use .npy")
        self.width, self.clipped, self.peak = width, 0, 0.0
        self._wave = wave.open(file, "wb")
        self._wave.setparams((channels, width, rate, n, "NONE", "not compressed"))

    def write(self, y: NDArray[Any]) -> None:
        """Append `y`, rounded and saturated."""
        samples, clipped = _from_float(y, self.width)
        self._wave.writeframesraw(samples.tobytes())
        self.clipped += clipped
        self.peak = max(self.peak, float(np.abs(y).max()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._wave.close()
