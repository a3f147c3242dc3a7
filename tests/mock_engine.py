"""The parts of the mock engine that tests use. It is in tools/recording, because programs run it, too."""

from alerting.files import ROOT
from tools.recording.engine import Recorded, Registration
from tools.recording.program import SECRETS, STACKS, stack_config

__all__ = ["ROOT", "SECRETS", "STACKS", "Recorded", "Registration", "stack_config"]
