"""EC2's security groups and their rules, certificates, and records of names."""

from typing import cast

from local.providers.aws.kind import Kind, Request, only
from local.providers.aws.service import GoneError, Service
from local.providers.aws.tags import tag_list, tag_map
from local.providers.values import Object, mapping, mappings

_DESCRIPTION = "Managed by Pulumi"
"""What the official provider writes when the program says nothing; EC2 wants something."""


def _create_group(inputs: Object) -> Request:
    tags = [{"resourceType": "security-group", "tags": tag_list(inputs["tags"])}] if inputs["tags"] else []
    given = {"groupName": inputs["name"], "description": inputs.get("description", _DESCRIPTION)}
    return Request("create_security_group", {**given, **only(inputs, "vpcId"), "tagSpecifications": tags})


def _group(service: Service, found: str, _inputs: Object) -> Object:
    there = mappings(service.call("describe_security_groups", {"groupIds": [found]})["SecurityGroups"])[0]
    return {
        "name": there["GroupName"],
        "description": there["Description"],
        "vpcId": there.get("VpcId", ""),
        "arn": f"arn:{service.partition}:ec2:{service.region}:{there['OwnerId']}:security-group/{found}",
        "ownerId": there["OwnerId"],
        "tags": tag_map(mappings(there.get("Tags"))),
    }


def _retag(service: Service, found: str, inputs: Object) -> None:
    service.call("create_tags", {"resources": [found], "tags": tag_list(inputs["tags"])})


def _permission(inputs: Object) -> Object:
    """One rule, as EC2 groups them."""
    told = only(inputs, "description")
    found = only(inputs, "ipProtocol", "fromPort", "toPort")
    if "cidrIpv4" in inputs:
        found["ipRanges"] = [{"cidrIp": inputs["cidrIpv4"], **told}]
    if "cidrIpv6" in inputs:
        found["ipv6Ranges"] = [{"cidrIpv6": inputs["cidrIpv6"], **told}]
    if "prefixListId" in inputs:
        found["prefixListIds"] = [{"prefixListId": inputs["prefixListId"], **told}]
    if "referencedSecurityGroupId" in inputs:
        found["userIdGroupPairs"] = [{"groupId": inputs["referencedSecurityGroupId"], **told}]
    return found


def _rule(direction: str) -> Kind:
    """A rule of a security group; `direction` is ingress or egress."""
    name = f"SecurityGroup{direction.capitalize()}Rule"

    def create(inputs: Object) -> Request:
        tags = [{"resourceType": "security-group-rule", "tags": tag_list(inputs["tags"])}] if inputs["tags"] else []
        given = {"groupId": inputs["securityGroupId"], "ipPermissions": [_permission(inputs)]}
        return Request(f"authorize_security_group_{direction}", {**given, "tagSpecifications": tags})

    def live(service: Service, found: str, _inputs: Object) -> Object:
        answer = service.call("describe_security_group_rules", {"securityGroupRuleIds": [found]})
        there = mappings(answer["SecurityGroupRules"])[0]
        read = {
            "securityGroupId": there["GroupId"],
            "ipProtocol": there["IpProtocol"],
            "fromPort": there.get("FromPort"),
            "toPort": there.get("ToPort"),
            "cidrIpv4": there.get("CidrIpv4"),
            "cidrIpv6": there.get("CidrIpv6"),
            "prefixListId": there.get("PrefixListId"),
            "referencedSecurityGroupId": mapping(there.get("ReferencedGroupInfo")).get("GroupId"),
            "description": there.get("Description"),
        }
        tags = tag_map(mappings(there.get("Tags")))
        known = {key: value for key, value in read.items() if value is not None}
        return {**known, "securityGroupRuleId": found, "tags": tags}

    def delete(service: Service, found: str, inputs: Object) -> None:
        given = {"groupId": inputs["securityGroupId"], "securityGroupRuleIds": [found]}
        service.call(f"revoke_security_group_{direction}", given)

    return Kind(
        token=f"aws:vpc/{name[0].lower()}{name[1:]}:{name}",
        service="ec2",
        inputs=frozenset(
            {
                "securityGroupId",
                "ipProtocol",
                "fromPort",
                "toPort",
                "cidrIpv4",
                "cidrIpv6",
                "prefixListId",
                "referencedSecurityGroupId",
                "description",
                "tags",
            }
        ),
        create=create,
        identify=lambda _inputs, answer: str(mappings(answer["SecurityGroupRules"])[0]["SecurityGroupRuleId"]),
        live=live,
        delete=delete,
        updates={"tags": _retag},
    )


def _request(inputs: Object) -> Request:
    given = only(inputs, "domainName", "subjectAlternativeNames", "validationMethod", "keyAlgorithm")
    tags = {"tags": tag_list(inputs["tags"])} if inputs["tags"] else {}
    return Request("request_certificate", {**given, **tags})


def _certificate(service: Service, found: str, inputs: Object) -> Object:
    there = mapping(service.call("describe_certificate", {"certificateArn": found})["Certificate"])
    options = [
        {"domainName": one["DomainName"]}
        | {f"resourceRecord{key}": value for key, value in mapping(one.get("ResourceRecord")).items()}
        for one in mappings(there.get("DomainValidationOptions"))
    ]
    tags = service.call("list_tags_for_certificate", {"certificateArn": found}).get("Tags")
    return {
        "arn": found,
        "domainName": there["DomainName"],
        "subjectAlternativeNames": _others(there, inputs),
        "domainValidationOptions": options,
        "status": there["Status"],
        "tags": tag_map(mappings(tags)),
    }


def _others(there: Object, inputs: Object) -> list[str]:
    """Alternative names; ACM adds the first name to them, which the program may leave out."""
    given = cast(list[str], inputs.get("subjectAlternativeNames") or [])
    names = cast(list[str], there.get("SubjectAlternativeNames") or [])
    return [name for name in names if name != there["DomainName"] or name in given]


def _issued(service: Service, _id: str, inputs: Object) -> None:
    service.wait("certificate_validated", {"CertificateArn": inputs["certificateArn"]})


def _record_change(action: str, inputs: Object) -> Object:
    record = only(inputs, "name", "type", "ttl")
    if "records" in inputs:
        record["resourceRecords"] = [{"value": value} for value in inputs["records"]]
    for alias in mappings(inputs.get("aliases")):
        target = {"dnsName": alias["name"], "hostedZoneId": alias["zoneId"]}
        record["aliasTarget"] = {**target, "evaluateTargetHealth": alias["evaluateTargetHealth"]}
    change = {"action": action, "resourceRecordSet": record}
    return {"hostedZoneId": inputs["zoneId"], "changeBatch": {"changes": [change]}}


def _create_record(inputs: Object) -> Request:
    action = "UPSERT" if inputs.get("allowOverwrite") else "CREATE"
    return Request("change_resource_record_sets", _record_change(action, inputs))


def _record(service: Service, _id: str, inputs: Object) -> Object:
    name = str(inputs["name"]).rstrip(".")
    first = {"startRecordName": name, "startRecordType": inputs["type"], "maxItems": "1"}
    answer = service.call("list_resource_record_sets", {"hostedZoneId": inputs["zoneId"], **first})
    for found in mappings(answer.get("ResourceRecordSets")):
        if str(found["Name"]).rstrip(".") == name and found["Type"] == inputs["type"]:
            return {
                **only(inputs, "zoneId", "name", "type", "allowOverwrite"),
                "fqdn": name,
                "ttl": found.get("TTL", inputs.get("ttl")),
                "records": [one["Value"] for one in mappings(found.get("ResourceRecords"))],
            }
    raise GoneError(f"there is no {inputs['type']} record {name}")


def _upsert(service: Service, _id: str, inputs: Object) -> None:
    service.call("change_resource_record_sets", _record_change("UPSERT", inputs))


KINDS = (
    Kind(
        token="aws:ec2/securityGroup:SecurityGroup",  # noqa: S106 (a type)
        service="ec2",
        inputs=frozenset({"name", "description", "vpcId", "tags"}),
        create=_create_group,
        identify=lambda _inputs, answer: str(answer["GroupId"]),
        live=_group,
        delete=lambda service, found, _inputs: service.call("delete_security_group", {"groupId": found}),
        updates={"tags": _retag},
        name="name",
    ),
    _rule("ingress"),
    _rule("egress"),
    Kind(
        token="aws:acm/certificate:Certificate",  # noqa: S106 (a type)
        service="acm",
        inputs=frozenset({"domainName", "subjectAlternativeNames", "validationMethod", "keyAlgorithm", "tags"}),
        create=_request,
        identify=lambda _inputs, answer: str(answer["CertificateArn"]),
        live=_certificate,
        delete=lambda service, found, _inputs: service.call("delete_certificate", {"certificateArn": found}),
        updates={
            "tags": lambda service, found, inputs: service.call(
                "add_tags_to_certificate", {"certificateArn": found, "tags": tag_list(inputs["tags"])}
            )
        },
    ),
    Kind(
        token="aws:acm/certificateValidation:CertificateValidation",  # noqa: S106 (a type)
        service="acm",
        inputs=frozenset({"certificateArn", "validationRecordFqdns"}),
        create=lambda inputs: Request("describe_certificate", only(inputs, "certificateArn")),
        identify=lambda inputs, _answer: str(inputs["certificateArn"]),
        live=lambda _service, _id, inputs: dict(inputs),
        delete=lambda _service, _id, _inputs: None,
        after=_issued,
    ),
    Kind(
        token="aws:route53/record:Record",  # noqa: S106 (a type)
        service="route53",
        inputs=frozenset({"zoneId", "name", "type", "ttl", "records", "aliases", "allowOverwrite"}),
        create=_create_record,
        identify=lambda inputs, _answer: f"{inputs['zoneId']}_{inputs['name']}_{inputs['type']}",
        live=_record,
        delete=lambda service, _id, inputs: service.call(
            "change_resource_record_sets", _record_change("DELETE", inputs)
        ),
        updates=dict.fromkeys(("ttl", "records", "aliases"), _upsert),
        local=frozenset({"allowOverwrite"}),
    ),
)
