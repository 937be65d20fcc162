# SPDX-License-Identifier: GPL-2.0
"""Drivers without `unsafe` break nothing under KASAN, with an IOMMU's driver in the kernel; its kernel is one of its own."""

import arch
import root
import test_attacks


class Kasan(test_attacks.Runs):
    CONFIG = (root.TOP / "ci/config/debug.config", root.TOP / "ci/config" / arch.ARCHES["x86_64"].iommu.config)

    def test_attacks(self):
        self.attacks()
