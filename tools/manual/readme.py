"""The number of alerts in the first lines of README.md; the rest of the page is written by hand."""

import re

from alerting import loader
from alerting.files import ROOT

FILE = "README.md"
_COUNT = re.compile(r"(?<=with )\d+(?= alerts)")


def page() -> str:
    """The page in Markdown."""
    return _COUNT.sub(str(len(loader.load().rules())), (ROOT / FILE).read_text(encoding="utf-8"), count=1)
