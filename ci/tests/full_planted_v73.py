# SPDX-License-Identifier: GPL-2.0
"""Each fault of ci/planted/v7.3 is seen: those in what v6.12 has not. See full_planted.

They need no more than what ci/cases/misc_cases.rs has.
"""

import contextlib
import io
import re

import boot
import boot_test
import cases
import faults
import guest
import kernel
import misc
import root
from outcome import BAD, Fail, Outcome

PATCHES = sorted((root.TOP / "ci/planted/v7.3").glob("*.patch"))


class Tree(faults.Tree):
    """A tree of v7.3 with the series. Without KUnit: what its devices park is leaked, as with any that has no bus mastering."""

    def __init__(self):
        super().__init__(kernel.BUILD / "planted-v7.3", [root.TOP / "ci/planted/fault.config", root.TOP / "ci/planted/v7.3/lean.config"])

    def make(self):
        with boot_test.alone(), faults.quiet():
            self.commit = kernel.patched(misc.TAG).commit
        self.clone(misc.TREE)

    def run(self, test):
        """The kernel of the tree, with the cases: how that ended, and what was said."""
        options = self.options("STOP=1 TIMES=10 bash /cases.sh misc", ["acpi=off", "kunit.enable=0"], cases.DEVICES.split())
        with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
            try:
                built, _, programs = boot_test.prepare(options)
                # What is built is named for the release that the tree says it is.
                options.add = misc.files(test, built.obj, built.tree.path)
                guest.initramfs(built, options)
                guest.boot(built, options, programs)
            except Fail as fail:
                return fail.outcome, f"{fail}\n{fail.detail}"
        return Outcome.PASS, ""


TREE = Tree()


class Planted(boot.Case):
    there = False

    def setUp(self):
        misc.repository(self)
        if not self.there:
            TREE.make()
            Planted.there = True
            self.addClassCleanup(TREE.remove)

    def test_no_fault(self):
        TREE.clean()
        self.assertEqual((Outcome.PASS, ""), TREE.run(self))

    def planted(self, patch):
        TREE.clean()
        cases.plant(self, patch, TREE.path)
        TREE.allow()
        outcome, said = TREE.run(self)
        self.assertNotEqual(Outcome.PASS, outcome, "no test sees it")
        self.assertIn(outcome, BAD, said)
        found = re.findall(r"^(?:failed|crashed): (?:command: )?(.*)", said, re.M)
        self.note = f"seen by {(found or [said.splitlines()[0]])[0]}"


def test(patch):
    return lambda self: self.planted(patch)


for patch in PATCHES:
    setattr(Planted, f"test_{patch.stem.replace('-', '_')}", test(patch))
