# SPDX-License-Identifier: GPL-2.0
"""One run at a time in a build directory, whichever script it is, and whatever became of the run before."""

import contextlib
import fcntl
import os
import pathlib
import signal
import time

from outcome import Fail, Outcome

PATIENCE = 30  # seconds for what a killed run left to be gone

_open = {}  # build directory -> its lock, open


def held():
    """File descriptors for children: what a run has started holds its lock, even when that is killed."""
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
            file.truncate(0)
            # In so many words: a daemon that some child left behind may have the file open for ever.
            fcntl.flock(file, fcntl.LOCK_UN)


def take(file, build):
    """Lock the file, or say who has it. What has it only because a run was killed is ended."""
    until = None
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        file.seek(0)
        run = file.read().strip()
        have = holders(file)
        killed = run.isdigit() and have and int(run) not in have
        if not killed or until and time.monotonic() > until:
            raise Fail(
                Outcome.BUSY,
                f"another run is using {build} (process {run or 'unknown'})",
                advice="wait for it; or, to run beside it, use another clone of this repository",
            )
        if not until:
            print(f"ending what is left of a run that was killed (process {run})", flush=True)
            until = time.monotonic() + PATIENCE
        for process in have:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.2)


def holders(file):
    """The processes that hold the lock, not those that only have the file open."""
    found = set()
    for place in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.path.samestat(place.stat(), os.fstat(file.fileno())) and "\nlock:" in pathlib.Path(place.parents[1], "fdinfo", place.name).read_text():
                found.add(int(place.parts[2]))
    return found
