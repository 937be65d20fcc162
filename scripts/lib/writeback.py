# SPDX-License-Identifier: GPL-2.0
"""From a git tree back to patches/, series/ and the cover letter.

    write(TREE, "v6.12", BASE)   the set becomes BASE..HEAD; the names of what changed

What is written depends on the commits alone: not on git's version or
configuration, not on the place of a patch in the series (except for its file
name), so an edit of one commit changes one patch.

What is replaced is not lost: it is what the tree gave before, or committed here.
"""

import email.utils
import hashlib
import itertools
import pathlib
import re
import shlex
import tempfile

import devtree
import series
from outcome import Fail, Outcome
from series import git, name, sh

# What a series file begins with when there was none.
HEADER = "# Patch order, in quilt's format. Written by scripts/refresh; comments are kept.\n"

FORMAT = (
    "--zero-commit", "--no-signature", "--no-numbered", "--subject-prefix=PATCH", "--full-index", "--no-renames",
    "--patch", "--stat=72", "--summary", "--unified=3", "--inter-hunk-context=0", "--diff-algorithm=myers",
    "--src-prefix=a/", "--dst-prefix=b/", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative",
    "--no-attach", "--no-thread", "--no-from", "--no-notes", "--no-to", "--no-cc", "--no-add-header", "--no-base",
    "--no-encode-email-headers", "--filename-max-length=64", "--suffix=.patch",
)  # fmt: skip

# The user's and the system's configuration must not show in the patches.
PLAIN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def plain(tree, *args):
    return git(tree, "-c", "safe.directory=*", *args, env=PLAIN)


def check(tree, base):
    """The commits of base..HEAD, oldest first, after what a patch needs has been checked."""
    try:
        git(tree, "symbolic-ref", "-q", "HEAD")
    except series.GitFail:
        branch = git(tree, "for-each-ref", "--format=%(refname:short)", "--count=1", "--contains=HEAD", "refs/heads") or f"-c {devtree.BRANCH}"
        raise Fail(
            Outcome.USAGE,
            f"{tree} is on no branch: its HEAD is detached, and the patches after it would be dropped",
            advice=f"git -C {sh(tree)} switch {branch}   (or, where this is the series: git -C {sh(tree)} switch -c NAME)",
        ) from None
    try:
        base = git(tree, "rev-parse", "-q", "--verify", f"{base}^{{commit}}")
    except series.GitFail:
        raise Fail(Outcome.USAGE, f"{tree} has no commit {base}", advice="name where the patches begin: --base COMMIT") from None
    fields = "%H%x00%P%x00%an <%ae>%x00%s%x00%B%x01"
    log = git(tree, "log", "--reverse", "--topo-order", f"--format={fields}", f"{base}..HEAD")
    commits = [entry.strip("\n").split("\0") for entry in log.split("\x01") if entry.strip("\n")]
    if not commits or commits[0][1] != base:
        why = "there are none" if not commits else "they do not start at it, or have a merge among them"
        raise Fail(
            Outcome.USAGE,
            f"{tree}: no line of commits from {base[:12]} to HEAD: {why}",
            advice=f"git -C {sh(tree)} log --oneline --graph {base[:12]}..HEAD   (git rebase makes a line; or another --base)",
        )
    subjects = set()
    for commit, parents, author, subject, message in commits:
        if " " in parents:
            raise Fail(Outcome.USAGE, f"{commit[:12]} is a merge: {subject}", advice=f"git -C {sh(tree)} rebase {base[:12]}")
        if re.match(r"(fixup|squash|amend)! ", subject):
            raise Fail(
                Outcome.USAGE,
                f"{commit[:12]} is still to be folded into another commit: {subject}",
                advice=f"git -C {sh(tree)} rebase -i --autosquash {base[:12]}",
            )
        if subject in subjects:
            raise Fail(Outcome.USAGE, f"two commits have the subject: {subject}", advice=f"git -C {sh(tree)} rebase -i {base[:12]}")
        subjects.add(subject)
        if f"Signed-off-by: {author}" not in message.split("\n"):
            raise Fail(
                Outcome.USAGE,
                f"{commit[:12]} has no Signed-off-by of its author, {author}: {subject}",
                advice=f"git -C {sh(tree)} rebase --signoff {base[:12]}   (or: git commit --amend -s)",
            )
    return base, [commit for commit, *_ in commits]


def write(tree, set_name, base, follow=True):
    """Write BASE..HEAD as a set; the names of the files that changed.

    With `follow`, the tree must have all that patches/ has got from elsewhere.
    """
    with devtree.alone_in(series.ROOT / "patches" / set_name):
        given, (base, commits) = base, check(tree, base)
        old = _entries(set_name)
        with tempfile.TemporaryDirectory(prefix="rust-dma-") as directory:
            directory = pathlib.Path(directory)
            plain(tree, "format-patch", "-q", *FORMAT, "-o", directory, f"{base}..HEAD")
            patches = [series.Patch(path) for path in sorted(directory.iterdir())]
            _mark(set_name, patches, old)
            made = series.Series(set_name, patches)
            _verify(tree, made, base, commits)
            new = {f"patches/{set_name}/{patch.path.name}": patch.path.read_bytes() for patch in patches}
            new[f"series/{set_name}"] = _series(set_name, patches)
            letter = series.cover_letter(set_name)
            # Both sets of older kernels have one letter, which tells of what both have.
            if letter.exists() and not (set_name == series.PORTED[-1] and any(patch.only for patch in patches)):
                new[name(letter)] = cover(tree, letter, made, base, commits).encode()
        _keep(tree, set_name, given, new, follow)
        return _replace(set_name, new)


# What must not be lost ----------------------------------------------------------


def _keep(tree, set_name, base, new, follow):
    """Raise Fail unless all in patches/ that would be replaced is in the tree, or committed in this repository."""
    directory, series_file = series.ROOT / "patches" / set_name, series.ROOT / "series" / set_name
    new = {pathlib.PurePath(each).name: data for each, data in new.items() if each.startswith("patches/")}
    there = {path.name: path for path in sorted(directory.iterdir()) if path.name[0] != "."} if directory.exists() else {}
    if there and not series_file.exists():
        raise Fail(
            Outcome.APPLY,
            f"there is no {name(series_file)}, but {name(directory)} has files",
            advice=f"git checkout -- {sh(name(series_file))}   (or, where they are nobody's: rm -r {sh(name(directory))})",
        )
    entries = [entry for entry, _ in _entries(set_name)]
    last = _last(tree, base)
    known, lost = True, []
    for file, path in there.items():
        data = path.read_bytes() if path.is_file() else None
        if data is not None and data in (new.get(file), last.get(file)):
            continue
        if file not in entries:
            raise series.unlisted(set_name, path)
        known = False
        if not _committed(path):
            lost.append(sh(name(path)))
    if set(entries).difference(there):
        raise series.missing(set_name, min(set(entries).difference(there)))
    if entries and entries not in (list(new), list(last)):
        known = False
        if not _committed(series_file):
            lost.append(sh(name(series_file)))
    if known or not there:
        return
    begun = devtree.setting(tree, "base") or base
    if follow and last:
        saved, head = (git(tree, "rev-parse", each) for each in (devtree.SAVED, "HEAD"))
        now = series.commits(tree, series.load(set_name), begun, canonical=True)[-1]
        if now != saved:
            both = f"both {tree} and {name(directory)} have" if head != saved else f"{name(directory)} has"
            advice = f"git -C {sh(tree)} rebase --onto {now[:12]} {saved[:12]}"
            if head == saved and devtree.setting(tree, "base"):
                advice = f"scripts/tree {sh(tree)}"
            raise Fail(Outcome.APPLY, f"{both} changed since they were the same", advice=f"{advice}   (takes that into the tree; then scripts/refresh)")
    if lost:
        raise Fail(
            Outcome.APPLY,
            f"{name(directory)} has edits that are in no commit, and would be lost",
            "\n".join(lost),
            f"git -C {sh(series.ROOT)} add {' '.join(lost)} && git -C {sh(series.ROOT)} commit   (or give them up: git -C {sh(series.ROOT)} checkout -- ...)",
        )


def _last(tree, base):
    """The patches that were written from the tree the last time, or taken into it: {file: data}."""
    base = devtree.setting(tree, "base") or base
    try:
        git(tree, "merge-base", "--is-ancestor", base, devtree.SAVED)
    except series.GitFail:
        return {}
    with tempfile.TemporaryDirectory(prefix="rust-dma-") as directory:
        plain(tree, "format-patch", "-q", *FORMAT, "-o", directory, f"{base}..{devtree.SAVED}")
        return {path.name: path.read_bytes() for path in sorted(pathlib.Path(directory).iterdir())}


def _committed(path):
    """Is a file of this repository as HEAD has it?"""
    try:
        return git(path.parent, "rev-parse", "-q", "--verify", f"HEAD:./{path.name}") == git(path.parent, "hash-object", "--", path.name)
    except series.GitFail:
        return False


def _entries(set_name):
    return series.listed(set_name) if (series.ROOT / "series" / set_name).exists() else []


def _mark(set_name, patches, old):
    """Keep the marks of patches that one set alone needs: by subject, or by place when that was edited."""
    marked = [entry for entry, comment in old if comment.startswith(series.ONLY)]
    for place, patch in enumerate(patches):
        slug = patch.path.name.partition("-")[2]
        same_place = len(old) == len(patches) and old[place][0] in marked
        patch.only = same_place or any(slug == entry.partition("-")[2] for entry in marked)
    # Those of v6.13 alone stand where they belong. The cover letter does not count them.
    if set_name != series.PORTED[-1] and any(patch.only for patch in patches[sum(patch.only for patch in patches) :]):
        raise Fail(Outcome.USAGE, "the patches for one set alone must come before the others", advice="git rebase -i")


def _verify(tree, made, base, commits):
    """Tree → patches → tree must be the identity: `git am` eats lines that look like mail or a diff."""
    for commit, again, patch in zip(commits, series.commits(tree, made, base, canonical=True), made.patches):
        forms = "%T%n%an <%ae>%n%ad%n%B"
        before, after = (git(tree, "log", "-1", "--date=raw", f"--format={forms}", each).split("\n") for each in (commit, again))
        for one, other in itertools.zip_longest(before, after, fillvalue="(end)"):
            if one != other:
                raise Fail(
                    Outcome.USAGE,
                    f"{commit[:12]} does not survive as a patch: {patch.subject}",
                    f"in the tree:     {one}\nafter git am:    {other}",
                    "reword the message: no [brackets] before the subject, no line '---', nothing like a diff",
                )


def _series(set_name, patches):
    """The series file: comments of the old one stay above the patch they were above."""
    path = series.ROOT / "series" / set_name
    above, held, first = {}, [], True
    for line in path.read_text().splitlines() if path.exists() else HEADER.splitlines():
        if line.startswith("#") or not line.strip():
            held.append(line)
        else:
            above["" if first else line.split()[0].partition("-")[2]] = held
            held, first = [], False
    if first:
        above[""], held = held, []
    lines = []
    for place, patch in enumerate(patches):
        lines += above.get("" if place == 0 else patch.path.name.partition("-")[2], [])
        lines.append(patch.path.name + (f" # {series.ONLY} {set_name}" if patch.only else ""))
    return "\n".join(lines + held + [""]).encode()


def _replace(set_name, new):
    """Put the files in place, only those that differ: all are written before the first is renamed."""
    root, parts = series.ROOT, {}
    (root / "patches" / set_name).mkdir(parents=True, exist_ok=True)
    (root / "series").mkdir(exist_ok=True)
    for left in (root / "patches" / set_name).glob(".*.patch.part"):  # by a run that was killed
        left.unlink()
    try:
        for each, data in new.items():
            path = root / each
            if not path.exists() or path.read_bytes() != data:
                parts[each] = path.with_name(f".{path.name}.part")
                parts[each].write_bytes(data)
        for each, part in parts.items():
            part.rename(root / each)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    gone = [path for path in sorted((root / "patches" / set_name).iterdir()) if path.name[0] != "." and name(path) not in new]
    for path in gone:
        path.unlink()
    return [*parts, *map(name, gone)]


# The cover letter ---------------------------------------------------------------

# From the last "---" before a shortlog on, the text is ours; the letter itself is the author's.
TAIL = re.compile(r"\n+---\n(?=[^\n]+ \(\d+\):\n)(?!.*\n---\n[^\n]+ \(\d+\):\n).*\Z", re.S)


def letter(text):
    """The author's part of a cover letter: (subject, body, change id)."""
    found = re.search(r"^change-id: (\S+)$", text, re.M)
    text = TAIL.sub("\n", text)
    lines = text.strip("\n").split("\n")
    head = []
    while lines and re.match(r"[A-Z][A-Za-z-]*: ", lines[0]) and not head[-1:] == [""]:
        head.append(lines.pop(0))
    subject = next((line[len("Subject: ") :] for line in head if line.startswith("Subject: ")), "") or lines.pop(0)
    subject = re.sub(r"^(\[[^]]*\]\s*)+", "", subject)
    body = re.sub(r"^change-id: \S+\n?", "", "\n".join(lines).strip("\n") + "\n", flags=re.M)
    return subject, body, found[1] if found else ""


def cover(tree, path, made, base, commits):
    """The cover letter with its count, shortlog, diffstat, base and change id renewed.

    They are those of what is sent: without the patches that only v6.12 needs.
    """
    text, patches = path.read_text(), made.patches
    sent = series.BASES[series.PORTED[-1] if made.name in series.PORTED else made.name].commit
    skip = sum(patch.only for patch in patches)
    count, start = len(patches) - skip, commits[skip - 1] if skip else base
    change = letter(text)[2] or _change_id(patches[-1])
    below = re.search(r"^change-id: \S+\n\s*(\S.*)$", (TAIL.search(text) or [""])[0], re.M)
    if below:
        raise Fail(Outcome.USAGE, f"{path.name} has text below what is generated: {below[1]}", advice="move it up, above the line “---” before the names of the authors")
    text = re.sub(r"^change-id: \S+\n?", "", TAIL.sub("\n", text), flags=re.M).rstrip("\n") + "\n"
    text = re.sub(r"\[PATCH([^]]*?) 0+/\w+\]", lambda found: f"[PATCH{found[1]} {0:0{len(str(count))}}/{count}]", text, count=1)
    return (
        f"{text}\n---\n"
        + plain(tree, "shortlog", "-w72,2,4", f"{start}..HEAD").rstrip("\n")
        + "\n\n"
        + plain(tree, "diff", "--no-color", "--no-ext-diff", "--no-renames", "--stat=72", "--summary", start, "HEAD")
        + "\n---\n" + (f"base-commit: {sent}\n" if sent else "") + f"change-id: {change}\n"
    )


def _change_id(patch):
    """A change id, for a series that has none yet: the day, the name, something unlike others."""
    date = email.utils.parsedate_to_datetime(re.search(r"^Date: (.*)$", patch.path.read_text(errors="replace"), re.M)[1])
    unlike = hashlib.sha256(f"{patch.author} {patch.subject}".encode()).hexdigest()[:12]
    return f"{date:%Y%m%d}-rust-dma-{unlike}"
