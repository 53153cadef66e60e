"""Loads the OpenMP runtime, with `_threads`, the first module linked to it, so that its threads spin briefly.

libgomp's idle threads spin for milliseconds before they sleep; where another process wants the CPU, a region
then takes milliseconds instead of microseconds. It reads its environment once, when it is loaded: what the
user has set there is kept, and a runtime that another library has loaded before stays as it is.
"""

import os

_SPINS = "400"  # about 20 µs: as long as from one call to the next, far below the shortest region

_ours = not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()
if _ours:
    os.environ["GOMP_SPINCOUNT"] = _SPINS
try:
    from fastconv import _threads  # noqa: F401
finally:
    if _ours:
        del os.environ["GOMP_SPINCOUNT"]
