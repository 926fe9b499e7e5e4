"""What must stand after any sequence of posts, results and decisions, in the plainest words."""

from dataclasses import dataclass, field

from services.sink.rows import KIND_RANKS


@dataclass(frozen=True)
class Post:
    """A posting: the same words again, or the conversation has grown."""

    conversation: int
    words: str


@dataclass(frozen=True)
class Analyse:
    """A result of one of the conversation's revisions: the newest, or one that is late."""

    conversation: int
    back: int
    version: str
    kind: str


@dataclass(frozen=True)
class Promote:
    """None is a rollback."""

    version: str | None
    now: bool


@dataclass(frozen=True)
class Settle:
    """The analyzers were told long ago, and the background looks whether the active version has caught up."""


Step = Post | Analyse | Promote | Settle


@dataclass
class Model:
    """What stands after the steps that it was told of."""

    revisions: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """Of each conversation every posting: its number and its words."""
    outcomes: dict[tuple[int, str], tuple[int, str]] = field(default_factory=dict)
    """By conversation and version the newest: the posting's number and the kind."""
    followed: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    statuses: dict[int, str] = field(default_factory=dict)
    is_decided: bool = False
    is_told: bool = False
    is_catching_up: bool = False

    def post(self, conversation: int, number: int, words: str) -> None:
        before = self.newest(conversation) if conversation in self.revisions else None
        self.revisions.setdefault(conversation, []).append((number, words))
        if self.newest(conversation) != before:
            self.statuses[conversation] = "queued"
            self.follow(conversation)

    def newest(self, conversation: int) -> int:
        """The number of the posting that last changed the words."""
        number, words = self.revisions[conversation][0]
        for later, said in self.revisions[conversation]:
            if said != words:
                number, words = later, said
        return number

    def kind(self, conversation: int, version: str) -> str | None:
        """What stands of the newest revision under a version."""
        number, kind = self.outcomes.get((conversation, version), (-1, ""))
        return kind if number >= self.newest(conversation) else None

    def follow(self, conversation: int) -> None:
        """The active version's word, or else that of the one before; once it has caught up, its word alone."""
        followed = self.followed[:1] if self.is_told and not self.is_catching_up else self.followed
        kinds = (self.kind(conversation, version) for version in followed)
        if conversation in self.statuses:
            self.statuses[conversation] = next(filter(None, kinds), self.statuses[conversation])

    def missing(self) -> int:
        """How many are finished, but not under the active version."""
        finished = [one for one, status in self.statuses.items() if status != "queued"]
        return sum(self.kind(one, self.followed[0]) is None for one in finished)

    def settle(self) -> None:
        if self.is_decided:
            self.is_told = True
            self.is_catching_up = self.is_catching_up and self.missing() > 0

    def counts(self, version: str) -> dict[str, int]:
        kinds = [self.kind(conversation, version) for conversation in self.revisions]
        return {kind: kinds.count(kind) for kind in KIND_RANKS}

    def add(self, conversation: int, version: str, number: int, kind: str) -> None:
        before = self.outcomes.get((conversation, version), (-1, "failed"))
        if (number, KIND_RANKS[kind]) > (before[0], KIND_RANKS[before[1]]):
            self.outcomes[conversation, version] = (number, kind)
        self.known.add(version)
        if not self.followed:
            self.followed.append(version)
        self.follow(conversation)

    def promote(self, version: str) -> None:
        if version == self.followed[0]:
            return
        self.followed = [version, *(one for one in self.followed if one != version)]
        self.is_decided, self.is_told, self.is_catching_up = True, False, True
        for conversation in self.statuses:
            if kind := self.kind(conversation, version):
                self.statuses[conversation] = kind

    def refuses(self, step: Promote) -> bool:
        """Whether the decision must be refused; one that says what is so already changes nothing."""
        version = self.target(step)
        if version is None:
            return True
        return version != self.followed[0] and not step.now and sum(self.counts(version).values()) < len(self.revisions)

    def target(self, step: Promote) -> str | None:
        if step.version is not None:
            return step.version
        return self.followed[1] if len(self.followed) > 1 else None
