# SPDX-License-Identifier: GPL-2.0
"""From what the modules of the benchmarks print to a table, as text, CSV and SVG.

No guest in here, so that all of it can be tested with text.
"""

import csv
import html
import io
import re
import typing

# Instructions in Rust for each in C, at most.
LIMIT = 1.05
# What is over this is marked: a call of C's that C itself has inline, which the machine code shows.
NEAR = 1.01

# What is measured to see that the clock is right, and what measuring takes.
CALIBRATION = "nothing", "loop-1000", "loop-3000"

# "bench_c: ring-fill 256 4711": twin, row, how often it was done, instructions for all of it.
LINE = re.compile(r"\bbench_(c|rust): ([a-z][-\w]*) (\d+) (\d+)$")

# What is done once, and what it is called in the table.
ROWS = {
    "alloc-64": "allocate and free 64 B",
    "alloc-4K": "allocate and free 4 KiB",
    "alloc-64K": "allocate and free 64 KiB",
    "alloc-1M": "allocate and free 1 MiB",
    "alloc-4M": "allocate and free 4 MiB",
    "field-read": "read a field",
    "field-write": "write a field",
    "ring-fill": "fill a descriptor of a ring",
    "ring-drain": "take a descriptor from a ring",
    "register-read": "read a register",
    "register-write": "write a register",
    "stream": "map and unmap 4 KiB",
    "stream-sync": "sync 4 KiB, both ways",
    "receive": "receive 4 KiB, by copy",
    "park": "map 4 KiB, and park it",
    "pool": "allocate and free, from a pool",
    "sg-1": "map and walk a table of 1 page",
    "sg-16": "map and walk a table of 16 pages",
    "sg-256": "map and walk a table of 256 pages",
    "nvme-4K": "NVMe command, 4 KiB",
    "nvme-64K": "NVMe command, 64 KiB",
}

# What takes other ways with an IOMMU or bounce buffers.
MAPPING = ("stream", "stream-sync", "receive", "sg-1", "sg-16", "sg-256")


# How many free pages of which size there are where when a boot has come so far differs a little, and
# where the allocator has to take new ones.
LOOSE = ("alloc-64K", "alloc-1M", "alloc-4M", "park")


class Machine(typing.NamedTuple):
    name: str
    what: str
    rows: tuple
    # Whether every boot has to give the same figures, to the instruction.
    exact: bool = True


PLAIN = Machine("plain", "one CPU", tuple(ROWS))
# Which addresses are free, or which buffers, depends on what was mapped before.
IOMMU = Machine("iommu", "IOMMU, strict", ("alloc-4K", "alloc-64K", *MAPPING), exact=False)
BOUNCE = Machine("bounce", "bounce buffers", MAPPING, exact=False)
# The same, but the helpers by which Rust calls C's inline functions are inlined, as newer kernels can do.
INLINED = Machine("inlined", "helpers inlined", PLAIN.rows)
MACHINES = PLAIN, IOMMU, BOUNCE, INLINED


# What may take more, by the set of patches, how much more, and why. Each is as low as it can be: a slow-down is seen.
CALLS = "calls of what is inline in C"
CHECKS = "checks: context, and the limits of segments"
NODE = "what is parked is put into a list, whose node is allocated"
MODULE = f"{NODE}, and it is looked up whose code will free it"
COUNT = "context is checked, and it is counted what is allocated"
PAGES = "calls for each page and each segment, and the limits of segments"
INDICES = "the index of each page is checked"
ALLOWED = {
    # And v6.13, which has the same code.
    "v6.12": {
        (PLAIN.name, "stream"): (1.23, CALLS),
        (PLAIN.name, "park"): (2.10, NODE),
        (PLAIN.name, "pool"): (1.07, CALLS),
        (PLAIN.name, "sg-1"): (1.15, CALLS),
        (PLAIN.name, "sg-16"): (1.09, CALLS),
        (PLAIN.name, "sg-256"): (1.08, CALLS),
        (INLINED.name, "park"): (1.94, NODE),
        (INLINED.name, "sg-1"): (1.10, CHECKS),
    },
    "v7.3": {
        (PLAIN.name, "register-read"): (3.45, CALLS),
        (PLAIN.name, "register-write"): (4.28, CALLS),
        (PLAIN.name, "stream"): (1.26, CALLS),
        (PLAIN.name, "park"): (3.25, MODULE),
        (PLAIN.name, "pool"): (1.13, CALLS),
        (PLAIN.name, "sg-1"): (1.54, PAGES),
        (PLAIN.name, "sg-16"): (1.42, PAGES),
        (PLAIN.name, "sg-256"): (1.39, PAGES),
        (PLAIN.name, "nvme-64K"): (1.07, CALLS),
        (IOMMU.name, "sg-1"): (1.15, PAGES),
        (IOMMU.name, "sg-16"): (1.23, PAGES),
        (IOMMU.name, "sg-256"): (1.29, PAGES),
        (INLINED.name, "park"): (2.69, MODULE),
        (INLINED.name, "pool"): (1.07, COUNT),
        (INLINED.name, "sg-1"): (1.42, PAGES),
        (INLINED.name, "sg-16"): (1.27, PAGES),
        (INLINED.name, "sg-256"): (1.23, PAGES),
        (INLINED.name, "nvme-64K"): (1.08, INDICES),
    },
}


class Wrong(Exception):
    """The figures cannot be trusted, and why."""


class Figure(typing.NamedTuple):
    count: int
    took: int
    # Between the least and the most, where not all were alike.
    spread: int = 0


class Row(typing.NamedTuple):
    name: str
    count: int
    c: int
    rust: int
    machine: str = PLAIN.name
    # The most that the ratio may be off.
    spread: float = 0.0
    patches: str = "v6.12"

    @property
    def what(self):
        return ROWS.get(self.name, self.name)

    @property
    def ratio(self):
        return self.rust / self.c

    @property
    def allowed(self):
        """The limit, and why it is another than that of all."""
        return ALLOWED.get(self.patches, ALLOWED["v6.12"]).get((self.machine, self.name), (LIMIT, ""))

    @property
    def limit(self):
        return self.allowed[0]

    # By more than boots differ.
    @property
    def over(self):
        return self.ratio > self.limit + self.spread

    @property
    def near(self):
        return self.ratio > NEAR + self.spread


def parse(lines):
    """One boot: {(twin, row): (count, [instructions, one for each time that the module was bound])}."""
    found = {}
    for line in lines:
        match = LINE.search(line)
        if match:
            twin, name, count, took = match[1], match[2], int(match[3]), int(match[4])
            before, all_of_it = found.setdefault((twin, name), (count, []))
            if before != count:
                raise Wrong(f"{name} in {twin} was done {before} times, then {count} times")
            all_of_it.append(took)
    return found


def agree(boots, machine=PLAIN):
    """What all boots found: {(twin, row): Figure}. Every time alike, or else the median, and how far they lie apart."""
    for number, boot in enumerate(boots, 1):
        if boot.keys() != boots[0].keys():
            raise Wrong(f"boot {number} has other rows than boot 1: {boot.keys() ^ boots[0].keys()}")
    figures = {}
    for twin, name in boots[0]:
        if name not in machine.rows and name not in CALIBRATION:
            continue
        found = [(took, number) for number, boot in enumerate(boots, 1) for took in boot[twin, name][1]]
        counts = {boot[twin, name][0] for boot in boots}
        if len(counts) > 1:
            raise Wrong(f"{name} in {twin} was done {min(counts)} times, then {max(counts)} times")
        first = found[0][0]
        other = next(((took, number) for took, number in found if took != first), None)
        if other and machine.exact and name not in LOOSE:
            raise Wrong(f"{name} in {twin} is not the same every time: {first} instructions first, {other[0]} in boot {other[1]}")
        all_of_it = sorted(took for took, _ in found)
        figures[twin, name] = Figure(counts.pop(), all_of_it[len(all_of_it) // 2], all_of_it[-1] - all_of_it[0])
    return figures


def calibrated(figures):
    """Whether the clock counts instructions: 2,000 more rounds of a loop of two are 4,000 more."""
    try:
        more = figures["c", "loop-3000"].took - figures["c", "loop-1000"].took
    except KeyError:
        raise Wrong("the loop of known length was not measured") from None
    if more != 4000:
        raise Wrong(f"the clock does not count instructions: 4000 of them are {more} by it")


def rows(figures, machine=PLAIN, patches="v6.12"):
    """The rows of the table for a set of patches, without what it takes to measure."""
    calibrated(figures)
    found = []
    for (twin, name), rust in figures.items():
        if twin != "rust" or name in CALIBRATION:
            continue
        if ("c", name) not in figures:
            raise Wrong(f"{name} was not measured in C")
        c = figures["c", name]
        if c.count != rust.count:
            raise Wrong(f"{name} is done {rust.count} times in Rust and {c.count} times in C")
        took = [figure.took - figures[which, "nothing"].took for which, figure in (("c", c), ("rust", rust))]
        if min(took) <= 0:
            raise Wrong(f"{name} takes {took[0]} instructions in C and {took[1]} in Rust: too few to be measured")
        spread = max(c.spread / took[0], rust.spread / took[1])
        found.append(Row(name, rust.count, *took, machine.name, spread, patches))
    left = {name for twin, name in figures if twin == "c"} - {row.name for row in found} - set(CALIBRATION)
    if left:
        raise Wrong(f"not measured in Rust: {', '.join(sorted(left))}")
    if not found:
        raise Wrong("nothing was measured")
    return found


def slower(before, after):
    """Whether a row got slower by more than the limit allows for."""
    return after.ratio > before.ratio * NEAR


def each(number, count):
    """Instructions for doing it once."""
    return f"{number / count:,.2f}" if count > 1 else f"{number:,}"


def described(row):
    """What was measured, and on which machine if it isn't the plain one."""
    machine = next(machine for machine in MACHINES if machine.name == row.machine)
    return row.what if machine is PLAIN else f"{machine.what}: {row.what}"


def text(found):
    """The table."""
    lines = [f"{'instructions for each':50} {'C':>13} {'Rust':>13} {'Rust/C':>8}"]
    for row in found:
        limit, why = row.allowed
        passed = [each for each in (limit, LIMIT, NEAR) if row.ratio > each + row.spread]
        over = f"  over {max(passed)}{why and ': '}{why}" if passed else ""
        spread = f"  boots differ by {100 * row.spread:.2f} %" if row.spread else ""
        lines.append(f"{described(row):50} {each(row.c, row.count):>13} {each(row.rust, row.count):>13} {row.ratio:8.4f}{over}{spread}")
    return "\n".join(lines)


def to_csv(found):
    file = io.StringIO()
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["machine", "benchmark", "what", "times", "instructions_c", "instructions_rust", "ratio", "spread"])
    for row in found:
        out.writerow([row.machine, row.name, row.what, row.count, row.c, row.rust, f"{row.ratio:.6f}", f"{row.spread:.6f}"])
    return file.getvalue()


def svg(found, title):
    """Bars of Rust ÷ C, with a line at 1."""
    left, right, height, top = 330, 90, 20, 56
    width = 400
    most = max([1.25, *(row.ratio for row in found)])
    one = left + width / most
    total = top + height * len(found) + 12
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + right}" height="{total}" font-family="sans-serif" font-size="12">',
        f'<rect width="{left + width + right}" height="{total}" fill="#fff"/>',
        f'<text x="10" y="20" font-size="14">{html.escape(title)}</text>',
        f'<text x="{one:.1f}" y="{top - 8}" text-anchor="middle" fill="#555">as many as in C</text>',
    ]
    for at, row in enumerate(found):
        y = top + at * height
        colour = "#c0392b" if row.over else "#c99a2e" if row.near else "#2e7d5b"
        out += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{html.escape(described(row))}</text>',
            f'<rect x="{left}" y="{y + 4}" width="{width * row.ratio / most:.1f}" height="{height - 8}" fill="{colour}"/>',
            f'<text x="{left + width * row.ratio / most + 6:.1f}" y="{y + 14}">{row.ratio:.4f}</text>',
        ]
    out.append(f'<line x1="{one:.1f}" y1="{top}" x2="{one:.1f}" y2="{total - 12}" stroke="#555" stroke-dasharray="3 3"/>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
