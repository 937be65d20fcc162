# SPDX-License-Identifier: GPL-2.0
"""scripts/port, and that the two sets stay in step."""

import shutil
import signal
import sys
import unittest

import standin

sys.path.insert(0, str(standin.REPO / "scripts/lib"))

import outcome
import series

APPLY, USAGE = 5, 2


class Port(standin.Bench):
    prefix = "rust-dma test's "  # paths that need quotes

    def setUp(self):
        super().setUp()
        self.source = self.toy()
        self.linux = self.kernel("next", "6.13.7")
        self.work = self.dir / "work"

    def port(self, *args):
        return self.ok("port", "--directory", self.work, *args)

    def in_step(self):
        """What the sets of the stand-in project are said to be."""
        root, series.ROOT = series.ROOT, self.project
        try:
            series.in_step(series.load("v6.12"), series.load("v6.13"))
        except outcome.Fail as fail:
            return f"{fail.cause}\n{fail.detail}"
        finally:
            series.ROOT = root

    def test_port(self):
        before = self.state(self.linux)
        said = self.port(self.linux)
        self.assertEqual(before[1], self.state(self.linux)[1])
        self.assertEqual(self.git(self.linux, "rev-parse", "v6.13.7"), self.git(self.linux, "rev-parse", "HEAD"))
        for file in ("rust/kernel/lib.rs", "rust/bindings/bindings_helper.h", "rust/helpers/helpers.c", "samples/rust/Makefile"):
            self.assertIn(f"sorted in: {file}", said)
        for file, part in {
            "rust/kernel/lib.rs": "pub mod cred;\npub mod device;\n#[cfg(CONFIG_HAS_DMA)]\npub mod dma;\npub mod error;\n",
            "rust/bindings/bindings_helper.h": "<linux/cred.h>\n#include <linux/dma-mapping.h>\n#include <linux/errname.h>\n",
            "rust/helpers/helpers.c": '"cred.c"\n#include "dma.c"\n#include "err.c"\n',
            "rust/kernel/dma.rs": (self.source / "rust/kernel/dma.rs").read_text(),
        }.items():
            self.assertIn(part, (self.work / file).read_text())
        self.assertEqual(2, len(list(self.project.glob("patches/v6.13/*"))))
        self.assertNotIn("only", (self.project / "series/v6.13").read_text())
        self.assertIsNone(self.in_step())
        self.assertIn("nothing changed", self.port(self.linux))
        # Plain git am, with scripts/apply and without.
        self.git(self.linux, "am", "-q", *sorted(self.project.glob("patches/v6.13/*")))
        self.assertEqual(self.git(self.work, "rev-parse", "HEAD^{tree}"), self.git(self.linux, "rev-parse", "HEAD^{tree}"))
        self.git(self.linux, "reset", "-q", "--hard", "v6.13.7")
        self.ok("apply", self.linux)
        self.assertEqual(self.git(self.work, "rev-parse", "HEAD^{tree}"), self.git(self.linux, "rev-parse", "HEAD^{tree}"))

    def test_follows_v6_12(self):
        self.port(self.linux)
        self.write(self.source, "rust/kernel/dma.rs", "// all new\n")
        self.commit(self.source, "rust: dma: write it anew")
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.assertIn("0004-rust-dma-write-it-anew.patch has no counterpart", self.in_step() or "")
        self.assertIn("patches/v6.13/0003-rust-dma-write-it-anew.patch", self.port())
        self.assertIsNone(self.in_step())

    def test_edit_of_one_set_alone(self):
        self.port(self.linux)
        name = "samples-rust-add-rust_dma.patch"
        for what, edit in {
            "the message": ("It is needed.", "It was needed."),
            "samples/rust/rust_dma.rs": ("+// sample", "+// simple"),
            "samples/rust/Makefile": ("+= rust_dma.o", "+= rust_dna.o"),
        }.items():
            for path in (f"patches/v6.12/0003-{name}", f"patches/v6.13/0002-{name}"):
                with self.subTest(f"{what}, {path}"):
                    before = (self.project / path).read_text()
                    self.assertIsNone(self.in_step())
                    self.edit(self.project, path, *edit)
                    self.assertIn(what, self.in_step() or "")
                    self.assertIn(edit[0], self.in_step() or "")
                    (self.project / path).write_text(before)

    def own(self, file, subject):
        """Give v6.13 a patch of its own, behind what there is; its name."""
        self.git(self.work, "switch", "-q", "-c", "own")
        self.write(self.work, file, f"// {subject}\n")
        self.commit(self.work, subject)
        self.ok("refresh", self.work, "--set", "v6.13", "--base", "v6.13.7")
        path = self.project / "series/v6.13"
        *above, last = path.read_text().rstrip("\n").split("\n")
        path.write_text("\n".join([*above, f"{last} # only v6.13", ""]))
        return last

    def begin_anew(self):
        shutil.rmtree(self.work)
        return self.port(self.linux)

    def test_own_patches_are_kept(self):
        """Those that only v6.13 has stay behind what they were behind."""
        self.port(self.linux)
        letter = self.project / "series/cover-letter-v6.12.txt"
        told = letter.read_text() if letter.exists() else ""
        own = self.own("rust/kernel/misc.rs", "rust: misc: add what 6.12 has not")
        self.assertEqual("0003-rust-misc-add-what-6.12-has-not.patch", own)
        self.assertIsNone(self.in_step())
        text = self.patch(3, "v6.13").read_text()
        said = self.begin_anew()
        self.assertIn("  rust: misc: add what 6.12 has not\n", said)
        self.assertIn("nothing changed", said)
        self.assertEqual("// rust: misc: add what 6.12 has not\n", (self.work / "rust/kernel/misc.rs").read_text())
        self.assertIn("nothing changed", self.port())

        # What is new in v6.12 comes behind it, and it is still marked.
        self.write(self.source, "rust/kernel/dma.rs", "// all new\n")
        self.commit(self.source, "rust: dma: write it anew")
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.port()
        listed = [line for line in (self.project / "series/v6.13").read_text().split("\n") if line and line[0] != "#"]
        self.assertEqual([f"{own} # only v6.13", "0004-rust-dma-write-it-anew.patch"], listed[2:])
        self.assertEqual(text, self.patch(3, "v6.13").read_text())
        self.assertIsNone(self.in_step())
        # The mark is what leaves it out.
        self.edit(self.project, "series/v6.13", " # only v6.13", "")
        self.assertIn("differ in the message", self.in_step() or "")
        self.assertEqual("" if not told else told.partition("\n---\n")[0], "" if not told else letter.read_text().partition("\n---\n")[0])

    def test_own_patch_behind_what_is_gone(self):
        """Then it is behind what was before that."""
        self.port(self.linux)
        own = self.own("rust/kernel/misc.rs", "rust: misc: add what 6.12 has not")
        self.git(self.source, "reset", "-q", "--hard", "HEAD^")
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.port()
        self.assertEqual(2, len(list(self.project.glob("patches/v6.13/*"))))
        self.assertIn(f"0002{own[4:]} # only v6.13", (self.project / "series/v6.13").read_text())
        self.assertIsNone(self.in_step())

    def test_own_patch_that_does_not_fit(self):
        """As any other: it is finished by hand."""
        self.port(self.linux)
        self.git(self.work, "switch", "-q", "-c", "own")
        self.edit(self.work, "rust/kernel/lib.rs", 'PREFIX: &str = ""', 'PREFIX: &str = "own"')
        self.commit(self.work, "rust: a prefix of its own")
        self.ok("refresh", self.work, "--set", "v6.13", "--base", "v6.13.7")
        path = self.project / "series/v6.13"
        path.write_text(path.read_text().rstrip("\n") + " # only v6.13\n")
        self.edit(self.linux, "rust/kernel/lib.rs", 'PREFIX: &str = ""', 'PREFIX: &CStr = ""')
        self.commit(self.linux, "prefix")
        shutil.rmtree(self.work)
        said = self.bad(APPLY, "port", "--directory", self.work, self.linux)
        self.assertIn("patches/v6.13/0003-", said)
        self.assertTrue((self.work / "rust/kernel/lib.rs.rej").exists())

    def test_removal_and_mode_count(self):
        self.port(self.linux)
        path = self.patch(2, "v6.13").relative_to(self.project)
        self.edit(self.project, path, "new file mode 100644", "new file mode 100755")
        self.assertIn("samples/rust/rust_dma.rs", self.in_step() or "")

    def test_context_does_not_count(self):
        self.port(self.linux)
        path = self.patch(1, "v6.13").relative_to(self.project)
        self.edit(self.project, path, " #include <linux/cred.h>", " #include <linux/creds.h>")
        self.assertIsNone(self.in_step())

    def test_finish_by_hand(self):
        """What is not a line for a sorted list stops it, and the tree is left to finish in."""
        self.edit(self.source, "rust/kernel/lib.rs", 'PREFIX: &str = ""', 'PREFIX: &str = "dma"')
        self.write(self.source, "rust/kernel/dma.rs", "// with a prefix\n")
        self.commit(self.source, "rust: give the prefix a value")
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.edit(self.linux, "rust/kernel/lib.rs", "/// Prefix.", "/// The prefix.")
        self.edit(self.linux, "rust/kernel/lib.rs", 'PREFIX: &str = ""', 'PREFIX: &CStr = ""')
        self.commit(self.linux, "prefix")

        said = self.bad(APPLY, "port", "--directory", self.work, self.linux)
        for word in ("patches/v6.12/0004-", "rust/kernel/lib.rs", "git am --continue", "scripts/port --directory", "work' --continue"):
            self.assertIn(word, said)
        self.assertFalse((self.project / "series/v6.13").exists())
        self.assertTrue((self.work / "rust/kernel/lib.rs.rej").exists())
        self.assertEqual("// with a prefix\n", (self.work / "rust/kernel/dma.rs").read_text())
        for again in ([self.linux], ["--continue"]):
            self.assertIn("in progress", self.bad(APPLY, "port", "--directory", self.work, *again))

        self.edit(self.work, "rust/kernel/lib.rs", 'PREFIX: &CStr = ""', 'PREFIX: &CStr = "dma"')
        self.git(self.work, "add", "rust/kernel/lib.rs")
        self.git(self.work, "am", "--continue")
        # The removed and added lines do differ: the sets are reported to be apart.
        self.assertIn("out of step", self.bad(APPLY, "port", "--directory", self.work, "--continue"))
        self.assertEqual(3, len(list(self.project.glob("patches/v6.13/*"))))

    def test_what_was_finished_by_hand_is_kept(self):
        """Where only context differs, one has to do it once."""
        self.edit(self.source, "rust/kernel/lib.rs", 'PREFIX: &str = ""', 'PREFIX: &str = "dma"')
        self.commit(self.source, "rust: give the prefix a value")
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.edit(self.linux, "rust/kernel/lib.rs", "/// Prefix.", "/// The prefix.")
        self.commit(self.linux, "prefix")
        self.bad(APPLY, "port", "--directory", self.work, self.linux)
        self.edit(self.work, "rust/kernel/lib.rs", 'PREFIX: &str = ""', 'PREFIX: &str = "dma"')
        self.git(self.work, "add", "rust/kernel/lib.rs")
        self.git(self.work, "am", "--continue")
        self.port("--continue")
        self.assertIsNone(self.in_step())
        self.assertIn("as the last time: rust/kernel/lib.rs", self.port())
        self.assertIsNone(self.in_step())

    def test_interrupted(self):
        """At any of its patches: the same again works."""
        for verb, count in ("am", 1), ("am", 2), ("apply", 1), ("apply", 2), ("add", 1):
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
                with self.subTest(f"{number.name} at git {verb}, the {count}. time"):
                    status = self.interrupt(verb, number, "port", "--directory", self.work, self.linux, count=count)
                    self.assertEqual(-number if number == signal.SIGKILL else 130, status)
                    self.port(self.linux)
                    self.assertIsNone(self.in_step())

    def test_finishing_by_hand_is_waited_for(self):
        """What was begun by hand is not given up, whatever is called."""
        self.edit(self.source, "rust/kernel/lib.rs", 'PREFIX: &str = ""', 'PREFIX: &str = "dma"')
        self.commit(self.source, "rust: give the prefix a value")
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.edit(self.linux, "rust/kernel/lib.rs", "/// Prefix.", "/// The prefix.")
        self.commit(self.linux, "prefix")
        self.bad(APPLY, "port", "--directory", self.work, self.linux)
        self.write(self.work, "rust/kernel/lib.rs", "// half done\n")
        for again in ([self.linux], ["--continue"], []):
            self.assertIn("in progress", self.bad(APPLY, "port", "--directory", self.work, *again))
            self.assertEqual("// half done\n", (self.work / "rust/kernel/lib.rs").read_text())

    def test_work_is_not_lost(self):
        self.port(self.linux)
        self.write(self.work, "rust/kernel/dma.rs", "// mine\n")
        self.commit(self.work, "mine")
        head = self.git(self.work, "rev-parse", "HEAD")
        self.assertIn("has commits", self.bad(APPLY, "port", "--directory", self.work))
        self.assertEqual(head, self.git(self.work, "rev-parse", "HEAD"))

    def test_refused(self):
        self.assertIn("is 6.12.38, not 6.13", self.bad(APPLY, "port", "--directory", self.work, self.kernel()))
        self.assertIn("scripts/tree --base v7.3", self.bad(APPLY, "port", "--directory", self.work, self.kernel("mainline", "7.3.4")))
        self.assertIn("no tree", self.bad(USAGE, "port", "--directory", self.work))
        self.assertIn("did not make it", self.bad(USAGE, "port", "--directory", self.linux, self.linux))
        self.port(self.linux)
        self.ok("apply", self.linux)
        self.assertIn("not the HEAD", self.bad(USAGE, "port", "--directory", self.work, self.linux))

    def sort(self, lines, hunk):
        return standin.program("scripts/port").sort_in(lines, hunk)

    def test_sorting(self):
        have = ["a", "pub mod a;", "#[cfg(X)]", "pub mod c;", "mod e;", "pub mod z;", "b"]
        hunk = [" pub mod a;", "+#[cfg(Y)]", "+pub mod d;", " pub mod z;"]
        self.assertEqual([*have[:4], "#[cfg(Y)]", "pub mod d;", *have[4:]], self.sort(have, hunk))
        self.assertEqual([*have[:2], "pub mod b;", *have[2:]], self.sort(have, [" pub mod a;", "+pub mod b;", " pub mod z;"]))
        self.assertEqual([*have[:5], "pub mod x;", *have[5:]], self.sort(have, [" pub mod a;", "+pub mod x;", " pub mod z;"]))
        # A missing neighbour: the next one counts.
        self.assertEqual([*have[:4], "mod d;", *have[4:]], self.sort(have, [" pub mod a;", " pub mod b;", "+mod d;", " mod f;", " pub mod z;"]))
        # Two blocks in one hunk.
        twice = self.sort(have, [" pub mod a;", "+mod b;", " mod e;", "+mod f;", " pub mod z;"])
        self.assertEqual(["a", "pub mod a;", "mod b;", "#[cfg(X)]", "pub mod c;", "mod e;", "mod f;", "pub mod z;", "b"], twice)
        # What is under an #ifdef.
        have = ['#include "a.c"', "#ifdef X", '#include "c.c"', "#endif", '#include "e.c"', '#include "z.c"']
        more = ["#ifdef Y", '#include "d.c"', "#endif"]
        hunk = [' #include "a.c"', *(f"+{line}" for line in more), ' #include "z.c"']
        self.assertEqual([*have[:4], *more, *have[4:]], self.sort(have, hunk))
        have = ["a", "pub mod a;", "#[cfg(X)]", "pub mod c;", "mod e;", "pub mod z;", "b"]
        # Anything but an addition, something that is no item, neighbours that are not there, or not once.
        self.assertIsNone(self.sort(have, [" pub mod a;", "-mod e;", "+mod f;", " pub mod z;"]))
        self.assertIsNone(self.sort(have, [" pub mod a;", "+const X: u8 = 1;", " pub mod z;"]))
        self.assertIsNone(self.sort(have, [" pub mod k;", "+mod m;", " pub mod n;"]))
        self.assertIsNone(self.sort(have + have, [" pub mod a;", "+mod b;", " pub mod z;"]))


if __name__ == "__main__":
    unittest.main()
