# SPDX-License-Identifier: GPL-2.0
"""How a run can end: the exit statuses, and the error that carries one."""

import enum
import signal
import sys


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
    PANIC = 20, "the guest's kernel panicked"
    OOPS = 21, "the guest's kernel oopsed, or hit a BUG"
    WARNING = 22, "the guest's kernel printed a warning"
    DMA_API = 23, "DMA-API debugging reported a misuse"
    LOCKDEP = 24, "lockdep, or a sleep in atomic context, was reported"
    HANG = 25, "the guest went silent or ran out of time"
    NO_TEST = 26, "the guest ran no test, or stopped before its last one"
    INTERRUPTED = 130, "interrupted"


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
    sys.stdout.flush()
    if fail.detail:
        print(fail.detail.rstrip(), file=sys.stderr)
    print(f"error: {fail.cause}", file=sys.stderr)
    if fail.advice:
        print(f"next:  {fail.advice}", file=sys.stderr)


def main(function):
    """Run a script's main function and turn how it ends into an exit status."""
    # Ctrl-C and a polite kill end the same way: through the clean-up of every `with`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(int(function() or Outcome.PASS))
    except Fail as fail:
        report(fail)
        sys.exit(int(fail.outcome))
    except KeyboardInterrupt:
        report(Fail(Outcome.INTERRUPTED, "interrupted", advice="run the same command again; it goes on from here"))
        sys.exit(int(Outcome.INTERRUPTED))
    except OSError as error:
        import errno

        if error.errno == errno.ENOSPC:
            report(Fail(Outcome.DISK, f"no space left: {error.filename or ''}", advice="free some space (df -h), then run the same command again"))
            sys.exit(int(Outcome.DISK))
        raise
