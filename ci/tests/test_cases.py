# SPDX-License-Identifier: GPL-2.0
"""The cases of ci/cases, in the guest, in the plain configuration; see full_*.py for the others."""

import subprocess

import boot
import cases
import root


class Plain(boot.Case):
    def test_cases(self):
        cases.build(self)
        status, output, _ = cases.guest(self, "bind load shells remove gone cases")
        self.assertEqual(status, 0, output)
        self.note = f"{cases.passed(output)} cases"
        self.assertGreater(cases.passed(output), 110)

    def test_format(self):
        module = boot.Module(self, "cases", "dma_cases", root.TOP / "ci/cases")
        good, said = module.rustfmt()
        self.assertTrue(good, said)


class Planted(boot.Case):
    def test_faults_are_where_they_should_be(self):
        """Elsewhere in a file, where the same lines are, a fault may be another one."""
        cases.build(self)
        for patch in sorted((root.TOP / "ci/planted").glob("*.patch")):
            with self.subTest(patch.name):
                tried = subprocess.run(["patch", "-p1", "--dry-run", "-F0", "-d", boot.LINUX, "-i", patch], capture_output=True, text=True)
                self.assertEqual(0, tried.returncode, tried.stdout)
                self.assertNotIn("offset", tried.stdout, "its line numbers are not those of the series any more")
