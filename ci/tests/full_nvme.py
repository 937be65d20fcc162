# SPDX-License-Identifier: GPL-2.0
"""The disk is read behind an IOMMU, too."""

import arch
import boot
import root
import test_nvme


class Iommu(test_nvme.Reads):
    """Intel's, strict. Its kernel is one of its own."""

    OBJ = boot.Module.OBJ.with_name("x86_64-iommu")
    SHOWN = "[ -e /sys/bus/pci/devices/0000:00:02.0/iommu_group ] && "

    def test_reads(self):
        iommu = arch.ARCHES["x86_64"].iommu
        arguments = "--config", root.TOP / "ci/config" / iommu.config, "--qemu", iommu.qemu
        self.reads(*arguments, run=self.SHOWN + self.RUN, obj=self.OBJ)
