#!/usr/bin/env python3
"""The cache is that of Hugging Face's own client: it reads what `bifrons pull` wrote, and the other way round.

usage: test_official_client.py BIFRONS
exit status: 77 if huggingface_hub cannot be imported or this build cannot download
"""
import json
import os
import pathlib
import subprocess
import sys

from loopback_hub import Hub
from pull_case import FILES, NEEDED, Case

SECONDS = 100


def client(case, hub, program, **variables):
    """Runs a program that imports the official client; returns the JSON that it prints."""
    environment = case.environment(hub, **variables) | {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


READ = """
import json, huggingface_hub as hub
folder = hub.snapshot_download("owner/Model")
file = hub.hf_hub_download("owner/Model", "model.safetensors", local_files_only=True)
info = hub.scan_cache_dir()
repositories = {repo.repo_id: [sorted(rev.refs), sorted(file.file_name for file in rev.files)] for repo in info.repos for rev in repo.revisions}
print(json.dumps([folder, file, repositories, [str(warning) for warning in info.warnings]]))
"""

WRITE = """
import json, huggingface_hub as hub
print(json.dumps(hub.snapshot_download("owner/Model", ignore_patterns=["*.bin", "*.png", "onnx/*", ".git*", "empty*"])))
"""


def it_reads_what_pull_wrote(case):
    hub = case.hub()
    case.pull(hub)
    snapshot = case.check_snapshot(hub)
    asked = len(hub.endpoint.requests)
    folder, file, repositories, warnings = client(case, hub, READ, HF_HUB_OFFLINE="1")
    assert len(hub.endpoint.requests) == asked, "offline"
    assert pathlib.Path(folder) == snapshot and pathlib.Path(file).read_bytes() == FILES["model.safetensors"]
    assert repositories == {"owner/Model": [["main"], sorted(NEEDED)]} and warnings == [], (repositories, warnings)


def it_has_nothing_to_load_after_pull(case):
    hub = case.hub()
    case.pull(hub)
    loaded = len(hub.storage.requests)
    client(case, hub, WRITE)
    assert [headers for headers in hub.storage.requests[loaded:]] == [], hub.storage.requests


def pull_reads_what_it_wrote(case):
    hub = case.hub()
    folder = client(case, hub, WRITE)
    assert {path.name for path in pathlib.Path(folder).iterdir()} == NEEDED
    loaded = len(hub.storage.requests)
    run = case.pull(hub, "--json")
    assert {file["state"] for file in json.loads(run.stdout)["files"]} == {"there"}, run.stdout
    assert len(hub.storage.requests) == loaded and json.loads(run.stdout)["directory"] == folder
    assert case.pull(hub, HF_HUB_OFFLINE="1").stdout.rstrip() == folder


def a_directory_of_pull_needs_no_load(case):
    hub = case.hub()
    case.pull(hub, "--local-dir", "model")
    loaded = len(hub.storage.requests)
    program = WRITE.replace('"owner/Model",', f'"owner/Model", local_dir={str(case.here / "model")!r},')
    client(case, hub, program)
    assert len(hub.storage.requests) == loaded, hub.storage.requests[loaded:]


def main():
    try:
        import huggingface_hub
    except ImportError:
        print("skipped: huggingface_hub cannot be imported")
        return 77
    print("huggingface_hub", huggingface_hub.__version__)
    for test in (it_reads_what_pull_wrote, it_has_nothing_to_load_after_pull, pull_reads_what_it_wrote, a_directory_of_pull_needs_no_load):
        case = Case()
        try:
            test(case)
            print("passed:", test.__name__)
        finally:
            case.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
