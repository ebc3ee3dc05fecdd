"""sweep.sh divides the tests into parts, passes on seeds and filters, and fails when a part fails. test_ptx is a script
here that writes down how it was called."""
import pathlib
import subprocess
import tempfile
import unittest

SWEEP = pathlib.Path(__file__).resolve().parent / "sweep.sh"
STUB = """#!/bin/sh
echo "$BIFRONS_PTX_CODE $BIFRONS_PTX_SEED $GTEST_SHARD_INDEX/$GTEST_TOTAL_SHARDS $*" >>"$(dirname "$0")/calls"
echo "kernel_$GTEST_SHARD_INDEX 1" >>"$BIFRONS_PTX_REPORT"
[ "$GTEST_SHARD_INDEX" != 4 ]
"""


class Sweep(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.build = pathlib.Path(self.folder.name)
        self.ptx = self.build / "tests" / "ptx"
        self.ptx.mkdir(parents=True)
        (self.ptx / "kernels.ptx").write_text("".join(f".visible .entry kernel_{i}(\n" for i in range(5)))
        for architecture in ("80", "90a"):
            (self.ptx / f"ptx_{architecture}.txt").write_text(f"{self.ptx}/kernels.ptx\n")
        (self.ptx / "test_ptx").write_text(STUB)
        (self.ptx / "test_ptx").chmod(0o755)

    def tearDown(self):
        self.folder.cleanup()

    def run_sweep(self, *words):
        done = subprocess.run([SWEEP, self.build, *words], capture_output=True, text=True)
        calls = self.ptx / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return done, lines

    def test_everything(self):
        done, calls = self.run_sweep()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([call.split()[:3] for call in calls],
                         [[code, seed, "0/1"] for code in ("80", "90") for seed in "123"])
        self.assertTrue(all("--gtest_filter=*-Fibers.*" in call for call in calls))
        self.assertEqual([":Pdl.Autotuner" in call for call in calls], [True] * 3 + [False] * 3)

    def test_parts_are_shards_and_their_kernels_add_up(self):
        kernels = str(self.build / "kernels")
        for part in (1, 2, 3):
            done, calls = self.run_sweep("--part", f"{part}/3", "--architecture", "90a", "--kernels", kernels, "7")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([call.split()[:3] for call in calls], [["90", "7", f"{part - 1}/3"]])
            self.assertIn(f"sm_90a: {part} of 5 kernels ran", done.stdout)

    def test_a_filter_keeps_what_is_left_out(self):
        _, calls = self.run_sweep("--filter", "Copy.*:Types/*", "1")
        self.assertTrue(all("--gtest_filter=Copy.*:Types/*-Fibers.*" in call for call in calls))

    def test_a_part_that_fails(self):
        done, calls = self.run_sweep("--part", "5/5", "1", "2")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(calls), 4, "the others run all the same")

    def test_what_is_refused(self):
        for words in (["--part", "0/3"], ["--part", "4/3"], ["--part", "x"], ["--part"], ["--architecture", "70"],
                      ["--filter", "a-b"], ["--parts", "1/3"], ["one"]):
            done, calls = self.run_sweep(*words)
            self.assertEqual((done.returncode, calls), (64, []), words)
            self.assertIn("sweep.sh: ", done.stderr)

    def test_a_build_without_nvcc(self):
        (self.ptx / "test_ptx").unlink()
        done, _ = self.run_sweep("--part", "1/2")
        self.assertEqual(done.returncode, 0)
        self.assertIn("nothing to run", done.stdout)


if __name__ == "__main__":
    unittest.main()
