"""The settings of a stack, as capacity and cost read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.errors import OpsError
from settings import stack_files
from settings.eks.secret_references import PREFIX
from settings.stack_files import StackFileError
from settings.values import Values


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The values of a stack, and what capacity derives from them."""

    values: Values
    secrets: int
    """Number of secrets in Secrets Manager that values are read from."""

    @property
    def stores_logs_in_s3(self) -> bool:
        """Whether Loki's chunks are in a bucket."""
        return self.values.loki_storage_backend == "s3"

    @property
    def creates_cluster(self) -> bool:
        """Whether the stack creates its EKS cluster, and so pays for whole nodes."""
        return self.values.cluster == "create"


def read(written: Mapping[str, Any]) -> Sizing:
    """The sizing in a stack's values (see ops.environment). Raises OpsError that lists every unreadable value.

    A key that is missing, because an older commit did not have it, has today's default.
    """
    try:
        values = stack_files.typed({**stack_files.defaults(), **written})
    except StackFileError as error:
        raise OpsError(str(error)) from error
    # Several values may be keys of one secret: aws-secret:<name>#<key>.
    references = {str(value).split("#")[0] for value in written.values() if str(value).startswith(PREFIX)}
    return Sizing(values=values, secrets=len(references))
