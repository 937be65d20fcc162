# SPDX-License-Identifier: GPL-2.0
"""The sample's test goes red when the device's answer, the mask, or one byte of a copy is wrong."""

import boot
from outcome import Outcome


class Device(boot.Case):
    def test_transfers_that_arrive_elsewhere(self):
        """The device drops the upper bits of every address."""
        output = self.ends(Outcome.TEST_FAILED, "--qemu", "-global edu.dma_mask=0xfff")
        self.assertIn("failed: test_rust_dma.sh: load: transfer 1", output)
        self.assertIn("1 bytes at 0: failed", output)


class Driver(boot.Case):
    """The sample with one thing changed, in place of the one that was built with the kernel."""

    RUN = (
        "cp /rust_dma.ko /lib/modules/*/kernel/samples/rust/ && cd /selftests/rust || exit;"
        "./test_rust_dma.sh | sed -n 's/^not ok/# not ok/p'; exit ${PIPESTATUS[0]}"
    )

    def sample(self, outcome, old="", new=""):
        text = (boot.LINUX / "samples/rust/rust_dma.rs").read_text()
        self.assertIn(old, text)
        module = boot.Module(self, "sample", "rust_dma", text.replace(old, new, 1))
        good, said = module.make("modules")
        self.assertTrue(good, said)
        self.ends(outcome, "--add", module.directory / "rust_dma.ko", "--run", self.RUN)
        return (module.OBJ / "console.log").read_text()

    def test_unchanged(self):
        self.sample(Outcome.PASS)

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
        sent = "self.source.copy_from_slice(0, &expected)?;"
        console = self.sample(Outcome.TEST_FAILED, sent, sent + "\n        expected[100] ^= 1;")
        self.assertNotIn("not ok 6 load: transfer 3", console)
        self.assertIn("not ok 7 load: transfer 4", console)
