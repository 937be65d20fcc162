# SPDX-License-Identifier: GPL-2.0
"""The cases in every configuration, more often, and with faults."""

import re

import arch
import boot
import cases
import root

CONFIG = root.TOP / "ci/config"
IOMMU = arch.ARCHES["x86_64"].iommu


class Configuration:
    """What all have: the kernel is built, and passes its own tests; then the cases pass."""

    config = arguments = ()
    groups, times, least = "bind info other load shells suspend runtime remove gone platform cases shutdown", 100, 130

    def test_cases(self):
        options = [word for file in self.config for word in ("--config", CONFIG / file)] + list(self.arguments)
        # Some take minutes for what others do in seconds.
        options += ["--timeout", "3600", "--silence", "600"]
        self.ends(0, *options)
        obj = boot.Module.OBJ.with_name("-".join(["x86_64", *(file.partition(".")[0] for file in self.config)]))
        status, output, module = cases.guest(self, self.groups, *options, obj=obj, times=self.times)
        self.assertEqual(status, 0, output)
        console = (module.obj / "console.log").read_text(errors="replace")
        self.assertEqual([], [words for words in self.shows if not re.search(words, console)], "not said by the guest")
        cases.shut_down(self, console)
        if "nothing can be mapped" not in "".join(self.shows):
            self.assertFalse("nothing can be mapped" in console, "the device does not reach all of the memory")
        self.assertGreater(cases.passed(output), self.least)
        self.note = f"{cases.passed(output)} cases"

    # What the guest says when it is what it should be.
    shows = ()


class Plain(Configuration, boot.Case):
    """1,000 times bound, 200 times loaded."""

    times = 1000


class Debug(Configuration, boot.Case):
    """All of the kernel's detectors; and each allocation fails once."""

    config = ("debug.config", IOMMU.config)
    # An interpreter of ACPI that was out of memory once uses memory that it has freed: KASAN says so. Of a ramdisk that was moved and
    # freed, kmemleak is not told, and reads what is not mapped then.
    arguments = ("--append", "acpi=off retain_initrd")
    groups = "faults " + Configuration.groups
    shows = ("kmemleak: nothing",)


class Iommu(Configuration, boot.Case):
    """Intel's IOMMU, strict, with the same kernel. It holds off a device that goes on where it must not."""

    config = Debug.config
    # Each binding takes seconds, with an IOMMU that is emulated; and four shells wait for one another.
    arguments = ("--qemu", IOMMU.qemu, "--append", "sysctl.kernel.hung_task_timeout_secs=120")
    times = 20
    shows = (
        r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O", "DMA domain TLB invalidation policy: strict mode",
        "the IOMMU held the device off",
    )  # fmt: skip


class Swiotlb(Configuration, boot.Case):
    """All mappings bounce."""

    arguments = ("--append", "swiotlb=force")
    shows = (r"cases\.sh: bounce buffers: [1-9]\d* slots at once",)


class Uniprocessor(Configuration, boot.Case):
    """One processor: a spinlock is nothing in C."""

    config = ("uniprocessor.config",)


class Memory(Configuration, boot.Case):
    """Much more memory than the device reaches."""

    arguments = ("--qemu", "-m 4G")
    shows = ("dma_cases: nothing can be mapped",)
