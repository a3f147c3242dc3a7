"""EKS: clusters, add-ons, identities of pods, and who may enter."""

from local.providers.aws.kind import Kind, Request, only, without
from local.providers.aws.service import GoneError, Service, like
from local.providers.aws.tags import retag_arn
from local.providers.values import Object, mapping, mappings

_RENAMED = {"vpcConfig": "resourcesVpcConfig"}
_AS_IS = (
    "name",
    "version",
    "roleArn",
    "accessConfig",
    "bootstrapSelfManagedAddons",
    "computeConfig",
    "storageConfig",
    "kubernetesNetworkConfig",
    "upgradePolicy",
    "deletionProtection",
    "tags",
)
_IN_PLACE = ("vpcConfig", "enabledClusterLogTypes", "accessConfig", "deletionProtection")


def _create_cluster(inputs: Object) -> Request:
    given = only(inputs, *_AS_IS) | {theirs: inputs[ours] for ours, theirs in _RENAMED.items() if ours in inputs}
    if "encryptionConfig" in inputs:
        given["encryptionConfig"] = [inputs["encryptionConfig"]]
    if "enabledClusterLogTypes" in inputs:
        given["logging"] = {"clusterLogging": [{"types": inputs["enabledClusterLogTypes"], "enabled": True}]}
    return Request("create_cluster", given)


def _cluster(service: Service, name: str, inputs: Object) -> Object:
    found = mapping(service.call("describe_cluster", {"name": name})["cluster"])
    logs = [
        log
        for entry in mappings(mapping(found.get("logging")).get("clusterLogging"))
        if entry.get("enabled")
        for log in entry["types"]
    ]
    network = mapping(found.get("resourcesVpcConfig"))
    inside = {key: network[key] for key in ("clusterSecurityGroupId", "vpcId") if key in network}
    return {
        **{key: like(value, found.get(key, value)) for key, value in only(inputs, *_AS_IS).items()},
        "vpcConfig": {**mapping(like(inputs["vpcConfig"], network)), **inside},
        "arn": found["arn"],
        "endpoint": found.get("endpoint", ""),
        "certificateAuthority": mapping(found.get("certificateAuthority")),
        "identities": [{"oidcs": [mapping(mapping(found.get("identity")).get("oidc"))]}],
        "status": found.get("status", ""),
        "platformVersion": found.get("platformVersion", ""),
        "tags": mapping(found.get("tags")),
        **({"enabledClusterLogTypes": logs} if "enabledClusterLogTypes" in inputs else {}),
    }


def _ready(service: Service, name: str, _inputs: Object) -> None:
    service.wait("cluster_active", {"name": name})


def _reconfigure(service: Service, name: str, inputs: Object) -> None:
    given = _create_cluster(inputs).given
    kept = ("resourcesVpcConfig", "logging", "accessConfig", "deletionProtection")
    service.call("update_cluster_config", {"name": name, **only(given, *kept)})
    _ready(service, name, inputs)


def _upgrade(service: Service, name: str, inputs: Object) -> None:
    service.call("update_cluster_version", {"name": name, "version": inputs["version"]})
    _ready(service, name, inputs)


def _delete_cluster(service: Service, name: str, _inputs: Object) -> None:
    service.call("delete_cluster", {"name": name})
    service.wait("cluster_deleted", {"name": name})


def _addon_key(inputs: Object) -> Object:
    return only(inputs, "clusterName", "addonName")


def _create_addon(inputs: Object) -> Request:
    policy = {"resolveConflicts": inputs["resolveConflictsOnCreate"]} if "resolveConflictsOnCreate" in inputs else {}
    return Request("create_addon", without(inputs, "resolveConflictsOnCreate", *_ADDON_LOCAL) | policy)


def _addon(service: Service, _id: str, inputs: Object) -> Object:
    found = mapping(service.call("describe_addon", _addon_key(inputs))["addon"])
    same = only(found, "addonVersion", "configurationValues", "serviceAccountRoleArn")
    return {**_addon_key(inputs), **same, "arn": found["addonArn"], "tags": mapping(found.get("tags"))}


def _update_addon(service: Service, _id: str, inputs: Object) -> None:
    policy = {"resolveConflicts": inputs["resolveConflictsOnUpdate"]} if "resolveConflictsOnUpdate" in inputs else {}
    given = without(inputs, "resolveConflictsOnCreate", "tags", *_ADDON_LOCAL)
    service.call("update_addon", given | policy)
    service.wait("addon_active", _addon_key(inputs))


def _delete_addon(service: Service, _id: str, inputs: Object) -> None:
    service.call("delete_addon", {**_addon_key(inputs), **only(inputs, "preserve")})
    service.wait("addon_deleted", _addon_key(inputs))


_ADDON_LOCAL = ("preserve", "resolveConflictsOnUpdate")


def _association(service: Service, found: str, inputs: Object) -> Object:
    there = mapping(
        service.call(
            "describe_pod_identity_association", {"clusterName": inputs["clusterName"], "associationId": found}
        )["association"]
    )
    same = only(there, "clusterName", "namespace", "serviceAccount", "roleArn", "targetRoleArn", "disableSessionTags")
    arn = {"associationArn": there["associationArn"], "associationId": found}
    return {**same, **arn, "tags": mapping(there.get("tags"))}


def _reassociate(service: Service, found: str, inputs: Object) -> None:
    given = only(inputs, "clusterName", "roleArn", "disableSessionTags", "targetRoleArn")
    service.call("update_pod_identity_association", {**given, "associationId": found})


def _entry_key(inputs: Object) -> Object:
    return only(inputs, "clusterName", "principalArn")


def _entry(service: Service, _id: str, inputs: Object) -> Object:
    found = mapping(service.call("describe_access_entry", _entry_key(inputs))["accessEntry"])
    same = only(found, "clusterName", "principalArn", "type", "kubernetesGroups")
    return {**same, "accessEntryArn": found["accessEntryArn"], "tags": mapping(found.get("tags"))}


def _policy_of(service: Service, _id: str, inputs: Object) -> Object:
    found = service.call("list_associated_access_policies", _entry_key(inputs))
    for policy in mappings(found.get("associatedAccessPolicies")):
        if policy["policyArn"] == inputs["policyArn"]:
            scope = like(inputs["accessScope"], policy["accessScope"])
            return {**_entry_key(inputs), "policyArn": policy["policyArn"], "accessScope": scope}
    raise GoneError(f"{inputs['policyArn']} is not associated")


KINDS = (
    Kind(
        token="aws:eks/cluster:Cluster",  # noqa: S106 (a type)
        service="eks",
        inputs=frozenset({*_AS_IS, *_RENAMED, "encryptionConfig", "enabledClusterLogTypes"}),
        create=_create_cluster,
        identify=lambda inputs, _answer: str(inputs["name"]),
        live=_cluster,
        delete=_delete_cluster,
        after=_ready,
        updates={
            **dict.fromkeys(_IN_PLACE, _reconfigure),
            "version": _upgrade,
            "tags": retag_arn(lambda service, name, inputs: str(_cluster(service, name, inputs)["arn"])),
        },
        name="name",
    ),
    Kind(
        token="aws:eks/addon:Addon",  # noqa: S106 (a type)
        service="eks",
        inputs=frozenset(
            {
                "clusterName",
                "addonName",
                "addonVersion",
                "configurationValues",
                "podIdentityAssociations",
                "serviceAccountRoleArn",
                "resolveConflictsOnCreate",
                "tags",
                *_ADDON_LOCAL,
            }
        ),
        create=_create_addon,
        identify=lambda inputs, _answer: f"{inputs['clusterName']}:{inputs['addonName']}",
        live=_addon,
        delete=_delete_addon,
        after=lambda service, _id, inputs: service.wait("addon_active", _addon_key(inputs)),
        updates={
            **dict.fromkeys(
                ("addonVersion", "configurationValues", "podIdentityAssociations", "serviceAccountRoleArn"),
                _update_addon,
            ),
            "tags": retag_arn(lambda service, name, inputs: str(_addon(service, name, inputs)["arn"])),
        },
        local=frozenset({*_ADDON_LOCAL, "resolveConflictsOnCreate"}),
    ),
    Kind(
        token="aws:eks/podIdentityAssociation:PodIdentityAssociation",  # noqa: S106 (a type)
        service="eks",
        inputs=frozenset(
            {"clusterName", "namespace", "serviceAccount", "roleArn", "disableSessionTags", "targetRoleArn", "tags"}
        ),
        create=lambda inputs: Request("create_pod_identity_association", without(inputs)),
        identify=lambda _inputs, answer: str(mapping(answer["association"])["associationId"]),
        live=_association,
        delete=lambda service, found, inputs: service.call(
            "delete_pod_identity_association", {"clusterName": inputs["clusterName"], "associationId": found}
        ),
        updates={
            **dict.fromkeys(("roleArn", "disableSessionTags", "targetRoleArn"), _reassociate),
            "tags": retag_arn(
                lambda service, found, inputs: str(_association(service, found, inputs)["associationArn"])
            ),
        },
    ),
    Kind(
        token="aws:eks/accessEntry:AccessEntry",  # noqa: S106 (a type)
        service="eks",
        inputs=frozenset({"clusterName", "principalArn", "type", "kubernetesGroups", "tags"}),
        create=lambda inputs: Request("create_access_entry", without(inputs)),
        identify=lambda inputs, _answer: f"{inputs['clusterName']}:{inputs['principalArn']}",
        live=_entry,
        delete=lambda service, _id, inputs: service.call("delete_access_entry", _entry_key(inputs)),
        updates={
            "kubernetesGroups": lambda service, _id, inputs: service.call(
                "update_access_entry", {**_entry_key(inputs), **only(inputs, "kubernetesGroups")}
            ),
            "tags": retag_arn(lambda service, found, inputs: str(_entry(service, found, inputs)["accessEntryArn"])),
        },
    ),
    Kind(
        token="aws:eks/accessPolicyAssociation:AccessPolicyAssociation",  # noqa: S106 (a type)
        service="eks",
        inputs=frozenset({"clusterName", "principalArn", "policyArn", "accessScope"}),
        create=lambda inputs: Request("associate_access_policy", without(inputs)),
        identify=lambda inputs, _answer: "#".join(
            str(inputs[key]) for key in ("clusterName", "principalArn", "policyArn")
        ),
        live=_policy_of,
        delete=lambda service, _id, inputs: service.call(
            "disassociate_access_policy", {**_entry_key(inputs), "policyArn": inputs["policyArn"]}
        ),
        again=frozenset({"accessScope"}),
    ),
)
