# SPDX-License-Identifier: GPL-2.0
"""What the types forbid does not compile, for the reason that it should; see ci/compile."""

import concurrent.futures
import os
import re

import boot
import root

HEADER = """#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, unused_must_use, unused_mut, unused_variables, private_interfaces)]
use kernel::{
    device::*, dma::{self, *}, dma_struct, driver, init::pin_init_scope,
    interrupt::{local_interrupt_disable, LocalInterruptDisabled}, io::{Io, IoBase, Mmio, Region},
    io_project, io_read, io_write, irq::{self, IrqReturn}, pci, prelude::*, scatterlist::*,
    sync::{Arc, Completion, SpinLockIrq}, types::ARef,
};
"""


class Program:
    """A program that is right, the one that is wrong, and the error that it must give."""

    def __init__(self, file, text, header=HEADER):
        self.title, _, self.error = (part.strip() for part in text.split("\n", 1)[0].partition("|"))
        self.file = file.stem
        self.rule = int(self.file.partition("-")[0])
        lines = text.split("\n")[1:]
        self.right = header + "\n".join(line.partition("//~")[0].rstrip() for line in lines)
        self.wrong = header + "\n".join((line.partition("//~")[2] if "//~" in line else line) for line in lines)

    def __str__(self):
        return f"rule {self.rule}: {self.title}"


def programs(directory="ci/compile", header=HEADER):
    for file in sorted((root.TOP / directory).glob("*.rs")):
        for text in re.split(r"^//# ", file.read_text(), flags=re.M)[1:]:
            yield Program(file, text, header)


def compiles(test, directory, text, obj=boot.Module.OBJ, linux=boot.LINUX):
    """Whether a program compiles, and what the compiler said."""
    module = boot.Module(test, directory, "program", text, obj, linux)
    good, said = module.make("program.o")
    # What is left of a check that the compiler could not do. The linker takes it for an error.
    if good and b"rust_build_error" in (module.directory / "program.o").read_bytes():
        return False, f"{said}rust_build_error"
    return good, said


def judged(test, obj=boot.Module.OBJ, linux=boot.LINUX, todo=None):
    """Each program; whether it compiles, and what was said; and the same of it with its fault."""
    todo = todo or list(programs())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        right = pool.map(lambda each: compiles(test, f"compile-right-{each[0]}", each[1].right, obj, linux), enumerate(todo))
        wrong = pool.map(lambda each: compiles(test, f"compile-wrong-{each[0]}", each[1].wrong, obj, linux), enumerate(todo))
        yield from zip(todo, right, wrong)


class Compile(boot.Case):
    def compile(self, name, text):
        return compiles(self, f"compile-{name}", text)

    def test_programs(self):
        """Every program compiles as it stands, and with its fault gives its error."""
        todo = []
        for program, (compiles, said), (compiles_wrong, said_wrong) in judged(self):
            todo.append(program)
            with self.subTest(str(program)):
                self.assertTrue(compiles, f"the right program:\n{said}")
                self.assertFalse(compiles_wrong, "the wrong program compiles")
                self.assertIn(program.error, said_wrong)
        counts = {rule: sum(each.rule == rule for each in todo) for rule in sorted({each.rule for each in todo})}
        print("     programs by rule:", ", ".join(f"{rule}: {count}" for rule, count in counts.items()))

    def test_that_it_can_fail(self):
        """A program with another error than it should have, and one without any, are told."""
        compiles, said = self.compile("other", HEADER + "pub fn f() -> u32 { true }\n")
        self.assertFalse(compiles)
        self.assertIn("error[E0308]: mismatched types", said)
        self.assertNotIn("error[E0277]", said)
        self.assertTrue(self.compile("none", HEADER)[0])
