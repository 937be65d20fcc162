# SPDX-License-Identifier: GPL-2.0
"""Drivers recover their devices from errors of PCI Express, which are injected."""

import re

import boot
import cases
import guest
import root
import test_nvme
import test_v73
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

# Cases for v7.3: the devices of the port are bound for one; there are errors of the port. An error is its kind, and how it should end.
MAINLINE = (
    test_v73.BECOMES
    + r"""
port=$(echo $PCI/*/0000:*:00.1) && port=${port%/*} && port=${port##*/} done=0
inject()
{
	local status='\0\0\4\0' i
	[ $1 = fatal ] || status='\0\100\0\0'
	done=$((done + 1))
	printf "\\x${port:5:2}\\x$(printf %x $((16#${port:8:2})))\\x${port##*.}\\0$status"'\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >/dev/aer_inject || return
	for ((i = 0; i < 200; i++)); do
		[ $(dmesg | grep -c 'AER: device recovery') -lt $done ] || break
		sleep 0.1
	done
	dmesg | grep 'AER: device recovery' | tail -n 1 | grep -q "$2"
}
errors()
{
	insmod /boot-test/mainline.ko case=$1 && shift || return
	for error; do inject ${error/:/ } || return; done
	rmmod mainline
}
rmmod mainline && errors 11 fatal:successful && errors 11 other:successful fatal:successful other:successful &&
	errors 12 other:successful fatal:successful other:successful && errors 13 fatal:failed &&
	errors 15 other:failed && errors 16 other:failed || exit
# Those that were not resumed are not told, but can be resumed after that; and those that were given up.
insmod /boot-test/mainline.ko case=5 && echo freeze >/sys/power/state && inject fatal successful && echo freeze >/sys/power/state && rmmod mainline &&
	insmod /boot-test/mainline.ko case=14 && inject fatal failed && echo freeze >/sys/power/state && rmmod mainline || exit
# One that is not in use is resumed to be told.
insmod /boot-test/mainline.ko case=8 && for device in $(ls $DRIVER | grep :); do echo $device >$DRIVER/unbind; done &&
	for device in $PCI/$port/0000:??:??.?; do echo ${device##*/} >$DRIVER/bind || exit; done
idle=$(ls $DRIVER | grep : | head -n 1) && echo auto >$PCI/$idle/power/control && becomes suspended $idle &&
	inject other successful && becomes suspended $idle && inject fatal successful && becomes suspended $idle && rmmod mainline || exit
# At last: nobody gives these their configuration back, but who finds them anew.
errors 14 fatal:failed fatal:failed || exit
for device in $PCI/$port/0000:??:??.?; do echo 1 >$device/remove; done
echo 1 >/sys/bus/pci/rescan && insmod /boot-test/mainline.ko
"""
)


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


class Mainline(test_v73.Cases):
    NAME, CONFIG = OBJ.name, (CONFIG,)

    def test_cases(self):
        """The same port, on v7.3. What each device was told comes from the driver when it is unbound."""
        console = self.cases(MAINLINE, "--qemu", cases.ERRORS)
        names = [self.names(f"{kind}_CASES") for kind in ("SLEEP", "IDLE", "ERROR")]
        self.assertEqual(11, len(names[0] + names[1]) + 1)
        self.assertEqual(["Recovered", "GoesOn", "Lost", "GivenUp", "Unable", "Early"], names[2])
        for name in names[2]:
            self.assertEqual(6 if name in ("Recovered", "GivenUp") else 3, console.count(f"case {name}: ok\n"), name)
        told = re.findall(r"mainline: told (\[\d, \d, \d\], last \d)\n", console)
        # The number of each state is that in `ChannelState`. Who can't recover is told that it is lost, and so is who did.
        self.assertEqual(
            {"[1, 1, 1], last 1": 2, "[3, 3, 3], last 0": 2, "[3, 1, 3], last 0": 2, "[1, 1, 0], last 1": 1, "[2, 1, 0], last 2": 1,
             "[2, 0, 0], last 2": 2, "[1, 0, 0], last 1": 4},
            {each: told.count(each) for each in told if each != "[0, 0, 0], last 0"},
        )  # fmt: skip
        self.assertEqual(3, console.count(": suspended 1 times, resumed 2 times\n"))
        self.assertEqual(1, len(re.findall(r"mainline: idle [2-9]\d* times, told \[2, 2, 2\]\n", console)))
        self.note = f"{len(names[2]) + 2} cases"
