"""Runs the GNU parallel script, also over a folder that an earlier run left half finished."""
import unittest

from batch_runs import SAMPLES, BatchRuns


class Parallel(BatchRuns):
    def test_script(self):
        merged = self.folder / "the pictures"  # the space tests quoting
        self.call("bifrons", "batch", self.file, "-o", merged, "--shard", "1/3", "--quiet")
        (victim, *_) = sorted(merged.glob("*.png"))
        before = victim.stat().st_mtime_ns
        self.call("bash", SAMPLES / "parallel.sh", 3, self.file, "-o", merged)
        self.assertEqual(victim.stat().st_mtime_ns, before, "what was done is not drawn again")
        self.call("bifrons", "merge", merged)
        self.compare_with_one_run(merged)

    def test_a_failure_is_not_lost(self):
        self.file.write_text("a fox\n--seed x --prompt y\n")  # one bad line, in one of the parts
        self.call("bash", SAMPLES / "parallel.sh", 2, self.file, "-o", self.folder / "pictures", "--strict", expect=2)


if __name__ == "__main__":
    unittest.main()
