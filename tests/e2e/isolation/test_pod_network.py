"""The plugins that connect pods in the embedded cluster leave them no address that network policies do not cover."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local import cluster, debian
from local.paths import ROOT

SCRIPT = Path(__file__).parent / "pods_on_a_bridge.py"


@pytest.mark.skipif(not cluster.IPV6.is_dir(), reason="this kernel has no IPv6")
def test_a_pod_reaches_another_by_ipv4_only() -> None:
    """Network policies filter IPv4; here there are none."""
    configuration = cluster.pod_network((ROOT / "local/node/bridge.conflist").read_text(), ipv6=True)
    done = subprocess.run(
        [
            *("unshare", "--mount", "--net", "--fork", sys.executable, str(SCRIPT)),
            *(str(debian.root("node", cluster.PACKAGES)), configuration),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"ipv4": True, "ipv6": False}
