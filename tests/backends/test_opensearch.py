"""How the OpenSearch node of the tests is had: pinned, compared, and with a reason when it cannot be."""

import re
import ssl
import subprocess
from pathlib import Path

import pytest

from local.errors import LocalError
from local.paths import TOOLS
from settings import versions
from tests.backends import java, opensearch

SOURCE = TOOLS / "opensearch"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "observability-platform" / "tools"


def test_the_pins_agree() -> None:
    pom = (SOURCE / "pom.xml").read_text()
    assert f"<version>{versions.OPENSEARCH}.0</version>" in pom
    jars = (SOURCE / "jars.sha256").read_text()
    assert f"  opensearch-{versions.OPENSEARCH}.jar\n" in jars
    assert all(re.fullmatch(r"[0-9a-f]{64}  [\w.+-]+\.jar", line) for line in jars.splitlines())


def test_other_jars_than_the_committed_are_refused(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(target: Path) -> None:
        target.mkdir()
        for line in (SOURCE / "jars.sha256").read_text().splitlines():
            (target / line.split()[1]).write_bytes(b"another jar")
        (target / "unasked.jar").touch()

    monkeypatch.setattr(opensearch, "_fetch", fetch)
    with pytest.raises(LocalError, match=r"other jars than .*jars\.sha256 says: .*lucene-core.*unasked\.jar"):
        opensearch.jars()
    assert [left.name for left in empty_cache.iterdir()] == [".opensearch.lock"]


def test_a_failed_fetch_says_why_and_what_to_do(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("mvn", "echo '[ERROR] Could not transfer artifact'; exit 1"), ("java", "exit 0")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(LocalError, match=r"Maven Central:\n\[ERROR\] Could not transfer artifact\nNothing was kept\."):
        opensearch.jars()
    assert [left.name for left in empty_cache.iterdir()] == [".opensearch.lock"]


def test_a_node_that_does_not_start_shows_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho 'Error: no heap'; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(java, "java", lambda: program)
    with pytest.raises(LocalError, match="OpenSearch ended:\nError: no heap"):
        opensearch.OpenSearchNode(tmp_path / "node").start()


@pytest.mark.parametrize("version", ["11.0.2", "24.0.1"])
def test_a_java_that_does_not_fit_is_not_taken(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(java, "_root", lambda: tmp_path)
    (tmp_path / "usr/lib/jvm/java-17-openjdk-any").mkdir(parents=True)
    assert java.java() == tmp_path / "usr/lib/jvm/java-17-openjdk-any/bin/java"


def test_java_reads_the_authorities_that_debian_s_installation_would_have_given_it(tmp_path: Path) -> None:
    pem = Path("/etc/ssl/certs/ca-certificates.crt").read_text()
    found = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem, re.DOTALL)[:3]
    store = tmp_path / "cacerts"
    store.write_bytes(java.key_store([ssl.PEM_cert_to_DER_cert(one) for one in found]))
    keytool = java.java().with_name("keytool")
    listed = subprocess.run(
        [keytool, "-list", "-keystore", store, "-storepass", "changeit"], capture_output=True, text=True, check=True
    )
    assert "Your keystore contains 3 entries" in listed.stdout
