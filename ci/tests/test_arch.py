# SPDX-License-Identifier: GPL-2.0
"""Other architectures, as far as it can be told without building for them."""

import os
import pathlib
import tempfile
import unittest
import unittest.mock

import arch
import boot
import kernel
import outcome
import root
import standin
from outcome import Outcome

MAY_BE_EMPTY = {"make", "debian", "bridge", "kasan_image"}


class Table(unittest.TestCase):
    """scripts/lib/arch.py, and what goes with an entry."""

    def test_entries_are_complete(self):
        for name, entry in arch.ARCHES.items():
            with self.subTest(name):
                self.assertEqual([], [field for field, value in entry._asdict().items() if not value and field not in MAY_BE_EMPTY])
                self.assertIn(entry.compiler, entry.needs)
                self.assertIn("console=", entry.console)

    def test_configurations(self):
        """One for each; and none says anew, or otherwise, what the common one says."""
        common = kernel.symbols((root.TOP / "ci/config/base.config").read_text())
        for name in arch.ARCHES:
            with self.subTest(name):
                own = kernel.symbols((root.TOP / f"ci/config/{name}.config").read_text())
                self.assertTrue(own)
                self.assertEqual([], sorted(common.keys() & own.keys()))

    def test_emulators_and_compilers_are_in_the_build_root(self):
        whole, _ = standin.machine(self)
        for name, entry in arch.ARCHES.items():
            with self.subTest(name):
                missing = [tool for tool in (entry.emulator, *entry.needs) if not (whole / "usr/bin" / tool).exists()]
                self.assertEqual([], missing)

    def test_each_is_booted(self):
        """ci/architectures has all of them, and calls boot-test as it can be called."""
        machines = standin.program("ci/architectures").MACHINES
        self.assertEqual(list(arch.ARCHES), list(dict.fromkeys(machine.arch for machine in machines)))
        self.assertEqual(len(machines), len(set(machine[:4] for machine in machines)), "a row is there twice")
        for name, iommu, pages, coherent, arguments in machines:
            with self.subTest((name, iommu, pages, coherent)):
                self.assertEqual(not coherent, "--not-coherent" in arguments)
                for each in arguments:
                    self.assertTrue(not isinstance(each, pathlib.Path) or each.exists(), each)


class Options(boot.Case):
    def test_unknown_architecture(self):
        self.ends(Outcome.USAGE, "--arch", "m68k", says=["invalid choice: 'm68k'", *arch.ARCHES])

    def test_not_coherent_without_a_device_tree(self):
        self.ends(Outcome.USAGE, "--not-coherent", says=["--not-coherent: x86_64 has no device tree"])


class Download(unittest.TestCase):
    """Programs for a guest of another architecture."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.build = pathlib.Path(directory.name)

    def test_no_mirror(self):
        with unittest.mock.patch.dict(os.environ, DEBIAN_MIRROR="http://127.0.0.1:9/debian"):
            with self.assertRaises(outcome.Fail) as caught:
                root.download(self.build, "arm64", ("busybox-static",))
        self.assertEqual(Outcome.FETCH, caught.exception.outcome)
        self.assertFalse((self.build / "download/arm64").exists(), "the next run would take it for complete")

    def test_there_already(self):
        place = self.build / "download/arm64"
        place.mkdir(parents=True)
        (place / "some.deb").touch()
        with unittest.mock.patch.dict(os.environ, PATH="/nowhere"):
            self.assertEqual([place / "some.deb"], root.download(self.build, "arm64", ("some",)))

    def test_no_apt(self):
        with unittest.mock.patch.dict(os.environ, PATH="/nowhere"), self.assertRaises(outcome.Fail) as caught:
            root.download(self.build, "arm64", ("busybox-static",))
        self.assertEqual(Outcome.TOOL, caught.exception.outcome)
