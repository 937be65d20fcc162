# SPDX-License-Identifier: GPL-2.0
"""boot-test's dealings with its surroundings: options, trees, mirrors, other runs, Ctrl-C."""

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
import boot_test
import guest
import kernel
import root
import series
from outcome import Fail, Outcome

PIN = base.PINS[base.DEFAULT]
PACKAGED = "v7.3"


class Options(boot.Case):
    def test_bad_options(self):
        for arguments, words in (
            (["--nonsense"], "unrecognized arguments"),
            (["--base", "v1.0"], "--base: v1.0 is neither v6.12.38 nor v6.13 nor v7.3 nor a directory"),
            (["--arch", "vax"], "invalid choice"),
            (["--qemu", "'"], "--qemu"),
            (["--config", "/nonsense"], "--config: /nonsense is not a file"),
            (["--add", "/nonsense"], "--add: /nonsense is not a file"),
            (["--silence", "0"], "must be from 1 to 1000000"),
            (["--timeout", "9" * 20], "must be from 1 to 1000000"),
            (["--disk", "4097"], "must be from 1 to 4096"),
            (["--silence", "x"], "invalid"),
            (["--shell"], "--shell needs a terminal"),
            (["--shell", "--run", "true"], "not allowed with"),
        ):
            with self.subTest(arguments):
                self.ends(Outcome.USAGE, *arguments, says=[words])

    def test_files_for_the_guest(self):
        """Two would be one there; or it would not start."""
        with tempfile.TemporaryDirectory() as directory:
            for name in "init", "a/same", "b/same", "with space", "line\nbreak":
                path = pathlib.Path(directory, name)
                path.parent.mkdir(exist_ok=True)
                path.touch()
            for names, words in (
                (["init"], "the guest has one of that name"),
                (["a/same", "b/same"], "another file has that name, too"),
                (["with space"], "a name in the guest has no spaces"),
                (["line\nbreak"], "a name in the guest has no spaces"),
            ):
                with self.subTest(names):
                    arguments = [word for name in names for word in ("--add", f"{directory}/{name}")]
                    self.ends(Outcome.USAGE, *arguments, says=[f"error: --add: {directory}/{names[0]}: {words}", "next:"])

    def test_what_is_at_the_guest_s_top(self):
        """No file that is added may hide what is there."""
        # Of a guest to which nothing is added.
        self.ends(Outcome.PASS, "--run", "true")
        spec = (boot.Module.OBJ / "initramfs.spec").read_text()
        self.assertEqual(set(), {line.split()[1].split("/")[1] for line in spec.splitlines()} - {*guest.TAKEN})

    def test_no_configuration(self):
        """Kconfig would take no notice of these lines."""
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "a b.config")
            for line in "CONFIG_X = y", "X=y", "CONFIG_X", "CONFIG_X=", "CONFIG_X=yes", "#CONFIG_X is not set", "# CONFIG_X is not sett", "# CONFIG_X=y", "# CONFIG_X is  not set", " CONFIG_X=y", "CONFIG_X y":
                with self.subTest(line):
                    path.write_text(f"# Words.\nCONFIG_KASAN=y\n{line}\n")
                    self.ends(Outcome.USAGE, "--config", path, says=[f"error: {path}:3 is no line of a configuration: {line}", "next:  write it as CONFIG_NAME=value"])
            path.write_bytes(bytes(range(256)))
            self.ends(Outcome.USAGE, "--config", path, says=[f"error: {path} is not a text"])

    def test_configuration(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "x.config")
            path.write_bytes(b'# Words.\r\n\r\nCONFIG_X=y \r\nCONFIG_Y=0x1f\r\n# CONFIG_Z is not set\r\nCONFIG_A="b c"\r\n#\r\n')
            self.assertEqual('# Words.\n\nCONFIG_X=y\nCONFIG_Y=0x1f\n# CONFIG_Z is not set\nCONFIG_A="b c"\n#\n', kernel.fragment(path))
        for path in (root.TOP / "ci").rglob("*.config"):
            self.assertTrue(kernel.fragment(path))

    def test_values_that_begin_as_options_do(self):
        with unittest.mock.patch.object(sys, "argv", ["boot-test", "--qemu", "-S", "--qemu", "-smp 4", "--append", "--x", "--run", "-y"]):
            options = boot_test.arguments()
        self.assertEqual((["-S", "-smp", "4"], ["--x"], "-y"), (options.qemu, options.append, options.run))

    def test_files_for_the_emulator(self):
        """What is a file, and is named as one, has its whole path; all else stays as it is."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, directory)
        for name in "edu", "x.img", "a,b", "sub/x.img":
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).touch()
        was = os.getcwd()
        self.addCleanup(os.chdir, was)
        os.chdir(directory)
        for words, made, see in (
            ("-device edu,x.img", "-device edu,x.img", []),
            ("-drive file=x.img,if=none", "-drive file={}/x.img,if=none", ["x.img"]),
            ("-drive if=none,file=sub/x.img -hda x.img", "-drive if=none,file={}/sub/x.img -hda {}/x.img", ["sub/x.img", "x.img"]),
            ("-device edu,romfile=./a,,b", "-device edu,romfile={}/a,,b", ["a,b"]),
            ("-drive file=fat:rw:./sub,id=x", "-drive file=fat:rw:{}/sub,id=x", ["sub"]),
            ("-drive file=none.img -serial file:/dev/null x=/ -kernel nowhere/x", "-drive file=none.img -serial file:/dev/null x=/ -kernel nowhere/x", []),
        ):
            with self.subTest(words):
                self.assertEqual((made.format(directory, directory).split(), [f"{directory}/{name}" for name in see]), guest.named(words.split()))

    def test_help(self):
        output = self.ends(Outcome.PASS, "--help")
        for outcome in Outcome:
            self.assertIn(outcome.doc, output)


class Ends(boot.Case):
    """However a script ends: a status of its own, words, and a traceback only where it is our mistake."""

    def script(self, body, **options):
        """A script of ours with a main function of this body."""
        text = f"import errno, os, sys\nimport outcome\ndef main():\n    {body}\noutcome.main(main)"
        return subprocess.run([sys.executable, "-c", text], cwd=root.TOP / "scripts/lib", stderr=subprocess.PIPE, stdout=options.pop("stdout", subprocess.PIPE), text=True, **options)

    def check(self, ran, status, words, traceback=False):
        self.assertEqual((status, traceback), (ran.returncode, "Traceback" in ran.stderr), ran.stderr)
        self.assertIn(f"error: {words}", ran.stderr)
        self.assertIn("next: ", ran.stderr)

    def test_our_mistake(self):
        self.check(self.script("1 / 0"), Outcome.INTERNAL, "a mistake in these scripts: ZeroDivisionError", traceback=True)
        self.check(self.script("open('/nonsense/file')"), Outcome.INTERNAL, "a mistake in these scripts: FileNotFoundError", traceback=True)

    def test_nobody_reads(self):
        for closed in True, False:
            reader, writer = os.pipe()
            os.close(reader)
            with self.subTest(closed=closed), open(writer, "w") as pipe:
                for body in "print(1)", "print('x' * 1000000)", "print(1, flush=True)":
                    self.check(self.script(body, stdout=pipe, preexec_fn=(lambda: os.close(1)) if closed else None), Outcome.UNREAD, "the standard output is closed" if closed else "nobody reads")

    def test_head(self):
        """Of every script of ours, and of boot-test in the middle of its work."""
        for script in "apply", "boot-test", "doc", "new-driver", "port", "refresh", "send", "tree":
            ran = subprocess.run(["bash", "-c", f"{root.TOP}/scripts/{script} --help | read -rn1; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
            self.assertEqual(("", True), (ran.stderr.replace("error: nobody reads the output any more\nnext:  let it go to a file: COMMAND >FILE 2>&1\n", ""), ran.stdout in ("0\n", "141\n")), ran)
        ran = subprocess.run(["bash", "-c", f"{boot.SCRIPT} --run true | head -1; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
        self.assertEqual("build root ...\n141\n", ran.stdout, ran.stderr)
        self.assertNotIn("Traceback", ran.stderr)

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            self.check(self.script("print(1)", stdout=full), Outcome.DISK, "no space left")
        self.check(self.script("raise OSError(errno.EDQUOT, 'x', 'file')"), Outcome.DISK, "no space left: file")

    def test_full_disk_in_other_words(self):
        """Where git or a tool met it, it is no patch that does not apply."""
        body = "raise outcome.Fail(outcome.Outcome.APPLY, 'git am failed', 'fatal: x: No space left on device')"
        self.check(self.script(body), Outcome.DISK, "no space left: git am failed")

    def test_no_standard_file_at_all(self):
        """No file of ours may get their numbers."""
        body = "sys.exit(0 if os.open('/dev/null', os.O_RDONLY) > 2 else 1)"
        ran = self.script(body, preexec_fn=lambda: [os.close(number) for number in (0, 2)])
        self.assertEqual((0, ""), (ran.returncode, ran.stderr))

    def test_no_permission(self):
        for place, words in (("/sys/boot-test", "Operation not permitted"), ("/etc/passwd", "File exists"), ("/etc/passwd/x", "Not a directory")):
            with self.subTest(place):
                self.ends(Outcome.USAGE, RUST_DMA_BUILD=place, says=[f"error: {place}", words, "next:  see what is there"])

    def test_other_character_sets(self):
        for locale in "POSIX", "C", "C.UTF-8":
            with self.subTest(locale):
                self.ends(Outcome.USAGE, "--run", "echo \u00e4\udcff", "--base", "/n\u00f6\udcff", LC_ALL=locale, says=["--base: /n"])
                self.ends(Outcome.USAGE, "--run", "x", "--base", "/n\u00f6", LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", says=["--base: /n"])


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
        self.assertIn("+edited", max(self.ours.parent.glob("edits-*.patch"), key=lambda path: path.stat().st_mtime).read_text())

    def test_after_a_kill(self):
        self.put()
        (self.ours / ".git/checked-out").write_text("")
        for name in "index", "HEAD", "snapshot", "config", "packed-refs", "refs/heads/x":
            (self.ours / f".git/{name}.lock").touch()
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

    def test_damaged_tarball(self):
        """It is not used; what is to be done is done."""
        cached = self.build / "download" / pathlib.Path(PIN.tarball).name
        cached.parent.mkdir()
        cached.write_bytes(b"half")
        (self.mirror / PIN.tarball).write_bytes(b"not it")
        self.ends(Outcome.FETCH, DEBIAN_MIRROR=self.url, says=[f"{cached} was damaged, and is removed", "wrong checksum"])
        self.assertFalse(cached.exists())

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

    def test_no_source(self):
        """Of a base that neither its git nor the distribution has any more; that is told from a mirror that cannot be asked."""
        with unittest.mock.patch.dict(os.environ, {"GIT_ALLOW_PROTOCOL": "file"}):
            for url, outcome in (self.url, Outcome.NO_SOURCE), ("http://127.0.0.1:9", Outcome.FETCH):
                with self.subTest(url):
                    self.ends(outcome, "--base", PACKAGED, DEBIAN_MIRROR=url, says=[f"error: {PACKAGED} can be had neither from https://", "nor as linux-source-", "next:  LINUX_GIT="])
                    self.assertEqual([], list((self.build / "download").glob(f"{base.PINS[PACKAGED].package}*/*.deb")))

    def test_no_such_package(self):
        """The release is there, but the package is not."""
        pin = base.PINS[PACKAGED]._replace(package="linux-source-0.0", git=f"file://{self.build}/none")
        with unittest.mock.patch.object(kernel, "BUILD", self.build), self.assertRaises(Fail) as caught:
            kernel.fetch_package(PACKAGED, pin)
        self.assertEqual((Outcome.NO_SOURCE, True), (caught.exception.outcome, "linux-source-0.0 of trixie-backports" in caught.exception.cause), caught.exception.detail)

    def test_damaged_package(self):
        package = self.build / "download" / base.PINS[PACKAGED].package / "x.deb"
        package.parent.mkdir(parents=True)
        package.write_bytes(b"half")
        self.ends(Outcome.FETCH, "--base", PACKAGED, says=[f"error: {package} was damaged, and is removed", "next:  run the same command again"])
        self.assertFalse(package.parent.exists())
        self.assertFalse((self.build / PACKAGED / "linux").exists())

    def test_git_in_the_package_s_stead(self):
        """The commit is that of the tag, so that what is made on top of it can be sent."""
        other = self.build / "other"
        subprocess.run(["git", "init", "-q", other], check=True)
        (other / "Makefile").touch()
        for command in ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "-m", "x"], ["-c", "user.name=x", "-c", "user.email=x@localhost", "tag", "-a", "-m", "x", PACKAGED]:
            subprocess.run(["git", "-C", other, *command], check=True)
        with unittest.mock.patch.dict(os.environ, {"LINUX_GIT": f"file://{other}"}), unittest.mock.patch.object(kernel, "BUILD", self.build):
            self.assertEqual(series.git(other, "rev-parse", "HEAD"), kernel.repository(PACKAGED)[1])

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
        """Its children have its lock; the next run ends them, and goes on."""
        holder = (
            "import lock, pathlib, stage, subprocess, sys, time\n"
            f"with lock.alone(pathlib.Path({str(self.build)!r})):\n"
            "    stage.start(['sh', '-c', '(echo; exec sleep 1000) & wait'])\n"
            "    time.sleep(1000)\n"
        )
        child = subprocess.Popen([sys.executable, "-c", holder], cwd=root.TOP / "scripts/lib", stdout=subprocess.PIPE)
        self.addCleanup(child.stdout.close)
        self.assertEqual(b"\n", child.stdout.readline())
        child.kill()
        child.wait()
        with self.assertRaises(BlockingIOError), (self.build / "lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ran = self.script("tree", "--base", self.build, self.build / "elsewhere")
        self.assertEqual((Outcome.USAGE, f"ending what is left of a run that was killed (process {child.pid})\n"), (ran.returncode, ran.stdout), ran.stderr)

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
            file.write(f"{os.getpid()}\n")
            file.flush()
            self.ends(Outcome.BUSY, says=["another run is using", f"process {os.getpid()}"])

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
        self.assertEqual([], boot.left(kernel.BUILD), output)

    def test_interrupted_in_the_guest(self):
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            self.interrupt("boot ...", number, "--run", "sleep 1000")
        self.ends(Outcome.PASS, "--run", "true")

    def test_interrupted_in_the_build(self):
        with tempfile.TemporaryDirectory() as directory:
            fragment = pathlib.Path(directory, "interrupted.config")
            fragment.write_text("CONFIG_DEBUG_KMEMLEAK=y\n")
            self.addCleanup(shutil.rmtree, kernel.BUILD / "v6.12.38/x86_64-interrupted", ignore_errors=True)
            self.interrupt("kernel build ...", signal.SIGINT, "--config", fragment)
        self.ends(Outcome.PASS, "--run", "true")
