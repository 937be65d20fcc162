# SPDX-License-Identifier: GPL-2.0
"""What differs between architectures; a new one is a new entry, and a ci/config/NAME.config."""

import typing


class Arch(typing.NamedTuple):
    kernel: str  # make's ARCH=
    image: str  # make's target, and where it is under arch/KERNEL/boot
    emulator: str
    machine: tuple  # the emulator's arguments
    console: str  # kernel parameters
    host: str  # the machine on which KVM can run it, as `uname -m` says


ARCHES = {
    "x86_64": Arch(
        kernel="x86",
        image="bzImage",
        emulator="qemu-system-x86_64",
        machine=("-M", "q35", "-cpu", "max"),
        # The guest powers off by a reset, which is all that a PC without ACPI can do.
        console="console=ttyS0 reboot=t",
        host="x86_64",
    ),
}
