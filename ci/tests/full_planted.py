# SPDX-License-Identifier: GPL-2.0
"""Each fault that ci/planted plants in the interface is seen, and by which test."""

import contextlib
import io
import re
import shutil
import subprocess

import base
import boot
import boot_test
import cases
import kernel
import root
import test_compile
from outcome import Outcome

PATCHES = sorted((root.TOP / "ci/planted").glob("*.patch"))
TREE = kernel.BUILD / "planted"


class Planted(boot.Case):
    """A test for each patch: `ci/test full_planted.Planted.test_free_missing`."""

    @classmethod
    def setUpClass(cls):
        shutil.rmtree(TREE, ignore_errors=True)
        cls.addClassCleanup(shutil.rmtree, TREE)
        with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
            kernel.patched(base.DEFAULT)
        git("clone", "-q", "--shared", boot.LINUX, TREE)

    def plant(self, patch):
        git("-C", TREE, "checkout", "-q", "-f", "HEAD")
        planted = subprocess.run(["patch", "-p1", "-d", TREE, "-i", patch], capture_output=True, text=True)
        self.assertEqual(planted.returncode, 0, planted.stdout)
        # What is left unused by a fault is no reason not to build it.
        lib = TREE / "rust/kernel/lib.rs"
        lib.write_text(lib.read_text().replace("\n#![", "\n#![allow(warnings)]\n#![", 1))
        cases.build(self, TREE)

    def planted(self, patch):
        self.plant(patch)
        by = re.search(r"^Compile: (.*)", patch.read_text(), re.M)
        if by:
            self.compiles(by[1])
            return
        status, output, module = cases.guest(self, "bind cases", "--base", TREE, times=5)
        self.assertNotEqual(status, Outcome.PASS, "no test sees it")
        found = cases.what_failed(status, output, module)
        self.assertNotIn("in no case", found[0], "the guest did not come to the first case: " + output)
        self.note = "seen by " + ", ".join(found[:3]) + (f" and {len(found) - 3} more" if found[3:] else "")

    def compiles(self, file):
        """A program of this file of ci/compile that must not compile does, or for another reason does not."""
        wrong = []
        for at, program in enumerate(test_compile.programs()):
            if program.file == file:
                compiled, said = boot.Module(self, f"planted-{at}", "program", program.wrong).make("program.o")
                if compiled or program.error not in said:
                    wrong.append(program.title)
        self.assertTrue(wrong, "all programs fail as before")
        self.note = "seen by " + ", ".join(wrong)


def git(*command):
    subprocess.run(["git", *command], check=True, capture_output=True)


def test(patch):
    return lambda self: self.planted(patch)


for patch in PATCHES:
    setattr(Planted, f"test_{patch.stem.replace('-', '_')}", test(patch))
