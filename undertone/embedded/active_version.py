"""What the analyzer can analyse under beside what is active: whether the two fit, and what helps where they do not.

Pure. The analyzer says which versions its engines make and which one live traffic is to be analysed under; the read
API says which one readers are shown, and which are known. They differ when a stack is started with another engine than
the one that its data is of.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Standing:
    """The two sides, as far as they are known."""

    engines: Mapping[str, str] = field(default_factory=dict)
    """The names of the analyzer's engines by the version that each makes, its own first."""
    wanted: str | None = None
    """The version that live traffic is to be analysed under, by what the analyzer knows."""
    active: str | None = None
    """The version that readers are shown by default."""
    known: Collection[str] = ()
    """The versions that anything is known under."""

    def objection(self) -> str | None:
        """Why what is active and what analyses do not fit, and what to do; None where they do."""
        if not self.engines or self.active is None or self.active in self.engines:
            return None
        own = next(iter(self.engines))
        lacking = f"The active version is {self.active}, and no engine that was started here makes it"
        back = f"start it again with the engine of {self.active}"
        if self.wanted == self.active:
            promote = f"`undertone versions promote {own} --now`"
            if own not in self.known:
                promote = f"`undertone versions trial {own} --new-version`, then {promote},"
            return f"{lacking}: live traffic waits. {promote} lets it go on under {own}; or {back}."
        if own in self.known:
            return (
                f"{lacking}: what comes in is analysed under {own}, which readers are not shown by default. "
                f"`undertone versions promote {own}` changes that; or {back}."
            )
        return (
            f"{lacking}: what comes in is analysed under {own}, and the first of it makes {own} the active version. To "
            f"keep {self.active}, {back} before you send anything."
        )
