# SPDX-License-Identifier: GPL-2.0
"""The kernels that are fetched by name: what each is, to the last byte."""

import typing


class Pin(typing.NamedTuple):
    set: str  # the set of patches: series/SET, patches/SET
    git: str  # the public git that has the tag
    commit: str = ""  # of the tag; where it is not known, the tree decides
    tree: str = ""  # git's hash of all files
    tarball: str = ""  # in the distribution's archive
    size: int = 0
    sha256: str = ""
    dropped: tuple = ()  # what the tag has and the tarball has not
    package: str = ""  # of the distribution, with the source in it, for where the git cannot be reached
    release: str = ""  # of the distribution, that has the package


STABLE = "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git"
MAINLINE = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git"

PINS = {
    "v6.12.38": Pin(
        set="v6.12",
        git=STABLE,
        tree="f371bd964048b438dec6dc2135e87fa98141c9a0",
        tarball="pool/main/l/linux/linux_6.12.38.orig.tar.xz",
        size=151129260,
        sha256="8c89ced59bbd40280ddbe51e50114e2cf7b665104e16116949bd205c17371c0d",
        # "Files-Excluded" in debian/copyright of that source package: not free enough for
        # Debian. Dropped from what git gives too, so that both ways lead to the same tree.
        dropped=(
            "Documentation/netlabel/draft-ietf-cipso-ipsecurity-01.txt",
            "arch/powerpc/platforms/8xx/micropatch.c",
            "drivers/media/usb/dvb-usb/af9005-script.h",
            "drivers/video/fbdev/nvidia",
            "drivers/video/fbdev/riva",
            "tools/testing/selftests/tc-testing/action-ebpf",
        ),
    ),
    "v6.13": Pin(set="v6.13", git=MAINLINE, commit="ffd294d346d185b70e28b1a28abe367bbfe53c04"),
    # The package is a later 7.3.y, with the distribution's patches.
    "v7.3": Pin(set="v7.3", git=MAINLINE, package="linux-source-7.3", release="trixie-backports"),
}

DEFAULT = "v6.12.38"
