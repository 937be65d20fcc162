# SPDX-License-Identifier: GPL-2.0
"""What it takes to plant faults in the interface, one after the other, and to see them: a tree of our own, its kernel, and a guest."""

import contextlib
import os
import shutil
import subprocess

import arch
import base
import boot
import boot_test
import cases
import guest
import kernel
import root
from outcome import Fail

CONFIG = [root.TOP / "ci/planted/fault.config", *(root.TOP / "ci/config" / name for name in (arch.ARCHES["x86_64"].iommu.config, "aer.config"))]


class Tree:
    """A tree with the series, of which there is what Rust code is made of; the rest is as it was, for git."""

    def __init__(self, path, config):
        self.path, self.config = path, config
        self.obj = boot.Module.OBJ.with_name("-".join(["x86_64", *(file.stem for file in config)]))

    def make(self):
        with boot_test.alone(), quiet():
            self.commit = kernel.patched(base.DEFAULT).commit
        self.clone(boot.LINUX)

    def clone(self, linux):
        """Of a repository that has the commit checked out last."""
        shutil.rmtree(self.path, ignore_errors=True)
        git("clone", "-q", "--shared", "--sparse", linux, self.path)
        git("-C", self.path, "sparse-checkout", "set", "rust", "tools/testing/selftests/rust")

    def remove(self):
        shutil.rmtree(self.path)

    def of(self, directory):
        """What is in there, as git knows it."""
        return git("-C", self.path, "rev-parse", f"{self.commit}:{directory}")

    def clean(self):
        """Without any fault."""
        git("-C", self.path, "checkout", "-q", "-f", "HEAD")
        git("-C", self.path, "clean", "-q", "-f", "-d")

    def allow(self):
        """What is left unused by a fault is no reason not to build it."""
        lib = self.path / "rust/kernel/lib.rs"
        lib.write_text(lib.read_text().replace("\n#![", "\n#![allow(warnings)]\n#![", 1))

    def options(self, run, append=(), qemu=(), jobs=2, add=()):
        """For boot-test."""
        # A ramdisk that the kernel has moved is freed, but kmemleak is not told, and reads what is not mapped then.
        append = ["retain_initrd", *append]
        return boot_test.defaults(
            base=str(self.path), config=self.config, jobs=jobs, run=run, silence=120, timeout=600, append=append, qemu=list(qemu), add=list(add)
        )  # fmt: skip

    def boot(self, test, run, append=(), qemu=(), add=True):
        """Build it, and boot it with the cases, or with what it tests itself, where nothing is to be run; how that failed, or None."""
        options = self.options(run, append, qemu)
        with boot_test.alone(), quiet():
            try:
                built, _, programs = boot_test.prepare(options)
                if add:
                    _, files = cases.modules(test, self.obj)
                    options.add = [*files, root.TOP / "ci/cases/cases.sh"]
                    guest.initramfs(built, options)
                guest.boot(built, options, programs)
            except Fail as fail:
                return fail
        return None

    def what_failed(self, fail):
        """By what a guest was found to be wrong: a case, a test, or a check of the kernel's."""
        return cases.what_failed(fail.outcome, f"{fail.detail}\nerror: {fail}", self.obj)[0]


@contextlib.contextmanager
def quiet():
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def git(*command):
    return subprocess.run(["git", *command], check=True, capture_output=True).stdout
