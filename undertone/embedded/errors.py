"""What a person can cause or mend: each is one sentence that names what is wrong and what to do."""

from undertone.errors import CommandError


class StackError(CommandError):
    """The stack cannot start, run or stop; the text is for a person."""


class WrongSettingError(StackError):
    """A setting cannot be right; a service's own line where a service refused it."""

    exit_code = 2


class NotReadyError(StackError):
    """A part lives and is not ready in time."""


class AlreadyRunningError(StackError):
    """Another `undertone up` holds this state folder."""


class NotRunningError(StackError):
    """Nothing runs on this state folder."""

    exit_code = 3
