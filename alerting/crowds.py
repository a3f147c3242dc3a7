"""Alerts whose incidents are told apart by a label, such as one for each queue: how many there may be at once.

Each incident is a message of its own. A thousand of one cause would be a thousand messages, so above MOST they carry
the label `crowd`, and the routes put those of a namespace, app and service into one message.
"""

MOST = 20
"""Incidents of one alert at once. More than a person reads one by one, and fewer than a receiver's limit per minute."""
LABEL = "crowd"


def bounded(expression: str) -> str:
    """The expression with the label on every series of its result if there are more than MOST."""
    text = expression.strip()
    many = f"on () (\n  count(\n{_indented(text, 4)}\n  ) > {MOST}\n)"
    alone = f"(\n{_indented(text, 2)}\n) unless {many}"
    crowd = f'label_replace(\n{_indented(text, 2)},\n  "{LABEL}", "true", "", ""\n) and {many}'
    return f"{alone}\nor\n{crowd}\n"


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line if line else line for line in text.splitlines())
