"""The settings of the bootstrap program. All problems are reported at once."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pulumi

from settings.eks.aws import partition

_FORMS = {
    "accountId": (r"\d{12}", "the 12 digits of an AWS account"),
    "region": (r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region such as eu-central-1"),
    "stateBucket": (r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "an S3 bucket's name: 3 to 63 small letters, digits and `-`"),
    "repository": (r"[\w.-]+/[\w.-]+", "ORGANIZATION/REPOSITORY"),
    "githubProviderArn": (
        r"(arn:aws[a-z-]*:iam::\d{12}:oidc-provider/token\.actions\.githubusercontent\.com)?",
        "the ARN of GitHub's OpenID Connect provider",
    ),
    "hostedZoneRoleArn": (r"(arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+)?", "the ARN of an IAM role"),
}
_STACK = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"


@dataclass(frozen=True, kw_only=True)
class BootstrapSettings:
    """What the account gets."""

    account_id: str
    region: str
    state_bucket: str
    stacks: tuple[str, ...]
    """Names of the platform's stacks in this account."""
    repository: str
    github_provider_arn: str
    """Empty if the program creates the provider."""
    hosted_zone_role_arn: str
    """Role that previews and deployments may assume for the records of the pages; empty for none."""
    search_role: bool

    @property
    def partition(self) -> str:
        """The AWS partition of the region."""
        return partition(self.region)

    @property
    def bucket_arn(self) -> str:
        """ARN of the bucket of the states."""
        return f"arn:{self.partition}:s3:::{self.state_bucket}"


def read(config: pulumi.Config) -> BootstrapSettings:
    """The settings of the selected stack. Raises pulumi.RunError with one line for each problem."""
    texts = {key: config.get(key) or "" for key in _FORMS}
    stacks: object = config.get_object("stacks")
    problems = [*_problems(texts), *_stack_problems(stacks)]
    if problems or not isinstance(stacks, list):
        raise pulumi.RunError("nothing was changed.\n" + "\n".join(f"  {line}" for line in problems))
    return BootstrapSettings(
        account_id=texts["accountId"],
        region=texts["region"],
        state_bucket=texts["stateBucket"],
        stacks=tuple(str(name) for name in stacks),
        repository=texts["repository"],
        github_provider_arn=texts["githubProviderArn"],
        hosted_zone_role_arn=texts["hostedZoneRoleArn"],
        search_role=bool(config.get_bool("searchRole")),
    )


def _problems(texts: dict[str, str]) -> Iterator[str]:
    for key, (form, allowed) in _FORMS.items():
        if not re.fullmatch(form, texts[key]):
            yield f"{key}: {json.dumps(texts[key])} is not allowed; allowed: {allowed}"


def _stack_problems(stacks: object) -> Iterator[str]:
    allowed = "a list of stacks' names, each of at most 32 small letters, digits and `-`, and none twice"
    if not isinstance(stacks, list) or not stacks or len(set(map(str, stacks))) < len(stacks):
        yield f"stacks: {json.dumps(stacks)} is not allowed; allowed: {allowed}"
        return
    for name in stacks:
        # The documented rights of deployments cover every role whose name contains `-observability-`.
        if not re.fullmatch(_STACK, str(name)) or "observability" in str(name):
            yield f"stacks: {json.dumps(name)} is not allowed; allowed: {allowed}, without `observability`"
