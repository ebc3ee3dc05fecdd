"""A model hub on the loopback with the protocol of the Hugging Face hub, and faults on request.

A hub has two servers, as the real one: the endpoint, which lists files and gives small ones, and a
storage on another port, to which the endpoint sends on for large files, with addresses that expire.

usage: loopback_hub.py [BYTES]      serves one model with a file of BYTES bytes until it is stopped
"""
import hashlib
import http.server
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

LARGE = 1000  # bytes from which a file lies in the storage


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def commit_of(files):
    return hashlib.sha1(repr(sorted((path, sha256(data)) for path, data in files.items())).encode()).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer, host="127.0.0.1", tls=None):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answer = answer
        self.requests = []  # (path, headers), in order

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                try:
                    self.server.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        super().__init__((host, 0), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        name = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{name}:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def seen(self, part):
        return [headers for path, headers in self.requests if part in path]


def reply(handler, status, body=b"", headers=(), length=None):
    handler.send_response(status)
    for name, value in dict(headers).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def first_byte(handler, size):
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    if not match:
        return None
    return min(int(match.group(1)), size)


class Hub:
    """`files`: {path: bytes} of the model `id`. The attributes below change what is answered."""

    def __init__(self, files, id="owner/Model", host="127.0.0.1", storage_host="127.0.0.1", tls=None, storage_tls=None):
        self.id, self.files, self.commit = id, dict(files), commit_of(files)
        self.revisions = {"main": self.commit, "refs/pr/1": self.commit, "master": self.commit}
        self.faults = []  # of the storage: each request takes the first one
        self.api_faults = []  # of the endpoint: each request to /api takes the first one
        self.token = None  # required in every request to the endpoint
        self.page_size = 1000
        self.tree = None  # entries in place of the true ones
        self.renamed_from = None
        self.small_storage = False  # small files are given by the storage, too
        self.on_bytes = None  # called with the number of bytes of a file, before more are sent
        self.pace = 0  # seconds between two blocks of a file
        self.signature = 0
        self.storage = Server(self.answer_storage, storage_host, storage_tls)
        self.endpoint = Server(self.answer, host, tls)
        self.url = self.endpoint.url

    def close(self):
        for server in (self.endpoint, self.storage):
            server.shutdown()
            server.server_close()

    # --- the endpoint

    def answer(self, handler):
        path = urllib.parse.unquote(handler.path.split("?")[0])
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            return reply(handler, 401, headers={"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        if "/api/" in path and self.api_faults:
            fault = self.api_faults.pop(0)
            if fault:
                return fault(handler)
        if self.renamed_from and self.renamed_from in path:
            place = handler.path.replace(self.renamed_from, self.id)
            return reply(handler, 307, headers={"Location": place})
        for prefix, answer in ((f"/api/models/{self.id}/revision/", self.answer_revision),
                               (f"/api/models/{self.id}/tree/", self.answer_tree),
                               (f"/{self.id}/resolve/", self.answer_resolve)):
            if path.startswith(prefix):
                return answer(handler, path[len(prefix):])
        if path == f"/api/models/{self.id}":
            return self.answer_revision(handler, "main")
        if path.startswith(f"/api/v1/models/{self.id}/repo"):
            return self.answer_model_scope(handler, path)
        return reply(handler, 404, headers={"X-Error-Code": "RepoNotFound"})

    def answer_revision(self, handler, revision):
        commit = self.revisions.get(revision, revision if revision == self.commit else None)
        if not commit:
            return reply(handler, 404, headers={"X-Error-Code": "RevisionNotFound"})
        body = {"_id": "1", "id": self.id, "modelId": self.id, "sha": commit, "private": False, "disabled": False,
                "siblings": [{"rfilename": path} for path in self.files], "tags": [], "downloads": 0, "likes": 0}
        reply(handler, 200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def entries(self):
        if self.tree is not None:
            return self.tree
        entries, folders = [], {path.rsplit("/", 1)[0] for path in self.files if "/" in path}
        entries += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": folder} for folder in sorted(folders)]
        for path, data in sorted(self.files.items()):
            entry = {"type": "file", "oid": git_sha1(data), "size": len(data), "path": path}
            if len(data) >= LARGE:
                entry |= {"oid": "1" * 40, "lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 130}}
            entries.append(entry)
        return entries

    def answer_tree(self, handler, revision):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query)
        at, entries = int(query.get("cursor", ["0"])[0]), self.entries()
        headers = {"Content-Type": "application/json"}
        if at + self.page_size < len(entries):
            address = f"{self.url}{handler.path.split('?')[0]}?recursive=true&cursor={at + self.page_size}"
            headers["Link"] = f'<{address}>; rel="next"'
        reply(handler, 200, json.dumps(entries[at:at + self.page_size]).encode(), headers)

    def answer_resolve(self, handler, rest):
        revision, path = next(((r, rest[len(r) + 1:]) for r in [*self.revisions, self.commit] if rest.startswith(r + "/")),
                              (None, None))
        if path not in self.files:
            return reply(handler, 404, headers={"X-Error-Code": "EntryNotFound"})
        data = self.files[path]
        large = len(data) >= LARGE
        headers = {"X-Repo-Commit": self.commit, "ETag": f'"{git_sha1(data)}"', "Accept-Ranges": "bytes"}
        if large or self.small_storage:
            digest = sha256(data) if large else git_sha1(data)
            self.signature += 1
            place = f"{self.storage.url}/{urllib.parse.quote(path)}?signature={self.signature}"
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data)), "Location": place}
            return reply(handler, 302, b"Found. Redirecting", headers)
        reply(handler, 200, data, headers)

    def answer_model_scope(self, handler, path):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query)
        if path.endswith("/files"):
            files = [{"Path": name, "Name": name, "Type": "blob", "Size": len(data), "Sha256": sha256(data),
                      "Revision": self.commit} for name, data in self.files.items()]
            files.append({"Path": "folder", "Name": "folder", "Type": "tree", "Size": 0, "Sha256": ""})
            body = {"Code": 200, "Success": True, "Data": {"Files": files}}
            return reply(handler, 200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        name = query["FilePath"][0]
        return reply(handler, 302, headers={"Location": f"{self.storage.url}/{urllib.parse.quote(name)}"})

    # --- the storage

    def answer_storage(self, handler):
        path = urllib.parse.unquote(handler.path.split("?")[0])[1:]
        if path not in self.files:
            return reply(handler, 404)
        fault = self.faults.pop(0) if self.faults else None
        (fault or self.send_file)(handler, self.files[path])

    def send_file(self, handler, data, until=None, claimed=None):
        """The asked range of `data`; the connection is cut at byte `until`."""
        first = first_byte(handler, len(data))
        size = len(data) if claimed is None else claimed
        if first is None:
            handler.send_response(200)
        elif first >= len(data) > 0:
            return reply(handler, 416, headers={"Content-Range": f"bytes */{len(data)}"})
        else:
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        at = first or 0
        handler.send_header("Content-Length", str(size - at))
        handler.end_headers()
        end = len(data) if until is None else min(until, len(data))
        while at < end and handler.command != "HEAD":
            step = min(16384 if self.pace or self.on_bytes else 1 << 20, end - at)
            handler.wfile.write(data[at:at + step])
            at += step
            if self.on_bytes:
                self.on_bytes(at)
            time.sleep(self.pace)
        if at < size:
            handler.close_connection = True


# Faults. Each is a function of a handler and, in the storage, the file's bytes.

def status(code, **headers):
    return lambda handler, data=b"": reply(handler, code, headers={k.replace("_", "-"): v for k, v in headers.items()})


def reset(handler, data):
    """Half of the bytes, then the connection is reset."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[:len(data) // 2])
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def whole(handler, data):
    """All bytes, whatever range is asked for."""
    reply(handler, 200, data)


def wrong_range(handler, data):
    """Other bytes than those that are asked for, as a reply 206 that says so."""
    half = len(data) // 2
    reply(handler, 206, data[half:], {"Content-Range": f"bytes {half}-{len(data) - 1}/{len(data)}"})


def lying_range(handler, data):
    """The asked range by its header, but the first bytes of the file."""
    first = first_byte(handler, len(data)) or 0
    reply(handler, 206, data[:len(data) - first], {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"})


def wrong_bytes(handler, data):
    reply(handler, 200, data[:-1] + bytes([data[-1] ^ 1]))


def too_long(handler, data):
    reply(handler, 200, data + b"more")


def too_short(handler, data):
    reply(handler, 200, data[:-4])


def endless(handler, data):
    """Bytes without a length and without an end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")


def stall(handler, data):
    """Half of the bytes, then silence."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[:len(data) // 2])
    handler.wfile.flush()
    time.sleep(30)


def serve_one(size):
    """For measurements: a file whose bytes the kernel sends."""
    path = f"/tmp/bifrons-hub-{os.getpid()}"
    with open(path, "wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(size >> 20):
            file.write(block)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = os.path.getsize(path)
    held = open(path, "rb")
    os.unlink(path)  # the open file stays until this process ends, however it ends
    hub = Hub({"config.json": b"{}", "model.safetensors": b"x"})
    hub.tree = [{"type": "file", "oid": git_sha1(b"{}"), "size": 2, "path": "config.json"},
                {"type": "file", "oid": "1" * 40, "size": size, "path": "model.safetensors",
                 "lfs": {"oid": digest, "size": size}}]

    def send(handler):
        if "model.safetensors" not in handler.path:
            return hub_answer(handler)
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        handler.wfile.flush()
        with open(f"/proc/self/fd/{held.fileno()}", "rb") as file:
            handler.connection.sendfile(file)

    hub_answer = hub.endpoint.answer
    hub.endpoint.answer = send
    print(hub.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve_one(int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 30)
