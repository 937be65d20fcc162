# SPDX-License-Identifier: GPL-2.0
"""The mutants: how they are listed, chosen, named, and counted."""

import collections
import difflib
import hashlib
import json
import pathlib
import random
import re
import typing

import kernel
import root
import stage
from outcome import Fail, Outcome

HERE = pathlib.Path(__file__).resolve().parent
HOME = kernel.BUILD / "mutants"
# What is mutated: below rust/kernel, what the series made.
FILES = (
    "dma.rs", "dma/*.rs", "pci.rs", "pci/*.rs", "irq.rs", "interrupt.rs", "io.rs", "scatterlist.rs", "driver.rs", "device.rs",
    "sync/completion.rs",
)  # fmt: skip
CRATES = ("librust-syn-dev", "librust-quote-dev", "librust-proc-macro2-dev", "librust-unicode-ident-dev")
# How each crate is built: its edition, and what is on in it. Their build scripts would find out the same.
BUILDS = {
    "unicode-ident": (2018, []),
    "proc-macro2": (2021, ["span_locations", 'feature="span-locations"']),
    "quote": (2018, []),
    "syn": (2021, [f'feature="{feature}"' for feature in ("full", "visit", "parsing", "printing")]),
}


class Mutant(typing.NamedTuple):
    id: str
    file: str
    line: int
    start: int  # in bytes
    end: int
    operator: str
    item: str
    text: str
    replacement: str
    body: tuple | None = None  # the place of the function's block, if another may run in its stead

    @property
    def compile_time(self):
        """Whether it is for the compiler to see: a check that is evaluated when it builds."""
        return re.search(r"::OK\b", self.text) is not None

    @property
    def words(self):
        def short(text):
            text = " ".join(text.split())
            return text if len(text) < 60 else text[:57] + "..."

        return f"{self.id}  {self.file}:{self.line}  {self.operator}: {short(self.text)} -> {short(self.replacement) or 'nothing'}"

    def apply(self, text):
        """The file with the mutant in it."""
        before = text.encode()
        if before[self.start : self.end] != self.text.encode():
            raise Fail(Outcome.INTERNAL, f"{self.file} is not as it was listed: {self.words}")
        return (before[: self.start] + self.replacement.encode() + before[self.end :]).decode()

    def patch(self, text, tried):
        """What makes the mutant of the file."""
        names = f"a/{self.file}", f"b/{self.file}"
        changed = difflib.unified_diff(text.splitlines(True), self.apply(text).splitlines(True), *names)
        return f"{self.words}\nin {self.item}\nNot seen by: {tried}\n\n---\n{''.join(changed)}"


# The list ---------------------------------------------------------------------


class Lister:
    """The program of lister.rs, which is built in the build root, with Debian's crates."""

    def __init__(self, place, source):
        self.place, self.source = place, source
        self.crates = HOME / "debian"

    def build(self):
        HOME.mkdir(parents=True, exist_ok=True)
        root.unpacked(kernel.BUILD, self.crates, "amd64", CRATES, root.RELEASES, "crates")
        registry = self.crates / "usr/share/cargo/registry"
        found = {name: next(registry.glob(f"{name}-[0-9]*")) for name in BUILDS}
        # The crates take half a minute, once; ours takes seconds.
        self.once("crates", str([*map(str, found.values()), BUILDS]), self.commands(found))
        lister = [*self.rustc(2021), "--crate-name", "lister", "--extern", "syn", "--extern", "proc_macro2", f"{self.inside().ci}/mutants/lister.rs"]
        self.once("lister", str(BUILDS) + (HERE / "lister.rs").read_text(), [lister])
        return self

    def inside(self, source=None):
        return kernel.tools(source or self.crates, HOME / "lister", self.place)

    def rustc(self, edition):
        return ["rustc", "--edition", str(edition), "-L", self.inside().obj]

    def commands(self, found):
        for name, (edition, cfgs) in BUILDS.items():
            file = f"{self.inside().src}/{found[name].relative_to(self.crates)}/src/lib.rs"
            crate = name.replace("-", "_")
            others = [word for other in BUILDS if other != name and list(BUILDS).index(other) < list(BUILDS).index(name) for word in ("--extern", other.replace("-", "_"))]
            yield [*self.rustc(edition), "--crate-type", "rlib", "--cap-lints", "allow", "--crate-name", crate, *others, *(f"--cfg={cfg}" for cfg in cfgs), file]

    def once(self, name, key, commands):
        """Run commands if they were not, for such a key."""
        done, key = HOME / f"lister/{name}.done", hashlib.sha256(f"{root.stamp()} {key}".encode()).hexdigest()
        if done.exists() and done.read_text() == key:
            return
        done.unlink(missing_ok=True)
        with stage.Stage(name, HOME / f"log/{name}") as here:
            for command in commands:
                here.run(self.inside().command(*command), f"the {name} cannot be built")
        done.write_text(key)

    def list(self, files, cfgs=()):
        """The mutants in some files of the source, and what was left out of them."""
        inside = self.inside(self.source)
        words = [word for cfg in cfgs for word in ("--cfg", cfg)]
        output = inside.output("env", "-C", inside.src, f"{inside.obj}/lister", *words, *files)
        return parse(output.splitlines())


def parse(lines):
    """What the lister prints: mutants, with their ids, and for each file how much was left out.

    An id is made of what was changed, in which item: a change elsewhere leaves it as it is.
    """
    found, left_out, seen = [], {}, collections.Counter()
    for line in lines:
        said = json.loads(line)
        if "left_out" in said:
            left_out[said["file"]] = said["left_out"]
            continue
        key = "\0".join([said["file"], said["item"], said["operator"], *("".join(said[each].split()) for each in ("text", "replacement"))])
        seen[key] += 1
        said["body"] = said["body"] and tuple(said["body"])
        found.append(Mutant(hashlib.sha256(f"{key}\0{seen[key]}".encode()).hexdigest()[:10], **said))
    ids = collections.Counter(each.id for each in found)
    if len(ids) != len(found):
        raise Fail(Outcome.INTERNAL, f"two mutants of one id: {ids.most_common(1)}")
    return found, left_out


def cfgs(config):
    """What is on in the kernel, of what Rust code asks for."""
    on = {"CONFIG_DMA_API_DEBUG_SG", "CONFIG_MMU", "CONFIG_X86", "debug_assertions"}  # nobody has to ask for these
    for path in root.TOP / "ci/config/base.config", root.TOP / "ci/config/x86_64.config", *config:
        wanted = kernel.symbols(path.read_text())
        on = {*on, *(name for name, value in wanted.items() if value in "ym")} - {name for name, value in wanted.items() if value == "n"}
    return sorted(on)


def check(tree, cfgs, config):
    """That this is so, in a kernel's configuration."""
    have = {name for name, value in kernel.symbols(config).items() if value in "ym"}
    asked = {name for file in files(tree) for name in re.findall(r"\bCONFIG_\w+", (tree / file).read_text())}
    wrong = sorted(asked & (have ^ set(cfgs)))
    if wrong:
        raise Fail(Outcome.INTERNAL, f"mutants.cfgs() has it otherwise than the kernel: {', '.join(wrong)}")


def files(tree, globs=()):
    """The files of a tree that are mutated, and those that somebody asks for besides."""
    where = tree / "rust/kernel"
    found = set()
    for glob in [*FILES, *globs]:
        some = {str(path.relative_to(tree)) for path in where.glob(glob)}
        if not some:
            raise Fail(Outcome.USAGE, f"there is no file rust/kernel/{glob}", advice="--files 'dma/*.rs', for example")
        found |= some
    return sorted(found)


def of(tree, lister, config, globs=()):
    """The mutants of a tree, whichever are asked for; and what was left out of the files that are."""
    # All files at once: signatures of one matter for calls in another.
    all = files(tree, globs)
    found, left_out = lister.build().list(all, cfgs(config))
    counts = collections.Counter()
    for file in asked_for(tree, globs):
        counts.update(left_out[file])
    return found, counts


def asked_for(tree, globs):
    """The files below rust/kernel that somebody asks for; all, where he does not say."""
    wanted = {path for glob in globs for path in (tree / "rust/kernel").glob(glob)}
    return {str(path.relative_to(tree)) for path in wanted} if globs else set(files(tree))


def shuffled(mutants, seed):
    """In an order of chance, so that a part of a run is a sample; the same for a seed, and of a smaller sample a larger one's beginning."""
    return sorted(mutants, key=lambda each: (random.Random(f"{seed} {each.id}").random(), each.id))


def equivalent(text):
    """The reasons why mutants cannot be seen, by id."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip() or name in found:
            raise Fail(Outcome.USAGE, f"ci/mutants/equivalent:{number}: {'listed twice' if name in found else 'no reason'}: {name}")
        found[name] = reason.strip()
    return found


def unknown(reasons, mutants):
    """Entries of the list of equivalents that are for no mutant."""
    return sorted(set(reasons) - {each.id for each in mutants})


# Results ----------------------------------------------------------------------


class Results:
    """What became of mutants, in a file: for a state of the series, and of the tests."""

    def __init__(self, path, state, keep=False):
        self.path, self.state, self.keep = path, state, keep
        known = json.loads(path.read_text()) if path.exists() else {}
        self.all = known.get("mutants", {})
        self.without = known.get("without")  # the state in which nothing fails without a mutant
        self.reached = known.get("reached", {})
        # The trials that have not seen a mutant which is not through: {id: {"state", "trials"}}.
        self.begun = known.get("begun", {})

    def reach(self, functions):
        """Which functions each trial reaches, of these, in this state: what is known of it, to be added to."""
        of = hashlib.sha256(f"{self.state} {sorted(functions)}".encode()).hexdigest()[:16]
        if self.reached.get("of") != of:
            self.reached = {"of": of, "trials": {}}
        return self.reached["trials"]

    def get(self, mutant):
        """Its result, if it counts: of this state, or a kill that is to be kept."""
        found = self.all.get(mutant.id)
        return found if found and (found["state"] == self.state or self.keep and found["killed"]) else None

    def add(self, mutant, killed, what, seconds):
        self.all[mutant.id] = {"killed": killed, "by": what, "seconds": round(seconds, 1), "state": self.state, "what": mutant.words}
        self.begun.pop(mutant.id, None)
        self.write()

    def passed(self, mutant):
        """The trials of this state that have not seen it."""
        found = self.begun.get(mutant.id, {})
        return found.get("trials", []) if found.get("state") == self.state else []

    def add_passed(self, mutant, trial):
        self.begun[mutant.id] = {"state": self.state, "trials": [*self.passed(mutant), trial]}
        self.write()

    def write(self):
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"without": self.without, "reached": self.reached, "begun": self.begun, "mutants": self.all}, indent=1) + "\n")
        part.rename(self.path)


def table(mutants, reasons, results):
    """File by what became of its mutants; and how many were killed by what."""
    rows, by = collections.defaultdict(collections.Counter), collections.Counter()
    for each in mutants:
        result = results.get(each)
        what = "equivalent" if each.id in reasons else "not tried" if not result else "killed" if result["killed"] else "survived"
        for row in each.file.removeprefix("rust/kernel/"), "all":
            rows[row].update(["mutants", what])
        if what == "killed":
            by[result["by"].partition(": ")[0]] += 1
    columns = "mutants", "killed", "survived", "equivalent", "not tried"
    lines = [f"{'file':24}" + "".join(f"{column:>12}" for column in columns) + f"{'killed of tried':>18}"]
    for name in [*sorted(set(rows) - {"all"}), *(["all"] if rows else [])]:
        row = rows[name]
        tried = row["killed"] + row["survived"]
        rate = f"{row['killed'] / tried:.1%}" if tried else "-"
        lines.append(f"{name:24}" + "".join(f"{row[column]:>12}" for column in columns) + f"{rate:>18}")
    if by:
        built, compiler = rows["all"]["killed"] + rows["all"]["survived"] - by["compiler"], by["compiler"]
        lines += ["", *(f"{count:5} killed by: {what}" for what, count in by.most_common())]
        lines += [f"{rows['all']['killed'] - compiler:5} killed of {built} that compile"]
    return "\n".join(lines)
