# SPDX-License-Identifier: GPL-2.0
"""The set for mainline, as long as somebody has that kernel."""

import pathlib
import re
import shutil
import tempfile

import base
import boot
import cases
import checks
import kernel
import misc
import root
import series
import standin
import test_attacks
import test_compile
from outcome import Outcome
from test_documents import from_rst

TAG = "v7.3"
SET = base.PINS[TAG].set
CASES = series.ROOT / "ci/cases/mainline.rs"
# A driver for what is in these files, as it is for v6.12.
RUNS = series.ROOT / "ci/cases/mainline_runs.rs"
PARTS = [RUNS.with_name(f"{name}.rs") for name in ("work", "timer", "thread")]

# What makes a driver for v6.12 one for v7.3, as far as the attacks need it. README has a table of it.
TO_V73 = (
    # Mainline leaves it to C to complain of what may not be done in an interrupt: to drop coherent memory, to map a BAR.
    (r" +Coherent\w*::<.*\.is_ok\(\),\n", ""),
    (r" +self\.dev\.iomap_region\(.*\n", ""),
    (r"\} else \{\n +GFP_KERNEL\n", "} else {\n GFP_ATOMIC\n"),
    (r'\bauthor: ("[^"]*")', r"authors: [\1]"),
    (r"    init::pin_init_scope,\n((?:.|\n)*?)\n\n", r"\1\nuse pin_init::pin_init_scope;\n\n"),
    (r"\bOk\((Data \{(?:.|\n)*?\})\)", r"Ok(try_init!(\1))"),
    (r"\bdma::\{", "dma::{Device as _, "),
    (r"\b(io_(?:project|read|write)), ", r"io::\1, "),
    # Memory has no lifetime there.
    (r"\bCoherent<'\w+, ", "Coherent<"),
    (r"\bCoherent::<\[u8\]>::zeroed_slice\(", "Coherent::<u8>::zeroed_slice("),
    (r"\b(Coherent\w*::(?:<[\w\[\]]+>::)?(?:zeroed|zeroed_slice|from_slice|alloc)\((?:\w+\.)?dma)\b", r"\1.device()"),
    (r"\.share\(\)", ".into()"),
    # Nor are there pages for tables.
    (r"\bOwned, Pages, SGTable\b", "Mapped, SGTable"),
    (r"\bPages::zeroed\(\d+, flags\)", "Ok::<VVec<u8>, Error>(VVec::new())"),
    (r"\bPages::zeroed\((\d+), (\w+)\)", r"VVec::from_elem(0u8, \1 * 4096, \2)"),
    (r"\bSGTable::<Owned<([^>]*)>>::new\(", r"SGTable::<Mapped<\1>>::map("),
)

# A sleep wakes up by itself, at once, when the devices are suspended, one after the other.
PM_TEST = """
echo 0 >/sys/power/pm_async && echo 0 >/sys/module/suspend/parameters/pm_test_delay && echo platform >/sys/power/pm_test || exit
"""

# Suspends with each case, as far as the named test goes: how often, and how that ends.
SLEEP = (
    PM_TEST
    + """
sleeps()
{
	number=$1 times=$2 wanted=$3
	insmod /boot-test/mainline.ko case=$number || return
	while [ $times -gt 0 ]; do
		times=$((times - 1)) said=slept
		echo freeze >/sys/power/state || said=refused
		[ $said = $wanted ] || { echo "case $number: $said"; return 1; }
	done
	rmmod mainline
}

rmmod mainline &&
	sleeps 1 3 slept && sleeps 2 3 slept && sleeps 3 2 refused && sleeps 4 2 refused && sleeps 5 1 slept && sleeps 5 2 slept && sleeps 6 1 slept || exit
# A driver of mainline's that has no callback.
modprobe rust_dma && ! echo freeze >/sys/power/state && rmmod rust_dma && echo freeze >/sys/power/state && insmod /boot-test/mainline.ko
"""
)

# One case after the other, up to the named one.
RUN = """
rmmod mainline_runs || exit
number=0
while [ $number -lt {end} ]; do
	insmod /boot-test/mainline_runs.ko case=$number && rmmod mainline_runs || exit
	number=$((number + 1))
done
insmod /boot-test/mainline_runs.ko
"""

# How often each case is suspended.
RUN_ASLEEP = (
    PM_TEST
    + """
sleeps()
{{
	insmod /boot-test/mainline_runs.ko case=$1 || return
	for time in $2; do
		echo freeze >/sys/power/state || return
	done
	rmmod mainline_runs
}}

rmmod mainline_runs &&
	sleeps {asleep} "1 2 3" && sleeps {not_resumed} 1 && sleeps {not_resumed} "1 2" && insmod /boot-test/mainline_runs.ko
"""
)

# Waits until a device is suspended, or active.
BECOMES = (
    PM_TEST
    + r"""
becomes()
{
	local i state
	for ((i = 0; i < 100; i++)); do
		read -r state <$PCI/$2/power/runtime_status
		[ $state != $1 ] || return 0
		sleep 0.1
	done
	echo "$2 is $state, not $1"
	return 1
}
PCI=/sys/bus/pci/devices DRIVER=/sys/bus/pci/drivers/mainline
"""
)

# The first device of a kind is suspended when it is not in use, and used by the second one whenever that is bound. Twice: a guard is leaked.
IDLE = (
    BECOMES
    + r"""
idle()
{
	local first=$2 second=$3 i
	insmod /boot-test/mainline.ko case=$1 || return
	for i in 1 2; do
		echo $second >$DRIVER/unbind && echo $first >$DRIVER/unbind && echo $first >$DRIVER/bind && sleep 0.3 && becomes active $first &&
			echo auto >$PCI/$first/power/control && becomes suspended $first && echo $second >$DRIVER/bind && becomes suspended $first &&
			echo $second >$DRIVER/unbind && echo $second >$DRIVER/bind && becomes suspended $first &&
			echo on >$PCI/$first/power/control && becomes active $first && echo auto >$PCI/$first/power/control && becomes suspended $first &&
			echo freeze >/sys/power/state && becomes suspended $first && echo on >$PCI/$first/power/control || return
	done
	rmmod mainline
}
rmmod mainline && idle 8 $(grep -l 0x11e8 $PCI/*/device | cut -d / -f 6) && idle 9 $(grep -l 0x0010 $PCI/*/device | cut -d / -f 6 | head -n 2) || exit
# Who has not asked for it is not, but with the system.
insmod /boot-test/mainline.ko case=10 && for device in $(ls $DRIVER | grep :); do echo auto >$PCI/$device/power/control || exit; done
sleep 0.5 && becomes active $device && echo freeze >/sys/power/state && becomes active $device && rmmod mainline && insmod /boot-test/mainline.ko
"""
)


class Cases(boot.Case):
    """Drivers of ci/cases, in a guest."""

    NAME, CONFIG = "x86_64", ()

    def setUp(self):
        self.tree, self.commit = misc.repository(self)

    def cases(self, run, *options, outcome=Outcome.PASS, source=CASES, parts=()):
        """What a driver of ci/cases and the kernel print while `run` is run."""
        config = [word for file in self.CONFIG for word in ("--config", file)]
        self.ends(Outcome.PASS, "--base", TAG, *config, "--run", "true")
        with tempfile.TemporaryDirectory() as directory:
            self.addCleanup(shutil.rmtree, kernel.BUILD / TAG / self.NAME / "drivers" / pathlib.Path(directory).name, ignore_errors=True)
            for each in (source, *parts):
                pathlib.Path(directory, each.name).write_text(each.read_text())
            pathlib.Path(directory, "Makefile").write_text(f"obj-m := {source.stem}.o\n")
            self.ends(outcome, "--base", TAG, *config, "--driver", directory, "--check", *options, "--run", run)
        console = self.console()
        self.assertEqual([], re.findall(".*FAILED.*", console))
        return console

    def names(self, array, source=CASES):
        return re.findall(r"Case::(\w+)", re.search(rf"const {array}: \[Case; \d+\] = \[([^\]]*)\];", source.read_text())[1])

    def console(self):
        return (kernel.BUILD / TAG / self.NAME / "console.log").read_text()


class Mainline(Cases):
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
        again = "cd /sys/bus/pci/drivers/mainline && for each in 0000:*; do for i in 1 2 3 4 5 6 7; do echo $each >unbind && echo $each >bind || exit 1; done; done"
        console = self.cases(again, "--qemu", "-smp 4")
        names = self.names("EDU_CASES") + self.names("NVME_CASES")
        self.assertEqual(9, len(names))
        for name in names:
            self.assertIn(f"case {name}: ok\n", console)

    def test_suspend(self):
        """Two devices, that look at each other. Each case comes from the driver when they are unbound."""
        console = self.cases(SLEEP, "--qemu", "-device edu -device pci-testdev")
        names = self.names("SLEEP_CASES")
        self.assertEqual("ShutDown", names.pop())
        for name in names:
            # One of those that refuse is asked before the others.
            self.assertEqual(4 if name == "NotResumed" else 2, console.count(f"case {name}: ok\n"), name)
        self.assertEqual(4, console.count(": suspended 3 times, resumed 3 times\n"))
        self.assertEqual(4, console.count(": suspended 1 times, resumed 1 times\n"))
        self.assertEqual(2, console.count(": suspended 1 times, resumed 2 times\n"))
        self.assertIn("the driver can't suspend; unbind it first\n", console)

    def test_shutdown(self):
        """Each is muted when it was shut down, which the next one sees. There is nobody else to tell."""
        number = self.names("SLEEP_CASES").index("ShutDown") + 1
        run = f"rmmod mainline && insmod /boot-test/mainline.ko case={number} && reboot -f"
        console = self.cases(run, "--qemu", "-device edu", outcome=Outcome.NO_TEST)
        self.assertEqual(2, console.count("case ShutDown: ok\n"))

    def test_runs(self):
        """Work, timers and threads, case by case, for two devices. One can be reset."""
        names = self.names("CASES", RUNS)
        end = names.index("Asleep")
        slot = "-smp 4 -device pcie-root-port,id=behind,chassis=1 -device edu,bus=behind"
        console = self.cases(RUN.format(end=end), "--timeout", "600", *cases.PATIENCE, "--qemu", slot, source=RUNS, parts=PARTS)
        for name in names[:end]:
            # The first one before the others, and after them, too.
            self.assertEqual(6 if name == names[0] else 2, console.count(f"case {name}: ok\n"), name)
        self.assertEqual(1, console.count(": was reset\n"))

    def test_runs_asleep(self):
        """They are quiet while the system is suspended, which the next device sees, and go on afterwards."""
        names = self.names("CASES", RUNS)
        run = RUN_ASLEEP.format(asleep=names.index("Asleep"), not_resumed=names.index("NotResumed"))
        console = self.cases(run, *cases.PATIENCE, "--qemu", "-device edu", source=RUNS, parts=PARTS)
        self.assertEqual(2, console.count("case Asleep: ok\n"))
        self.assertEqual(4, console.count("case NotResumed: ok\n"))

    def test_runs_shut_down(self):
        """Each is quiet when its device was shut down, which the next one sees."""
        run = f"rmmod mainline_runs && insmod /boot-test/mainline_runs.ko case={self.names('CASES', RUNS).index('ShutDown')} && reboot -f"
        console = self.cases(run, *cases.PATIENCE, "--qemu", "-device edu", outcome=Outcome.NO_TEST, source=RUNS, parts=PARTS)
        self.assertEqual(2, console.count("shut down: ok\n"))

    def test_idle(self):
        """A device is suspended when it is not in use, while the system runs; one of those is reset when it is in use again."""
        console = self.cases(IDLE, "--qemu", "-device edu -device nvme,serial=a -device nvme,serial=b")
        numbers = [(self.names("SLEEP_CASES") + self.names("IDLE_CASES")).index(name) + 1 for name in ("Idle", "IdleReset", "NotIdle")]
        self.assertEqual([8, 9, 10], numbers)
        self.assertEqual(4, console.count("mainline: resumed 1 times\n"))
        self.assertEqual(4, len(re.findall(r"mainline: idle [3-9]\d* times, told \[0, 0, 0\]\n", console)))
        self.assertLess(8, console.count("mainline: reset\n"))
        self.assertEqual(2, console.count("case NotIdle: ok\n"))

    def test_document(self):
        """The driver in dma.rst builds, and is formatted. Its device is reset: there is nothing to claim."""
        standin.machine(self)  # Clippy is in the whole build root
        text = from_rst((self.tree / "Documentation/rust/dma.rst").read_text())
        module = boot.Module(self, "document-ring", "ring", text, kernel.BUILD / TAG / "x86_64", self.tree)
        for good, said in module.make("CLIPPY=1", "modules"), module.rustfmt():
            self.assertTrue(good, said)
            self.assertNotIn("warning", said)
        self.assertNotIn("unsafe", text)

    def test_attacks(self):
        """Those of v6.12 that are not about its macros for modules, which mainline has others for."""
        attacks = [name for name in test_attacks.ATTACKS if name != "init_again"]
        self.ends(Outcome.PASS, "--base", TAG, "--run", "true")
        module = boot.Module(self, "attacks", "attacks", test_attacks.DIRECTORY, kernel.BUILD / TAG / "x86_64", self.tree)
        for name in attacks:
            path = module.directory / f"{name}.rs"
            text = path.read_text()
            for old, new in TO_V73:
                text = re.sub(old, new, text)
            path.write_text(text)
        (module.directory / "Makefile").write_text(f"obj-m := {' '.join(f'{name}.o' for name in attacks)}\n")
        made, said = module.make("modules")
        self.assertTrue(made, said)
        files = [module.directory / "attacks.sh", *(module.directory / f"{name}.ko" for name in attacks)]
        self.ends(
            Outcome.PASS, "--base", TAG, "--timeout", "900", *cases.PATIENCE, *(word for file in files for word in ("--add", file)),
            "--append", "acpi=off", "--qemu", cases.DEVICES, "--run", f"bash /attacks.sh 10 {' '.join(attacks)}",
        )  # fmt: skip
        for name in attacks:
            self.assertIn(f"{name}: not hit\n", self.console())

    def test_misc(self):
        """A program opens files of a driver, maps memory, and has the device copy there; the driver is unbound meanwhile."""
        self.ends(Outcome.PASS, "--base", TAG, "--run", "true")
        status, output = misc.guest(self, linux=self.tree)
        self.assertEqual(Outcome.PASS, status, output)
        self.assertGreaterEqual(cases.passed(output), 19)

    def test_misc_driver(self):
        """It has no warning, and is formatted."""
        standin.machine(self)  # Clippy is in the whole build root
        module = boot.Module(self, "misc-format", "misc_cases", (root.TOP / "ci/cases/misc_cases.rs").read_text(), kernel.BUILD / TAG / "x86_64", self.tree)
        good, said = module.rustfmt()
        self.assertTrue(good, said)
        (module.directory / "misc_cases.rs").write_text(misc.driver())
        made, said = module.make("CLIPPY=1", "modules")
        self.assertTrue(made, said)
        self.assertNotIn("warning", said)

    def test_programs(self):
        """What the types of later kernels forbid does not compile; see ci/compile/later."""
        self.ends(Outcome.PASS, "--base", TAG, "--run", "true")
        todo = list(test_compile.programs("ci/compile/later", misc.HEADER))
        self.assertGreater(len(todo), 5)
        for program, (compiles, said), (compiles_wrong, said_wrong) in test_compile.judged(self, kernel.BUILD / TAG / "x86_64", self.tree, todo):
            with self.subTest(str(program)):
                self.assertTrue(compiles, f"the right program:\n{said}")
                self.assertFalse(compiles_wrong, "the wrong program compiles")
                self.assertIn(program.error, said_wrong)

    def test_faults_are_where_they_should_be(self):
        """Those of ci/planted/v7.3, which full_planted_v73 plants."""
        found = series.load(SET)
        with series.sparse(self.tree, series.commits(self.tree, found, self.commit)[-1], found.paths()) as top:
            for patch in sorted((root.TOP / "ci/planted/v7.3").glob("*.patch")):
                with self.subTest(patch.name):
                    cases.plant(self, patch, top, "--check")

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
