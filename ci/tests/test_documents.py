# SPDX-License-Identifier: GPL-2.0
"""The drivers in the README and in Documentation/rust/dma.rst build, and are formatted."""

import re
import textwrap

import boot
import claims
import root
import standin


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
