# SPDX-License-Identifier: GPL-2.0
"""What the tests share that run ci/cases in the guest."""

import contextlib
import functools
import io
import re
import subprocess

import base
import boot
import boot_test
import root
from outcome import Fail, Outcome

# On a busy machine, an emulated processor may stand still for half a minute.
PATIENCE = ("--append", "rcupdate.rcu_cpu_stall_timeout=120", "--silence", "180")
# Four processors, each in a socket of its own, and the devices that the cases are for. Two are in slots, one of which is pulled.
DEVICES = (
    "-smp 4,sockets=4 -device edu -device edu -device pcie-root-port,id=pulled,chassis=1 -device edu,bus=pulled"
    " -device pcie-root-port,id=kept,chassis=2 -device edu,bus=kept -device pci-testdev"
    " -object memory-backend-ram,id=shared,size=1M,share=on -device ivshmem-plain,memdev=shared"
)

# A port with two devices, for errors.
ERRORS = "-device pcie-root-port,id=errors,chassis=3 -device edu,bus=errors,multifunction=on -device edu,bus=errors,addr=0.1"


def build(test, tree=base.DEFAULT, config=(), machine="x86_64"):
    """Make the kernel that the module is for."""
    options = boot_test.defaults(base=str(tree), arch=machine, config=config, run="true")
    with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
        try:
            boot_test.prepare(options)
        except Fail as fail:
            test.fail(f"{fail}\n{fail.detail}")


def modules(test, obj):
    """The cases, made for the kernel in `obj`: a module, and the file of each."""
    module = boot.Module(test, "cases", "dma_cases", root.TOP / "ci/cases", obj)
    return module, [module.ko(), module.directory / "platform_cases.ko"]


def guest(test, groups, *arguments, obj=boot.Module.OBJ, times=20):
    """Boot with the cases, made for the kernel in `obj`: exit status, output, and the module."""
    module, files = modules(test, obj)
    added = [word for file in [*files, root.TOP / "ci/cases/cases.sh"] for word in ("--add", file)]
    status, output = boot.boot_test(
        "--timeout", "900", *PATIENCE, *arguments, *added, "--qemu", DEVICES, "--run", f"TIMES={times} bash /cases.sh {groups}"
    )  # fmt: skip
    return status, output, module


def plant(test, patch, tree, *arguments):
    """Put a fault of ci/planted into a tree. Its lines are there once: elsewhere it would be another fault."""
    for name, *hunks in (re.split(r"^@@.*\n", part, flags=re.M) for part in re.split(r"^--- a/", patch.read_text(), flags=re.M)[1:]):
        text = (tree / name.split("\n")[0]).read_text()
        for hunk in hunks:
            before = "".join(f"{line[1:]}\n" for line in hunk.split("\n") if line[:1] in (" ", "-"))
            test.assertEqual(text.count(before), 1, f"{patch.name} needs more lines around it:\n{before}")
    planted = subprocess.run(["git", "-C", tree, "apply", *arguments, patch], capture_output=True, text=True)
    test.assertEqual(planted.returncode, 0, planted.stderr)


def passed(output):
    """How many of the cases passed."""
    return len(re.findall(r"^passed    command: ", output, re.M))


@functools.cache
def names():
    """The cases, each as MODULE::NAME, by their numbers."""
    listed = re.search(r"^cases! \{\n(.*?)\n\}", (root.TOP / "ci/cases/dma_cases.rs").read_text(), re.M | re.S)[1]
    # Without what is said of each.
    listed = re.sub(r"//.*| \{[^{};]*\}", "", listed)
    return tuple(f"{module}::{name.strip()}" for module, some in re.findall(r"(\w+): ([^;]*);", listed) for name in some.strip(", \n").split(","))


def numbers(modules):
    """The numbers of the cases that are in some modules of ci/cases."""
    module_of = [name.partition("::")[0] for name in names()]
    unknown = set(modules) - set(module_of)
    if unknown:
        raise ValueError(f"no cases: {unknown}")
    return [number for number, module in enumerate(module_of) if module in modules]


def shut_down(test, console):
    """After the guest had ended, each device was up when it was its turn, and the one before it was muted."""
    test.assertGreaterEqual(console.count("dma_cases: shut down: ok"), 4)


def what_failed(status, output, obj):
    """The names of the cases that failed; or what else went wrong, and when."""
    failed = re.findall(r"^(?:failed|crashed): (?:command: )?(.*)", output, re.M)
    if status == Outcome.TEST_FAILED and failed:
        return failed
    error = re.findall(r"^error: (.*)", output, re.M) or [f"exit status {status}"]
    console = (obj / "console.log").read_text(errors="replace")
    begun = re.findall(r"_cases: (\w+::\w+): begin$", console, re.M)
    return [f"{error[0]}, in {begun[-1] if begun else 'no case'}"]
