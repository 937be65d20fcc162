# SPDX-License-Identifier: GPL-2.0
# Makes sure that there is a Python; the rest of a fresh machine's needs is Python's job.

if ! command -v python3 >/dev/null; then
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	echo "python3 is missing; installing it"
	log=$(mktemp)
	if ! {
		$sudo apt-get -q update &&
			$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install python3
	} >"$log" 2>&1; then
		tail -n 5 "$log" >&2
		rm "$log"
		echo "error: python3 is missing and cannot be installed" >&2
		echo "next:  as root: apt-get install python3" >&2
		exit 3
	fi
	rm "$log"
fi
