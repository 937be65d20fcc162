# SPDX-License-Identifier: GPL-2.0
"""Watches a guest's console, line by line, and says at once when it shows trouble.

No clock and no file in here: the caller gives lines and times, so that all of
it can be tested with text.
"""

import re

from outcome import Outcome

BEGIN, END = "boot-test: begin", "boot-test: end"

# What the kernel prints in each kind of trouble. The first that matches a line
# names the outcome, so the special ones stand before the general.
TROUBLE = [
    (outcome, re.compile(pattern))
    for outcome, pattern in (
        (Outcome.DMA_API, r"DMA-API: |at kernel/dma/debug\.c:"),
        (Outcome.HANG, r"soft lockup|hard LOCKUP|detected stalls|self-detected stall|INFO: task .* blocked for more than|rcu: INFO: .* stall"),
        (
            Outcome.LOCKDEP,
            r"sleeping function called from invalid context|scheduling while atomic|Invalid wait context|BUG: MAX_LOCK|BUG: looking up invalid"
            r"|possible (circular|recursive) locking|lock inversion dependency|unsafe lock order|inconsistent lock state|Nested lock was not taken"
            r"|suspicious RCU usage|bad unlock balance|bad contention|lock held when|locks? still held|held lock freed|RCU-list traversed|INFO: lockdep is turned off"
            r"|DEBUG_LOCKS_WARN_ON|INFO: trying to register non-static key|workqueue: .* leaked",
        ),
        (Outcome.PANIC, r"Kernel panic - not syncing"),
        (
            Outcome.OOPS,
            r"\bBUG: |kernel BUG at|\bOops\b|Internal error: |general protection fault|double fault|Unable to handle kernel|invalid opcode: "
            r"|rust_kernel: panicked at|kernel stack overflow|stack guard page|Bad page state|KASAN|KCSAN",
        ),
        (Outcome.WARNING, r"WARNING: |UBSAN: |refcount_t: |page allocation failure|Out of memory: |invoked oom-killer|kmemleak: \d|Call [Tt]race:|arm-smmu-v3 .*: event 0x\w+ received|cut here"),
    )
]

# Lines that look like trouble and are none, each with the reason.
ALLOWED = [
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"DMA-API: preallocated \d+ debug entries", "said once at boot, when the checks are ready"),
        (r"DMA-API: debugging enabled by kernel config", "said once at boot, when the checks are on"),
        (r"DMA-API: (enable driver filter|switching off dma-debug driver filter)", "asked for by who wrote to the driver filter, such as ci/cases"),
        (r"DMA-API: debugging disabled on kernel command line", "asked for by who gave the kernel parameter"),
    )
]

# What printk puts in front of each line; CONFIG_PRINTK_CALLER adds the caller.
TIME = re.compile(r"\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? ")

# What ci/guest/init puts in front of what programs say.
PROGRAM = "program: "

# Where the report of a trouble ends.
LAST = re.compile(r"---\[ end (trace|Kernel panic)")


def trouble(line):
    """The outcome that a line of the console shows, or None."""
    if any(pattern.search(line) for pattern, _ in ALLOWED):
        return None
    for outcome, pattern in TROUBLE:
        if pattern.search(line):
            return outcome
    return None


class Watcher:
    """Takes the console's lines; knows when the guest is to be ended, and why."""

    GRACE = 2  # seconds and
    REPORT = 200  # lines, for the kernel to print all of a report

    def __init__(self, silence, total, now, first=None):
        """Limits in seconds: between two lines, for all of it, and before the kernel's first line."""
        self.silence, self.total, self.first = silence, total, first or silence
        self.started = self.heard = now
        self.lines = []
        self.spoke = False  # the kernel did; the emulator's own words do not count
        self.found = None  # (outcome, index of its line)
        self.cause = ""
        self.begun = self.ended = None  # index of the line
        self.deadline = None

    def feed(self, line, now):
        """Take a line. True when the guest is to be ended now."""
        self.heard = now
        self.lines.append(line)
        self.spoke = self.spoke or bool(TIME.match(line))
        said = kernel(line)
        if self.begun is None and said == BEGIN:
            self.begun = len(self.lines)
        elif self.ended is None and said == END:
            self.ended = len(self.lines) - 1
        if not self.found:
            outcome = trouble(said)
            if outcome:
                self.found = outcome, len(self.lines) - 1
                self.cause = text(line)
                self.deadline = now + self.GRACE
            return False
        outcome, at = self.found
        if outcome == Outcome.WARNING and "cut here" in self.lines[at]:
            # The line after says what it is about.
            self.found = trouble(said) or outcome, at
            self.cause = text(line)
        return bool(LAST.search(said)) or len(self.lines) - at > self.REPORT

    def tick(self, now):
        """Time has passed. True when the guest is to be ended now."""
        if self.found:
            return now >= self.deadline
        if now >= self.heard + self.limit():
            self.found = Outcome.HANG, len(self.lines)
            self.cause = f"the guest printed nothing for {self.limit()} s" + ("" if self.lines else ", from its start")
        elif now - self.started >= self.total:
            self.found = Outcome.HANG, len(self.lines)
            self.cause = f"the guest was not done after {self.total} s"
        return bool(self.found)

    def wait(self, now):
        """Seconds until the next tick is due."""
        due = self.deadline if self.found else min(self.heard + self.limit(), self.started + self.total)
        return max(0, due - now)

    def limit(self):
        return self.silence if self.spoke else self.first

    def excerpt(self, before=6, count=60):
        """The part of the console that matters."""
        at = self.found[1] if self.found else len(self.lines)
        return "\n".join(self.lines[max(0, at - (before if at < len(self.lines) else 20)) :][:count])


def kernel(line):
    """What the kernel says in a line; nothing, where it is a program that speaks, or the emulator."""
    # What goes to the console itself may end without a new line, and the kernel goes on there.
    time = TIME.search(line)
    return line[time.end() :] if time and not line.startswith(PROGRAM, time.end()) else ""


def program(line):
    """What a program says in a line, or None."""
    time = TIME.match(line)
    return line[time.end() + len(PROGRAM) :] if time and line.startswith(PROGRAM, time.end()) else None


def text(line):
    """A line without the time that printk puts in front."""
    time = TIME.match(line)
    return line[time.end() :] if time else line
