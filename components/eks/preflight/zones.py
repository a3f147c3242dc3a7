"""Preflight checks of the hosted zones in Route 53. Each problem is a line that starts with a key."""

import json
from collections.abc import Iterator
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight.account import Questions, unanswered
from components.eks.preflight.sessions import RoleNotAssumedError, assumed


def zones(ask: Questions) -> list[str]:
    """Problems of the zone of the hosts, and of the one in which the certificate is validated."""
    values = ask.values
    if values.hosted_zone_role_arn:
        try:
            session = assumed(ask.session, "hostedZoneRoleArn", values.hosted_zone_role_arn, ask.patience)
        except RoleNotAssumedError as error:
            return [str(error)]
        ask = replace(ask, session=session)
    proved_elsewhere = values.certificate_arn or values.certificate_zone_id
    allowed = "" if proved_elsewhere else "a public zone, a certificateZoneId that is public, or a certificateArn"
    return [
        *_problems(ask, "hostedZoneId", values.hosted_zone_id, allowed),
        *_problems(ask, "certificateZoneId", values.certificate_zone_id, "a public zone"),
    ]


def _problems(ask: Questions, key: str, zone_id: str, instead: str) -> Iterator[str]:
    """Problems of one zone. `instead` is what is allowed in place of a private one; empty if it may be private."""
    if not zone_id:
        return
    domain, shown = ask.values.domain, f"{key}: {json.dumps(zone_id)}"
    client = ask.session.client("route53", config=ask.patience)
    try:
        zone = client.get_hosted_zone(Id=zone_id)["HostedZone"]
    except (ClientError, BotoCoreError) as error:
        yield unanswered(key, zone_id, error)
        return
    name = zone["Name"].rstrip(".")
    if not f".{domain}".endswith(f".{name}"):
        yield f"{shown} is the zone of {name}; allowed: a zone that contains {domain} (domain)"
    if zone.get("Config", {}).get("PrivateZone") and instead:
        yield f"{shown} is private, so ACM cannot validate a certificate; allowed: {instead}"
