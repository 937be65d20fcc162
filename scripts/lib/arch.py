# SPDX-License-Identifier: GPL-2.0
"""What differs between architectures; a new one is a new entry, and a ci/config/NAME.config."""

import typing


class Iommu(typing.NamedTuple):
    name: str
    qemu: str  # the emulator's arguments
    driver: str  # its directory: not all kernels have each
    config: str = ""  # in ci/config, where the architecture's own has not what it needs


class Arch(typing.NamedTuple):
    kernel: str  # make's ARCH=
    make: tuple  # more for make: what the C part is compiled with
    compiler: str  # by name, for its version
    needs: dict  # what make takes for it: {program: its name in scripts/min-tool-version.sh}
    image: str  # what the emulator boots; by its name, make's target
    emulator: str
    machine: tuple  # the emulator's arguments
    memory: str
    device: str  # the one that the sample drives
    console: str  # kernel parameters
    files: int  # about as many are made for a whole kernel
    host: str  # the machine on which KVM can run it, as `uname -m` says
    iommu: Iommu
    debian: str = ""  # what Debian calls it, where the guest's programs are not the build root's own
    kasan_image: str = ""  # what it boots with CONFIG_KASAN, where that is another
    bridge: str = ""  # the PCI bus in the machine's device tree, where it has one
    pages: tuple = (4,)  # KiB; for each but 4 there is a ci/config/NUMBERk-pages.config


ARCHES = {
    "x86_64": Arch(
        kernel="x86",
        make=(),
        compiler="gcc",
        needs={"gcc": "gcc", "ld": "binutils"},
        image="vmlinux",
        # Its PVH entry compares memory before KASAN is ready for that.
        kasan_image="arch/x86/boot/bzImage",
        emulator="qemu-system-x86_64",
        # Each processor in a socket of its own: a PC without ACPI tells of no other.
        machine=("-M", "q35", "-cpu", "max", "-smp", "2,sockets=2"),
        # All that the 28 address lines of the device reach.
        memory="256M",
        device="edu",
        # The guest powers off by a reset, which is all that a PC without ACPI can do. Processors
        # wait for ci/guest/init: while one finds PCI devices, the emulator (10.0) may lose the
        # end of another's timer interrupt, and that one gets none any more. Code for one processor
        # alone would be patched in the meantime, and back, which takes half a second. The check
        # of the timer panics if the emulator gets no time of the processor just then.
        console="console=ttyS0 reboot=t maxcpus=1 noreplace-smp no_timer_check",
        files=1250,
        host="x86_64",
        iommu=Iommu("VT-d", "-device intel-iommu,intremap=off", "drivers/iommu/intel", "iommu.config"),
    ),
    "arm64": Arch(
        kernel="arm64",
        make=("LLVM=1",),
        compiler="clang",
        needs={"clang": "llvm", "ld.lld": "llvm"},
        image="arch/arm64/boot/Image",
        emulator="qemu-system-aarch64",
        # Message-signalled interrupts as real machines have them, by an ITS.
        machine=("-M", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on", "-smp", "2"),
        # Memory begins at 1 GiB, which the 28 address lines of the device do not reach; and
        # there is more than the 32 that it is given here reach.
        memory="4G",
        device="edu,dma_mask=0xffffffff",
        console="console=ttyAMA0",
        files=1200,
        host="aarch64",
        iommu=Iommu("SMMUv3", "-M iommu=smmuv3", "drivers/iommu/arm/arm-smmu-v3"),
        debian="arm64",
        bridge="/pcie@10000000",
        pages=(4, 64),
    ),
    "riscv64": Arch(
        kernel="riscv",
        make=("LLVM=1",),
        compiler="clang",
        needs={"clang": "llvm", "ld.lld": "llvm"},
        image="arch/riscv/boot/Image",
        emulator="qemu-system-riscv64",
        # Message-signalled interrupts: without this, the machine has none.
        machine=("-M", "virt,aia=aplic-imsic", "-cpu", "max", "-smp", "2"),
        # Memory begins at 2 GiB.
        memory="3G",
        device="edu,dma_mask=0xffffffff",
        console="console=ttyS0",
        files=1300,
        host="riscv64",
        iommu=Iommu("RISC-V IOMMU", "-M iommu-sys=on", "drivers/iommu/riscv", "riscv-iommu.config"),
        debian="riscv64",
        bridge="/soc/pci@30000000",
    ),
}
