"""What ends a command with one sentence: errors that a person can understand and mend."""

import errno

OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE}
"""Errors that a full or failing machine gives to any write: nobody's bug."""


class CommandError(Exception):
    """A command cannot do what was asked; the text is the one sentence that a person sees.

    Exit code 1 says that something went wrong on the way, 2 that the command was used wrongly.
    """

    exit_code = 1


class UsageProblem(CommandError):  # noqa: N818 - it names what was met, as house style asks
    """An option, a file or an address that cannot be right."""

    exit_code = 2
