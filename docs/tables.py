"""The tables of arms of a finished study as Markdown, for README and docs.

python docs/tables.py RUN
"""

import sys
from pathlib import Path

from equitangents.studies.advice import advise
from equitangents.studies.report_table import tables
from equitangents.studies.result import Result


def markdown(folder: Path) -> str:
    """The sentence of advice, then one table for each model and network, without machine-dependent columns."""
    result = Result.load(folder)
    advice = advise(result)
    out = [f"> {advice.sentence}", ""]
    for title, heads, lines in tables(result, advice):
        kept = [i for i, head in enumerate(heads) if "CPU" not in head]
        out += [f"**{title}**", "", "| arm | " + " | ".join(heads[i] for i in kept) + " |"]
        out.append("| --- |" + " --- |" * len(kept))
        out += [f"| {line.arm} | " + " | ".join(line.cells[i] for i in kept) + " |" for line in lines]
        out.append("")
    return "\n".join(out)


if __name__ == "__main__":
    sys.stdout.write(markdown(Path(sys.argv[1])))
