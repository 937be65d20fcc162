# SPDX-License-Identifier: GPL-2.0
"""Of the mutants of the interface, some that chance chose: each is killed."""

import re
import subprocess

import boot
import root


class Sample(boot.Case):
    def test_sample(self):
        """Always the same ones, as long as the code is; what was tried is not tried again."""
        ran = subprocess.run([root.TOP / "ci/mutants/run", "--sample", "20"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(0, ran.returncode, ran.stdout)
        row = re.search(r"^all +(\d+) +(\d+) +0 +(\d+) +0 ", ran.stdout, re.M)
        self.assertTrue(row, ran.stdout)
        chosen, killed, equivalent = map(int, row.groups())
        self.assertEqual((20, 20), (chosen, killed + equivalent))
        self.note = f"{killed} killed, {equivalent} equivalent"
