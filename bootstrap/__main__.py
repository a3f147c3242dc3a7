"""Prepares one AWS account for the platform's stacks: state, keys, and the roles of the workflows."""

import sys
from pathlib import Path

import pulumi

# The engine puts this folder on the path; the packages are those of the repository.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bootstrap.account import Account
from bootstrap.settings import read

settings = read(pulumi.Config())
account = Account("account", settings)
pulumi.export("backend", account.backend)
pulumi.export("stacks", account.stacks)
