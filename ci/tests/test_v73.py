# SPDX-License-Identifier: GPL-2.0
"""The set for mainline, as long as somebody has that kernel."""

import contextlib
import io

import base
import boot
import boot_test
import checks
import kernel
import series
import standin
from outcome import Fail, Outcome

TAG = "v7.3"
SET = base.PINS[TAG].set


class Mainline(boot.Case):
    def setUp(self):
        with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
            try:
                self.tree, self.commit = kernel.repository(TAG)
            except Fail as fail:
                if fail.outcome != Outcome.NO_SOURCE:
                    raise
                # The distribution drops a kernel when it has the next one.
                self.may_be_skipped = True
                self.skipTest(fail.cause)

    def test_series_boots(self):
        output = self.ends(Outcome.PASS, "--base", TAG)
        print(output)
        for words in f"base      {TAG}", f"patches of {SET}", "passed    test_", "KUnit tests", "PASS in":
            self.assertIn(words, output)
        # That is all of it, plainly applied.
        with self.assertRaisesRegex(series.Already, "has the series already"):
            series.fit(self.tree)

    def test_version_picks_the_set(self):
        self.assertEqual(SET, series.choose(series.version(self.tree)))

    def test_checkpatch(self):
        whole, _ = standin.machine(self)
        said = checks.checkpatch(checks.Inside(whole, see=[self.tree, series.ROOT]), self.tree, [patch.path for patch in series.load(SET).patches])
        self.assertFalse(said, said)
