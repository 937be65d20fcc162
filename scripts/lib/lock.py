# SPDX-License-Identifier: GPL-2.0
"""One run at a time in a build directory, whichever script it is, and whatever became of the run before."""

import contextlib
import fcntl
import os
import pathlib
import time

from outcome import Fail, Outcome

PATIENCE = 300  # seconds for what a killed run left to come to its end

_open = {}  # build directory -> its lock, open


def held():
    """File descriptors for children: what a run has started holds its lock, even when the run is killed."""
    return tuple(file.fileno() for file in _open.values())


@contextlib.contextmanager
def alone(build):
    """Hold the lock of a build directory, for all that is below it. Within a run that holds it, nothing more."""
    build = build.resolve()
    if build in _open:
        yield
        return
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lock").open("a+", errors="replace") as file:
        take(file, build)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        _open[build] = file
        try:
            yield
        finally:
            del _open[build]
            # In so many words: a daemon that some child left behind may have the file open for ever.
            fcntl.flock(file, fcntl.LOCK_UN)


def take(file, build):
    """Lock the file, or say who has it. What only a killed run's children have will be free soon."""
    until = None
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        file.seek(0)
        holder = file.read().strip()
        if not holder.isdigit() or pathlib.Path("/proc", holder).exists() or until and time.monotonic() > until:
            raise Fail(
                Outcome.BUSY,
                f"another run is using {build} (process {holder or 'unknown'})",
                advice="wait for it; or, to run beside it, use another clone of this repository",
            )
        if not until:
            print(f"waiting for what process {holder} left, which is gone", flush=True)
            until = time.monotonic() + PATIENCE
        time.sleep(0.2)
