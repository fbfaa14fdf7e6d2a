"""An S3 server in this process (moto's), that notes every request and can be made to fail."""

import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "box"
_STALL_SECONDS = 60.0
Body = Literal["stalls", "cut", "longer", "shorter"]
_FAULT = "<Error><Code>{code}</Code><Message>{message}</Message></Error>"


@dataclass(frozen=True)
class Request:
    """One request, as it came in."""

    method: str
    path: str
    query: str

    @property
    def is_listing(self) -> bool:
        """True for ListObjectsV2."""
        return "list-type=2" in self.query


@dataclass
class Fault:
    """The next `times` requests that `concerns` get this answer: an S3 error, or (status 0) a connection cut off.

    body: instead, the true answer, whose body stops in the middle ("stalls"), is cut off there, or is announced as
    "longer" or "shorter" than it is.
    """

    times: int
    status: int = 503
    code: str = "SlowDown"
    message: str = "Please reduce your request rate."
    concerns: Callable[[Request], bool] = lambda _request: True
    body: Body | None = None


@dataclass
class S3Server:
    """`requests`: all so far. `fault`: what happens to the next ones."""

    endpoint: str = ""
    requests: list[Request] = field(default_factory=list)
    fault: Fault | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def count(self, concerns: Callable[[Request], bool]) -> int:
        """How many of the requests are such."""
        return sum(map(concerns, self.requests))


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: ANN401
        """Say nothing."""


def _spoil(how: str, environ: dict[str, Any], moto: Callable[..., Any]) -> NoReturn:
    """Send an answer that is not what its header says, and let the connection go."""
    said: list[tuple[str, list[tuple[str, str]]]] = []
    data = b"".join(moto(environ, lambda status, headers, _error=None: said.append((status, headers))))
    [(status, headers)] = said
    half, whole = len(data) // 2, len(data)
    sent, announced = {"longer": (whole, whole + 9), "shorter": (whole, half)}.get(how, (half, whole))
    kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "connection")]
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in kept)]
    lines += [f"Content-Length: {announced}", "Connection: close"]
    connection = environ["werkzeug.socket"]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + data[:sent])
    if how == "stalls":
        connection.settimeout(_STALL_SECONDS)
        with suppress(OSError):
            connection.recv(1)  # until who asked gives up
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionError  # which werkzeug takes for a client that went away


@contextmanager
def serving() -> Iterator[S3Server]:
    """A server without buckets, as long as this lasts."""
    server = S3Server()
    moto = DomainDispatcherApplication(create_backend_app)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:  # noqa: ANN401
        request = Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
        server.requests.append(request)
        fault = server.fault
        if fault is None or fault.times == 0 or not fault.concerns(request):
            return moto(environ, start_response)
        fault.times -= 1
        if fault.body:
            _spoil(fault.body, environ, moto)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if fault.status == 0:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError  # which werkzeug takes for a client that went away
        start_response(f"{fault.status} Fault", [("Content-Type", "application/xml"), ("Connection", "close")])
        return [] if request.method == "HEAD" else [_FAULT.format(code=fault.code, message=fault.message).encode()]

    http = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=_Quiet)
    server.endpoint = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    # moto keeps its buckets for the whole process, also those of a server before this one.
    urllib.request.urlopen(urllib.request.Request(f"{server.endpoint}/moto-api/reset", method="POST")).close()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
