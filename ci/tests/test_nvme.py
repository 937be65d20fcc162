# SPDX-License-Identifier: GPL-2.0
"""What rust_dma_nvme, a driver of ci/drivers, read is what is on the disk."""

import array
import operator
import re
import unittest

import boot
import cases
import claims
import guest
import root
from outcome import Outcome

DRIVER = root.TOP / "ci/drivers/rust_dma_nvme.rs"
SCRIPT = root.TOP / "ci/drivers/test_rust_dma_nvme.sh"
READ = re.compile(r"rust_dma_nvme \S+ read (\d+) bytes, (\d+) a transfer, (in order|at random), (\d) at a time: checksum (\w{16})")


def checksum(content):
    """As the driver's documentation has it."""
    words = array.array("Q", content)
    return f"{sum(map(operator.mul, words, range(1, 2 * len(words), 2))) % 2**64:016x}"


class Reads(boot.Case):
    OBJ, CONFIG = boot.Module.OBJ, ()
    # Where modprobe finds it.
    PLACE = """
        cd /lib/modules/* && cp /rust_dma_nvme.ko kernel/samples/rust/ || exit
        echo kernel/samples/rust/rust_dma_nvme.ko: >>modules.dep
    """
    RUN = "modprobe rust_dma_nvme && modprobe -r rust_dma_nvme"

    @classmethod
    def setUpClass(cls):
        cases.build(unittest.TestCase(), config=cls.CONFIG)

    def driver(self, *changes):
        """The driver, with some text in place of other text."""
        text = DRIVER.read_text()
        for old, new in changes:
            self.assertEqual(1, text.count(old), old)
            text = text.replace(old, new)
        return boot.Module(self, "nvme", "rust_dma_nvme", text, self.OBJ).ko()

    def guest(self, outcome, run, *arguments, driver=None):
        """Runs it; the console."""
        self.ends(outcome, "--add", driver or self.driver(), "--run", self.PLACE + run, *arguments)
        return (self.OBJ / "console.log").read_text()

    def reads(self, *arguments, smallest=512, largest=1 << 20, run=RUN, driver=None):
        """All of these sizes were read in all ways, and correctly; how many bytes of each, and the console."""
        console = self.guest(Outcome.PASS, run, *arguments, driver=driver)
        found = READ.findall(console)
        sizes = [1 << shift for shift in range(smallest.bit_length() - 1, largest.bit_length())]
        ways = [(str(size), order, readers) for size in sizes for readers in "14" for order in ("in order", "at random")]
        self.assertEqual(ways, [read[1:4] for read in found])
        disk = bytearray((self.OBJ / guest.DISK).read_bytes())
        sums = {length: checksum(disk[: int(length)]) for length in {read[0] for read in found}}
        for length, *_, sum_read in found:
            self.assertEqual(sum_read, sums[length])
        disk[1000] ^= 1  # so the comparison can fail
        self.assertNotIn(checksum(disk), sums.values())
        return {int(read[0]) for read in found}, console


class Nvme(Reads):
    # Says which CPUs the readers are seen on: those are the threads of the interrupts.
    WATCHED = """
        modprobe rust_dma_nvme & modprobe=$!
        while kill -0 $modprobe 2>/tmp/end; do
            for stat in /proc/[0-9]*/stat; do
                read -r line <$stat || continue
                [[ $line == *" (irq/"*"-rust_dma"*") "* ]] && set -- ${line##*) } && seen[${37}]=x
            done 2>/tmp/gone
            sleep 0.2
        done
        wait $modprobe && modprobe -r rust_dma_nvme && echo "CPUs: ${!seen[*]}"
    """

    def test_whole(self):
        """All of the disk at every size; those that read at the same time do so on several CPUs, as the scheduler likes."""
        driver = self.driver(("const TRANSFERS: u64 = 1024;", "const TRANSFERS: u64 = u64::MAX;"))
        lengths, console = self.reads("--disk", "64", "--qemu", "-smp 4,sockets=4", run=self.WATCHED, driver=driver)
        self.assertEqual({64 << 20}, lengths)
        self.assertLess(1, len(re.search(r"CPUs: ([\d ]+)", console)[1].split()))

    def test_script(self):
        """Bound and unbound, loaded and unloaded; no bus mastering in between."""
        run = "cp /test_rust_dma_nvme.sh /selftests/rust && cd /selftests/rust && ./test_rust_dma_nvme.sh"
        console = self.guest(Outcome.PASS, run, "--add", SCRIPT)
        self.assertIn("goodbye, 0 bytes parked", console)

    def test_claims(self):
        self.assertEqual([], claims.wrong(DRIVER.read_text()))

    def test_bounced(self):
        self.reads("--append", "swiotlb=force")

    def test_large_blocks(self):
        self.reads("--qemu", "-global nvme.logical_block_size=4096 -global nvme.physical_block_size=4096", smallest=4096)

    def test_small_queue(self):
        """There are fewer entries than there would be buffers."""
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
        cp /test_rust_dma_nvme.sh /selftests/rust && cd /selftests/rust && echo 1 >/sys/bus/pci/devices/0000:00:02.0/remove || exit
        ./test_rust_dma_nvme.sh >/tmp/said || { sed 's/^/# /' /tmp/said; exit 1; }
        [ "$(grep -c '^ok .* # SKIP$' /tmp/said)" = 8 ] || exit
        echo 1 >/sys/bus/pci/devices/0000:00:03.0/remove && modprobe rust_dma_nvme && modprobe -r rust_dma_nvme || exit
        ./test_rust_dma_nvme.sh >/tmp/said
        [ $? = 4 ]
    """

    def test_nothing_to_read(self):
        """A controller without a namespace; and no controller."""
        console = self.guest(Outcome.PASS, self.NONE, "--add", SCRIPT, "--qemu", "-device nvme,serial=EMPTY")
        self.assertIn("rust_dma_nvme 0000:00:03.0: no namespace", console)

    # A disk that needs a second for everything is driven by who waits for a fifth of that. When he has given up, others get memory.
    LATE = "-drive driver=null-co,if=none,id=late,size=16M,latency-ns=1000000000,read-zeroes=on -device nvme,drive=late,serial=LATE"
    IMPATIENT = "const TIMEOUT: Msecs = 10_000;", "const TIMEOUT: Msecs = 100;"
    OTHERS = (
        "work.free_buffers();\n                return",
        """work.free_buffers();
                let mut others = KVec::new();
                for _ in 0..512 {
                    others.push(VVec::from_elem(0xeeu8, PAGE_SIZE, GFP_KERNEL)?, GFP_KERNEL)?;
                }
                fsleep(Delta::from_millis(2000));
                let same = |other: &VVec<u8>| other.iter().all(|byte| *byte == 0xee);
                pr_info!("memory of others: {}\\n", if others.iter().all(same) { "whole" } else { "changed" });
                return""",
    )
    ONLY_LATE = """
        echo 1 >/sys/bus/pci/devices/0000:00:02.0/remove && modprobe rust_dma_nvme || exit
        ! ls /sys/bus/pci/drivers/rust_dma_nvme | grep 0000: && modprobe -r rust_dma_nvme
    """

    def late(self, *changes):
        console = self.guest(Outcome.PASS, self.ONLY_LATE, "--qemu", self.LATE, driver=self.driver(self.IMPATIENT, self.OTHERS, *changes))
        # ETIMEDOUT, without CONFIG_SYMBOLIC_ERRNAME.
        self.assertIn("rust_dma_nvme 0000:00:03.0: failed: Error(110)", console)
        parked = int(re.search(r"goodbye, (\d+) bytes parked", console)[1])
        return parked, re.search(r"memory of others: (\w+)", console)[1]

    def test_late(self):
        """Buffers that are given up are parked: what the controller writes to them later changes nobody else's memory."""
        self.assertEqual((256 * 512, "whole"), self.late())
