"""Tries mistakes in the rules of Prometheus against their scenarios, in promtool.

Many mistakes share one run of promtool: each is a clone of its rule (and of the rules that read its recorded series)
with its own names, and with clones of the checks. One clone without a mistake runs with them and must pass.
"""

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alerting import loader
from alerting.missing_metrics import ALERT as GENERATED
from alerting.missing_metrics import names as names_in
from local.toolchain import tool
from tools.mutation.mutants import Mutant, of_rule
from tools.mutation.scenarios import TestFile, read, renamed
from tools.rule_tests import FOLDER, yaml_text
from tools.rule_tests.promtool import deployed, rendered

TIMEOUT = 300.0
"""Seconds for one run of promtool; a mistake that takes longer even alone counts as noticed."""
BATCH, BATCH_OF_RECORDED = 48, 8
"""Mistakes in one run. For recorded series fewer, because all their readers are cloned, too."""
SHORT = 12 * 3600.0
"""Maximum length in seconds of a scenario that counts as short."""
PART = "metrics alerts"
_CONTROL = "__m0"
# Lines of promtool about a failed check or query, and about a rule that cannot be evaluated.
_CHECK = re.compile(r'^\s+(?:alertname: \w+?|expr: ".*?)(__m\d+)\b.*, time: ', re.MULTILINE)
_ERROR = re.compile(r"^\s+rule: \S+?(__m\d+), time: ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Position of a rule in the rendered files."""

    file: str
    group: int
    rule: int


Item = tuple[Place, Mutant]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Mistakes in one alert, or in the recording rules of one series."""

    items: tuple[Item, ...]
    names: frozenset[str]
    """The alerts and recorded series that the mistakes can affect."""


class Rules:
    """The rules without a stack's overrides, and the scenarios, parsed once."""

    def __init__(self) -> None:
        """Reads all rules and scenarios."""
        self.thresholds = loader.load().thresholds
        self.files: dict[str, Any] = {name: yaml_text.load(text) for name, text in rendered().items()}
        self.tests = [read(file) for file in sorted(FOLDER.glob("*.test.yaml"))]
        self._rules = dict(self.places())
        self._reads = {place: set(names_in(rule["expr"])) for place, rule in self._rules.items()}

    def places(self) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Every rule with its position."""
        for file, document in self.files.items():
            for group, one in enumerate(document["groups"]):
                for number, rule in enumerate(one["rules"]):
                    yield Place(file=file, group=group, rule=number), rule

    def batches(self, alerts: Iterable[str]) -> Iterator[Batch]:
        """Every mistake in these alerts, and in the recorded series that they read."""
        wanted = set(alerts)
        mistakes: dict[str, list[Item]] = {}
        for place, rule in self._rules.items():
            name = str(rule.get("alert") or rule["record"])
            shown = {name} if "alert" in rule else self.readers(name)
            if shown & wanted:
                made = of_rule(rule, self.thresholds.get(name, {}), generated=name == GENERATED)
                mistakes.setdefault(name, []).extend((place, mutant) for mutant in made)
        for name, items in mistakes.items():
            # Only series on the way to wanted alerts: evaluating a month for a dashboard's series can take minutes.
            steps = {series for series in self._recorded() & self.readers(name) if self.readers(series) & wanted}
            shown = {name} | steps | (self.readers(name) & wanted)
            size = BATCH_OF_RECORDED if name in self._recorded() else BATCH
            for start in range(0, len(items), size):
                yield Batch(items=tuple(items[start : start + size]), names=frozenset(shown))

    def readers(self, name: str) -> set[str]:
        """Alerts and recorded series that read a recorded series, directly or through others."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            series = waiting.pop()
            for place, rule in self._rules.items():
                reader = str(rule.get("alert") or rule["record"])
                if series in self._reads[place] and reader not in {*found, GENERATED, name}:
                    found.add(reader)
                    waiting.append(reader)
        return found

    def cloned(self, clones: Mapping[str, Mapping[Place, Mapping[str, Any]]], names: frozenset[str]) -> dict[str, Any]:
        """The rule files with a clone of the named rules, including its mistakes, for each suffix, and the rules that
        they read.
        """
        needed = self._needed(names)
        files: dict[str, Any] = {}
        for file, document in self.files.items():
            groups: list[Any] = []
            for number, group in enumerate(document["groups"]):
                rules: list[Any] = []
                for index, rule in enumerate(group["rules"]):
                    place = Place(file=file, group=number, rule=index)
                    if (rule.get("alert") or rule["record"]) in names:
                        rules += [_clone(changes.get(place, rule), names, suffix) for suffix, changes in clones.items()]
                    elif rule.get("record") in needed:
                        rules.append(rule)
                if rules:
                    groups.append({**group, "rules": rules})
            files[file] = {**document, "groups": groups}
        return files

    def _needed(self, names: frozenset[str]) -> set[str]:
        """Names of all series that the named rules read."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            for place, rule in self._rules.items():
                if name in (rule.get("alert"), rule.get("record")):
                    waiting += self._reads[place] - found
                    found |= self._reads[place]
        return found

    def _recorded(self) -> set[str]:
        return {str(rule["record"]) for rule in self._rules.values() if "record" in rule}


class Interrupted(Exception):  # noqa: N818 -- no error
    """The run was stopped."""


class Promtool:
    """Runs promtool; all runs can be stopped together."""

    def __init__(self) -> None:
        """Starts nothing."""
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """End all runs; later ones raise Interrupted."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()

    def output(self, files: Mapping[str, Any], tests: Sequence[TestFile]) -> str | None:
        """Promtool's output on failures; empty if all scenarios pass, None after a timeout."""
        with tempfile.TemporaryDirectory() as folder:
            # Rules count from one evaluation to the next, so each interval has its own files.
            used = {(test.interval, str(name)) for test in tests for name in test.document["rule_files"]}
            for interval, name in used:
                text = yaml_text.dump(deployed(files.get(name, {"groups": []}), interval))
                (Path(folder) / f"{interval}-{name}").write_text(text)
            for test in tests:
                names = [f"{test.interval}-{name}" for name in test.document["rule_files"]]
                one = replace(test, document={**test.document, "rule_files": names})
                (Path(folder) / test.name).write_text(one.text())
            command = [tool("promtool"), "test", "rules", *(str(Path(folder) / test.name) for test in tests)]
            process = self._start(command)
            try:
                out, _ = process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return None
            finally:
                with self._lock:
                    self._running.discard(process)
            if self._stopped:
                raise Interrupted
            return out if process.returncode else ""

    def _start(self, command: Sequence[Any]) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise Interrupted
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "GOMAXPROCS": "1"},
            )
            self._running.add(process)
            return process


def killed(rules: Rules, batch: Batch, promtool: Promtool) -> set[int]:
    """Numbers of the mistakes that a scenario notices. Raises RuntimeError if scenarios fail without a mistake."""
    dead: set[int] = set()
    for tests in stages(test for one in rules.tests if (test := one.about(batch.names))):
        if left := [number for number in range(len(batch.items)) if number not in dead]:
            dead |= _killed(rules, batch, promtool, tests, left)
    return dead


def stages(tests: Iterable[TestFile]) -> Iterator[list[TestFile]]:
    """The short scenarios together, which notice most mistakes, then each of the long ones."""
    single = sorted((scenario for test in tests for scenario in test.scenarios()), key=TestFile.length)
    short = [test for test in single if test.length() <= SHORT]
    if short:
        yield short
    yield from ([test] for test in single[len(short) :])


def _killed(
    rules: Rules, batch: Batch, promtool: Promtool, tests: Sequence[TestFile], numbers: Collection[int]
) -> set[int]:
    mistakes = {f"__m{number + 1}": batch.items[number] for number in numbers}
    clones: dict[str, dict[Place, Mapping[str, Any]]] = {_CONTROL: {}}
    clones |= {suffix: {place: mutant.document} for suffix, (place, mutant) in mistakes.items()}
    files = rules.cloned(clones, batch.names)
    cloned = [test.cloned(dict.fromkeys(clones, batch.names)) for test in tests]
    output = promtool.output(files, cloned)
    if output == "":
        return set()
    errors = set(_ERROR.findall(output or ""))
    found = {*errors, *_CHECK.findall(output or "")}
    if _CONTROL in found or (found and not found <= set(clones)):
        raise RuntimeError(f"scenarios of {batch.items[0][1].about} fail without any mistake:\n{output}")
    dead = {number for number in numbers if f"__m{number + 1}" in found}
    left = [number for number in numbers if number not in dead]
    if found and not errors:
        return dead
    if errors:  # promtool does not check anything after an error
        return dead | _killed(rules, batch, promtool, tests, left)
    if not numbers:
        raise RuntimeError(f"scenarios of {batch.items[0][1].about} fail without any mistake:\n{output}")
    if len(left) == 1:
        _killed(rules, batch, promtool, tests, ())  # passes without the mistake, so it is the cause
        return set(left)
    half = len(left) // 2
    return _killed(rules, batch, promtool, tests, left[:half]) | _killed(rules, batch, promtool, tests, left[half:])


def run(rules: Rules, alerts: Iterable[str], jobs: int, tick: Callable[[Mutant, bool], None]) -> None:
    """Try every mistake, and call `tick` with whether it was noticed. See `killed` for errors."""
    promtool = Promtool()
    batches = sorted(rules.batches(alerts), key=lambda batch: -_weight(rules, batch))  # the longest first
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(killed, rules, batch, promtool): batch for batch in batches}
            for future in as_completed(futures):
                dead = future.result()
                for number, (_, mutant) in enumerate(futures[future].items):
                    tick(mutant, number in dead)
        except BaseException:
            promtool.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _weight(rules: Rules, batch: Batch) -> int:
    tests = [found for test in rules.tests if (found := test.about(batch.names))]
    return len(batch.items) * len(batch.names) * sum(len(test.document["tests"]) for test in tests)


def _clone(rule: Mapping[str, Any], names: Collection[str], suffix: str) -> dict[str, Any]:
    kind = "alert" if "alert" in rule else "record"
    return {**rule, kind: rule[kind] + suffix, "expr": renamed(rule["expr"], names, suffix)}
