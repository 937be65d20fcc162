#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads the Rust DMA sample for NVMe controllers and checks what it reports of each way to read, and
# that it can be unbound, bound again and unloaded. Whatever the way, the same bytes must have the
# same checksum. Needs QEMU's controller, without another driver, and only reads from its disk:
# qemu-system-... -drive file=disk,if=none,id=disk -device nvme,drive=disk,serial=1
#
DIR="$(dirname "$(readlink -f "$0")")"

KTAP_HELPERS="${DIR}/../kselftest/ktap_helpers.sh"
if [ -e "$KTAP_HELPERS" ]; then
	source "$KTAP_HELPERS"
else
	echo "$KTAP_HELPERS file not found [SKIP]"
	exit 4
fi

MODULE=rust_dma_nvme
DRIVER=/sys/bus/pci/drivers/$MODULE
BUS_MASTER=4

ktap_print_header

if [ "$(id -u)" -ne 0 ]; then
	ktap_skip_all "needs root"
	exit "$KSFT_SKIP"
fi

if ! /sbin/modprobe -n -q $MODULE; then
	ktap_skip_all "module $MODULE is not found in /lib/modules/$(uname -r)"
	exit "$KSFT_SKIP"
fi

# udev may have loaded it already.
if [ -e "$DRIVER" ] && ! /sbin/modprobe -q -r $MODULE; then
	ktap_skip_all "$MODULE is built in, or in use"
	exit "$KSFT_SKIP"
fi

DEVICE=
for dev in /sys/bus/pci/devices/*; do
	if [ "$(cat "$dev/vendor")$(cat "$dev/device")" = 0x1b360x0010 ] &&
		[ ! -e "$dev/driver" ]; then
		DEVICE=$(basename "$dev")
		break
	fi
done

if [ -z "$DEVICE" ]; then
	ktap_skip_all "no NVMe controller of QEMU without a driver"
	exit "$KSFT_SKIP"
fi

# From here on, take_log() puts into $LOG what was logged of the device since.
mark()
{
	MARK="$MODULE selftest $$: $1 at $(cat /proc/uptime)"
	echo "$MARK" > /dev/kmsg
}

take_log()
{
	LOG=$(dmesg | awk -v mark="$MARK" 'found; index($0, mark) { found = 1 }' |
		sed -n "s/^.*$MODULE $DEVICE: //p")
}

logged()
{
	grep -q "$*" <<< "$LOG"
}

bound()
{
	[ -e "$DRIVER/$DEVICE" ]
}

unbound()
{
	[ ! -e "/sys/bus/pci/devices/$DEVICE/driver" ]
}

mastering()
{
	local command

	command=$(od -A n -t u1 -j 4 -N 1 "/sys/bus/pci/devices/$DEVICE/config")
	[ $((command & BUS_MASTER)) -ne 0 ]
}

not_mastering()
{
	! mastering
}

unbind()
{
	echo "$DEVICE" > "$DRIVER/unbind" && unbound
}

bind()
{
	echo "$DEVICE" > "$DRIVER/bind" && bound
}

unload()
{
	/sbin/modprobe -q -r $MODULE && [ ! -e "/sys/module/$MODULE" ] && unbound
}

# Each size was read in order and at random, by one and by several.
four_ways()
{
	awk '
		/^read / { if (!$4 || $4 % 512) bad = 1; ways[$4]++ }
		END {
			for (size in ways) {
				some = 1
				if (ways[size] != 4) bad = 1
			}
			exit bad || !some
		}' <<< "$LOG"
}

one_checksum()
{
	awk '
		/^read / { if ($2 in sums && sums[$2] != $NF) bad = 1; sums[$2] = $NF; some = 1 }
		END { exit bad || !some }' <<< "$LOG"
}

check_reads()
{
	take_log
	ktap_test_result "$1: the controller is identified" logged "^NVMe .*: model "
	if logged "^no namespace that this driver can read"; then
		ktap_test_skip "$1: the namespace is identified"
		ktap_test_skip "$1: all is read"
		ktap_test_skip "$1: each size is read in four ways"
		ktap_test_skip "$1: the same bytes have the same checksum"
	else
		ktap_test_result "$1: the namespace is identified" logged "^namespace [0-9]*: "
		ktap_test_result "$1: all is read" logged "^all was read"
		ktap_test_result "$1: each size is read in four ways" four_ways
		ktap_test_result "$1: the same bytes have the same checksum" one_checksum
	fi
	ktap_test_result "$1: the device may master the bus" mastering
}

ktap_set_plan 19

mark "load"
ktap_test_result "load" /sbin/modprobe -q $MODULE
ktap_test_result "load: the device is bound" bound
check_reads "load"

ktap_test_result "unbind" unbind
ktap_test_result "unbind: the device may not master the bus" not_mastering

mark "bind"
ktap_test_result "bind" bind
check_reads "bind"

ktap_test_result "unload" unload
ktap_test_result "unload: the device may not master the bus" not_mastering

ktap_finished
