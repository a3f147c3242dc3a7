"""How pytest-xdist distributes tests.

All tests of a file run in one worker. Files that share an expensive server run in the same worker.
"""

import functools
import re

from xdist.scheduler import LoadFileScheduling

from tests.mock_engine import ROOT

_GROUP = re.compile(r"""pytest\.mark\.xdist_group\(["']([\w-]+)["']\)""")


class ByServer(LoadFileScheduling):
    """Groups tests by file, or by the mark `xdist_group` in the file's `pytestmark`.

    It replaces `--dist loadgroup`, which has no effect: pytest 9.1 and later ignore the group that pytest-xdist 3.8
    appends to a test's id.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


@functools.cache
def group_of(file: str) -> str:
    """The group of a test file: the name in its mark, else the file's path, which is relative to the project."""
    found = _GROUP.search((ROOT / file).read_text())
    return found[1] if found else file
