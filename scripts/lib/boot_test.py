# SPDX-License-Identifier: GPL-2.0
"""Builds a kernel with the series, boots it in QEMU, and tells whether it works.

Does everything from nothing: installs what this machine lacks, makes a build
root, fetches and checks the kernel, applies the series, configures, builds,
boots, runs the kernel's Rust doctests and selftests. What is there already, and
still right, is not made again. All of it is under build/.
"""

import signal

if __name__ == "__main__":
    # Nothing has begun yet, so there is nothing to be said; outcome.main() has more to do.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import sys
import time

import outcome
from outcome import Fail, Outcome

if sys.version_info < (3, 11):
    outcome.report(Fail(Outcome.TOOL, f"python3 is {sys.version.split()[0]}; 3.11 is needed", advice="use Debian 12 or later"))
    sys.exit(int(Outcome.TOOL))

import arch
import base
import driver
import guest
import hosttools
import kernel
import lock
import root
import stage

EXAMPLES = """\
examples:
  scripts/boot-test                           all, with the kernel that the series is made on
  scripts/boot-test --base build/tree         the tree of scripts/tree, with the edits in it
  scripts/boot-test --base ~/linux            any kernel tree; without the series, it is put on a copy
  scripts/boot-test --arch arm64 --qemu '-M iommu=smmuv3'
                                              another architecture, with an IOMMU
  scripts/boot-test --shell                   a shell in the guest
  scripts/boot-test --run 'modprobe rust_print && lsmod'
                                              a command in the guest, in the selftests' stead
  scripts/boot-test --driver first --check    your own driver: built, loaded, bound, unloaded; see scripts/new-driver
  scripts/boot-test --append swiotlb=force    one more kernel parameter
  scripts/boot-test --qemu '-smp 4,sockets=4 -m 1G'
                                              more arguments for the emulator
  scripts/boot-test --qemu '-drive file=my.img,if=none,id=my,format=raw,snapshot=on -device virtio-blk-pci,drive=my'
                                              a file of yours: the emulator can read it, and not write to it
  scripts/boot-test --config kasan.config     more configuration; built beside, not over, the usual one
  scripts/boot-test --host-tools              this machine's compilers and emulator

environment:
  DEBIAN_MIRROR   URL of a Debian mirror, in place of the one that apt uses here
  LINUX_GIT       URL or path of a git repository with the kernel's tags, in place of the tarball

exit status:
"""


def command_line():
    """What boot-test can be told."""
    parser = argparse.ArgumentParser(
        prog="boot-test", description=__doc__, epilog=EXAMPLES + outcome.statuses(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--base", default=base.DEFAULT, help=f"the kernel: {', '.join(base.PINS)}, or the path of a kernel tree (default: {base.DEFAULT})")
    add("--arch", choices=arch.ARCHES, default="x86_64", help="architecture of the kernel (default: x86_64)")
    add("--host-tools", action="store_true", help="use this machine's own tools, not a build root's; their versions are checked first")
    add("--config", metavar="FILE", action="append", default=[], type=pathlib.Path, help="more kernel configuration, as a file of CONFIG_... lines")
    add("--append", metavar="PARAMETERS", action="append", default=[], help="more kernel parameters; may be given again")
    add("--qemu", metavar="ARGUMENTS", action="append", default=[], help="more arguments for the emulator, as one word; it can read the files that they name; may be given again")
    add("--not-coherent", action="store_true", help="PCI devices that do not see the processors' caches (where a device tree describes the machine)")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="the emulator's accelerator (default: KVM if it can start a guest, else TCG; that it cannot is remembered, in build/kvm)")
    what = parser.add_mutually_exclusive_group()
    add("--driver", metavar="DIR", action="append", default=[], type=pathlib.Path, help="build the driver in DIR for this kernel, load it, and tell to what it is bound, in the selftests' stead and without KUnit; may be given again")
    add("--check", action="store_true", help="hold the drivers to rustfmt and Clippy, too")
    what.add_argument("--shell", action="store_true", help="an interactive shell in the guest, and no test")
    what.add_argument("--run", metavar="COMMAND", help="run a command in the guest; shows what it prints, and its exit status is the result")
    add("--add", metavar="FILE", action="append", default=[], type=pathlib.Path, help="put a file into the guest, at its top; may be given again")
    add("--disk", type=mebibytes, default=2, metavar="MIB", help="size of the guest's NVMe disk (default: 2)")
    add("--silence", type=number, default=60, metavar="SECONDS", help="a guest that prints nothing for so long hangs (default: 60)")
    add("--timeout", type=number, default=300, metavar="SECONDS", help="longest time for a boot with all tests (default: 300)")
    add("--discard-log", action="store_true", help="do not keep the console's log of a run that passed")
    add("-j", "--jobs", type=number, default=os.cpu_count(), metavar="N", help="parallel jobs of the build (default: one a processor)")
    # Files for the emulator; and whether LLVM compiles what is in C, where it need not.
    parser.set_defaults(see=[], llvm=False)
    return parser


def defaults(**given):
    """Options for another script, which says what it wants otherwise; `qemu` is a list of words."""
    return argparse.Namespace(**{**vars(command_line().parse_args([])), **given})


def arguments():
    parser = command_line()
    options = parser.parse_args(joined(sys.argv[1:]))
    try:
        options.qemu = [word for words in options.qemu for word in shlex.split(words)]
    except ValueError as error:
        parser.error(f"--qemu: {error}")
    options.qemu, options.see = guest.named(options.qemu)
    if options.not_coherent and not arch.ARCHES[options.arch].bridge:
        parser.error(f"--not-coherent: {options.arch} has no device tree")
    for name in "config", "add":
        for path in getattr(options, name):
            if not path.is_file():
                parser.error(f"--{name}: {path} is not a file")
    for path in options.config:
        kernel.fragment(path)
    guest.added(options.add)
    if options.check and not options.driver:
        parser.error("--check is for drivers: --driver DIR")
    why = driver.check(options.driver)
    if why:
        parser.error(f"--driver: {why}")
    if options.driver:
        options.append.insert(0, "kunit.enable=0")  # whoever wants them says so behind it
    check_base(parser, options.base)
    if options.shell and not (sys.stdin.isatty() and sys.stdout.isatty()):
        parser.error("--shell needs a terminal")
    return options


def check_base(parser, word):
    if word not in base.PINS and not pathlib.Path(word).is_dir():
        parser.error(f"--base: {word} is neither {' nor '.join(base.PINS)} nor a directory")


def joined(words):
    """An option and its value as one word, where that may begin as an option does: --qemu -S."""
    words, made = iter(words), []
    for word in words:
        value = next(words, None) if word in ("--qemu", "--append", "--run") else None
        made.append(word if value is None else f"{word}={value}")
    return made


def number(word, most=1_000_000):
    value = int(word)
    if not 1 <= value <= most:
        raise argparse.ArgumentTypeError(f"must be from 1 to {most}")
    return value


def mebibytes(word):
    return number(word, 4096)


def alone():
    """One run in the build directory at a time."""
    return lock.alone(kernel.BUILD)


def both(*functions):
    """Run functions side by side; the results, or the first failure once all have stopped."""
    pool = concurrent.futures.ThreadPoolExecutor(len(functions))
    futures = [pool.submit(function) for function in functions]

    def failed():
        return any(future.done() and future.exception() for future in futures)

    try:
        # Not for ever at a time: a signal that comes just before Python sleeps does not wake it.
        while concurrent.futures.wait(futures, 0.5, concurrent.futures.FIRST_EXCEPTION).not_done and not failed():
            pass
        if failed():
            stage.end_all()
            concurrent.futures.wait(futures)
            raise next((e for e in (future.exception() for future in futures) if e and not isinstance(e, stage.Interrupted)), KeyboardInterrupt())
        return [future.result() for future in futures]
    except BaseException:
        stage.end_all()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def whole(options):
    """Whether it takes the whole build root."""
    # Clippy is in there, too.
    return options.arch != "x86_64" or options.check or options.llvm


def begin(options):
    """A kernel that can be built: its tree with the series, and what it is built with. And the versions of that."""
    if not options.host_tools:
        root.ask(kernel.BUILD, whole(options))
    path = None if options.base in base.PINS else pathlib.Path(options.base)

    def tree():
        return kernel.given(path) if path else kernel.patched(options.base)

    def build_root():
        return root.make(kernel.BUILD, kernel.BUILD / "log/root", whole(options))

    if options.host_tools:
        place, found = None, tree()
    elif path:
        # An error in what the user gave is seen before minutes of work.
        found = tree()
        place = build_root()
    else:
        place, found = both(build_root, tree)
    name = "-".join([options.arch, *(["host"] if options.host_tools else []), *(fragment.stem for fragment in options.config)])
    tools = kernel.tools(found.path, found.home / name, place)
    architecture = arch.ARCHES[options.arch]
    if options.llvm:
        architecture = architecture._replace(make=("LLVM=1",), compiler="clang")
    built = kernel.Kernel(found, options.arch, architecture, tools, options.jobs)
    return built, hosttools.check(built) if options.host_tools else hosttools.versions(built)


def prepare(options):
    """The tree, built; what the guest needs of it."""
    built, versions = begin(options)
    fragments = built.fragments(options.config)
    key = hashlib.sha256(json.dumps([built.tree.commit, fragments, versions, root.stamp()]).encode()).hexdigest()
    done = built.obj / "built"
    if not (done.exists() and done.read_text() == key):
        done.unlink(missing_ok=True)
        built.configure(fragments, versions)
        built.build()
        done.write_text(key)
    programs = guest.initramfs(built, options, driver.build(built, options.driver, options.check))
    return built, versions, programs


def summary(options, built, versions, booted, began):
    accelerator, said, (doctests, selftests), printed = booted
    print()
    print(f"base      {built.tree.base}")
    print(f"series    {built.tree.series}")
    print(f"compiler  {built.arch.compiler} {versions[built.arch.compiler]}, rustc {versions['rustc']}, bindgen {versions['bindgen']}")
    print(f"emulator  {built.arch.emulator} {versions[built.arch.emulator]}, {accelerator.upper()}")
    for line in said:
        print(f"          {line}")
    if len(printed) > guest.SHOWN:
        printed = [f"(the last {guest.SHOWN} of {len(printed)} lines)", *printed[-guest.SHOWN :]]
    for heading, line in zip(["printed", *[""] * len(printed)], printed):
        print(f"{heading:9} {line}".rstrip())
    for result in selftests:
        print(f"{result.status:9} {result.name}")
    skipped = sum(result.status == "skipped" for result in doctests)
    if doctests:
        print(f"passed    {len(doctests) - skipped} KUnit tests, Rust doctests among them" + (f"; {skipped} skipped" if skipped else ""))
    else:
        print("left out  KUnit tests (kunit.enable=0)")
    print("time      " + ", ".join(f"{name} {took:.1f} s" for name, took, _ in stage.times))
    log = built.obj / "console.log"
    if options.discard_log:
        log.unlink()
    else:
        print(f"console   {log}")
    print(f"PASS in {time.monotonic() - began:.1f} s")


def main():
    began = time.monotonic()
    options = arguments()
    try:
        with alone():
            built, versions, programs = prepare(options)
            if options.shell:
                return guest.shell(built, options)
            summary(options, built, versions, guest.boot(built, options, programs), began)
    finally:
        stage.end_all()
    return Outcome.PASS


if __name__ == "__main__":
    outcome.main(main)
