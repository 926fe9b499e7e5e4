"""What ends a command with one sentence: errors that a person can understand and mend."""


class CommandError(Exception):
    """A command cannot do what was asked; the text is the one sentence that a person sees.

    Exit code 1 says that something went wrong on the way, 2 that the command was used wrongly.
    """

    exit_code = 1


class UsageProblem(CommandError):  # noqa: N818 - it names what was met, as house style asks
    """An option, a file or an address that cannot be right."""

    exit_code = 2
