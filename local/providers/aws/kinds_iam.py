"""IAM: roles, and the policies in and at them."""

import json
from urllib.parse import unquote

from local.providers.aws.kind import Kind, Request, only, text, without
from local.providers.aws.service import GoneError, Service
from local.providers.aws.tags import retag, tag_list, tag_map
from local.providers.values import Object, mapping, mappings


def _create_role(inputs: Object) -> Request:
    given = only(inputs, "description", "path", "maxSessionDuration", "permissionsBoundary")
    trust = text(inputs["assumeRolePolicy"])
    tags = tag_list(inputs["tags"])
    return Request(
        "create_role", {**given, "roleName": inputs["name"], "assumeRolePolicyDocument": trust, "tags": tags}
    )


def _role(service: Service, name: str, inputs: Object) -> Object:
    found = mapping(service.call("get_role", {"roleName": name})["Role"])
    given = only(inputs, "description", "path", "maxSessionDuration")
    return {
        **{key: found.get(key[0].upper() + key[1:], value) for key, value in given.items()},
        "name": name,
        "arn": found["Arn"],
        "uniqueId": found["RoleId"],
        "assumeRolePolicy": _document(found["AssumeRolePolicyDocument"], inputs.get("assumeRolePolicy")),
        "tags": tag_map(mappings(found.get("Tags"))),
    }


def _document(live: object, given: object) -> object:
    """A policy in the form that the program has it in; boto3 gives an object, or quoted text."""
    found = live if isinstance(live, dict) else json.loads(unquote(str(live)))
    return json.dumps(found, sort_keys=True) if isinstance(given, str) else found


def _trust(service: Service, name: str, inputs: Object) -> None:
    service.call("update_assume_role_policy", {"roleName": name, "policyDocument": text(inputs["assumeRolePolicy"])})


def _describe(service: Service, name: str, inputs: Object) -> None:
    service.call("update_role", {"roleName": name, **only(inputs, "description", "maxSessionDuration")})


def _put_policy(inputs: Object) -> Request:
    given = {"roleName": inputs["role"], "policyName": inputs["name"], "policyDocument": text(inputs["policy"])}
    return Request("put_role_policy", given)


def _policy(service: Service, _id: str, inputs: Object) -> Object:
    found = service.call("get_role_policy", {"roleName": inputs["role"], "policyName": inputs["name"]})
    return {
        "role": found["RoleName"],
        "name": found["PolicyName"],
        "policy": _document(found["PolicyDocument"], inputs["policy"]),
    }


def _attached(service: Service, _id: str, inputs: Object) -> Object:
    found = service.call("list_attached_role_policies", {"roleName": inputs["role"]})
    if inputs["policyArn"] not in [one["PolicyArn"] for one in mappings(found.get("AttachedPolicies"))]:
        raise GoneError(f"{inputs['policyArn']} is not attached to {inputs['role']}")
    return without(inputs)


def _attachment(inputs: Object) -> Object:
    return {"roleName": inputs["role"], "policyArn": inputs["policyArn"]}


KINDS = (
    Kind(
        token="aws:iam/role:Role",  # noqa: S106 (a type)
        service="iam",
        inputs=frozenset(
            {"name", "assumeRolePolicy", "description", "path", "maxSessionDuration", "permissionsBoundary", "tags"}
        ),
        create=_create_role,
        identify=lambda inputs, _answer: str(inputs["name"]),
        live=_role,
        delete=lambda service, name, _inputs: service.call("delete_role", {"roleName": name}),
        updates={
            "assumeRolePolicy": _trust,
            "description": _describe,
            "maxSessionDuration": _describe,
            "tags": retag("role", "roleName"),
        },
        name="name",
    ),
    Kind(
        token="aws:iam/rolePolicy:RolePolicy",  # noqa: S106 (a type)
        service="iam",
        inputs=frozenset({"role", "name", "policy"}),
        create=_put_policy,
        identify=lambda inputs, _answer: f"{inputs['role']}:{inputs['name']}",
        live=_policy,
        delete=lambda service, _id, inputs: service.call(
            "delete_role_policy", {"roleName": inputs["role"], "policyName": inputs["name"]}
        ),
        again=frozenset({"policy"}),
        name="name",
    ),
    Kind(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",  # noqa: S106 (a type)
        service="iam",
        inputs=frozenset({"role", "policyArn"}),
        create=lambda inputs: Request("attach_role_policy", _attachment(inputs)),
        identify=lambda inputs, _answer: f"{inputs['role']}/{inputs['policyArn']}",
        live=_attached,
        delete=lambda service, _id, inputs: service.call("detach_role_policy", _attachment(inputs)),
    ),
)
