# SPDX-License-Identifier: GPL-2.0
"""What `unsafe` is in a driver: claims about the hardware, one of each kind, each with what it rests on."""

import re

# A bit, or a register, by its name or its number; or the entry of a completion queue.
RESTS_ON = re.compile(r"`\w+` is clear|\b(?:run )?bit\b|completion")


def wrong(text):
    """What is wrong with the unsafe code of a driver, in words."""
    found, kinds = [], set()
    lines = text.splitlines()
    code = [line.partition("//")[0] for line in lines]
    for at, line in enumerate(code):
        if not re.search(r"\bunsafe\b", line):
            continue
        block = re.search(r"\bunsafe \{ ?(\w+(?:\.\w+)*)\.(\w+)\([^{}]*\) ?\}", line)
        if not block:
            found.append(f"not a claim: {line.strip()}")
            continue
        what, kind = block[1].split(".")[-1], block[2]
        if kind not in ("set_master", "unmap", "free", "as_ref", "as_mut", "assume_quiesced"):
            found.append(f"not a claim: {kind}")
        if (what, kind) in kinds:
            found.append(f"claimed twice: {what}.{kind}")
        kinds.add((what, kind))
        before = at
        while before and lines[before - 1].strip().startswith("//"):
            before -= 1
        said = " ".join(comment.strip().lstrip("/ ") for comment in lines[before:at])
        if not said.startswith("SAFETY: "):
            found.append(f"does not say why: {line.strip()}")
        elif not RESTS_ON.search(said):
            found.append(f"names no bit: {said}")
    return found
