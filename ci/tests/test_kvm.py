# SPDX-License-Identifier: GPL-2.0
"""KVM that cannot start a guest is tried once for a kernel of the host's and an emulator, and not in every run."""

import contextlib
import io
import pathlib
import shutil
import tempfile
import unittest
import unittest.mock

import arch
import boot_test
import guest


class Emulator:
    """In guest.Boot's stead: KVM does not get to the guest's kernel, nor does what has no such device."""

    tried = []

    def __init__(self, command, watcher, log):
        self.command, self.watcher, self.status = command, watcher, None

    def run(self, here):
        accelerator = self.command[self.command.index("-accel") + 1]
        Emulator.tried.append(accelerator)
        works = accelerator == "tcg" and "nonsense" not in self.command
        self.watcher.feed("[    0.000000] Linux version" if works else "kvm: it asserts", 0)


class Memory(unittest.TestCase):
    def setUp(self):
        self.build = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, self.build)
        self.built = unittest.mock.Mock(obj=self.build, image="vmlinux", arch=arch.ARCHES["x86_64"])
        self.built.tools.command = lambda *words, **_: words
        self.version("10.0.2")
        for target, value in (
            (guest.kernel, {"BUILD": self.build}),
            (guest, {"Boot": Emulator, "judge": lambda *_: None, "disk": lambda *_: None, "accelerators": lambda _, wanted: ["kvm", "tcg"] if wanted == "auto" else [wanted]}),
        ):
            patch = unittest.mock.patch.multiple(target, **value)
            patch.start()
            self.addCleanup(patch.stop)

    def version(self, number):
        self.built.tools.version = lambda _: number

    def boot(self, *arguments, **options):
        """What is tried, and what is said of it."""
        Emulator.tried.clear()
        options = boot_test.defaults(qemu=[*arguments], run="true", **options)
        with contextlib.redirect_stdout(io.StringIO()), unittest.mock.patch.object(guest, "printed", lambda _: []):
            said = guest.boot(self.built, options, [])[1]
        return " ".join(Emulator.tried), " ".join(said)

    def test_once(self):
        tried, said = self.boot()
        self.assertEqual(("kvm tcg", "KVM cannot start a guest here (kvm: it asserts); using TCG"), (tried, said))
        tried, said = self.boot()
        self.assertEqual("tcg", tried)
        self.assertIn("KVM could not start a guest here before (kvm: it asserts); using TCG. To try it again: rm ", said)
        # Nor with arguments.
        self.assertEqual("tcg", self.boot("-device", "edu")[0])

    def test_again(self):
        """When the host's kernel or the emulator is another; when it is asked for; and when what is known was removed, or is damaged."""
        self.boot()
        self.assertEqual("kvm", self.boot(accel="kvm")[0])
        self.version("10.0.3")
        self.assertEqual(["kvm tcg", "tcg"], [self.boot()[0] for _ in range(2)])
        host = unittest.mock.Mock(release="6.1.0-44", version="#1 SMP")
        with unittest.mock.patch.object(guest.os, "uname", lambda: host):
            self.assertEqual(["kvm tcg", "tcg"], [self.boot()[0] for _ in range(2)])
        for change in lambda: (self.build / "kvm").unlink(), lambda: (self.build / "kvm").write_text("{"):
            change()
            self.assertEqual(["kvm tcg", "tcg"], [self.boot()[0] for _ in range(2)])

    def test_by_arguments(self):
        """What KVM can't do with some of them says nothing of others; and where TCG can't either, it is not KVM."""
        self.assertEqual(["kvm tcg", "tcg"], [self.boot("-cpu", "EPYC")[0] for _ in range(2)])
        self.assertEqual(["kvm tcg", "kvm tcg"], [self.boot("-device", "nonsense")[0] for _ in range(2)])
        self.assertEqual(["kvm tcg", "tcg"], [self.boot()[0] for _ in range(2)])
