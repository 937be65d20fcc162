#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: the cases of dma_cases.ko, and what is done to its bindings. KTAP.
#
# cases.sh GROUP...: the groups are the functions group_* below. "cases" is to be the last: it leaks.

MODULE=/dma_cases.ko
DRIVER=/sys/bus/pci/drivers/dma_cases
PCI=/sys/bus/pci/devices
DMA_API=/sys/kernel/debug/dma-api
KMEMLEAK=/sys/kernel/debug/kmemleak

declare -A ID=([edu]="1234 11e8" [ivshmem]="1af4 1110" [testdev]="1b36 0005")

results=() failed=0 lost=0

# verdict NAME WHY-NOT: without a reason, it passed.
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

say()
{
	printf '<6>cases.sh: %s\n' "$*" >/dev/kmsg
}

# devices KIND: all of it.
devices()
{
	local device
	for device in $PCI/*; do
		read -r vendor <"$device/vendor"
		read -r number <"$device/device"
		[ "${vendor#0x} ${number#0x}" != "${ID[$1]}" ] || echo "${device##*/}"
	done
}

# How many allocations and mappings DMA-API debugging knows of, and how often it complained.
live()
{
	local total=0 free=0
	read -r total <$DMA_API/nr_total_entries
	read -r free <$DMA_API/num_free_entries
	LIVE=$((total - free))
}

complaints()
{
	COMPLAINTS=0
	read -r COMPLAINTS <$DMA_API/error_count
}

# news: adds to $log what the kernel has logged since the last time, with the levels.
# Few programs are started in here: each takes a while in an emulated machine.
news()
{
	log+=$(dmesg -r -c)$'\n'
}

# count WORDS: how often they are in $log.
count()
{
	local rest=$log
	COUNT=0
	while [[ $rest == *"$1"* ]]; do
		rest=${rest#*"$1"}
		COUNT=$((COUNT + 1))
	done
}

# pick KIND CASE: binds the driver to all devices of the kind that are free for it.
pick()
{
	printf '%s ffffffff ffffffff 0 0 %x\n' "${ID[$1]}" "$2" >$DRIVER/new_id
}

unpick()
{
	echo "${ID[$1]}" >$DRIVER/remove_id
}

# try NUMBER KIND: one case. False when there is no such case.
try()
{
	local number=$1 kind=$2 device=${!2} before complained leaks=0 name log= why= line

	live; before=$LIVE
	complaints; complained=$COMPLAINTS
	news
	log=
	pick "$kind" "$number" 2>/dev/null || return 1
	news
	if [[ $log == *": wants "* ]]; then
		unpick "$kind"
		log=${log##*: wants }
		try "$number" "${log%%$'\n'*}"
		return
	fi
	name=${log%%: begin$'\n'*}
	name=${name##*dma_cases: }
	if [[ $log == *": $name: ok, not bound"* ]]; then
		[ ! -e "$DRIVER/$device" ] || why="bound all the same"
	elif [[ $log == *": $name: ok, leaks "* ]]; then
		leaks=${log##*": $name: ok, leaks "}
		leaks=${leaks%%$'\n'*}
		# When the driver is unbound, DMA-API debugging complains of what was leaked, and not only
		# the first time. So it should; here it is expected, and not to be printed.
		lost=$((lost + leaks))
		[ $lost -eq 0 ] || echo cases.sh >$DMA_API/driver_filter
		[ -e "$DRIVER/$device" ] || why="not bound"
		echo "$device" >$DRIVER/unbind || why="not unbound"
		news
		count ": $name: dropped"
		[ $COUNT -eq 1 ] || why="data dropped $COUNT times"
	else
		why="no verdict"
	fi
	unpick "$kind"
	count ": $name: begin"
	[ $COUNT -eq 1 ] || why="begun $COUNT times"
	case $name in
	order::muted* | order::not_mastering)
		[[ $log == *"muted: dropped"* ]] || why="the device was not tried"
		;;
	pci_device::printing)
		# With debug assertions, as in base.config, debugging messages are printed.
		for level in {0..7}; do
			[[ $log == *"<$level>"*"at level $level"$'\n'* ]] || why="level $level is wrong"
		done
		;;
	esac
	live
	[ $LIVE -eq $((before + leaks)) ] || why="$before allocations before, $LIVE after, $leaks to be leaked"
	complaints
	[ $COMPLAINTS -eq $((complained + (lost > 0))) ] || why="$COMPLAINTS complaints by DMA-API debugging, from $complained"
	if [[ $log == *": FAILED: "* ]]; then
		why=${log#*: FAILED: }
		why=${why%%$'\n'*}
	fi
	verdict "${name:-case $number}" "$why"
	[ "$name" != forget::nothing_so_far ] || leaked "all but what forgets"
	return 0
}

# leaked NAME: what kmemleak finds. It looks at what is a few seconds old.
leaked()
{
	[ -e $KMEMLEAK ] || return 0
	local found
	sleep 6
	echo scan >$KMEMLEAK
	sleep 1
	echo scan >$KMEMLEAK
	found=$(cat $KMEMLEAK)
	say "kmemleak: ${found:-nothing}"
	verdict "$1: kmemleak" "${found//$'\n'/; }"
	echo clear >$KMEMLEAK
}

# Other devices of the same kind are not to be bound by each case.
group_cases()
{
	local number=0 last=false kind device all

	load
	[ ! -e $KMEMLEAK ] || echo clear >$KMEMLEAK
	for kind in edu ivshmem testdev; do
		all=($(devices $kind))
		for device in "${all[@]:1}"; do
			echo none >"$PCI/$device/driver_override"
		done
		[ "${all[0]}" ] || verdict "a device: $kind" "none"
		printf -v "$kind" %s "${all[0]}"
	done
	while try $number edu; do
		number=$((number + 1))
	done
	[ $number -gt 50 ] || verdict "number of cases" "$number"
	for device in $(devices edu); do
		echo >"$PCI/$device/driver_override"
	done
	unload
}

load()
{
	[ -e $DRIVER ] || insmod $MODULE
}

unload()
{
	local before=${1:-}
	rmmod dma_cases
	[ ! -e $DRIVER ]
	verdict "unload" "$([ $? -eq 0 ] || echo the driver is still there)"
}

[ -e $DMA_API/error_count ] || verdict "DMA-API debugging" "is off"
for group; do
	"group_$group"
done

echo "TAP version 13"
echo "1..$(printf '%s\n' "${results[@]}" | grep -c -v '^#')"
printf '%s\n' "${results[@]}"
exit $failed
