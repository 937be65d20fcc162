# SPDX-License-Identifier: GPL-2.0
"""rust_virtio_rng, a platform driver of ci/drivers, moves data; and a driver is found by ACPI."""

import re

import arch
import boot
import cases
import claims
import root
import virtio
from outcome import Outcome

IOMMU = root.TOP / "ci/config" / arch.ARCHES["x86_64"].iommu.config
# What is in its tables for the device that a PC of the emulator's has, and for others.
ACPI = """//! Is found by ACPI.

    use kernel::{acpi, device::Core, init::pin_init_scope, of, platform, prelude::*};

    struct Driver;

    kernel::of_device_table!(OF, u32, [(of::DeviceId::new(c"vendor,device"), 1)]);
    kernel::acpi_device_table!(
        ACPI,
        u32,
        [
            (acpi::DeviceId::new(c"ABCD0001"), 2),
            (acpi::DeviceId::new(c"QEMU0002"), 3),
        ]
    );

    impl platform::Driver for Driver {
        type IdInfo = u32;
        type Data<'bound> = ();

        const OF_ID_TABLE: Option<of::IdTable<u32>> = Some(&OF);
        const ACPI_ID_TABLE: Option<acpi::IdTable<u32>> = Some(&ACPI);

        fn probe<'bound>(
            dev: &'bound platform::Device<Core<'_>>,
            info: Option<&'bound u32>,
        ) -> impl PinInit<(), Error> + 'bound {
            pin_init_scope(move || {
                dev_info!(dev, "info {info:?}\\n");
                Ok(())
            })
        }
    }

    kernel::module_platform_driver! {
        type: Driver,
        name: "by_acpi",
        authors: ["the maintainers"],
        description: "Is found by ACPI",
        license: "GPL",
    }
"""


class Virtio(boot.Case):
    """There is no bus that could keep the device from memory."""

    def test_arm64(self):
        self.assertEqual([], virtio.wrong(self, "arm64"))

    def test_riscv64(self):
        self.assertEqual([], virtio.wrong(self, "riscv64"))

    def test_no_claim(self):
        """What was parked, and what was in the data, is lost, and the bus says so."""
        self.assertEqual([], virtio.wrong(self, "arm64", "lost"))

    def test_early_claim(self):
        """So it is if the claim was one for `probe`."""
        self.assertEqual([], virtio.wrong(self, "arm64", "early"))

    def test_failing_probe(self):
        """It loses nothing after such a claim."""
        self.assertEqual([], virtio.wrong(self, "arm64", "fails"))

    def test_claims(self):
        text = virtio.DRIVER.read_text()
        self.assertEqual([], claims.wrong(text))
        self.assertEqual(1, len(re.findall(r"^ *unsafe \{", text, re.M)))


class Acpi(boot.Case):
    def test_info(self):
        cases.build(self, config=[IOMMU])
        obj = boot.Module.OBJ.with_name(f"x86_64-{IOMMU.stem}")
        module = boot.Module(self, "acpi", "by_acpi", ACPI, obj)
        run = "insmod /by_acpi.ko && [ -e /sys/bus/platform/drivers/by_acpi/QEMU0002:00 ] && rmmod by_acpi"
        self.ends(Outcome.PASS, "--config", IOMMU, "--add", module.ko(), "--run", run)
        self.assertIn("by_acpi QEMU0002:00: info Some(3)", (obj / "console.log").read_text())
