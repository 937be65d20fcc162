# SPDX-License-Identifier: GPL-2.0
"""Guests that go wrong, for real: each is told apart, in words and by exit status, and at once."""

import hashlib
import os
import pathlib
import random
import re
import tempfile

import boot
import guest
import root
from outcome import Outcome

# No limit of time ends these guests; what the console says must.
PATIENT = ("--silence", "3600", "--timeout", "3600")


class Trouble(boot.Case):
    def guest(self, outcome, command, *says, arguments=PATIENT):
        output = self.ends(outcome, "--run", command, *arguments)
        for words in (*says, "run the guest again: bwrap", "qemu-system-x86_64 -M", "console.log"):
            self.assertIn(words, output)
        return output

    def provoke(self, outcome, what, *says):
        """Trouble of the kind that the kernel makes on demand (drivers/misc/lkdtm)."""
        return self.guest(outcome, f"modprobe lkdtm; echo {what} >/sys/kernel/debug/provoke-crash/DIRECT", *says)

    def test_panic(self):
        self.guest(Outcome.PANIC, "echo c >/proc/sysrq-trigger", "Kernel panic - not syncing: sysrq triggered crash")

    def test_oops(self):
        self.provoke(Outcome.OOPS, "EXCEPTION", "NULL pointer dereference", "Call Trace", "end trace")

    def test_bug(self):
        self.provoke(Outcome.OOPS, "BUG", "kernel BUG at drivers/misc/lkdtm/bugs.c")

    def test_warning(self):
        self.provoke(Outcome.WARNING, "WARNING_MESSAGE", "Warning message trigger count", "error: the guest's kernel printed a warning")

    def test_hang(self):
        self.guest(Outcome.HANG, "sleep 1000", "printed nothing for 4 s", arguments=("--silence", "4"))

    def test_never_done(self):
        self.guest(Outcome.HANG, "while sleep 1; do echo again; done", "not done after 9 s", arguments=("--timeout", "9"))

    def test_stops_half_way(self):
        self.guest(Outcome.NO_TEST, "reboot -f; sleep 1000", "stopped before its last test")

    def test_command_fails(self):
        self.guest(Outcome.TEST_FAILED, "echo so it is; false", "so it is", "failed: command: exit status")

    def test_command_passes(self):
        output = self.ends(Outcome.PASS, "--run", "lsmod; test -e /sys/bus/pci/devices/0000:00:01.0")
        self.assertIn("passed    command: exit status", output)
        self.assertRegex(output, r"(?m)^passed    \d+ KUnit tests")

    def test_what_it_printed(self):
        """It is shown, and what the kernel said meanwhile; but not what others did before, nor results a second time."""
        output = self.ends(Outcome.PASS, "--run", "echo first; modprobe rust_print; echo 'ok 1 so'; seq 500 | tail -n 3; printf '%01000d\\n' 7; printf last", "--append", "kunit.enable=0")
        printed = re.search(r"^printed   (.*\n(?: {10}.*\n)*)passed    command: exit status\n", output, re.M)[1].replace("\n" + " " * 10, "\n").splitlines()
        self.assertEqual(["first", "# ok 1 so", "498", "499", "500", f"{7:01000}", "last"], [line for line in printed if "rust_print: " not in line])
        self.assertRegex("\n".join(printed), r"\[ +\d+\.\d+\] rust_print: Rust printing macros sample")
        self.assertIn("left out  KUnit tests (kunit.enable=0)\n", output)
        for words in "KTAP version", "Run /init", "boot-test: ":
            self.assertNotIn(words, output)

    def test_that_prints_much(self):
        output = self.ends(Outcome.PASS, "--run", "seq 1000", "--append", "kunit.enable=0")
        self.assertIn("\nprinted   (the last 400 of 1000 lines)\n          601\n", output)

    def test_what_a_program_says(self):
        """It is not the kernel's word, nor the results of a test; and none of it is lost."""
        said = "WARNING: x; BUG: x; ok 1 - a; 1..1; # Subtest: x; boot-test: end; KTAP version; [    1.0] DMA-API: x"
        lines = "; ".join(f"echo '{line}'" for line in said.split("; "))
        output = self.ends(Outcome.PASS, "--run", f"{lines}; echo BUG: x >/dev/console; printf '%03000d\\n' 7; dmesg | grep -c 'boot-test: begin'")
        self.assertIn("passed    command: exit status", output)
        self.assertEqual(2999, self.long_line().count("0"))

    def long_line(self):
        console = (boot.Module.OBJ / "console.log").read_text()
        return "".join(part for part in re.findall(r"program:     (?:# \.\.\. )?(.*)", console) if re.fullmatch("0+7?", part))

    def test_what_is_not_ok(self):
        self.guest(Outcome.TEST_FAILED, "echo 'not ok 1 fake'", "failed: command: exit status", "something is said to be not ok")

    def test_tap(self):
        """TAP 13, with its plan where TAP has it."""
        tap = "echo 'TAP version 13'; echo 'ok 1 - a'; echo '{}ok 2 - b'; echo 1..2"
        self.assertIn("passed    command: b", self.ends(Outcome.PASS, "--run", tap.format("")))
        self.guest(Outcome.TEST_FAILED, tap.format("not "), "failed: command: b")

    def test_every_character(self):
        """Bytes of no character set come to the guest as they are."""
        self.ends(Outcome.PASS, "--run", "x='\u00e4\udcff'; [ ${#x} = 3 ]", "--disk", "256", LC_ALL="POSIX")
        # Of a large disk, too.
        with (boot.Module.OBJ / guest.DISK).open("rb") as disk:
            self.assertEqual((random.Random(guest.DISK_SERIAL).randbytes(2 << 20), 256 << 20), (disk.read(2 << 20), disk.seek(0, os.SEEK_END)))

    def test_every_processor(self):
        """All are there for what runs in the guest, though not while its kernel starts."""
        self.ends(Outcome.PASS, "--run", "grep -c ^processor /proc/cpuinfo | grep -x 2")

    def test_no_doctest(self):
        """None was asked for, with a command; without one, the tests are what the run is for. Nor is the parameter's last word another."""
        for arguments in ("--append", "kunit.enable=0"), ("--append", "kunit.enable=0 kunit.enable=1 kunit.filter_glob=none", "--run", "true"):
            self.assertIn("ran no KUnit test", self.ends(Outcome.NO_TEST, *arguments))

    def test_no_device(self):
        """The selftest of the sample skips itself where there is no device: not a pass."""
        output = self.ends(Outcome.NO_TEST, "--append", "pci=off")
        self.assertIn("test_rust_dma.sh", output)

    def test_emulator_does_not_start(self):
        output = self.ends(Outcome.EMULATOR, "--accel", "tcg", "--qemu", "-device nonsense")
        self.assertIn("'nonsense' is not a valid device model name", output)

    def test_files_of_the_user_s(self):
        """The emulator reads them where they are, by their names as the user has them; not where the build root has something of its own."""
        with tempfile.TemporaryDirectory(prefix="boot-test ") as directory:
            place = pathlib.Path(directory, "of mine")
            # As a device's ROM is to begin.
            content = bytearray(b"\x55\xaa".ljust(512, b"m"))
            content[0x18:0x34] = b"\x1c\0\0\0PCIR".ljust(20, b"\0") + b"\1\0\0\0\0\x80\0\0"
            place.write_bytes(content)
            rom = f"-device 'edu,id=mine,romfile={os.path.relpath(place)}'"
            run = 'for rom in /sys/bus/pci/devices/*/rom; do echo 1 >"$rom" && md5sum <"$rom"; done'
            output = self.ends(Outcome.PASS, "--append", "kunit.enable=0", "--qemu", rom, "--run", run)
            self.assertIn(f"printed   {hashlib.md5(content).hexdigest()}  -\n", output)
        with tempfile.NamedTemporaryFile(dir="/usr/local") as file:
            self.ends(Outcome.USAGE, "--qemu", f"-device edu,romfile={file.name}", says=[f"has no {file.name}", f"next:  copy it: cp {file.name} /tmp"])

    def test_more_processors_than_there_are(self):
        """They take turns: else the guest may stand still, or the emulator fail."""
        few, many = (
            self.ends(Outcome.TEST_FAILED, "--accel", "tcg", "--run", "false", "--qemu", f"-smp {count},sockets={count}") for count in (1, 2 * os.cpu_count())
        )
        self.assertIn("-accel tcg -m", few)
        self.assertIn("-accel tcg,thread=single -m", many)

    def test_kernel_does_not_start(self):
        output = self.ends(Outcome.HANG, "--accel", "tcg", "--silence", "3", "--qemu", "-S")
        self.assertIn("printed nothing for 3 s, from its start", output)


class Planted(boot.Case):
    """Trouble that only a module can make: planted.c, built against the kernel under test."""

    @classmethod
    def setUpClass(cls):
        cls.module = boot.Module(cls, "planted", "planted", root.TOP / "ci/tests/planted")
        cls.ko = cls.module.ko()

    def planted(self, outcome, fault, *says):
        output = self.ends(outcome, *PATIENT, "--add", self.ko, "--run", f"insmod /planted.ko fault={fault}")
        for words in says:
            self.assertIn(words, output)

    def test_no_fault(self):
        """The module itself does no harm; so it is the fault that is seen."""
        self.planted(Outcome.PASS, "none")
        self.assertIn("planted: bound", (self.module.obj / "console.log").read_text())

    def test_dma_api(self):
        self.planted(Outcome.DMA_API, "size", "DMA-API: ", "frees DMA memory with different size")

    def test_dma_leak(self):
        self.planted(Outcome.DMA_API, "leak", "DMA-API: ", "pending DMA allocations")

    def test_lockdep(self):
        self.planted(Outcome.LOCKDEP, "order", "possible circular locking dependency detected")

    def test_sleep_in_atomic_context(self):
        self.planted(Outcome.LOCKDEP, "sleep", "sleeping function called from invalid context")
