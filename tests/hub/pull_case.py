"""What the tests of `bifrons pull` share: a directory and a hub for each case, faults that mend, and how the cases run."""
import concurrent.futures
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import traceback

import loopback_hub as hubs
from loopback_hub import Hub, git_sha1, sha256

BIFRONS = os.path.abspath(sys.argv[1])
SECONDS = 60  # for one call on a busy machine

random.seed(1)
WEIGHTS = random.randbytes(3_000_001)
FILES = {"config.json": b'{"model_type": "multi_modality"}', "tokenizer.json": random.randbytes(5000), "README.md": b"# Model\n",
         "LICENSE": b"MIT\n", "model.safetensors": WEIGHTS, "pytorch_model.bin": random.randbytes(4000),
         "picture.png": random.randbytes(2000), "onnx/model.onnx": random.randbytes(2000), ".gitattributes": b"*.bin lfs\n",
         "empty.txt": b""}
NEEDED = {"config.json", "tokenizer.json", "README.md", "LICENSE", "model.safetensors"}


class Case:
    """A directory and a hub of its own."""

    def __init__(self):
        self.here = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-pull-"))
        self.cache = self.here / "hf" / "hub"
        self.hubs = []

    def hub(self, files=FILES, **options):
        self.hubs.append(Hub(files, **options))
        return self.hubs[-1]

    def environment(self, hub, **variables):
        return {"PATH": "/usr/bin:/bin", "HF_HOME": str(self.here / "hf"), "HF_ENDPOINT": hub.url if hub else "",
                "HF_HUB_DOWNLOAD_TIMEOUT": "2", **variables}

    def pull(self, hub, *words, model="owner/Model", code=0, **variables):
        run = subprocess.run([BIFRONS, "pull", model, *words], env=self.environment(hub, **variables), cwd=self.here,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
        assert run.returncode == code, f"exit code {run.returncode} in place of {code}: {run.stdout}{run.stderr}"
        if code:
            assert not run.stdout and run.stderr.rstrip().splitlines()[-1].startswith("bifrons: "), run
        return run

    def repository(self, id="owner/Model"):
        return self.cache / ("models--" + id.replace("/", "--"))

    def check_snapshot(self, hub, names=NEEDED, id="owner/Model", revision="main"):
        """The layout, byte by byte, and nothing else in it."""
        folder = self.repository(id)
        assert (folder / "refs" / revision).read_text() == hub.commit
        snapshot = folder / "snapshots" / hub.commit
        found = {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if not path.is_dir()}
        assert found == set(names), found
        for name in names:
            data, path = hub.files[name], snapshot / name
            digest = sha256(data) if len(data) >= hubs.LARGE else git_sha1(data)
            assert path.read_bytes() == data, name
            up = "../" * (2 + name.count("/"))
            assert os.readlink(path) == f"{up}blobs/{digest}", os.readlink(path)
        assert self.unfinished() == [], self.unfinished()
        return snapshot

    def unfinished(self):
        return [str(path) for path in self.here.rglob("*.incomplete")]

    def check_nothing_named(self, hub):
        """No file that is not whole under a name: neither among the blobs nor in a snapshot."""
        for blob in self.repository().glob("blobs/*"):
            if blob.name.endswith(".incomplete"):
                continue
            data = blob.read_bytes()
            assert blob.name in (sha256(data), git_sha1(data)), blob
        for path in self.repository().glob("snapshots/*/**/*"):
            assert path.is_dir() or path.read_bytes() == hub.files[path.name], path

    def close(self):
        for hub in self.hubs:
            hub.close()
        shutil.rmtree(self.here, ignore_errors=True)


# --- faults that mend

def mended(case, *faults, files=FILES, hub=None, **variables):
    """Faults of the storage after which the same call goes on to a right end."""
    hub = hub or case.hub({name: files[name] for name in ("config.json", "model.safetensors")})
    hub.faults = list(faults)
    run = case.pull(hub, **variables)
    case.check_snapshot(hub, {"config.json", "model.safetensors"})
    assert hub.faults == [], "not all faults were met"
    return hub, run


def cut_at(part):
    return lambda handler, data: Hub.send_file(PLAIN, handler, data, until=int(len(data) * part))


class PLAIN:
    pace, on_bytes = 0, None


def ranges_of(hub):
    return [headers.get("range") for headers in hub.storage.seen("model.safetensors")]


# --- running

def run_case(test):
    case = Case()
    try:
        test(case)
        return None
    except BaseException:
        return traceback.format_exc()
    finally:
        case.close()


def main(cases):
    """Runs the functions test_* of `cases`, a module's globals(), or those that the command line names."""
    probe = subprocess.run([BIFRONS, "pull", "a/b"], env={"PATH": "/usr/bin:/bin", "HF_HOME": "/nowhere", "HF_ENDPOINT": "http://127.0.0.1:1"},
                           capture_output=True, text=True)
    if "without libcurl" in probe.stderr:
        print("skipped: this build has no libcurl")
        return 77
    names = [f"test_{name}" for name in sys.argv[2:]] or [name for name in cases if name.startswith("test_")]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=6) as pool:
        for name, fault in zip(names, pool.map(run_case, [cases[name] for name in names])):
            if fault:
                failed += 1
                print(f"FAILED {name}\n{fault}")
    print(f"{len(names) - failed} of {len(names)} cases passed")
    return 1 if failed else 0
