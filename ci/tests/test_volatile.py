# SPDX-License-Identifier: GPL-2.0
"""Shared memory is accessed as volatile, in words of every size, and copied once.

A guest shows it for some compilers alone: others leave an access where it is, for reasons of their own.
So it is looked for in what the compiler hands on, LLVM's intermediate representation.
"""

import re

import boot
import cases

PROGRAM = """#![allow(missing_docs, unreachable_pub)]
use kernel::{dma::Coherent, dma_struct, io::Io, io_project, io_read, io_write, prelude::*};

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
    (io_read!(memory, .a), io_read!(memory, .b), io_read!(memory, .c), io_read!(memory, .d))
}

#[no_mangle]
pub fn write(memory: &Coherent<'_, Words>) {
    io_write!(memory, .a, 1);
    io_write!(memory, .b, 2);
    io_write!(memory, .c, 3);
    io_write!(memory, .d, 4);
}

#[no_mangle]
pub fn copies(memory: &Coherent<'_, [u8]>, bytes: &mut [u8; 8]) -> Result {
    let first = io_project!(memory, [try: ..8]);
    first.copy_from_slice(bytes);
    first.copy_to_slice(bytes);
    Ok(())
}

/// What is checked is what is returned, whatever the device writes in between.
#[no_mangle]
pub fn checked(memory: &Coherent<'_, u64>) -> u64 {
    let copy = memory.copy_read();
    if copy < 100 {
        copy
    } else {
        0
    }
}
"""

ALL = {f"{access} volatile {word}" for access in ("load", "store") for word in ("i8", "i16", "i32", "i64")}


def ordinary(test, obj):
    """Which accesses the compiler may leave out, or do twice."""
    module = boot.Module(test, "volatile", "program", PROGRAM, obj)
    made, said = module.make("program.ll")
    test.assertTrue(made, said)
    code = re.split(r"^define .*@(\w+)\(", (module.directory / "program.ll").read_text(), flags=re.M)
    code = dict(zip(code[1::2], code[2::2]))
    found = {access for name in ("read", "write") for access in re.findall(r"(?:load|store) volatile \w+", code[name])}
    wrong = [f"no {access}" for access in sorted(ALL - found)]
    for name, copies in ("copies", 2), ("checked", 1):
        # A call of C's memcpy, or what the compiler makes of it, between what says that memory changes.
        barriers = len(re.findall(r'asm sideeffect .*"", "~\{memory\}"', code[name]))
        if barriers < 2 * copies:
            wrong.append(f"{name}: {barriers} barriers")
    return wrong


class Volatile(boot.Case):
    def test_accesses(self):
        cases.build(self)
        self.assertEqual(ordinary(self, boot.Module.OBJ), [])
