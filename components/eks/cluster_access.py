"""Waits until a cluster that was just created accepts its administrator.

EKS makes access entries known to its servers within seconds, not at once (EKS user guide, "Grant IAM users access to
Kubernetes with EKS access entries"), and a new private address takes longer to resolve. Without this wait the first
object sporadically fails.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pulumi
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

_ATTEMPTS = 60
_PAUSE_SECONDS = 5
_TIMEOUT_SECONDS = 10


async def proved(kubeconfig: str) -> str:
    """The kubeconfig, as JSON, once its user may do everything in the cluster; in a preview at once.

    Raises pulumi.RunError with the last answer after some minutes, for example if no network leads to the cluster.
    """
    if not pulumi.runtime.is_dry_run():
        await wait(lambda: asyncio.to_thread(refusal, kubeconfig))
    return kubeconfig


async def wait(
    ask: Callable[[], Awaitable[str | None]], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Asks until there is no refusal. Raises pulumi.RunError with the last refusal after _ATTEMPTS attempts."""
    last = None
    for _ in range(_ATTEMPTS):
        last = await ask()
        if last is None:
            return
        await sleep(_PAUSE_SECONDS)
    raise pulumi.RunError(
        f"The new cluster does not accept this machine and its login: {last}. Check that clusterApiCidrs, "
        "clusterApiSecurityGroupIds or clusterPublicAccessCidrs contains this machine, and that clusterAdminRoleArns "
        "contains the role that runs this program; then run `pulumi up` again, which continues with the cluster."
    )


def refusal(kubeconfig: str) -> str | None:
    """Why the cluster does not let the kubeconfig's user do everything, on one line; None if it does."""
    review = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=client.V1ResourceAttributes(group="*", resource="*", verb="*")
        )
    )
    try:
        api = config.new_client_from_config_dict(json.loads(kubeconfig), persist_config=False)
        api.configuration.retries = False
        answer = client.AuthorizationV1Api(client.ApiClient(api.configuration)).create_self_subject_access_review(
            review, _request_timeout=_TIMEOUT_SECONDS
        )
    except client.ApiException as error:
        return f"HTTP {error.status} {error.reason}"
    except (ConfigException, HTTPError, OSError) as error:
        return " ".join(str(error).split())
    return None if answer.status and answer.status.allowed else "the login may not do everything in the cluster"
