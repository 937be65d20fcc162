# SPDX-License-Identifier: GPL-2.0
"""Random calls: in which configurations, in which guest, and the shortest sequence of them that still fails."""

import pathlib
import re
import shlex
import shutil
import typing

import arch
import boot_test
import guest
import kernel
import root
import stage
from outcome import BAD, Fail, Outcome

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = root.TOP / "ci/config"
IOMMU = arch.ARCHES["x86_64"].iommu

EACH = 1000  # operations of a binding
BOOT = 100_000  # operations of a guest: then a new one is booted
RANGES = 34  # that fit into a plan, see plan.rs


class Configuration(typing.NamedTuple):
    what: str
    config: tuple = ()
    append: tuple = ()
    qemu: str = ""
    arch: str = "x86_64"


LEAN = (HERE / "fuzz.config", CONFIG / IOMMU.config)
FULL = (CONFIG / "debug.config", CONFIG / IOMMU.config)
CONFIGURATIONS = {
    "plain": Configuration("the kernel of the boot test"),
    "leaks": Configuration("with kmemleak, and allocations that fail", LEAN, ("acpi=off",)),
    "swiotlb": Configuration("the same kernel; all mappings bounce, so that a sync that is left out is seen", LEAN, ("acpi=off", "swiotlb=force")),
    "vtd": Configuration("the same kernel, with Intel's IOMMU, strict", LEAN, ("sysctl.kernel.hung_task_timeout_secs=120",), IOMMU.qemu),
    "kasan": Configuration("all of the kernel's detectors, and allocations that fail", FULL, ("acpi=off", "sysctl.kernel.hung_task_timeout_secs=120")),
    "kcsan": Configuration("with the detector of data races", (HERE / "kcsan.config",), ("sysctl.kernel.hung_task_timeout_secs=120",)),
    "arm64": Configuration("arm64 with SMMUv3", arch="arm64", qemu=arch.ARCHES["arm64"].iommu.qemu),
}


# Plans ------------------------------------------------------------------------


class Plan(typing.NamedTuple):
    """What a binding is to do: of so many operations these."""

    seed: int
    operations: int
    kept: tuple  # their numbers

    @classmethod
    def parse(cls, word):
        """SEED:OPERATIONS, or SEED:OPERATIONS:FROM-END,...; END is not one of them."""
        match = re.fullmatch(r"(\d+):(\d+)(?::(\d+-\d+(?:,\d+-\d+)*))?", word)
        if not match:
            raise ValueError(word)
        ranges = [tuple(map(int, each.split("-"))) for each in (match[3] or f"0-{match[2]}").split(",")]
        plan = cls(int(match[1]), int(match[2]), tuple(sorted({number for start, end in ranges for number in range(start, end)})))
        if not plan.kept or plan.kept[-1] >= plan.operations or not 0 < plan.operations < 1 << 16 or plan.seed >= 1 << 63 or not plan.fits:
            raise ValueError(word)
        return plan

    @classmethod
    def whole(cls, seed, operations):
        return cls(seed, operations, tuple(range(operations)))

    @property
    def ranges(self):
        found = []
        for number in self.kept:
            if found and found[-1][1] == number:
                found[-1][1] += 1
            else:
                found.append([number, number + 1])
        return found

    @property
    def fits(self):
        """Whether it can be told to the guest."""
        return len(self.ranges) <= RANGES

    def __str__(self):
        words = f"{self.seed}:{self.operations}"
        if len(self.kept) != self.operations:
            words += ":" + ",".join(f"{start}-{end}" for start, end in self.ranges)
        return words

    def keep(self, kept):
        return self._replace(kept=tuple(kept))


def shrink(plan, run, tries=60, say=lambda plan: None):
    """The shortest plan that still fails, as far as that is found by so many calls of `run`.

    `run` takes some plans, and tells of each whether it fails, or None where it was not tried, since
    the guest did not outlive the one before.
    """
    left = [tries]

    # How many of the first ones it takes: one of eight parts each time, all of them in one guest.
    low, high = 0, len(plan.kept)
    while high - low > 1 and left[0] > 0:
        step = max(1, (high - low) // 8)
        lengths = [*range(low + step, high, step)]
        bad = first(run([plan.keep(plan.kept[:length]) for length in lengths]))
        left[0] -= 1
        if bad is None:
            low = lengths[-1]
        else:
            high = lengths[bad]
            low = lengths[bad - 1] if bad else low
    plan = plan.keep(plan.kept[:high])
    say(plan)
    # Then each part that it does without, and smaller parts.
    size = max(1, len(plan.kept) // 2)
    while left[0] > 0:
        parts = [plan.kept[at : at + size] for at in range(0, len(plan.kept), size)]
        without = [plan.keep(number for number in plan.kept if number not in part) for part in map(set, parts)]
        # The last one is why it fails at all.
        candidates = [(part, each) for part, each in zip(parts, without) if each.kept and each.fits]
        results = run([each for _, each in candidates]) if candidates else []
        left[0] -= 1
        good = [(part, each) for (part, each), bad in zip(candidates, results) if bad]
        if not good:
            if size == 1:
                break
            size = max(1, size // 2)
            continue
        gone = {number for part, _ in good for number in part}
        together = plan.keep(number for number in plan.kept if number not in gone)
        if len(good) > 1 and together.kept and together.fits and left[0] > 0 and run([together])[0]:
            left[0] -= 1
            plan = together
        else:
            plan = good[0][1]
        say(plan)
        size = max(1, min(size, len(plan.kept) // 2))
    return plan


def first(results):
    """The number of the first one that fails."""
    return next((number for number, bad in enumerate(results) if bad), None)


# Guests -----------------------------------------------------------------------


class Guests:
    """A kernel, the module for it, and what is booted with them."""

    def __init__(self, name, base=None, silence=600):
        self.name, self.configuration = name, CONFIGURATIONS[name]
        with_it = dict(
            config=list(self.configuration.config), arch=self.configuration.arch, run="true", accel="tcg", timeout=3600, silence=silence,
            # On a busy machine, an emulated processor may stand still for long.
            append=["rcupdate.rcu_cpu_stall_timeout=120", "kunit.enable=0", *self.configuration.append],
        )  # fmt: skip
        self.options = boot_test.defaults(**with_it, **({"base": str(base)} if base else {}))
        # Devices come and go: guests with more than two processors are emulated by one thread, see guest.py.
        machine = "-smp 4,sockets=4" if self.configuration.arch == "x86_64" else "-smp 4"
        device = arch.ARCHES[self.configuration.arch].device
        self.options.qemu = shlex.split(
            f"{machine} {self.configuration.qemu} -device {device} -device {device}"
            f" -device pcie-root-port,id=kept,chassis=1 -device {device},bus=kept"
        )  # fmt: skip

    def make(self):
        """Build the kernel, if need be, and the module."""
        self.built, _, self.programs = boot_test.prepare(self.options)
        place = self.built.obj / "fuzz"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for file in [*HERE.glob("*.rs"), HERE / "Makefile", root.TOP / "ci/cases/several.rs"]:
            shutil.copy(file, place)
        with stage.Stage("module", self.built.obj / "log/fuzz") as here:
            inside = f"{self.built.tools.obj}/fuzz"
            here.run(self.built.make("--no-print-directory", f"M={inside}", "modules"), "the module does not build", Outcome.DRIVER)
        # A copy: one that is built for another boot does not change this one.
        self.options.add = [place / "dma_fuzz.ko", HERE / "fuzz.sh"]

    def boot(self, **words):
        """Run fuzz.sh, with this in its environment. The Fail, if it did; and what the console said."""
        self.options.run = " ".join([*(f"{name}={shlex.quote(str(word))}" for name, word in words.items()), "bash /fuzz.sh"])
        failed = None
        try:
            guest.initramfs(self.built, self.options)
            guest.boot(self.built, self.options, self.programs)
        except Fail as fail:
            if fail.outcome not in BAD:
                raise
            failed = fail
        return failed, (self.built.obj / "console.log").read_text(errors="replace")

    @property
    def wide(self):
        return {"WIDE": 1} if "0xffffffff" in arch.ARCHES[self.configuration.arch].device else {}

    def rounds(self, seed, bindings, operations):
        return self.boot(SEED=seed, BINDINGS=bindings, OPERATIONS=operations, **self.wide)

    def plans(self, plans):
        """Which of some plans fail, as `shrink` wants to know it; and why the last one did."""
        failed, console = self.boot(PLANS=" ".join(map(str, plans)), **self.wide)
        self.last = failed
        return judged(len(plans), failed, console)


def judged(count, failed, console):
    """What the console says of so many plans: whether each failed, or None."""
    begun = [int(number) for number in re.findall(r"fuzz\.sh: plan (\d+): ", console)]
    if not failed:
        return [False] * count
    if not begun:
        return [None] * count
    tried = begun[-1] + 1
    return [False] * (tried - 1) + [True] + [None] * (count - tried)


def suspects(console):
    """The seeds of what failed; or else of what was under way when the guest failed, the last first."""
    failed = [int(seed) for seed in re.findall(r"dma_fuzz: FAILED: seed (\d+)", console)]
    if failed:
        return list(dict.fromkeys(failed))
    begun = [int(seed) for seed in re.findall(r"dma_fuzz: begin: seed (\d+)", console)]
    ended = {int(seed) for seed in re.findall(r"dma_fuzz: end: seed (\d+)", console)}
    return [seed for seed in reversed(dict.fromkeys(begun)) if seed not in ended] or list(reversed(begun))[:4]


def words(failed, console):
    """What failed, in words: as the module says it, or else the guest's end."""
    said = re.findall(r"dma_fuzz: (?:FAILED: )?(.*)", "\n".join(re.findall(r"dma_fuzz: FAILED: .*", console)))
    return "; ".join(dict.fromkeys(said)) or failed.cause
