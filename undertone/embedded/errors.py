"""What a person can cause or mend: each is one sentence that names what is wrong and what to do."""


class StackError(Exception):
    """The stack cannot start, run or stop; the text is for a person."""


class WrongSettingError(StackError):
    """A service refused its settings (exit code 2); the text is the service's own line."""


class AlreadyRunningError(StackError):
    """Another `undertone up` holds this state folder."""


class NotRunningError(StackError):
    """There is no stack on this state folder."""
