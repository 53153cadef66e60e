"""The command line, `python -m fastconv`: arguments, progress, messages and exit codes.

Exit codes: 0 done; 1 the demo met a wrong result; 2 bad input, or a file that cannot be read or written, with
one line on stderr; 130 interrupted. Files belong to `_files`, the demonstration to `_demo`.
"""

import argparse
import os
import sys
import time
import wave
from collections.abc import Sequence
from typing import NoReturn

from fastconv import __version__
from fastconv._check import MODES
from fastconv._problem import BOUNDARIES

FILES = """\
An .npy file holds an array of anything but objects. It is memory-mapped, so X
and Y may be larger than the memory. Messages call X `a` and H `v`, as in
fastconv.convolve(a, v).

A .wav file holds 8, 16, 24 or 32-bit PCM, read as floats with full scale
[-1, 1). Time is convolved, channel by channel: a mono H serves every channel of
X; otherwise H has a channel for each one of X, or X is mono. H may be an .npy
file, (taps,) or (taps, channels), whose numbers are used as they are. Two .wav
files must have the same rate. 'same' has the length of X, 'valid' needs X to be
at least as long as H. X is read, and Y written, a few seconds at a time.

Y as .wav has the rate and the sample width of X: values are rounded to the
nearest step and saturated at full scale; how many were saturated is said on
stderr. Y as .npy, (frames,) or (frames, channels), is neither rounded nor
saturated.

Y is written under a temporary name and renamed when it is complete: a run that
fails leaves no file behind, and Y may be X.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


class _Progress:
    """Says on stderr how much is done, from one second on: in place on a terminal, else every ten seconds."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.due = self.start + 1
        self.terminal = sys.stderr.isatty()
        self.shown = False

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now < self.due or not 0 < fraction < 1:
            return
        self.due = now + (0.1 if self.terminal else 10)
        left = (now - self.start) * (1 / fraction - 1)
        start, end = ("\r", "\x1b[K") if self.terminal else ("", "\n")
        print(f"{start}fastconv: {fraction:4.0%}, {left:.0f} s left", end=end, file=sys.stderr, flush=True)
        self.shown = True

    def close(self) -> None:
        """Clear the line."""
        if self.shown and self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _axes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _scalar(text: str) -> complex:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return complex(text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m fastconv", description="Fast convolution of NumPy arrays.")
    parser.add_argument("--version", action="version", version=f"fastconv {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="see it work, checked: a dropped ball, a minute of sound, an image"
    )
    demo.add_argument("--plot", metavar="FILE.png", help="draw the demo into this file (needs matplotlib)")

    files = commands.add_parser(
        "convolve",
        help="convolve two .npy or .wav files",
        description="Convolve the file X with the file H and write Y.",
        epilog=FILES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    files.add_argument("x", metavar="X", help="the signal or image, .npy or .wav")
    files.add_argument("h", metavar="H", help="the kernel, .npy or .wav")
    files.add_argument(
        "-o", dest="y", metavar="Y", required=True, help="the result, .npy, or .wav if X is a .wav file"
    )
    files.add_argument(
        "--mode", choices=MODES, default="full", help="how much of the result (default: %(default)s)"
    )
    files.add_argument(
        "--axes", type=_axes, metavar="I,J", help="axes of X to convolve, as --axes=-2,-1 (default: all)"
    )
    files.add_argument(
        "--boundary",
        choices=tuple(BOUNDARIES),
        default="zero",
        help="what X is outside (default: %(default)s)",
    )
    files.add_argument(
        "--cval", type=_scalar, default=0.0, help="the value outside for --boundary constant (default: 0)"
    )
    files.add_argument("--method", default="auto", help="how to compute (default: %(default)s)")
    files.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="threads at most; -1: all CPUs (default: what fastconv chooses)",
    )
    return parser


def _convolve(args: argparse.Namespace) -> int:
    from fastconv._files import Options, convolve_files

    progress = _Progress()

    def say(text: str) -> None:
        progress.close()
        print(f"fastconv: {text}", file=sys.stderr)

    options = Options(args.mode, args.axes, args.boundary, args.cval, args.method, args.workers)
    try:
        written = convolve_files(args.x, args.h, args.y, options, progress, say)
    finally:
        progress.close()
    print(written)
    return 0


def _demo(args: argparse.Namespace) -> int:
    from fastconv import _demo

    if args.plot is not None:
        from fastconv import _demo_plot  # before the work, since matplotlib may be missing
    jobs = _demo.run()
    if args.plot is not None:
        _demo_plot.draw(args.plot, *jobs)
        print(f"drawn: {args.plot}")
    return 0 if all(job.right for job in jobs) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return its exit code."""
    try:
        args = _parser().parse_args(argv)
        return {"demo": _demo, "convolve": _convolve}[args.command](args)
    except KeyboardInterrupt:
        print("fastconv: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the interpreter flushes stdout once more, and would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except MemoryError as error:
        message = f"not enough memory: {error}"
    except (ValueError, TypeError, OverflowError, wave.Error) as error:
        message = str(error)
    print("fastconv: error:", " ".join(message.split()), file=sys.stderr)
    return 2
