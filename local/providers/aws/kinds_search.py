"""OpenSearch: domains, and who may use them."""

import time

from local.providers.aws.kind import Kind, Request, only, text
from local.providers.aws.service import GoneError, Service, like
from local.providers.aws.tags import tag_list, tag_map
from local.providers.errors import ProviderError
from local.providers.values import Object, mapping, mappings

_RENAMED = {"encryptAtRest": "encryptionAtRestOptions", "nodeToNodeEncryption": "nodeToNodeEncryptionOptions"}
_AS_IS = (
    "domainName",
    "engineVersion",
    "clusterConfig",
    "ebsOptions",
    "vpcOptions",
    "domainEndpointOptions",
    "advancedSecurityOptions",
    "advancedOptions",
    "ipAddressType",
    "offPeakWindowOptions",
    "softwareUpdateOptions",
    "autoTuneOptions",
)
_FIXED = frozenset({"domainName"})
# Seconds. A real domain takes an hour; an emulator must not.
_PATIENCE, _PAUSE = 120.0, 0.5


def _given(inputs: Object) -> Object:
    return only(inputs, *_AS_IS) | {theirs: inputs[ours] for ours, theirs in _RENAMED.items() if ours in inputs}


def _domain(service: Service, _id: str, inputs: Object) -> Object:
    found = mapping(service.call("describe_domain", only(inputs, "domainName"))["DomainStatus"])
    if found.get("Deleted"):
        raise GoneError(f"{inputs['domainName']} is being deleted")
    there = {key.lower(): value for key, value in found.items()}
    same = {key: like(value, there.get(key.lower(), value)) for key, value in only(inputs, *_AS_IS).items()}
    same |= {key: like(inputs[key], there.get(name.lower())) for key, name in _RENAMED.items() if key in inputs}
    if "advancedSecurityOptions" in same:  # the service never tells who its master is
        same["advancedSecurityOptions"] = inputs["advancedSecurityOptions"]
    endpoint = found.get("Endpoint") or mapping(found.get("Endpoints")).get("vpc", "")
    tags = service.call("list_tags", {"arn": found["ARN"]}).get("TagList")
    return {
        **same,
        "arn": found["ARN"],
        "domainId": found["DomainId"],
        "endpoint": endpoint,
        "tags": tag_map(mappings(tags)),
    }


def _settled(service: Service, _id: str, inputs: Object) -> None:
    deadline = time.monotonic() + _PATIENCE
    while mapping(service.call("describe_domain", only(inputs, "domainName"))["DomainStatus"]).get("Processing"):
        if time.monotonic() > deadline:
            raise ProviderError(f"{inputs['domainName']} was not ready after {_PATIENCE:g} s")
        time.sleep(_PAUSE)


def _reconfigure(service: Service, found: str, inputs: Object) -> None:
    given = {key: value for key, value in _given(inputs).items() if key not in (*_FIXED, "engineVersion")}
    service.call("update_domain_config", {**given, **only(inputs, "domainName")})
    _settled(service, found, inputs)


def _retag(service: Service, found: str, inputs: Object) -> None:
    there = tag_map(mappings(service.call("list_tags", {"arn": found}).get("TagList")))
    if gone := sorted(there.keys() - mapping(inputs["tags"]).keys()):
        service.call("remove_tags", {"arn": found, "tagKeys": gone})
    service.call("add_tags", {"arn": found, "tagList": tag_list(inputs["tags"])})


def _policy(service: Service, _id: str, inputs: Object) -> Object:
    found = mapping(service.call("describe_domain", only(inputs, "domainName"))["DomainStatus"])
    if not found.get("AccessPolicies"):
        raise GoneError(f"{inputs['domainName']} has no access policy")
    return {"domainName": inputs["domainName"], "accessPolicies": found["AccessPolicies"]}


KINDS = (
    Kind(
        token="aws:opensearch/domain:Domain",  # noqa: S106 (a type)
        service="opensearch",
        inputs=frozenset({*_AS_IS, *_RENAMED, "tags"}),
        create=lambda inputs: Request("create_domain", {**_given(inputs), "tagList": tag_list(inputs["tags"])}),
        identify=lambda _inputs, answer: str(mapping(answer["DomainStatus"])["ARN"]),
        live=_domain,
        delete=lambda service, _id, inputs: service.call("delete_domain", only(inputs, "domainName")),
        after=_settled,
        updates={**dict.fromkeys({*_AS_IS, *_RENAMED} - _FIXED, _reconfigure), "tags": _retag},
        name="domainName",
    ),
    Kind(
        token="aws:opensearch/domainPolicy:DomainPolicy",  # noqa: S106 (a type)
        service="opensearch",
        inputs=frozenset({"domainName", "accessPolicies"}),
        create=lambda inputs: Request(
            "update_domain_config",
            {"domainName": inputs["domainName"], "accessPolicies": text(inputs["accessPolicies"])},
        ),
        identify=lambda inputs, _answer: f"esd-policy-{inputs['domainName']}",
        live=_policy,
        delete=lambda service, _id, inputs: service.call(
            "update_domain_config", {**only(inputs, "domainName"), "accessPolicies": ""}
        ),
        again=frozenset({"accessPolicies"}),
    ),
)
