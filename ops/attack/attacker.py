"""The program of the attacking pods and of the innocent one beside them; it runs in the simulator's image.

It uses the standard library only, and reads its task from the variable TASK. Until it is deleted, it serves its
exposition, and repeats its task in rounds. Each round is one line of its log: which connections succeeded, and how the
agent answered.
"""

import base64
import gzip
import http.server
import io
import json
import os
import socket
import threading
import time
import urllib.error
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# Compressed, because a variable holds at most 128 KiB.
TASK: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(os.environ["TASK"])))


def connects(host: str, port: int) -> bool:
    """Whether a connection opens, by IPv4 or IPv6."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(opens(family, address) for family, _, _, _, address in found)


def opens(family: int, address: Any) -> bool:  # noqa: ANN401 -- Python's own
    """Whether a connection to one address opens."""
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(2)
        return one.connect_ex(address) == 0


def link_local(port: int) -> list[str]:
    """IPv6 link-local addresses of neighbours at which a port is open; each follows from a hardware address."""
    found: list[str] = []
    rows = [line.split() for line in Path("/proc/net/arp").read_text(encoding="ascii").splitlines()[1:]]
    for row in rows:
        parts = [int(part, 16) for part in row[3].split(":")]
        if not any(parts):
            continue
        parts[0] ^= 2
        halves = [*parts[:3], 0xFF, 0xFE, *parts[3:]]
        address = "fe80::" + ":".join(f"{halves[i]:02x}{halves[i + 1]:02x}" for i in range(0, 8, 2))
        try:
            target = socket.getaddrinfo(f"{address}%{row[5]}", port, socket.AF_INET6, socket.SOCK_STREAM)[0][4]
            if opens(socket.AF_INET6, target):
                found.append(address)
        except OSError:
            continue
    return found


def send(path: str, body: Any) -> int:  # noqa: ANN401 -- JSON
    """Status of the agent's answer to OTLP over HTTP; 0 if there was none. Repeats while it is busy."""
    request = urllib.request.Request(  # noqa: S310 -- http
        TASK["agent"] + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    code = 0
    for _ in range(20):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            code = error.code
            if code not in (429, 502, 503, 504):
                break
        except OSError:
            pass
        time.sleep(1)
    return code


def trace(number: int) -> Any:  # noqa: ANN401 -- JSON
    """The request with the innocent pod's trace of one round."""
    body = json.loads(json.dumps(TASK["trace"]))
    now = time.time_ns()
    span = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    identity = f"{TASK['begun']:024x}{number:08x}"
    span |= {"traceId": identity, "spanId": identity[-16:]}
    span |= {"startTimeUnixNano": str(now - 10**6), "endTimeUnixNano": str(now)}
    return body


def round_(number: int) -> dict[str, Any]:
    """Do the task once."""
    targets = [(host, port) for host, port in TASK.get("connect", [])]
    with ThreadPoolExecutor(16) as pool:
        open_ = pool.map(connects, *zip(*targets, strict=True)) if targets else ()
        reached = [f"{host}:{port}" for (host, port), is_open in zip(targets, open_, strict=True) if is_open]
        ports = sorted({port for _, port in targets})
        near = zip(ports, pool.map(link_local, ports), strict=True)
        neighbours = [f"{address}:{port}" for port, addresses in near for address in addresses]
    sent = [send(path, body) for path, body in TASK.get("otlp", [])]
    if "trace" in TASK:
        sent.append(send("/v1/traces", trace(number)))
    for line in range(TASK.get("lines", 0)):
        print(json.dumps({"level": "info", "message": f"innocent {number}.{line}"}), flush=True)
    return {"round": number, "reached": reached, "neighbours": neighbours, "sent": sent}


class Exposition(http.server.BaseHTTPRequestHandler):
    """Answers every scrape as the task says: with series, with a redirect, or with a compressed bomb."""

    def do_GET(self) -> None:
        """Serve one scrape."""
        if "redirect" in TASK:
            self.send_response(302)
            self.send_header("Location", TASK["redirect"])
            self.end_headers()
            return
        body = TASK.get("exposition", "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        if "bomb" in TASK:
            body = BOMB
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is that of the base)
        """Keep the log for the results."""


def packed(size: int) -> bytes:
    """A comment of about this many bytes, compressed piece by piece: the pod has less memory than the whole needs."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb") as file:
        file.write(b"# ")
        for _ in range(size // 2**20):
            file.write(b"x" * 2**20)
    return whole.getvalue()


BOMB = packed(TASK.get("bomb", 0))

if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("", TASK.get("port", 8000)), Exposition)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for count in range(1, TASK.get("rounds", 10**6) + 1):
        print(json.dumps(round_(count)), flush=True)
        time.sleep(TASK["pause"])
