# SPDX-License-Identifier: GPL-2.0
"""Shared memory is accessed as volatile, in words of every size.

A guest shows it for some compilers alone: others leave an access where it is, for reasons of their own.
So it is looked for in what the compiler hands on, LLVM's intermediate representation.
"""

import re

import boot
import cases

PROGRAM = """#![allow(missing_docs, unreachable_pub)]
use kernel::{dma::Coherent, dma_read, dma_struct, dma_write, prelude::*};

dma_struct! {
    pub struct Words {
        a: u64,
        b: u32,
        c: u16,
        d: u8,
        e: u8,
    }
}

#[no_mangle]
pub fn read(memory: &Coherent<'_, Words>) -> (u64, u32, u16, u8) {
    (dma_read!(memory, .a), dma_read!(memory, .b), dma_read!(memory, .c), dma_read!(memory, .d))
}

#[no_mangle]
pub fn write(memory: &Coherent<'_, Words>) {
    dma_write!(memory, .a, 1);
    dma_write!(memory, .b, 2);
    dma_write!(memory, .c, 3);
    dma_write!(memory, .d, 4);
}

#[no_mangle]
pub fn copy(memory: &Coherent<'_, [u8]>, bytes: &mut [u8]) -> Result {
    memory.copy_from_slice(0, bytes)?;
    memory.copy_to_slice(1, bytes)
}
"""

ALL = {f"{access} volatile {word}" for access in ("load", "store") for word in ("i8", "i16", "i32", "i64")}


def ordinary(test, obj):
    """Which accesses are not volatile."""
    module = boot.Module(test, "volatile", "program", PROGRAM, obj)
    made, said = module.make("program.ll")
    test.assertTrue(made, said)
    functions = re.split(r"^define .*@(\w+)\(", (module.directory / "program.ll").read_text(), flags=re.M)
    found = {"fields": set(), "copies": set()}
    for name, code in zip(functions[1::2], functions[2::2]):
        found["fields" if name in ("read", "write") else "copies"].update(re.findall(r"(?:load|store) volatile \w+", code))
    return [f"{kind}: no {access}" for kind, accesses in found.items() for access in sorted(ALL - accesses)]


class Volatile(boot.Case):
    def test_accesses(self):
        cases.build(self)
        self.assertEqual(ordinary(self, boot.Module.OBJ), [])
