# SPDX-License-Identifier: GPL-2.0
"""What the tests share that have a program in the guest use the files, and map the memory, of a driver: ci/cases/misc_cases.rs.

v6.12 has no such files. The driver is written for v6.13, and becomes one for v7.3 here.
"""

import contextlib
import io
import re
import shutil

import boot
import boot_test
import cases
import kernel
import root
from outcome import Fail, Outcome

DIRECTORY = root.TOP / "ci/cases"
TAG = "v7.3"
TREE = kernel.BUILD / TAG / "linux"
OBJ = kernel.BUILD / TAG / "x86_64"

TO_V73 = (
    (r"    init::pin_init_scope,\n((?:.|\n)*?)\n\n", r"\1\nuse pin_init::pin_init_scope;\n\n"),
    (r"\bdma::\{", "dma::{Device as _, "),
    (r"    io_project,\n", ""),
    (r"\bio::\{", "io::{io_project, "),
    (r"&\*(long|name)\b", r"&\1"),
)

HEADER = """#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, unused_must_use, unused_mut, unused_variables, private_interfaces)]
use kernel::{device::*, dma::{self, Device as _, *}, driver::{self, *}, io::Io, pci, prelude::*};
pub struct LocalModule;
impl kernel::ModuleMetadata for LocalModule {
    const NAME: &'static CStr = c"program";
    // SAFETY: Not loaded.
    const THIS_MODULE: ThisModule = unsafe { ThisModule::from_ptr(core::ptr::null_mut()) };
}
"""


def repository(test):
    """The repository that has the kernel, and its commit. A test that cannot have it is skipped: that is nobody's mistake."""
    with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
        try:
            return kernel.repository(TAG)
        except Fail as fail:
            if fail.outcome != Outcome.NO_SOURCE:
                raise
            # The distribution drops a kernel when it has the next one.
            test.may_be_skipped = True
            test.skipTest(fail.cause)


def driver():
    """The driver, for v7.3."""
    text = (DIRECTORY / "misc_cases.rs").read_text()
    for old, new in TO_V73:
        text, count = re.subn(old, new, text)
        if not count:
            raise ValueError(f"misc_cases.rs has no {old}")
    return text


def files(test, obj=OBJ, linux=TREE):
    """The driver and the program, made for the kernel in `obj`, and the script; what the guest gets."""
    module = boot.Module(test, "misc", "misc_cases", driver(), obj, linux)
    made = [module.ko()]
    shutil.copy(DIRECTORY / "misc.c", module.directory)
    compiler = "gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror"
    good, said = module.run(*module.tools.command(*compiler, "-o", f"{module.inside}/misc", f"{module.inside}/misc.c"))
    test.assertTrue(good, said)
    return [*made, module.directory / "misc", DIRECTORY / "cases.sh"]


def guest(test, *arguments, base=TAG, obj=OBJ, linux=TREE, times=20):
    """Boot with these: exit status, and output."""
    added = [word for file in files(test, obj, linux) for word in ("--add", file)]
    return boot.boot_test(
        "--base", base, "--timeout", "900", *cases.PATIENCE, *arguments, *added, "--qemu", cases.DEVICES, "--run", f"TIMES={times} bash /cases.sh misc"
    )  # fmt: skip
