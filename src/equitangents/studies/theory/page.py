"""The page of a study of a theorem: as one HTML file, nothing loaded from elsewhere, and as Markdown with figures."""

from typing import Any

from ... import __version__, plots
from ..page import template
from .study import Page, Table, TheoryStudy


def figures(page: Page) -> dict[str, str]:
    """SVG of each figure, by name."""
    return {d.name: plots.to_svg(d.figure) for section in page.sections for d in section.drawings}


def html(study: TheoryStudy, page: Page, toml: str) -> str:
    """The page as one file."""
    from markupsafe import Markup

    return template("theory.html.j2").render(
        study=study,
        page=page,
        inline=lambda d: Markup(plots.to_inline(d.figure, d.name, d.caption)),
        toml=toml,
        version=__version__,
    )


def markdown(study: TheoryStudy, config: Any, page: Page) -> str:
    """The page for the docs: the command that makes it, then the same text, tables and figures."""
    lines = [f"# {study.title}", "", study.claim, "", "```bash"]
    preset = study.presets.get(config.preset) == config
    how = f"--preset {config.preset}" if preset else "--config config.toml"
    lines += [f"equitangents study {study.name} {how} --out RUN", "```", "", f"> {page.answer}"]
    for section in page.sections:
        lines += ["", f"## {section.title}"]
        for paragraph in section.text:
            lines += ["", paragraph]
        for drawing in section.drawings:
            lines += ["", f"![{drawing.caption}](figures/{drawing.name}.svg)", "", f"*{drawing.caption}*"]
        for table in section.tables:
            lines += ["", f"**{table.caption}**", "", *table_lines(table)]
    if study.citations:
        lines += ["", "## Sources", "", *(f"- {text}, {link}" for text, link in study.citations)]
    return "\n".join(lines) + "\n"


def table_lines(table: Table) -> list[str]:
    """A table in Markdown."""
    rows = [table.head, ("---",) * len(table.head), *table.rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
