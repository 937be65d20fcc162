# SPDX-License-Identifier: GPL-2.0
"""boot-test, cold, ended at random moments by each signal, and on a disk that is full: the next run goes on.

Each run goes on from the state that the one before left; at last, one is left alone, and has to
pass. Nothing may be mounted then that was not before, no process left, and nobody's files gone.
SEED=number ci/test full_interrupt repeats a run's moments, as far as the machine is as fast.
"""

import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

import boot
import kernel
import root
from outcome import Outcome

SIGNALS = signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL
SUDO = ["sudo"] * (os.geteuid() != 0)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))

# Counted from when this line comes, so many seconds later at most, so many times.
COLD = (("", 3, 4), ("build root ...", 25, 4), ("import ...", 40, 4), ("series ...", 4, 4), ("configuration ...", 5, 4))
WARM = (("kernel build ...", 60, 4), ("initramfs ...", 1, 2), ("boot ...", 8, 4))
# MiB: full in the tarball, the build root, the import (several times), the build.
SIZES = 1, 100, 1000, 1900, 3000, 4200, 4500


class Interrupted(boot.Case):
    def setUp(self):
        print(f"SEED={SEED}", flush=True)
        self.random = random.Random(f"{SEED} {self.id()}")
        self.build = kernel.BUILD / "interrupt"
        self.addCleanup(self.clear)
        self.clear()
        self.build.mkdir(parents=True, exist_ok=True)
        self.theirs = []
        for place in "/dev/shm", "/tmp":
            file = tempfile.NamedTemporaryFile(dir=place, prefix="boot-test-")
            self.addCleanup(file.close)
            self.theirs.append(pathlib.Path(file.name))
        self.before = self.state()
        self.slowest = 0
        self.ended = []

    def clear(self):
        for line in reversed([line for line in mounts() if f" {self.build}" in line]):
            subprocess.run([*SUDO, "umount", "--lazy", line.split()[4]], check=True)
        if self.build.exists():
            subprocess.run([*SUDO, "rm", "-rf", "--one-file-system", self.build], check=True)

    def prepare(self):
        """What takes no part in this: the compiler's cache, and a file of somebody's."""
        (self.build / "ccache").symlink_to(kernel.BUILD / "ccache")
        mine = self.build / "mine"
        mine.write_text("mine\n")
        self.theirs.append(mine)

    def state(self):
        """What no run may change: the mounts, and this repository."""
        git = ["git", "-C", root.TOP]
        return mounts(), subprocess.run([*git, "status", "--porcelain"], capture_output=True, check=True).stdout, subprocess.run([*git, "worktree", "list"], capture_output=True, check=True).stdout

    def start(self):
        return subprocess.Popen(
            [boot.SCRIPT, "--accel", "tcg"], env={**os.environ, "RUST_DMA_BUILD": str(self.build)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip

    def interrupt(self, number, line, most):
        """A run that is ended at a random moment behind a line; all it said."""
        delay = self.random.uniform(0, most)
        child = self.start()
        self.addCleanup(child.stdout.close)
        output = ""
        while line and (said := child.stdout.readline()):
            output += said
            if said.startswith(line):
                break
        time.sleep(delay)
        # As a terminal does, which signals the whole group; the others come to one process.
        (os.killpg if number in (signal.SIGINT, signal.SIGHUP) else os.kill)(child.pid, number)
        began = time.monotonic()
        output += child.communicate(timeout=120)[0]
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        self.ended.append(f"{number.name} {delay:.1f} s behind “{line}”: {child.returncode}, after {took:.1f} s")
        print("     " + self.ended[-1], flush=True)
        return child.returncode, output

    def fine(self, output):
        """Nothing is left behind, and nothing is gone."""
        self.assertNotIn("Traceback", output)
        self.assertLessEqual(sum(line.startswith("error: ") for line in output.splitlines()), 1, output)
        self.assertEqual(self.before, self.state(), output)
        for path in self.theirs:
            self.assertTrue(path.exists(), path)

    def chain(self, moments):
        numbers = [number for _, _, count in moments for number in self.random.sample(SIGNALS, count)]
        for (line, most), number in zip(((line, most) for line, most, count in moments for _ in range(count)), numbers):
            with self.subTest(signal=number.name, behind=line):
                status, output = self.interrupt(number, line, most)
                # It may have been faster than the signal, or so slow that nothing had begun.
                if "PASS in" not in output:
                    self.assertEqual(-number if number == signal.SIGKILL or not output else Outcome.INTERRUPTED, status, output)
                self.fine(output)
                if number != signal.SIGKILL:
                    self.assertEqual([], boot.left(self.build), output)

    def passes(self):
        status, output = boot.boot_test("--accel", "tcg", RUST_DMA_BUILD=str(self.build))
        self.assertEqual(Outcome.PASS, status, output)
        self.fine(output)
        self.assertEqual([], boot.left(self.build))
        self.assertEqual([], [path for path in self.build.rglob("*.part") if path.parent in (self.build, self.build / "download", self.build / "v6.12.38")])
        self.note = f"{len(self.ended)} times, the slowest ended after {self.slowest:.1f} s"

    def test_anywhere(self):
        self.prepare()
        self.chain(COLD)
        self.chain(WARM)
        self.passes()

    def test_full_disk(self):
        """The same, with a disk that fills up; once there is space, it passes."""
        subprocess.run([*SUDO, "mount", "-t", "tmpfs", "-o", f"size={SIZES[0]}m,mode=0777", "boot-test", self.build], check=True)
        self.before = self.state()
        self.prepare()
        for size in SIZES:
            subprocess.run([*SUDO, "mount", "-o", f"remount,size={size}m", self.build], check=True)
            number = self.random.choice(SIGNALS)
            with self.subTest(size=size):
                status, output = boot.boot_test("--accel", "tcg", RUST_DMA_BUILD=str(self.build))
                print(f"     {size} MiB: {status}, {[line for line in output.splitlines() if line.startswith('error: ')]}", flush=True)
                self.assertEqual(Outcome.DISK, status, output)
                self.assertIn("error: no space left", output)
                self.fine(output)
                self.assertEqual([], boot.left(self.build), output)
                _, output = self.interrupt(number, "", 8)
                self.fine(output)
        subprocess.run([*SUDO, "mount", "-o", "remount,size=9000m", self.build], check=True)
        self.passes()

    def test_remove(self):
        """What a killed run started is gone with it; `rm -rf build` removes what is in there, and nothing else."""
        self.prepare()
        status, output = self.interrupt(signal.SIGKILL, "build root ...", 25)
        self.assertEqual(-signal.SIGKILL, status)
        until = time.monotonic() + 10
        while left := boot.left(self.build):
            self.assertLess(time.monotonic(), until, left)
        # Not root's own --one-file-system: a user does not think of it.
        subprocess.run([*SUDO, "rm", "-rf", self.build], check=True)
        self.theirs.pop()
        self.fine(output)


def mounts():
    """The device, its root and where it is: not its size."""
    return [" ".join(line.split()[:5]) for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if "boot-test" in line or str(root.TOP) in line]
