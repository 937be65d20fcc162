# SPDX-License-Identifier: GPL-2.0
"""Kernels that others have and the test kernel is not: each must build with the series."""

import re
import typing


class Corner(typing.NamedTuple):
    config: str  # on top of COMMON
    arch: str = "x86"  # make's ARCH=
    llvm: bool = False  # for the C part
    bindgen: str = ""  # from this release of Debian
    # (file, text, other text): for what no configuration gives on 64 bits. C code need not
    # stand it, so only the Rust part is built, and nothing is linked.
    edit: tuple = ()
    # A pattern for warnings that are there without the series, too.
    known: str = ""
    # Those that it is for, where that is not all.
    sets: tuple = ()


COMMON = """
CONFIG_EXPERT=y
CONFIG_PRINTK=y
CONFIG_BUG=y
CONFIG_WERROR=y
CONFIG_RUST=y
CONFIG_SAMPLES=y
CONFIG_SAMPLES_RUST=y
"""

X86 = """
CONFIG_64BIT=y
CONFIG_SMP=y
"""

PCI = """
CONFIG_PCI=y
CONFIG_PCI_MSI=y
"""

MODULES = """
CONFIG_MODULES=y
CONFIG_MODULE_UNLOAD=y
"""

# Whoever may use something that a set changes, first in both kernels, then in 7.3.
USERS = """
CONFIG_OF=y
CONFIG_PM=y
CONFIG_BLOCK=y
CONFIG_BLK_DEV=y
CONFIG_CONFIGFS_FS=y
CONFIG_BLK_DEV_RUST_NULL=m
CONFIG_NET=y
CONFIG_NETDEVICES=y
CONFIG_PHYLIB=y
CONFIG_RUST_PHYLIB_ABSTRACTIONS=y
CONFIG_FW_LOADER=y
CONFIG_RUST_FW_LOADER_ABSTRACTIONS=y
CONFIG_AMCC_QT2025_PHY=m
CONFIG_AX88796B_PHY=m
CONFIG_AX88796B_RUST_PHY=y
CONFIG_DRM=y
CONFIG_DRM_PANIC=y
CONFIG_DRM_PANIC_SCREEN_QR_CODE=y
CONFIG_KUNIT=y
CONFIG_RUST_KERNEL_DOCTESTS=y
CONFIG_SAMPLE_RUST_MINIMAL=m
CONFIG_SAMPLE_RUST_MISC_DEVICE=m
CONFIG_SAMPLE_RUST_PRINT=m
CONFIG_SAMPLE_RUST_DMA=m
"""

USERS_7_3 = """
CONFIG_COMPILE_TEST=y
CONFIG_COMMON_CLK=y
CONFIG_IOMMU_SUPPORT=y
CONFIG_DEBUG_FS=y
CONFIG_TTY=y
CONFIG_ANDROID_BINDER_IPC_RUST=y
CONFIG_I2C=y
CONFIG_USB_SUPPORT=y
CONFIG_USB=y
CONFIG_SERIAL_DEV_BUS=y
CONFIG_RUST_SERIAL_DEV_BUS_ABSTRACTIONS=y
CONFIG_FWCTL=y
CONFIG_RUST_FWCTL_ABSTRACTIONS=y
CONFIG_DRM_NOVA=m
CONFIG_DRM_TYR=m
CONFIG_PWM=y
CONFIG_PWM_TH1520=m
CONFIG_CPU_FREQ=y
CONFIG_CPUFREQ_DT_RUST=m
CONFIG_SAMPLE_RUST_CONFIGFS=m
CONFIG_SAMPLE_RUST_DEBUGFS=m
CONFIG_SAMPLE_RUST_DEBUGFS_SCOPED=m
CONFIG_SAMPLE_RUST_DRIVER_I2C=m
CONFIG_SAMPLE_RUST_I2C_CLIENT=m
CONFIG_SAMPLE_RUST_DRIVER_PCI=m
CONFIG_SAMPLE_RUST_DRIVER_PLATFORM=m
CONFIG_SAMPLE_RUST_DRIVER_USB=m
CONFIG_SAMPLE_RUST_DRIVER_FAUX=m
CONFIG_SAMPLE_RUST_DRIVER_AUXILIARY=m
CONFIG_SAMPLE_RUST_DRIVER_SERDEV=m
CONFIG_SAMPLE_RUST_SOC=m
"""

# Of mainline's own doctests: that nothing makes the struct by which they name themselves.
DOCTESTS_KNOWN = r"struct `LocalModule` is never constructed|^warning: 1 warning emitted$"

# That a function which never returns does: of drivers that the series does not touch.
OBJTOOL_KNOWN = r"(drm_panic_qr|pwm_th1520)\.o: warning: objtool"

# Of LLVM, building User Mode Linux; none is about the series. With PCI there are many in <asm-generic/io.h>, and in lib/iomap.c.
UML_KNOWN = "argument unused during compilation: '-mno-3dnow'|vmlinux(.unstripped)? has a LOAD segment with RWX permissions"
UML_PCI_KNOWN = f"{UML_KNOWN}|performing pointer arithmetic on a null pointer|no previous prototype for function 'io|warnings? generated"

CORNERS = {
    "no PCI": Corner(X86 + MODULES + "CONFIG_PCI=n\nCONFIG_KUNIT=y\nCONFIG_RUST_KERNEL_DOCTESTS=y\nCONFIG_SAMPLE_RUST_MINIMAL=m"),
    "no MSI": Corner(X86 + MODULES + "CONFIG_PCI=y\nCONFIG_PCI_MSI=n\nCONFIG_SAMPLE_RUST_DMA=m"),
    # All that is in the kernel must be found when it is linked; and no module need be there.
    "no modules, sample built in": Corner(X86 + PCI + "CONFIG_MODULES=n\nCONFIG_SAMPLE_RUST_DMA=y"),
    "one processor": Corner("CONFIG_64BIT=y\nCONFIG_SMP=n" + MODULES + PCI + "CONFIG_SAMPLE_RUST_DMA=m"),
    "PREEMPT_RT": Corner(X86 + PCI + MODULES + "CONFIG_PREEMPT_RT=y\nCONFIG_SAMPLE_RUST_DMA=m"),
    "LLVM": Corner(X86 + PCI + MODULES + "CONFIG_SAMPLE_RUST_DMA=m", llvm=True),
    # No other release has a rustc that 6.12 and 6.13 can be built with.
    "newer bindgen": Corner(X86 + PCI + MODULES + "CONFIG_SAMPLE_RUST_DMA=m", bindgen="testing"),
    # User Mode Linux is the one architecture with Rust that has kernels without DMA. Its bindgen knows the target from clang alone.
    "no DMA": Corner("CONFIG_64BIT=y\n" + MODULES + "CONFIG_NO_IOMEM=y\nCONFIG_HAS_DMA=n\nCONFIG_SAMPLE_RUST_MINIMAL=m", "um", llvm=True, known=UML_KNOWN),
    "no SWIOTLB": Corner(
        "CONFIG_64BIT=y\n" + MODULES + "CONFIG_VIRTIO_UML=y\nCONFIG_UML_PCI_OVER_VIRTIO=y\nCONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID=1234\nCONFIG_SWIOTLB=n\nCONFIG_SAMPLE_RUST_DMA=m\nCONFIG_WERROR=n",
        "um",
        llvm=True,
        known=UML_PCI_KNOWN,
    ),
    # objtool of 6.13 knows too few of the functions that do not return.
    "all of the kernel's Rust": Corner(X86 + PCI + MODULES + USERS, known=OBJTOOL_KNOWN, sets=("v6.12",)),
    # Without WERROR for its doctests.
    "all of 7.3's Rust": Corner(
        X86 + PCI + MODULES + USERS + USERS_7_3 + "CONFIG_WERROR=n", known=f"{OBJTOOL_KNOWN}|{DOCTESTS_KNOWN}", sets=("v7.3",)
    ),
    "32-bit dma_addr_t": Corner(
        X86 + PCI + MODULES + "CONFIG_ARCH_DMA_ADDR_T_64BIT=n\nCONFIG_SAMPLE_RUST_DMA=m",
        edit=("kernel/dma/Kconfig", "def_bool 64BIT || PHYS_ADDR_T_64BIT", "def_bool n"),
    ),
}


def config(corner, tree):
    """What is wanted of a kernel; the first patches have no samples yet."""
    samples = (tree / "samples/rust/Kconfig").read_text()
    # Mainline has a sample of that name, and the one of its set has another.
    wanted = COMMON + re.sub(r"^(CONFIG_SAMPLE_RUST_DMA)(=.*)$", r"\1\2\n\1_EDU\2", corner.config, flags=re.M)
    missing = {name for name in re.findall(r"CONFIG_(SAMPLE_RUST_\w+)=", wanted) if f"config {name}\n" not in samples}
    return re.sub(r"CONFIG_(\w+)=.*\n?", lambda match: "" if match[1] in missing else match[0], wanted)
