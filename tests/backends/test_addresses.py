"""The real Alertmanager starts with the address that its pod gets, of either family."""

from collections.abc import Callable
from pathlib import Path

import pytest

from local.ports import free_port
from tests.mock_engine import Recorded
from tools.programs import Server


@pytest.mark.parametrize("pod_ip", ["10.0.12.7", "2600:1f18:1::5"])
def test_alertmanager_advertises_the_address_of_its_pod(
    program: Callable[..., Recorded], tmp_path: Path, pod_ip: str
) -> None:
    pod = program().one("StatefulSet", "alertmanager").pod
    assert pod
    (advertised,) = (text for text in pod["spec"]["containers"][0]["args"] if "advertise" in text)
    config, port = tmp_path / "alertmanager.yml", free_port()
    config.write_text("{route: {receiver: nobody}, receivers: [{name: nobody}]}")
    arguments = [
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=127.0.0.1:0",
        advertised.replace("$(POD_IP)", pod_ip),
    ]
    with Server("alertmanager", arguments, tmp_path, f"http://127.0.0.1:{port}/-/healthy") as server:
        assert "too many colons" not in server.log
