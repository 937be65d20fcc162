# SPDX-License-Identifier: GPL-2.0
"""The tree that is built: made from any other, which is only read."""

import contextlib
import io
import pathlib
import shutil
import subprocess
import tempfile
import unittest.mock

import arch
import kernel
import series
import standin
from outcome import Fail, Outcome


class Given(standin.Bench):
    def setUp(self):
        super().setUp()
        self.toy()
        for module, name, value in ((kernel, "BUILD", self.dir / "build"), (series, "ROOT", self.project)):
            patch = unittest.mock.patch.object(module, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.tree = self.kernel()

    def given(self, tree):
        before = self.state(tree)
        with contextlib.redirect_stdout(io.StringIO()):
            made = kernel.given(tree)
        self.assertEqual(before, self.state(tree), "a tree that is only to be read was written to")
        return made

    def test_series_is_put_on_top(self):
        made = self.given(self.tree)
        self.assertIn("3 patches of v6.12", made.series)
        self.assertTrue((made.path / "rust/kernel/dma.rs").exists())

    def test_a_tree_that_has_it(self):
        self.ok("apply", self.tree)
        self.assertEqual("as the tree has it", self.given(self.tree).series)

    def test_a_rebase_under_way(self):
        """The tree is only read: what it has now is built, with the part of the series that is there."""
        self.ok("apply", self.tree)
        rebase = subprocess.run(["git", "-C", self.tree, "rebase", "-q", "-x", "false", "HEAD~2"], env=self.env, capture_output=True)
        self.assertEqual(1, rebase.returncode)
        self.assertEqual("as the tree has it", self.given(self.tree).series)

    def test_a_tree_that_was_configured_in_place(self):
        """What its .gitignore names, as the kernel's does, is not taken along."""
        self.write(self.tree, ".gitignore", ".config\n*.o\n")
        self.commit(self.tree, "ignore")
        self.write(self.tree, ".config", "CONFIG_MINE=y\n")
        self.write(self.tree, "rust/mine.o", "\n")
        made = self.given(self.tree)
        self.assertFalse((made.path / ".config").exists() or (made.path / "rust/mine.o").exists())

    def test_one_tree_after_another_that_is_gone(self):
        self.write(self.tree, "mine.c", "mine\n")
        self.commit(self.tree, "mine")
        self.ok("apply", self.tree)
        self.given(self.tree)
        other = self.kernel("other", files={"Kbuild": "# another\n"})
        shutil.rmtree(self.tree)
        made = self.given(other)
        self.assertEqual("# another\n", (made.path / "Kbuild").read_text())
        self.assertFalse((made.path / "mine.c").exists())

    def test_not_a_kernel(self):
        with self.assertRaises(series.Fail) as caught:
            kernel.given(self.dir)
        self.assertEqual(Outcome.USAGE, caught.exception.outcome)


class Image(unittest.TestCase):
    def test_kasan(self):
        """Where another has to be booted with KASAN, it is asked for and taken."""
        for config, image in (("CONFIG_KASAN=y\n", "arch/x86/boot/bzImage"), ("# CONFIG_KASAN is not set\n", "vmlinux"), ("", "vmlinux")):
            with self.subTest(config), tempfile.TemporaryDirectory() as directory:
                place = pathlib.Path(directory)
                (place / ".config").write_text(config)
                built = kernel.Kernel(None, "x86_64", arch.ARCHES["x86_64"], kernel.tools(place, place, place), 1)
                self.assertEqual((image, pathlib.Path(image).name), (built.image, built.targets[0]))


class Configure(standin.Bench):
    """Made anew when it could be another, and only then."""

    def setUp(self):
        super().setUp()
        self.tree = self.kernel()
        obj = self.dir / "obj"
        home = kernel.Tree(self.tree, obj, "", "", "")
        self.built = kernel.Kernel(home, "x86_64", arch.ARCHES["x86_64"], kernel.tools(self.tree, obj, None), 1)
        self.config = obj / ".config"
        self.built.make = lambda *targets: ["sh", "-c", f"cp {obj}/wanted.config {self.config}; echo >> {obj}/times"]

    def made(self, wanted="CONFIG_A=y\n", *more):
        """How often it has been made by now."""
        with contextlib.redirect_stdout(io.StringIO()):
            self.built.configure(wanted, *more)
        self.assertEqual(wanted, self.config.read_text())
        return len((self.built.obj / "times").read_text())

    def test_unchanged(self):
        self.assertEqual([1, 1], [self.made(), self.made()])

    def test_other_wishes(self):
        self.assertEqual([1, 2, 3], [self.made(), self.made("CONFIG_B=y\n"), self.made("CONFIG_B=y\n", {"gcc": "15"})])

    def test_other_rules(self):
        self.made()
        self.write(self.tree, "lib/Kconfig", "config A\n")
        self.git(self.tree, "add", "lib/Kconfig")
        self.assertEqual(2, self.made())

    def test_edited_by_hand(self):
        self.made()
        self.config.write_text("CONFIG_A=m\n")
        self.assertEqual(2, self.made())
        self.config.unlink()
        self.assertEqual(3, self.made())

    def test_a_run_that_failed(self):
        self.made()
        with self.assertRaises(Fail), contextlib.redirect_stdout(io.StringIO()):
            self.built.make, made = lambda *targets: ["false"], self.built.make
            self.built.configure("CONFIG_B=y\n")
        self.built.make = made
        self.assertEqual(2, self.made())


class Progress(unittest.TestCase):
    def test_files_made(self):
        lines = ["$ make vmlinux", "make: Entering directory '/src'", "  CC      init/main.o", "  RUSTC L rust/kernel.o", "  CC [M]  a.o", "warning: x", "    4 | CC"]
        self.assertEqual(3, kernel.made(lines))
        self.assertEqual(0, kernel.made([]))
