# SPDX-License-Identifier: GPL-2.0
"""scripts/doc: the documentation of the kernel crate, with the series in it."""

import pathlib
import re
import subprocess
import unittest

import root
from outcome import Outcome


class Doc(unittest.TestCase):
    def doc(self, *arguments):
        ran = subprocess.run([root.TOP / "scripts/doc", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return ran.returncode, ran.stdout

    def test_pages(self):
        """It says where they are, and they have what the series adds."""
        status, output = self.doc()
        self.assertEqual(Outcome.PASS, status, output)
        page = pathlib.Path(re.search(r"^  (/.*/kernel/dma/index\.html)$", output, re.M)[1])
        self.assertIn("Contexts", page.read_text())
        for name in "struct.Mapping.html", "struct.Dma.html":
            self.assertTrue((page.parent / name).is_file(), name)

    def test_no_tree(self):
        status, output = self.doc("--base", "/nowhere")
        self.assertEqual(Outcome.USAGE, status)
        self.assertIn("--base: /nowhere is neither v6.12.38 nor ", output)
