# SPDX-License-Identifier: GPL-2.0
"""Every machine of every architecture passes."""

import subprocess
import unittest

import arch
import root


class Table(unittest.TestCase):
    def table(self, name):
        ran = subprocess.run([root.TOP / "ci/architectures", "--arch", name], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(0, ran.returncode, ran.stdout + ran.stderr)
        self.note = ran.stdout.strip().splitlines()[-1]


for name in arch.ARCHES:
    setattr(Table, f"test_{name}", lambda self, name=name: self.table(name))
