# SPDX-License-Identifier: GPL-2.0
"""Drivers recover their devices from errors of PCI Express, which are injected."""

import re

import boot
import cases
import guest
import root
import test_nvme
from outcome import Outcome

CONFIG = root.TOP / "ci/config/aer.config"
OBJ = boot.Module.OBJ.with_name("x86_64-aer")
# The disk, by a controller behind a port that can report errors; it can't itself. A faster port loses its link in the emulator when it is reset.
DISK = f"-device pcie-root-port,id=errors,chassis=3,x-speed=2_5 -drive file={guest.DISK},if=none,id=again,format=raw,readonly=on -device nvme,bus=errors,drive=again,serial=AGAIN"
# It is read when it is bound, and when it was reset: after a fatal error, and when it was suspended; not after an error that is not fatal.
ERRORS = r"""
    device=$(echo /sys/bus/pci/devices/0000:00:*/0000:*:00.0) && [ -e "$device" ] || exit
    port=${device%/*} && port=${port##*:} && device=${device##*/}
    for other in /sys/bus/pci/devices/*; do
        [ ${other##*/} = $device ] || echo none >$other/driver_override
    done
    modprobe rust_dma_nvme && [ -e /sys/bus/pci/drivers/rust_dma_nvme/$device ] || exit
    # inject STATUS TIMES: one more recovery, after which it was read again so often.
    inject()
    {
        done=$((done + 1))
        printf "\\0\\x${port%.*}\\0\\0$1"'\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >/dev/aer_inject || exit
        for ((i = 0; i < 200; i++)); do
            [ $(dmesg | grep -c 'AER: device recovery') -lt $done ] || break
            sleep 0.1
        done
        [ $(dmesg | grep -c 'AER: device recovery successful') = $done ] && [ $(dmesg | grep -c "$device: after resume: read") = $((2 * $2)) ]
    }
    inject '\0\100\0\0' 0 && inject '\0\0\4\0' 1 && inject '\0\100\0\0' 1 && inject '\0\0\4\0' 2 || exit
    echo devices >/sys/power/pm_test && echo freeze >/sys/power/state && inject '\0\0\4\0' 4 || exit
    modprobe -r rust_dma_nvme
"""


class Cases(boot.Case):
    def test_cases(self):
        """Devices that can't report errors themselves, below a port that does."""
        cases.build(self, config=[CONFIG])
        status, output, module = cases.guest(self, "errors", "--config", CONFIG, "--qemu", cases.ERRORS, obj=OBJ)
        self.assertEqual(status, Outcome.PASS, output)
        self.assertLess(10, cases.passed(output))
        self.note = f"{cases.passed(output)} cases"


class Nvme(test_nvme.Reads):
    OBJ, CONFIG = OBJ, (CONFIG,)

    def test_errors(self):
        """It is read from the beginning, and correctly, each time that it was reset."""
        console = self.guest(Outcome.PASS, ERRORS, "--config", CONFIG, "--qemu", DISK)
        found = [(read[0], read[-1]) for read in test_nvme.READ.findall(console)]
        again = re.findall(r"after resume: read (\d+) bytes, \d+ a transfer: checksum (\w+)", console)
        self.assertEqual((12 * 4, 4 * 2), (len(found), len(again)))
        found += again
        content = (self.OBJ / guest.DISK).read_bytes()
        sums = {length: test_nvme.checksum(content[: int(length)]) for length in {read[0] for read in found}}
        for length, sum_read in found:
            self.assertEqual(sum_read, sums[length])
        said = [console.count(words) for words in ("error, channel Normal", "error, channel Frozen", "recovered", "goodbye, 0 bytes parked")]
        self.assertEqual([2, 3, 5, 1], said)
