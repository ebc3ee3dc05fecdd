#!/usr/bin/env python3
"""`bifrons pull` against a hub on the loopback: what it downloads and where to, a hub that lies, and a client that is killed.

usage: test_pull.py BIFRONS [NAME...]      NAME: only these cases
exit status: 77 if this build cannot download
"""
import concurrent.futures
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import loopback_hub as hubs
from loopback_hub import git_sha1, sha256
from pull_case import BIFRONS, FILES, NEEDED, SECONDS, WEIGHTS, main, ranges_of


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


if __name__ == "__main__":
    sys.exit(main(globals()))
