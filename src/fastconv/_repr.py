"""Arguments in messages: as repr has them, but short, whatever they are."""

from __future__ import annotations

import reprlib
from typing import Any

MOST = 200  # characters

_limits = reprlib.Repr()
_limits.maxlevel = 3
_limits.maxlist = _limits.maxtuple = 10
_limits.maxstring = _limits.maxlong = 60
_limits.maxother = MOST


def short(value: Any) -> str:
    """`value` in at most MOST characters. Its own repr may fail: this does not."""
    try:
        text = _limits.repr(value)
    except Exception:  # of its type, or an int of more digits than Python writes
        text = object.__repr__(value)
    return text if len(text) <= MOST else f"{text[: MOST - 3]}..."
