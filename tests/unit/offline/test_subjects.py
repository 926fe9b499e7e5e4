"""What conversations are about, and the registry that keeps the names."""

import re

import pytest

from schemas.conversation_received import Role, Turn
from schemas.insight_produced import MAX_CLUSTERS
from schemas.subjects import OTHER, slug_of, subject_registry
from services.analyzer.offline.conversation import judge
from services.analyzer.offline.phrases import read_word_list


def clusters(*texts: str) -> tuple[str, ...]:
    return judge([Turn(text=text) for text in texts]).clusters


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("My parcel should have been delivered on Monday, the tracking says nothing", "delivery_problems"),
        ("I sent the shoes back three weeks ago and still wait for my refund", "refunds_and_returns"),
        ("You charged my credit card twice, see invoice 4711", "billing_and_payments"),
        ("Please cancel my subscription at the end of the trial", "cancellations"),
        ("I forgot my password and the verification code never comes", "account_access"),
        ("The app crashes after the last update", "app_and_website"),
        ("There has been an internet outage in our area since noon", "service_outage"),
        ("Our flight was delayed and we missed our connecting flight", "delays_and_disruptions"),
        ("My suitcase did not come out at the baggage claim", "baggage"),
        ("I need to rebook, can I change my reservation to an earlier flight?", "bookings_and_changes"),
        ("The kiosk printed no boarding pass", "check_in_and_boarding"),
        ("The seat was broken and there was no legroom", "comfort_and_catering"),
        ("No movies and the inflight wifi is gone", "entertainment_and_wifi"),
        ("The cashier was rude and the manager had an attitude", "staff_behaviour"),
        ("Nobody answers my emails, on hold for an hour with your call center", "customer_support"),
        ("The kettle is defective after a week, is there a warranty on it?", "products"),
        ("Why did the price go up? My promo code gives no discount", "pricing_and_offers"),
        ("My miles and elite status are gone from the loyalty program", "loyalty_program"),
        ("The lounge was closed and the parking full", "facilities"),
        ("Good morning to you all", OTHER),
    ],
)
def test_every_subject_is_recognised(text: str, subject: str) -> None:
    assert clusters(text)[0] == subject


def test_the_customers_first_turn_says_what_it_is_about() -> None:
    assert (
        clusters("I want a refund for my jacket", "my phone number is 555, call me", "thanks")[0]
        == "refunds_and_returns"
    )


def test_an_agents_words_count_little() -> None:
    turns = [
        Turn(role=Role.CUSTOMER, text="My bag is lost"),
        Turn(role=Role.AGENT, text="Please confirm your payment, credit card, invoice and billing address."),
    ]
    assert judge(turns).clusters[0] == "baggage"


def test_at_most_five_subjects_are_named() -> None:
    words = "refund invoice password app outage delayed suitcase reservation boarding warranty lounge miles"
    assert len(clusters(words)) == MAX_CLUSTERS


def test_word_lists_name_each_entry_once_and_only_subjects_of_the_registry() -> None:
    seen = set()
    sections = {"a_company", "also_private"}
    for section, weight, tokens in read_word_list("subject_words.txt"):
        assert (section, tokens) not in seen
        assert section in sections or (section in subject_registry().by_name and weight in (1, 2, 3))
        seen.add((section, tokens))


def test_the_support_lexicon_rates_each_entry_once_within_vaders_scale() -> None:
    seen = set()
    for section, valence, tokens in read_word_list("support_lexicon.txt"):
        scope = "everywhere" if section == "words" else "in service"
        assert (scope, tokens) not in seen
        assert -4 <= valence <= 4
        seen.add((scope, tokens))


def test_every_name_in_the_registry_is_a_slug_and_means_one_subject() -> None:
    registry = subject_registry()
    names = [name for subject in registry.subjects for name in (subject.slug, *subject.aliases)]
    assert len(names) == len(set(names)) == len(registry.by_name)
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name) and slug_of(name) == name for name in names)
    assert OTHER in registry.by_name


def test_there_are_at_most_twenty_subjects_so_that_a_table_of_them_can_be_read() -> None:
    assert len(subject_registry().subjects) <= 20


def test_clusters_map_to_subjects_by_slug_alias_or_free_name_and_unknown_ones_to_other() -> None:
    registry = subject_registry()
    assert registry.topics_of(["late_delivery", "delivery_problems", "Shipping Delay"]) == ("delivery_problems",)
    assert registry.topics_of(["alien_abduction", "refund"]) == (OTHER, "refunds_and_returns")
    assert registry.topics_of([]) == (OTHER,)
    assert registry.title_of("baggage") == "Baggage"
    assert registry.title_of("alien_abduction") == "alien_abduction"


def test_slugs_are_bounded_and_never_empty() -> None:
    assert slug_of("Late Delivery!") == "late_delivery"
    assert slug_of("!!!") == OTHER
    assert len(slug_of("very long " * 20)) <= 64
