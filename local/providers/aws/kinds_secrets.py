"""Secrets Manager: secrets and their values."""

from local.providers.aws.kind import Kind, Request, only, text
from local.providers.aws.service import GoneError, Service
from local.providers.aws.tags import tag_list, tag_map
from local.providers.values import Object, mappings


def _secret(service: Service, found: str, inputs: Object) -> Object:
    there = service.call("describe_secret", {"secretId": found})
    if there.get("DeletedDate"):
        raise GoneError(f"secret {found} is to be deleted")
    return {
        "name": there["Name"],
        "arn": there["ARN"],
        "description": there.get("Description", ""),
        "kmsKeyId": there.get("KmsKeyId", ""),
        "tags": tag_map(mappings(there.get("Tags"))),
        **only(inputs, "recoveryWindowInDays"),
    }


def _describe(service: Service, found: str, inputs: Object) -> None:
    service.call("update_secret", {"secretId": found, **only(inputs, "description", "kmsKeyId")})


def _retag(service: Service, found: str, inputs: Object) -> None:
    service.call("tag_resource", {"secretId": found, "tags": tag_list(inputs["tags"])})


def _delete(service: Service, found: str, inputs: Object) -> None:
    days = inputs.get("recoveryWindowInDays", 30)
    window = {"recoveryWindowInDays": days} if days else {"forceDeleteWithoutRecovery": True}
    service.call("delete_secret", {"secretId": found, **window})


def _value(service: Service, _id: str, inputs: Object) -> Object:
    there = service.call("get_secret_value", {"secretId": inputs["secretId"]})
    return {"secretId": inputs["secretId"], "secretString": there["SecretString"], "versionId": there["VersionId"]}


def _create(inputs: Object) -> Request:
    given = only(inputs, "name", "description", "kmsKeyId")
    return Request("create_secret", {**given, "tags": tag_list(inputs["tags"])})


def _permission(service: Service, _id: str, inputs: Object) -> Object:
    there = service.call("get_resource_policy", {"secretId": inputs["secretArn"]})
    if not there.get("ResourcePolicy"):
        raise GoneError(f"{inputs['secretArn']} has no policy")
    return {"secretArn": inputs["secretArn"], "policy": there["ResourcePolicy"]}


KINDS = (
    Kind(
        token="aws:secretsmanager/secret:Secret",  # noqa: S106 (a type)
        service="secretsmanager",
        inputs=frozenset({"name", "description", "kmsKeyId", "recoveryWindowInDays", "tags"}),
        create=_create,
        identify=lambda _inputs, answer: str(answer["ARN"]),
        live=_secret,
        delete=_delete,
        updates={**dict.fromkeys(("description", "kmsKeyId"), _describe), "tags": _retag},
        local=frozenset({"recoveryWindowInDays"}),
        name="name",
    ),
    Kind(
        token="aws:secretsmanager/secretVersion:SecretVersion",  # noqa: S106 (a type)
        service="secretsmanager",
        inputs=frozenset({"secretId", "secretString"}),
        create=lambda inputs: Request("put_secret_value", only(inputs, "secretId", "secretString")),
        identify=lambda inputs, answer: f"{inputs['secretId']}|{answer['VersionId']}",
        live=_value,
        delete=lambda _service, _id, _inputs: None,  # goes with its secret
    ),
    Kind(
        token="aws:secretsmanager/secretPolicy:SecretPolicy",  # noqa: S106 (a type)
        service="secretsmanager",
        inputs=frozenset({"secretArn", "policy"}),
        create=lambda inputs: Request(
            "put_resource_policy", {"secretId": inputs["secretArn"], "resourcePolicy": text(inputs["policy"])}
        ),
        identify=lambda inputs, _answer: str(inputs["secretArn"]),
        live=_permission,
        delete=lambda service, found, _inputs: service.call("delete_resource_policy", {"secretId": found}),
        again=frozenset({"policy"}),
    ),
)
