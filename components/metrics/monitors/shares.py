"""How much of Prometheus all monitors of a namespace may take, so that one namespace leaves something for the others.

Needs only Python. A unit is an endpoint; one with many or large expressions takes more. The program that renders Common
derives the units from Prometheus' memory.
"""

from collections.abc import Collection, Iterable

from .convert import Job, Monitor

_TEXT_BYTES = 8192
_PROGRAM_BYTES = 65_536
# A compiled expression is there twice, as a program that backtracks and as one that does not.
_INSTRUCTION_BYTES = 80


def units(jobs: Iterable[Job]) -> int:
    """Number of units that the jobs of a monitor take."""
    return sum(
        1 + len(job.text) // _TEXT_BYTES + _INSTRUCTION_BYTES * job.instructions // _PROGRAM_BYTES for job in jobs
    )


class Shares:
    """Collects the jobs of monitors in the order in which they are read, and then decides which are kept."""

    def __init__(self, cluster: int, namespace: int, listed: Collection[str]) -> None:
        """`cluster` and `namespace` are the units of all, and of each namespace that is not listed."""
        self._cluster = cluster
        self._namespace = namespace
        # Kept in memory before the shares are known.
        self._most = cluster * 3 // 2
        self._listed = listed
        self._used: dict[str, int] = {}
        self._read: list[tuple[Monitor, list[Job], int]] = []
        self._total = 0

    def add(self, monitor: Monitor, jobs: list[Job]) -> str | None:
        """Why the monitor is skipped; None if it may be kept."""
        wanted, namespace = units(jobs), monitor.namespace
        used = self._used.get(namespace, 0)
        if used + wanted > (self._cluster if namespace in self._listed else self._namespace):
            return (
                f"the monitors of the namespace before it take {used} of {self._namespace} units, and it takes "
                f"{wanted}: one for each endpoint, and more for one with many or large expressions"
            )
        if self._total + wanted > self._most:
            return self._full(0)
        self._used[namespace] = used + wanted
        self._total += wanted
        self._read.append((monitor, jobs, wanted))
        return None

    def kept(self) -> tuple[list[Job], dict[Monitor, str]]:
        """The jobs, and the monitors for which nothing is left, with the reason.

        Listed namespaces come first. If the others want more than is left, each gets the same share.
        """
        share = self._namespace
        while (chosen := self._within(share)) and sum(wanted for *_, wanted in chosen) > self._cluster and share:
            share -= 1
        names = {monitor for monitor, *_ in chosen}
        rest = {monitor: self._full(share) for monitor, *_ in self._read if monitor not in names}
        return [job for _, jobs, _ in chosen for job in jobs], rest

    def _within(self, share: int) -> list[tuple[Monitor, list[Job], int]]:
        used: dict[str, int] = {}
        chosen: list[tuple[Monitor, list[Job], int]] = []
        for one in self._read:
            namespace, wanted = one[0].namespace, one[2]
            if used.get(namespace, 0) + wanted <= (self._cluster if namespace in self._listed else share):
                used[namespace] = used.get(namespace, 0) + wanted
                chosen.append(one)
        return chosen

    def _full(self, share: int) -> str:
        return f"all monitors of the cluster want more than {self._cluster} units, so that each namespace has {share}"
