"""A stand-in for the Hugging Face hub in this process: what its client asks for when it sends a folder."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from huggingface_hub import constants

# Weights go the way of large files, as on the hub itself.
_LARGE = (".safetensors", ".onnx")


@dataclass
class Hub:
    """repos: what was made, with the client's wishes. files: content of what was committed, by repository and name.

    refuse: the status with which every request is answered from now on.
    """

    endpoint: str = ""
    repos: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    refuse: int | None = None
    _large: dict[str, bytes] = field(default_factory=dict)

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Let the client in this process find it, as somebody whom it knows; with plain uploads of large files."""
        patch.setattr(constants, "ENDPOINT", self.endpoint)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setenv("HF_TOKEN", "hf_token")

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        """The answer to a POST or PUT."""
        parts = path.partition("?")[0].strip("/").split("/")
        if parts[:2] == ["large", "objects"]:
            assert hashlib.sha256(body).hexdigest() == parts[2]
            self._large[parts[2]] = body
            return {}
        if parts[-1] == "commit" or parts[-2] == "commit":
            return self._commit("/".join(parts[2:4]), body)
        asked = json.loads(body)
        if parts[-2:] == ["repos", "create"]:
            name = f"{asked['organization']}/{asked['name']}"
            self.repos[name] = asked
            return {"url": f"{self.endpoint}/{name}"}
        if parts[-1] == "validate-yaml":
            return {"errors": [], "warnings": []}
        if parts[-2] == "preupload":
            return {"files": [self._mode(each["path"]) for each in asked["files"]]}
        assert parts[-1] == "batch"
        return {"transfer": "basic", "objects": [self._place(each) for each in asked["objects"]]}

    def _mode(self, path: str) -> dict[str, Any]:
        return {"path": path, "uploadMode": "lfs" if path.endswith(_LARGE) else "regular", "shouldIgnore": False}

    def _place(self, asked: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{self.endpoint}/large/objects/{asked['oid']}", "header": {}}
        return {"oid": asked["oid"], "size": asked["size"], "actions": {"upload": upload}}

    def _commit(self, repo: str, body: bytes) -> dict[str, Any]:
        into = self.files.setdefault(repo, {})
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                into[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                into[value["path"]] = self._large[value["oid"]]
        return {"commitUrl": f"{self.endpoint}/{repo}/commit/1", "commitOid": "1", "success": True}


@contextmanager
def serving() -> Iterator[Hub]:
    """An empty hub, as long as this lasts."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "Authorization" in self.headers:  # large files carry none: their address lets them in
                hub.tokens.add(self.headers["Authorization"])
            content = json.dumps({} if hub.refuse else hub.answer(self.path, body)).encode()
            self.send_response(hub.refuse or 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
