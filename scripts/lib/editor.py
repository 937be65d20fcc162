# SPDX-License-Identifier: GPL-2.0
"""What rust-analyzer needs: rust-project.json, by the kernel's own `make rust-analyzer`, and the compiler's part in it."""

import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil

import arch
import base
import driver
import kernel
import root
import stage

# What rust-analyzer runs of a sysroot. Without the last, it knows nothing of what #[pin_data] makes.
PROGRAMS = "bin/rustc", "libexec/rust-analyzer-proc-macro-srv"


def ready(built):
    """Whether there is what a build generates."""
    return (built / "built").exists() and (built / "rust/libmacros.so").exists() and root.ready(kernel.BUILD)


def sysroot(tools):
    """A sysroot of the build root's compiler that works on this machine, whose C library may be older than it needs."""
    place, usr = kernel.BUILD / "sysroot", tools / "usr"
    loader = [usr / "lib64/ld-linux-x86-64.so.2", "--library-path", usr / "lib/x86_64-linux-gnu"]
    shutil.rmtree(place, ignore_errors=True)
    for name in PROGRAMS:
        (place / name).parent.mkdir(parents=True)
        (place / name).write_text(f'#!/bin/sh\nexec {shlex.join(map(str, [*loader, usr / name]))} "$@"\n')
        (place / name).chmod(0o755)
    (place / "lib").mkdir()
    (place / "lib/rustlib").symlink_to(usr / "lib/rustlib")
    return place


def project(directory, built):
    """The rust-project.json of a tree, for a build of it."""
    # Made in a directory of its own: make would bring the build's configuration up to date, and that rebuilds everything.
    scratch = kernel.BUILD / "analyzer"
    shutil.rmtree(scratch, ignore_errors=True)
    tools = kernel.tools(directory, scratch)
    make = kernel.Kernel(None, "x86_64", arch.ARCHES["x86_64"], tools, os.cpu_count()).make
    with stage.Stage("rust-project.json", kernel.BUILD / "log/rust-analyzer") as here:
        shutil.copy(built / ".config", scratch)
        here.run(make("-s", "olddefconfig"), "make olddefconfig failed")
        here.run(make("-s", "rust-analyzer"), "make rust-analyzer failed")
    text = (scratch / "rust-project.json").read_text()
    for there, real in (tools.src, directory), (tools.obj, built), ("/usr", tools.root / "usr"):
        text = re.sub(rf'"{there}(?=[/"])', lambda _: json.dumps(str(real))[:-1], text)
    shutil.rmtree(scratch)
    place = sysroot(tools.root)
    # Where it is told of these by the sysroot, rust-analyzer knows that they are the language's own, and finds the methods of
    # `str`, of arrays, and of pointers.
    crates = without(json.loads(text)["crates"], ("core", "alloc", "std", "proc_macro"))
    return {"crates": crates, "sysroot": str(place), "sysroot_src": str(place / "lib/rustlib/src/rust/library")}


def without(crates, names):
    """The crates of a project but for some. They refer to each other by number."""
    kept = [at for at, crate in enumerate(crates) if crate["display_name"] not in names]
    new = {old: at for at, old in enumerate(kept)}
    return [{**crates[at], "deps": [{**each, "crate": new[each["crate"]]} for each in crates[at]["deps"] if each["crate"] in new]} for at in kept]


def write(directory, made):
    part = directory / ".rust-project.json.part"
    part.write_text(json.dumps(made, indent=4) + "\n")
    part.rename(directory / "rust-project.json")
    return f"rust-analyzer: {directory}/rust-project.json"


def for_tree(directory, version):
    """Write a tree's, for the build that boot-test made of that version; a sentence."""
    built = kernel.BUILD / f"v{version}" / "x86_64"
    if not ready(built):
        return f"for rust-analyzer: scripts/boot-test --base {shlex.quote(str(directory))}   (it needs what a build generates; then this again)"
    return write(directory, project(directory, built))


def for_driver(directory):
    """Write that of a driver out of the tree, for the kernel that boot-test builds by itself; a sentence."""
    built = kernel.BUILD / base.DEFAULT / "x86_64"
    if not ready(built):
        return "for rust-analyzer: scripts/boot-test   (it needs what a build generates; then this again)"
    # `make M=... rust-analyzer` is no way: 6.12 can't do that where the tree was built elsewhere.
    kept, of = built / "analyzer.json", [(built / "built").read_text(), str(kernel.BUILD), hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()]
    if not kept.exists() or json.loads(kept.read_text())["of"] != of:
        part = kept.with_suffix(".part")
        part.write_text(json.dumps({"of": of, "project": project(built.with_name("linux"), built)}))
        part.rename(kept)
    return write(directory, with_driver(json.loads(kept.read_text())["project"], directory.resolve()))


def with_driver(project, directory):
    """The project with a driver's crates in place of those of the tree's own drivers and samples."""
    crates = project["crates"]
    count = 1 + max(at for at, crate in enumerate(crates) if crate["display_name"] == "kernel")
    like = crates[count]  # all of them are alike
    makefiles = {}
    for path in sorted(path for path in driver.sources(directory) if path.suffix == ".rs"):
        place = (directory / path).parent
        if place not in makefiles:
            makefiles[place] = "\n".join((place / name).read_text() for name in driver.MAKEFILES if (place / name).exists())
        if re.search(rf"\b{re.escape(path.stem)}\.o\b", makefiles[place]):
            crates.insert(count, {**like, "display_name": path.stem, "root_module": str(directory / path)})
            count += 1
    return {**project, "crates": crates[:count]}
