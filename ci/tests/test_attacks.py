# SPDX-License-Identifier: GPL-2.0
"""Drivers without `unsafe` break nothing; see ci/attacks. In one guest; full_attacks has them under KASAN."""

import re

import boot
import cases
import root

DIRECTORY = root.TOP / "ci/attacks"
# The one that is bound by several shells comes last.
ATTACKS = "guard_utf8 unmap_uaf irq_drop init_again other_core unbind_busy".split()


class Runs(boot.Case):
    CONFIG = ()

    def attacks(self):
        cases.build(self, config=list(self.CONFIG))
        place = boot.Module.OBJ.with_name("-".join(["x86_64", *(file.stem for file in self.CONFIG)]))
        module = boot.Module(self, "attacks", ATTACKS[0], DIRECTORY, place)
        made, said = module.make("modules")
        self.assertTrue(made, said)
        files = [DIRECTORY / "attacks.sh", *(module.directory / f"{attack}.ko" for attack in ATTACKS)]
        options = [word for file in self.CONFIG for word in ("--config", file)] + [word for file in files for word in ("--add", file)]
        status, output = boot.boot_test(
            "--timeout", "900", *cases.PATIENCE, *options, "--append", "acpi=off", "--qemu", cases.DEVICES, "--run", f"bash /attacks.sh 10 {' '.join(ATTACKS)}"
        )
        self.assertEqual(status, 0, output)
        self.assertEqual(cases.passed(output), len(ATTACKS))
        self.note = f"{len(ATTACKS)} attacks"


class Attacks(Runs):
    def test_attacks(self):
        self.attacks()

    def test_no_unsafe(self):
        """A driver that claims something is no attack."""
        for attack in ATTACKS:
            code = re.sub(r"//.*", "", (DIRECTORY / f"{attack}.rs").read_text())
            self.assertNotRegex(code, r"\bunsafe\b", attack)

    def test_format(self):
        module = boot.Module(self, "attacks-format", "attacks", DIRECTORY)
        for module.name in ATTACKS:
            good, said = module.rustfmt()
            self.assertTrue(good, said)
