"""Common parts of the tests of the cluster samples: prompt file, toy model, a single run,
comparison of folders."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "cluster"
PROGRAM = pathlib.Path(os.environ.get("BIFRONS_BINARY", ROOT / "build" / "release" / "bifrons"))

# The time of a picture, and the checksum of the line, which covers the time.
PASSING = ("seconds", "crc32")


def manifest(folder):
    """The lines of a manifest in order, without the fields that differ between runs."""
    lines = (folder / "metadata.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in PASSING} for line in lines]


class BatchRuns(unittest.TestCase):
    """A temporary folder with bifrons on the PATH, one thread per process, and `prompts`
    prompts."""

    prompts = 40

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="bifrons-cluster-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.environment = os.environ | {
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "BIFRONS_THREADS": "1", "BIFRONS_DEVICE": "cpu",
            "BIFRONS_MODEL": str(ROOT / "tests" / "golden" / "models" / "toy-hf")}
        for name in list(self.environment):
            if name.startswith(("SLURM_ARRAY", "SLURM_STEP", "SLURM_PROCID", "OMPI_", "PMI_", "JOB_COMPLETION")):
                del self.environment[name]
        self.file = self.folder / "prompts.txt"
        self.file.write_text("".join(f"a fox with {i} apples\n" for i in range(self.prompts)))

    def call(self, *command, expect=0, **variables):
        done = subprocess.run([str(word) for word in command], env=self.environment | variables, cwd=self.folder,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, expect, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def compare_with_one_run(self, merged):
        """Checks that `merged` has the same files as a single run, byte for byte, and that its
        manifest says the same. A run lists pictures in order of completion, a merge in order of the
        prompt file. Therefore the single run is merged too."""
        single = self.folder / "single"
        self.call("bifrons", "batch", self.file, "-o", single, "--quiet")
        self.call("bifrons", "merge", single)
        names = sorted(path.name for path in single.iterdir() if path.is_file())
        self.assertEqual(len(manifest(single)), self.prompts)
        self.assertEqual(sorted(path.name for path in merged.iterdir() if path.is_file()), names)
        for name in names:
            if name != "metadata.jsonl":
                self.assertEqual((merged / name).read_bytes(), (single / name).read_bytes(), name)
        self.assertEqual(manifest(merged), manifest(single))
