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


class Reads(boot.Case):
    RUN = "modprobe rust_dma_nvme && modprobe -r rust_dma_nvme"

    def reads(self, *arguments, smallest=512, largest=1 << 20, run=RUN, obj=boot.Module.OBJ):
        """All of these sizes were read in all ways, and correctly; how many bytes of each, and the console."""
        self.ends(Outcome.PASS, "--run", run, *arguments)
        console = (obj / "console.log").read_text()
        found = READ.findall(console)
        sizes = [1 << shift for shift in range(smallest.bit_length() - 1, largest.bit_length())]
        ways = [(str(size), order, readers) for size in sizes for readers in "14" for order in ("in order", "at random")]
        self.assertEqual(ways, [read[1:4] for read in found])
        disk = bytearray((obj / guest.DISK).read_bytes())
        sums = {length: checksum(disk[: int(length)]) for length in {read[0] for read in found}}
        for length, *_, sum_read in found:
            self.assertEqual(sum_read, sums[length])
        disk[1000] ^= 1  # so the comparison can fail
        self.assertNotIn(checksum(disk), sums.values())
        return {int(read[0]) for read in found}, console


class Nvme(Reads):
    # Says which CPUs the readers are seen on: those are the workers of this queue.
    WATCHED = """
        cp /rust_dma_nvme.ko /lib/modules/*/kernel/samples/rust/ || exit
        modprobe rust_dma_nvme & modprobe=$!
        while kill -0 $modprobe 2>/tmp/end; do
            for stat in /proc/[0-9]*/stat; do
                read -r line <$stat || continue
                [[ $line == *"+events_unbound) "* ]] && set -- ${line##*) } && seen[${37}]=x
            done 2>/tmp/gone
            sleep 0.2
        done
        wait $modprobe && modprobe -r rust_dma_nvme && echo "CPUs: ${!seen[*]}"
    """

    def test_whole(self):
        """All of the disk at every size, and the four that read at the same time do so on four CPUs."""
        text = (boot.LINUX / "samples/rust/rust_dma_nvme.rs").read_text()
        option = "cfg!(CONFIG_SAMPLE_RUST_DMA_NVME_WHOLE)"
        self.assertEqual(1, text.count(option))
        module = boot.Module(self, "nvme", "rust_dma_nvme", text.replace(option, "true"))
        lengths, console = self.reads("--disk", "64", "--add", module.ko(), "--qemu", "-smp 4,sockets=4", run=self.WATCHED)
        self.assertEqual({64 << 20}, lengths)
        self.assertIn("CPUs: 0 1 2 3\n", console)

    def test_bounced(self):
        self.reads("--append", "swiotlb=force")

    def test_large_blocks(self):
        self.reads("--qemu", "-global nvme.logical_block_size=4096 -global nvme.physical_block_size=4096", smallest=4096)

    def test_small_queue(self):
        """Readers wait for each other, as there are fewer entries than they have buffers."""
        self.reads("--qemu", "-global nvme.mqes=31")

    def test_small_transfers(self):
        """With no more than two pages, there are no lists of them."""
        self.reads("--qemu", "-global nvme.mdts=1", largest=8192)

    def test_other_controllers(self):
        """They are left alone until their numbers are given."""
        driver = "/sys/bus/pci/drivers/rust_dma_nvme"
        run = f"modprobe rust_dma_nvme && ! ls {driver} | grep 0000: && echo 8086 5845 >{driver}/new_id && modprobe -r rust_dma_nvme"
        self.reads("--qemu", "-global nvme.use-intel-id=on", run=run)

    # The disk's controller goes away, and then the one without a disk.
    NONE = """
        cd /selftests/rust && echo 1 >/sys/bus/pci/devices/0000:00:02.0/remove || exit
        ./test_rust_dma_nvme.sh >/tmp/said || { sed 's/^/# /' /tmp/said; exit 1; }
        [ "$(grep -c '^ok .* # SKIP$' /tmp/said)" = 8 ] || exit
        echo 1 >/sys/bus/pci/devices/0000:00:03.0/remove && modprobe rust_dma_nvme && modprobe -r rust_dma_nvme || exit
        ./test_rust_dma_nvme.sh >/tmp/said
        [ $? = 4 ]
    """

    def test_nothing_to_read(self):
        """A controller without a namespace; and no controller."""
        self.ends(Outcome.PASS, "--qemu", "-device nvme,serial=EMPTY", "--run", self.NONE)
        self.assertIn("rust_dma_nvme 0000:00:03.0: no namespace", (boot.Module.OBJ / "console.log").read_text())
