# SPDX-License-Identifier: GPL-2.0
"""boot-test's dealings with its surroundings: options, trees, mirrors, other runs, Ctrl-C."""

import contextlib
import fcntl
import functools
import http.server
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

import base
import boot
import kernel
import root
import series
from outcome import Outcome

PIN = base.PINS[base.DEFAULT]


class Options(boot.Case):
    def test_bad_options(self):
        for arguments, words in (
            (["--nonsense"], "unrecognized arguments"),
            (["--base", "v1.0"], "--base: v1.0 is neither v6.12.38 nor v6.13 nor a directory"),
            (["--arch", "vax"], "invalid choice"),
            (["--qemu", "'"], "--qemu"),
            (["--config", "/nonsense"], "--config: /nonsense is not a file"),
            (["--add", "/nonsense"], "--add: /nonsense is not a file"),
            (["--silence", "0"], "must be 1 or more"),
            (["--silence", "x"], "invalid"),
            (["--shell"], "--shell needs a terminal"),
            (["--shell", "--run", "true"], "not allowed with"),
        ):
            with self.subTest(arguments):
                self.ends(Outcome.USAGE, *arguments, says=[words])

    def test_help(self):
        output = self.ends(Outcome.PASS, "--help")
        for outcome in Outcome:
            self.assertIn(outcome.doc, output)


class Trees(boot.Elsewhere):
    def test_wrong_trees(self):
        plain = self.build / "plain"
        plain.mkdir()
        self.ends(Outcome.USAGE, "--base", plain, says=["is not a Linux kernel tree"])
        (plain / "Kbuild").touch()
        (plain / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 38\nEXTRAVERSION =\n")
        self.ends(Outcome.USAGE, "--base", plain, says=["but not a git tree"])
        (plain / "Makefile").write_text("VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 1\nEXTRAVERSION =\n")
        for command in ["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "-m", "x"]:
            subprocess.run(["git", "-C", plain, *command], check=True)
        self.ends(Outcome.APPLY, "--base", plain, says=["the tree is 5.10.1; the series is for"])


class Snapshot(unittest.TestCase):
    """A user's tree becomes a commit of ours, as it is, and stays as it was."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.theirs, self.ours = self.dir / "theirs", self.dir / "ours/linux"
        self.ours.mkdir(parents=True)
        self.theirs.mkdir()
        for tree in self.theirs, self.ours:
            subprocess.run(["git", "init", "-q", tree], check=True)
        for name in "same", "changed", "removed", ".gitignore":
            (self.theirs / name).write_text("*.o\n" if name == ".gitignore" else f"{name}\n")
        self.git("add", "-A")
        self.git("-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "-m", "x")

    def git(self, *arguments):
        return subprocess.run(["git", "-C", self.theirs, *arguments], check=True, capture_output=True, text=True).stdout

    def put(self):
        return kernel.put(unittest.mock.Mock(), self.ours, kernel.snapshot(self.theirs, self.ours), None)

    def files(self, tree):
        return {path.name: path.read_text() for path in tree.iterdir() if path.is_file()}

    def test_edits_are_taken_over(self):
        first = self.put()
        self.assertEqual(self.files(self.ours), self.files(self.theirs))
        times = {path.name: path.stat().st_mtime_ns for path in self.ours.iterdir()}

        (self.theirs / "changed").write_text("anew\n")
        (self.theirs / "removed").unlink()
        (self.theirs / "new").write_text("new\n")
        (self.theirs / "object.o").write_text("ignored\n")
        before = self.git("status", "--porcelain"), (self.theirs / ".git/index").read_bytes(), sorted(map(str, self.theirs.rglob("*")))
        self.assertNotEqual(self.put(), first)
        self.assertEqual(before, (self.git("status", "--porcelain"), (self.theirs / ".git/index").read_bytes(), sorted(map(str, self.theirs.rglob("*")))))
        self.assertEqual(self.files(self.ours), {"same": "same\n", "changed": "anew\n", "new": "new\n", ".gitignore": "*.o\n"})
        self.assertEqual((self.ours / "same").stat().st_mtime_ns, times["same"], "what did not change must not be built again")
        self.assertGreater((self.ours / "changed").stat().st_mtime_ns, times["changed"], "what changed must be built again")

    def test_same_files_same_commit(self):
        self.assertEqual(self.put(), self.put())

    def test_edits_in_our_tree_are_kept_aside(self):
        self.put()
        (self.ours / "same").write_text("edited\n")
        self.put()
        self.assertEqual((self.ours / "same").read_text(), "same\n")
        self.assertIn("+edited", (self.ours.parent / "edits.patch").read_text())

    def test_after_a_kill(self):
        self.put()
        (self.ours.parent / "checked-out").unlink()
        (self.ours / ".git/index.lock").touch()
        (self.ours / "same").write_text("half")
        self.put()
        self.assertEqual((self.ours / "same").read_text(), "same\n")


class Patches(boot.Elsewhere):
    """Patches that do not apply, in a run of boot-test; the base is borrowed from the run before."""

    def setUp(self):
        super().setUp()
        home = self.build / base.DEFAULT
        home.mkdir()
        subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", boot.LINUX, home / "linux"], check=True)
        self.project = self.build / "project"
        for name in "series", "patches":
            shutil.copytree(root.TOP / name, self.project / name)

    def test_damaged_patch(self):
        path = next(path for path in sorted((self.project / "patches/v6.12").iterdir()) if "\n-" in path.read_text().split("\ndiff --git", 1)[1])
        head, _, diff = path.read_text().partition("\ndiff --git")
        lines = diff.split("\n")
        at = next(at for at, line in enumerate(lines) if line.startswith(" ") and len(line) > 4)
        lines[at] = " no such line"
        path.write_text(head + "\ndiff --git" + "\n".join(lines))
        self.ends(Outcome.APPLY, RUST_DMA_ROOT=str(self.project), says=[path.name, "error: "])

    def test_missing_patch(self):
        path = sorted((self.project / "patches/v6.12").iterdir())[-1]
        path.unlink()
        self.ends(Outcome.APPLY, RUST_DMA_ROOT=str(self.project), says=[f"series/v6.12 lists {path.name}"])


class Mirror(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Fetch(boot.Elsewhere):
    """A mirror on this machine, and a git repository."""

    def setUp(self):
        super().setUp()
        self.mirror = self.build / "mirror"
        (self.mirror / PIN.tarball).parent.mkdir(parents=True)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Mirror, directory=self.mirror))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"

    def test_wrong_checksum(self):
        (self.mirror / PIN.tarball).write_bytes(b"not it" * 1000)
        for _ in range(2):
            self.ends(Outcome.FETCH, DEBIAN_MIRROR=self.url, says=["wrong checksum of linux_6.12.38.orig.tar.xz", "6000 bytes", "the file is removed"])
            self.assertEqual(list((self.build / "download").iterdir()), [])

    def test_no_mirror_then_no_git(self):
        with unittest.mock.patch.dict(os.environ, {"GIT_ALLOW_PROTOCOL": "file"}):  # so that the public git is not asked
            self.ends(Outcome.FETCH, DEBIAN_MIRROR=self.url, says=["taking the kernel's public git", "from https://", "cannot be fetched"])
        self.assertFalse((self.build / base.DEFAULT / "linux").exists())

    def test_git_with_another_tree(self):
        other = self.build / "other"
        subprocess.run(["git", "init", "-q", other], check=True)
        (other / "Makefile").touch()
        for command in ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "-m", "x"], ["tag", base.DEFAULT]:
            subprocess.run(["git", "-C", other, *command], check=True)
        self.ends(Outcome.FETCH, LINUX_GIT=f"file://{other}", says=["the tree of v6.12.38 is", f"not {PIN.tree}"])
        self.assertFalse((self.build / base.DEFAULT / "linux").exists())

    def test_git_gives_the_same(self):
        """From a git repository whose tag has what the tarball lacks."""
        other = self.build / "other"
        subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", boot.LINUX, other], check=True)
        blob = subprocess.run(["git", "-C", other, "hash-object", "-w", "--stdin"], input=b"more\n", capture_output=True, check=True).stdout.decode().strip()
        series.git(other, "read-tree", base.DEFAULT)
        for path in PIN.dropped:
            series.git(other, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path if '.' in path else path + '/file'}")
        tree = series.git(other, "write-tree")
        self.assertNotEqual(tree, PIN.tree)
        series.git(other, "tag", "-f", base.DEFAULT, series.git(other, "commit-tree", tree, "-m", "x", env=kernel.IDENTITY))
        with unittest.mock.patch.dict(os.environ, {"LINUX_GIT": f"file://{other}"}), unittest.mock.patch.object(kernel, "BUILD", self.build):
            fetched, commit = kernel.repository(base.DEFAULT)
        self.assertEqual(series.git(fetched, "rev-parse", f"{commit}^{{tree}}"), PIN.tree)
        self.assertEqual(commit, series.git(boot.LINUX, "rev-parse", f"{base.DEFAULT}^{{commit}}"))


class Lock(boot.Elsewhere):
    """All that writes below build/ does so alone."""

    def test_other_scripts(self):
        with (self.build / "lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(f"{os.getpid()}\n")
            file.flush()
            for script, *arguments in (["tree"], ["tree", self.build / "elsewhere"], ["port", boot.LINUX], ["boot-test"]):
                with self.subTest(script):
                    ran = self.script(script, *arguments)
                    self.assertEqual((Outcome.BUSY, f"error: another run is using {self.build} (process {os.getpid()})"), (ran.returncode, ran.stderr.split("\n")[0]))

    def test_what_a_killed_run_left(self):
        """Its children have its lock until they end; then the next run goes on by itself."""
        holder = (
            "import lock, pathlib, stage, subprocess, sys, time\n"
            f"with lock.alone(pathlib.Path({str(self.build)!r})):\n"
            "    stage.start(['sh', '-c', 'echo; sleep 3'])\n"
            "    time.sleep(1000)\n"
        )
        child = subprocess.Popen([sys.executable, "-c", holder], cwd=root.TOP / "scripts/lib", stdout=subprocess.PIPE)
        self.assertEqual(b"\n", child.stdout.readline())
        child.kill()
        child.wait()
        self.addCleanup(child.stdout.close)
        with self.assertRaises(BlockingIOError), (self.build / "lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ran = self.script("tree", "--base", self.build)
        self.assertEqual((Outcome.USAGE, f"waiting for what process {child.pid} left, which is gone\n"), (ran.returncode, ran.stdout), ran.stderr)

    def script(self, name, *arguments):
        return subprocess.run(
            [root.TOP / "scripts" / name, *arguments], env={**os.environ, "RUST_DMA_BUILD": str(self.build)}, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )


class Configuration(boot.Case):
    def test_not_taken(self):
        got = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_N=8\n"
        self.assertEqual(kernel.not_taken("CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\n# CONFIG_D is not set\nCONFIG_N=8", got), [])
        self.assertEqual(kernel.not_taken("CONFIG_B=y\nCONFIG_D=y\n# CONFIG_A is not set", got), ["CONFIG_B=y, is m", "CONFIG_D=y, is n", "CONFIG_A=n, is y"])

    def test_unknown_symbol(self):
        with tempfile.TemporaryDirectory() as directory:
            fragment = pathlib.Path(directory, "planted.config")
            fragment.write_text("CONFIG_NO_SUCH_SYMBOL=y\n")
            self.addCleanup(shutil.rmtree, kernel.BUILD / "v6.12.38/x86_64-planted", ignore_errors=True)
            self.ends(Outcome.BUILD, "--config", fragment, says=["did not take 1 of the wanted", "CONFIG_NO_SUCH_SYMBOL=y, is n"])

    def test_does_not_build(self):
        """A tree with a mistake in it: the compiler's words, and no others."""
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory, "linux")
            subprocess.run(["git", "clone", "-q", "--shared", boot.LINUX, tree], check=True)
            with (tree / "rust/kernel/dma.rs").open("a") as file:
                file.write("fn mistake() -> u32 { \"\" }\n")
            output = self.ends(Outcome.BUILD, "--base", tree, says=["mismatched types", "rust/kernel/dma.rs", "error: the kernel does not build"])
            self.assertLess(len(output.splitlines()), 60)


class Runs(boot.Case):
    def test_two_at_once(self):
        with (kernel.BUILD / "lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(0)
            file.write("1\n")
            file.flush()
            self.ends(Outcome.BUSY, says=["another run is using", "process 1"])

    def interrupt(self, line, number, *arguments):
        """Start a run, send it a signal once a line has come; nothing is left of it."""
        child = subprocess.Popen([boot.SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        output = ""
        for said in child.stdout:
            output += said
            if said.startswith(line):
                time.sleep(3)
                os.kill(child.pid, number)
        self.assertEqual(child.wait(60), Outcome.INTERRUPTED, output)
        self.assertIn("error: interrupted", output)
        self.assertNotIn("Traceback", output)
        self.assertEqual(self.left(), [], output)

    def left(self):
        """Processes that still have a hand in the build directory."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if words[0] == "bwrap" and any(word.startswith(f"{kernel.BUILD}/") for word in words):
                    found.append(words)
        return found

    def test_interrupted_in_the_guest(self):
        for number in signal.SIGINT, signal.SIGTERM:
            self.interrupt("boot ...", number, "--run", "sleep 1000")
        self.ends(Outcome.PASS, "--run", "true")

    def test_interrupted_in_the_build(self):
        with tempfile.TemporaryDirectory() as directory:
            fragment = pathlib.Path(directory, "interrupted.config")
            fragment.write_text("CONFIG_DEBUG_KMEMLEAK=y\n")
            self.addCleanup(shutil.rmtree, kernel.BUILD / "v6.12.38/x86_64-interrupted", ignore_errors=True)
            self.interrupt("kernel build ...", signal.SIGINT, "--config", fragment)
        self.ends(Outcome.PASS, "--run", "true")
