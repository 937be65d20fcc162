# SPDX-License-Identifier: GPL-2.0
"""The sample's test goes red when the device's answer, the mask, or one byte of a copy is wrong."""

import boot
import claims
from outcome import Outcome


class Device(boot.Case):
    def test_transfers_that_arrive_elsewhere(self):
        """The device drops the upper bits of every address."""
        output = self.ends(Outcome.TEST_FAILED, "--qemu", "-global edu.dma_mask=0xfff")
        self.assertIn("failed: test_rust_dma.sh: load: transfer 1", output)
        self.assertIn("64 bytes at 7: failed", (boot.Module.OBJ / "console.log").read_text())


class Driver(boot.Case):
    """The sample with one thing changed, in place of the one that was built with the kernel."""

    RUN = (
        "cp /rust_dma.ko /lib/modules/*/kernel/samples/rust/ && cd /selftests/rust || exit;"
        "./test_rust_dma.sh | sed -n 's/^not ok/# not ok/p'; exit ${PIPESTATUS[0]}"
    )

    def sample(self, outcome, old="", new="", *arguments):
        text = (boot.LINUX / "samples/rust/rust_dma.rs").read_text()
        self.assertIn(old, text)
        module = boot.Module(self, "sample", "rust_dma", text.replace(old, new, 1))
        good, said = module.make("modules")
        self.assertTrue(good, said)
        self.ends(outcome, "--add", module.directory / "rust_dma.ko", "--run", self.RUN, *arguments)
        return (module.OBJ / "console.log").read_text()

    BOUNCED = "--append", "swiotlb=force"

    def test_unchanged(self):
        """What the CPU writes to a buffer gets to the copy that the device reads."""
        self.sample(Outcome.PASS, "", "", *self.BOUNCED)

    def test_answer(self):
        """Another register than the one that answers with the complement."""
        console = self.sample(Outcome.TEST_FAILED, "LIVENESS: usize = 0x04", "LIVENESS: usize = 0x08")
        self.assertIn("not ok 2 load: the device is bound", console)

    def test_mask(self):
        """No memory is within so few bits."""
        console = self.sample(Outcome.TEST_FAILED, "DmaMask::new::<ADDRESS_LINES>()", "DmaMask::new::<10>()")
        self.assertIn("no DMA to 28-bit addresses", console)

    def test_one_byte(self):
        """The 101st byte is not what was sent."""
        sent = "self.source.copy_from_slice(bytes);"
        console = self.sample(Outcome.TEST_FAILED, sent, sent + "\n        io_project!(self.source, [try: 100..101]).copy_from_slice(&[!bytes[100]]);")
        self.assertNotIn("not ok 4 load: transfer 1", console)
        self.assertIn("not ok 5 load: transfer 2", console)

    STREAMED = "source.for_cpu().copy_from_slice(bytes);"

    def test_one_byte_streamed(self):
        """The same, by streaming mappings."""
        console = self.sample(Outcome.TEST_FAILED, self.STREAMED, self.STREAMED + "\n        source.for_cpu()[100] ^= 1;")
        self.assertNotIn("not ok 8 load: streaming transfer 1", console)
        self.assertIn("not ok 9 load: streaming transfer 2", console)

    def test_not_streamed(self):
        """Streaming mappings are not used, and nothing is said."""
        console = self.sample(Outcome.TEST_FAILED, "edu.mapped.lock().is_some()", "edu.mapped.lock().is_none()")
        self.assertIn("not ok 8 load: streaming transfer 1", console)

    def test_not_synced(self):
        """It doesn't, since the guard is leaked."""
        leaked = self.STREAMED.replace("source.for_cpu()", "core::mem::ManuallyDrop::new(source.for_cpu())")
        console = self.sample(Outcome.TEST_FAILED, self.STREAMED, leaked, *self.BOUNCED)
        self.assertNotIn("not ok 7 load: transfer 4", console)
        self.assertIn("not ok 8 load: streaming transfer 1", console)

    SUSPENDED = "every transfer was waited for.\n        edu.acknowledge();\n        Ok(())"

    def test_not_suspended(self):
        """The driver refuses."""
        console = self.sample(Outcome.TEST_FAILED, self.SUSPENDED, self.SUSPENDED.replace("Ok(())", "Err(EBUSY)"))
        self.assertNotIn("not ok 25 bind: the device may master the bus", console)
        self.assertIn("not ok 26 suspend 20 times", console)
        self.assertIn("not ok 27 suspend: a transfer after each time", console)

    def test_late(self):
        """A device that takes longer than the driver waits: what it may still write to is parked, and freed at the end."""
        text = (boot.LINUX / "samples/rust/rust_dma.rs").read_text()
        for old, new in ("const TIMEOUT: Msecs = 2000;", "const TIMEOUT: Msecs = 20;"), ('edu.transfers(dev, "transfer", &RANGES, Edu::coherent)?;', ""):
            self.assertIn(old, text)
            text = text.replace(old, new)
        # It is not used any more.
        text = text.replace("    fn coherent(", "    #[allow(dead_code)]\n    fn coherent(")
        module = boot.Module(self, "sample", "rust_dma", text)
        run = "insmod /rust_dma.ko; ! ls /sys/bus/pci/drivers/rust_dma | grep 0000: && rmmod rust_dma"
        self.ends(Outcome.PASS, "--add", module.ko(), "--run", run)
        console = (module.OBJ / "console.log").read_text()
        self.assertIn("streaming transfer 1/4: 64 bytes at 7: failed", console)
        self.assertIn("goodbye, 4096 bytes parked", console)


class Mastering(boot.Case):
    """It is turned on by a reset where there is one, and else by a claim."""

    def test_claims(self):
        self.assertEqual([], claims.wrong((boot.LINUX / "samples/rust/rust_dma.rs").read_text()))

    def test_reset(self):
        """Behind a port of its own, the device is reset with its bus; on the root bus there is no way."""
        slot = "-device pcie-root-port,id=behind,chassis=1 -device edu,bus=behind"
        self.ends(Outcome.PASS, "--qemu", slot, "--run", "modprobe rust_dma && modprobe -r rust_dma")
        console = (boot.Module.OBJ / "console.log").read_text()
        self.assertRegex(console, r"rust_dma 0000:00:\S+: is at rest\n")
        self.assertRegex(console, r"rust_dma 0000:01:\S+: was reset\n")
        self.assertEqual(2, console.count("transfer 4/4: 4096 bytes at 0: ok") // 2)
