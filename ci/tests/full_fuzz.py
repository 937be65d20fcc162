# SPDX-License-Identifier: GPL-2.0
"""A million random calls in each configuration find nothing; and they find faults that the cases don't.

A patch of ci/fuzz/planted begins with what is wrong, in words, and with the configuration in which it
is found:

Config: one of ci/fuzz/run.
"""

import contextlib
import re
import subprocess
import sys
import unittest

import boot
import cases
import faults
import kernel
import root
from outcome import BAD, Outcome

HERE = root.TOP / "ci/fuzz"
sys.path.insert(0, str(HERE))

import fuzz

PATCHES = sorted((HERE / "planted").glob("*.patch"))


def calls(*words):
    ran = subprocess.run([HERE / "run", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return ran.returncode, ran.stdout


class Calls(unittest.TestCase):
    """`ci/test full_fuzz.Calls.test_kasan`."""

    def calls(self, name):
        status, output = calls("--config", name, "--operations", 1_000_000)
        self.assertEqual(0, status, output)
        self.assertIn("PASS: 1000000 operations", output)


for name in fuzz.CONFIGURATIONS:
    setattr(Calls, f"test_{name}", lambda self, name=name: self.calls(name))


class Keeper(contextlib.ExitStack):
    """What a test is for others, of which there are several in one here."""

    addCleanup = contextlib.ExitStack.callback


class Planted(boot.Case):
    """A test for each patch: the calls see it, and the cases don't."""

    @classmethod
    def setUpClass(cls):
        cls.tree = faults.Tree(kernel.BUILD / "planted-fuzz", list(fuzz.LEAN))
        cls.tree.make()
        cls.addClassCleanup(cls.tree.remove)

    def planted(self, patch):
        name = re.search(r"^Config: (.*)", patch.read_text(), re.M)[1]
        self.assertEqual(fuzz.LEAN, fuzz.CONFIGURATIONS[name].config, "another kernel than that of the cases")
        self.tree.clean()
        before = self.cases(name)
        cases.plant(self, patch, self.tree.path)
        self.tree.allow()
        status, output = calls("--base", self.tree.path, "--config", name, "--operations", 100_000, "--no-shrink")
        self.assertIn(status, BAD, output)
        found = re.search(r"^failed: (.*)", output, re.M)
        self.assertTrue(found, output)
        self.assertEqual(before, self.cases(name), "the cases see it, too")
        self.note = "found by " + found[1].split(";")[0]

    def cases(self, name):
        """What the cases find, in the same kernel and machine; all of it."""
        with Keeper() as keeper:
            fail = self.tree.boot(keeper, "TIMES=5 bash /cases.sh bind cases", fuzz.CONFIGURATIONS[name].append, cases.DEVICES.split())
        if not fail:
            return []
        self.assertEqual(Outcome.TEST_FAILED, fail.outcome, f"{fail.detail}\n{fail}")
        return cases.what_failed(fail.outcome, f"{fail.detail}\nerror: {fail}", self.tree.obj)


for patch in PATCHES:
    setattr(Planted, f"test_{patch.stem.replace('-', '_')}", lambda self, patch=patch: self.planted(patch))
