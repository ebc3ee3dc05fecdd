#!/usr/bin/env python3
"""`bifrons pull` against a hub on the loopback: its layout, its faults, and a client that is killed.

usage: test_pull.py BIFRONS [NAME...]      NAME: only these cases
exit status: 77 if this build cannot download
"""
import concurrent.futures
import email.utils
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
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


# --- what is downloaded, and where to

def test_layout(case):
    hub = case.hub()
    run = case.pull(hub)
    snapshot = case.check_snapshot(hub)
    assert run.stdout == f"{snapshot}\n", run.stdout
    assert "5 files" in run.stderr and "free there" in run.stderr, run.stderr
    assert len(hub.storage.requests) == 2, "tokenizer and weights"
    run = case.pull(hub)  # again: nothing to load
    assert len(hub.storage.requests) == 2 and "0 B to download" in run.stderr, run.stderr


def test_bin_where_there_are_no_safetensors(case):
    files = {name: data for name, data in FILES.items() if name != "model.safetensors"}
    hub = case.hub({**files, "model.safetensors": b"", "pytorch_model.bin.index.json": b"{}"})
    case.pull(hub)
    case.check_snapshot(hub, NEEDED - {"model.safetensors"} | {"pytorch_model.bin", "pytorch_model.bin.index.json"})


def test_patterns(case):
    hub = case.hub()
    case.pull(hub, "--include", "*.onnx", "--include", "empty.txt", "--include", "*.json", "--exclude", "tok*")
    case.check_snapshot(hub, {"onnx/model.onnx", "empty.txt", "config.json"})
    case.pull(hub, "--include", "*.nothing", code=66)


def test_revisions(case):
    hub = case.hub()
    case.pull(hub, model="owner/Model@refs/pr/1")
    case.check_snapshot(hub, revision="refs/pr/1")
    assert hub.endpoint.seen("/revision/refs%2Fpr%2F1"), hub.endpoint.requests
    case.pull(hub, "--revision", hub.commit, model="hf://owner/Model")
    assert sorted(path.name for path in (case.repository() / "refs").rglob("*")) == ["1", "pr"] or \
        {path.name for path in (case.repository() / "refs").iterdir()} == {"refs"}
    case.pull(hub, "--revision", "nope", code=66)
    for bad in ("../x", "/x", "a/../b", "-x", "x y"):
        case.pull(hub, f"--revision={bad}", code=2)
        case.pull(hub, model=f"owner/Model@{bad}", code=2)
    case.pull(hub, "--revision", "main", model="owner/Model@other", code=2)


def test_names(case):
    hub = case.hub(id="deepseek-ai/Janus-Pro-1B")
    run = case.pull(hub, model="janus-pro-1b")
    case.check_snapshot(hub, id="deepseek-ai/Janus-Pro-1B")
    assert "DeepSeek Model License" in run.stderr, run.stderr
    for bad in ("owner", "../etc", "owner/..", "a/b/c", "owner/a--b", "owner/-a", "/a", "a/", "o/" + "n" * 97, "owner/Mo del",
                "storybook", "gs://a/b"):
        case.pull(hub, model=bad, code=2)
    assert not hub.endpoint.seen("etc")


def test_local_dir(case):
    hub = case.hub()
    run = case.pull(hub, "--local-dir", "model")
    place = case.here / "model"
    assert run.stdout == "model\n", run.stdout
    assert {path.name for path in place.iterdir()} == NEEDED | {".cache"}
    for name in NEEDED:
        assert (place / name).read_bytes() == FILES[name] and not (place / name).is_symlink()
    assert not (case.here / "hf").exists() and case.unfinished() == []
    loaded = len(hub.storage.requests)
    (place / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"x")  # of the right size
    case.pull(hub, "--local-dir", "model")
    assert (place / "model.safetensors").read_bytes() == WEIGHTS and len(hub.storage.requests) == loaded + 1
    elsewhere = case.here / "elsewhere"
    elsewhere.mkdir()
    (place / "onnx").symlink_to(elsewhere)
    case.pull(hub, "--local-dir", "model", "--include", "onnx/*", code=73)
    assert list(elsewhere.iterdir()) == []


def test_local_dir_keeps_foreign_files(case):
    hub = case.hub()
    place = case.here / "model"
    place.mkdir()
    (case.here / "outside").write_bytes(b"stays")
    for make, kept in ((lambda path: path.write_bytes(b"my notes"), b"my notes"),
                       (lambda path: path.symlink_to(case.here / "outside"), b"stays"),
                       (lambda path: path.symlink_to("nowhere"), None)):
        make(place / "README.md")
        for words in ((), ("--dry-run",)):
            run = case.pull(hub, "--local-dir", "model", *words, code=73)
            assert "README.md" in run.stderr and "--overwrite" in run.stderr, run.stderr
            assert {path.name for path in place.iterdir()} == {"README.md"} and hub.storage.requests == []
            assert kept is None or (place / "README.md").read_bytes() == kept
        (place / "README.md").unlink()
    (place / "README.md").symlink_to(case.here / "outside")
    (place / "LICENSE").write_bytes(FILES["LICENSE"])  # the published file
    case.pull(hub, "--local-dir", "model", "--overwrite")
    assert (place / "README.md").read_bytes() == FILES["README.md"] and not (place / "README.md").is_symlink()
    assert (case.here / "outside").read_bytes() == b"stays"
    later = case.hub({**FILES, "README.md": b"# Another revision\n"})
    case.pull(later, "--local-dir", "model")  # what an earlier pull has written is replaced
    assert (place / "README.md").read_bytes() == b"# Another revision\n"
    (place / "onnx" / "model.onnx").mkdir(parents=True)
    case.pull(hub, "--local-dir", "model", "--include", "onnx/*", code=73)


def test_dry_run_and_json(case):
    hub = case.hub()
    run = case.pull(hub, "--dry-run")
    assert not (case.here / "hf").exists(), "a dry run writes nothing"
    assert "3.00 MB  missing  model.safetensors" in run.stdout, run.stdout
    plan = json.loads(case.pull(hub, "--dry-run", "--json").stdout)
    assert plan["bytes"] == plan["bytes_to_download"] == sum(len(FILES[name]) for name in NEEDED)
    run = case.pull(hub, "--json", "--quiet")
    assert run.stderr == "", run.stderr
    done = json.loads(run.stdout)
    assert done["commit"] == hub.commit and {file["path"] for file in done["files"]} == NEEDED
    assert {file["state"] for file in done["files"]} == {"downloaded"}
    assert [file["sha256"] for file in done["files"] if file["path"] == "model.safetensors"] == [sha256(WEIGHTS)]
    assert pathlib.Path(done["directory"]) == case.check_snapshot(hub)


def test_cache_places(case):
    hub = case.hub()
    for variables, place in (({"HF_HUB_CACHE": str(case.here / "a")}, "a"),
                             ({"HF_HOME": "", "XDG_CACHE_HOME": str(case.here / "b")}, "b/huggingface/hub"),
                             ({"HF_HOME": "", "HOME": str(case.here / "c")}, "c/.cache/huggingface/hub")):
        case.pull(hub, "--include", "config.json", **variables)
        assert (case.here / place / "models--owner--Model/refs/main").exists(), place
    case.pull(hub, HF_HOME="", code=2)


def test_cache_places_with_home_and_variables(case):
    hub = case.hub()
    home = case.here / "home"
    home.mkdir()
    for variables, place in (({"HF_HOME": "~/a"}, "a/hub"), ({"HF_HUB_CACHE": "~/b"}, "b"),
                             ({"HF_HUB_CACHE": "$HOME/c"}, "c"), ({"HF_HUB_CACHE": "~/${NAME}/e"}, "d/e"),
                             ({"HF_HOME": "", "XDG_CACHE_HOME": "~/f"}, "f/huggingface/hub"),
                             ({"HF_HUB_CACHE": "~/$NOT_SET"}, "$NOT_SET")):
        variables = {"HOME": str(home), "NAME": "d", **variables}
        case.pull(hub, "--include", "config.json", **variables)
        assert (home / place / "models--owner--Model/refs/main").exists(), place
        run = subprocess.run([BIFRONS, "models", "--remove", "owner/Model"], env=case.environment(hub, **variables),
                             cwd=case.here, capture_output=True, text=True, timeout=SECONDS)
        assert run.returncode == 0 and not (home / place / "models--owner--Model").exists(), run
    (home / "token").write_text("hf_token\n")
    case.pull(hub, "--include", "config.json", HOME=str(home), HF_HOME="~/a", HF_TOKEN_PATH="~/token")
    assert hub.endpoint.requests[-1][1].get("authorization") == "Bearer hf_token", hub.endpoint.requests[-1]
    assert not (case.here / "~").exists()


def test_offline(case):
    hub = case.hub()
    case.pull(hub, HF_HUB_OFFLINE="1", code=66)
    assert hub.endpoint.requests == []
    case.pull(hub)
    asked = len(hub.endpoint.requests)
    run = case.pull(hub, HF_HUB_OFFLINE="1")
    assert run.stdout.rstrip() == str(case.check_snapshot(hub)) and len(hub.endpoint.requests) == asked


def test_without_links(case):
    hub = case.hub()
    case.pull(hub, HF_HUB_DISABLE_SYMLINKS="1")
    snapshot = case.repository() / "snapshots" / hub.commit
    for name in NEEDED:
        assert (snapshot / name).read_bytes() == FILES[name] and not (snapshot / name).is_symlink()
    assert list((case.repository() / "blobs").iterdir()) == []
    loaded = len(hub.storage.requests)
    case.pull(hub, HF_HUB_DISABLE_SYMLINKS="1")
    assert len(hub.storage.requests) == loaded


def test_pages(case):
    hub = case.hub()
    hub.page_size = 3
    case.pull(hub)
    case.check_snapshot(hub)
    assert len(hub.endpoint.seen("cursor=")) == 3


def test_renamed(case):
    hub = case.hub(id="new-owner/Model")
    hub.renamed_from = "owner-before/Model"
    run = case.pull(hub, model="owner-before/Model")
    assert "is now named new-owner/Model" in run.stderr, run.stderr
    case.check_snapshot(hub, id="owner-before/Model")


def test_model_scope(case):
    hub = case.hub()
    run = case.pull(None, model="ms://owner/Model", MODELSCOPE_DOMAIN=hub.url, HF_TOKEN="hf_secret")
    snapshot = pathlib.Path(run.stdout.rstrip())
    assert {path.name for path in snapshot.iterdir()} == NEEDED
    for name in NEEDED:
        assert (snapshot / name).read_bytes() == FILES[name]
    assert (case.repository() / "refs/main").read_text() == snapshot.name
    assert not any("authorization" in headers for _, headers in hub.endpoint.requests), "the token is another hub's"
    loaded = len(hub.storage.requests)
    case.pull(None, model="ms://owner/Model", MODELSCOPE_DOMAIN=hub.url)
    assert len(hub.storage.requests) == loaded
    case.pull(None, model="ms://owner/Other", MODELSCOPE_DOMAIN=hub.url, code=66)


# --- faults

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


def test_cut_in_the_middle(case):
    hub, run = mended(case, cut_at(0.4), cut_at(0.7))
    assert ranges_of(hub) == [None, "bytes=1200000-", "bytes=2100000-"], ranges_of(hub)
    assert "trying again in 1 s" in run.stderr, run.stderr


def test_reset(case):
    hub, _ = mended(case, hubs.reset)
    assert len(ranges_of(hub)) == 2


def test_wrong_range(case):
    hub, _ = mended(case, cut_at(0.4), hubs.wrong_range)
    assert ranges_of(hub) == [None, "bytes=1200000-", None], ranges_of(hub)


def test_range_with_other_bytes(case):
    hub, _ = mended(case, cut_at(0.4), hubs.lying_range)
    assert ranges_of(hub) == [None, "bytes=1200000-", None], ranges_of(hub)


def test_whole_for_a_range(case):
    hub, _ = mended(case, cut_at(0.4), hubs.whole)
    assert ranges_of(hub) == [None, "bytes=1200000-"], ranges_of(hub)


def test_expired_address(case):
    hub, _ = mended(case, cut_at(0.4), hubs.status(403))
    signatures = [path.split("signature=")[1] for path, _ in hub.storage.requests]
    assert len(set(signatures)) == 3, "the hub is asked for another address"


def test_too_many_requests(case):
    start = time.monotonic()
    _, run = mended(case, hubs.status(429, Retry_After="3"))
    assert time.monotonic() - start >= 3 and "trying again in 3 s" in run.stderr, run.stderr


def test_rate_limit(case):
    start = time.monotonic()
    hub = case.hub({name: FILES[name] for name in ("config.json", "model.safetensors")})
    hub.api_faults = [hubs.status(429, RateLimit='"api";r=0;t=2')]
    mended(case, hub=hub)
    assert time.monotonic() - start >= 3


def test_too_long_a_wait(case):
    hub = case.hub()
    hub.api_faults = [hubs.status(429, Retry_After="100000")]
    assert "in 100000 s, or set HF_TOKEN" in case.pull(hub, code=69).stderr
    hub.api_faults = [hubs.status(429, Retry_After="99999999999")]
    assert "in 99999999999 s, or set HF_TOKEN" in case.pull(hub, code=69).stderr


def test_a_date_to_wait_for(case):
    start = time.time()
    date = email.utils.formatdate(int(start) + 5, usegmt=True)
    mended(case, hubs.status(429, Retry_After=date))
    assert time.time() >= int(start) + 5
    hub = case.hub()
    hub.api_faults = [hubs.status(429, Retry_After=email.utils.formatdate(time.time() + 86400, usegmt=True))]
    seconds = int(case.pull(hub, code=69).stderr.split("try again in ")[1].split(" s")[0])
    assert 86400 - SECONDS <= seconds <= 86400, seconds


def test_server_errors(case):
    hub = case.hub({name: FILES[name] for name in ("config.json", "model.safetensors")})
    hub.api_faults = [hubs.status(502), None, hubs.status(500)]
    mended(case, hubs.status(503), hubs.status(500), hub=hub)


def test_server_errors_without_end(case):
    hub = case.hub()
    hub.api_faults = [hubs.status(503)] * 9
    assert "answers 503" in case.pull(hub, code=69).stderr
    assert len(hub.endpoint.requests) == 5


def test_stalled(case):
    hub, _ = mended(case, hubs.stall, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert ranges_of(hub) == [None, "bytes=1500000-"], ranges_of(hub)


def test_wrong_bytes_once(case):
    mended(case, hubs.wrong_bytes)


def refused(case, fault, words, code=65):
    hub = case.hub()
    hub.faults = [fault] * 9
    run = case.pull(hub, "--include", "model.safetensors", code=code)
    assert words in run.stderr, run.stderr
    assert case.unfinished() == [], "bytes that are wrong are not kept"
    case.check_nothing_named(hub)
    assert not (case.repository() / "refs").exists()
    hub.faults = []
    case.pull(hub)
    case.check_snapshot(hub)


def test_wrong_bytes(case):
    refused(case, hubs.wrong_bytes, "another checksum")


def test_too_long(case):
    refused(case, hubs.too_long, "3000005 bytes where the hub lists 3000001")


def test_too_short(case):
    refused(case, hubs.too_short, "2999997 bytes where the hub lists 3000001")


def test_endless(case):
    refused(case, hubs.endless, "more than the 3000001 bytes")


def test_wrong_small_file(case):
    hub = case.hub()
    hub.small_storage = True
    hub.faults = [lambda handler, data: hubs.reply(handler, 200, data[:-1] + b"?")] * 2
    assert "another checksum" in case.pull(hub, "--include", "config.json", code=65).stderr
    case.check_nothing_named(hub)


def test_damaged_part(case):
    hub = case.hub()
    part = case.repository() / "blobs" / (sha256(WEIGHTS) + ".incomplete")
    for left in (WEIGHTS[:1000] + b"?" * 5000, WEIGHTS + b"longer", WEIGHTS[:-1] + b"?"):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(left)
        case.pull(hub)
        case.check_snapshot(hub)
        shutil.rmtree(case.repository())
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS)  # whole, but killed before it got its name
    hub.storage.requests.clear()
    case.pull(hub)
    case.check_snapshot(hub)
    assert ranges_of(hub) == []
    shutil.rmtree(case.repository())
    part.parent.mkdir(parents=True)
    (case.here / "outside").write_bytes(b"stays")
    part.symlink_to(case.here / "outside")
    case.pull(hub)
    case.check_snapshot(hub)
    assert (case.here / "outside").read_bytes() == b"stays"


def test_no_server(case):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        run = case.pull(None, HF_ENDPOINT=f"http://127.0.0.1:{unused.getsockname()[1]}", code=69)
    assert "check the network" in run.stderr, run.stderr
    case.pull(None, HF_ENDPOINT="ftp://127.0.0.1", code=2)
    case.pull(None, HF_ENDPOINT="http://user:word@127.0.0.1", code=2)


def test_full_disk(case):
    hub = case.hub()
    hub.tree = [{"type": "file", "oid": git_sha1(b"{}"), "size": 2, "path": "config.json"},
                {"type": "file", "oid": "1" * 40, "size": 1 << 39, "path": "model.safetensors",
                 "lfs": {"oid": sha256(b""), "size": 1 << 39}}]
    free = shutil.disk_usage(case.here).free
    if free < 1 << 39:
        run = case.pull(hub, code=73)
        assert "make room" in run.stderr and hub.storage.requests == [], run.stderr


def test_file_size_limit(case):
    """A write that fails in the middle: the part stays and is a beginning of the file."""
    hub = case.hub()
    words = ["bash", "-c", f'ulimit -f 2000; exec "{BIFRONS}" pull owner/Model']
    run = subprocess.run(words, env=case.environment(hub), capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 73, run
    case.check_nothing_named(hub)
    part = case.repository() / "blobs" / (sha256(WEIGHTS) + ".incomplete")
    left = part.read_bytes()
    assert 1_000_000 < len(left) < len(WEIGHTS) and WEIGHTS.startswith(left)
    case.pull(hub)
    case.check_snapshot(hub)
    assert ranges_of(hub)[-1] == f"bytes={len(left)}-"


# --- who may read what

def test_token_goes_to_the_endpoint_only(case):
    hub = case.hub(storage_host="127.0.0.2")
    hub.token = "hf_secret"
    hub.small_storage = True
    case.pull(hub, HF_TOKEN="hf_secret")
    case.check_snapshot(hub)
    assert all(headers["authorization"] == "Bearer hf_secret" for _, headers in hub.endpoint.requests)
    assert len(hub.storage.requests) == 5
    assert not any("authorization" in headers for _, headers in hub.storage.requests)
    assert not any("hf_secret" in path + str(headers) for path, headers in hub.storage.requests)


def test_token_and_another_port(case):
    hub = case.hub()  # the storage is the same host with another port
    hub.token = "hf_secret"
    case.pull(hub, HF_TOKEN="hf_secret")
    assert not any("authorization" in headers for _, headers in hub.storage.requests)


def test_places_of_the_token(case):
    hub = case.hub()
    hub.token = "hf_secret"
    small = ("--include", "config.json")
    run = case.pull(hub, code=77)
    assert "is gated; ask for access at" in run.stderr and "HF_TOKEN" in run.stderr, run.stderr
    run = case.pull(hub, HF_TOKEN="hf_wrong", code=77)
    assert "no access" in run.stderr and "hf_wrong" not in run.stderr, run.stderr
    (case.here / "my-token").write_text("hf_secret\n")
    case.pull(hub, *small, HF_TOKEN_PATH=str(case.here / "my-token"))
    (case.here / "hf" / "token").write_text("hf_secret\n")
    case.pull(hub, *small)
    case.pull(hub, *small, HF_HUB_DISABLE_IMPLICIT_TOKEN="1", code=77)
    assert not any("authorization" in headers for headers in hub.endpoint.seen("/revision/")[-1:])
    for bad in ("hf secret", "hf_secret\r\nX: y", "hf_gehe\u00efm"):
        case.pull(hub, *small, HF_TOKEN=bad, code=2)


def test_missing_private_disabled(case):
    hub = case.hub()
    for model, fault, code, words in (
            ("owner/Other", None, 66, "no such model"),
            ("owner/Model", hubs.status(401, X_Error_Code="RepoNotFound"), 66, "no such model"),
            ("owner/Model", hubs.status(403, X_Error_Message="Access to this resource is disabled."), 66, "disabled"),
            ("owner/Model", hubs.status(403, X_Error_Code="GatedRepo"), 77, "gated"),
            ("owner/Model", hubs.status(403, X_Error_Message="\x1b[31mNo."), 77, "does not give"),
            ("owner/Model", hubs.status(418), 69, "answers 418")):
        hub.api_faults = [fault] if fault else []
        run = case.pull(hub, model=model, code=code)
        assert words in run.stderr and "\x1b" not in run.stderr, run.stderr
    hub.api_faults = [hubs.status(401)]
    assert "does not accept the token" in case.pull(hub, HF_TOKEN="hf_old", code=77).stderr


def test_redirects_without_an_end(case):
    hub = case.hub()
    hub.api_faults = [lambda handler: hubs.reply(handler, 302, headers={"Location": handler.path})] * 20
    assert "without an end" in case.pull(hub, code=65).stderr
    for place in ("ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:word@127.0.0.1/", "http://"):
        hub.api_faults = [hubs.status(302, Location=place)]
        case.pull(hub, code=65)


def certificate(case):
    """TLS for 127.0.0.1, or None where openssl is not installed."""
    if not shutil.which("openssl"):
        return None
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=case.here, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(case.here / "cert.pem", case.here / "key.pem")
    return context


def test_https_stays_https(case):
    tls = certificate(case)
    if not tls:
        return
    trusted = {"SSL_CERT_FILE": str(case.here / "cert.pem")}
    hub = case.hub(tls=tls)  # its storage is http
    run = case.pull(hub, code=65, **trusted)
    assert "from https to http" in run.stderr, run.stderr
    assert hub.storage.requests == []
    case.check_nothing_named(hub)
    run = case.pull(hub, code=69)
    assert "certificate" in run.stderr, run.stderr
    safe = case.hub(tls=tls, storage_tls=tls)
    case.pull(safe, **trusted)
    case.check_snapshot(safe)


def test_ipv6(case):
    try:
        hub = case.hub(host="::1", storage_host="::1")
    except OSError:
        return  # this machine has none
    case.pull(hub)
    case.check_snapshot(hub)


class Proxy(hubs.Server):
    """Forwards GET of whole addresses: hub.invalid is the hub, everything else stays itself."""

    def __init__(self, hub):
        super().__init__(lambda handler: None)
        self.answer = self.forward
        self.hub = hub

    def forward(self, handler):
        import http.client
        place = hubs.urllib.parse.urlsplit(handler.path)
        to = self.hub.url[len("http://"):] if place.hostname == "hub.invalid" else place.netloc
        connection = http.client.HTTPConnection(to, timeout=10)
        headers = {k: v for k, v in handler.headers.items() if not k.lower().startswith("proxy-")}
        connection.request("GET", place.path + ("?" + place.query if place.query else ""), headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in ("content-length", "connection")}
        hubs.reply(handler, answer.status, body, kept)
        connection.close()


def test_proxy(case):
    hub = case.hub()
    proxy = Proxy(hub)
    case.pull(None, HF_ENDPOINT="http://hub.invalid", http_proxy=proxy.url)  # a host that only the proxy knows
    case.check_snapshot(hub)
    asked = len(proxy.requests)
    assert asked >= 4 and all(path.startswith("http://") for path, _ in proxy.requests)
    case.pull(hub, "--include", "empty.txt", http_proxy=proxy.url, no_proxy="127.0.0.1")
    assert len(proxy.requests) == asked, "no_proxy"
    proxy.shutdown()
    proxy.server_close()


# --- a hub that lies

def entry(path, data=b"{}", **other):
    return {"type": "file", "oid": git_sha1(data), "size": len(data), "path": path, **other}


def test_names_that_lead_elsewhere(case):
    hub = case.hub()
    (case.here / "outside").write_text("stays")
    for path in ("../../../../outside", "/etc/x", "a/../../b", "", ".", "..", "a//b", "a/", "./a", "a\\b", "a\0b", "a\nb", "a\x1bb",
                 "x" * 256, "/".join("a" * 17), "a/" * 600 + "a"):
        hub.tree = [entry("config.json"), entry("model.safetensors"), entry(path)]
        run = case.pull(hub, "--include", "*", code=65)
        assert "no path" in run.stderr and "\x1b" not in run.stderr, run.stderr
    assert {path.name for path in case.here.iterdir()} == {"outside"} and (case.here / "outside").read_text() == "stays"
    assert hub.storage.requests == []


def test_lists_that_cannot_be(case):
    hub = case.hub()
    good = [entry("config.json"), entry("model.safetensors")]
    for tree, words in (
            ([*good, entry("config.json")], "twice"),
            ([*good, entry("a"), entry("a/b")], "as a file and as a directory"),
            ([entry("config.json", size=1 << 50)], "which no file"),
            ([entry("config.json") | {"size": -1}], "number"),
            ([entry("config.json") | {"size": 1e30}], ""),
            ([entry("config.json") | {"size": "12"}], "string"),
            ([entry("config.json") | {"oid": "../../x"}], "no checksum"),
            ([entry("config.json") | {"oid": "A" * 40}], "no checksum"),
            ([entry("config.json", lfs={"oid": "1" * 63, "size": 2})], "no checksum"),
            ([entry("config.json", lfs={"size": 2})], "no oid"),
            ([{"path": "config.json"}], "no type"),
            ({"error": "x"}, "not an array"),
            ([entry(f"file-{i}") for i in range(10_001)], "more than 10000 files"),
            ([[]], "")):
        hub.tree, hub.page_size = tree, 100_000
        if isinstance(tree, dict):
            hub.api_faults = [None, lambda handler: hubs.reply(handler, 200, json.dumps(tree).encode())]
        run = case.pull(hub, "--include", "*", code=65)
        assert words in run.stderr, (words, run.stderr)
    assert not case.cache.exists()


def test_answers_that_cannot_be(case):
    hub = case.hub()
    large = b"[" + b" " * (5 << 20) + b"]"

    def says(body, **headers):
        return lambda handler: hubs.reply(handler, 200, body, {k.replace("_", "-"): v for k, v in headers.items()})

    def endless(handler):
        hubs.endless(handler, b"")

    own_page = f"<{hub.url}/api/models/owner/Model/tree/{hub.commit}?recursive=true>; rel=\"next\""
    for faults in ([says(b"not JSON")], [says(b"{}")], [says(b'{"sha": "../../x"}')], [says(b"[" * 100_000)], [says(large)], [endless],
                   [None, says(b"[]", Link=own_page)], [None, says(b"[]", Link='<; rel="next"')],
                   [None] + [says(b"[]", Link=f'<{hub.url}/api/{i}>; rel="next"') for i in range(200)],
                   [says(b'{"sha": "x", "sha": "y"}')], [None, endless]):
        hub.api_faults = list(faults)
        case.pull(hub, code=65)
    hub.api_faults = [says(b"{}", **{f"X_{i}": "y" * 1000 for i in range(90)})]
    assert "headers" in case.pull(hub, code=65).stderr
    assert not case.cache.exists() and hub.storage.requests == []


def test_nothing_to_draw_with(case):
    for files, words in (({"config.json": b"{}", "model.gguf": b"x" * 2000}, "only GGUF"),
                         ({"config.json": b"{}", "model.safetensors": b""}, "no weights"),
                         ({"adapter_config.json": b"{}", "adapter_model.safetensors": b"x", "pytorch_model.bin": b"y"},
                          "a LoRA adapter")):
        assert words in case.pull(case.hub(files), code=66).stderr


# --- killed and stopped

def test_killed_at_any_byte(case):
    """Killed when the server has sent so many bytes: again and again, then the same file."""
    hub = case.hub()
    process = None

    def kill_at(byte):
        def on_bytes(at):
            if at >= byte and process and process.poll() is None:
                process.kill()
        return on_bytes

    for byte in (1, 40_000, 600_000, 1_300_000, 1_300_001, 2_000_000, 2_700_000, 3_000_001):
        ready = threading.Event()
        hub.on_bytes = lambda at, kill=kill_at(byte): (ready.wait(5), kill(at))
        process = subprocess.Popen([BIFRONS, "pull", "owner/Model", "-q"], env=case.environment(hub), cwd=case.here,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        ready.set()
        process.communicate(timeout=SECONDS)
        case.check_nothing_named(hub)
    hub.on_bytes = None
    case.pull(hub)
    case.check_snapshot(hub)
    assert any(ranges_of(hub)), "no run went on where another one was killed"


def test_killed_at_system_calls(case):
    """Killed at the k-th of the calls that change files; what is there then is whole, and the next run goes on."""
    if not shutil.which("strace"):
        return
    files = {name: FILES[name] for name in ("config.json", "model.safetensors")}
    hub = case.hub(files)
    calls = "fsync,rename,symlink,unlink,mkdir,ftruncate,sync_file_range"
    for k in range(1, 200, 3):
        words = ["strace", "-f", "-qq", "-o", str(case.here / "trace"), "-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={k}"]
        run = subprocess.run([*words, BIFRONS, "pull", "owner/Model", "-q"], env=case.environment(hub), capture_output=True, text=True,
                             timeout=SECONDS)
        if k == 1 and not (case.here / "trace").exists() or "not permitted" in run.stderr:
            return  # no tracing here
        case.check_nothing_named(hub)
        if (case.repository() / "refs" / "main").exists() and run.returncode != 0:
            case.check_snapshot(hub, files)
        case.pull(hub)
        case.check_snapshot(hub, files)
        shutil.rmtree(case.here / "hf")
        if run.returncode == 0:
            break
    assert k > 12, "no call was interrupted"


def test_stopped(case):
    hub = case.hub()
    hub.pace = 0.02
    process = subprocess.Popen([BIFRONS, "pull", "owner/Model"], env=case.environment(hub), cwd=case.here, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    while not case.unfinished() or not hub.storage.seen("model.safetensors"):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 75, process.stderr.read()
    process.stderr.close()
    case.check_nothing_named(hub)
    part = case.repository() / "blobs" / (sha256(WEIGHTS) + ".incomplete")
    left = part.stat().st_size
    assert 0 < left < len(WEIGHTS) and WEIGHTS.startswith(part.read_bytes())
    hub.pace = 0
    case.pull(hub)
    case.check_snapshot(hub)
    assert ranges_of(hub)[-1] == f"bytes={left}-"


def test_two_at_once(case):
    hub = case.hub()
    hub.pace = 0.005
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for run in [pool.submit(case.pull, hub) for _ in range(3)]:
            run.result()
    case.check_snapshot(hub)
    assert len(hub.storage.seen("model.safetensors")) == 1, "one of them loads, the others wait"


def run_case(name):
    case = Case()
    try:
        globals()[name](case)
        return None
    except BaseException:
        return traceback.format_exc()
    finally:
        case.close()


def main():
    probe = subprocess.run([BIFRONS, "pull", "a/b"], env={"PATH": "/usr/bin:/bin", "HF_HOME": "/nowhere", "HF_ENDPOINT": "http://127.0.0.1:1"},
                           capture_output=True, text=True)
    if "without libcurl" in probe.stderr:
        print("skipped: this build has no libcurl")
        return 77
    names = [f"test_{name}" for name in sys.argv[2:]] or [name for name in globals() if name.startswith("test_")]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=6) as pool:
        for name, fault in zip(names, pool.map(run_case, names)):
            if fault:
                failed += 1
                print(f"FAILED {name}\n{fault}")
    print(f"{len(names) - failed} of {len(names)} cases passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
