# SPDX-License-Identifier: GPL-2.0
"""Many mutants in one kernel, each in a copy of its function; a parameter of the kernel turns one on.

So one build is enough for all of them, guests run side by side, and the kernel says which functions
a case reaches: the other mutants need not be tried with it.
"""

import bisect
import collections
import re

import mutants
from outcome import Fail, Outcome

# What the compiler evaluates would be wrong in all copies at once.
CONSTANT = re.compile(rb"\bconst\s*\{|\bconst\s+[A-Z_]\w*\s*:|\b(?:build_assert|build_error|static_assert|const_assert)\b")
FUNCTIONS = 2048  # as in reached.c
C, RUST = (mutants.HERE / name for name in ("reached.c", "mutant.rs"))


def together(all, tree):
    """Those of the mutants that can be in one kernel."""
    texts = {file: (tree / file).read_bytes() for file in {each.file for each in all}}
    return [each for each in all if each.body and not each.compile_time and not CONSTANT.search(texts[each.file][slice(*each.body)])]


def functions(all):
    """The numbers of the functions that the mutants are in, by file and place."""
    found = sorted({function(each) for each in all})
    if len(found) > FUNCTIONS:
        raise Fail(Outcome.INTERNAL, f"{len(found)} functions: more than {FUNCTIONS}, which is in {C} and {RUST}")
    return {each: number for number, each in enumerate(found)}


def function(each):
    """That of a mutant."""
    return each.file, each.body


def name(function):
    """By which a function is known from one run to the next."""
    file, (start, _) = function
    return f"{file}:{start}"


def copies(file, text, numbers, on):
    """The file, with the copies of its functions; `on` has the mutants by the number that turns one on."""
    by_function = collections.defaultdict(list)
    for number, each in on.items():
        by_function[function(each)].append((number, each))
    for place in sorted((place for at, place in numbers if at == file), reverse=True):
        start, end = place
        body = text[start:end]
        arms = [b"{ match crate::mutant::on(%d) {\n" % numbers[file, place]]
        for number, each in by_function[file, place]:
            mutated = body[: each.start - start] + each.replacement.encode() + body[each.end - start :]
            arms.append(b"%d => /* mutant %d */ %s\n" % (number, number, mutated))
        arms.append(b"_ => /* function %d */ %s\n} /* end */ }" % (numbers[file, place], body))
        text = text[:start] + b"".join(arms) + text[end:]
    return text


def plant(tree, numbers, on):
    """Put them all into a tree."""
    tree.clean()
    for file in sorted({file for file, _ in numbers}):
        path = tree.path / file
        path.write_bytes(copies(file, path.read_bytes(), numbers, on))
    library = tree.path / "rust/kernel/lib.rs"
    library.write_text(re.sub(r"^(?=pub mod )", "#[doc(hidden)]\npub mod mutant;\n", library.read_text(), count=1, flags=re.M))
    (tree.path / "rust/kernel/mutant.rs").write_bytes(RUST.read_bytes())
    (tree.path / "rust/helpers/mutant.c").write_bytes(C.read_bytes())
    helpers = tree.path / "rust/helpers/helpers.c"
    helpers.write_text(f'{helpers.read_text()}#include "mutant.c"\n')
    tree.allow()


# What the compiler says -------------------------------------------------------


class Places:
    """Which mutant, or function, is in which line of a file."""

    def __init__(self, text):
        found = [(number, match) for number, line in enumerate(text.splitlines(), 1) if (match := re.search(r"/\* (?:(mutant|function) (\d+)|end) \*/", line))]
        self.lines = [number for number, _ in found]
        self.what = [(match[1], int(match[2])) if match[1] else None for _, match in found]

    def at(self, line):
        before = bisect.bisect_right(self.lines, line)
        return self.what[before - 1] if before else None


def blame(log, places):
    """What is to blame for each error that the compiler found: {("mutant" or "function", number): error}."""
    found = {}
    for error in re.split(r"^(?=(?:error|warning)\b)", log, flags=re.M):
        if not re.match(r"error(\[E\d+\])?: ", error):
            continue
        where = ((file, int(line)) for file, line in re.findall(r"(?:-->|:::) (?:\S*/)?(rust/kernel/\S+\.rs):(\d+):", error))
        known = [what for file, line in where if file in places and (what := places[file].at(line))]
        # One may be said to be in a function of which nothing but a copy is wrong.
        for what in sorted(known, key=lambda what: what[0] != "mutant")[:1]:
            found.setdefault(what, error.splitlines()[0])
    return found


# Results ----------------------------------------------------------------------


def reached(console):
    """The numbers of the functions that ran before each verdict, by its group and name, as the guest's console has them."""
    found, group = collections.defaultdict(set), "boot"
    for begun, name, digits in re.findall(r"cases\.sh: (?:group: (\w+)|([^\n]*): reached ([0-9a-f]*))$", console, re.M):
        group = begun or group
        if name:
            numbers = (at * 4 + bit for at, digit in enumerate(digits) for bit in range(4) if int(digit, 16) >> bit & 1)
            found[f"{group}: {name}"].update(numbers)
    return dict(found)
