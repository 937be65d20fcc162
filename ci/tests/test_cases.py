# SPDX-License-Identifier: GPL-2.0
"""The cases of ci/cases, in the guest, in the plain configuration; see full_*.py for the others."""

import boot
import cases
import root


class Plain(boot.Case):
    def test_cases(self):
        cases.build(self)
        status, output, module = cases.guest(self, "bind info other load shells suspend runtime remove gone platform cases shutdown")
        self.assertEqual(status, 0, output)
        cases.shut_down(self, (module.obj / "console.log").read_text(errors="replace"))
        self.note = f"{cases.passed(output)} cases"
        self.assertGreater(cases.passed(output), 130)

    def test_format(self):
        module = boot.Module(self, "cases", "dma_cases", root.TOP / "ci/cases")
        for module.name in "dma_cases", "platform_cases":
            good, said = module.rustfmt()
            self.assertTrue(good, said)


class Planted(boot.Case):
    def test_faults_are_where_they_should_be(self):
        cases.build(self)
        for patch in sorted((root.TOP / "ci/planted").glob("*.patch")):
            with self.subTest(patch.name):
                cases.plant(self, patch, boot.LINUX, "--check")
