# SPDX-License-Identifier: GPL-2.0
"""How a run can end: the exit statuses, and the error that carries one."""

import contextlib
import enum
import errno
import os
import re
import shlex
import signal
import sys
import threading
import time
import traceback


class Outcome(enum.IntEnum):
    """Exit statuses. The docstring of each member is what `--help` prints."""

    def __new__(cls, value, doc):
        member = int.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member

    PASS = 0, "everything that ran passed"
    TEST_FAILED = 1, "a test in the guest failed"
    USAGE = 2, "bad option, or a path that is not what it should be"
    TOOL = 3, "a tool is missing or too old"
    FETCH = 4, "the kernel could not be fetched, or its checksum is wrong"
    APPLY = 5, "a patch does not apply, or the tree is not fit for it"
    BUILD = 6, "configuration or build failed"
    EMULATOR = 7, "the emulator did not start the guest"
    BUSY = 8, "another run is using the same build directory"
    DISK = 9, "no space left"
    INTERNAL = 10, "a mistake in these scripts"
    NO_SOURCE = 11, "nobody has the kernel any more: neither its git nor the distribution"
    DRIVER = 12, "a driver (--driver) does not build"
    CHECK = 13, "Clippy or rustfmt finds fault with a driver (--check)"
    PANIC = 20, "the guest's kernel panicked"
    OOPS = 21, "the guest's kernel oopsed, or hit a BUG"
    WARNING = 22, "the guest's kernel printed a warning"
    DMA_API = 23, "DMA-API debugging reported a misuse"
    LOCKDEP = 24, "lockdep, or a sleep in atomic context, was reported"
    HANG = 25, "the guest went silent or ran out of time"
    NO_TEST = 26, "the guest ran no test, or stopped before its last one"
    LOAD = 27, "a driver's module could not be loaded, or not be unloaded"
    PROBE = 28, "a driver's probe failed"
    UNBOUND = 29, "a driver has a table of devices, and is bound to none"
    INTERRUPTED = 130, "interrupted"
    UNREAD = 141, "nobody reads the output: it is closed, or the other end of its pipe is"


# What a guest may end with that was seen by a test, or by one of the kernel's own checks.
BAD = (Outcome.TEST_FAILED, Outcome.DMA_API, Outcome.LOCKDEP, Outcome.PANIC, Outcome.OOPS, Outcome.WARNING, Outcome.HANG)


def statuses():
    """The table of exit statuses, as text."""
    return "\n".join(f"  {o.value:3}  {o.doc}" for o in Outcome)


class Fail(Exception):
    """An expected failure: what went wrong, the lines that show it, what to do next."""

    def __init__(self, outcome, cause, detail="", advice=""):
        super().__init__(cause)
        self.outcome = outcome
        self.cause = cause
        self.detail = detail
        self.advice = advice


def report(fail):
    """Print one clear error."""
    # Where nobody reads that either, the exit status has to do.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        if fail.detail:
            print(fail.detail.rstrip(), file=sys.stderr)
        print(f"error: {fail.cause}", file=sys.stderr)
        if fail.advice:
            print(f"next:  {fail.advice}", file=sys.stderr)


def standard():
    """Have all three standard files open, so that no other file gets their numbers; whether the output was."""
    was_open = sys.stdout is not None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
            os.set_inheritable(number, True)
    sys.stdout = sys.stdout or open(os.devnull, "w")
    sys.stderr = sys.stderr or open(os.devnull, "w")
    for file in sys.stdout, sys.stderr:
        # What others said is passed on, whatever this terminal's character set is.
        file.reconfigure(errors="backslashreplace")
    return was_open


READABLE = standard()


CLEANING = 10  # seconds in which another signal is not acted upon


endings = []  # what is to be called at the end, however it comes
_since = None  # the time of the last signal that was acted upon
_later = None  # where no signal is acted upon: whether one came


def interrupt(*_):
    """Raise KeyboardInterrupt, but not within what cleans up after the last one."""
    global _since, _later
    now = time.monotonic()
    if _later is not None:
        _later = True
    elif _since is None or now - _since > CLEANING:
        _since = now
        raise KeyboardInterrupt


@contextlib.contextmanager
def later():
    """What is not to be broken off half-way, as it takes no time: a signal is acted upon behind it."""
    global _later
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _later = False
    try:
        yield
    finally:
        came, _later = _later, None
        if came:
            interrupt()


def main(function):
    """Run a script's main function and turn how it ends into an exit status."""
    # Ctrl-C, a polite kill and a terminal that is closed end the same way: through the clean-up of every `with`.
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        if signal.getsignal(number) != signal.SIG_IGN:  # as with nohup
            signal.signal(number, interrupt)
    try:
        status = run(function)
    except BaseException as error:
        fail = explained(error)
        if fail.outcome == Outcome.INTERNAL:
            with contextlib.suppress(OSError):
                traceback.print_exception(error)
        report(fail)
        status = fail.outcome
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.exit(int(status))
    # What is left in there is of no use to anybody, and must not be complained about.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(int(status))


def run(function):
    try:
        if not READABLE:
            raise Fail(Outcome.UNREAD, "the standard output is closed", advice="where it is not wanted: >/dev/null")
        status = function() or Outcome.PASS
    except SystemExit as end:  # of argparse
        status = end.code
    finally:
        for each in endings:
            each()
    sys.stdout.flush()
    return status


SPACE = "free some space (df -h), then run the same command again"
# In the words of C, of git, and of apt.
FULL = re.compile("No space left on device|Disk quota exceeded|Out of diskspace|enough free space")
WHERE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)


def explained(error):
    """An exception as a Fail."""
    if isinstance(error, Fail):
        # Whatever it kept from being done: a patch from applying, a tool from running.
        if error.outcome != Outcome.DISK and FULL.search(str(error.detail)):
            return Fail(Outcome.DISK, f"no space left: {error.cause}", error.detail, SPACE)
        return error
    if isinstance(error, KeyboardInterrupt):
        return Fail(Outcome.INTERRUPTED, "interrupted", advice="run the same command again; it goes on from here")
    if isinstance(error, BrokenPipeError) or isinstance(error, OSError) and error.errno == errno.EIO and not error.filename:
        return Fail(Outcome.UNREAD, "nobody reads the output any more", advice="let it go to a file: COMMAND >FILE 2>&1")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Fail(Outcome.DISK, ": ".join(["no space left", *([os.fsdecode(error.filename)] if error.filename else [])]), advice=SPACE)
    if isinstance(error, OSError) and error.errno in WHERE and error.filename:
        place = shlex.quote(os.path.dirname(os.fsdecode(error.filename)) or ".")
        return Fail(Outcome.USAGE, f"{os.fsdecode(error.filename)}: {error.strerror}", advice=f"see what is there, and who may write: ls -la {place}")
    said = f"{type(error).__name__}: {error}"
    return Fail(Outcome.INTERNAL, f"a mistake in these scripts: {said}", advice="report it, with the lines above; the next run goes on from here")
