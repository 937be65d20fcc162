# SPDX-License-Identifier: GPL-2.0
"""rust_e1000, a driver of ci/drivers: frames go both ways, and it is unbound with some under way."""

import re

import boot
import cases
import claims
import root
import standin
from outcome import Outcome

NAME = "rust_e1000"
DRIVER = root.TOP / f"ci/drivers/{NAME}.rs"
# The emulator answers by itself; nothing gets out to the host.
NIC = "-nic user,restrict=on,model=e1000"
TIMES = 3
UNBIND = f"""
    insmod /{NAME}.ko && cd /sys/bus/pci/drivers/{NAME} && dev=$(echo 0000:*) && [ -e "$dev" ] || exit
    for ((i = 1; i < {TIMES}; i++)); do
        sleep 0.2
        echo $dev >unbind && ! [ -e $dev ] || exit
        command=$(od -A n -t u1 -j 4 -N 1 /sys/bus/pci/devices/$dev/config)
        [ $((command & 4)) = 0 ] && echo $dev >bind && [ -e $dev ] || exit
    done
    sleep 0.2
    cd / && rmmod {NAME}
"""


class E1000(boot.Case):
    def setUp(self):
        standin.machine(self)  # Clippy is in the whole build root
        cases.build(self)

    def guest(self, *arguments, changes=(), run=UNBIND):
        """How it ends with the driver, in which some text is in place of other text; and what is on the console."""
        text = DRIVER.read_text()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        module = boot.Module(self, "e1000", NAME, text)
        made, said = module.make("CLIPPY=1", "modules")
        self.assertTrue(made, said)
        if not changes:
            good, complaints = module.rustfmt()
            self.assertTrue(good, complaints)
            # objtool of 6.12 does not know all functions of Rust that don't return.
            self.assertEqual([], [line for line in said.splitlines() if "warning" in line and "objtool: " not in line])
        status, output = boot.boot_test(*cases.PATIENCE, *arguments, "--qemu", NIC, "--add", module.directory / f"{NAME}.ko", "--run", run)
        self.output = output
        return status, (module.obj / "console.log").read_text(errors="replace")

    def passes(self, *arguments):
        """Each time all questions were answered, and then some, until the driver was unbound."""
        status, console = self.guest(*arguments)
        self.assertEqual(Outcome.PASS, status, self.output)
        self.assertEqual(TIMES, console.count("10.0.2.2 is at [52, 55, 0a, 00, 02, 02]"))
        self.assertEqual(TIMES, console.count("asked 10000 times, all answered; the device sent 10001 frames, received 10001"))
        ends = re.findall(r"goodbye: asked (\d+) times, (\d+) answered, (\d+) other frames, (\d+) bytes parked", console)
        self.assertEqual(TIMES, len(ends))
        for asked, answered, other, parked in (map(int, end) for end in ends):
            self.assertEqual((0, 0), (other, parked))
            self.assertLess(10001 + 32, answered, "no load")
            self.assertTrue(0 <= asked - answered <= 32, (asked, answered))
        self.note = f"{sum(int(end[1]) for end in ends)} frames each way"

    def test_frames(self):
        self.passes()

    def test_bounced(self):
        """With bounce buffers, a sync left out would be seen."""
        self.passes("--append", "swiotlb=force")

    def test_one_processor(self):
        """Sender and handler are on the same one."""
        self.passes("--qemu", "-smp 1,sockets=1")

    def test_claims(self):
        text = DRIVER.read_text()
        self.assertEqual([], claims.wrong(text))
        self.assertEqual(1, len(re.findall(r"^ *unsafe \{", text, re.M)))

    def test_that_it_can_fail(self):
        """A guard that is leaked does not sync for the device, which then sends what was there before: no question."""
        leaked = "buffer.for_cpu_bytes(0..frame.len())?.copy", "core::mem::ManuallyDrop::new(buffer.for_cpu_bytes(0..frame.len())?).copy"
        impatient = "Msecs = 30_000", "Msecs = 3000"
        status, console = self.guest("--append", "swiotlb=force", changes=[leaked, impatient])
        self.assertEqual(Outcome.TEST_FAILED, status, self.output)
        self.assertIn("failed with error -110", console)

    def test_other_lock(self):
        """With a lock that leaves interrupts on, sender and handler may wait for each other. Lockdep sees that."""
        changes = (
            ("SpinLockIrqGuard<'_, Rings<'bound>>", "kernel::sync::lock::Guard<'_, Rings<'bound>, kernel::sync::lock::spinlock::SpinLockBackend>"),
            ("SpinLockIrq, SpinLockIrqGuard", "SpinLock"),
            ("SpinLockIrq<", "SpinLock<"),
            ("new_spinlock_irq", "new_spinlock"),
        )
        status, _ = self.guest(changes=changes)
        self.assertEqual(Outcome.LOCKDEP, status, self.output)
