"""Starts, enters and ends the node's Linux namespaces. Afterwards, the host is as it was before."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError
from local.paths import ROOT, STATE

NODE_ROOT = STATE / "node"
_RECORD = NODE_ROOT / "var/lib/node.json"  # written by node/init.sh
# Shared by all checkouts on this machine while clusters run: the link of each cluster, and original kernel settings.
_MACHINE = Path("/run/observability-platform")
# The kubelet changes these for the whole kernel; they are saved before the first node and restored after the last.
_SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A running node, seen from the host."""

    pid: int
    namespace: int
    """Inode of the node's PID namespace, which distinguishes this process from a later one with the same pid."""
    interface: str
    host_address: str
    address: str
    cgroup: str

    def alive(self) -> bool:
        """Whether the node's first process still runs."""
        try:
            return Path(f"/proc/{self.pid}/ns/pid").stat().st_ino == self.namespace
        except OSError:
            return False

    def run(self, *command: str, stdin: bytes | None = None, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside the node. If it fails and `check` is set, raises LocalError with its last lines."""
        entered = ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        done = subprocess.run([*entered, *command], input=stdin, capture_output=True, check=False, env=environment)
        if check and done.returncode:
            tail = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-12:]
            raise LocalError(f"inside the node, {' '.join(command)!r} failed:\n" + "\n".join(tail))
        return done


def current() -> Node | None:
    """The node of this checkout; None if it does not run."""
    node = _recorded()
    return node if node and node.alive() else None


def _recorded() -> Node | None:
    try:
        return Node(**json.loads(_RECORD.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def start() -> Node:
    """Start the node from the folder NODE_ROOT, with its previous address if it had one.

    Raises LocalError with the end of the log if it does not start.
    """
    before = _recorded()
    slot = _claim_slot(int(before.address.split(".")[2]) if before else None)
    cgroup = _cgroup_name()
    _remove_cgroups(cgroup)  # remains of a killed node, which would keep the kubelet busy
    make_cgroups(cgroup)
    _RECORD.unlink(missing_ok=True)
    log = STATE / "node.log"
    with log.open("wb") as sink:
        launcher = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"),
                *("bash", str(ROOT / "local/node/init.sh"), str(NODE_ROOT), str(os.getpid())),
                *(f"obs{slot}", f"10.213.{slot}.1", f"10.213.{slot}.2", cgroup),
            ],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            cwd="/",
        )
    deadline = time.monotonic() + 20
    while not (node := current()):
        if launcher.poll() is not None or time.monotonic() > deadline:
            launcher.kill()
            raise LocalError(f"the node's namespaces did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return node


def stop() -> None:
    """End the node with all its processes, remove its cgroups and its link, and restore the kernel's settings."""
    node = current()
    if node:
        os.kill(node.pid, signal.SIGKILL)  # ends all processes of the PID namespace
        deadline = time.monotonic() + 30
        while node.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
    _remove_cgroups(_cgroup_name())
    _release_slot()


def _claim_slot(wanted: int | None) -> int:
    """The number of a free /30 link in 10.213.0.0/16: `wanted` if it is given, else any."""
    with _machine_lock():
        slots = _MACHINE / "slots"
        slots.mkdir(exist_ok=True)
        taken = {int(file.name): file.read_text() for file in slots.iterdir()}
        if not taken:
            for name in _SYSCTLS:
                (_MACHINE / name.replace("/", ".")).write_text(Path("/proc/sys", name).read_text())
        if wanted is not None and taken.get(wanted, str(ROOT)) != str(ROOT):
            raise LocalError(
                f"10.213.{wanted}.2, the address in this cluster's certificates, is now used by {taken[wanted]}; "
                "run `make down` there, or here to start with a new cluster"
            )
        routes = Path("/proc/net/fib_trie").read_text()
        free = (slot for slot in range(1, 255) if slot not in taken and f" 10.213.{slot}.0" not in routes)
        ours = (slot for slot, owner in taken.items() if owner == str(ROOT))
        slot = wanted if wanted is not None else next(ours, None) or next(free, None)
        if slot is None:
            raise LocalError("no free address range in 10.213.0.0/16 for the node's link: 254 are in use")
        (slots / str(slot)).write_text(str(ROOT))
        return slot


def _release_slot() -> None:
    with _machine_lock():
        slots = _MACHINE / "slots"
        for file in slots.iterdir() if slots.exists() else ():
            if file.read_text() == str(ROOT):
                file.unlink()
        if not slots.exists() or not any(slots.iterdir()):
            for name in _SYSCTLS:
                saved = _MACHINE / name.replace("/", ".")
                if saved.exists():
                    Path("/proc/sys", name).write_text(saved.read_text())
            shutil.rmtree(_MACHINE)


@contextmanager
def _machine_lock() -> Generator[None]:
    handle = os.open("/run", os.O_RDONLY)  # not _MACHINE, which the last cluster removes
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _MACHINE.mkdir(exist_ok=True)
        yield
    finally:
        os.close(handle)


def _cgroup_name() -> str:
    return f"/observability-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"


def _hierarchies() -> list[Path]:
    """Folders in which a cgroup must be created: the unified mount, or one per controller on cgroup v1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [folder for folder in CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]


def make_cgroups(cgroup: str) -> None:
    """Creates the node's cgroup in each hierarchy, with eight times the usual share of a busy CPU.

    With the usual share, each session of tests, builds or drills beside the cluster gets as much as all its pods
    together, which then fail their probes.
    """
    for hierarchy in _hierarchies():
        folder = hierarchy / cgroup.lstrip("/")
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # on v1 a new cpuset is empty and accepts no process
            if (folder / name).exists() and (hierarchy / name).exists():
                (folder / name).write_text((hierarchy / name).read_text())
        for name, usual in (("cpu.shares", 1024), ("cpu.weight", 100)):  # of cgroup v1 and v2
            if (folder / name).exists():
                (folder / name).write_text(str(8 * usual))


def _remove_cgroups(cgroup: str) -> None:
    for hierarchy in _hierarchies():
        top = hierarchy / cgroup.lstrip("/")
        if not top.exists():
            continue
        for folder in sorted((p for p in top.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
            _remove_cgroup(folder)
        _remove_cgroup(top)


def _remove_cgroup(folder: Path) -> None:
    for _ in range(50):  # the kernel needs a moment after the last process has ended
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
