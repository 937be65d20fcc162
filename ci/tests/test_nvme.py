# SPDX-License-Identifier: GPL-2.0
"""What rust_dma_nvme read is what is on the disk."""

import array
import operator
import re

import boot
import guest
from outcome import Outcome

READ = re.compile(r"rust_dma_nvme \S+ read (\d+) bytes, (\d+) a transfer, (in order|at random), (\d) at a time: checksum (\w{16})")


def checksum(content):
    """As the driver's documentation has it."""
    words = array.array("Q", content)
    return f"{sum(map(operator.mul, words, range(1, 2 * len(words), 2))) % 2**64:016x}"


class Nvme(boot.Case):
    RUN = "modprobe rust_dma_nvme && modprobe -r rust_dma_nvme"

    def reads(self, *arguments, sizes):
        self.ends(Outcome.PASS, "--run", self.RUN, *arguments)
        obj = boot.Module.OBJ
        found = READ.findall((obj / "console.log").read_text())
        self.assertEqual(len(found), 4 * sizes)
        disk = bytearray((obj / guest.DISK).read_bytes())
        sums = {size: checksum(disk[: int(size)]) for size in {read[0] for read in found}}
        for size, *_, sum_read in found:
            self.assertEqual(sum_read, sums[size])
        disk[1000] ^= 1  # so the comparison can fail
        self.assertNotIn(checksum(disk), sums.values())

    def test_plain(self):
        self.reads(sizes=12)

    def test_bounced(self):
        self.reads("--append", "swiotlb=force", "--qemu", "-smp 4,sockets=4", sizes=12)

    def test_large_blocks(self):
        self.reads("--qemu", "-global nvme.logical_block_size=4096 -global nvme.physical_block_size=4096", sizes=9)

    def test_small_transfers(self):
        self.reads("--qemu", "-global nvme.mdts=1", sizes=5)
