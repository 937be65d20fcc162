# SPDX-License-Identifier: GPL-2.0
"""The guest is suspended, hibernated, restarted, and starts another kernel, with drivers in Rust bound; see ci/power.

In the kernel here, the PCI core does not turn off bus mastering when another kernel is started. It would do so after
the drivers' bus has, and whether that did could not be seen.
"""

import contextlib
import io
import json
import os
import re
import shutil
import socket
import threading
import time
import unittest

import arch
import boot
import boot_test
import cases
import console
import guest
import root
import stage
import test_nvme
from outcome import Fail

CONFIG, POWER = root.TOP / "ci/config", root.TOP / "ci/power"
IOMMU = arch.ARCHES["x86_64"].iommu
# Of two functions, the one that does nothing to these devices for the other, which that file calls for this alone.
NOT_MUTED = "CFLAGS_pci-driver.o=-Dpci_clear_master=pci_clear_mwi"
# Where the devices are, power.sh knows. The edu of the sample and the disk come first.
DEVICES = "-m 512M -global edu.dma_mask=0xffffffff -device edu -device edu -device edu -drive file=power.img,if=none,id=power,format=raw -device virtio-blk-pci,drive=power"
IMAGE = "arch/x86/boot/bzImage"
MIB = 1 << 20
# Some take minutes for what others do in seconds. Whoever shuts a device down waits for it to be bound.
SILENCE, TIMEOUT = 300, 3600
APPEND = ["kunit.enable=0", "sysctl.kernel.hung_task_timeout_secs=240"]


class Waker(threading.Thread):
    """Wakes the machine by the emulator's monitor, each time that it was suspended."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.count, self.over = 0, False
        self.path = directory / "power.monitor"
        self.path.unlink(missing_ok=True)
        self.arguments = ["-qmp", f"unix:{self.path.name},server=on,wait=off"]
        self.start()

    def run(self):
        # By way of its directory: the name of a socket must be short.
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as monitor, open_directory(self.path.parent) as directory:
            while monitor.connect_ex(f"/proc/self/fd/{directory}/{self.path.name}"):
                if self.over:
                    return
                time.sleep(0.1)
            with monitor.makefile("rw") as file:
                self.wake(file)

    def wake(self, file):
        def execute(command):
            print(json.dumps({"execute": command}), file=file, flush=True)

        execute("qmp_capabilities")
        with contextlib.suppress(ConnectionError):
            for line in file:
                if json.loads(line).get("event") == "SUSPEND":
                    self.count += 1
                    execute("system_wakeup")

    def end(self):
        self.over = True
        self.join()


@contextlib.contextmanager
def open_directory(path):
    number = os.open(path, os.O_PATH)
    yield number
    os.close(number)


class Power:
    """What all have: each test is a boot. The kernel can have an IOMMU, where the machine has one."""

    config = ("iommu.config", "power.config")
    qemu, shows = "", ()

    @classmethod
    def setUpClass(cls):
        paths = [CONFIG / file for file in cls.config]
        cls.obj = boot.Module.OBJ.with_name("-".join(["x86_64", *(path.stem for path in paths)]))
        cases.build(unittest.TestCase(), config=paths)
        cls.add = [POWER / "power.sh", *cls.drivers()]

    @classmethod
    def drivers(cls):
        """The drivers of ci/drivers and ci/power, and the program, for the kernel that was built."""
        # Fewer transfers: there are many loads, and under KASAN each would take minutes.
        text = test_nvme.DRIVER.read_text().replace("const TRANSFERS: u64 = 1024;", "const TRANSFERS: u64 = 64;")
        nvme = boot.Module(cls, "nvme", "rust_dma_nvme", text, cls.obj)
        made = [nvme.ko()]
        text = (POWER / "edu_under_way.rs").read_text()
        for name, waits in ("edu_under_way", "false"), ("edu_waits", "true"):
            changed = text.replace("const WAITS: bool = false;", f"const WAITS: bool = {waits};").replace('name: "edu_under_way"', f'name: "{name}"')
            module = boot.Module(cls, name, name, changed, cls.obj)
            shutil.copy(root.TOP / "ci/cases/edu.rs", module.directory)
            made.append(module.ko())
        shutil.copy(POWER / "power.c", nvme.directory)
        compiler = "gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror"
        good, said = nvme.run(*nvme.tools.command(*compiler, "-o", f"{nvme.inside}/power", f"{nvme.inside}/power.c"))
        if not good:
            raise AssertionError(said)
        return [*made, nvme.directory / "power"]

    def prepare(self, what):
        """The kernel, and a guest that does it."""
        options = boot_test.defaults(config=[CONFIG / file for file in self.config], run=f"bash /power.sh {what}", add=self.add, disk=1)
        with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
            try:
                built, _, _ = boot_test.prepare(options)
                with stage.Stage("kernel build", built.obj / "log/power") as here:
                    here.run(built.make(NOT_MUTED, *built.targets, "bzImage"), "the kernel does not build")
                guest.disk(built, options.disk)
            except Fail as fail:
                self.fail(f"{fail}\n{fail.detail}")
        return built

    def guest(self, what, *arguments, disk=()):
        """Boots it: what it found to be ok, in order, and the console."""
        built = self.prepare(what)
        image = built.obj / "power.img"
        self.addCleanup(image.unlink, missing_ok=True)
        write(image, [built.obj / name for name in disk])
        # Booted by its firmware: what the emulator puts into memory itself, it puts there again when the machine wakes.
        # One thread: with two, a processor may miss that it is to start.
        built.arch = built.arch._replace(image=IMAGE)
        command = guest.emulator(built, "tcg,thread=single", APPEND, [*DEVICES.split(), *self.qemu.split(), *arguments])
        watcher = console.Watcher(SILENCE, TIMEOUT, time.monotonic())
        with contextlib.redirect_stdout(io.StringIO()), stage.Stage("boot", built.obj / "log/boot") as here:
            run = guest.Boot(command, watcher, built.obj / "console.log")
            run.run(here)
        text = "\n".join(watcher.lines)
        self.assertIsNone(watcher.found, f"{watcher.cause}\n{watcher.excerpt()}")
        self.assertEqual(0, run.status, "\n".join(watcher.lines[-60:]))
        self.assertEqual([], re.findall(r"power: (not ok .*)$", text, re.M))
        self.assertEqual([], [words for words in self.shows if not re.search(words, text)], "not said by the guest")
        self.note = f"{time.monotonic() - watcher.started:.0f} s"
        return re.findall(r"power: ok (.*)$", text, re.M), text

    def test_suspend(self):
        """20 times, to memory: the machine is reset when it wakes. There are transfers before and after each."""
        waker = Waker(self.obj)
        self.addCleanup(waker.end)
        found, text = self.guest("suspend", *waker.arguments)
        self.assertEqual(20, waker.count)
        self.assertEqual(["load", *(f"suspend {number + 1}" for number in range(20)), "unload", "allocations"], found)
        self.sums(text, 40)

    def sums(self, text, count):
        """What was read of the disk after each is what is there."""
        content = (self.obj / guest.DISK).read_bytes()
        read = re.findall(r"after resume: read (\d+) bytes, \d+ a transfer: checksum (\w+)", text)
        self.assertEqual(count, len(read))
        self.assertEqual({(length, test_nvme.checksum(content[: int(length)])) for length, _ in read}, {*read})

    def test_hibernate(self):
        """Twice. The image is loaded by a kernel without the drivers, and by one that has them."""
        # The machine starts again, and does not end.
        found, text = self.guest("hibernate", "-action", "reboot=reset")
        self.assertEqual(["load", "another kernel", "hibernate: bare", "another kernel: load", "hibernate: bound", "unload", "allocations"], found)
        # In each, in the kernel that writes the image, and in what is restored.
        self.sums(text, 8)

    def test_start(self):
        """Another kernel, which finds its memory untouched, but for what a device that nobody has shut down stored."""
        found, text = self.guest("start", disk=[IMAGE, "initramfs.cpio"])
        other = ["memory is untouched", "what nobody keeps from memory is seen", "another kernel: load", "another kernel: the other devices", "unload"]
        self.assertEqual(["load", "a transfer is to be under way", *other], found)
        self.shut_down(text)

    def test_restart(self):
        """The machine, with transfers under way, and while drivers are bound and unbound."""
        found, text = self.guest("restart")
        self.assertEqual(["load", "a transfer is to be under way", "restart"], found)
        self.shut_down(text)

    def shut_down(self, text):
        self.assertEqual(1, text.count("edu_waits 0000:00:03.0: shut down: Ok(()), at rest"))
        self.assertEqual(1, text.count("edu_under_way 0000:00:04.0: shut down: Ok(()), under way"))


def write(image, files):
    """A disk of 512 MiB. In the last sector is where each of the files begins, and its size."""
    with image.open("wb") as disk:
        places = []
        for file in files:
            disk.seek(-(-disk.tell() // MIB) * MIB)
            content = file.read_bytes()
            places.append(f"{disk.tell()} {len(content)}")
            disk.write(content)
        disk.truncate(512 * MIB - 512)
        disk.seek(0, io.SEEK_END)
        disk.write(f"{' '.join(places):512}".encode())


class Plain(Power, boot.Case):
    """With lockdep and DMA-API debugging, as always."""


class Debug(Power, boot.Case):
    """All of the kernel's detectors: KASAN and others."""

    config = ("debug.config", "power.config")


class Iommu(Power, boot.Case):
    """Intel's, strict."""

    qemu = IOMMU.qemu
    shows = (r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O", "DMA domain TLB invalidation policy: strict mode")
