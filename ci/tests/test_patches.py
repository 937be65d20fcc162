# SPDX-License-Identifier: GPL-2.0
"""The patches of this repository, as they are; and that the checks on them can fail."""

import sys
import unittest

import standin

sys.path.insert(0, str(standin.REPO / "scripts/lib"))

import checks
import series


class Sets(unittest.TestCase):
    """What needs no tree."""

    def test_series_and_directories(self):
        self.assertIn("v6.12", series.present())
        for set_name in series.present():
            series.load(set_name)

    def test_in_step(self):
        for set_name in set(series.PORTED).intersection(series.present()):
            series.in_step(series.load("v6.12"), series.load(set_name))

    def test_messages(self):
        for set_name in series.present():
            patches = series.load(set_name).patches
            # The lists ask for 15 at a time, or so. The sets for older kernels go to none; that for
            # mainline goes to several maintainers, each of whom takes some.
            self.assertLessEqual(sum(not patch.only for patch in patches), 45)
            for patch in patches:
                with self.subTest(series.name(patch.path)):
                    self.assertLessEqual(len(patch.subject), 75)
                    self.assertIn(f"\nSigned-off-by: {patch.author}", patch.message)


class Tree(unittest.TestCase):
    """What needs the kernel and the build root that scripts/boot-test made."""

    def setUp(self):
        self.root, self.tree = standin.machine(self)

    def test_checkpatch(self):
        tools = checks.Inside(self.root, see=[self.tree, series.ROOT])
        for set_name in set(series.PORTED).intersection(series.present()):  # test_v73.py has the other
            said = checks.checkpatch(tools, self.tree, [patch.path for patch in series.load(set_name).patches])
            self.assertFalse(said, said)

    def test_quilt(self):
        """`quilt push -a` makes of v6.12.38 what `git am` makes of it."""
        found = series.load("v6.12")
        tag = found.base.tag
        wanted = series.git(self.tree, "rev-parse", f"{series.commits(self.tree, found, tag)[-1]}^{{tree}}")
        with series.sparse(self.tree, tag, found.paths()) as top:
            tools = checks.Inside(self.root, see=[series.ROOT], write=[top])
            env = {"QUILT_PATCHES": series.ROOT / "patches/v6.12", "QUILT_SERIES": series.ROOT / "series/v6.12", "QUILT_PC": top / ".pc"}
            done = tools.run("quilt", "--quiltrc", "-", "push", "-a", "--fuzz=0", cwd=top, env=env)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            self.assertNotIn("fuzz", done.stdout)
            series.git(top, *series.SPARSE, "add", "-A", "--", *found.paths())
            self.assertEqual(wanted, series.git(top, *series.SPARSE, "write-tree"))


class Checkpatch(standin.Bench):
    """The check itself: each kind of complaint must show."""

    def setUp(self):
        super().setUp()
        self.root, self.kernel_tree = standin.machine(self)
        self.toy()

    def said(self):
        return checks.checkpatch(checks.Inside(self.root, see=[self.kernel_tree, self.dir]), self.kernel_tree, [self.patch(2)])

    def test_content(self):
        self.assertEqual("", self.said())

    def test_complaints(self):
        path = self.patch(2).relative_to(self.project)
        for old, new, word in (
            ("Signed-off-by", "Signed-by", "Missing Signed-off-by"),
            ("+#include <linux/dma-mapping.h>", "+#include <linux/dma-mapping.h> ", "trailing whitespace"),
            ("Drivers need it.", "Drivers need it seperately.", "SPELLING"),
            ("+// SPDX-License-Identifier: GPL-2.0", "+// No licence", "SPDX"),
        ):
            with self.subTest(word):
                before = (self.project / path).read_text()
                self.edit(self.project, path, old, new)
                self.assertRegex(self.said(), f"(?i){word}|misspelled" if word == "SPELLING" else word)
                (self.project / path).write_text(before)

    def test_nothing_to_check(self):
        self.patch(2).write_text("")
        self.assertNotEqual("", self.said())


if __name__ == "__main__":
    unittest.main()
