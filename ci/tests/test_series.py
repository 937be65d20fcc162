# SPDX-License-Identifier: GPL-2.0
"""scripts/apply, tree and refresh, and the sets they work on, with stand-in trees."""

import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import unittest

import standin

APPLY, BUSY, DISK, INTERRUPTED, USAGE = 5, 8, 9, 130, 2
BRANCH = "rust-dma"

# Configuration that changes how git keeps an index, or what it says.
ODD = {
    "core.splitIndex": "true", "splitIndex.maxPercentChange": "0", "feature.manyFiles": "true", "index.version": "4", "index.sparse": "true",
    "core.untrackedCache": "true", "log.showSignature": "true", "log.date": "relative", "log.decorate": "full", "log.showRoot": "false",
    "color.ui": "always", "column.ui": "always", "i18n.commitEncoding": "ISO-8859-1", "i18n.logOutputEncoding": "ISO-8859-1",
    "core.quotePath": "false", "status.showUntrackedFiles": "no", "status.branch": "true", "status.short": "true", "submodule.recurse": "true",
    "core.commentChar": "#", "commit.cleanup": "scissors", "mailinfo.scissors": "true", "am.keepcr": "true", "advice.detachedHead": "false",
    "tag.gpgSign": "true", "checkout.guess": "false", "worktree.guessRemote": "true", "core.logAllRefUpdates": "false", "core.abbrev": "9",
    "diff.ignoreSubmodules": "all", "format.pretty": "oneline", "log.follow": "true", "log.mailmap": "false", "tag.sort": "-refname",
    "core.autocrlf": "input", "core.safecrlf": "false", "init.defaultObjectFormat": "sha256", "init.defaultRefFormat": "files",
}  # fmt: skip


# Of the directory that all is in: each path needs quotes.
PREFIX = "rust-dma test's "


class Apply(standin.Bench):
    prefix = PREFIX

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
            "merge.ff": "false", "core.hooksPath": str(self.dir / "hooks"), "merge.verifySignatures": "true", **ODD,
        }.items():  # fmt: skip
            self.git(self.tree, "config", key, value)
        self.git(self.tree, "update-index", "--refresh")
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
        self.refused("has 3 of the 3 patches already")

    def test_mainline_has_its_own(self):
        tree = self.kernel("mainline", "6.15", {"rust/kernel/dma.rs": "// mainline's\n"})
        self.refused("mainline's own rust/kernel/dma.rs", tree=tree)
        self.refused("mainline's own rust/kernel/dma.rs", tree=tree, options=["--set", "v6.12"])

    def mainline(self, where, version):
        return self.kernel(where, version, {"rust/kernel/dma.rs": "// mainline's\n"})

    def mainline_set(self):
        """Make a set of one patch for 7.3, whose subject another set has, too."""
        tree = self.mainline("developed", "7.3.4")
        self.write(tree, "rust/kernel/dma.rs", "// mainline's\npub mod streaming;\n")
        self.write(tree, "rust/kernel/dma/streaming.rs", "// SPDX-License-Identifier: GPL-2.0\n")
        self.commit(tree, "rust: dma: add coherent memory")
        letters = [self.project / "cover-letter.txt", self.project / "series/cover-letter-v6.12.txt"]
        for letter in letters:
            letter.write_text("Subject: [PATCH 00/NN] rust: dma\n\nText.\n")
        self.ok("refresh", tree, "--base", "HEAD~1")
        # Each has its own; and which commit v7.3 is, nobody knows here.
        self.assertRegex(letters[0].read_text(), r"\A(?s:.*)\[PATCH 0/1\](?s:.*)\n---\nchange-id: \S+\n\Z")
        self.assertNotIn("change-id", letters[1].read_text())
        return tree

    def test_mainline_with_a_set_for_it(self):
        tree = self.mainline_set()
        self.refused("has the series already", tree=tree)
        other = self.mainline("other", "7.3.9")
        self.assertIn("v7.3", self.ok("apply", other))
        self.refused("has the series already", tree=other)
        self.write(other, "rust/kernel/dma/streaming.rs", "// newer\n")
        self.commit(other, "more")
        self.refused("has 1 of the 1 patches already", tree=other)
        self.refused("mainline's own rust/kernel/dma.rs", tree=self.mainline("old", "7.3.4"), options=["--set", "v6.12"])
        # The other sets are as they were.
        self.ok("apply", self.tree)
        self.refused("has the series already")

    def test_mainline_later_than_the_set(self):
        self.mainline_set()
        tree = self.mainline("later", "7.4")
        self.refused("mainline's own rust/kernel/dma.rs", "--set v7.3", tree=tree)
        self.ok("apply", "--set", "v7.3", tree)

    def test_a_dma_rs_of_somebody_else(self):
        self.write(self.tree, "rust/kernel/dma.rs", "// backport\n")
        self.commit(self.tree, "backport")
        self.refused("not of this series")

    def test_unsupported_version(self):
        for version, nearest in {"6.6.1": "v6.12", "6.14": "v6.13", "7.1": "v7.3", "6.18": "v6.13", "7.4": "v7.3", "6.13-rc3": "v6.13"}.items():
            self.refused(version, "6.12.y, 6.13.y and 7.3.y", f"--set {nearest}", tree=self.kernel(version, version))

    def test_forced_set(self):
        self.ok("apply", "--set", "v6.12", self.kernel("old", "6.11"))

    def test_set_that_is_not_there(self):
        self.refused("no series/v6.13", tree=self.kernel("next", "6.13.7"))

    def test_other_kernel(self):
        self.edit(self.tree, "rust/kernel/lib.rs", "pub mod error;", "pub mod fault;")
        self.commit(self.tree, "rename")
        self.refused("patches/v6.12/0002-", "rust/kernel/lib.rs", "made for v6.12.38", "6.12.38")

    def test_has_the_first_patches(self):
        """Those that only v6.12 has need of, too; with their history and without."""
        for history in (True, False):
            for count in (1, 2):
                with self.subTest(f"{count}, {'with' if history else 'without'} history"):
                    tree = self.kernel(f"first-{count}-{history}")
                    self.git(tree, "am", "-q", *(self.patch(number) for number in range(1, count + 1)))
                    if not history:
                        shutil.rmtree(tree / ".git")
                        self.git(tree, "init", "-q")
                        self.commit(tree, "import")
                    self.refused(f"has {count} of the 3 patches already", tree=tree)

    def test_has_a_change_and_others(self):
        """Neither subjects nor whole files tell, but that the patch can be taken back does."""
        self.git(self.source, "reset", "-q", "--hard", "v6.12.38")
        for tree in self.source, self.tree:
            self.edit(tree, "rust/kernel/lib.rs", "pub mod error;", "pub mod errors;")
        self.commit(self.source, "rust: there is more than one")
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.edit(self.tree, "rust/kernel/lib.rs", "The kernel crate", "My kernel crate")
        self.commit(self.tree, "mine")
        self.refused("has the change of patches/v6.12/0001-rust-there-is-more-than-one.patch already")

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

    # However it ends, nothing of the user's is lost ----

    def before_merge(self, script):
        """Have a git that first runs a script in the tree where scripts/apply moves the branch to $new."""
        self.wrap_git("merge", f'for new; do :; done; cd "$2"\n{script}\ncd - >/dev/null')

    def test_interrupted_half_way(self):
        """What a merge had written when it died is taken back, and nothing else."""
        self.before_merge(
            """
            git show "$new:rust/kernel/lib.rs" | head -c 90 >rust/kernel/lib.rs  # half of it
            git show "$new:rust/helpers/helpers.c" >rust/helpers/helpers.c  # whole
            rm samples/rust/Makefile  # taken away, and not written yet
            git show "$new:rust/kernel/dma.rs" | head -c 40 >rust/kernel/dma.rs  # a new file
            : >rust/kernel/transmute.rs  # another one, empty as yet
            git show "$new:MAINTAINERS" | sed 's/RUST/MINE/' >MAINTAINERS  # and then the user came
            exit 1
            """
        )
        head = self.git(self.tree, "rev-parse", "HEAD")
        said = self.bad(APPLY, "apply", self.tree)
        self.assertIn("MAINTAINERS", said)
        self.assertEqual(head, self.git(self.tree, "rev-parse", "HEAD"))
        self.assertEqual("M MAINTAINERS", self.git(self.tree, "status", "--porcelain"))
        self.assertIn("MINE [DMA]", (self.tree / "MAINTAINERS").read_text())
        self.unwrap_git()
        self.git(self.tree, "checkout", "-q", "MAINTAINERS")
        self.ok("apply", self.tree)

    def test_what_appears_meanwhile(self):
        """An edit that was not there when the tree was looked at: git refuses, and it stays."""
        for number, script in enumerate((
            "echo mine >>rust/kernel/lib.rs",
            "echo mine >>rust/kernel/lib.rs; git add rust/kernel/lib.rs",
            "echo mine >>rust/kernel/lib.rs; git add rust/kernel/lib.rs; echo more >>rust/kernel/lib.rs",
            "echo mine >rust/kernel/dma.rs",
            ": >rust/kernel/dma.rs",
            "echo mine >rust/kernel/dma.rs; git add rust/kernel/dma.rs",
            "git update-index --assume-unchanged rust/kernel/lib.rs; echo mine >>rust/kernel/lib.rs",
            "rm rust/kernel/lib.rs; ln -s ../elsewhere rust/kernel/lib.rs",
        )):  # fmt: skip
            with self.subTest(script):
                tree, twin = self.kernel(f"tree-{number}"), self.kernel(f"twin-{number}")
                subprocess.run(["sh", "-c", script], cwd=twin, env=self.env, check=True)
                self.before_merge(script)
                self.bad(APPLY, "apply", tree)
                self.unwrap_git()
                self.assertEqual(self.seen(twin), self.seen(tree))
                self.bad(APPLY, "apply", tree)
                self.assertEqual(self.seen(twin), self.seen(tree))

    def seen(self, tree):
        """What the user has in a tree."""
        files = {
            path.relative_to(tree): path.is_symlink() or path.read_text()
            for path in tree.rglob("*")
            if ".git" not in path.parts and (path.is_file() or path.is_symlink())
        }  # fmt: skip
        said = [self.git(tree, *words.split()) for words in ("ls-files -v -s", "diff --cached", "diff")]
        return files, said, self.git(tree, "log", "-1", "--format=%T %s"), len(self.git(tree, "worktree", "list").splitlines())

    def test_marked_as_unchanged(self):
        """git says nothing of such a file. apply says which it is, and how to unmark it."""
        for mark in "assume-unchanged", "skip-worktree":
            with self.subTest(mark):
                self.git(self.tree, "update-index", f"--{mark}", "rust/kernel/lib.rs")
                self.refused_after_edit(f"--no-{mark}")
                self.git(self.tree, "update-index", f"--no-{mark}", "rust/kernel/lib.rs")
                self.git(self.tree, "checkout", "-q", "rust/kernel/lib.rs")

    def refused_after_edit(self, *words):
        self.edit(self.tree, "rust/kernel/lib.rs", "pub mod error;", "pub mod mine;\npub mod error;")
        self.refused("changes of its own", "rust/kernel/lib.rs", *words)

    def test_interrupted(self):
        """By any signal, at any of git's commands: nothing is left behind, and the next run works."""
        for verb in ("worktree", "read-tree", "am", "merge"):
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                with self.subTest(f"{number.name} at git {verb}"):
                    status = self.interrupt(verb, number, "apply", self.tree)
                    killed = number == signal.SIGKILL
                    self.assertEqual(-number if killed else INTERRUPTED, status)
                    self.assertEqual([], list((self.tree / ".git").rglob("*.lock")))
                    self.assertEqual("", self.git(self.tree, "status", "--porcelain"))
                    if not killed:
                        self.nothing_left()
                    if not killed or verb != "merge":  # that one goes on by itself
                        self.assertEqual(self.git(self.tree, "rev-parse", "v6.12.38"), self.git(self.tree, "rev-parse", "HEAD"))
                        self.ok("apply", self.tree)
                        self.nothing_left()
                    self.git(self.tree, "reset", "-q", "--hard", "v6.12.38")

    def nothing_left(self, mine=1):
        self.assertEqual(mine, len(self.git(self.tree, "worktree", "list").splitlines()))
        self.assertEqual([], [path for path in self.dir.glob("rust-dma-*") if path.name != "rust-dma-mine"])

    def test_worktree_of_somebody_else(self):
        """One that looks like ours, or in which another run is at work, is left alone."""
        self.git(self.tree, "worktree", "add", "-q", "--detach", self.dir / "rust-dma-mine")
        code = f"import sys; sys.path.insert(0, '{standin.REPO}/scripts/lib'); import series; series.commits({str(self.tree)!r}, series.load('v6.12'))"
        self.wrap_git("am", f'mkdir "$HOME/second" 2>/dev/null && {sys.executable} -c {shlex.quote(code)}')
        self.ok("apply", self.tree)
        self.assertTrue((self.dir / "second").exists())
        self.assertTrue((self.dir / "rust-dma-mine/Kbuild").exists())
        self.nothing_left(2)

    def test_no_space(self):
        """On a disk that is full, at whatever point: a status of its own, the tree as it was, and the next run works."""
        shutil.copytree(self.tree, self.dir / "disk.before/linux")
        apply, there = f"{standin.REPO}/scripts/apply", shlex.quote(str(self.tree))
        for where, tree, command in (
            ("the tree", '"$disk/linux"', f'{apply} "$disk/linux"'),
            ("temporary files", there, f'TMPDIR="$disk" {apply} {there}'),
            ("the tree, once the commits are made", '"$disk/linux"', f'{apply} "$disk/linux"'),
        ):
            with self.subTest(where):
                look = f"""
                    git -C {tree} status --porcelain; git -C {tree} log --format=%s; git -C {tree} worktree list | wc -l
                    {apply} {tree} >/dev/null 2>&1; echo $?; git -C {tree} reset -q --hard v6.12.38
                """
                if "once" in where:
                    self.before_merge('[ -e ../.full ] && { head -c $((left * 1024)) /dev/zero >../.left; cat /dev/zero >../.full 2>/dev/null; rm ../.left; }')
                    found = self.fill(f'rm "$disk/.full"; echo >"$disk/.full"; export left; {command}', look, range(0, 32, 4))
                else:
                    found = self.fill(command, look, range(0, 240, 40))
                self.assertEqual({0, DISK}, {status for status, _, _ in found}, found)
                for status, said, seen in found:
                    self.assertEqual("Linux 6.12.38\n1\n0" if status else seen, seen, said)
                    self.assertIn("no space left" if status else "applied 3 patches", said)
                    self.assertNotIn("Traceback", said)


class Lists(standin.Bench):
    """The series file and the directory are held against each other both ways."""

    prefix = PREFIX

    def setUp(self):
        super().setUp()
        self.source = self.toy()
        self.tree = self.kernel()
        self.series = self.project / "series/v6.12"

    def test_listed_but_missing(self):
        with self.series.open("a") as file:
            file.write("0004-gone.patch\n")
        self.assertIn("sed -i '/^0004-gone\\.patch/d' series/v6.12", self.bad(APPLY, "apply", self.tree))

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


class Tree(standin.Bench):
    """tree → patches → tree is the identity."""

    prefix = PREFIX

    def setUp(self):
        super().setUp()
        self.source = self.toy()
        self.linux = self.kernel()
        self.tree = self.dir / "tree"

    def make(self):
        return self.ok("tree", "--base", self.linux, self.tree)

    def project_files(self):
        return {
            str(path.relative_to(self.project)): path.read_bytes() for path in self.project.rglob("*") if path.is_file()
        }  # fmt: skip

    def changed(self, before):
        after = self.project_files()
        return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))

    def test_identity(self):
        before = self.project_files()
        self.make()
        self.assertEqual(BRANCH, self.git(self.tree, "branch", "--show-current"))
        log = "log", "-3", "--format=%T %s %ad %B"
        self.assertEqual(self.git(self.source, *log), self.git(self.tree, *log))
        self.assertIn("nothing changed", self.ok("refresh", self.tree))
        self.assertEqual([], self.changed(before))

    def test_same_commits_for_everybody(self):
        self.make()
        head = self.git(self.tree, "rev-parse", "HEAD")
        shutil.rmtree(self.tree)
        (self.dir / ".gitconfig").write_text("[user]\n\tname = Other\n\temail = other@example.org\n")
        self.make()
        self.assertEqual(head, self.git(self.tree, "rev-parse", "HEAD"))

    def test_configuration_does_not_show(self):
        before = self.project_files()
        self.make()
        for key, value in {
            "diff.context": "9", "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.algorithm": "patience",
            "format.numbered": "true", "format.signature": "me", "format.useAutoBase": "true", "format.from": "true",
            "format.headers": "X-Me: 1\n", "format.to": "me@example.org", "format.thread": "true", "format.attach": "x",
            "format.subjectPrefix": "RFC", "format.suffix": ".txt", "core.abbrev": "40", "diff.statGraphWidth": "5",
        }.items():  # fmt: skip
            with (self.dir / ".gitconfig").open("a") as file:
                section, _, key = key.partition(".")
                file.write(f'[{section}]\n\t{key} = "{value}"\n'.replace("\n\"", '\\n"'))
            self.git(self.tree, "config", f"{section}.{key}", value)
        self.ok("refresh", self.tree)
        self.assertEqual([], self.changed(before))

    def test_message_edited(self):
        before = self.project_files()
        self.make()
        self.git(self.tree, "-c", "sequence.editor=sed -i 2s/pick/reword/", "-c", "core.editor=sed -i s/needed/wanted/", "rebase", "-q", "-i", "HEAD~3")
        self.git(self.tree, "-c", "core.editor=sed -i 's/Drivers need/Rust drivers need/'", "-c", "sequence.editor=sed -i 2s/pick/reword/", "rebase", "-q", "-i", "HEAD~3")
        self.ok("refresh", self.tree)
        self.assertEqual(["patches/v6.12/0002-rust-dma-add-coherent-memory.patch"], self.changed(before))

    def test_mark_survives_a_new_subject(self):
        self.make()
        self.git(self.tree, "-c", "core.editor=sed -i '1s/add/create/'", "-c", "sequence.editor=sed -i 1s/pick/reword/", "rebase", "-q", "-i", "HEAD~3")
        self.ok("refresh", self.tree)
        self.assertIn("0001-rust-transmute-create-the-module.patch # only v6.12\n0002-rust", (self.project / "series/v6.12").read_text())

    def test_commit_on_top(self):
        before = self.project_files()
        self.make()
        self.write(self.tree, "rust/kernel/dma.rs", "// all new\n")
        self.commit(self.tree, "rust: dma: write it anew", "It was old.", "--date=2026-01-01T00:00:00Z")
        self.ok("refresh", self.tree)
        self.assertEqual(["patches/v6.12/0004-rust-dma-write-it-anew.patch", "series/v6.12"], self.changed(before))
        self.assertIn("it now has", self.make())
        self.assertIn("up to date", self.make())
        self.git(self.tree, "reset", "-q", "--hard", "HEAD~1")
        self.ok("refresh", self.tree)
        self.assertEqual([], self.changed(before))

    def test_comments_in_the_series_stay(self):
        path = self.project / "series/v6.12"
        path.write_text(path.read_text().replace("0003-", "\n# The samples.\n0003-") + "# End.\n")
        before = self.project_files()
        self.make()
        self.ok("refresh", self.tree)
        self.assertEqual([], self.changed(before))

    def test_refused(self):
        before = self.project_files()
        self.make()
        head = self.git(self.tree, "rev-parse", "HEAD")

        def change():
            self.write(self.tree, "rust/kernel/dma.rs", "// change\n")
            self.git(self.tree, "add", "-A")

        def fixup():
            change()
            self.git(self.tree, "commit", "-q", "-s", "--fixup", "HEAD~1")

        def unsigned():
            change()
            self.git(self.tree, "commit", "-q", "-m", "no sign-off")

        def other_author():
            change()
            self.git(self.tree, "commit", "-q", "-s", "-m", "x", "--author", "Other <o@example.org>")

        def same_subject():
            change()
            self.git(self.tree, "commit", "-q", "-s", "-m", "samples: rust: add rust_dma")

        def merge():
            self.git(self.tree, "checkout", "-q", "-b", "side", "HEAD~1")
            self.git(self.tree, "commit", "-q", "-s", "--allow-empty", "-m", "side")
            self.git(self.tree, "checkout", "-q", "-")
            self.git(self.tree, "merge", "-q", "--no-ff", "-m", "merge", "side")

        def bracket():
            change()
            self.git(self.tree, "commit", "-q", "-s", "-m", "[RFC] rust: dma: x")

        def scissors():
            change()
            self.git(self.tree, "commit", "-q", "-s", "-m", "rust: dma: x", "-m", "text", "-m", "---\ntext")

        def none():
            self.git(self.tree, "reset", "-q", "--hard", "HEAD~3")

        for make, words in {
            fixup: "rebase -i --autosquash", unsigned: "no Signed-off-by", other_author: "no Signed-off-by",
            same_subject: "two commits have the subject", merge: "merge", bracket: "does not survive",
            scissors: "does not survive", none: "there are none",
        }.items():  # fmt: skip
            with self.subTest(make.__name__):
                make()
                self.assertIn(words, self.bad(USAGE, "refresh", self.tree))
                self.assertEqual([], self.changed(before))
                self.git(self.tree, "checkout", "-q", BRANCH)
                self.git(self.tree, "reset", "-q", "--hard", head)

    def test_work_is_not_lost(self):
        self.make()
        self.write(self.tree, "rust/kernel/dma.rs", "// mine\n")
        self.commit(self.tree, "mine")
        head = self.git(self.tree, "rev-parse", "HEAD")
        self.assertIn("patches/ has not", self.make())
        self.edit(self.project, f"patches/v6.12/{self.patch(3).name}", "It is needed", "It is wanted")
        self.assertIn("rebase --onto", self.bad(APPLY, "tree", self.tree))
        self.assertEqual(head, self.git(self.tree, "rev-parse", "HEAD"))

    def test_follows_the_patches(self):
        self.make()
        self.edit(self.project, f"patches/v6.12/{self.patch(3).name}", "It is needed", "It is wanted")
        self.assertIn("it now has", self.make())
        self.assertIn("wanted", self.git(self.tree, "log", "-1", "--format=%b"))

    def test_uncommitted_work_is_kept(self):
        self.make()
        self.edit(self.project, f"patches/v6.12/{self.patch(3).name}", "+// sample", "+// Sample")
        self.write(self.tree, "samples/rust/rust_dma.rs", "// mine\n")
        self.bad(APPLY, "tree", self.tree)
        self.assertEqual("// mine\n", (self.tree / "samples/rust/rust_dma.rs").read_text())

    def test_directory_of_somebody_else(self):
        self.write(self.tree, "precious", "x")
        self.assertIn("not a Linux kernel", self.bad(USAGE, "tree", "--base", self.linux, self.tree))
        self.assertIn("did not make it", self.bad(USAGE, "tree", self.linux))

    def test_tree_of_another_set(self):
        self.make()
        said = self.bad(USAGE, "tree", "--base", "v7.3", self.tree)
        self.assertIn("has the set v6.12, not v7.3\nnext:  scripts/tree --base v7.3 build/tree-v7.3", said)
        self.assertIn("up to date", self.ok("tree", "--base", "v6.12", self.tree))

    def test_bad_patch_leaves_nothing(self):
        self.edit(self.project, f"patches/v6.12/{self.patch(2).name}", " pub mod device;", " pub mod devise;")
        before = {*self.dir.iterdir(), self.dir / "build"}
        self.bad(APPLY, "tree", "--base", self.linux, self.tree)
        self.assertEqual(before, set(self.dir.iterdir()))

    def test_two_at_once(self):
        def busy(*words):
            above = os.open(self.dir, os.O_RDONLY)
            fcntl.flock(above, fcntl.LOCK_EX)
            self.assertIn("another run", self.bad(BUSY, *words))
            os.close(above)

        busy("tree", "--base", self.linux, self.tree)
        self.make()
        before = self.project_files()
        self.write(self.tree, "rust/kernel/dma.rs", "// all new\n")
        self.commit(self.tree, "rust: dma: write it anew", "It was old.")
        busy("refresh", self.tree)
        self.assertEqual(before, self.project_files())
        self.ok("refresh", self.tree)

    def test_moved(self):
        """A clone with its trees still works when it is moved, and so does one whose trees borrow by an absolute path."""
        for absolute in (False, True):
            with self.subTest("absolute" if absolute else "as made"):
                build = self.project / "build"
                shutil.copytree(self.linux, build / "v6.12.38/linux")
                self.env["RUST_DMA_BUILD"] = str(build)
                self.ok("tree", "--base", build / "v6.12.38/linux", build / "tree")
                self.write(build / "tree", "rust/kernel/dma.rs", "// mine\n")
                self.commit(build / "tree", "mine")
                if absolute:
                    self.write(build / "tree", ".git/objects/info/alternates", f"{build}/v6.12.38/linux/.git/objects\n")
                moved = self.dir / f"moved {absolute}"
                shutil.copytree(self.project, moved)
                shutil.rmtree(build)
                here, self.env["RUST_DMA_ROOT"] = self.env["RUST_DMA_ROOT"], str(moved)
                self.env["RUST_DMA_BUILD"] = str(moved / "build")
                tree = moved / "build/tree"
                if absolute:
                    self.assertIn("scripts/tree", self.bad(USAGE, "apply", tree))
                else:
                    self.git(tree, "fsck")
                self.assertIn("4 patches", self.ok("refresh", tree))
                self.assertIn("up to date", self.ok("tree", tree))
                self.git(tree, "fsck")
                self.env.update(RUST_DMA_ROOT=here)

    def test_borrowed_from_what_is_gone(self):
        """One is told what is missing, and the advice works."""
        self.make()
        self.linux.rename(self.dir / "elsewhere")
        for words in (("tree", self.tree), ("refresh", self.tree), ("apply", self.tree), ("port", self.tree), ("send", self.tree), ("tree", "--base", self.tree, self.dir / "new")):
            with self.subTest(words[0]):
                said = self.bad(USAGE, *words)
                self.assertIn(f"{self.linux}/.git/objects, which is not there", said)
                self.assertNotIn("git add", said)
        advice = re.search(r"next: .* else: (.*)\)", said)[1]
        subprocess.run(["sh", "-c", advice.replace("/NEW/PLACE", shlex.quote(str(self.dir / "elsewhere")))], check=True)
        self.assertIn("nothing changed", self.ok("refresh", self.tree))

    def test_base_while_a_rebase_is_under_way(self):
        """It is only read."""
        self.commit(self.linux, "mine", "Mine.", "--allow-empty")
        subprocess.run(["git", "-C", self.linux, "rebase", "-q", "-x", "false", "HEAD~1"], env=self.env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.make()
        self.assertIn("in progress", self.bad(APPLY, "apply", self.linux))
        self.git(self.tree, "config", "user.useConfigOnly", "false")
        subprocess.run(["git", "-C", self.tree, "rebase", "-q", "-x", "false", "HEAD~1"], env=self.env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for name in ("tree", "refresh"):
            self.assertIn("in progress", self.bad(APPLY, name, self.tree))

    def test_shallow_source(self):
        shallow = self.dir / "shallow"
        self.commit(self.linux, "Linux", "x", "--allow-empty")
        self.git(self.dir, "clone", "-q", "--depth=1", f"file://{self.linux}", shallow)
        self.ok("tree", "--base", shallow, self.tree)
        self.ok("refresh", self.tree)

    # What is in patches/ is not lost ----

    def test_refresh_overwrites_no_work(self):
        """A patch that was edited by hand, files that are not the series', in whatever state of git's."""
        patch, listed = f"patches/v6.12/{self.patch(3).name}", "series/v6.12"

        def by_hand():
            self.edit(self.project, patch, "It is needed", "It is wanted")

        def below_the_line():
            self.edit(self.project, patch, "\n---\n", "\n---\nv2: better.\n")

        def another():
            text = self.patch(3).read_text().replace("rust_dma", "rust_dmb").replace("sample", "simple")
            self.write(self.project, "patches/v6.12/0004-x.patch", text)
            self.write(self.project, listed, (self.project / listed).read_text() + "0004-x.patch\n")

        def notes():
            self.write(self.project, "patches/v6.12/notes.txt", "mine\n")

        def directory():
            self.write(self.project, "patches/v6.12/old/0001-x.patch", "mine\n")

        def order():
            lines = (self.project / listed).read_text().splitlines(keepends=True)
            (self.project / listed).write_text("".join([*lines[:-2], lines[-1], lines[-2]]))

        def missing():
            (self.project / patch).unlink()

        for history in (None, "plain", "staged", "committed"):
            for change in (by_hand, below_the_line, another, notes, directory, order, missing)[: 3 if history == "staged" else None]:
                for work in (False, True)[: 2 if change in (by_hand, another) else 1]:
                    with self.subTest(f"{change.__name__}, {history or 'no git'}, {'work' if work else 'no work'} in the tree"):
                        shutil.rmtree(self.tree, ignore_errors=True)
                        shutil.copytree(self.pristine, self.tree)
                        shutil.rmtree(self.project)
                        shutil.copytree(f"{standin.Bench.made.name}/project", self.project)
                        if history:
                            self.git(self.project, "init", "-q")
                            self.commit(self.project, "project")
                        change()
                        if history in ("staged", "committed"):
                            self.git(self.project, "add", "-A")
                        if history == "committed":
                            self.git(self.project, "commit", "-q", "-m", "change")
                        if work:
                            self.write(self.tree, "rust/kernel/dma.rs", "// mine\n")
                            self.commit(self.tree, "mine")
                        before, state = self.project_files(), self.state(self.tree)[0]
                        if history == "committed" and change == below_the_line:  # git has it
                            self.ok("refresh", self.tree)
                            continue
                        said = self.bad(APPLY, "refresh", self.tree)
                        self.assertEqual([], self.changed(before))
                        self.assertEqual(self.git(self.tree, "rev-parse", "HEAD"), state[".git/refs/heads/rust-dma"][1].decode().strip())
                        self.assertIn("next: ", said)

    @property
    def pristine(self):
        """A tree of scripts/tree, made once."""
        kept = self.dir / "pristine"
        if not kept.exists():
            self.make()
            self.tree.rename(kept)
        return kept

    def test_refresh_after_a_pull(self):
        self.make()
        self.edit(self.project, f"patches/v6.12/{self.patch(3).name}", "It is needed", "It is wanted")
        self.git(self.project, "init", "-q")
        self.commit(self.project, "pulled")
        self.assertIn(f"scripts/tree {shlex.quote(str(self.tree))}", self.bad(APPLY, "refresh", self.tree))
        self.ok("tree", self.tree)
        self.assertIn("nothing changed", self.ok("refresh", self.tree))

    def test_refresh_with_a_detached_head(self):
        before = self.project_files()
        self.make()
        self.git(self.tree, "checkout", "-q", "HEAD~2")
        self.assertIn(f"git -C {shlex.quote(str(self.tree))} switch {BRANCH}", self.bad(USAGE, "refresh", self.tree))
        self.assertEqual([], self.changed(before))

    def test_refresh_of_a_tree_of_ones_own(self):
        """Not made by scripts/tree: what patches/ has must be in git, or else it is not overwritten."""
        self.ok("apply", self.linux)
        self.write(self.linux, "rust/kernel/dma.rs", "// mine\n")
        self.commit(self.linux, "mine")
        before = self.project_files()
        words = "refresh", "--set", "v6.12", "--base", "v6.12.38", self.linux
        self.edit(self.project, f"patches/v6.12/{self.patch(3).name}", "It is needed", "It is wanted")
        changed = self.changed(before)
        self.bad(APPLY, *words)
        self.assertEqual(changed, self.changed(before))
        self.git(self.project, "init", "-q")
        self.commit(self.project, "project")
        self.ok(*words)
        self.assertEqual(4, len(list(self.project.glob("patches/v6.12/*"))))

    def test_refresh_that_was_cut_short(self):
        """At any of its writes: the next one finishes it."""
        self.make()
        self.git(self.tree, "-c", "core.editor=sed -i '1s/add/create/'", "-c", "sequence.editor=sed -i 's/pick/reword/'", "rebase", "-q", "-i", "HEAD~3")
        before = self.project_files()
        self.ok("refresh", self.tree)
        after = self.project_files()
        self.assertEqual(7, len(self.changed(before)))
        saved = self.git(self.tree, "rev-parse", "ORIG_HEAD")
        first = sorted(set(after) - set(before), reverse=True)
        for done in range(8):
            with self.subTest(f"{done} of 7"):
                for name in after:
                    (self.project / name).unlink()
                for name, data in before.items():
                    self.write(self.project, name, data.decode())
                for name in [*first, "series/v6.12"][:done]:
                    self.write(self.project, name, after[name].decode())
                for name in sorted(set(before) - set(after))[: max(0, done - 4)]:
                    (self.project / name).unlink()
                self.write(self.project, "patches/v6.12/.0001-x.patch.part", "half")
                self.git(self.tree, "update-ref", "refs/rust-dma/saved", saved)
                self.ok("refresh", self.tree)
                self.assertEqual([], self.changed(after))

    def test_refresh_without_space(self):
        """All of it is written, or nothing is."""
        self.make()
        self.git(self.tree, "-c", "core.editor=sed -i '1s/add/create/'", "-c", "sequence.editor=sed -i 's/pick/reword/'", "rebase", "-q", "-i", "HEAD~3")
        (self.dir / "disk.before").mkdir()
        shutil.copytree(self.project, self.dir / "disk.before/project")
        saved = self.git(self.tree, "rev-parse", "refs/rust-dma/saved")
        tree = shlex.quote(str(self.tree))
        look = f'git -C {tree} update-ref refs/rust-dma/saved {saved}; cd "$disk/project"; find . -type f | LC_ALL=C sort | xargs md5sum'
        found = self.fill(f'RUST_DMA_ROOT="$disk/project" {standin.REPO}/scripts/refresh {tree}', look, range(0, 48, 4))
        self.assertEqual({0, DISK}, {status for status, _, _ in found}, found)
        for status in (0, DISK):
            self.assertEqual(1, len({seen for each, _, seen in found if each == status}), found)

    def test_interrupted(self):
        """Making the tree, and writing it back: the next run works, and nothing is left behind."""
        for name, verbs in {"tree": ("init", "am", "reset"), "refresh": ("format-patch", "am")}.items():
            words = (name, "--base", self.linux, self.tree) if name == "tree" else (name, self.tree)
            for verb in verbs:
                for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
                    with self.subTest(f"{name}, {number.name} at git {verb}"):
                        if name == "tree":
                            shutil.rmtree(self.tree, ignore_errors=True)
                        else:
                            self.git(self.tree, "commit", "-q", "--amend", "-s", "-m", "samples: rust: add", "-m", f"{verb} {number}")
                        self.assertEqual(-number if number == signal.SIGKILL else INTERRUPTED, self.interrupt(verb, number, *words))
                        self.ok(*words)
                        self.assertEqual([], [path for tree in (self.linux, self.tree) for path in (tree / ".git").glob("worktrees/*")])
                        left = [path for path in self.dir.glob("rust-dma-*") if number != signal.SIGKILL or (path / ".git").exists()]
                        self.assertEqual([], [*left, *self.dir.glob(".*.part"), *self.project.rglob(".*.part")])
                        for path in self.dir.glob("rust-dma-*"):
                            shutil.rmtree(path)
                        self.assertIn("nothing changed", self.ok("refresh", self.tree))

    def test_uncommitted_edits_are_named(self):
        self.make()
        self.write(self.tree, "rust/kernel/dma.rs", "// mine\n")
        self.write(self.tree, "rust/kernel/new.rs", "// mine\n")
        said = self.ok("refresh", self.tree)
        for word in ("not in the patches", "rust/kernel/dma.rs", "rust/kernel/new.rs"):
            self.assertIn(word, said)
        self.git(self.tree, "stash", "-q", "-u")
        self.assertNotIn("note", self.ok("refresh", self.tree))

    def test_text_below_the_cover_letter(self):
        letter = self.project / "series/cover-letter-v6.12.txt"
        letter.write_text("Subject: [PATCH 00/NN] rust: dma\n\nText.\n")
        self.make()
        self.ok("refresh", self.tree)
        letter.write_text(letter.read_text() + "\nAnd one thing more.\n")
        before = self.project_files()
        self.assertIn("below", self.bad(USAGE, "refresh", self.tree))
        self.assertEqual([], self.changed(before))

    def test_cover_letter(self):
        letter = self.project / "series/cover-letter-v6.12.txt"
        letter.write_text("Subject: [PATCH 00/NN] rust: dma\n\nText.\n---\nMore text.\n")
        self.make()
        self.ok("refresh", self.tree)
        text = letter.read_text()
        for part in (
            "Subject: [PATCH 0/2] rust: dma\n\nText.\n---\nMore text.\n\n---\nAn Author (2):\n",
            " samples/rust/rust_dma.rs        | 3 +++\n", " 8 files changed, 21 insertions(+)\n",
            "\n---\nbase-commit: ffd294d346d185b70e28b1a28abe367bbfe53c04\nchange-id: 2",
        ):  # fmt: skip
            self.assertIn(part, text)
        self.assertNotIn("transmute", text)
        self.assertIn("nothing changed", self.ok("refresh", self.tree))
        change = text[text.index("change-id: ") :]
        self.write(self.tree, "rust/kernel/dma.rs", "// all new\n")
        self.commit(self.tree, "rust: dma: write it anew")
        self.ok("refresh", self.tree)
        self.assertIn("[PATCH 0/3]", letter.read_text())
        self.assertTrue(letter.read_text().endswith(change))
        self.assertEqual(1, letter.read_text().count("An Author ("))


if __name__ == "__main__":
    unittest.main()
