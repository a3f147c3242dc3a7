"""Numbers of instances and passwords that a domain of Amazon OpenSearch Service accepts."""

import re

PASSWORD_ALLOWED = "at least 8 characters, among them a lower and an upper case letter, a digit and another character"  # noqa: S105


def zones(instances: int) -> int:
    """Number of zones over which the instances can be spread evenly: three, two, or one (for a single instance)."""
    return next(count for count in (3, 2, 1) if instances % count == 0 and instances >= count)


def instances_problem(instances: int, subnets: int) -> str | None:
    """Why a domain cannot have this number of instances in this number of subnets; None if it can."""
    wanted = zones(instances)
    if wanted == 1 and instances > 1:
        return "cannot be spread evenly over zones; allowed: 1, or a multiple of 2 or 3"
    if subnets < wanted:
        return f"are spread over {wanted} zones, and there are {subnets} subnets; allowed: one subnet for each zone"
    return None


def password_problem(password: str) -> str | None:
    """Why OpenSearch rejects a password; None if it accepts it. PASSWORD_ALLOWED describes the allowed passwords."""
    missing = [
        requirement
        for requirement, pattern in {
            "8 characters": ".{8}",
            "a lower case letter": "[a-z]",
            "an upper case letter": "[A-Z]",
            "a digit": "[0-9]",
            "a character that is neither letter nor digit": "[^A-Za-z0-9]",
        }.items()
        if not re.search(pattern, password, re.DOTALL)
    ]
    return f"lacks {', '.join(missing)}" if missing else None
