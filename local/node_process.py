"""The node's namespaces: start them, enter them, end them. Leaves the host as it was found."""

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
# What all checkouts of this machine share while clusters run: which link each one has, and the kernel's own settings.
_MACHINE = Path("/run/observability-platform")
# The kubelet sets these for the whole kernel; they are noted before the first node and restored after the last.
_SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A running node, as the host sees it."""

    pid: int
    namespace: int
    """Inode of the node's PID namespace: tells this process from a later one with the same pid."""
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
        """Run a command inside the node. Raises LocalError with its last lines when it fails and `check` is set."""
        entered = ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        done = subprocess.run([*entered, *command], input=stdin, capture_output=True, check=False, env=environment)
        if check and done.returncode:
            tail = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-12:]
            raise LocalError(f"inside the node, {' '.join(command)!r} failed:\n" + "\n".join(tail))
        return done


def current() -> Node | None:
    """The node of this checkout, if it runs."""
    node = _recorded()
    return node if node and node.alive() else None


def _recorded() -> Node | None:
    try:
        return Node(**json.loads(_RECORD.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def start() -> Node:
    """Start the node from the folder NODE_ROOT, with the address that it had before.

    Raises LocalError with the log's end when it does not come up.
    """
    before = _recorded()
    slot = _claim_slot(int(before.address.split(".")[2]) if before else None)
    cgroup = _cgroup_name()
    _remove_cgroups(cgroup)  # what a node left that was killed, or it keeps the kubelet busy
    _make_cgroups(cgroup)
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
    """End the node and all that runs in it; remove its cgroups, its link and what was noted of the kernel."""
    node = current()
    if node:
        os.kill(node.pid, signal.SIGKILL)  # the first process of a PID namespace takes all others with it
        deadline = time.monotonic() + 30
        while node.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
    _remove_cgroups(_cgroup_name())
    _release_slot()


def _claim_slot(wanted: int | None) -> int:
    """The number of a free /30 link below 10.213.0.0/16: the `wanted` one, or else any."""
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
                "make down there, or make down here to start afresh"
            )
        routes = Path("/proc/net/fib_trie").read_text()
        free = (slot for slot in range(1, 255) if slot not in taken and f" 10.213.{slot}.0" not in routes)
        ours = (slot for slot, owner in taken.items() if owner == str(ROOT))
        slot = wanted if wanted is not None else next(ours, None) or next(free, None)
        if slot is None:
            raise LocalError("no free address range below 10.213.0.0/16 for the node's link: 254 are in use")
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
                noted = _MACHINE / name.replace("/", ".")
                if noted.exists():
                    Path("/proc/sys", name).write_text(noted.read_text())
            shutil.rmtree(_MACHINE)


@contextmanager
def _machine_lock() -> Generator[None]:
    handle = os.open("/run", os.O_RDONLY)  # not our own folder: the last one out removes that
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _MACHINE.mkdir(exist_ok=True)
        yield
    finally:
        os.close(handle)


def _cgroup_name() -> str:
    return f"/observability-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"


def _hierarchies() -> list[Path]:
    """Where a cgroup has to be made: the unified mount, or one folder per controller on cgroup v1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [folder for folder in _CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _make_cgroups(cgroup: str) -> None:
    for hierarchy in _hierarchies():
        folder = hierarchy / cgroup.lstrip("/")
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # on v1 a new cpuset is empty and takes no process
            if (folder / name).exists() and (hierarchy / name).exists():
                (folder / name).write_text((hierarchy / name).read_text())


def _remove_cgroups(cgroup: str) -> None:
    for hierarchy in _hierarchies():
        top = hierarchy / cgroup.lstrip("/")
        if not top.exists():
            continue
        for folder in sorted((p for p in top.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
            _remove_cgroup(folder)
        _remove_cgroup(top)


def _remove_cgroup(folder: Path) -> None:
    for _ in range(50):  # the kernel needs a moment after the last process has gone
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
