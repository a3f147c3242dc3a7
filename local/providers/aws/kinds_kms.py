"""KMS: keys and their names. A deleted key is only scheduled for it, as AWS does."""

from local.providers.aws.kind import Kind, Request, only, text
from local.providers.aws.service import GoneError, Service
from local.providers.aws.tags import retag, tag_list, tag_map
from local.providers.values import Object, mapping, mappings

_TAG = ("TagKey", "TagValue")
_POLICY = "default"
"""The one name that a key's policy can have."""
_WINDOW = 30
"""Days until a key is gone, if the program says nothing."""


def _create(inputs: Object) -> Request:
    given = only(inputs, "description", "keyUsage", "multiRegion")
    policy = {"policy": text(inputs["policy"])} if "policy" in inputs else {}
    return Request("create_key", {**given, **policy, "tags": tag_list(inputs["tags"], _TAG)})


def _rotate(service: Service, key: str, inputs: Object) -> None:
    if inputs.get("enableKeyRotation"):
        service.call("enable_key_rotation", {"keyId": key, **only(inputs, "rotationPeriodInDays")})
    else:
        service.call("disable_key_rotation", {"keyId": key})


def _key(service: Service, key: str, inputs: Object) -> Object:
    found = mapping(service.call("describe_key", {"keyId": key})["KeyMetadata"])
    if found.get("KeyState") == "PendingDeletion":
        raise GoneError(f"key {key} is to be deleted")
    tags = service.call("list_resource_tags", {"keyId": key}).get("Tags")
    return {
        "arn": found["Arn"],
        "keyId": found["KeyId"],
        "description": found.get("Description", ""),
        "policy": service.call("get_key_policy", {"keyId": key, "policyName": _POLICY})["Policy"],
        "enableKeyRotation": service.call("get_key_rotation_status", {"keyId": key})["KeyRotationEnabled"],
        "tags": tag_map(mappings(tags), _TAG),
        **only(inputs, "deletionWindowInDays", "rotationPeriodInDays"),
    }


def _permit(service: Service, key: str, inputs: Object) -> None:
    service.call("put_key_policy", {"keyId": key, "policyName": _POLICY, "policy": text(inputs["policy"])})


def _describe(service: Service, key: str, inputs: Object) -> None:
    service.call("update_key_description", {"keyId": key, "description": inputs.get("description", "")})


def _delete(service: Service, key: str, inputs: Object) -> None:
    days = inputs.get("deletionWindowInDays", _WINDOW)
    service.call("schedule_key_deletion", {"keyId": key, "pendingWindowInDays": days})


def _alias(service: Service, name: str, inputs: Object) -> Object:
    for found in mappings(service.call("list_aliases", {}).get("Aliases")):
        if found["AliasName"] == name:
            target = str(found.get("TargetKeyId", ""))
            # The program may name the key by its ARN, and KMS gives its id.
            given = str(inputs.get("targetKeyId", ""))
            same = given.rpartition("/")[2] == target.rpartition("/")[2]
            arn = str(found["AliasArn"])
            key = f"{arn.partition(':alias/')[0]}:key/{target}"
            return {"name": name, "arn": arn, "targetKeyId": given if same else target, "targetKeyArn": key}
    raise GoneError(f"there is no {name}")


def _alias_arguments(inputs: Object) -> Object:
    return {"aliasName": inputs["name"], "targetKeyId": inputs["targetKeyId"]}


KINDS = (
    Kind(
        token="aws:kms/key:Key",  # noqa: S106 (a type)
        service="kms",
        inputs=frozenset(
            {
                "description",
                "policy",
                "enableKeyRotation",
                "rotationPeriodInDays",
                "deletionWindowInDays",
                "keyUsage",
                "multiRegion",
                "tags",
            }
        ),
        create=_create,
        identify=lambda _inputs, answer: str(mapping(answer["KeyMetadata"])["KeyId"]),
        live=_key,
        delete=_delete,
        after=lambda service, key, inputs: _rotate(service, key, inputs) if inputs.get("enableKeyRotation") else None,
        updates={
            "policy": _permit,
            "description": _describe,
            "enableKeyRotation": _rotate,
            "rotationPeriodInDays": _rotate,
            "tags": retag("resource", "keyId", _TAG),
        },
        local=frozenset({"deletionWindowInDays"}),
    ),
    Kind(
        token="aws:kms/alias:Alias",  # noqa: S106 (a type)
        service="kms",
        inputs=frozenset({"name", "targetKeyId"}),
        create=lambda inputs: Request("create_alias", _alias_arguments(inputs)),
        identify=lambda inputs, _answer: str(inputs["name"]),
        live=_alias,
        delete=lambda service, name, _inputs: service.call("delete_alias", {"aliasName": name}),
        updates={
            "targetKeyId": lambda service, _id, inputs: service.call("update_alias", _alias_arguments(inputs)),
        },
        name="name",
        name_prefix="alias/",
    ),
)
