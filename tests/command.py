"""A command, run in this process."""

from equitangents import cli


def run(capsys, *arguments):
    """Exit code, standard output and standard error."""
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code or 0
    out = capsys.readouterr()
    return code, out.out, out.err
