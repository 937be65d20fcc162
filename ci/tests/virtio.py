# SPDX-License-Identifier: GPL-2.0
"""rust_virtio_rng, the platform driver of ci/drivers, in guests that have its device."""

import base
import boot
import cases
import root
import standin
from outcome import Outcome

ARCHITECTURES = standin.program("ci/architectures")
NAME, DEVICE = ARCHITECTURES.PLATFORM, ARCHITECTURES.DEVICE
DRIVER = root.TOP / f"ci/drivers/{NAME}.rs"
BINDINGS = 3
# Bound several times, and suspended and resumed in the last one, as far as its devices.
RUN = f"""
    insmod /{NAME}.ko && cd /sys/bus/platform/drivers/{NAME} && dev=$(echo *.virtio_mmio) && [ -e "$dev" ] || exit
    for ((i = 1; i < {BINDINGS}; i++)); do
        echo $dev >unbind && ! [ -e $dev ] && echo $dev >bind && [ -e $dev ] || exit
    done
    echo devices >/sys/power/pm_test && echo freeze >/sys/power/state && cd / && rmmod {NAME}
"""
CLAIM = "unsafe { dev.assume_quiesced(|_| ()) };"
FILLED, GOODBYE, LOST = "filled 100 times, 409600 bytes", "goodbye: 0 parked", "is not said to be at rest; memory is lost"
# How the driver is changed, what is run, and how often each is said.
VARIANTS = {
    "rest": ((), RUN, (BINDINGS + 1, BINDINGS, 0)),
    # It makes no claim.
    "lost": ((CLAIM, "let _ = dev;"), RUN, (BINDINGS + 1, BINDINGS, BINDINGS)),
    # It makes one, but for the time before it has the device use memory.
    "early": (("bring_to_rest(dev, &data.regs) {", "reset(&data.regs) {"), RUN, (BINDINGS + 1, BINDINGS, BINDINGS)),
    # It fails after such a claim.
    "fails": (("            Ok(try_pin_init!(", "            dev.irq_by_index(1)?;\n            Ok(try_pin_init!("), f"insmod /{NAME}.ko && rmmod {NAME}", (0, 0, 0)),
}


def wrong(test, machine, variant="rest", tree=base.DEFAULT):
    """What is wrong with a variant of the driver in such a machine, with the kernel of a tree."""
    cases.build(test, tree, machine=machine)
    change, run, expected = VARIANTS[variant]
    text = DRIVER.read_text()
    if change:
        test.assertEqual(1, text.count(change[0]), change[0])
        text = text.replace(*change)
    obj = boot.Module.OBJ.with_name(machine)
    module = boot.Module(test, "virtio", NAME, text, obj, machine=machine)
    status, output = boot.boot_test(
        *cases.PATIENCE, "--base", tree, "--arch", machine, "--qemu", DEVICE, "--add", module.ko(), "--run", run
    )  # fmt: skip
    console = (obj / "console.log").read_text(errors="replace")
    found = [] if status == Outcome.PASS else [f"exit status {status}: {output}"]
    for what, times in zip((FILLED, GOODBYE, LOST), expected):
        if console.count(what) != times:
            found.append(f"{what}: {console.count(what)} times, not {times}")
    return found
