"""A judgement in words: the reasoning and the summary, each one line that quotes what it stands on."""

from schemas.conversation_received import Role
from schemas.insight_produced import MAX_REASONING_CHARACTERS, MAX_SUMMARY_CHARACTERS, Sentiment, sentiment_of
from schemas.subjects import OTHER, subject_registry
from services.analyzer.offline.conversation import HeardTurn, Judgement
from services.analyzer.offline.tokens import without_noise

CLEAR = 0.4
"""From this score on, either way, a feeling is called clear."""
LONGEST_OPENING = 150

_MOODS = {Sentiment.NEGATIVE: "Unhappy", Sentiment.NEUTRAL: "Neutral", Sentiment.POSITIVE: "Happy"}


def reasoning_of(judgement: Judgement, evidence: str) -> str:
    """Why the score is what it is, for a person; at most 500 characters."""
    quoted = _one_line(evidence)
    if not judgement.is_language_known:
        sentence = f"Not judged: “{quoted}” is not in a language that the offline engine reads (English); neutral."
    elif not judgement.is_customer_heard:
        sentence = f"Neutral: only the company speaks, as in {_closing(quoted)} {_subject(judgement)}"
    else:
        sentence = f"{_feeling(judgement, quoted)} {_course(judgement)}{_subject(judgement)}"
    return _cut(sentence, MAX_REASONING_CHARACTERS)


def summary_of(judgement: Judgement) -> str:
    """Who is how happy about what, and how the conversation opens; one line of at most 280 characters."""
    mood = _MOODS[sentiment_of(judgement.sentiment_score)] if judgement.is_language_known else "Unread"
    subject = "" if judgement.clusters[0] == OTHER else f", {_title(judgement.clusters[0])}"
    opening = _cut(_one_line(without_noise(judgement.heard[0].turn.text[: 4 * LONGEST_OPENING])), LONGEST_OPENING)
    ending = _ending(judgement) if judgement.is_customer_heard else ""
    return _cut(
        f"{mood} {_speaker(judgement)}{subject}: “{opening}”{ending and f' ({ending})'}", MAX_SUMMARY_CHARACTERS
    )


def _feeling(judgement: Judgement, quoted: str) -> str:
    sentiment = sentiment_of(judgement.sentiment_score)
    if sentiment is not Sentiment.NEUTRAL:
        degree = "Clearly " if abs(judgement.sentiment_score) >= CLEAR else "Rather "
        return f"{degree}{sentiment.value}: the {_speaker(judgement)} says {_closing(quoted)}"
    if not judgement.weightiest.reading.has_feeling:
        return f"Neutral: no word of the {_speaker(judgement)} carries a clear feeling, as in {_closing(quoted)}"
    return f"Neutral: nothing weighs more than “{quoted}”, and that is little or balanced by the rest."


def _closing(quoted: str) -> str:
    """A quotation that ends a sentence: with a stop unless it brings its own."""
    return f"“{quoted}”" if quoted.endswith((".", "!", "?", "…")) else f"“{quoted}”."


def _course(judgement: Judgement) -> str:
    """How many turns say so, where there are several, and how it ends."""
    if len(judgement.heard) == 1:
        return ""
    unhappy, happy = (
        sum(sentiment_of(turn.score) is sentiment for turn in judgement.heard)
        for sentiment in (Sentiment.NEGATIVE, Sentiment.POSITIVE)
    )
    ending = _ending(judgement)
    counts = f"Of {len(judgement.heard)} turns {unhappy} sound unhappy and {happy} happy"
    return f"{counts}; it {ending}. " if ending else f"{counts}. "


def _ending(judgement: Judgement) -> str:
    """How the last turn compares with the first; nothing where neither says much or there is only one."""
    first, last = judgement.heard[0], judgement.heard[-1]
    if first is last:
        return ""
    before, after = sentiment_of(first.score), sentiment_of(last.score)
    if after is Sentiment.NEGATIVE:
        return "ends unhappily"
    if after is Sentiment.POSITIVE:
        return "ends on thanks" if before is not Sentiment.NEGATIVE else "ends better than it began"
    return ""


def _subject(judgement: Judgement) -> str:
    if judgement.clusters[0] == OTHER:
        return "Its words point to no subject of the registry."
    return f"About: {'; '.join(_title(cluster) for cluster in judgement.clusters)}."


def _speaker(judgement: Judgement) -> str:
    heard: HeardTurn = judgement.heard[0]
    return "customer" if heard.turn.role is Role.CUSTOMER else "speaker"


def _title(slug: str) -> str:
    title = subject_registry().title_of(slug)
    return title[:1].lower() + title[1:]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, longest: int) -> str:
    """The text, or as much of it as fits, ended by an ellipsis at a word where there is one."""
    if len(text) <= longest:
        return text
    shortened = text[: longest - 1]
    at_a_word = shortened.rpartition(" ")[0]
    return f"{at_a_word if len(at_a_word) > longest // 2 else shortened}…"
