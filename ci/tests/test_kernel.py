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

    # What somebody edits in the tree that is built ----

    def edits(self):
        """The patches in which edits were saved, one after the other."""
        return [path.read_text() for path in sorted((self.dir / "build/v6.12.38").glob("edits-*.patch"), key=lambda path: path.stat().st_mtime_ns)]

    def test_edits_are_saved(self):
        """Whether staged or not, new or not, whether something else is to be built now or the same."""
        name = "rust/kernel/new.rs"
        for number, (script, wanted) in enumerate({
            "echo mine >>Kbuild": ["+mine"],
            "echo mine >>Kbuild; git add Kbuild": ["+mine"],
            "echo mine >>Kbuild; git add Kbuild; echo more >>Kbuild": ["+mine", "+more"],
            "echo mine >>Kbuild; git add Kbuild; git show HEAD:Kbuild >Kbuild": ["+mine"],
            f"echo mine >{name}; git add {name}": ["+mine", f"+++ b/{name}"],
            "git rm -q Kbuild": ["-# Kbuild"],
            "git rm -q --cached Kbuild; echo mine >>Kbuild": ["+mine"],
            "chmod +x Kbuild": ["new mode 100755"],
            f"echo mine >{name}": [],  # in nobody's way, and left there
        }.items()):  # fmt: skip
            for other in (False, True):
                with self.subTest(f"{script}; then {'another' if other else 'the same'}"):
                    made = self.given(self.tree)
                    before = len(self.edits())
                    subprocess.run(["sh", "-c", script], cwd=made.path, check=True)
                    if other:
                        self.write(self.tree, "COPYING", f"{number}\n")
                    again = self.given(self.tree)
                    saved = "".join(self.edits()[before:])
                    for part in wanted:
                        self.assertIn(part, saved)
                    self.assertEqual(bool(wanted), len(self.edits()) > before)
                    self.assertEqual("", self.git(again.path, "status", "--porcelain", "--untracked-files=no"))
                    self.assertEqual("# Kbuild\n", (again.path / "Kbuild").read_text())
                    self.git(again.path, "clean", "-q", "-f")

    def test_untracked_files_in_the_way_are_saved(self):
        made = self.given(self.tree)
        self.write(made.path, "notes/a", "mine\n")
        self.write(made.path, "notes/b", "mine too\n")
        self.write(made.path, "directory", "mine as well\n")
        self.write(self.tree, "notes", "theirs\n")
        self.write(self.tree, "directory/file", "theirs\n")
        again = self.given(self.tree)
        self.assertEqual("theirs\n", (again.path / "notes").read_text())
        self.assertEqual("theirs\n", (again.path / "directory/file").read_text())
        for part in ("+mine\n", "+mine too\n", "+mine as well\n"):
            self.assertIn(part, self.edits()[0])

    def test_edits_of_a_tree_just_fetched(self):
        """Nothing was checked out there by us; the first thing that is does not destroy them."""
        made = self.given(self.tree)
        (made.path / ".git/checked-out").unlink()
        self.write(made.path, "Kbuild", "mine\n")
        self.given(self.tree)
        self.assertIn("+mine\n", self.edits()[0])

    def test_edits_that_cannot_be_saved(self):
        """What they were made to is gone with the tree it was borrowed from: nothing is overwritten."""
        self.write(self.tree, "sub/mine.c", "mine\n")
        self.commit(self.tree, "mine")
        self.ok("apply", self.tree)
        made = self.given(self.tree)
        self.write(made.path, "sub/mine.c", "edited\n")
        self.git(made.path, "add", "sub/mine.c")
        other = self.kernel("other")
        shutil.rmtree(self.tree)
        for each in (made.path / ".git/objects").glob("??"):  # such as a gc leaves it
            shutil.rmtree(each)
        with self.assertRaises(Fail) as caught:
            self.given(other)
        self.assertIn("cannot be saved", caught.exception.cause)
        self.assertEqual("edited\n", (made.path / "sub/mine.c").read_text())

    def test_the_tree_alone_is_removed(self):
        """Then it is made anew, with the series."""
        made = self.given(self.tree)
        shutil.rmtree(made.path)
        self.assertTrue((self.given(self.tree).path / "rust/kernel/dma.rs").exists())

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


class Interrupted(unittest.TestCase):
    def test_half_a_file_of_commands(self):
        """What make left is made anew, when it was interrupted; all else stays."""
        with tempfile.TemporaryDirectory() as directory:
            place = pathlib.Path(directory)
            built = kernel.Kernel(None, "x86_64", arch.ARCHES["x86_64"], kernel.tools(place, place, place), 1)
            (place / "fs").mkdir()
            half, whole, empty = place / "fs/.splice.o.cmd", place / "fs/.open.o.cmd", place / ".main.o.cmd"
            half.write_text("savedcmd_fs/splice.o := gcc\ndeps := $(wildcar")
            whole.write_text("savedcmd_fs/open.o := gcc\n")
            empty.touch()
            with self.assertRaises(KeyboardInterrupt), built.building():
                self.assertTrue(half.exists())
                raise KeyboardInterrupt
            with built.building():
                self.assertEqual([False, True, False], [path.exists() for path in (half, whole, empty)])
            half.write_text("$(wildcar")
            with built.building():
                self.assertTrue(half.exists(), "looked for without a reason")


class Progress(unittest.TestCase):
    def test_files_made(self):
        lines = ["$ make vmlinux", "make: Entering directory '/src'", "  CC      init/main.o", "  RUSTC L rust/kernel.o", "  CC [M]  a.o", "warning: x", "    4 | CC"]
        self.assertEqual(3, kernel.made(lines))
        self.assertEqual(0, kernel.made([]))
