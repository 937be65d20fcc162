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
LIMIT = 1.01

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
    "pool": "allocate and free, from a pool",
}


class Wrong(Exception):
    """The figures cannot be trusted, and why."""


class Row(typing.NamedTuple):
    name: str
    count: int
    c: int
    rust: int

    @property
    def what(self):
        return ROWS.get(self.name, self.name)

    @property
    def ratio(self):
        return self.rust / self.c

    @property
    def over(self):
        return self.ratio > LIMIT


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


def agree(boots):
    """What all boots found, every time alike: {(twin, row): (count, instructions)}."""
    figures = {}
    for number, boot in enumerate(boots, 1):
        for (twin, name), (count, all_of_it) in boot.items():
            for took in all_of_it:
                first = figures.setdefault((twin, name), (count, took))
                if first != (count, took):
                    raise Wrong(f"{name} in {twin} is not the same every time: {first[1]} instructions first, {took} in boot {number}")
        if boot.keys() != boots[0].keys():
            raise Wrong(f"boot {number} has other rows than boot 1: {boot.keys() ^ boots[0].keys()}")
    return figures


def calibrated(figures):
    """Whether the clock counts instructions: 2,000 more rounds of a loop of two are 4,000 more."""
    try:
        more = figures["c", "loop-3000"][1] - figures["c", "loop-1000"][1]
    except KeyError:
        raise Wrong("the loop of known length was not measured") from None
    if more != 4000:
        raise Wrong(f"the clock does not count instructions: 4000 of them are {more} by it")


def rows(figures):
    """The rows of the table, without what it takes to measure."""
    calibrated(figures)
    found = []
    for (twin, name), (count, took) in figures.items():
        if twin != "rust" or name == "nothing":
            continue
        if ("c", name) not in figures:
            raise Wrong(f"{name} was not measured in C")
        other, c = figures["c", name]
        if other != count:
            raise Wrong(f"{name} is done {count} times in Rust and {other} times in C")
        c -= figures["c", "nothing"][1]
        rust = took - figures["rust", "nothing"][1]
        if c <= 0 or rust <= 0:
            raise Wrong(f"{name} takes {c} instructions in C and {rust} in Rust: too few to be measured")
        found.append(Row(name, count, c, rust))
    left = {name for twin, name in figures if twin == "c"} - {row.name for row in found} - {"nothing", "loop-1000", "loop-3000"}
    if left:
        raise Wrong(f"not measured in Rust: {', '.join(sorted(left))}")
    if not found:
        raise Wrong("nothing was measured")
    return found


def slower(before, after):
    """Whether a row got slower by more than the limit allows for."""
    return after.ratio > before.ratio * LIMIT


def each(number, count):
    """Instructions for doing it once."""
    return f"{number / count:,.2f}" if count > 1 else f"{number:,}"


def text(found):
    """The table."""
    lines = [f"{'instructions for each':32} {'C':>13} {'Rust':>13} {'Rust/C':>8}"]
    for row in found:
        over = "  over" if row.over else ""
        lines.append(f"{row.what:32} {each(row.c, row.count):>13} {each(row.rust, row.count):>13} {row.ratio:8.4f}{over}")
    return "\n".join(lines)


def to_csv(found):
    file = io.StringIO()
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["benchmark", "what", "times", "instructions_c", "instructions_rust", "ratio"])
    for row in found:
        out.writerow([row.name, row.what, row.count, row.c, row.rust, f"{row.ratio:.6f}"])
    return file.getvalue()


def svg(found, title):
    """Bars of Rust ÷ C, with a line at 1."""
    left, right, height, top = 220, 90, 24, 56
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
        colour = "#c0392b" if row.over else "#2e7d5b"
        out += [
            f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{html.escape(row.what)}</text>',
            f'<rect x="{left}" y="{y + 4}" width="{width * row.ratio / most:.1f}" height="{height - 8}" fill="{colour}"/>',
            f'<text x="{left + width * row.ratio / most + 6:.1f}" y="{y + 16}">{row.ratio:.4f}</text>',
        ]
    out.append(f'<line x1="{one:.1f}" y1="{top}" x2="{one:.1f}" y2="{total - 12}" stroke="#555" stroke-dasharray="3 3"/>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
