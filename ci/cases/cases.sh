#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: the cases of dma_cases.ko, and what is done to its bindings. KTAP.
#
# cases.sh GROUP...: the groups are the functions group_* below. "cases" is to be the last, or the last
# but "shutdown": it leaks.
# In the environment: how many TIMES things are done; the numbers of the CASES to be run, if not all,
# and of those that are to be FIRST; whether to STOP when one has failed.

MODULE=/dma_cases.ko
DRIVER=/sys/bus/pci/drivers/dma_cases
PCI=/sys/bus/pci/devices
DMA_API=/sys/kernel/debug/dma-api
KMEMLEAK=/sys/kernel/debug/kmemleak
BOUNCED=/sys/kernel/debug/swiotlb/io_tlb_used_hiwater
# In a kernel of ci/mutants: the functions that ran since this was read last.
REACHED=/sys/module/kernel/parameters/rust_reached

declare -A ID=([edu]="1234 11e8" [slot]="1234 11e8" [ivshmem]="1af4 1110" [testdev]="1b36 0005" [nvme]="1b36 0010")

TIMES=${TIMES:-20}
# The file is there when it is off, too.
[[ $(</proc/cmdline) != *kmemleak=off* ]] || KMEMLEAK=/none
declare -A TRIED
results=() failed=0 lost=0 loaded=

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
	[ ! -e $REACHED ] || say "$1: reached $(<$REACHED)"
}

stop()
{
	[ "$STOP" ] && [ $failed -ne 0 ]
}

say()
{
	printf '<6>cases.sh: %s\n' "$*" >/dev/kmsg
}

# devices KIND: all of it. A slot is where one has a bus of its own.
devices()
{
	local device path vendor number
	for device in $PCI/*; do
		read -r vendor <"$device/vendor"
		read -r number <"$device/device"
		[ "${vendor#0x} ${number#0x}" = "${ID[$1]}" ] || continue
		if [ "$1" = slot ]; then
			path=$(readlink -f "$device/..")
			[[ ${path##*/} == 0000:* ]] || continue
		fi
		echo "${device##*/}"
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

# why_failed: if a case says in $log that it has failed, $why is what it says.
why_failed()
{
	[[ $log != *": FAILED: "* ]] || why=${log#*: FAILED: }
	why=${why%%$'\n'*}
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

# only DEVICE: of those that the cases are tried with, this one is free for the driver.
only()
{
	local device
	for device in "$edu" "$slot"; do
		[ "$device" = "$1" ] || echo none >"$PCI/$device/driver_override"
	done
	echo >"$PCI/$1/driver_override"
}

# master DEVICE: as firmware, or another kernel, may leave a device.
master()
{
	printf '\4' | dd of="$PCI/$1/config" bs=1 seek=4 conv=notrunc 2>/dev/null
}

# How often a handler said that the interrupt was not from its device.
unhandled()
{
	local line number
	UNHANDLED="? in /proc/irq"
	while read -r line; do
		[[ $line != *dma_cases* ]] || number=${line%%:*}
	done </proc/interrupts
	while read -r line; do
		[[ $line != unhandled* ]] || UNHANDLED=${line#unhandled }
	done <"/proc/irq/$number/spurious"
}

# The names of the handlers, as they are in /proc/interrupts.
handlers()
{
	grep -o 'dma_cases.*\|xx.*' /proc/interrupts
}

# hints: for which processors the interrupts of the driver are, as masks.
hints()
{
	local line hint hints=()
	while read -r line; do
		[[ $line == *dma_cases* ]] || continue
		read -r hint <"/proc/irq/${line%%:*}/affinity_hint"
		hints+=("$((16#${hint//,/}))")
	done </proc/interrupts
	echo "${hints[*]}"
}

# try NUMBER KIND: one case. False when there is no such case.
try()
{
	local number=$1 kind=$2 device=${!2} before complained leaks=0 name log= why= line

	live; before=$LIVE
	complaints; complained=$COMPLAINTS
	news
	log=
	master "$device"
	pick "$kind" "$number" 2>/dev/null || return 1
	news
	if [[ $log == *": wants "* ]]; then
		unpick "$kind"
		log=${log##*: wants }
		kind=${log%%$'\n'*}
		[ "$kind" != slot ] || only "$slot"
		try "$number" "$kind"
		[ "$kind" != slot ] || only "$edu"
		return
	fi
	name=${log%%: begin$'\n'*}
	name=${name##*dma_cases: }
	[ -z "${TRIED[x$name]}" ] || why="was case ${TRIED[x$name]} already"
	TRIED[x$name]=$number
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
		if [[ $name == irq::spurious || $name == irq::messages ]]; then
			unhandled
			[[ "$name $UNHANDLED" == irq::messages\ 0 || "$name $UNHANDLED" == irq::spurious\ [1-9]* ]] || why="not handled, for C: $UNHANDLED"
		fi
		case $name in
		pci_device::enable)
			# It counts.
			[ "$(<"$PCI/$device/enable")" = 1 ] || why="enabled more than once"
			;;
		irq::named)
			[ "$(handlers)" = "dma_cases $device" ] || why="the handler's name: $(handlers)"
			;;
		irq::hinted)
			# A kernel for one processor has none.
			[ ! -e /proc/irq/default_smp_affinity ] || [ "$(hints)" = "2 4 8" ] || why="the hints: $(hints)"
			;;
		esac
		echo "$device" >$DRIVER/unbind || why="not unbound"
		news
		count ": $name: dropped"
		[ $COUNT -eq 1 ] || why="data dropped $COUNT times"
	else
		why="no verdict"
	fi
	unpick "$kind"
	# It goes on when the device masters the bus again, and the next case begins with `master`.
	# The sleep is longer than the device takes, and both are timers of the same clock.
	[[ $log != *": a transfer is under way"* ]] || sleep 0.3
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
	setup::segments_default)
		# Only an IOMMU does.
		if [ -e "$PCI/$device/iommu_group" ]; then
			[[ $log != *"merges at 0"$'\n'* ]] || why="an IOMMU that merges nothing"
		else
			[[ $log == *"merges at 0"$'\n'* ]] || why="segments are merged without an IOMMU"
		fi
		;;
	streaming::lengths)
		# An IOMMU may have some copied, and so may another architecture.
		if [[ $(</proc/cmdline) == *swiotlb=force* ]]; then
			[[ $log != *"needs sync: false"* ]] || why="what is copied needs no sync"
		elif [ "$HOSTTYPE" = x86_64 ] && [ ! -e "$PCI/$device/iommu_group" ]; then
			[[ $log != *"needs sync: true"* ]] || why="what is not copied needs a sync"
		fi
		;;
	streaming::in_flight)
		if [ -e "$PCI/$device/iommu_group" ]; then
			[[ $log == *"the device reached the buffer: false"* ]] || why="not protected"
			[[ $log == *"DMAR: [DMA Write"*"Request device [${device#*:}] fault addr"* ]] || why="no fault"
			say "the IOMMU held the device off"
		fi
		;;
	forget::object)
		[[ $log == *"dma_pool_destroy leaked busy"* ]] || why="nothing is said of the pool"
		;;
	esac
	live
	[ $LIVE -eq $((before + leaks)) ] || why="$before allocations before, $LIVE after, $leaks to be leaked"
	[[ $(</proc/interrupts) != *dma_cases* ]] || why="a handler is left"
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
	local number kind device all

	load
	[ ! -e $KMEMLEAK ] || echo clear >$KMEMLEAK
	for kind in edu slot ivshmem testdev nvme; do
		all=($(devices $kind))
		for device in "${all[@]:1}"; do
			echo none >"$PCI/$device/driver_override"
		done
		[ "${all[0]}" ] || verdict "a device: $kind" "none"
		printf -v "$kind" %s "${all[0]}"
	done
	only "$edu"
	for number in ${CASES:-$FIRST}; do
		try "$number" edu || verdict "case $number" "there is none"
		! stop || return
	done
	if [ -z "$CASES" ]; then
		number=0
		while [[ " $FIRST " == *" $number "* ]] || try $number edu; do
			number=$((number + 1))
			! stop || return
		done
		[ $number -gt 50 ] || verdict "number of cases" "$number"
		[ ! -e $BOUNCED ] || say "bounce buffers: $(cat $BOUNCED) slots at once"
	elif [ $lost -eq 0 ]; then
		leaked "these cases"
	fi
	for kind in edu slot ivshmem testdev nvme; do
		for device in $(devices $kind); do
			echo >"$PCI/$device/driver_override"
		done
	done
	verdict "unload" "$(unload || echo "the driver is still there")"
}

# The first time, nothing is bound yet.
load()
{
	local device
	[ -e $DRIVER ] || insmod $MODULE
	[ ! "$loaded" ] || return
	loaded=1
	for device in $DRIVER/0000:*; do
		[ ! -e "$device" ] || verdict "table" "${device##*/} is bound, and is not in it"
	done
}

unload()
{
	[ ! -e $DRIVER ] || rmmod dma_cases
	[ ! -e $DRIVER ]
}

bound()
{
	[ -e "$DRIVER/$1" ]
}

# What of the devices' registers is mapped.
mapped()
{
	MAPPED=$(grep -c ioremap /proc/vmallocinfo)
}

# nothing_left NAME WHY-NOT: as much is allocated and mapped as before, and no complaint more.
nothing_left()
{
	local why=$2 mapped=$MAPPED
	live
	complaints
	mapped
	[ "$MAPPED" -eq "$mapped" ] || why="$mapped mappings of registers before, $MAPPED after"
	[ $LIVE -eq "$before" ] || why="$before allocations before, $LIVE after"
	[ $COMPLAINTS -eq "$complained" ] || why="$COMPLAINTS complaints by DMA-API debugging, from $complained"
	verdict "$1" "$why"
}

start()
{
	load
	mapped
	live; before=$LIVE
	complaints; complained=$COMPLAINTS
}

# bind and unbind, TIMES times
group_bind()
{
	local device i why=
	start
	pick edu 0
	for device in $(devices edu); do break; done
	for ((i = 0; i < TIMES; i++)); do
		bound "$device" || why="not bound at $i"
		echo "$device" >$DRIVER/unbind
		bound "$device" && why="not unbound at $i"
		echo "$device" >$DRIVER/bind
	done
	unpick edu
	unload || why="not unloaded"
	nothing_left "bind and unbind $TIMES times" "$why"
	leaked "bind and unbind"
}

# What the driver is told of a device: nothing, if it was given to it by hand, without a number.
group_info()
{
	local device why= log
	start
	for device in $(devices edu); do
		echo none >"$PCI/$device/driver_override"
	done
	for way in new_id number driver_override; do
		news
		log=
		echo >"$PCI/$device/driver_override"
		case $way in
		new_id) echo "${ID[edu]}" >$DRIVER/new_id ;;
		number) pick edu 1 ;;
		driver_override)
			echo dma_cases >"$PCI/$device/driver_override"
			echo "$device" >/sys/bus/pci/drivers_probe
			;;
		esac
		bound "$device" || why="$way: not bound"
		echo none >"$PCI/$device/driver_override"
		echo "$device" >$DRIVER/unbind
		[ $way = driver_override ] || unpick edu
		news
		count "by hand"
		if [ $way = number ]; then
			[ $COUNT -eq 0 ] && [[ $log == *"bind::busy: begin"* ]] || why="$way: not by number"
		else
			[ $COUNT -eq 1 ] && [[ $log == *"bind::plain: begin"* ]] || why="$way: not by hand"
		fi
	done
	for device in $(devices edu); do
		echo >"$PCI/$device/driver_override"
	done
	unload || why="not unloaded"
	nothing_left "what a driver is told" "$why"
}

# The proof that one device can't master the bus, with what is of another.
group_other()
{
	local device why= log= all
	start
	news
	log=
	pick edu 2
	all=($(devices edu))
	news
	count "the proof is refused"
	# One is offered what the first has; that is dropped then.
	[ $COUNT -eq 1 ] || [[ $log == *"nothing can be mapped"* ]] || why="$COUNT tries"
	for ((i = ${#all[@]} - 1; i >= 0; i--)); do
		bound "${all[i]}" && echo "${all[i]}" >$DRIVER/unbind || why="${all[i]} is not bound"
	done
	news
	[[ $log != *": FAILED: "* ]] || why=${log#*: FAILED: }
	unpick edu
	unload || why="not unloaded"
	nothing_left "the proof of another device" "${why%%$'\n'*}"
}

# load and unload, with devices to be bound, TIMES / 5 times
group_load()
{
	local device i why= some=0
	unload
	start
	unload
	for ((i = 0; i < TIMES / 5; i++)); do
		load
		pick edu 0
		for device in $DRIVER/0000:*; do
			[ ! -e "$device" ] || some=$((some + 1))
		done
		unload || why="not unloaded at $i"
	done
	[ $some -ge $i ] || why="$some devices bound"
	nothing_left "load and unload $i times" "$why"
	leaked "load and unload"
}

# unbind and bind all devices from four shells at once, TIMES / 10 times each
group_shells()
{
	local device shell why= all
	start
	pick edu 0
	all=($(devices edu))
	for shell in 1 2 3 4; do
		(
			for ((i = 0; i < TIMES / 10; i++)); do
				for device in "${all[@]}"; do
					# Another may have been first.
					echo "$device" >$DRIVER/unbind
					echo "$device" >$DRIVER/bind
				done
			done
		) 2>/dev/null &
	done
	wait
	for device in "${all[@]}"; do
		bound "$device" || echo "$device" >$DRIVER/bind
		bound "$device" || why="$device is not bound"
		[[ $(handlers) == *"dma_cases $device"* ]] || why="no handler has the name of $device"
	done
	unpick edu
	unload || why="not unloaded"
	nothing_left "four shells at once" "$why"
}

# remove the device, and not only its driver, in mid-transfer, TIMES / 20 times
group_remove()
{
	local device i why= log
	start
	for device in $(devices edu); do break; done
	for ((i = 0; i < TIMES / 20; i++)); do
		pick edu 1
		bound "$device" || why="not bound at $i"
		unpick edu
		echo 1 >"$PCI/$device/remove"
		[ ! -e "$PCI/$device" ] || why="not removed at $i"
		echo 1 >/sys/bus/pci/rescan
		[ -e "$PCI/$device" ] || why="not found again at $i"
		unload || why="not unloaded at $i"
		load
	done
	unload
	nothing_left "remove in mid-transfer" "$why"
}

# The device is gone in mid-transfer, and nobody has been asked: the power of its slot is turned off.
# device_del of the emulator's monitor would ask the guest, and wait for it.
group_gone()
{
	local device port capability= why= log
	start
	for device in $(devices edu); do
		port=$(readlink -f "$PCI/$device/..")
		[[ ${port##*/} != 0000:* ]] || break
	done
	if [[ ${port##*/} != 0000:* ]]; then
		verdict "gone in mid-transfer" "no device is in a slot"
		return
	fi
	pick edu 1
	bound "$device" || why="not bound"
	unpick edu
	# The capability for PCI Express, and in it the control of the slot: power off, and said so.
	capability=$(byte "$port" 52)
	while [ "$capability" -gt 0 ] && [ "$(byte "$port" "$capability")" -ne 16 ]; do
		capability=$(byte "$port" $((capability + 1)))
	done
	[ "$capability" -gt 0 ] || why="the slot is none"
	printf '\300\7' | dd of="$port/config" bs=1 seek=$((capability + 24)) conv=notrunc 2>/dev/null
	[ "$(byte "$PCI/$device" 0)" -eq 255 ] || why="the device is still there"
	echo 1 >"$PCI/$device/remove"
	[ ! -e "$PCI/$device" ] || why="not removed"
	unload || why="not unloaded"
	nothing_left "gone in mid-transfer" "$why"
}

# byte DEVICE OFFSET: of its configuration.
byte()
{
	local value
	value=$(od -An -tu1 -j "$2" -N 1 "$1/config")
	echo $((value))
}

# Each allocation of a bind fails once, until all are there. fail-nth counts those of this shell alone.
group_faults()
{
	local device n left=0 why= errors= error points=0 spared
	local debug=/sys/kernel/debug
	if [ ! -e /proc/self/fail-nth ]; then
		verdict "faults" "no fault injection in this kernel"
		return
	fi
	start
	# C warns when it removes a file of /proc/irq which there was no memory for: that function is spared.
	spared=($(grep -A1 ' register_irq_proc$' /proc/kallsyms | cut -d ' ' -f 1))
	[ ${#spared[@]} -eq 2 ] || why="register_irq_proc() is not found"
	for fault in failslab fail_page_alloc; do
		echo N >$debug/$fault/ignore-gfp-wait
		echo 0 >$debug/$fault/verbose
		echo 32 >$debug/$fault/stacktrace-depth
		echo "0x${spared[0]}" >$debug/$fault/reject-start
		echo "0x${spared[1]}" >$debug/$fault/reject-end
	done
	echo 0 >$debug/fail_page_alloc/min-order
	for device in $(devices edu); do break; done
	pick edu 0
	echo "$device" >$DRIVER/unbind
	exec 7>$DRIVER/bind
	# Other devices are bound.
	mapped
	live; before=$LIVE
	for ((n = 1; n < 1000; n++)); do
		exec 8<>/proc/self/fail-nth 5>&2 2>/tmp/fault
		echo $n >&8
		echo "$device" >&7
		read -r left <&8
		echo 0 >&8
		exec 8>&- 2>&5 5>&-
		left=${left%%[^0-9]*}
		error=$(sed 's/.*: //' /tmp/fault)
		if bound "$device"; then
			echo "$device" >$DRIVER/unbind
			[ "$left" -eq 0 ] || break
			errors+="none"$'\n'
		else
			errors+="$error"$'\n'
			points=$((points + 1))
		fi
		live
		[ $LIVE -eq "$before" ] || why="$before allocations before fault $n, $LIVE after"
	done
	exec 7>&-
	say "faults: $points failed of $n: $(sort <<<"$errors" | uniq -c | tr '\n' ';')"
	[ $n -lt 1000 ] && [ $points -gt 10 ] || why="$points points of $n"
	# C's __request_region() says that a region is busy when it has no memory.
	while IFS= read -r error; do
		case $error in
		"" | none | "Cannot allocate memory" | "Device or resource busy") ;;
		*) why="error: $error" ;;
		esac
	done <<<"$errors"
	nothing_left "$points allocations of a bind fail" "$why"
	unpick edu
	unload
	leaked "faults"
}

# sleep_to STATE TEST: as if it went there, but up to the named test alone. One device after the other,
# so that it is known which comes first.
sleep_to()
{
	echo 0 >/sys/power/pm_async
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	echo "$2" >/sys/power/pm_test
	SAID=$( (echo "$1" >/sys/power/state) 2>&1)
	echo none >/sys/power/pm_test
}

# take NUMBER DEVICE...: binds these for a case, and no others.
take()
{
	local number=$1 device
	shift
	for device in $(devices edu); do
		[[ " $* " == *" $device "* ]] || bound "$device" || echo none >"$PCI/$device/driver_override"
	done
	pick edu "$number"
	unpick edu
	for device in $(devices edu); do
		echo >"$PCI/$device/driver_override"
	done
	for device; do
		bound "$device" || why="$device is not bound"
	done
}

# give_back TIMES-WORDS DEVICE...: unbinds them; each says what it has been through.
give_back()
{
	local words=$1 device wanted
	shift
	for device; do
		! bound "$device" || echo "$device" >$DRIVER/unbind
	done
	news
	count "$words"
	[ $COUNT -eq $# ] || why="$words: $COUNT devices of $#"
	why_failed
	log=
}

# The system is not put to sleep while a driver is bound that does not know how. One that does is
# suspended and resumed.
group_suspend()
{
	local device why= log= all i times states=freeze kept
	if [ ! -e /sys/power/pm_test ]; then
		verdict "suspend" "no test of it in this kernel"
		return
	fi
	start
	all=($(devices edu))
	[[ $(</sys/power/state) != *disk* ]] || states+=" disk"
	for state in $states; do
		take 0 "${all[0]}"
		news
		log=
		sleep_to $state devices
		[[ $SAID == *"Device or resource busy" ]] || why="with a driver: ${SAID:-suspended}"
		give_back "dma_cases ${all[0]}: the driver can't suspend; unbind it first" "${all[0]}"
		sleep_to $state devices
		[ -z "$SAID" ] || why="without a driver: $SAID"
	done
	nothing_left "a driver that can't suspend" "$why"

	# Cases 3 and 4: by message, and by line, which some of the devices share.
	for case in 3 4; do
		why= times=$((TIMES / 10 + 1))
		take $case "${all[@]}"
		live; kept=$LIVE
		for ((i = 0; i < times; i++)); do
			sleep_to "${states##* }" platform
			[ -z "$SAID" ] || why="not suspended: $SAID"
			sleep_to freeze platform
			[ -z "$SAID" ] || why="not suspended: $SAID"
		done
		live
		[ $LIVE -eq "$kept" ] || why="$kept allocations before, $LIVE after"
		give_back ": suspended $((2 * times)) times" "${all[@]}"
		nothing_left "suspend $((2 * times)) times: case $case" "$why"
	done

	# The first one is the last to be asked; the others are resumed.
	why=
	take 5 "${all[0]}"
	take 4 "${all[@]:1}"
	sleep_to freeze platform
	[[ $SAID == *"Device or resource busy" ]] || why="when one refuses: ${SAID:-suspended}"
	give_back ": suspended 1 times" "${all[@]}"
	nothing_left "one refuses to suspend, the others are resumed" "$why"

	why=
	take 6 "${all[0]}"
	sleep_to freeze platform
	[[ $SAID == *"Device or resource busy" ]] || why="when it refuses: ${SAID:-suspended}"
	give_back ": suspended 1 times" "${all[0]}"
	nothing_left "one that refuses to suspend when it has turned mastering off is resumed" "$why"

	for times in 1 2; do
		why=
		take 7 "${all[0]}"
		for ((i = 0; i < times; i++)); do
			sleep_to freeze platform
			[ -z "$SAID" ] || why="not suspended: $SAID"
		done
		give_back ": resumed $times times" "${all[0]}"
		nothing_left "a device that can't be resumed, $times times" "$why"
	done

	why=
	take 9 "${all[0]}"
	sleep_to freeze platform
	[ -z "$SAID" ] || why="not suspended: $SAID"
	give_back ": suspended 1 times" "${all[0]}"
	nothing_left "a handler that is requested in resume" "$why"
	unload || why="not unloaded"
	nothing_left "suspend" "$why"
}

# inject PORT fatal|other: an error of a port, and all behind it; waits until C is through with it, and
# adds to $why if it does not say that the devices were "$3".
inject()
{
	local port=${1##*/} status='\0\0\4\0' i # a malformed packet
	[ "$2" = fatal ] || status='\0\100\0\0' # a completion that did not come
	news
	log=
	port=${port#*:}
	# Bus, device, function; the errors not corrected, and corrected; the header; the domain.
	printf "\\x${port%%:*}\\x$(printf %x $((16#${port:3:2})))\\x${port##*.}\\0$status"'\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >/dev/aer_inject || {
		why="no error can be injected"
		return
	}
	for ((i = 0; i < 200; i++)); do
		[[ $log != *": device recovery "* ]] || break
		sleep 0.1
		news
	done
	[[ $log == *": AER: device recovery $3"* ]] || why="not $3: ${log##*AER: }"
	why_failed
}

# errors NUMBER WORDS NAME ERROR...: the devices of a port are bound for a case; there are errors of the port;
# each device says what it was told. An error is its kind, and how it should end.
errors()
{
	local number=$1 words=$2 name=$3 why= log= error
	shift 3
	take "$number" "${behind[@]}"
	for error; do
		inject "$port" ${error/:/ }
	done
	give_back "dma_cases: told [$words]" "${behind[@]}"
	nothing_left "$name" "$why"
}

# There are errors of a port that has two devices. Those are recovered, or not. They are cases 10 to 16.
group_errors()
{
	local device port= behind=() path why log
	if [ ! -e /dev/aer_inject ]; then
		verdict "errors" "none can be injected in this kernel"
		return
	fi
	start
	for device in $(devices edu); do
		path=$(readlink -f "$PCI/$device/..")
		if [[ ${path##*/} == 0000:* && $path == "$port" ]]; then
			behind=("$behind" "$device")
			break
		fi
		port=$path behind=$device
	done
	if [ ${#behind[@]} -ne 2 ]; then
		verdict "errors" "no port has two devices"
		return
	fi
	errors 10 "1, 1, 1" "a fatal error" fatal:successful
	errors 10 "3, 3, 3" "three fatal errors" fatal:successful fatal:successful fatal:successful
	errors 11 "2, 2, 2" "a fatal error, with an interrupt by line" fatal:successful fatal:successful
	errors 12 "2, 0, 2" "an error that is not fatal" other:successful other:successful
	errors 12 "3, 1, 3" "a fatal error, between others" other:successful fatal:successful other:successful
	errors 13 "2, 2, 2" "an error without a reset" other:successful other:successful
	errors 14 "1, 1, 0" "a device that is not brought up" fatal:failed
	errors 16 "0, 0, 0" "a driver that can't recover" other:failed

	# Those that were not resumed are not told, but can be resumed after that.
	if [ -e /sys/power/pm_test ]; then
		why=
		take 7 "${behind[@]}"
		sleep_to freeze platform
		[ -z "$SAID" ] || why="not suspended: $SAID"
		inject "$port" fatal successful
		sleep_to freeze platform
		[ -z "$SAID" ] || why="not suspended: $SAID"
		give_back ": resumed 2 times" "${behind[@]}"
		nothing_left "an error of devices that were not resumed" "$why"

		why=
		take 15 "${behind[@]}"
		inject "$port" fatal failed
		sleep_to freeze platform
		[ -z "$SAID" ] || why="not suspended: $SAID"
		give_back "dma_cases: told [1, 0, 0]" "${behind[@]}"
		nothing_left "devices that were given up are resumed" "$why"
	fi
	# At last: nobody gives them their configuration back.
	errors 15 "1, 0, 0" "a device that is given up" fatal:failed fatal:failed
	why=
	unload || why="not unloaded"
	nothing_left "errors" "$why"
}

# What the platform bus runs on the driver's data. The driver is given a device that has none, and never
# touches it.
group_platform()
{
	local device name driver=/sys/bus/platform/drivers/platform_cases case words why log=
	for device in /sys/bus/platform/devices/*; do
		[ -e "$device/driver" ] || break
	done
	name=${device##*/}
	start
	insmod /platform_cases.ko
	echo platform_cases >"$device/driver_override"
	for case in Unbound StartFails Suspended ResumeFails; do
		why=
		[[ $case != Suspended && $case != ResumeFails ]] || [ -e /sys/power/pm_test ] || continue
		news
		log=
		echo "$name" >/sys/bus/platform/drivers_probe
		words="started unbound dropped"
		if [ $case = StartFails ]; then
			[ ! -e "$driver/$name" ] || why="bound all the same"
		else
			[ -e "$driver/$name" ] || why="not bound"
			case $case in
			Suspended | ResumeFails)
				sleep_to freeze devices
				[ -z "$SAID" ] || why="not suspended: $SAID"
				words+=" suspended resumed"
				;;
			esac
			echo "$name" >$driver/unbind
		fi
		news
		for word in $words; do
			count "platform_cases: $case: $word: ok"
			[ $COUNT -eq 1 ] || why="$word $COUNT times"
		done
		why_failed
		nothing_left "platform: $case" "$why"
	done
	echo >"$device/driver_override"
	rmmod platform_cases
	unload
	leaked "platform"
}

# becomes STATE DEVICE: waits until its power is so.
becomes()
{
	local i state
	for ((i = 0; i < 100; i++)); do
		read -r state <"$PCI/$2/power/runtime_status"
		[ "$state" != "$1" ] || return 0
		sleep 0.1
	done
	why="it is $state, not $1"
}

# A device that is not in use is suspended, once user space has allowed it.
group_runtime()
{
	local device why= log= state when i
	start
	if [ ! -e /sys/power/pm_test ]; then
		verdict "runtime" "no test of it in this kernel"
		return
	fi
	device=$(devices edu)
	device=${device%%$'\n'*}
	for when in "for the first time" "after a guard was leaked"; do
		why=
		take 17 "$device"
		sleep 0.3
		read -r state <"$PCI/$device/power/runtime_status"
		[ "$state" = active ] || why="$state, though it may not be"
		echo auto >"$PCI/$device/power/control"
		for ((i = 0; i < 60; i++)); do
			news
			count ": it is not used any more"
			[ $COUNT -eq 0 ] || break
			sleep 0.5
		done
		becomes suspended "$device"
		sleep_to freeze platform
		[ -z "$SAID" ] || why="the system was not suspended: $SAID"
		echo on >"$PCI/$device/power/control"
		becomes active "$device"
		echo auto >"$PCI/$device/power/control"
		becomes suspended "$device"
		give_back ": in use 6 times, suspended enough times, 1 times with the system" "$device"
		echo on >"$PCI/$device/power/control"
		nothing_left "suspended when it is not in use, $when" "$why"
	done

	why=
	take 18 "$device"
	echo auto >"$PCI/$device/power/control"
	# C resumes a device before it suspends it with the system: so it is looked at before, and after.
	for when in before after; do
		sleep 0.3
		read -r state <"$PCI/$device/power/runtime_status"
		[ "$state" = active ] || why="$state, though the driver has not asked for it"
		[ $when = after ] || sleep_to freeze platform
	done
	[ -z "$SAID" ] || why="the system was not suspended: $SAID"
	give_back ": suspended with the system 1 times" "$device"
	echo on >"$PCI/$device/power/control"
	nothing_left "not suspended by itself if the driver does not ask for it" "$why"
	unload || why="not unloaded"
	nothing_left "runtime" "$why"
}

# Files in /dev, and what user space maps: misc_cases.ko, and a program.
group_misc()
{
	local device line why= log= driver=/sys/bus/pci/drivers/misc_cases all what
	mapped
	live; before=$LIVE
	complaints; complained=$COMPLAINTS
	news
	chmod +x /misc
	insmod /misc_cases.ko
	all=($driver/0000:*)
	device=${all[0]##*/}
	[ -e "${all[0]}" ] || why="not bound"
	# The second one is not, since its start failed: nor is its file there.
	[ -e /dev/edu-0 ] && [ ! -e /dev/edu-1 ] || why="the files: $(echo /dev/edu-*)"
	verdict "misc: bound" "$why"
	for all in "${all[@]:1}"; do
		echo "${all##*/}" >$driver/unbind
	done
	[ "$(echo /dev/edu-*)" = /dev/edu-0 ] || verdict "misc: unbound" "the files: $(echo /dev/edu-*)"
	[ ! -e /sys/power/pm_test ] || echo 0 >/sys/module/suspend/parameters/pm_test_delay
	for what in "cases /dev/edu-0" "race $TIMES"; do
		why="not to its end"
		while read -r line; do
			case $line in
			"ok "*) verdict "misc: ${line#ok }" ;;
			"not ok "*)
				line=${line#not ok }
				verdict "misc: ${line%%: *}" "${line#*: }"
				;;
			end) why= ;;
			*) verdict "misc: ${what%% *}" "$line" ;;
			esac
		done < <(/misc $what $driver "$device" 2>&1 && echo end)
		verdict "misc: ${what%% *}" "$why"
		! stop || break
	done
	why=
	exec {what}<"$(echo /dev/edu-*)"
	! rmmod misc_cases 2>/dev/null || why="unloaded while a file was open"
	exec {what}<&-
	rmmod misc_cases
	news
	[[ $log == *"slow: true"* ]] || why="the call was not waited for after unbind"
	why_failed
	[ "$(echo /dev/edu-*)" = "/dev/edu-*" ] || why="the files: $(echo /dev/edu-*)"
	nothing_left "misc: unloaded" "$why"
	leaked "misc"
}

# What is bound when the guest ends is shut down; what comes of it, only the console tells.
group_shutdown()
{
	local device why= all
	load
	all=($(devices edu))
	take 8 "${all[@]}"
	verdict "bound, to be shut down" "$why"
}

[ -e $DMA_API/error_count ] || verdict "DMA-API debugging" "is off"
for group; do
	stop || { say "group: $group"; "group_$group"; }
done

echo "TAP version 13"
echo "1..$(printf '%s\n' "${results[@]}" | grep -c -v '^#')"
printf '%s\n' "${results[@]}"
exit $failed
