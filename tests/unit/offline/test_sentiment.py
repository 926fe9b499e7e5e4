"""What single texts and whole conversations sound like: each case stands for a rule."""

import pytest

from schemas.conversation_received import Role, Turn
from schemas.insight_produced import Sentiment, sentiment_of
from services.analyzer.offline.conversation import judge
from services.analyzer.offline.spelling import with_plain_spelling


def score(*texts: str) -> float:
    return judge([Turn(text=text) for text in texts]).sentiment_score


def sentiment(*texts: str) -> Sentiment:
    return sentiment_of(score(*texts))


@pytest.mark.parametrize(
    "text",
    [
        "I want a refund.",
        "My card was charged twice this month",
        "Where is my parcel? It was due on Monday",
        "I cannot log in to my account",
        "No internet since this morning",
        "The app keeps crashing since the last update",
        "You lost my bag and nobody answers the phone",
        "The technician never showed up",
        "The shop assistant was rude and unhelpful",
        "I have been on hold for 45 minutes",
        "The zip broke after two days, poor quality",
        "Why can't I change my booking online?",
        "Thanks for nothing",
        "Great, another delayed flight",
        'Thanks for the great "service", my order is wrong again',
        "Not happy with the new price of my contract",
        "It would be nice if your company answered emails",
        "Never again will I order from this store",
        "Your website is a joke",
        "😡😡 my order",
        "Thank you for ruining my phone with your update @DeskSupport",
        "@DeskCare the website is down again",
        "The chat was hardly helpful",
        "I'm far from satisfied with the repair",
        "Your support was anything but helpful",
        "I have never been more disappointed by an order",
        "The phone caught fire and burned my desk",
        "Is this how you treat a customer?",
        "Love paying for internet that works two hours a day",
    ],
)
def test_complaints_are_negative(text: str) -> None:
    assert sentiment(text) is Sentiment.NEGATIVE


@pytest.mark.parametrize(
    "text",
    [
        "Thank you so much for the quick response!",
        "Kudos to your support team, my issue was resolved in minutes",
        "I love the new app, works perfectly :)",
        "The crew was amazing and very friendly",
        "Shout out to the driver who went above and beyond",
        "My order came early, excellent service",
        "Best customer service I have ever had",
        "❤️ this store",
        "The driver was nothing short of amazing",
        "Not only is the new app fast, it is beautiful",
        "I couldn't be happier with my order",
        "I could not be more pleased with the refund",
        "The delivery could not have been better",
        "Never been happier with a phone company",
        "I can't fault your support",
        "She found my lost bag, she was wonderful",
        "Fast delivery, would order again",
    ],
)
def test_praise_is_positive(text: str) -> None:
    assert sentiment(text) is Sentiment.POSITIVE


@pytest.mark.parametrize(
    "text",
    [
        "Can I change the name on my booking?",
        "What time does the store open tomorrow?",
        "Is there a way to pay my bill by card? Thanks",
        "My user ID is mia_li_3668.",
        "Do you offer student discounts on this plan?",
        "Please help me with my account",
        "I'd like to exchange the keyboard in my order",
        "The booking was made 10 hours ago",
    ],
)
def test_questions_and_requests_are_neutral(text: str) -> None:
    assert sentiment(text) is Sentiment.NEUTRAL


def test_a_negation_turns_praise_around_and_makes_a_complaint_mild() -> None:
    assert score("The delivery was good") > 0 > score("The delivery was not very good")
    assert score("The room was dirty") < score("The room was never dirty")


def test_politeness_does_not_outweigh_a_complaint() -> None:
    assert sentiment("Thank you, great, but you lost my luggage and ruined our holiday") is Sentiment.NEGATIVE


def test_what_comes_after_but_weighs_more() -> None:
    assert score("The food was good but the service was bad") < score("The service was bad but the food was good")


def test_capitals_and_exclamation_marks_emphasise() -> None:
    assert score("This is a TERRIBLE plan!!!") < score("This is a terrible plan")


def test_handles_links_and_names_feel_nothing() -> None:
    assert score("@LoveHelp https://great.example/best?q=amazing my order number is 17") == score(
        "My order number is 17"
    )


def test_private_talk_is_not_read_as_a_complaint() -> None:
    assert sentiment("why is it still so warm, we have been waiting for autumn") is Sentiment.NEUTRAL


def test_the_end_of_a_conversation_counts_more_than_its_beginning() -> None:
    complaint, praise = "The delivery was terrible and late.", "Wonderful, you solved it, that is a great service!"
    assert score(complaint, praise) > score(praise, complaint)


def test_a_bare_thank_you_does_not_make_up_for_a_complaint() -> None:
    assert score("My flight was cancelled, nobody helped us and we slept on the floor!", "Ok, thank you.") < -0.2


def test_only_the_customer_is_judged() -> None:
    turns = [
        Turn(role=Role.CUSTOMER, text="Please change my seat to 12A."),
        Turn(role=Role.AGENT, text="I am terribly sorry for this horrible, awful, disgusting experience!"),
    ]
    assert sentiment_of(judge(turns).sentiment_score) is Sentiment.NEUTRAL


def test_without_a_customer_those_who_may_be_one_are_judged() -> None:
    assert judge([Turn(role=Role.UNKNOWN, text="This is a horrible, awful service!")]).sentiment_score < -0.2


@pytest.mark.parametrize("text", ["Wonderful, we love to help!", "We are sorry for the terrible delay and the chaos."])
@pytest.mark.parametrize("role", [Role.AGENT, Role.SYSTEM])
def test_where_only_the_company_speaks_no_feeling_is_told_and_little_is_certain(text: str, role: Role) -> None:
    judgement = judge([Turn(role=role, text=text)])
    assert (judgement.sentiment_score, judgement.confidence) == (0.0, 0.2)


@pytest.mark.parametrize(
    ("stretched", "plain"),
    [
        ("soooo happyyyy with the new app", "so happy with the new app"),
        ("the app is really baaaad", "the app is really bad"),
        ("the refund was goooood", "the refund was good"),
        ("thank youuuuu for the refund", "thank you for the refund"),
    ],
)
def test_letters_written_many_times_are_read_as_the_word_that_is_known(stretched: str, plain: str) -> None:
    assert score(stretched) == score(plain)


def test_letters_written_many_times_in_an_unknown_word_stay_as_they_are() -> None:
    assert with_plain_spelling(["hmmmm", "grrr", "zzzyx", "too"]) == ["hmmmm", "grrr", "zzzyx", "too"]


def test_asking_how_long_something_takes_is_no_complaint() -> None:
    assert sentiment("Do you ship to Norway, and how long does it take?") is Sentiment.NEUTRAL


def test_confidence_grows_with_the_distance_from_the_thresholds() -> None:
    mild = judge([Turn(text="My order is a bit late")])
    clear = judge([Turn(text="Worst service ever, rude staff, my order is late and nobody helps!")])
    assert clear.confidence > mild.confidence
    assert clear.confidence > 0.9


def test_confidence_is_low_where_what_was_found_is_weak() -> None:
    weak = judge([Turn(text="The colour is fine")])
    nothing = judge([Turn(text="The new branch is on Main Street")])
    assert sentiment_of(weak.sentiment_score) is Sentiment.NEUTRAL
    assert weak.confidence < 0.5 < nothing.confidence
