"""`python -m fastconv`: the process around the command line of `_cli`.

SIGTERM and SIGHUP end the run as an exception, so that unfinished files are removed; a signal that the parent
process chose to ignore stays ignored.
"""

import io
import signal
import sys
from types import FrameType
from typing import NoReturn

from fastconv._cli import main


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


for name in ("SIGTERM", "SIGHUP"):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, _stop)

if isinstance(sys.stdout, io.TextIOWrapper):
    sys.stdout.reconfigure(errors="replace")  # where Σ and × cannot be written

raise SystemExit(main())
