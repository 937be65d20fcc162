#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: loads each attack, and unbinds and binds it. KTAP.
#
# attacks.sh TIMES ATTACK...: how often each of several shells binds the last one.

PCI=/sys/bus/pci/devices
DMA_API=/sys/kernel/debug/dma-api
TIMES=$1
shift

results=() failed=0

# verdict NAME WHY-NOT
verdict()
{
	local number=$((${#results[@]} + 1))
	if [ -z "$2" ]; then
		results+=("ok $number $1")
	else
		results+=("# $1: $2" "not ok $number $1")
		failed=1
	fi
}

# live: how many allocations and mappings DMA-API debugging knows of, and its complaints.
live()
{
	local total=0 free=0
	read -r total <$DMA_API/nr_total_entries
	read -r free <$DMA_API/num_free_entries
	LIVE=$((total - free)) COMPLAINTS=0
	read -r COMPLAINTS <$DMA_API/error_count
}

# The devices: one is in a slot, and the others are not to be bound.
device=
for path in $PCI/*; do
	read -r vendor <"$path/vendor"
	read -r number <"$path/device"
	[ "$vendor $number" = "0x1234 0x11e8" ] || continue
	parent=$(readlink -f "$path")
	parent=${parent%/*}
	if [[ ${parent##*/} == 0000:* && -z $device ]]; then
		device=${path##*/}
	else
		echo none >"$path/driver_override"
	fi
done
[ "$device" ] || verdict "a device in a slot" "none"

for attack; do
	driver=/sys/bus/pci/drivers/$attack
	why=
	dmesg -c >/dev/null
	live
	before=$LIVE complained=$COMPLAINTS
	insmod /$attack.ko || why="not loaded"
	if [ "$attack" = unbind_busy ]; then
		for shell in 1 2 3; do
			(
				for ((i = 0; i < TIMES; i++)); do
					echo "$device" >$driver/unbind
					echo "$device" >$driver/bind
				done
			) 2>/dev/null &
		done
		wait
	fi
	[ $attack != init_again ] || sleep 1
	rmmod "$attack" || why="not unloaded"
	sleep 0.3
	log=$(dmesg)
	[[ $log == *"$attack: not hit"* ]] || why="it is not through"
	[[ $log != *"HIT: "* ]] || why=${log#*HIT: }
	live
	[ $LIVE -eq $before ] || why="$before allocations before, $LIVE after"
	[ $COMPLAINTS -eq $complained ] || why="$COMPLAINTS complaints by DMA-API debugging, from $complained"
	[ ! -e "$driver" ] || why="the driver is still registered"
	verdict "$attack" "${why%%$'\n'*}"
done

# Memory that was overwritten, somebody would find.
for ((i = 0; i < 3; i++)); do
	find /sys/devices -name uevent | wc -l >/dev/null
	echo 3 >/proc/sys/vm/drop_caches 2>/dev/null
done
echo "TAP version 13"
echo "1..$(printf '%s\n' "${results[@]}" | grep -c -v '^#')"
printf '%s\n' "${results[@]}"
exit $failed
