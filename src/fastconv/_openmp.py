"""Loads the OpenMP runtime, with `_threads`, the first module linked to it, so that its threads spin briefly.

libgomp's idle threads spin for milliseconds before they sleep; where another process wants the CPU, a region
then takes milliseconds instead of microseconds. It reads its environment once, when it is loaded: what the
user has set there is kept, and a runtime that another library has loaded before stays as it is.
"""

import os

_ours = not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()
if _ours:
    os.environ["GOMP_SPINCOUNT"] = "1000"
try:
    from fastconv import _threads  # noqa: F401
finally:
    if _ours:
        del os.environ["GOMP_SPINCOUNT"]
