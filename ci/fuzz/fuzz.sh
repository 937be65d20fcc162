#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: binds dma_fuzz.ko to all devices, has it call the interface at random, and sees
# what is left. KTAP.
#
# In the environment: the SEED of the first binding, and how many BINDINGS there are to be, each of
# so many OPERATIONS; whether the device is WIDE, with 32 address lines. Or else PLANS, one after
# the other, each SEED:OPERATIONS[:FROM-END,...]: those of the first device, until one fails.

MODULE=/dma_fuzz.ko
DRIVER=/sys/bus/pci/drivers/dma_fuzz
PCI=/sys/bus/pci/devices
DMA_API=/sys/kernel/debug/dma-api
KMEMLEAK=/sys/kernel/debug/kmemleak
FAILSLAB=/sys/kernel/debug/failslab

# As in plan.rs: where the plan is, what it begins with, and its flags.
PLACE=$((0x60))
MAGIC=$((0x7a7a7566))
FAULTS=1 WIDE_FLAG=2 LEAKS=4

results=() failed=0 log= seed=$SEED

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
	printf '<6>fuzz.sh: %s\n' "$*" >/dev/kmsg
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

# What the kernel has logged since the last time.
news()
{
	log=$(dmesg -c)
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

# bytes VALUE COUNT: adds them to $BYTES, for printf.
bytes()
{
	local i byte
	for ((i = 0; i < $2; i++)); do
		printf -v byte '\\%03o' $((($1 >> (8 * i)) & 255))
		BYTES+=$byte
	done
}

# plan DEVICE SEED OPERATIONS FLAGS RANGES
plan()
{
	local range ranges=(${5//,/ })
	BYTES=
	bytes $MAGIC 4
	bytes "$2" 8
	bytes "$3" 2
	bytes $(($4 | (WIDE ? WIDE_FLAG : 0))) 2
	bytes ${#ranges[@]} 2
	for range in "${ranges[@]}"; do
		bytes "${range%-*}" 2
		bytes "${range#*-}" 2
	done
	printf "$BYTES" | dd of="$PCI/$1/config" bs=1 seek=$PLACE conv=notrunc 2>/dev/null
}

bound()
{
	[ -e "$DRIVER/$1" ]
}

# round FLAGS NUMBER: binds and unbinds all devices at once, each with a seed of its own. Sets $why
# if that fails.
round()
{
	local flags=$1 number=$2 device first=$seed ends stays all number_of
	for device in "${devices[@]}"; do
		plan "$device" $seed "$OPERATIONS" "$flags" ""
		seed=$((seed + 1))
	done
	for device in "${devices[@]}"; do
		(
			[ $((flags & FAULTS)) -eq 0 ] || echo 1 >/proc/self/make-it-fail
			echo "$device" >$DRIVER/bind
		) 2>/dev/null &
	done
	wait
	why= all=0 number_of=$first
	for device in "${devices[@]}"; do
		# As in plan.rs: probe fails with one seed of 16, and start with another.
		case $((number_of % 16)) in
		6) stays=true ;;
		5) stays=true all=$((all + 1)) ;;
		*) stays=false all=$((all + 1)) ;;
		esac
		number_of=$((number_of + 1))
		if $stays; then
			! bound "$device" || wrong "bound, though it failed: $device"
		else
			bound "$device" || [ $((flags & FAULTS)) -ne 0 ] || wrong "not bound: $device"
		fi
	done
	if [ "$why$flags" = 0 ] && [ $((number % 4)) -eq 3 ]; then
		[ ! -e /sys/power/pm_test ] || suspend
	fi
	for device in "${devices[@]}"; do
		bound "$device" || continue
		(
			if [ $((number % 3)) -eq 2 ]; then
				echo 1 >"$PCI/$device/remove"
			else
				echo "$device" >$DRIVER/unbind
			fi
		) &
	done
	wait
	[ $((number % 3)) -ne 2 ] || echo 1 >/sys/bus/pci/rescan
	news
	[[ $log != *": FAILED: "* ]] || why="$(said)"
	for device in "${devices[@]}"; do
		[ -e "$PCI/$device" ] || wrong "not found again: $device"
		! bound "$device" || wrong "not unbound: $device"
	done
	count "] dma_fuzz: done: seed "
	ends=$COUNT
	[ $((flags & FAULTS)) -ne 0 ] || [ $ends -eq $all ] || wrong "done: $ends of $all"
	count "] dma_fuzz: end: seed "
	# One whose start was out of memory has an end as well.
	[ $COUNT -eq $ends ] || [ $((flags & FAULTS)) -ne 0 ] && [ $COUNT -ge $ends ] ||
		wrong "ended: $COUNT of $ends"
	bindings=$((bindings + ${#devices[@]}))
	local words=$log
	while [[ $words == *", leaks "* ]]; do
		words=${words#*, leaks }
		leaks=$((leaks + ${words%%[^0-9]*}))
	done
	[ -z "$why" ] || say "seeds from $first on: $why"
}

# wrong WHAT: unless something else was before.
wrong()
{
	why=${why:-$1}
}

# said: what failed, by what the module says in $log.
said()
{
	grep -o 'FAILED: .*' <<<"$log" | tr '\n' ';'
}

suspend()
{
	local error
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	echo platform >/sys/power/pm_test
	error=$( (echo freeze >/sys/power/state) 2>&1)
	echo none >/sys/power/pm_test
	suspended=$((suspended + 1))
	[ -z "$error" ] || wrong "not suspended: $error"
}

# leaked: what kmemleak finds. It looks at what is a few seconds old.
leaked()
{
	[ -e $KMEMLEAK ] || return 0
	local found
	sleep 6
	echo scan >$KMEMLEAK
	sleep 1
	echo scan >$KMEMLEAK
	found=$(cat $KMEMLEAK)
	verdict "kmemleak" "${found//$'\n'/; }"
}

# rounds COUNT FLAGS: so many, until one fails. Sets $why.
rounds()
{
	local number
	bindings=0 suspended=0 leaks=0
	for ((number = 0; number < $1; number++)); do
		round "$2" $number
		[ -z "$why" ] || break
	done
}

# Nothing is left when all is unbound.
nothing_left()
{
	local before=$LIVE complained=$COMPLAINTS
	live
	complaints
	verdict "what is left" "$([ $LIVE -eq "$before" ] || echo "$before before, $LIVE after")"
	verdict "complaints of DMA-API debugging" \
		"$([ "$COMPLAINTS" -eq "$complained" ] || echo "$COMPLAINTS, from $complained")"
}

all_of_it()
{
	local why before count=$(((BINDINGS + ${#devices[@]} - 1) / ${#devices[@]}))
	live
	complaints
	[ ! -e $KMEMLEAK ] || echo clear >$KMEMLEAK
	rounds $count 0
	verdict "random calls" "$why"
	say "$((bindings * OPERATIONS)) operations in $bindings bindings; suspended $suspended times"
	[ $failed -eq 0 ] || return
	nothing_left
	leaked
	[ $failed -eq 0 ] || return

	# What is dropped when there is no memory to note it down is leaked; DMA-API debugging is not to
	# complain of what is. An interpreter of ACPI that was out of memory once leads interrupts astray.
	if [ -e /proc/self/make-it-fail ] && [ ! -e /sys/firmware/acpi ]; then
		local word spared
		for word in probability=1 interval=1 times=-1 space=0 verbose=0 task-filter=Y \
			ignore-gfp-wait=N stacktrace-depth=32; do
			echo "${word#*=}" >"$FAILSLAB/${word%=*}"
		done
		# C warns when it removes a file of /proc/irq which there was no memory for.
		spared=($(grep -A1 ' register_irq_proc$' /proc/kallsyms | cut -d ' ' -f 1))
		echo "0x${spared[0]}" >$FAILSLAB/reject-start
		echo "0x${spared[1]}" >$FAILSLAB/reject-end
		echo fuzz.sh >$DMA_API/driver_filter
		live
		before=$LIVE
		rounds $((count / 4 + 2)) $FAULTS
		verdict "random calls, when allocations fail" "$why"
		live
		verdict "what is left then, or more" "$([ $LIVE -ge "$before" ] || echo "$LIVE, of $before")"
		say "when allocations fail: $bindings bindings, $((LIVE - before)) allocations leaked"
		echo 0 >$FAILSLAB/probability
	fi
	[ $failed -eq 0 ] || return

	# What is forgotten stays; nothing comes of it.
	echo fuzz.sh >$DMA_API/driver_filter
	live
	before=$LIVE
	rounds 2 $LEAKS
	verdict "random calls, and leaks" "$why"
	live
	verdict "what is left: what was leaked" \
		"$([ $LIVE -eq $((before + leaks)) ] || echo "$before before, $LIVE after, $leaks leaked")"
	say "$leaks allocations leaked"
}

plans()
{
	local plan device=${devices[0]} parts number=0
	for plan in $PLANS; do
		IFS=: read -r -a parts <<<"$plan"
		say "plan $number: $plan"
		live; local before=$LIVE
		plan "$device" "${parts[0]}" "${parts[1]}" 0 "${parts[2]}"
		(echo "$device" >$DRIVER/bind) 2>/dev/null
		! bound "$device" || echo "$device" >$DRIVER/unbind
		news
		live
		if [[ $log == *": FAILED: "* ]]; then
			verdict "plan $number" "$(said)"
		elif [ $LIVE -ne $before ]; then
			verdict "plan $number" "$before allocations before, $LIVE after"
		elif [[ $log != *"dma_fuzz: end: seed "* && $log != *"dma_fuzz: not bound: seed "* ]]; then
			verdict "plan $number" "it did not come to its end"
		else
			verdict "plan $number" ""
		fi
		[ $failed -eq 0 ] || break
		number=$((number + 1))
	done
}

[ ! -e /sys/kernel/debug/kcsan ] || echo on >/sys/kernel/debug/kcsan

# Who binds is this script alone.
echo 0 >/sys/bus/pci/drivers_autoprobe
insmod $MODULE
devices=()
for device in $PCI/*; do
	[ "$(<"$device/vendor") $(<"$device/device")" != "0x1234 0x11e8" ] || devices+=("${device##*/}")
done
[ ${#devices[@]} -gt 0 ] || verdict "devices" "none"
news
if [ "$PLANS" ]; then
	plans
else
	all_of_it
fi
verdict "unload" "$(rmmod dma_fuzz 2>&1)"

echo "TAP version 13"
echo "1..$(printf '%s\n' "${results[@]}" | grep -c -v '^#')"
printf '%s\n' "${results[@]}"
exit $failed
