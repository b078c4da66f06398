"""Templates of the pages."""

from typing import Any


def template(name: str) -> Any:
    """A template of this folder; all that is put into it is escaped, unless it is `Markup`."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("equitangents.studies", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
