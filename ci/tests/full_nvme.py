# SPDX-License-Identifier: GPL-2.0
"""The disk is read behind an IOMMU, too."""

import arch
import boot
import root
import test_nvme

IOMMU = arch.ARCHES["x86_64"].iommu


class Iommu(test_nvme.Reads):
    """Intel's, strict. Its kernel is one of its own."""

    OBJ, CONFIG = boot.Module.OBJ.with_name("x86_64-iommu"), (root.TOP / "ci/config" / IOMMU.config,)
    SHOWN = "[ -e /sys/bus/pci/devices/0000:00:02.0/iommu_group ] && "

    def test_reads(self):
        self.reads("--config", *self.CONFIG, "--qemu", IOMMU.qemu, run=self.SHOWN + self.RUN)
