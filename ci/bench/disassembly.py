# SPDX-License-Identifier: GPL-2.0
"""The machine code of both drivers, as objdump shows it: what each benchmark's function is made of."""

import re
import typing

from outcome import Fail, Outcome

# Functions that are compared, and nothing else of the modules.
FUNCTIONS = (
    "alloc", "field_read", "field_write", "ring_fill", "ring_drain", "register_read", "register_write", "stream", "stream_sync", "receive",
    "park", "pool", "sg", "nvme",
)  # fmt: skip

START = re.compile(r"^[0-9a-f]+ <(.*)>:$")
# What `objdump -dr` says of what an instruction refers to.
REFERENCE = re.compile(r"^\s*[0-9a-f]+: R_\w+\s+([\w.$]+?)(?:[-+]0x[0-9a-f]+)?$")
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(?:(?:lock|rep[a-z]*|notrack|data16|cs) )*(\w+)\s*(.*)$")


class Function(typing.NamedTuple):
    instructions: int
    loads: int
    stores: int
    branches: int
    calls: int
    stack: int  # bytes


def functions(disassembly):
    """{symbol: Function} of what `objdump -d` prints."""
    found = {}
    name, lines = None, []
    for line in [*disassembly.splitlines(), "0 <>:"]:
        start = START.match(line)
        if start:
            if name:
                found[name] = count(lines)
            name, lines = start[1], []
        else:
            match = INSTRUCTION.match(line)
            if match:
                lines.append((match[1], match[2].split("#")[0].split("<")[0].strip()))
    return found


def compared(found):
    """{name: Function} of those that are compared. In Rust the name is a part of a longer one: _RNv...10bench_rust10ring_fill."""
    return {
        name: function
        for symbol, function in found.items()
        for name in FUNCTIONS
        if symbol == name or re.search(rf"bench_rust{len(name)}{name}$", symbol)
    }


def count(lines):
    """What a function is made of. Accesses of the stack are counted as stack, not as loads or stores."""
    instructions = loads = stores = branches = calls = stack = 0
    for name, operands in lines:
        if name.startswith(("nop", "int3", "xchg")) and "%ax,%ax" in operands or name.startswith(("nop", "int3", "endbr")):
            continue
        instructions += 1
        if name.startswith("j"):
            branches += 1
        elif name.startswith("call"):
            calls += 1
        elif name.startswith("push"):
            stack += 8
        elif name == "sub" and operands.endswith(",%rsp"):
            stack += int(operands.partition(",")[0].lstrip("$"), 16)
        elif "(" in operands and not name.startswith("lea") and "%rsp" not in operands:
            stores_it = operands.endswith(")") and not name.startswith(("cmp", "test"))
            stores += stores_it
            loads += not stores_it or not name.startswith("mov")
    return Function(instructions, loads, stores, branches, calls, stack)


def panics(disassembly):
    """Functions that may panic, by what `objdump -dr` prints.

    pin-init has the compiler look at a closure that never runs, and panics. What is left of it is a
    function to which nothing refers.
    """
    refers, name = {}, None
    for line in disassembly.splitlines():
        if start := START.match(line):
            name = start[1]
        elif reference := REFERENCE.match(line):
            refers.setdefault(name, set()).add(reference[1])
    used = {other for function, others in refers.items() for other in others if other != function}
    return sorted(
        function for function, others in refers.items()
        if any("panicking" in other for other in others) and (function in used or not function.endswith("panic_cold_explicit"))
    )  # fmt: skip


def compare(built, paths):
    """([(function, in C, in Rust)], what to say of the modules); a Fail if one of them may panic."""
    both, stacks = [], []
    for path in paths:
        inside = f"{built.tools.obj}/{path.relative_to(built.obj)}"
        if bad := panics(built.tools.output("objdump", "-dr", "--no-show-raw-insn", inside)):
            raise Fail(Outcome.TEST_FAILED, f"{path.name} may panic", "\n".join(bad))
        found = functions(built.tools.output("objdump", "-d", "--no-show-raw-insn", inside))
        both.append(compared(found))
        stacks.append(f"{path.name}: at most {max(function.stack for function in found.values())} bytes of stack in a function")
    sizes = built.tools.output("size", *(f"{built.tools.obj}/{path.relative_to(built.obj)}" for path in paths))
    missing = [name for name in FUNCTIONS for twin in both if name not in twin]
    if missing:
        raise Fail(Outcome.TEST_FAILED, f"not found in the modules: {', '.join(missing)}")
    return [(name, both[0][name], both[1][name]) for name in FUNCTIONS], "\n".join([sizes.rstrip(), *stacks])


def text(compared):
    """The table: in C / in Rust."""
    both, modules = compared
    lines = [f"{'machine code, C / Rust':24}" + "".join(f"{field:>14}" for field in Function._fields)]
    for name, c, rust in both:
        lines.append(f"{name:24}" + "".join(f"{f'{a} / {b}':>14}" for a, b in zip(c, rust, strict=True)))
    return "\n".join([*lines, "", modules])
