"""run.sh and pack.sh on a machine without a GPU: help, refusals, and a folder that builds."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "gpu_check"
RUN, PACK = TOOLS / "run.sh", TOOLS / "pack.sh"
PROGRAMS = "bash cat cut date dirname env grep head ln ls mkdir mktemp mv nproc rm sed sort tail tr uname which".split()


def call(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    return done.returncode, done.stdout, done.stderr


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def path_with(self, **scripts):
        """A PATH with the usual small programs and the given scripts only."""
        place = self.folder / "bin"
        place.mkdir(exist_ok=True)
        for program in PROGRAMS:
            if not (place / program).exists() and (found := shutil.which(program)):
                (place / program).symlink_to(found)
        for name, text in scripts.items():
            script = place / name.replace("_", "-")
            script.write_text(f"#!/bin/bash\n{text}\n")
            script.chmod(0o755)
        return os.environ | {"PATH": str(place)}


class Run(Folder):
    def refusal(self, *arguments, code, **more):
        got, out, err = call("bash", RUN, "--work", self.folder / "work", *arguments, **more)
        self.assertEqual((got, out), (code, ""), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith("run.sh: "), err)
        return err

    def test_help(self):
        code, out, err = call("bash", RUN, "--help")
        self.assertEqual((code, err), (0, ""))
        for word in ("--only", "--skip", "--seconds", "--device", "--results", "peers-7b", "Exit codes"):
            self.assertIn(word, out)

    def test_usage(self):
        for arguments, words in ((["--only", "ops,speed"], "no stage speed"), (["--device", "tpu"], "not tpu"),
                                 (["--seconds", "0"], "above 0, not 0"), (["--fast"], "no option --fast"),
                                 (["--jobs", "x"], "not x"), (["--preset"], "--preset needs a value")):
            self.assertIn(words, self.refusal(*arguments, code=2))

    def test_without_a_gpu(self):
        here = self.path_with(python3="exit 0")
        self.assertIn("nvidia-smi is not installed: this machine has no NVIDIA driver", self.refusal(code=69, env=here))
        here = self.path_with(nvidia_smi="echo 'NVIDIA-SMI has failed'; exit 9")
        self.assertIn("nvidia-smi finds no GPU", self.refusal(code=69, env=here))

    def test_without_the_tools(self):
        here = self.path_with(python3="exit 0", nvidia_smi="echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)'")
        self.assertIn("cmake is not installed", self.refusal(code=69, env=here))
        here = self.path_with(cmake="exit 0", ninja="exit 0")
        if not pathlib.Path("/usr/local/cuda/bin/nvcc").exists():
            self.assertIn("nvcc is not installed", self.refusal(code=69, env=here))
        (self.folder / "bin" / "python3").unlink()
        self.assertIn("python3 is not installed", self.refusal(code=69, env=here))

    def run_here(self, *arguments):
        return call("bash", RUN, "--device", "cpu", "--work", self.folder / "work", "--results", self.folder / "results",
                    *arguments)

    def test_stages_that_fail(self):
        code, out, err = self.run_here("--only", "ops,goldens", "--build", self.folder)
        self.assertEqual(code, 1, err)
        self.assertIn("run.sh: ops: failed in", err)
        self.assertRegex(out, r"\| goldens \| failed \|")
        self.assertRegex(out, r"\| build \| not run \|")

    def test_a_failed_build_stops_what_needs_it(self):
        code, out, err = self.run_here("--only", "build,ops", "--preset", "no-such-preset")
        self.assertEqual(code, 1, err)
        self.assertRegex(out, r"\| build \| failed \|")
        self.assertRegex(out, r"\| ops \| skipped \|.*nothing was built")

    def test_time(self):
        code, out, err = self.run_here("--only", "tests", "--seconds", "5")
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"\| laws \| skipped \|.*no time left: run again with --only laws")

    @unittest.skipIf(shutil.which("compute-sanitizer"), "compute-sanitizer is here")
    def test_calls_add_up(self):
        for only in ("memcheck", "racecheck"):
            code, out, err = self.run_here("--only", only)
            self.assertEqual(code, 0, err)
        for stage in ("memcheck", "racecheck"):
            self.assertRegex(out, stage + r" \| skipped \|.*compute-sanitizer is not installed")


class Stages(Folder):
    """All stages after the build, with scripts in place of the GPU and the programs."""

    def setUp(self):
        super().setUp()
        smi = """case $1 in -L) echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)' ;; *) echo 'NVIDIA H200, 580.1, 143771, 345, 3201, 76, 31' ;; esac"""
        self.script("bin/nvidia-smi", smi)
        self.script("bin/compute-sanitizer", 'echo "$2" >>"$WORK/tools"; [[ $2 != racecheck ]] || exit 99\n'
                    'while [[ $# -gt 0 && $1 != */bifrons ]]; do echo "$1" >>"$WORK/options"; shift; done; exec "$@"')
        self.script("build/bifrons", f"""echo "$*" >>"{self.folder}/calls"
[[ $1 == bench ]] || exit 0
shape=$(sed 's/.*--shape \\([^ ]*\\).*/\\1/' <<<"$*")
echo '{{"model": "'$shape', random", "read_gigabytes_per_second": 4000,'
echo ' "rows": [{{"name": "1 picture", "milliseconds": 576.0}}, {{"name": "VQ decode 384x384", "milliseconds": 2.0}}]}}'""")
        row = '{"name": "kernels in a graph", "value": 1.25, "unit": "us a kernel"}'
        self.script("build/tools/gpu_check/gpu_probe", f"""echo '{{"kind": "probe", "rows": [{row}]}}' >"$1\"""")
        self.cases("COMPLETED")

    def script(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def cases(self, result):
        case = '{"name": "a", "status": "RUN", "result": "' + result + '"}'
        self.script("build/tests/cuda/test_cuda", f"""for word; do case $word in --gtest_output=json:*)
echo '{{"testsuites": [{{"name": "Ops", "testsuite": [{case}]}}]}}' >"${{word#*json:}}" ;; esac; done""")

    def run_there(self, *arguments):
        return call("bash", RUN, "--work", self.folder / "work", "--results", self.folder / "results", "--build",
                    self.folder / "build", *arguments, env=os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"})

    def test_what_cannot_be_used_has_failed(self):
        """Exit code 69 of the program is not a skipped stage, except for a benchmark without enough
        memory."""
        self.script("build/bifrons", "echo 'cuDNN cannot be used: mapping error' >&2; exit 69")
        code, out, err = self.run_there("--only", "memcheck,bench-1b,vq")
        self.assertEqual(code, 1, err)
        for stage in ("memcheck", "bench-1b", "vq"):
            self.assertRegex(out, rf"\| {stage} \| failed \|.*cuDNN cannot be used", err)
        self.script("build/bifrons", "echo 'not enough memory on the GPU: 9 more bytes are needed' >&2; exit 69")
        code, out, err = self.run_there("--only", "memcheck,bench-7b")
        self.assertEqual(code, 1, err)
        self.assertRegex(out, r"\| memcheck \| failed \|")
        self.assertRegex(out, r"\| bench-7b \| skipped \|.*not enough memory")

    def test_all_but_build_and_peers(self):
        code, out, err = self.run_there("--skip", "build,bandwidth,peers", "--seconds", "3000")
        self.assertEqual(code, 1, err)  # only because of racecheck
        for stage, outcome in (("first", "passed | 1 passed"), ("ops", "passed | 1 passed"), ("goldens", "passed"), ("probe", "passed"), ("memcheck", "passed"),
                               ("racecheck", "failed"), ("synccheck", "passed"), ("bench-7b", "passed"), ("vq", "passed"), ("speculate", "passed")):
            self.assertIn(f"| {stage} | {outcome}", out, err)
        self.assertIn("# NVIDIA H200, ", out)
        self.assertIn("## Drawing, janus-pro-7b", out)
        self.assertRegex(out, r"\*\*Bifrons\*\* \| 0.576 s, 1 ms a step, \d\.\d\d x floor")
        self.assertIn("| Bifrons, one after another | 2 ms |", out)
        self.assertEqual(len(list((self.folder / "results").glob("h200-*"))), 2)
        self.assertEqual((self.folder / "work" / "tools").read_text().split(),
                         [*["memcheck"] * 3, "racecheck", *["initcheck"] * 3, *["synccheck"] * 3])
        options = (self.folder / "work" / "options").read_text()
        self.assertIn("kns=bifrons", options)  # kernels of libraries are not checked
        self.assertEqual(options.count("--report-api-errors"), 3)  # nor are API calls, in memcheck
        calls = (self.folder / "calls").read_text()
        self.assertIn("bench --device cuda --shape janus-pro-7b --seconds 120 --json --only draw --pictures 1,16,64", calls)
        self.assertIn("| kernels in a graph | 1.25 us a kernel |", out)
        self.assertIn("generate --device cuda", calls)
        self.assertIn("--quiet --speculate 4", calls)
        self.assertIn("bench --device cuda --shape janus-pro-1b --seconds 48 --json --only speculate", calls)

    def test_results_are_written_after_every_stage(self):
        self.script("build/bifrons", f"""cat "{self.folder}"/results/h200-*.md >"{self.folder}/seen"; exit 1""")
        self.run_there("--only", "first,bench-1b")
        self.assertIn("| first | passed |", (self.folder / "seen").read_text())

    def test_packed_programs(self):
        """Used where they start and have code for the GPU; otherwise there is a build."""
        tree = self.folder / "tree"
        shutil.copytree(TOOLS, tree / "tools" / "gpu_check")
        (tree / "prebuilt").mkdir()
        run = tree / "tools" / "gpu_check" / "run.sh"
        environment = os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        self.script("bin/nvcc", "exit 0")
        for answer, outcome in (("cuda:0   NVIDIA H200", "passed"), ("cuda     cannot be used: the NVIDIA driver is too old", "failed")):
            self.script("tree/prebuilt/bifrons", f"echo '{answer}'")
            code, out, err = call("bash", run, "--work", self.folder / outcome, "--only", "build", env=environment)
            self.assertRegex(out, rf"\| build \| {outcome} \|", err)
        self.assertTrue((self.folder / "passed" / "gpu-minimal" / "bifrons").exists())

    def test_skipped_cases_are_no_success(self):
        self.cases("SKIPPED")
        code, out, err = self.run_there("--only", "laws")
        self.assertEqual(code, 1, err)
        self.assertRegex(out, r"\| laws \| failed \| .*1 skipped.*no case ran: was this built with CUDA")


def built_with(*packages):
    found = shutil.which("dpkg") and subprocess.run(["dpkg", "-L", *packages], capture_output=True).returncode == 0
    return bool(found) and (ROOT / ".git").exists()


class Pack(Folder):
    def test_usage(self):
        self.assertEqual(call("bash", PACK)[0], 2)
        self.assertEqual(call("bash", PACK, "a", "b")[0], 2)
        code, out, _ = call("bash", PACK, "--help")
        self.assertEqual(code, 0)
        self.assertIn("third_party", out)

    @unittest.skipUnless((ROOT / ".git").exists(), "needs a git checkout")
    def test_other_peoples_folders_stay(self):
        (self.folder / "mine").write_text("")
        code, _, err = call("bash", PACK, self.folder)
        self.assertEqual(code, 73)
        self.assertIn("was not made by this script", err)
        self.assertTrue((self.folder / "mine").exists())

    @unittest.skipUnless(built_with("libfmt-dev", "googletest", "libcli11-dev"), "needs a git checkout on Debian")
    def test_the_folder_is_whole(self):
        folder = self.folder / "packed"
        folder.mkdir()
        (folder / "PACKED").write_text("an earlier one")
        code, _, err = call("bash", PACK, folder)
        self.assertEqual(code, 0, err)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["packed"])
        size = sum(path.lstat().st_size for path in folder.rglob("*"))
        self.assertLess(size, 60e6)
        for name in ("CMakeLists.txt", "src/bifrons.h", "tools/gpu_check/run.sh", "tests/golden/models/toy-hf/config.json",
                     "third_party/include/CLI/CLI.hpp", "third_party/include/fmt/format.h", "third_party/lib/libz.a",
                     "third_party/include/zconf.h", "third_party/include/nlohmann/json.hpp",
                     "third_party/include/stb/stb_image_write.h", "third_party/googletest/CMakeLists.txt",
                     "third_party/licences/zlib1g-dev"):
            self.assertTrue((folder / name).is_file(), name)
        self.assertFalse((folder / ".git").exists() or (folder / "build").exists())
        self.assertRegex((folder / "PACKED").read_text(), r"^[0-9a-f]{12}(\+changes)? ")
        self.configure(folder)

    @unittest.skipUnless(shutil.which("cmake") and shutil.which("ninja"), "needs CMake and ninja")
    def configure(self, folder):
        """CMake finds every library in the folder, not on this machine."""
        third = folder / "third_party"
        code, out, err = call("cmake", "--preset", "minimal", "-DBIFRONS_TESTS=OFF", f"-DCMAKE_PREFIX_PATH={third}", cwd=folder)
        self.assertEqual(code, 0, out + err)
        cache = (folder / "build" / "minimal" / "CMakeCache.txt").read_text()
        for variable in ("fmt_DIR", "CLI11_DIR", "nlohmann_json_DIR", "BIFRONS_STB_INCLUDE", "ZLIB_INCLUDE_DIR",
                         "ZLIB_LIBRARY_RELEASE"):
            self.assertRegex(cache, rf"(?m)^{variable}:\w+={third}/", variable)


class Style(unittest.TestCase):
    @unittest.skipUnless(shutil.which("shellcheck"), "needs shellcheck")
    def test_shellcheck(self):
        code, out, err = call("shellcheck", *TOOLS.glob("*.sh"))
        self.assertEqual(code, 0, out + err)


if __name__ == "__main__":
    unittest.main()
