"""How pytest-xdist hands out tests: a file to one worker, and files that share an expensive server to the same one."""

import functools
import re

from xdist.scheduler import LoadFileScheduling

from tests.mock_engine import ROOT

_GROUP = re.compile(r"""pytest\.mark\.xdist_group\(["']([\w-]+)["']\)""")


class ByServer(LoadFileScheduling):
    """Groups by file, or by the mark `xdist_group` in the file's `pytestmark`.

    It takes the place of `--dist loadgroup`, which groups nothing: pytest 9.1 and later ignore the name that
    pytest-xdist 3.8 appends to a test's id.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


@functools.cache
def group_of(file: str) -> str:
    """The group that a test file, relative to the project, is run with: its mark, else the file itself."""
    found = _GROUP.search((ROOT / file).read_text())
    return found[1] if found else file
