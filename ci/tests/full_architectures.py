# SPDX-License-Identifier: GPL-2.0
"""Every machine of every architecture passes: with the kernel that the series is made on, and with mainline's."""

import subprocess
import unittest

import arch
import base
import misc
import root


class Table(unittest.TestCase):
    def table(self, name, tag):
        if tag == misc.TAG:
            misc.repository(self)
        ran = subprocess.run([root.TOP / "ci/architectures", "--arch", name, "--base", tag], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(0, ran.returncode, ran.stdout + ran.stderr)
        self.note = ran.stdout.strip().splitlines()[-1]


for name in arch.ARCHES:
    for tag in base.DEFAULT, misc.TAG:
        setattr(Table, f"test_{name}_{tag.replace('.', '_')}", lambda self, name=name, tag=tag: self.table(name, tag))
