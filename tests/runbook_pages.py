"""The pages that a person on call reads, and what they say to run, filled in with names of the local stack."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alerting import loader
from tests.mock_engine import ROOT

ALERTS = sorted(loader.load().rules())
FOLDER = ROOT / "rules/runbooks"
PLAYBOOK = ROOT / "docs/playbooks/media-clustering.md"
PAGES = [*(FOLDER / f"{alert}.md" for alert in ALERTS), PLAYBOOK]
_PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")
# Interactive, or without an end.
_WAITS = re.compile(r"^kubectl .*\b(port-forward|debug)\b")
_MISSING = r'\(NotFound\): .*"{}" not found'
# A failure that says nothing against a command -> the reason.
_EXPECTED: Mapping[str, str] = {
    _MISSING.format(
        "(gateway|ingestor|ai-service|github-app|lean-engine|rust-worker|nats-box|opensearch|postgres|redis)"
    ): ("the simulator does not have these programs"),
    _MISSING.format("(job|quota|autoscaler)-of-nobody"): "the local stack has no such object",
    r"(redis-cli|sh).*not found": "simulated programs have no tools",
    r"previous terminated container .* not found": "the container never ended",
    r"Metrics API not available": "the local cluster has no metrics server",
    r'pods "(redis-drill|recluster)" is forbidden: violates PodSecurity "restricted': "the page says so",
}


def blocks(page: Path, language: str) -> Iterator[str]:
    """Blocks of a page in a language, without their indentation in a list."""
    for indent, text in re.findall(rf"^( *)```{language}\n(.+?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL):
        yield "\n".join(line.removeprefix(indent) for line in text.splitlines())


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names of objects on the stack, in the namespace of the platform."""

    pod: str
    container: str
    claim: str
    volume: str
    node: str

    def of(self, command: str) -> dict[str, str]:
        """Placeholder -> name, for one command."""
        return {
            "NAMESPACE": "observability",
            "APP": "kube-state-metrics",
            "DEPLOYMENT": "kube-state-metrics",
            "SERVICE": "speccursor",
            "POD": self.pod,
            "CONTAINER": self.container,
            "NODE": self.node,
            "PVC": self.claim,
            "VOLUME": self.claim if " pvc " in command else self.volume,
            "JOB": "job-of-nobody",
            "QUOTA": "quota-of-nobody",
            "AUTOSCALER": "autoscaler-of-nobody",
            "STREAM": "streams",
        }


ANY = Names(pod="pod", container="container", claim="claim", volume="volume", node="node")
"""Names for tests without a stack."""


def commands() -> Iterator[str]:
    """Every command that only reads, each once. Those that change something stand in the text, not in blocks."""
    lines = {line: None for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()}
    return (line for line in lines if line.startswith("kubectl ") and not _WAITS.match(line))


def queries(language: str) -> Iterator[str]:
    """Every query in `promql` or `logql`, each once."""
    return iter(
        {line: None for page in PAGES for block in blocks(page, language) for line in block.splitlines() if line}
    )


def filled(text: str, names: Names) -> str:
    """The text with names of the stack in place of its placeholders. Quoted words of other languages stay."""
    known = names.of(text)
    return _PLACEHOLDER.sub(lambda match: known.get(match[0], match[0]), text)


def unknown(command: str) -> set[str]:
    """Placeholders of a command for which no name is known here."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", command).split(" -- ")[0]
    return set(_PLACEHOLDER.findall(bare)) - ANY.of(command).keys()


def expected(said: str) -> bool:
    """Whether a failure is due to what the local stack lacks."""
    return any(re.search(pattern, said) for pattern in _EXPECTED)
