# SPDX-License-Identifier: GPL-2.0
"""The drivers in the README and in Documentation/rust/dma.rst build, and are formatted."""

import re
import shutil
import subprocess
import textwrap

import arch
import boot
import kernel
import root


def from_markdown(text):
    return re.search(r"^```rust\n(.*?)^```", text, re.S | re.M)[1]


def from_rst(text):
    """All pieces of code, in their order."""
    pieces = re.findall(r"^\.\. code-block:: rust\n\n((?:\t.*\n|\n)+)", text, re.M)
    return "\n".join(textwrap.dedent(piece).strip("\n") + "\n" for piece in pieces)


class Drivers(boot.Case):
    def builds(self, name, text):
        obj = kernel.BUILD / "v6.12.38/x86_64"
        directory = obj / f"document-{name}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        self.addCleanup(shutil.rmtree, directory)
        (directory / f"{name}.rs").write_text(text)
        (directory / "Makefile").write_text(f"obj-m := {name}.o\n")

        tools = root.Tools(kernel.BUILD / "root", boot.LINUX, obj, kernel.BUILD / "ccache")
        built = kernel.Kernel(None, "x86_64", arch.ARCHES["x86_64"], tools, 2)
        inside = f"{tools.obj}/{directory.name}"
        for command in (
            built.make(f"M={inside}", "CLIPPY=1", "modules"),
            tools.command("rustfmt", "--check", "--edition", "2021", f"{inside}/{name}.rs"),
        ):
            made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual(0, made.returncode, made.stdout)
            self.assertNotIn("warning", made.stdout)
        self.assertTrue((directory / f"{name}.ko").exists())
        self.assertNotIn("unsafe", text)

    def test_readme(self):
        self.builds("first", from_markdown((root.TOP / "README.md").read_text()))

    def test_documentation(self):
        self.builds("ring", from_rst((boot.LINUX / "Documentation/rust/dma.rst").read_text()))

    def test_one_that_does_not(self):
        text = from_markdown((root.TOP / "README.md").read_text())
        with self.assertRaises(AssertionError):
            self.builds("wrong", text.replace("let dma = dma.finish()?;", ""))
