import pytest

from schemas.subjects import Subject, subject_registry
from undertone.errors import UsageProblem
from undertone.subject_names import subject_named
from undertone.views.parts import titled


@pytest.mark.parametrize("subject", subject_registry().subjects, ids=lambda subject: subject.slug)
def test_a_subject_is_found_by_its_slug_its_title_as_printed_and_each_alias(subject: Subject) -> None:
    for name in (subject.slug, subject.title, titled(subject.slug).upper(), *subject.aliases):
        assert subject_named(name, "--subject") == subject.slug


@pytest.mark.parametrize(
    ("name", "closest"), [("bagage", "baggage"), ("refnds and returns", "refunds_and_returns"), ("late parcel", "")]
)
def test_an_unknown_subject_is_one_sentence_with_the_known_ones_closest_first(name: str, closest: str) -> None:
    with pytest.raises(UsageProblem) as error:
        subject_named(name, "--subject")
    said = str(error.value)
    assert said.startswith(f"--subject is {name!r}, which is no subject; there are {closest}")
    assert all(subject.slug in said for subject in subject_registry().subjects)
    assert "\n" not in said


@pytest.mark.parametrize("name", ["", "  ", "!!", "багаж"])
def test_a_name_of_which_no_slug_is_left_is_not_taken_for_other(name: str) -> None:
    with pytest.raises(UsageProblem, match="is no subject"):
        subject_named(name, "--subject")
    assert subject_named("Other", "--subject") == "other"


def test_a_subject_that_the_registry_does_not_know_is_shown_by_its_words() -> None:
    assert titled("a_new_subject") == "a new subject"
