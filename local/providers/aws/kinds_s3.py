"""S3: a bucket, and what is configured beside it."""

import json
from collections.abc import Callable

from local.providers.aws.kind import Kind, Request, nothing, only, text, without
from local.providers.aws.service import GoneError, Service, like
from local.providers.aws.tags import tag_list, tag_map
from local.providers.values import Object, mapping, mappings

_NO_LOCATION = "us-east-1"
"""The one region that a bucket must not name."""


def _create_bucket(inputs: Object) -> Request:
    here = {"createBucketConfiguration": {"locationConstraint": inputs["region"]}}
    return Request("create_bucket", only(inputs, "bucket") | (here if inputs["region"] != _NO_LOCATION else {}))


def _identify(inputs: Object, _answer: Object) -> str:
    return str(inputs["bucket"])


def _bucket(service: Service, name: str, inputs: Object) -> Object:
    service.call("head_bucket", {"bucket": name})
    return {
        "bucket": name,
        "arn": f"arn:{service.partition}:s3:::{name}",
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{name}.s3.{service.region}.amazonaws.com",
        "region": service.region,
        "tags": _tags(service, name),
        **only(inputs, "forceDestroy"),
    }


def _tags(service: Service, name: str) -> Object:
    try:
        return tag_map(mappings(service.call("get_bucket_tagging", {"bucket": name}).get("TagSet")))
    except GoneError:  # so does S3 say that there are none
        return {}


def _tag(service: Service, name: str, inputs: Object) -> None:
    service.call("put_bucket_tagging", {"bucket": name, "tagging": {"tagSet": tag_list(inputs["tags"])}})


def _delete_bucket(service: Service, name: str, inputs: Object) -> None:
    if inputs.get("forceDestroy"):
        _empty(service, name)
    service.call("delete_bucket", {"bucket": name})


def _empty(service: Service, name: str) -> None:
    while True:
        page = service.call("list_object_versions", {"bucket": name})
        found = [*mappings(page.get("Versions")), *mappings(page.get("DeleteMarkers"))]
        if not found:
            return
        objects = [{"key": one["Key"], "versionId": one["VersionId"]} for one in found]
        service.call("delete_objects", {"bucket": name, "delete": {"objects": objects}})


def _side(
    kind: str,
    operation: str,
    *,
    given: Callable[[Object], Object],
    live: Callable[[Object, Object], Object],
    arguments: frozenset[str],
    delete: str | None,
) -> Kind:
    """What is configured at a bucket by one `put`; its id is the bucket's name."""
    method = kind[0].lower() + kind[1:]

    def look(service: Service, name: str, inputs: Object) -> Object:
        return {"bucket": name, **live(service.call(f"get_{operation}", {"bucket": name}), inputs)}

    def remove(service: Service, name: str, _inputs: Object) -> None:
        service.call(str(delete), {"bucket": name})

    return Kind(
        token=f"aws:s3/{method}:{kind}",
        service="s3",
        inputs=frozenset({"bucket", *arguments}),
        create=lambda inputs: Request(f"put_{operation}", {"bucket": inputs["bucket"], **given(inputs)}),
        identify=_identify,
        live=look,
        delete=remove if delete else nothing,
        again=arguments,
    )


def _rules(inputs: Object) -> list[Object]:
    """Lifecycle rules; S3 wants a filter in each, if only an empty one."""
    return [{"filter": {"prefix": ""}, **rule} for rule in mappings(inputs.get("rules"))]


_SWITCHES = frozenset({"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"})
_OFF = "Suspended"

KINDS = (
    Kind(
        token="aws:s3/bucket:Bucket",  # noqa: S106 (a type)
        service="s3",
        inputs=frozenset({"bucket", "forceDestroy", "tags"}),
        create=_create_bucket,
        identify=_identify,
        live=_bucket,
        delete=_delete_bucket,
        after=_tag,
        updates={"tags": _tag},
        local=frozenset({"forceDestroy"}),
        name="bucket",
    ),
    _side(
        "BucketServerSideEncryptionConfiguration",
        "bucket_encryption",
        given=lambda inputs: {"serverSideEncryptionConfiguration": {"rules": mappings(inputs["rules"])}},
        live=lambda found, inputs: {
            "rules": like(inputs["rules"], mapping(found["ServerSideEncryptionConfiguration"])["Rules"])
        },
        arguments=frozenset({"rules"}),
        delete="delete_bucket_encryption",
    ),
    _side(
        "BucketPublicAccessBlock",
        "public_access_block",
        given=lambda inputs: {"publicAccessBlockConfiguration": only(inputs, *_SWITCHES)},
        live=lambda found, inputs: mapping(like(only(inputs, *_SWITCHES), found["PublicAccessBlockConfiguration"])),
        arguments=_SWITCHES,
        delete="delete_public_access_block",
    ),
    _side(
        "BucketOwnershipControls",
        "bucket_ownership_controls",
        given=lambda inputs: {"ownershipControls": {"rules": [inputs["rule"]]}},
        live=lambda found, inputs: {"rule": like(inputs["rule"], mapping(found["OwnershipControls"])["Rules"][0])},
        arguments=frozenset({"rule"}),
        delete="delete_bucket_ownership_controls",
    ),
    _side(
        "BucketVersioning",
        "bucket_versioning",
        given=lambda inputs: {"versioningConfiguration": inputs["versioningConfiguration"]},
        live=lambda found, _inputs: {"versioningConfiguration": {"status": found.get("Status", _OFF)}},
        arguments=frozenset({"versioningConfiguration"}),
        delete=None,  # a bucket that had versions once has them for ever
    ),
    _side(
        "BucketLifecycleConfiguration",
        "bucket_lifecycle_configuration",
        given=lambda inputs: {"lifecycleConfiguration": {"rules": _rules(inputs)}},
        live=lambda found, inputs: {"rules": like(inputs["rules"], found["Rules"])},
        arguments=frozenset({"rules"}),
        delete="delete_bucket_lifecycle",
    ),
    _side(
        "BucketPolicy",
        "bucket_policy",
        given=lambda inputs: {"policy": text(inputs["policy"])},
        live=lambda found, inputs: {
            "policy": found["Policy"] if isinstance(inputs["policy"], str) else json.loads(str(found["Policy"]))
        },
        arguments=frozenset({"policy"}),
        delete="delete_bucket_policy",
    ),
    _side(
        "BucketLogging",
        "bucket_logging",
        given=lambda inputs: {"bucketLoggingStatus": {"loggingEnabled": without(inputs, "bucket")}},
        live=lambda found, inputs: mapping(like(without(inputs, "bucket"), found.get("LoggingEnabled"))),
        arguments=frozenset({"targetBucket", "targetPrefix"}),
        delete=None,  # ends with the bucket
    ),
)
