# SPDX-License-Identifier: GPL-2.0
"""The host's packages, the build root, and how to run something in it."""

import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import stage
from outcome import Fail, Outcome

TOP = pathlib.Path(__file__).resolve().parents[2]
SUITE = "trixie"
LIST, MORE = TOP / "ci/root.packages", TOP / "ci/root-whole.packages"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# What the host needs, and the package that brings it.
HOST = {
    "git": "git",
    "xz": "xz-utils",
    "mmdebstrap": "mmdebstrap",
    "bwrap": "bubblewrap",
    KEYRING: "debian-archive-keyring",
}


# The host ---------------------------------------------------------------------


def install_missing(log):
    """Install what the host lacks."""
    missing = [package for what, package in HOST.items() if not (shutil.which(what) or what[0] == "/" and os.path.exists(what))]
    if not missing:
        return
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    by_hand = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if not shutil.which("apt-get"):
        raise Fail(Outcome.TOOL, f"not found: {', '.join(missing)}; and this is no Debian, so they cannot be installed", advice="install them, or use --host-tools")
    need_sudo(f"to install {' '.join(missing)}", by_hand)
    with stage.Stage("host packages", log) as here:
        here.say(f"installing {' '.join(missing)}")
        # Half an installation is no use to anybody, and harms the next.
        options = {"sudo": True, "finish": True, "outcome": Outcome.TOOL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}}
        if any(pathlib.Path("/var/lib/dpkg/updates").glob("*")):
            # It was broken off once, and apt-get does nothing until that is made good.
            here.run(["dpkg", "--configure", "-a"], "dpkg was interrupted, and cannot go on", **options)
        here.run(["apt-get", "-q", "update"], "apt-get update failed", **options)
        here.run([*command, "install", *missing], f"cannot install {' '.join(missing)}", advice=f"as root: {by_hand}", **options)


def need_sudo(why, by_hand):
    """Make sure that we can be root for a moment; asks for the password where sudo wants one."""
    if os.geteuid() == 0:
        return
    if not shutil.which("sudo"):
        raise Fail(Outcome.TOOL, f"root is needed {why}, and there is no sudo", advice=f"as root: {by_hand}")
    if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
        print(f"sudo {why}:", flush=True)
        if subprocess.run(["sudo", "-v"]).returncode:
            raise Fail(Outcome.TOOL, f"root is needed {why}, and sudo refused", advice=f"as root: {by_hand}")


def ask(build, whole=False):
    """Ask for all that takes root, before the work begins: this machine's packages, and a build root to be made."""
    install_missing(build / "log/host")
    if not ready(build, whole):
        need_sudo("to make the build root", "run this once as root")


def mirrors():
    """The Debian mirrors that this machine's apt uses, as URLs that end without a slash."""
    override = os.environ.get("DEBIAN_MIRROR")
    if override:
        return [override.rstrip("/")]
    found = []
    try:
        listing = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)"], capture_output=True, text=True
        ).stdout
    except FileNotFoundError:
        listing = ""
    for line in listing.splitlines():
        made, component, release, url = (*line.split(), "", "", "", "")[:4]
        if made != "Packages" or component != "main" or release not in ("bookworm", SUITE, "stable", "oldstable"):
            continue
        if url.startswith("mirror+file:"):
            listed = pathlib.Path(re.sub("^mirror[+]file:/*", "/", url).rstrip("/"))
            found += [line.split()[0].rstrip("/") for line in listed.read_text().splitlines() if line.strip() and line[0] != "#"]
        else:
            found.append(url.rstrip("/"))
    if not found:
        raise Fail(Outcome.FETCH, "this machine's apt names no Debian mirror", advice="set DEBIAN_MIRROR to the URL of one, then run the same command again")
    return list(dict.fromkeys(found))


# The root ---------------------------------------------------------------------


# Only what builds and boots: no manuals, no translations, nothing to link LLVM with, no source of rustc itself.
EXCLUDED = (
    *(f"/usr/share/{each}/*" for each in ("doc", "man", "locale", "info")),
    "/usr/lib/llvm-*/lib/*.a", "/usr/src/rustc-*/src/tools/*", "/usr/src/rustc-*/src/doc/*",
)  # fmt: skip


def packages(whole=False):
    return [line for path in ((LIST, MORE) if whole else (LIST,)) for line in path.read_text().split("\n") if line and line[0] != "#"]


def stamp(whole=False):
    """What a root must have been made from to be the right one."""
    return hashlib.sha256("\n".join([SUITE, *EXCLUDED, *packages(whole)]).encode()).hexdigest()


def ready(build, whole=False):
    made = build / "root/etc/build-root"
    return made.exists() and made.read_text() in (stamp(True), stamp(whole))


def mounts(place):
    """What is mounted at a place and below it."""
    found = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    return [each for each in found if pathlib.Path(each).is_relative_to(place.resolve())]


def make(build, log, whole=False):
    """The build root, made when there is none or its list of packages changed; or there is less than the whole, which is asked for."""
    root = build / "root"
    part, old = build / "root.part", build / "root.old"
    with stage.Stage("build root", log) as here:
        if ready(build, whole):
            if old.exists():
                here.run(["rm", "-rf", "--one-file-system", old], f"cannot remove {old}")
            here.note = "there already"
            return root
        for left in part, old:
            for mount in reversed(mounts(left)):
                # Earlier versions of this made it where all can see it; then /dev/shm is the machine's.
                here.run(["umount", "--lazy", mount], f"cannot unmount {mount}", sudo=True, finish=True)
            if left.exists():
                here.run(["rm", "-rf", "--one-file-system", left], f"cannot remove {left}", sudo=True)
        command = [shutil.which("mmdebstrap"), "--variant=apt", f"--include={','.join(packages(whole))}"]
        # No wait for the disk at each file.
        command += ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude={each}" for each in EXCLUDED)]
        command += ["--aptopt=Apt::Install-Recommends false"]
        for proto in "http", "https":
            proxy = subprocess.run(["apt-config", "shell", "P", f"Acquire::{proto}::Proxy"], capture_output=True, text=True).stdout
            if proxy:
                command += [f'--aptopt=Acquire::{proto}::Proxy "{shlex.split(proxy)[0][2:]}"']
        # Where the kernel's source, the objects, ci/ and the compiler's cache are seen in there.
        command += [f'--customize-hook=mkdir "$1"{place}' for place in (SRC, OBJ, CI, CACHE)]
        command += [SUITE, str(part), f"deb [signed-by={KEYRING}] {mirrors()[0]} {SUITE} main"]
        here.run(command, "the build root cannot be made", outcome=Outcome.FETCH, sudo=True)
        if os.geteuid():
            # So that `rm -rf build` is all it takes to be rid of it.
            here.run(["chown", "-R", "-h", f"{os.getuid()}:{os.getgid()}", part], f"cannot chown {part}", sudo=True)
        (part / "etc/build-root").write_text(stamp(whole))
        if root.exists():
            root.rename(old)
        part.rename(root)
        if old.exists():
            here.run(["rm", "-rf", "--one-file-system", old], f"cannot remove {old}")
    return root


# Static programs run in any guest. Where a mirror is half renewed, the next release has them, too.
RELEASES = (SUITE, "testing")


def unpacked(build, place, *which):
    """A directory with what download() brings, unpacked."""
    if not place.exists():
        packages = download(build, *which)
        part = place.with_name(f"{place.name}.part")
        with stage.Stage("packages") as here:
            for package in packages:
                here.run(["dpkg-deb", "-x", package, part], f"cannot unpack {package}", Outcome.FETCH)
            part.rename(place)
    return place


def download(build, architecture, names, releases=RELEASES, place=""):
    """Debian's packages that the build root has not, fetched; what is there already, in build/download, is taken."""
    label = place or architecture
    place = build / "download" / label
    if not place.exists():
        if not shutil.which("apt-get"):
            raise Fail(Outcome.TOOL, f"no apt-get here, to fetch {', '.join(names)} of {architecture}", advice=f"put the packages into {place}")
        part = place.with_name(f"{label}.part")
        with stage.Stage(f"{label} packages", build / f"log/{label}") as here:
            for release in releases:
                try:
                    fetch(here, part, architecture, release, names)
                    break
                except Fail as fail:
                    if release == releases[-1]:
                        raise
                    here.say(f"{release}: {fail.cause}; the next release is asked")
        (part / "packages").rename(place)
        shutil.rmtree(part)
    return sorted(place.glob("*.deb"))


def fetch(here, part, architecture, release, names):
    """Fetch a release's packages into part/packages, with this machine's way to the network, but with nothing of what its apt knows and has."""
    shutil.rmtree(part, ignore_errors=True)
    for each in "lists/partial", "cache/archives/partial", "packages":
        (part / each).mkdir(parents=True)
    (part / "status").touch()
    (part / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirrors()[0]} {release} main\n")
    settings = {
        "APT::Architecture": architecture, "APT::Architectures": architecture, "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any", "Acquire::Languages": "none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Dir::Etc::SourceList": part / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": part, "Dir::State::status": part / "status", "Dir::Cache": part / "cache",
    }  # fmt: skip
    command = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in settings.items())]
    # What does not match the signed list of hashes is not taken.
    advice = "try again later, or set DEBIAN_MIRROR to the URL of another mirror"
    here.run([*command, "update"], f"no list of packages for {architecture}", Outcome.FETCH, advice)
    here.run([*command, "download", *names], f"cannot fetch {', '.join(names)} of {architecture}", Outcome.FETCH, advice, cwd=part / "packages")


SRC, OBJ, CI, CACHE = "/src", "/obj", "/ci", "/ccache"
# What of the root is in the way of the same path outside.
SYSTEM = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


class Tools:
    """Where the tools are: in a build root, entered with bwrap, or the host's own.

    `src`, `obj` and `ci` are the directories as the tools see them; in the build
    root always the same, so that objects and compiler cache do not depend on
    where the repository is.
    """

    def __init__(self, root, src, obj, cache):
        self.root = root
        self.real = {SRC: src, OBJ: obj, CI: TOP / "ci", CACHE: cache}
        obj.mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        self.src, self.obj, self.ci, self.cache = (place if root else str(real) for place, real in self.real.items())

    def command(self, *argv, terminal=False, env=None, see=()):
        """The command that runs argv among the tools, in the directory of objects; it can read the files `see` as well."""
        settings = {"LC_ALL": "C.UTF-8", "HOME": "/tmp", **(env or {})}
        if not self.root:
            return ["env", "-C", self.obj, *(f"{key}={value}" for key, value in settings.items() if key != "HOME"), *argv]
        command = ["bwrap", "--unshare-all", "--die-with-parent", "--clearenv"]
        if not terminal:
            command.append("--new-session")
        settings["PATH"] = "/usr/sbin:/usr/bin"
        settings["TERM"] = os.environ.get("TERM", "dumb")
        for key, value in settings.items():
            command += ["--setenv", key, value]
        if see:
            # In the root itself, nothing can be made for them to be seen at.
            for path in map(pathlib.Path, sorted(SYSTEM)):
                at = self.root / path.relative_to("/")
                command += ["--symlink", os.readlink(at), path] if at.is_symlink() else ["--ro-bind", at, path] if at.is_dir() else []
        else:
            command += ["--ro-bind", self.root, "/"]
        command += ["--dev", "/dev", "--dev-bind-try", "/dev/kvm", "/dev/kvm", "--proc", "/proc", "--tmpfs", "/tmp"]
        for place, real in self.real.items():
            command += ["--bind" if place in (OBJ, CACHE) else "--ro-bind", real, place]
        for path in see:
            if not any(pathlib.Path(path).is_relative_to(place) for place in SYSTEM):
                command += ["--ro-bind", path, path]
            elif not os.path.exists(f"{self.root}{path}"):
                raise Fail(Outcome.USAGE, f"--qemu: the emulator has a {path.split('/')[1]} of its own, which has no {path}", advice=f"copy it: cp {shlex.quote(path)} /tmp, and name that")
        return [str(word) for word in [*command, "--chdir", self.obj, *argv]]

    def output(self, *argv, **options):
        """What a short command prints; its Fail when it does not work."""
        child = stage.start(self.command(*argv, **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        try:
            out, err = child.communicate()
        finally:
            stage.end(child)
        if child.returncode:
            raise Fail(Outcome.TOOL, f"{argv[0]} does not run", err or out, "where bwrap may not do its work (a container): --host-tools")
        return out

    def version(self, tool, *arguments):
        """The first thing that looks like a version in what a tool says of itself."""
        found = re.search(r"\d+\.\d+(\.\d+)?", self.output(tool, *(arguments or ["--version"])))
        return found[0] if found else "unknown"
