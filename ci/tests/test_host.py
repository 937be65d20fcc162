# SPDX-License-Identifier: GPL-2.0
"""What the machine lacks: tools, a mirror for the build root, space."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import boot
import outcome
import root
import stage
from outcome import Outcome

# Nobody listens there.
NOWHERE = "http://127.0.0.1:9/debian"
# A git that never answers.
ENDLESS = {"LINUX_GIT": "ext::sleep 1000", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.ext.allow", "GIT_CONFIG_VALUE_0": "always"}
SUDO = ["sudo"] * (os.geteuid() != 0)


class Root(boot.Elsewhere):
    def test_no_mirror_for_the_build_root(self):
        """It is made beside the fetching of the kernel, which is ended then."""
        (self.build / "root").unlink()
        self.ends(Outcome.FETCH, DEBIAN_MIRROR=NOWHERE, **ENDLESS, says=["the build root cannot be made", "127.0.0.1", "next:"])
        self.assertFalse((self.build / "root").exists())

    def test_what_a_root_will_do_for(self):
        """The whole one for all; the other, where it is enough; none that was made from another list."""
        (self.build / "root").unlink()
        made = self.build / "root/etc/build-root"
        made.parent.mkdir(parents=True)
        for said, enough, whole in ((root.stamp(), True, False), (root.stamp(whole=True), True, True), ("another", False, False)):
            made.write_text(said)
            self.assertEqual((enough, whole), (root.ready(self.build), root.ready(self.build, whole=True)))


class Python(unittest.TestCase):
    """A machine that has not even that."""

    def bootstrap(self, apt_get):
        with tempfile.TemporaryDirectory() as tools:
            for tool in ("env", "id", "mktemp", "rm", "tail"):
                pathlib.Path(tools, tool).symlink_to(shutil.which(tool))
            for name, script in (("apt-get", apt_get), ("sudo", 'exec "$@"')):
                pathlib.Path(tools, name).write_text(f"#!/bin/sh\n{script}\n")
                pathlib.Path(tools, name).chmod(0o755)
            lib = root.TOP / "scripts/lib/bootstrap.sh"
            ended = subprocess.run(
                ["/bin/sh", "-c", f". {lib}; echo went on"], capture_output=True, text=True, env={"PATH": tools, "TMPDIR": tools}
            )
            self.assertEqual([path.name for path in pathlib.Path(tools).iterdir() if path.name.startswith("tmp.")], [])
            return ended

    def test_installed(self):
        """In one line, whatever apt-get has to say."""
        ended = self.bootstrap("echo Reading package lists...; echo debconf: unable to initialize frontend: Dialog >&2")
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "python3 is missing; installing it\nwent on\n", ""))

    def test_not_installed(self):
        ended = self.bootstrap("echo E: Unable to locate package python3 >&2; exit 100")
        self.assertEqual((ended.returncode, ended.stdout), (Outcome.TOOL, "python3 is missing; installing it\n"))
        self.assertIn("Unable to locate", ended.stderr)
        self.assertIn("next:", ended.stderr)


# In mmdebstrap's stead: mounts what it mounts, says so, and minds no polite signal.
MOUNTS = """#!/bin/sh
trap '' HUP INT TERM
for place; do case $place in */root.part) break; esac; done
mkdir -p $place/dev/shm $place/proc
mount -t proc proc $place/proc
mount --bind /dev/shm $place/dev/shm
echo mounted >{said}
sleep 1000 & wait
sleep 1000
"""


class Interrupted(boot.Elsewhere):
    """The making of the build root, by each signal."""

    def setUp(self):
        super().setUp()
        (self.build / "root").unlink()
        self.before = mounted()
        self.addCleanup(self.unmount)
        # The machine's own; no run may touch it.
        theirs = tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="boot-test-")
        self.addCleanup(theirs.close)
        self.theirs = pathlib.Path(theirs.name)
        self.said = self.build / "said"
        os.mkfifo(self.said)
        (self.build / "bin").mkdir()
        fake = self.build / "bin/mmdebstrap"
        fake.write_text(MOUNTS.replace("{said}", str(self.said)))
        fake.chmod(0o755)
        self.environment = {**os.environ, **ENDLESS, "DEBIAN_MIRROR": NOWHERE, "RUST_DMA_BUILD": str(self.build), "PATH": f"{self.build}/bin:{os.environ['PATH']}"}

    def unmount(self):
        for line in reversed(list(mounted() - self.before)):
            subprocess.run([*SUDO, "umount", "--lazy", line.split()[4]])
        subprocess.run([*SUDO, "rm", "-rf", "--one-file-system", self.build / "root.part"])

    def begin(self):
        """A run whose build root is half made."""
        child = subprocess.Popen([boot.SCRIPT], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.kill)
        with self.said.open() as said:
            self.assertEqual("mounted\n", said.read())
        return child

    def test_by_each_signal(self):
        for number in signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL:
            with self.subTest(number.name):
                child = self.begin()
                self.assertEqual(self.before, mounted(), "mounts that all can see")
                child.send_signal(number)
                output = child.communicate(timeout=30)[0]
                self.assertEqual(-number if number == signal.SIGKILL else Outcome.INTERRUPTED, child.returncode, output)
                self.assertNotIn("Traceback", output)
                self.assertEqual(["error: interrupted"] * (number != signal.SIGKILL), [line for line in output.splitlines() if line.startswith("error")])
                self.assertTrue(self.theirs.exists())
        # What the last left ends by itself, or is ended by the next (test_run), which comes as far.
        child = self.begin()
        child.terminate()
        child.communicate(timeout=30)
        self.assertEqual([], boot.left(self.build))

    def test_mounts_of_earlier_versions(self):
        """They were made where all see them, the machine's own /dev/shm among them."""
        shm = self.build / "root.part/dev/shm"
        shm.mkdir(parents=True)
        subprocess.run([*SUDO, "mount", "--bind", "/dev/shm", shm], check=True)
        child = self.begin()
        self.assertEqual(self.before, mounted())
        self.assertTrue(self.theirs.exists())
        child.terminate()
        self.assertEqual(Outcome.INTERRUPTED, child.wait(30))

    def test_an_installation_is_finished(self):
        """Half of one would be left to a human."""
        done = self.build / "done"
        fake = self.build / "bin/apt-get"
        fake.write_text(f"#!/bin/sh\ncase $* in *install*) echo >{self.said}; sleep 2; echo >{done}; esac\n")
        fake.chmod(0o755)
        script = "import outcome, pathlib, root\nroot.HOST['no-such-program'] = 'x'\noutcome.main(lambda: root.install_missing(pathlib.Path('log')))"
        for number in signal.SIGHUP, signal.SIGTERM:
            child = subprocess.Popen(
                [sys.executable, "-c", script.replace("'log'", f"'{self.build}/log'")], cwd=root.TOP / "scripts/lib", env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            with self.said.open() as said:
                said.read()
            child.send_signal(number)
            output = child.communicate(timeout=30)[0]
            self.assertEqual((Outcome.INTERRUPTED, True), (child.returncode, done.exists()), output)
            done.unlink()


def mounted():
    """What is mounted, as all see it, but for what the machine does meanwhile."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return {line for line in lines if "/boot-test-" in line.split()[4]}


class Host(boot.Case):
    def test_missing_and_old_tools(self):
        """--host-tools says of each tool what was found and what is needed."""
        with tempfile.TemporaryDirectory() as directory:
            for path in os.environ["PATH"].split(":"):
                for each in pathlib.Path(path).iterdir() if pathlib.Path(path).is_dir() else []:
                    if each.name not in ("bindgen", "rustc") and not pathlib.Path(directory, each.name).is_symlink():
                        pathlib.Path(directory, each.name).symlink_to(each)
            old = pathlib.Path(directory, "rustc")
            old.write_text("#!/bin/sh\necho rustc 1.63.0\n")
            old.chmod(0o755)
            output = self.ends(Outcome.TOOL, "--host-tools", PATH=directory, says=["tools do not do:"])
        self.assertRegex(output, r"bindgen +found none +needed \d.* <-- missing")
        self.assertRegex(output, r"rustc +found 1\.63\.0 +needed \d.* <-- too old")


class Disk(unittest.TestCase):
    """/dev/full is a disk that is."""

    def test_a_child_finds_it_full(self):
        with self.assertRaises(outcome.Fail) as caught, stage.Stage("writing") as here:
            here.run(["cp", "/etc/passwd", "/dev/full"], "cannot write")
        self.assertEqual(Outcome.DISK, caught.exception.outcome)

    def test_in_other_words(self):
        for words in (
            "E: You don't have enough free space in /x/.", "tar: x: Cannot write: No space left on device", "x: Disk quota exceeded",
            "fatal: sha1 file '.git/objects/pack/tmp_pack_x' write error. Out of diskspace",
        ):  # fmt: skip
            with self.assertRaises(outcome.Fail) as caught, stage.Stage("writing") as here:
                here.run(["sh", "-c", 'echo "$1"; exit 1', "sh", words], "cannot write")
            self.assertEqual(Outcome.DISK, caught.exception.outcome)

    def test_we_find_it_full(self):
        script = "import outcome\ndef main():\n    with open('/dev/full', 'w') as file: file.write('x')\noutcome.main(main)"
        ran = subprocess.run([sys.executable, "-c", script], cwd=root.TOP / "scripts/lib", capture_output=True, text=True)
        self.assertEqual(Outcome.DISK, ran.returncode, ran.stderr)
        self.assertIn("no space left", ran.stderr)
        self.assertNotIn("Traceback", ran.stderr)
