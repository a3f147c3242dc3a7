"""Draws reports as self-contained HTML pages. Their common style is report.css, which a template includes."""

from pathlib import Path

import jinja2


def render(template: Path, **values: object) -> str:
    """The page of a template; texts are escaped, and a value that the template misses is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(**values)
