# SPDX-License-Identifier: GPL-2.0
"""scripts/apply, tree and refresh, and the sets they work on, with stand-in trees."""

import os
import shutil
import subprocess
import unittest

import standin

APPLY, USAGE = 5, 2


class Apply(standin.Bench):
    def setUp(self):
        super().setUp()
        self.source = self.toy()
        self.tree = self.kernel()

    def refused(self, *words, status=APPLY, tree=None, options=()):
        """apply must fail with these words and leave everything as it was."""
        tree = tree or self.tree
        before = self.state(tree)
        said = self.bad(status, "apply", *options, tree)
        self.assertEqual(before, self.state(tree))
        for word in words:
            self.assertIn(word, said)

    def test_applies(self):
        said = self.ok("apply", self.tree)
        self.assertIn("Linux 6.12.38", said)
        self.assertIn("v6.12", said)
        self.assertEqual(self.git(self.source, "rev-parse", "HEAD^{tree}"), self.git(self.tree, "rev-parse", "HEAD^{tree}"))
        self.assertEqual("main", self.git(self.tree, "branch", "--show-current"))
        self.assertEqual("", self.git(self.tree, "status", "--porcelain"))
        self.assertEqual(1, len(self.git(self.tree, "worktree", "list").splitlines()))

    def test_other_longterm_release(self):
        self.ok("apply", self.kernel("later", "6.12.99"))

    def test_unrelated_changes_are_kept(self):
        self.write(self.tree, "Kbuild", "# mine\n")
        self.write(self.tree, "notes", "mine\n")
        self.ok("apply", self.tree)
        self.assertEqual("M Kbuild\n?? notes", self.git(self.tree, "status", "--porcelain"))

    def test_committer(self):
        self.ok("apply", self.tree, GIT_COMMITTER_NAME="Me", GIT_COMMITTER_EMAIL="me@example.org")
        self.assertEqual("An Author/Me", self.git(self.tree, "log", "-1", "--format=%an/%cn"))

    def test_no_identity(self):
        (self.dir / ".gitconfig").write_text("")
        self.ok("apply", self.tree)
        self.assertEqual("An Author/An Author", self.git(self.tree, "log", "-1", "--format=%an/%cn"))

    def test_configuration_that_would_change_am(self):
        for key, value in {
            "commit.gpgSign": "true", "am.threeWay": "true", "apply.whitespace": "fix", "am.messageId": "true",
            "merge.ff": "false", "core.hooksPath": str(self.dir / "hooks"), "merge.verifySignatures": "true",
        }.items():  # fmt: skip
            self.git(self.tree, "config", key, value)
        self.write(self.dir, "hooks/post-checkout", "#!/bin/sh\nexit 1\n")
        self.write(self.dir, "hooks/applypatch-msg", "#!/bin/sh\nexit 1\n")
        for hook in (self.dir / "hooks").iterdir():
            hook.chmod(0o755)
        self.ok("apply", self.tree)

    def test_has_it_already(self):
        self.ok("apply", self.tree)
        self.refused("has the series already")

    def test_has_it_without_history(self):
        self.ok("apply", self.tree)
        shutil.rmtree(self.tree / ".git")
        self.git(self.tree, "init", "-q")
        self.commit(self.tree, "import")
        self.refused("has the series already")

    def test_has_it_in_another_version(self):
        self.ok("apply", self.tree)
        self.write(self.tree, "rust/kernel/dma.rs", "// newer\n")
        self.commit(self.tree, "more")
        self.refused("has 2 of the 2 patches already")

    def test_mainline_has_its_own(self):
        tree = self.kernel("mainline", "6.15", {"rust/kernel/dma.rs": "// mainline's\n"})
        self.refused("mainline's own rust/kernel/dma.rs", tree=tree)
        self.refused("mainline's own rust/kernel/dma.rs", tree=tree, options=["--set", "v6.12"])

    def test_a_dma_rs_of_somebody_else(self):
        self.write(self.tree, "rust/kernel/dma.rs", "// backport\n")
        self.commit(self.tree, "backport")
        self.refused("not of this series")

    def test_unsupported_version(self):
        for version, nearest in {"6.6.1": "v6.12", "6.14": "v6.13", "7.1": "v6.13", "6.13-rc3": "v6.13"}.items():
            self.refused(version, "6.12.y and 6.13.y", f"--set {nearest}", tree=self.kernel(version, version))

    def test_forced_set(self):
        self.ok("apply", "--set", "v6.12", self.kernel("old", "6.11"))

    def test_set_that_is_not_there(self):
        self.refused("no series/v6.13", tree=self.kernel("next", "6.13.7"))

    def test_other_kernel(self):
        self.edit(self.tree, "rust/kernel/lib.rs", "pub mod error;", "pub mod fault;")
        self.commit(self.tree, "rename")
        self.refused("patches/v6.12/0002-", "rust/kernel/lib.rs", "made for v6.12.38", "6.12.38")

    def test_file_in_the_way(self):
        self.write(self.tree, "samples/rust/rust_dma.rs", "// other\n")
        self.commit(self.tree, "sample")
        self.refused("patches/v6.12/0003-", "samples/rust/rust_dma.rs")

    def test_damaged_context(self):
        self.edit(self.project, f"patches/v6.12/{self.patch(2).name}", " pub mod device;", " pub mod devise;")
        self.refused("patches/v6.12/0002-", "is damaged", "rust/kernel/lib.rs", "git checkout")

    def test_damaged_hunk(self):
        patch = self.patch(2)
        whole = patch.read_text().splitlines(keepends=True)
        for kept in range(0, len(whole) - 1, 7):
            with self.subTest(f"{kept} of {len(whole)} lines"):
                patch.write_text("".join(whole[:kept]))
                self.refused(patch.name, "is damaged")

    def test_dirty(self):
        for name in ("rust/kernel/lib.rs", "rust/kernel/dma.rs", "samples/rust/rust_dma.rs"):
            with self.subTest(name):
                self.write(self.tree, name, "// mine\n")
                self.refused("changes of its own", name)
                self.git(self.tree, "add", name)
                self.refused("changes of its own", name)
                self.git(self.tree, "reset", "-q", "--hard")

    def test_ignored_file_in_the_way(self):
        self.write(self.tree, ".git/info/exclude", "dma.rs\n")
        self.write(self.tree, "rust/kernel/dma.rs", "// mine\n")
        self.refused("changes of its own", "rust/kernel/dma.rs")

    def test_am_in_progress(self):
        self.git(self.source, "format-patch", "-q", "-1", "-o", self.dir, "HEAD")
        subprocess.run(
            ["git", "-C", self.tree, "am", "-q", *self.dir.glob("*.patch")], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.refused("in progress")

    def test_not_git(self):
        shutil.rmtree(self.tree / ".git")
        self.refused("not a git tree", "git init", status=USAGE)

    def test_inside_another_git_tree(self):
        shutil.rmtree(self.tree / ".git")
        self.git(self.dir, "init", "-q")
        self.refused("not a git tree", status=USAGE)

    def test_no_commit(self):
        shutil.rmtree(self.tree / ".git")
        self.git(self.tree, "init", "-q")
        self.refused("no commit", status=USAGE)

    def test_not_a_kernel(self):
        self.refused("not a Linux kernel", status=USAGE, tree=self.project)
        self.refused("not a Linux kernel", status=USAGE, tree=self.tree / "rust")

    def test_no_directory(self):
        self.assertIn("not a directory", self.bad(USAGE, "apply", self.dir / "none"))

    def test_bad_option(self):
        self.assertEqual(USAGE, self.script("apply", "--set", "v5.0", self.tree).returncode)

    def test_interrupted_half_way(self):
        """A merge that dies after writing some files, as on a full disk, is taken back."""
        half = f"""#!/bin/sh
case " $* " in *' merge '*) echo half | tee "$2/rust/kernel/dma.rs" >"$2/rust/kernel/lib.rs"; exit 1;; esac
exec {shutil.which("git")} "$@"
"""
        self.write(self.dir, "bin/git", half)
        (self.dir / "bin/git").chmod(0o755)
        head = self.git(self.tree, "rev-parse", "HEAD")
        self.bad(APPLY, "apply", self.tree, PATH=f"{self.dir}/bin:{os.environ['PATH']}")
        self.assertEqual(head, self.git(self.tree, "rev-parse", "HEAD"))
        self.assertEqual("", self.git(self.tree, "status", "--porcelain"))
        self.ok("apply", self.tree)


class Lists(standin.Bench):
    """The series file and the directory are held against each other both ways."""

    def setUp(self):
        super().setUp()
        self.source = self.toy()
        self.tree = self.kernel()
        self.series = self.project / "series/v6.12"

    def test_listed_but_missing(self):
        with self.series.open("a") as file:
            file.write("0004-gone.patch\n")
        self.assertIn("sed -i '/^0004-gone.patch/d' series/v6.12", self.bad(APPLY, "apply", self.tree))

    def test_present_but_unlisted(self):
        (self.project / "patches/v6.12/0004-new.patch").write_text("x")
        self.assertIn("echo 0004-new.patch >>series/v6.12", self.bad(APPLY, "apply", self.tree))

    def test_listed_twice(self):
        self.series.write_text(self.series.read_text() * 2)
        self.assertIn("twice", self.bad(APPLY, "apply", self.tree))

    def test_not_a_name(self):
        self.series.write_text("two words\n")
        self.assertIn("not a patch name", self.bad(APPLY, "apply", self.tree))

    def test_no_series(self):
        self.series.write_text("")
        shutil.rmtree(self.project / "patches")
        self.assertIn("lists no patch", self.bad(APPLY, "apply", self.tree))
        self.series.unlink()
        self.assertIn("no series/v6.12", self.bad(APPLY, "apply", self.tree))

    def test_order_counts(self):
        lines = self.series.read_text().splitlines(keepends=True)
        self.series.write_text("".join(lines[:2] + [lines[3], lines[2]]))
        self.assertIn("0003-", self.bad(APPLY, "apply", self.tree))

    @unittest.skipUnless(shutil.which("quilt"), "quilt is not installed")
    def test_quilt(self):
        subprocess.run(
            ["quilt", "--quiltrc", "-", "push", "-aq", "--fuzz=0"], cwd=self.tree, check=True, stdout=subprocess.DEVNULL,
            env={**self.env, "QUILT_PATCHES": self.project / "patches/v6.12", "QUILT_SERIES": self.series},
        )  # fmt: skip
        self.assertEqual((self.source / "rust/kernel/dma.rs").read_text(), (self.tree / "rust/kernel/dma.rs").read_text())


if __name__ == "__main__":
    unittest.main()
