# SPDX-License-Identifier: GPL-2.0
"""The tree that is built: made from any other, which is only read."""

import contextlib
import io
import pathlib
import shutil
import tempfile
import unittest.mock

import arch
import kernel
import series
import standin
from outcome import Outcome


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


class Progress(unittest.TestCase):
    def test_files_made(self):
        lines = ["$ make vmlinux", "make: Entering directory '/src'", "  CC      init/main.o", "  RUSTC L rust/kernel.o", "  CC [M]  a.o", "warning: x", "    4 | CC"]
        self.assertEqual(3, kernel.made(lines))
        self.assertEqual(0, kernel.made([]))
