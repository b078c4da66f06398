"""A hook of mkdocs: turns $...$ and $$...$$ into MathML, which browsers draw without a script."""

import re

from latex2mathml.converter import convert

CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
MATH = re.compile(r"\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+?)\$", re.DOTALL)


def on_page_markdown(markdown: str, **_) -> str:
    """Convert everything outside of code."""
    parts = CODE.split(markdown)
    return "".join(part if i % 2 else MATH.sub(_mathml, part) for i, part in enumerate(parts))


def _mathml(match: re.Match[str]) -> str:
    if match["block"]:
        return f"\n{convert(match['block'].strip(), display='block')}\n"
    return (
        f"<span>{convert(match['inline'].strip())}</span>"  # Markdown takes a line that begins with <math> for a block
    )
