"""CloudWatch Logs: log groups."""

from local.providers.aws.kind import Kind, Request, only
from local.providers.aws.service import GoneError, Service
from local.providers.aws.tags import retag_arn
from local.providers.values import Object, mapping, mappings


def _create(inputs: Object) -> Request:
    return Request("create_log_group", {"logGroupName": inputs["name"], **only(inputs, "kmsKeyId", "tags")})


def _retain(service: Service, name: str, inputs: Object) -> None:
    if days := inputs.get("retentionInDays"):
        service.call("put_retention_policy", {"logGroupName": name, "retentionInDays": days})
    else:
        service.call("delete_retention_policy", {"logGroupName": name})


def _encrypt(service: Service, name: str, inputs: Object) -> None:
    if key := inputs.get("kmsKeyId"):
        service.call("associate_kms_key", {"logGroupName": name, "kmsKeyId": key})
    else:
        service.call("disassociate_kms_key", {"logGroupName": name})


def _group(service: Service, name: str, _inputs: Object) -> Object:
    for found in mappings(service.call("describe_log_groups", {"logGroupNamePrefix": name}).get("logGroups")):
        if found["logGroupName"] == name:
            arn = str(found["arn"]).removesuffix(":*")
            tags = service.call("list_tags_for_resource", {"resourceArn": arn}).get("tags")
            same = only(found, "kmsKeyId", "retentionInDays")
            return {"name": name, "arn": arn, "tags": mapping(tags), **same}
    raise GoneError(f"there is no log group {name}")


KINDS = (
    Kind(
        token="aws:cloudwatch/logGroup:LogGroup",  # noqa: S106 (a type)
        service="logs",
        inputs=frozenset({"name", "kmsKeyId", "retentionInDays", "tags"}),
        create=_create,
        identify=lambda inputs, _answer: str(inputs["name"]),
        live=_group,
        delete=lambda service, name, _inputs: service.call("delete_log_group", {"logGroupName": name}),
        after=lambda service, name, inputs: _retain(service, name, inputs) if inputs.get("retentionInDays") else None,
        updates={
            "retentionInDays": _retain,
            "kmsKeyId": _encrypt,
            "tags": retag_arn(lambda service, name, inputs: str(_group(service, name, inputs)["arn"])),
        },
        name="name",
    ),
)
