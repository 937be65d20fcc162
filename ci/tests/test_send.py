# SPDX-License-Identifier: GPL-2.0
"""scripts/send, with stand-ins for v6.13 and v7.3."""

import email
import email.policy
import email.utils
import mailbox
import re
import shutil
import socketserver
import subprocess
import sys
import threading
import unittest

import standin

sys.path.insert(0, str(standin.REPO / "scripts/lib"))

import checks
import outcome
import series

APPLY, TOOL, USAGE = 5, 3, 2
COVER, SENT = "series/cover-letter-v6.12.txt", "series/sent-v6.13"
SET = "--set", "v6.13"
NOW = "--mail-the-kernel-lists-now"
LETTER = """\
Subject: [PATCH 00/NN] rust: DMA

Drivers need it. An é, too.

# A line that b4 would take for a comment.
"""

# Runs a script with the stand-in's commit in the place of the one of v6.13.
AS_REAL = """\
import runpy, sys
sys.path.insert(0, sys.argv[1] + "/lib")
import series
series.BASES["v6.13"] = series.BASES["v6.13"]._replace(commit=sys.argv[2])
sys.argv[:] = [sys.argv[1] + "/" + sys.argv[3], *sys.argv[4:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Sink(socketserver.StreamRequestHandler):
    """A mail server that keeps what it gets."""

    def handle(self):
        self.wfile.write(b"220 sink\r\n")
        to, data = [], None
        for line in self.rfile:
            if data is not None:
                if line == b".\r\n":
                    self.server.mails.append((sorted(to), data))
                    to, data = [], None
                    self.wfile.write(b"250 ok\r\n")
                else:
                    data += line
                continue
            if line.upper().startswith(b"RCPT TO:"):
                to.append(re.search(rb"<(.*?)>", line)[1].decode())
            data = b"" if line.upper() == b"DATA\r\n" else None
            self.wfile.write(b"354 go\r\n" if data == b"" else b"221 bye\r\n" if line.upper() == b"QUIT\r\n" else b"250 ok\r\n")


class Send(standin.Bench):
    def setUp(self):
        super().setUp()
        self.root, self.kernel_tree = standin.machine(self)
        self.source = self.toy()
        names = ["scripts/get_maintainer.pl", "scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch", "scripts/spdxcheck.py", "scripts/spdxexclude"]
        names += [str(path.relative_to(self.kernel_tree)) for path in self.kernel_tree.glob("LICENSES/*/*")]
        files = {name: (self.kernel_tree / name).read_text() for name in names}
        files.update({name: f"{name}\n" for name in ("COPYING", "CREDITS", "README")}, **{"include/linux/dma-mapping.h": "/* C */\n"})
        files["MAINTAINERS"] = standin.FILES["MAINTAINERS"].replace("F:\tkernel/dma/\n", "F:\tinclude/linux/dma-mapping.h\nF:\tkernel/dma/\n")
        self.files = files
        self.linux = self.checked("next", "6.13")
        (self.project / COVER).write_text(LETTER)
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.ok("port", "--directory", self.dir / "port", self.linux)
        self.write(self.project, ".gitignore", "build/\n")
        self.git(self.project, "init", "-q")
        self.commit(self.project, "project")
        build = self.dir / "build"
        build.mkdir(exist_ok=True)
        (build / "root").symlink_to(self.root)
        self.out = self.dir / "out"

    def checked(self, where, version, more={}):
        """A kernel tree with the scripts by which patches are checked."""
        tree = self.kernel(where, version, {**self.files, **more})
        (tree / "scripts/spdxcheck.py").chmod(0o755)
        self.git(tree, "commit", "-q", "-a", "--amend", "--no-edit")
        self.git(tree, "tag", "-f", f"v{version}")
        return tree

    def send(self, *args, **env):
        return self.ok("send", *SET, "--output", self.out, self.linux, *args, **env)

    def real(self, *args, **env):
        """As if the stand-in's commit were that of v6.13."""
        head = self.git(self.linux, "rev-parse", "v6.13")
        return subprocess.run(
            [sys.executable, "-c", AS_REAL, standin.REPO / "scripts", head, "send", *SET, *map(str, args)], env={**self.env, **env},
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def refused(self, *words, status=APPLY, args=()):
        said = self.bad(status, "send", *SET, "--output", self.out, *args, self.linux)
        for word in words:
            self.assertIn(word, said)
        self.assertFalse(self.out.exists())

    def messages(self):
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted(self.out.glob("*.eml"))]

    def redo(self):
        """After an edit in the source tree."""
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.ok("port", "--directory", self.dir / "port")

    # What is written ----

    def test_round_trip(self):
        """The messages, taken in by b4 am from a mailbox, give the same commits, tree by tree."""
        self.send()
        box = mailbox.mbox(self.dir / "all.mbox")
        for path in sorted(self.out.glob("*.eml")):
            box.add(path.read_bytes())
        box.close()
        (self.dir / "am").mkdir()
        tools = checks.Inside(self.root, write=[self.dir])
        taken = tools.run("b4", "--offline-mode", "am", "-m", self.dir / "all.mbox", "-o", self.dir / "am", cwd=self.linux)
        self.assertEqual(0, taken.returncode, taken.stderr)
        self.assertIn("Total patches: 2", taken.stderr)
        self.git(self.linux, "am", "-q", *(self.dir / "am").glob("*.mbx"))
        log = "log", "--format=%T %an <%ae> %B", "v6.13..HEAD"
        self.assertEqual(self.git(self.dir / "port", "log", "--format=%T %an <%ae> %B", "HEAD~2..HEAD"), self.git(self.linux, *log))

    def test_git_am_takes_the_messages(self):
        self.send()
        self.git(self.linux, "am", "-q", *sorted(self.out.glob("*.eml"))[1:])
        self.assertEqual(self.git(self.dir / "port", "rev-parse", "HEAD^{tree}"), self.git(self.linux, "rev-parse", "HEAD^{tree}"))

    def test_cover_and_recipients(self):
        said = self.send("--prefix", "RFC")
        self.assertIn("a stand-in", said)
        self.assertIn("nothing was sent", said)
        cover, *patches = self.messages()
        self.assertEqual(["[PATCH RFC 0/2] rust: DMA", "[PATCH RFC 1/2] rust: dma: add coherent memory", "[PATCH RFC 2/2] samples: rust: add rust_dma"],
                         [message["Subject"] for message in (cover, *patches)])  # fmt: skip
        text = cover.get_content()
        change = re.search(r"^change-id: (\S+)$", (self.project / COVER).read_text(), re.M)[1]
        for part in (
            "Drivers need it. An é, too.\n\n# A line that b4 would take for a comment.\n", f"\nchange-id: {change}\n",
            f"\nbase-commit: {self.git(self.linux, 'rev-parse', 'HEAD')}\n", " samples/rust/rust_dma.rs ", "An Author (2):",
        ):  # fmt: skip
            self.assertIn(part, text)
        self.assertEqual(1, text.count("An Author (2):"))
        self.assertNotIn("To:", text)
        for message in (cover, *patches):
            to, cc = ({address for _, address in email.utils.getaddresses([message[kind]])} for kind in ("To", "Cc"))
            self.assertEqual({"r@toy.home.arpa", "dma@toy.home.arpa", "c@toy.home.arpa"}, to)
            self.assertLessEqual({"rust-list@toy.home.arpa", "dma-list@toy.home.arpa", "linux-kernel@toy.home.arpa"}, cc)
            self.assertEqual(cover["Message-Id"] if message is not cover else None, message["In-Reply-To"])

    def test_real_base(self):
        result = self.real("--output", self.out, self.linux)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertNotIn("stand-in", result.stdout)
        self.ok("apply", self.linux)  # a tree that has moved on, and has the commit
        result = self.real("--output", self.out, self.linux)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertIn(f"base-commit: {self.git(self.linux, 'rev-parse', 'v6.13')}\n", self.messages()[0].get_content())

    def test_mainline(self):
        """The set for it is sent unless another one is asked for, with a letter of its own, and is no port of another."""
        tree = self.checked("mainline", "7.3", {"rust/kernel/dma.rs": standin.RS})
        source = self.dir / "developed"
        self.git(self.dir, "clone", "-q", tree, source)
        self.write(source, "rust/kernel/dma.rs", standin.RS + "pub mod streaming;\n")
        self.commit(source, "rust: dma: add a module")
        self.write(source, "rust/kernel/dma/streaming.rs", standin.RS)
        self.edit(source, "MAINTAINERS", "F:\trust/\n", "F:\trust/\nF:\trust/kernel/dma/\n")
        self.commit(source, "rust: dma: add what is in it")
        self.assertIn("no series/v7.3", self.bad(APPLY, "send", "--output", self.out, tree))
        self.write(self.project, "cover-letter.txt", LETTER.replace("rust: DMA", "rust: what DMA lacks"))
        self.ok("refresh", source, "--set", "v7.3", "--base", "v7.3")
        said = self.ok("send", "--output", self.out, tree)
        self.assertIn("v1 of v7.3, 2 patches", said)
        self.assertIn("a stand-in", said)
        self.assertEqual("[PATCH 0/2] rust: what DMA lacks", self.messages()[0]["Subject"])
        self.git(tree, "am", "-q", *sorted(self.out.glob("*.eml"))[1:])
        self.assertEqual(self.git(source, "rev-parse", "HEAD^{tree}"), self.git(tree, "rev-parse", "HEAD^{tree}"))
        # Mainline's own tag is signed, and is what the patches go on top of.
        base = self.git(tree, "rev-parse", "v7.3")
        self.git(tree, "tag", "-f", "-a", "-m", "Linux 7.3", "v7.3", base)
        self.assertNotIn("a stand-in", self.ok("send", "--output", self.out, tree))
        self.assertIn(f"base-commit: {base}\n", self.messages()[0].get_content())
        # What was sent of one set is no version of the other.
        self.write(self.project, SENT, f"v1 {'0' * 40} x@toy.home.arpa\n")
        self.assertIn("v1 of v7.3", self.ok("send", "--output", self.out, tree))
        self.assertIn("v1 of v7.3, 2 patches", self.ok("send", tree))
        self.assertTrue(list(self.dir.glob("build/send/v1/*.eml")))

    def test_trees_are_left_alone(self):
        before = self.state(self.linux), self.state(self.project)
        self.send()
        self.assertEqual(before, (self.state(self.linux), self.state(self.project)))

    def test_other_submitter(self):
        (self.dir / ".gitconfig").write_text("[user]\n\tname = Sub Mitter\n\temail = sub@toy.home.arpa\n")
        self.send()
        for message in self.messages()[1:]:
            self.assertEqual("Sub Mitter <sub@toy.home.arpa>", message["From"])
            text = message.get_content()
            self.assertTrue(text.startswith("From: An Author <author@toy.home.arpa>\n\n"))
            self.assertIn("Signed-off-by: An Author <author@toy.home.arpa>\nSigned-off-by: Sub Mitter <sub@toy.home.arpa>\n---\n", text)

    # Who can be written to ----

    def placeholders(self, address="maintainers@users.noreply.toy.example"):
        """Have the patches made by one to whom nobody can write, as those of the real series are."""
        (self.dir / ".gitconfig").write_text(f"[user]\n\tname = The maintainers\n\temail = {address}\n[init]\n\tdefaultBranch = main\n")
        self.edit(self.source, "MAINTAINERS", "M:\tDMA <dma@toy.home.arpa>", f"M:\tThe maintainers <{address}>")
        self.git(self.source, "commit", "-q", "-a", "-s", "--fixup", "HEAD~1")
        self.git(self.source, "-c", "sequence.editor=:", "rebase", "-q", "-i", "--autosquash", "HEAD~3")
        self.git(self.source, "-c", "sequence.editor=:", "rebase", "-q", "-i", "-x", "f=$(mktemp); git log -1 --format=%B | sed '/^Signed/d' >$f; git commit -q --amend --reset-author -s -F $f", "v6.12.38")
        self.redo()

    def test_placeholders_are_not_sent(self):
        """A submitter to whom nobody can write is asked for another address."""
        for address in "maintainers@users.noreply.toy.example", "me@example.com", "me@localhost", "root@box", "me@host.invalid", "noreply@toy.home.arpa":
            with self.subTest(address):
                (self.dir / ".gitconfig").write_text(f"[user]\n\tname = Me\n\temail = {address}\n")
                self.refused(address, "--submitter", "user.email", status=USAGE)

    def test_placeholders_are_replaced(self):
        """In From, sign-offs, MAINTAINERS and the recipients stands the submitter; the patches here stay as they are."""
        self.placeholders()
        before = self.state(self.project)
        self.refused("users.noreply.toy.example", "--submitter", status=USAGE)
        for how in ("option", "configuration of the tree"):
            with self.subTest(how):
                options = ("--submitter", "Sub Mitter <sub@toy.home.arpa>")
                if how != "option":
                    options = ()
                    self.git(self.linux, "config", "user.name", "Sub Mitter")
                    self.git(self.linux, "config", "user.email", "sub@toy.home.arpa")
                self.send(*options)
                for message in self.messages():
                    self.assertEqual("Sub Mitter <sub@toy.home.arpa>", message["From"])
                    self.assertIn("sub@toy.home.arpa", message["To"])
                    self.assertNotIn("noreply", message.as_string() + message.get_content())
                text = self.messages()[1].get_content()
                self.assertIn("\n+M:\tSub Mitter <sub@toy.home.arpa>\n", text)
                self.assertEqual(1, text.count("Signed-off-by: Sub Mitter <sub@toy.home.arpa>\n"))
                self.assertEqual(1, text.count("Signed-off-by:"))
                self.assertEqual(before, self.state(self.project))
        self.git(self.linux, "am", "-q", *sorted(self.out.glob("*.eml"))[1:])

    def test_other_placeholders_are_refused(self):
        """Somebody else's, such as one of the tree's own maintainers: nothing is called ready."""
        self.edit(self.linux, "MAINTAINERS", "r@toy.home.arpa", "rust@example.org")
        self.git(self.linux, "commit", "-q", "-a", "--amend", "--no-edit")
        self.git(self.linux, "tag", "-f", "v6.13")
        self.ok("port", "--directory", self.dir / "port2", self.linux)
        self.refused("rust@example.org", "0000-")

    def test_bad_submitter(self):
        self.refused("--submitter", status=USAGE, args=("--submitter", "me"))

    def test_sign_off_is_not_doubled(self):
        self.send()
        for message in self.messages()[1:]:
            self.assertEqual(1, message.get_content().count("Signed-off-by"))

    def test_no_identity(self):
        (self.dir / ".gitconfig").write_text("")
        self.refused("who you are", status=USAGE)

    # Versions ----

    def test_second_version(self):
        first = self.git(self.project, "rev-parse", "HEAD")
        self.send()
        change = re.search(r"change-id: .*", self.messages()[0].get_content())[0]
        self.write(self.project, SENT, f"# Sent.\nv1 {first} 20260101-v1-0@toy.home.arpa\n")
        shutil.rmtree(self.out)
        self.refused("no changelog")
        letter = self.project / COVER
        self.edit(self.project, COVER, "\n---\nAn Author", "\n---\nChanges in v2:\n- Twice as fast, for $5.\n\n---\nAn Author")
        self.edit(self.source, "samples/rust/rust_dma.rs", "// sample", "// example")
        self.git(self.source, "commit", "-q", "-a", "--amend", "--no-edit")
        self.redo()
        self.assertIn(change, letter.read_text())
        self.send()
        cover = self.messages()[0]
        text = cover.get_content()
        self.assertEqual("[PATCH v2 0/2] rust: DMA", cover["Subject"])
        self.assertIn("Changes in v2:\n- Twice as fast, for $5.\n- Link to v1: https://lore.kernel.org/r/20260101-v1-0@toy.home.arpa\n", text)
        self.assertIn("Range-diff against v1:\n\n1:", text)
        self.assertIn("-+// sample", text)
        self.assertIn("++// example", text)
        self.assertIn(change, text)

    def test_lost_version(self):
        self.write(self.project, SENT, f"v1 {'0' * 39}1 x@toy.home.arpa\n")
        letter = self.project / COVER
        letter.write_text(letter.read_text().replace("\n---\nAn Author", "\n---\nChanges in v2:\n- x\n\n---\nAn Author"))
        self.assertIn("this clone has not", self.bad(USAGE, "send", *SET, "--output", self.out, self.linux))
        self.write(self.project, SENT, "v2 x y\n")
        self.refused(SENT, status=USAGE)

    # Checks before ----

    def test_out_of_step(self):
        self.edit(self.project, str(self.patch(2, "v6.13").relative_to(self.project)), "+// sample", "+// simple")
        self.refused("out of step")

    def test_checkpatch(self):
        self.edit(self.source, "samples/rust/rust_dma.rs", "// sample\n", "// sample \n")
        self.git(self.source, "commit", "-q", "-a", "--amend", "--no-edit")
        self.redo()
        self.refused("checkpatch.pl", "trailing whitespace")

    def test_long_subject(self):
        self.git(self.source, "commit", "-q", "--amend", "-s", "-m", "samples: rust: " + "long " * 14)
        self.redo()
        self.refused("subjects over 75")

    def test_many(self):
        """It says when that is more than a mail's reader wants at once, and goes on: the whole is to be had, too."""
        self.assertNotIn("at a time", self.send())
        for number in range(14):
            self.write(self.source, "rust/kernel/dma.rs", standin.RS + f"// {number}\n")
            self.commit(self.source, f"rust: dma: step {number}")
        self.redo()
        self.assertIn("note: submitting-patches.rst asks for 15 patches or so at a time; --part", self.send())

    def test_part(self):
        """The first patches go out by themselves, with a letter and versions of their own."""
        self.write(self.source, "rust/kernel/dma.rs", standin.RS + "// more\n")
        self.commit(self.source, "rust: dma: add more")
        self.redo()
        letter = self.project / "series/cover-letter-v6.13-first.txt"
        part = "--part", "first"
        self.refused("cover-letter-v6.13-first.txt: there is none", "the parts of v6.13: none", status=USAGE, args=part)
        for subject in "rust: DMA", "[PATCH 00/00] rust: DMA", "[PATCH 00/4] rust: DMA":
            letter.write_text(f"Subject: {subject}\n\nThe first.\n\n---\nchange-id: 20250102-first-0123\n")
            self.refused("does not say how many of 3 patches", status=USAGE, args=part)
        self.refused("the parts of v6.13: first", status=USAGE, args=("--part", "second"))
        letter.write_text("Subject: [PATCH 00/02] rust: the first\n\nThe first.\n\n---\nchange-id: 20250102-first-0123\n")
        self.commit(self.project, "a part")
        said = self.send(*part)
        self.assertIn("v1 of first of v6.13, 2 patches", said)
        messages = self.messages()
        self.assertEqual(["[PATCH 0/2] rust: the first", "[PATCH 1/2]", "[PATCH 2/2]"], [messages[0]["Subject"], *(each["Subject"][:11] for each in messages[1:])])
        self.assertIn("change-id: 20250102-first-0123", messages[0].get_content())
        # A version of the part is none of the set; the next one is compared with it, patch by patch.
        head = self.git(self.project, "rev-parse", "HEAD")
        self.write(self.project, f"{SENT}-first", f"v1 {head} x@toy.home.arpa\n")
        self.assertIn("v1 of v6.13, 3 patches", self.send())
        letter.write_text(letter.read_text().replace("The first.\n", "The first.\n\nChanges in v2:\n- None.\n"))
        self.assertIn("v2 of first of v6.13, 2 patches", self.send(*part))
        text = self.messages()[0].get_content()
        self.assertRegex(text, r"Range-diff against v1:\n\n1: +[0-9a-f]+ = 1:")
        self.assertNotRegex(text, r"\n3: ")

    def test_parts_of_this_repository(self):
        """Each is of its set, and short enough."""
        send = standin.program("scripts/send")
        letters = sorted((standin.REPO / "series").glob("cover-letter-*-*.txt"))
        self.assertTrue(letters)
        for letter in letters:
            set_name, _, part = letter.stem.removeprefix("cover-letter-").partition("-")
            found = send.cut(series.load(set_name, standin.REPO), part, standin.REPO)
            self.assertLessEqual(len(found.patches), send.MANY, letter.name)

    def test_no_maintainer(self):
        self.write(self.source, "nobody/file.h", "/* SPDX-License-Identifier: GPL-2.0 */\n")
        self.commit(self.source, "nobody: add a file")
        self.redo()
        self.refused("no maintainer", "0003-nobody-add-a-file.patch")

    def test_cover_letter(self):
        for text, words in {"Subject: [PATCH 0/N] x\n\nEDITME\n": "not finished", "x\n\nText.\n": "no change-id", "x\n\nchange-id: y\n": "no text"}.items():
            with self.subTest(words):
                (self.project / COVER).write_text(text)
                self.refused(words)
        (self.project / COVER).unlink()
        self.refused(f"no {COVER}", status=USAGE)

    def test_wrong_tree(self):
        self.assertIn("has not the commit of v6.13", self.bad(APPLY, "send", *SET, self.source))
        self.assertIn("not a Linux kernel", self.bad(USAGE, "send", *SET, self.project))

    def test_licence(self):
        """One that the kernel has not is found; that it has is not enough of a sign that somebody looked."""
        self.edit(self.source, "samples/rust/rust_dma.rs", "Identifier: GPL-2.0\n", "Identifier: GPL-2.0-only AND Nonsense\n")
        self.git(self.source, "commit", "-q", "-a", "--amend", "--no-edit")
        self.redo()
        self.refused("Nonsense", "SPDX")

    def test_check_that_cannot_be_made(self):
        """A tool that is missing is not taken for one that is content."""
        for name in "spdxcheck.py", "spelling.txt":
            with self.subTest(name):
                self.git(self.linux, "checkout", "-q", "--detach", "v6.13")
                self.git(self.linux, "rm", "-q", f"scripts/{name}")
                self.git(self.linux, "commit", "-q", "--amend", "--no-edit")
                self.refused(name, status=TOOL)
        tree = self.dir / "checked"
        self.git(self.dir, "clone", "-q", "-s", "-n", self.linux, tree)
        self.git(tree, "checkout", "-q", "--detach", "v6.13")
        for each in checks.TOP:
            (tree / each).mkdir(exist_ok=True)
        for word, hidden in {
            "codespell": ("/usr/share/codespell", "/usr/lib/python3/dist-packages/codespell_lib"),
            "spdxcheck": ("/usr/lib/python3/dist-packages/git",),
        }.items():
            with self.subTest(word):
                tools = checks.Inside(self.root, see=[self.dir])
                patch = self.patch(1, "v6.13")
                self.assertEqual("", checks.checkpatch(tools, tree, [patch]))
                command = tools.command
                away = [option for path in hidden for option in ("--tmpfs", path)]
                tools.command = lambda *words: (found := command(*words))[: found.index("--")] + away + found[found.index("--") :]
                with self.assertRaises(outcome.Fail) as caught:
                    checks.checkpatch(tools, tree, [patch])
                self.assertEqual(TOOL, caught.exception.outcome)
                self.assertIn(word, f"{caught.exception.cause} {caught.exception.detail}")

    def test_folder_with_other_things(self):
        """What send did not write, or has been edited since, is left alone, and said to be there."""
        for name, text in ("thesis.txt", "precious"), ("0001-mine.eml", "From: me\n"), ("old/0001-x.eml", "x"):
            with self.subTest(name):
                self.write(self.out, name, text)
                self.assertIn(name.split("/")[0], self.bad(USAGE, "send", *SET, "--output", self.out, self.linux))
                self.assertEqual(text, (self.out / name).read_text())
                shutil.rmtree(self.out)
        self.send()
        path = sorted(self.out.glob("*.eml"))[1]
        path.write_text(path.read_text() + "PS: mine\n")
        self.assertIn(path.name, self.bad(USAGE, "send", *SET, "--output", self.out, self.linux))
        self.assertTrue(path.read_text().endswith("PS: mine\n"))

    def test_written_again(self):
        """What send wrote itself is replaced, whole or cut short."""
        self.send()
        first = sorted(path.name for path in self.out.iterdir())
        last = sorted(self.out.glob("*.eml"))[-1]
        last.unlink()
        self.edit(self.source, "samples/rust/rust_dma.rs", "// sample", "// example")
        self.git(self.source, "commit", "-q", "-a", "--amend", "-s", "-m", "samples: rust: add another", "-m", "It is needed.")
        self.redo()
        self.send()
        second = sorted(path.name for path in self.out.iterdir())
        self.assertEqual(len(first), len(second))
        self.assertNotEqual(first, second)

    # Mail ----

    def test_the_word(self):
        """Nothing shorter than the whole word sends, and not from a stand-in."""
        for length in range(3, len(NOW)):
            self.assertEqual(USAGE, self.script("send", *SET, NOW[:length], self.linux).returncode, NOW[:length])
        self.assertIn("stand-in", self.bad(USAGE, "send", *SET, NOW, self.linux))

    def sink(self):
        """A mail server, and a b4 on the host that has the network."""
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink)
        server.mails = []
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (self.dir / ".gitconfig").open("a") as file:
            file.write(f"[sendemail]\n\tsmtpserver = 127.0.0.1\n\tsmtpserverport = {server.server_address[1]}\n")
        command = checks.Inside(self.root, write=[self.dir]).command("env", f"HOME={self.dir}", "b4")
        command.insert(command.index("--unshare-all") + 1, "--share-net")
        self.write(self.dir, "bin/b4", "#!/bin/sh\nset -- " + " ".join(command[:-1]).replace("-- ", '--chdir "$PWD" -- ') + ' b4 "$@"\nexec "$@"\n')
        (self.dir / "bin/b4").chmod(0o755)
        self.env["PATH"] = f"{self.dir}/bin:{self.env['PATH']}"
        return server.mails

    def test_reflect(self):
        mails = self.sink()
        self.ok("send", *SET, "--reflect", self.linux)
        self.assertEqual([["author@toy.home.arpa"]] * 3, [to for to, _ in mails])
        self.assertFalse((self.project / SENT).exists())

    def test_really_send(self):
        mails = self.sink()
        self.write(self.project, "series/v6.13", (self.project / "series/v6.13").read_text() + "# changed\n")
        refused = self.real(NOW, self.linux)
        self.assertEqual(USAGE, refused.returncode, refused.stderr)
        self.assertIn("must be committed", refused.stderr)
        self.assertEqual([], mails)
        self.git(self.project, "checkout", "-q", "series/v6.13")
        result = self.real(NOW, self.linux)
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        self.assertEqual(3, len(mails))
        for to, _ in mails:
            self.assertLessEqual({"r@toy.home.arpa", "dma-list@toy.home.arpa"}, set(to))
        message = email.message_from_bytes(mails[0][1])["Message-Id"].strip("<>")
        self.assertTrue((self.project / SENT).read_text().endswith(f"v1 {self.git(self.project, 'rev-parse', 'HEAD')} {message}\n"))


if __name__ == "__main__":
    unittest.main()
