"""Who asks first whether calls are welcome again, after a hold of all lanes: one instance for the fleet. Pure.

The others wait until the control log says that it was answered. An instance whose turn it is and that has nothing to
ask says so at once, for the others may have something.
"""

from collections.abc import Callable

from services.analyzer.holds import Holds


class Probing:
    """Our part in it. Only engines that cost are asked about: nobody limits the others."""

    def __init__(self, holds: Holds, is_prober: Callable[[], bool], declare_answered: Callable[[], None]) -> None:
        self._holds = holds
        self._is_prober = is_prober
        self._declare_answered = declare_answered
        self._is_out = False
        """Our probe is out, or was answered and the log does not say so yet."""

    def is_waited_for(self) -> bool:
        """Whether no other call may start now."""
        if not self._holds.awaits_probe():
            self._is_out = False
            return False
        return self._is_out or not self._is_prober()

    def is_our_turn(self) -> bool:
        """Whether the next call is the probe."""
        return self._holds.awaits_probe() and not self.is_waited_for()

    def begin(self) -> bool:
        """A call starts; whether it is the probe."""
        self._is_out = self._holds.awaits_probe()
        return self._is_out

    def ended(self, *, is_answered: bool) -> None:
        """The probe ended; without an answer the next call is another one."""
        self._is_out = is_answered
        if is_answered:
            self._declare_answered()

    def pass_by(self) -> None:
        """There is nothing to ask."""
        self._is_out = True
        self._declare_answered()
