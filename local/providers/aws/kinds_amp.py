"""Managed Prometheus: workspaces."""

from local.providers.aws.kind import Kind, Request, only
from local.providers.aws.service import Service
from local.providers.aws.tags import retag_arn
from local.providers.values import Object, mapping


def _workspace(service: Service, found: str, inputs: Object) -> Object:
    there = mapping(service.call("describe_workspace", {"workspaceId": found})["workspace"])
    return {
        "alias": there.get("alias", ""),
        "arn": there["arn"],
        "prometheusEndpoint": there.get("prometheusEndpoint", ""),
        "tags": mapping(there.get("tags")),
        # What an emulator forgets is no drift.
        **({"kmsKeyArn": there["kmsKeyArn"]} if there.get("kmsKeyArn") else only(inputs, "kmsKeyArn")),
    }


KINDS = (
    Kind(
        token="aws:amp/workspace:Workspace",  # noqa: S106 (a type)
        service="amp",
        inputs=frozenset({"alias", "kmsKeyArn", "tags"}),
        create=lambda inputs: Request("create_workspace", only(inputs, "alias", "kmsKeyArn", "tags")),
        identify=lambda _inputs, answer: str(answer["workspaceId"]),
        live=_workspace,
        delete=lambda service, found, _inputs: service.call("delete_workspace", {"workspaceId": found}),
        updates={
            "alias": lambda service, found, inputs: service.call(
                "update_workspace_alias", {"workspaceId": found, **only(inputs, "alias")}
            ),
            "tags": retag_arn(lambda service, found, inputs: str(_workspace(service, found, inputs)["arn"])),
        },
    ),
)
