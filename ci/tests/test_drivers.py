# SPDX-License-Identifier: GPL-2.0
"""The drivers of ci/drivers, in the guest: an edu device moves data by every kind of mapping."""

import re
import shutil
import unittest

import boot
import cases
import claims
import root
import standin
from outcome import BAD, Outcome

DRIVERS = root.TOP / "ci/drivers"


class Claims(unittest.TestCase):
    """What holds the drivers to claims can fail."""

    GOOD = """
        // SAFETY: The run bit is clear.
        let buffer = unsafe { mapping.unmap() };
        // SAFETY: The entry of its completion was read.
        unsafe { self.list.free() };
    """

    def test_good(self):
        self.assertEqual([], claims.wrong(self.GOOD))

    def test_edu(self):
        self.assertEqual([], claims.wrong((root.TOP / "ci/cases/edu.rs").read_text()))

    def test_bad(self):
        for old, new, says in (
            ("// SAFETY: The run bit is clear.", "", "does not say why"),
            ("The run bit is clear", "Ought to be fine", "names no bit"),
            ("mapping.unmap()", "&*mapping.as_ptr()", "not a claim"),
            ("mapping.unmap()", "mapping.assume()", "not a claim: assume"),
            ("unsafe { self.list.free() };", "unsafe { mapping.unmap() };", "claimed twice"),
            ("unsafe { self", "unsafe fn f() { self", "not a claim"),
        ):
            with self.subTest(says):
                self.assertIn(says, " ".join(claims.wrong(self.GOOD.replace(old, new))))


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
        return module

    def run_in_guest(self, module, *arguments):
        """What a driver says of its tests: how many are ok, and which are not."""
        name = module.name
        run = f"insmod /{name}.ko && ls -d /sys/bus/pci/drivers/{name}/0* && rmmod {name}"
        status, output = boot.boot_test("--add", module.directory / f"{name}.ko", "--qemu", "-device edu -m 256M", *arguments, "--run", run)
        self.assertIn(status, (Outcome.PASS, *BAD), output)
        console = (module.obj / "console.log").read_text(errors="replace")
        bad = re.findall(rf"{name}.* (not ok .*)$", console, re.M)
        return status, len(re.findall(rf"{name}.* ok \d+ ", console)) - len(bad), bad

    def passes(self, name, count):
        text = (DRIVERS / f"{name}.rs").read_text()
        self.assertEqual([], claims.wrong(text))
        module = self.made(name, text)
        for arguments in (), ("--append", "swiotlb=force"):
            with self.subTest(arguments):
                self.assertEqual((Outcome.PASS, count, []), self.run_in_guest(module, *arguments))

    def test_streaming(self):
        self.passes("edu_streaming", 2 * 19)

    def test_scatter_gather_and_pools(self):
        self.passes("edu_sg_pool", 2 * 12)

    def test_that_it_can_fail(self):
        """A guard that is leaked does not sync for the device, which then reads what was there before."""
        status, bad = self.fails("edu_streaming", r"fill\(&mut (\w+)\.for_cpu\(\)", r"fill(&mut core::mem::ManuallyDrop::new(\1.for_cpu())", "--append", "swiotlb=force")
        self.assertEqual(Outcome.TEST_FAILED, status)
        self.assertTrue(bad)

    def fails(self, name, old, new, *arguments):
        """How a guest ends with a driver in which something is wrong, and what is not ok."""
        text = (DRIVERS / f"{name}.rs").read_text()
        wrong, count = re.subn(old, lambda found: found.expand(new), text, count=1)
        self.assertTrue(count)
        status, _, bad = self.run_in_guest(self.made(name, wrong), *arguments)
        return status, {line.split(maxsplit=3)[3].split(" #")[0].split(",")[0] for line in bad}

    def late(self, name, what, claim):
        """With a claim that does not hold in place of a drop, a device that is late changes the memory of others."""
        old = rf"drop\({what}\);\n(?:        let parked = .*\n)?        check!\((?:.|\n)*?\);\n"
        status, bad = self.fails(name, old, f"let _ = before;\n        // SAFETY: None: this is wrong.\n        {claim}\n")
        # Whose memory the device wrote to is chance: the kernel may see it before the driver does.
        self.assertIn(status, BAD)
        self.assertTrue(bad or status != Outcome.TEST_FAILED)
        self.assertTrue(all("late" in test for test in bad), bad)

    def test_late_mapping(self):
        self.late("edu_streaming", "target", "drop(unsafe { target.unmap() });")

    def test_late_table(self):
        self.late("edu_sg_pool", "table", "drop(unsafe { table.unmap() });")

    def test_late_object(self):
        self.late("edu_sg_pool", "object", "unsafe { object.free() };")
