#!/usr/bin/env python3
"""`bifrons pull` against a hub on the loopback that breaks, redirects, refuses or asks to wait, and who may read what.

usage: test_pull_faults.py BIFRONS [NAME...]      NAME: only these cases
exit status: 77 if this build cannot download
"""
import email.utils
import shutil
import socket
import ssl
import subprocess
import sys
import time

import loopback_hub as hubs
from loopback_hub import git_sha1, sha256
from pull_case import BIFRONS, FILES, SECONDS, WEIGHTS, cut_at, main, mended, ranges_of


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


if __name__ == "__main__":
    sys.exit(main(globals()))
