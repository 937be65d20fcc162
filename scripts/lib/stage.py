# SPDX-License-Identifier: GPL-2.0
"""Stages of a run: what is under way, how long it took, and the children that do it.

At a terminal each running stage shows its last lines of output in a short
window, which collapses to one line when the stage is done. Elsewhere each stage
is a plain line at its start and one at its end.
"""

import collections
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import lock
from outcome import FULL, SPACE, Fail, Outcome, endings, later

WINDOW = 4  # lines of output shown of a running stage


class Interrupted(Exception):
    """Another part of the run failed, or the user wants it to end."""


# Children ---------------------------------------------------------------------

_children = {}  # process -> whether it comes to its end by itself
_stopping = False
_lock = threading.RLock()

# A command of root's, in namespaces of its own: nobody else sees its mounts, and what it has started
# goes away with it. It ends when our end of its standard input is closed. That takes no right to
# signal it, and comes true when we are killed, too.
GUARD = (
    "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
    'exec 3<&0 </dev/null; "$@" 3<&- & work=$!; { cat <&3; kill -KILL $work; } >/dev/null 2>&1 & wait $work', "sh",
)  # fmt: skip


def start(command, sudo=False, finish=False, foreground=False, **options):
    """Start a child that ends with us. A group of its own, so that all of it can be ended.

    What root must do is guarded as above; or it is not to be broken off: then it is waited for, to `finish`.
    """
    # Once started, it is known to end_all().
    with later(), _lock:
        if _stopping:
            raise Interrupted
        if sudo and not finish:
            command, options["stdin"] = [*GUARD, *command], subprocess.PIPE
        # It may ask at the terminal, so it stays in our group.
        asks = sudo and os.geteuid() != 0
        if asks:
            command = ["sudo", *command]
        if not shutil.which(command[0]):
            raise Fail(Outcome.TOOL, f"{command[0]} is not installed")
        if not sudo and shutil.which("setpriv"):
            # When we are killed, too.
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        child = subprocess.Popen(command, process_group=None if foreground or asks else 0, pass_fds=lock.held(), **options)
        _children[child] = finish
        return child


def end(child):
    """End a child and all it started, if it still runs."""
    with _lock:
        finish = _children.pop(child, False)
    if child.poll() is not None:
        return
    if finish:
        display.line(f"{child.args[0]} is not broken off; waiting for its end")
        child.stdout.read()
        child.wait()
        return
    if child.stdin:
        child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL) if os.getpgid(child.pid) == child.pid else child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(10)


def end_all():
    """End every child, and let nothing start any more."""
    global _stopping
    with _lock:
        _stopping = True
        left = list(_children)
    for child in left:
        end(child)


endings.append(end_all)


# Display ----------------------------------------------------------------------


class Display:
    def __init__(self):
        self.tty = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.lock = threading.RLock()
        self.running = []
        self.drawn = 0
        self.ticking = None

    def line(self, text):
        """Print a line that stays."""
        with self.lock:
            self._erase()
            print(text, flush=True)
            self._draw()

    def add(self, stage):
        with self.lock:
            self.running.append(stage)
            if not self.tty:
                print(f"{stage.name} ...", flush=True)
            elif not self.ticking:
                self.ticking = threading.Thread(target=self._tick, daemon=True)
                self.ticking.start()
            self.redraw()

    def remove(self, stage, text):
        with self.lock:
            self._erase()
            self.running.remove(stage)
            print(text, flush=True)
            self._draw()

    def redraw(self):
        if self.tty:
            with self.lock:
                self._erase()
                self._draw()

    def _tick(self):
        while True:
            time.sleep(0.2)
            if self.running:
                self.redraw()

    def _erase(self):
        if self.tty and self.drawn:
            sys.stdout.write(f"\033[{self.drawn}A\r\033[J")
            self.drawn = 0

    def _draw(self):
        if not self.tty or not self.running:
            return
        columns, rows = shutil.get_terminal_size()
        window = max(1, min(WINDOW, (rows - 2) // len(self.running) - 1))
        out = []
        for stage in self.running:
            status = stage.status() if stage.status else ""
            out.append(f"\033[1m{stage.name}\033[0m  {stage.elapsed():.0f} s  {status}"[: columns + 7])
            out += [f"\033[2m  {clean(line)[: columns - 3]}\033[0m" for line in list(stage.tail)[-window:]]
        sys.stdout.write("".join(line + "\n" for line in out))
        sys.stdout.flush()
        self.drawn = len(out)


def clean(line):
    """A line without what moves a cursor or changes a colour."""
    return re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0a-\x1f\x7f]", "", line.replace("\t", "    "))


display = Display()
times = []  # (name, seconds, note) of each stage that ended well


class Stage:
    """One stage: `with Stage("kernel build", log) as stage: stage.run(...)`."""

    def __init__(self, name, log=None):
        self.name = name
        self.log = log
        self.note = ""
        self.tail = collections.deque(maxlen=4000)
        self.status = None  # called for a word on progress
        self.shown = str  # called for each line of output, as it is to be seen

    def elapsed(self):
        return time.monotonic() - self.started

    def __enter__(self):
        self.started = time.monotonic()
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.file = self.log.open("w", errors="replace")
        display.add(self)
        return self

    def __exit__(self, kind, error, trace):
        if self.log:
            self.file.close()
        took = self.elapsed()
        if kind is None:
            times.append((self.name, took, self.note))
            display.remove(self, f"{self.name}: {took:.1f} s" + (f" ({self.note})" if self.note else ""))
        else:
            word = "stopped" if issubclass(kind, (KeyboardInterrupt, Interrupted)) else "failed"
            display.remove(self, f"{self.name}: {word} after {took:.1f} s")

    def say(self, text):
        """A line that stays on the screen."""
        display.line(f"{self.name}: {text}")

    def write(self, line):
        """Take a line of output: into the window and the log."""
        line = self.shown(line)
        self.tail.append(line)
        if self.log:
            self.file.write(line + "\n")

    def run(self, command, cause, outcome=Outcome.BUILD, advice="", sudo=False, finish=False, **options):
        """Run a command to its end; a Fail with the lines that matter when it fails."""
        command = list(map(str, command))
        options.setdefault("env", {**os.environ, "LC_ALL": "C.UTF-8"})  # so that errors are known by their words
        self.tail.clear()
        if self.log:
            self.file.write(f"$ {' '.join(command)}\n")
        child = start(
            command, sudo=sudo, finish=finish, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", **options,
        )  # fmt: skip
        try:
            for line in child.stdout:
                self.write(line.rstrip("\n"))
            status = child.wait()
        finally:
            end(child)
        if _stopping:
            raise Interrupted
        if status:
            lines = list(self.tail)
            if any(map(FULL.search, lines)):
                raise Fail(Outcome.DISK, f"no space left: {cause}", what_matters(lines), SPACE)
            if self.log:
                self.file.flush()
                advice = advice or f"all of its output: less {shlex.quote(str(self.log))}"
            raise Fail(outcome, cause, what_matters(lines), advice)


def what_matters(lines, count=25):
    """From the first error on, where one is named; else the last lines."""
    for at, line in enumerate(lines):
        if re.search(r"\berror(\[E\d+\])?:|: undefined reference|\*\*\*|^E: ", line):
            return "\n".join(lines[max(0, at - 2) :][:count])
    return "\n".join(lines[-count:])
