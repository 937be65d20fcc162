# SPDX-License-Identifier: GPL-2.0
"""The drivers of ci/drivers, in the guest: an edu device moves data by every kind of mapping."""

import re
import shutil

import boot
import cases
import root
import standin
from outcome import Outcome

DRIVERS = root.TOP / "ci/drivers"


class Mapped(boot.Case):
    """With as much memory as edu reaches; and with bounce buffers, so that a sync left out is seen."""

    def setUp(self):
        standin.machine(self)  # Clippy is in the whole build root
        cases.build(self)

    def made(self, name, text):
        module = boot.Module(self, name, name, text)
        shutil.copy(root.TOP / "ci/cases/edu.rs", module.directory)
        made, said = module.make("CLIPPY=1", "modules")
        self.assertTrue(made, said)
        # objtool of 6.12 does not know all functions of Rust that don't return.
        self.assertEqual([], [line for line in said.splitlines() if "warning" in line and "objtool: " not in line])
        self.assertNotIn("unsafe", text)
        return module

    def run_in_guest(self, module, *arguments):
        """What a driver says of its tests: how many are ok, and which are not."""
        name = module.name
        run = f"insmod /{name}.ko && ls -d /sys/bus/pci/drivers/{name}/0* && rmmod {name}"
        status, output = boot.boot_test("--add", module.directory / f"{name}.ko", "--qemu", "-device edu -m 256M", *arguments, "--run", run)
        self.assertIn(status, (Outcome.PASS, Outcome.TEST_FAILED), output)
        console = (module.obj / "console.log").read_text(errors="replace")
        bad = re.findall(rf"{name}.* (not ok .*)$", console, re.M)
        return status, len(re.findall(rf"{name}.* ok \d+ ", console)) - len(bad), bad

    def passes(self, name, count):
        module = self.made(name, (DRIVERS / f"{name}.rs").read_text())
        for arguments in (), ("--append", "swiotlb=force"):
            with self.subTest(arguments):
                self.assertEqual((Outcome.PASS, count, []), self.run_in_guest(module, *arguments))

    def test_streaming(self):
        self.passes("edu_streaming", 2 * 17)

    def test_scatter_gather_and_pools(self):
        self.passes("edu_sg_pool", 2 * 10)

    def test_that_it_can_fail(self):
        """A guard that is leaked does not sync for the device, which then reads what was there before."""
        name = "edu_streaming"
        text = (DRIVERS / f"{name}.rs").read_text()
        wrong, count = re.subn(r"fill\(&mut (\w+)\.for_cpu\(\)", r"fill(&mut core::mem::ManuallyDrop::new(\1.for_cpu())", text)
        self.assertTrue(count)
        status, _, bad = self.run_in_guest(self.made(name, wrong), "--append", "swiotlb=force")
        self.assertEqual(Outcome.TEST_FAILED, status)
        self.assertTrue(bad)
