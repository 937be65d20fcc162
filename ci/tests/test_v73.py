# SPDX-License-Identifier: GPL-2.0
"""The set for mainline, as long as somebody has that kernel."""

import contextlib
import io
import pathlib
import re
import shutil
import tempfile

import base
import boot
import boot_test
import checks
import kernel
import series
import standin
from outcome import Fail, Outcome
from test_documents import from_rst

TAG = "v7.3"
SET = base.PINS[TAG].set


class Mainline(boot.Case):
    def setUp(self):
        with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
            try:
                self.tree, self.commit = kernel.repository(TAG)
            except Fail as fail:
                if fail.outcome != Outcome.NO_SOURCE:
                    raise
                # The distribution drops a kernel when it has the next one.
                self.may_be_skipped = True
                self.skipTest(fail.cause)

    def test_series_boots(self):
        output = self.ends(Outcome.PASS, "--base", TAG)
        print(output)
        for words in f"base      {TAG}", f"patches of {SET}", "passed    test_", "KUnit tests", "PASS in":
            self.assertIn(words, output)
        # That is all of it, plainly applied.
        with self.assertRaisesRegex(series.Already, "has the series already"):
            series.fit(self.tree)

    def test_driver(self):
        """boot-test --driver, with the sample as a driver out of the tree."""
        self.ends(Outcome.PASS, "--base", TAG, "--run", "true")
        with tempfile.TemporaryDirectory() as directory:
            name = "edu_7_3"
            self.addCleanup(shutil.rmtree, kernel.BUILD / f"{TAG}/x86_64/drivers/{pathlib.Path(directory).name}", ignore_errors=True)
            source = pathlib.Path(directory, f"{name}.rs")
            text = (self.tree / "samples/rust/rust_dma_edu.rs").read_text().replace('"rust_dma_edu"', f'"{name}"')
            source.write_text(text)
            pathlib.Path(directory, "Makefile").write_text(f"obj-m := {name}.o\n")
            says = [f"passed    drivers: {name}: is bound to pci 0000:00:01.0 (1234:11e8)\n", f"passed    unload: {name}\n"]
            self.ends(Outcome.PASS, "--base", TAG, "--driver", directory, "--check", says=says)
            source.write_text(text + "fn wrong() -> u32 { true }\n")
            self.ends(Outcome.DRIVER, "--base", TAG, "--driver", directory, says=[f"--> {source}:{text.count(chr(10)) + 1}:"])

    def test_cases(self):
        """Interrupts, configuration space and tables, case by case: each binding is the next one."""
        self.ends(Outcome.PASS, "--base", TAG, "--run", "true")
        with tempfile.TemporaryDirectory() as directory:
            self.addCleanup(shutil.rmtree, kernel.BUILD / f"{TAG}/x86_64/drivers/{pathlib.Path(directory).name}", ignore_errors=True)
            source = (series.ROOT / "ci/cases/mainline.rs").read_text()
            pathlib.Path(directory, "mainline.rs").write_text(source)
            pathlib.Path(directory, "Makefile").write_text("obj-m := mainline.o\n")
            again = "cd /sys/bus/pci/drivers/mainline && for each in 0000:*; do for i in 1 2 3 4 5 6 7; do echo $each >unbind && echo $each >bind || exit 1; done; done"
            self.ends(Outcome.PASS, "--base", TAG, "--driver", directory, "--check", "--qemu", "-smp 4", "--run", again)
        console = self.console()
        self.assertNotIn("FAILED", console)
        names = re.findall(r"Case::(\w+),\n", source[source.index("const EDU_CASES") : source.index("#[pin_data")]) + ["Hinted", "Spread"]
        self.assertEqual(9, len(names))
        for name in names:
            self.assertIn(f"case {name}: ok\n", console)

    def console(self):
        return (kernel.BUILD / TAG / "x86_64/console.log").read_text()

    def test_document(self):
        """The driver in dma.rst builds, and is formatted. Its device is reset: there is nothing to claim."""
        standin.machine(self)  # Clippy is in the whole build root
        text = from_rst((self.tree / "Documentation/rust/dma.rst").read_text())
        module = boot.Module(self, "document-ring", "ring", text, kernel.BUILD / TAG / "x86_64", self.tree)
        for good, said in module.make("CLIPPY=1", "modules"), module.rustfmt():
            self.assertTrue(good, said)
            self.assertNotIn("warning", said)
        # But for what mainline has no derive for.
        self.assertEqual([], re.findall(r"\bunsafe\b(?! impl kernel::transmute::(?:As|From)Bytes for )", text))

    def test_reset(self):
        """Behind a port of its own, the device is reset with its bus; on the root bus there is no way."""
        slot = "-device pcie-root-port,id=behind,chassis=1 -device edu,bus=behind"
        self.ends(Outcome.PASS, "--base", TAG, "--qemu", slot, "--run", "modprobe rust_dma_edu && modprobe -r rust_dma_edu")
        console = self.console()
        self.assertRegex(console, r"rust_dma_edu 0000:00:\S+: is at rest\n")
        self.assertRegex(console, r"rust_dma_edu 0000:01:\S+: was reset\n")
        self.assertEqual(4, console.count("transfer 4/4: 4096 bytes at 0: ok"))

    def test_bounced(self):
        """What the CPU writes to a buffer gets to the copy that the device reads, and back."""
        self.ends(Outcome.PASS, "--base", TAG, "--append", "swiotlb=force")

    def test_transfers_that_arrive_elsewhere(self):
        """The device drops the upper bits of every address."""
        output = self.ends(Outcome.TEST_FAILED, "--base", TAG, "--qemu", "-global edu.dma_mask=0xfff")
        self.assertIn("failed: test_rust_dma_edu.sh: load: transfer 1", output)
        self.assertIn("64 bytes at 7: failed", self.console())

    def test_version_picks_the_set(self):
        self.assertEqual(SET, series.choose(series.version(self.tree)))

    def test_git_am(self):
        """Plainly, as a maintainer does it: it makes what the scripts make."""
        found = series.load(SET)
        wanted = series.commits(self.tree, found, self.commit)[-1]
        with series.sparse(self.tree, self.commit, found.paths()) as top:
            series.git(top, *series.SPARSE, "am", "-q", *sorted((series.ROOT / f"patches/{SET}").glob("*.patch")))
            self.assertEqual(*(series.git(top, "rev-parse", f"{each}^{{tree}}") for each in (wanted, "HEAD")))

    def test_rustfmt(self):
        """Each patch leaves the files that it touches as rustfmt has them."""
        whole, _ = standin.machine(self)
        found = series.load(SET)
        with tempfile.TemporaryDirectory() as directory:
            files = []
            for patch, commit in zip(found.patches, series.commits(self.tree, found, self.commit)):
                for file in patch.files:
                    if file.name.endswith(".rs"):
                        files.append(pathlib.Path(directory, patch.path.stem, file.name))
                        files[-1].parent.mkdir(parents=True, exist_ok=True)
                        files[-1].write_text(series.git(self.tree, "cat-file", "blob", f"{commit}:{file.name}") + "\n")
            self.assertTrue(files)
            # One by one from its input, so that it does not look for the modules of a file.
            each = 'for file; do rustfmt --check --edition 2021 --config-path "$PWD" <"$file" || echo "$file"; done'
            said = checks.Inside(whole, see=[self.tree, directory]).run("sh", "-c", each, "sh", *files, cwd=self.tree)
            self.assertEqual(("", "", 0), (said.stdout, said.stderr, said.returncode))

    def test_checkpatch(self):
        whole, _ = standin.machine(self)
        said = checks.checkpatch(checks.Inside(whole, see=[self.tree, series.ROOT]), self.tree, [patch.path for patch in series.load(SET).patches])
        self.assertFalse(said, said)
