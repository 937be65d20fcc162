#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest, for ci/tests/full_power.py: has the system suspended, hibernated, shut down, or another
# kernel started, while drivers in Rust are bound.
#
# power.sh suspend|hibernate|start|restart. What comes of it goes to the kernel's log, where it is not lost when
# the guest ends at any moment: "power: ok WHAT", or "power: not ok WHAT: WHY".

TIMES=${TIMES:-20}
PCI=/sys/bus/pci
EDU=0000:00:01.0 NVME=0000:00:02.0
# These are for edu_waits and edu_under_way. The last one is shut down first, and the others are not kept
# waiting by it. The one behind them has no driver when another kernel is started.
WAITS=0000:00:03.0 UNDER_WAY=0000:00:04.0 NOBODY=0000:00:05.0
DISK=/dev/vda
DMA_API=/sys/kernel/debug/dma-api

say()
{
	printf '<6>power: %s\n' "$*" >/dev/kmsg
}

# verdict WHAT WHY-NOT: without a reason, it is ok.
verdict()
{
	if [ "$2" ]; then
		say "not ok $1: ${2//$'\n'/; }"
	else
		say "ok $1"
	fi
}

# end [HOW]: by a restart, at which the machine ends; or, where it starts again, by turning its power off.
end()
{
	say "end"
	${1:-reboot} -f
}

# news: what the kernel has logged since the last time is in $log.
news()
{
	log=$(dmesg -c)
}

# has COUNT WORDS: of what was logged, so many lines are such; else why is set.
has()
{
	local found
	found=$(grep -c -- "$2" <<<"$log")
	[ "$found" -eq "$1" ] || why+="$found lines, not $1: $2"$'\n'
}

mastering()
{
	local device command
	for device; do
		command=$(od -A n -t u1 -j 4 -N 1 "$PCI/devices/$device/config")
		[ $((command & 4)) -ne 0 ] || why+="$device does not master the bus"$'\n'
	done
}

# only DEVICE: the others of its kind are for no driver.
only()
{
	local device
	for device in $EDU $WAITS $UNDER_WAY $NOBODY; do
		[ "$device" = "$1" ] || echo nobody >"$PCI/devices/$device/driver_override"
	done
}

# load WHAT: both drivers are bound, and all their transfers are right.
load()
{
	local why=
	news
	modprobe rust_dma || why="rust_dma is not loaded"
	insmod /rust_dma_nvme.ko || why="rust_dma_nvme is not loaded"
	news
	has 1 "rust_dma $EDU: transfer 4/4: .*: ok$"
	has 1 "rust_dma $EDU: streaming transfer 4/4: .*: ok$"
	has 1 "rust_dma_nvme $NVME: all was read$"
	has 0 "rust_dma.*failed"
	mastering $EDU $NVME
	verdict "$1" "$why"
}

unload()
{
	local why=
	news
	rmmod rust_dma rust_dma_nvme || why="not unloaded"
	news
	has 1 "rust_dma $EDU: goodbye, 0 bytes parked$"
	has 1 "rust_dma_nvme $NVME: goodbye, 0 bytes parked$"
	verdict "unload" "$why"
}

# again WHAT: each was resumed once, and has done its transfers again.
again()
{
	news
	has 1 "rust_dma $EDU: transfer after resume 1/1: .*: ok$"
	has 2 "rust_dma_nvme $NVME: after resume: read .*: checksum"
	has 0 "rust_dma.*failed"
	mastering $EDU $NVME
	verdict "$1" "$why"
}

# How many allocations and mappings DMA-API debugging knows of.
live()
{
	local total=0 free=0
	read -r total <$DMA_API/nr_total_entries
	read -r free <$DMA_API/num_free_entries
	echo $((total - free))
}

# To memory, which alone keeps its power. Whoever watches the machine wakes it. When it was woken, the chipset does
# not know any more where its power management is, which is for the firmware to say: without that, nothing would
# suspend it again, and who does not look would not notice.
suspend()
{
	local i why before chipset=$PCI/devices/0000:00:1f.0/config
	dd if=$chipset of=/tmp/chipset bs=1 skip=64 count=5 2>/dev/null
	before=$(live)
	only $EDU
	load "load"
	for ((i = 1; i <= TIMES; i++)); do
		why=
		news
		echo mem >/sys/power/state || why="not suspended"$'\n'
		dd if=/tmp/chipset of=$chipset bs=1 seek=64 conv=notrunc 2>/dev/null
		again "suspend $i"
	done
	unload
	why=
	[ "$(live)" -eq "$before" ] || why="$before before, $(live) after"
	verdict "allocations" "$why"
	end
}

# The last sector of the disk is not of the area: what is to be done is there when the machine starts again.
# Nothing can be written to the disk while the area is in use.
note()
{
	printf '%-512s' "$1" | dd of=$DISK seek=$(($(blockdev --getsz $DISK) - 1)) conv=notrunc,fsync 2>/tmp/errors && return
	verdict "note" "$(cat /tmp/errors)"
	end poweroff
}

noted()
{
	dd if=$DISK skip=$(($(blockdev --getsz $DISK) - 1)) 2>/dev/null
}

# restore: never returns if there is an image.
restore()
{
	cat /sys/class/block/vda/dev >/sys/power/resume
	verdict "restore" "there is no image"
	end poweroff
}

# To disk, twice: the kernel that loads the image has no drivers for the devices; then it has the same.
hibernate()
{
	local why way before
	only $EDU
	case $(noted) in
	bare*)
		note "none"
		say "ok another kernel"
		restore
		;;
	bound*)
		note "none"
		load "another kernel: load"
		restore
		;;
	esac
	before=$(live)
	load "load"
	mkswap $DISK $(($(blockdev --getsz $DISK) / 2 - 64)) >/dev/null
	echo reboot >/sys/power/disk
	for way in bare bound; do
		why=
		note $way
		swapon $DISK || why="no area to hibernate to"$'\n'
		news
		# It is resumed in this kernel, to write the image; what comes of that is not in the image.
		echo disk >/sys/power/state || why="not hibernated"$'\n'
		again "hibernate: $way"
		swapoff $DISK
	done
	unload
	why=
	[ "$(live)" -eq "$before" ] || why="$before before, $(live) after"
	verdict "allocations" "$why"
	end poweroff
}

# All are bound; a transfer is begun at two when they are shut down. Others come and go.
busy()
{
	local why= device
	only $EDU
	load "load"
	echo edu_waits >$PCI/devices/$WAITS/driver_override
	echo edu_under_way >$PCI/devices/$UNDER_WAY/driver_override
	insmod /edu_waits.ko && insmod /edu_under_way.ko || why="not loaded"$'\n'
	news
	has 1 "edu_waits $WAITS: the page is at "
	has 1 "edu_under_way $UNDER_WAY: the page is at "
	verdict "a transfer is to be under way" "$why"
	for device in rust_dma:$EDU rust_dma_nvme:$NVME; do
		while :; do
			echo "${device#*:}" >"$PCI/drivers/${device%%:*}/unbind"
			echo "${device#*:}" >"$PCI/drivers/${device%%:*}/bind"
		done 2>/tmp/errors &
	done
	sleep 1
}

# part AT: a file that is on the disk.
part()
{
	dd if=$DISK bs=1M skip=$((places[$1] >> 20)) 2>/dev/null | head -c "${places[$1 + 1]}"
}

# Another kernel, while transfers are under way.
start()
{
	local why= found device places
	if grep -q ' memmap=' /proc/cmdline; then
		found=$(/power look 2>&1)
		say "found: ${found//$'\n'/; }"
		[ "$(grep -c '^page [12] at .*: 512 of 512 words kept$' <<<"$found")" -eq 2 ] || why="not kept"
		[[ $found != *"device 1 has"* && $found != *"device 2 has"* ]] || why="stored"
		verdict "memory is untouched" "$why"
		[[ $found == *"device 3 has stored"* ]] && why= || why="not seen"
		verdict "what nobody keeps from memory is seen" "$why"
		why=
		load "another kernel: load"
		for device in $WAITS $UNDER_WAY $NOBODY; do
			has 1 "rust_dma $device: streaming transfer 4/4: .*: ok$"
		done
		verdict "another kernel: the other devices" "$why"
		unload
		end
	fi
	busy
	# An IOMMU does not keep it from memory, either.
	[ ! -e $PCI/devices/$NOBODY/iommu_group ] || echo identity >$PCI/devices/$NOBODY/iommu_group/type
	echo 1 >$PCI/devices/$NOBODY/enable
	# Memory, and mastering the bus.
	printf '\6' | dd of="$PCI/devices/$NOBODY/config" bs=1 seek=4 conv=notrunc 2>/dev/null
	read -r -a places < <(noted)
	part 0 >/tmp/kernel
	part 2 >/tmp/initramfs
	say "start: $(/power start /tmp/kernel /tmp/initramfs "$(</proc/cmdline)" $NOBODY 2>&1 | tee /dev/kmsg)"
	say "not ok start"
	end
}

restart()
{
	busy
	say "ok restart"
	reboot -f
}

chmod +x /power
"$1"
