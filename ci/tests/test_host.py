# SPDX-License-Identifier: GPL-2.0
"""What the machine lacks: tools, a mirror for the build root, space."""

import os
import pathlib
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

    def test_we_find_it_full(self):
        script = "import outcome\ndef main():\n    with open('/dev/full', 'w') as file: file.write('x')\noutcome.main(main)"
        ran = subprocess.run([sys.executable, "-c", script], cwd=root.TOP / "scripts/lib", capture_output=True, text=True)
        self.assertEqual(Outcome.DISK, ran.returncode, ran.stderr)
        self.assertIn("no space left", ran.stderr)
        self.assertNotIn("Traceback", ran.stderr)
