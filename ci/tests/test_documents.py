# SPDX-License-Identifier: GPL-2.0
"""The drivers in the README and in Documentation/rust/dma.rst build, and are formatted; what the README says to type works."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import textwrap

import boot
import claims
import root
import standin
from outcome import Outcome


def from_markdown(text):
    return re.search(r"^```rust\n(.*?)^```", text, re.S | re.M)[1]


def from_rst(text):
    """All pieces of code, in their order."""
    pieces = re.findall(r"^\.\. code-block:: rust\n\n((?:\t.*\n|\n)+)", text, re.M)
    return "\n".join(textwrap.dedent(piece).strip("\n") + "\n" for piece in pieces)


class Drivers(boot.Case):
    def setUp(self):
        standin.machine(self)  # Clippy is in the whole build root

    def builds(self, name, text):
        module = boot.Module(self, f"document-{name}", name, text)
        for good, said in module.make("CLIPPY=1", "modules"), module.rustfmt():
            self.assertTrue(good, said)
            self.assertNotIn("warning", said)
        self.assertEqual([], claims.wrong(text))

    def test_readme(self):
        self.builds("first", from_markdown((root.TOP / "README.md").read_text()))

    def test_documentation(self):
        document = (boot.LINUX / "Documentation/rust/dma.rst").read_text()
        self.assertNotIn("@@", document, "a place that is left open")
        text = from_rst(document)
        self.builds("ring", text)
        # Its device is reset: there is nothing to claim.
        self.assertNotIn("unsafe", text)

    def test_one_that_does_not(self):
        text = from_markdown((root.TOP / "README.md").read_text())
        with self.assertRaisesRegex(AssertionError, r"error\[E\d+\]"):
            self.builds("wrong", text.replace("let dma = setup.finish()?;", ""))


class FirstDriver(boot.Case):
    """What the README's section on a first driver has one type, as it stands there, in a directory of its own."""

    SECTION = re.search(r"^## Write a first driver\n(.*?)^## ", (root.TOP / "README.md").read_text(), re.S | re.M)[1]
    COMMANDS = re.findall(r"^    (\./scripts/.*|make .*)", SECTION, re.M)
    PRINTED = re.findall(r"^    ((?:printed| {6}|passed).*)", SECTION.partition("```")[0], re.M)

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        (self.place / "scripts").symlink_to(root.TOP / "scripts")
        self.addCleanup(shutil.rmtree, boot.Module.OBJ / "drivers/first", ignore_errors=True)

    def type(self, command, status=0):
        ran = subprocess.run(["bash", "-c", command], cwd=self.place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(status, ran.returncode, ran.stdout)
        return ran.stdout

    def test_word_by_word(self):
        make, drive, check, own = self.COMMANDS
        self.type(make)
        made = self.place / "first"
        self.assertEqual(from_markdown(self.SECTION), (made / "first.rs").read_text())
        output = self.type(drive)
        timeless = re.sub(r"\[ *[\d.]+\]", "[]", output)
        self.assertEqual(5, len(self.PRINTED))
        for line in self.PRINTED:
            self.assertIn(re.sub(r"\[ *[\d.]+\]", "[]", line) + "\n", timeless)
        # A mistake, and its mend.
        text = (made / "first.rs").read_text()
        (made / "first.rs").write_text(text.replace("hello", "hello\\q"))
        line = text[: text.index("hello")].count("\n") + 1
        self.assertIn(f"--> first/first.rs:{line}:", self.type(drive, Outcome.DRIVER))
        (made / "first.rs").write_text(text.replace("hello", "hallo"))
        self.type(check)
        # For a kernel of the user's own: the one that was built here, where its tools are.
        module = boot.Module(self, "own", "first", made)
        made, said = module.run(*module.tools.command("sh", "-ec", f"ln -s {module.tools.obj} ~/linux; mkdir ~/x; cp -r {module.inside} ~/x/first; cd ~/x; {own}; ls first"))
        self.assertTrue(made, said)
        self.assertIn("\nfirst.ko\n", said)

    def test_other_names(self):
        """They build, and are formatted, too; and a driver that is there stays as it is."""
        name = "a" * 30 + "_1"
        self.type(f"./scripts/new-driver {name} there")
        made = self.place / "there"
        self.assertIn(f"struct {'A' + 'a' * 29}1Driver;", (made / f"{name}.rs").read_text())
        module = boot.Module(self, "other-name", name, made)
        good, said = module.rustfmt()
        self.assertTrue(good, said)
        module.ko()
        (made / f"{name}.rs").write_text("mine")
        self.assertIn("left as it is", self.type(f"./scripts/new-driver {name} there"))
        self.assertEqual("mine", (made / f"{name}.rs").read_text())

    def test_refused(self):
        for word in "First", "1st", "a-b", "kernel", "a" * 33, "../x":
            self.assertIn("a driver's name has small letters", self.type(f"./scripts/new-driver {word}", Outcome.USAGE))
        (self.place / "first").mkdir()
        (self.place / "first/Makefile").write_text("mine")
        self.assertIn("error: first is there, and is no driver first", self.type("./scripts/new-driver first", Outcome.USAGE))
        self.assertEqual(["Makefile"], os.listdir(self.place / "first"))
