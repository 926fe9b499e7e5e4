"""What the fleet agreed on, as the control log tells it: holds, and the versions of live traffic."""

from collections.abc import Callable

from schemas.analysis_control import ActiveVersionChanged, HoldDeclared
from schemas.event import Event
from services.analyzer.holds import PROBE_ANSWERED, Holds
from services.analyzer.live_versions import LiveVersions
from services.runtime.logs import get_logger

_log = get_logger(__name__)


class Agreements:
    """Applies records of the log, in its order; each comes with its broker timestamp in seconds, and its offset."""

    def __init__(
        self,
        holds: Holds,
        versions: LiveVersions,
        *,
        slow_down: Callable[[], None],
        on_hold: Callable[[], None],
        on_versions: Callable[[], None],
    ) -> None:
        self._holds = holds
        self._versions = versions
        self._slow_down = slow_down
        self._on_hold = on_hold
        self._on_versions = on_versions

    def hold_declared(self, event: Event, declared_at: float, _: int) -> None:
        """Calls stop for a while, or may start again."""
        assert isinstance(event, HoldDeclared)
        self._holds.apply(event, declared_at)
        if event.reason != PROBE_ANSWERED:
            lane = event.lane.value if event.lane is not None else "all"
            _log.warning(
                "hold_declared",
                lane=lane,
                seconds=event.hold_seconds,
                paid_only=event.paid_only,
                reason=event.reason,
                by=event.declared_by,
            )
            if event.lane is None and self._holds.active():
                self._slow_down()  # everybody reads the same log, so everybody paces alike
        self._on_hold()

    def version_changed(self, event: Event, declared_at: float, _: int) -> None:
        """Somebody decided what live traffic is analysed under, or a decision is repeated."""
        assert isinstance(event, ActiveVersionChanged)
        if not self._versions.apply(event, declared_at):
            return
        _log.info(
            "live_versions_changed",
            active=self._versions.active,
            also=list(self._versions.also),
            missing=list(self._versions.missing),
            retired=sorted(self._versions.retired),
            reason=event.reason,
            by=event.changed_by,
        )
        self._on_versions()
