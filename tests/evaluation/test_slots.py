import pytest

from endash.errors import CorpusError
from endash.evaluation.scorer import answered
from endash.evaluation.slot_words import normal, said
from endash.evaluation.slots import SlotErrors, read_meaning

MEANING = "name[The Eagle], eatType[coffee shop], food[Chinese], priceRange[cheap], area[riverside], near[Café Brazil]"
GOOD = "The Eagle is a cheap coffee shop near Cafe Brazil. It serves Chinese food on the riverside."


def rate(text, meaning=MEANING, others=()):
    sources = [meaning, *others]
    given = answered([text, *[""] * len(others)], ["-"] * len(sources), sources=sources)
    wrong, slots = SlotErrors().statistics(given)[0]
    return int(wrong), int(slots)


def test_a_text_that_says_all_slots_has_no_error():
    assert rate(GOOD) == (0, 6)
    assert SlotErrors().value(answered([GOOD], ["-"], sources=[MEANING])) == 0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", 6),
        (GOOD.replace("cheap ", ""), 1),
        (GOOD.replace("cheap", "cheap and expensive"), 1),
        (GOOD.replace("cheap", "expensive"), 1),
        (GOOD + " It is family-friendly.", 1),
        (GOOD.replace("The Eagle", "The Mill"), 1),
        (GOOD + " The Mill is not far.", 1),
        (GOOD.replace("Chinese", "English"), 1),
    ],
)
def test_what_is_missing_contradicted_or_added_counts_once(text, wrong):
    assert rate(text, others=["name[The Mill], food[English]"]) == (wrong, 6)


def test_the_rate_is_of_all_slots_together():
    given = answered(
        ["The Mill", "A pub"], ["-", "-"], sources=["name[The Mill]", "name[The Mill], eatType[pub], food[Thai]"]
    )
    assert SlotErrors().value(given) == pytest.approx(100 * 2 / 4)


def test_names_are_no_food_and_no_area():
    meaning = "name[The Cambridge Blue], near[Raja Indian Cuisine], food[Indian]"
    assert rate("The Cambridge Blue is near Raja Indian Cuisine.", meaning) == (1, 3)
    assert rate("The Cambridge Blue, near Raja Indian Cuisine, has Indian food.", meaning) == (0, 3)


def test_a_name_within_a_longer_one_is_not_it():
    meaning = "name[The Eagle], near[Eagle Inn]"
    assert rate("The Eagle is near Eagle Inn.", meaning) == (0, 2)
    assert rate("It is near Eagle Inn.", meaning, others=["name[Inn]"]) == (1, 2)
    assert rate("Eagles are near.", meaning) == (2, 2)


def test_a_value_that_is_not_e2es_is_looked_for_as_it_stands():
    assert rate("Cotto, rated 4 out of 5", "name[Cotto], customer rating[4 out of 5]") == (0, 2)
    assert rate("Cotto, rated 3 out of 5", "name[Cotto], customer rating[4 out of 5]") == (1, 2)


def test_any_place_may_be_called_a_restaurant():
    assert rate("The restaurant Cotto", "name[Cotto]", others=["eatType[restaurant]"]) == (0, 1)
    assert rate("The pub Cotto", "name[Cotto]", others=["eatType[pub]"]) == (1, 1)


@pytest.mark.parametrize(
    ("slot", "text", "meanings"),
    [
        ("familyFriendly", "It is family-friendly.", {"yes"}),
        ("familyFriendly", "Kids and families are welcome", {"yes"}),
        ("familyFriendly", "It welcomes the whole family", {"yes"}),
        ("familyFriendly", "It is cheap, not expensive and child friendly", {"yes"}),
        ("familyFriendly", "It isn't kid friendly", {"no"}),
        ("familyFriendly", "a non family-friendly pub", {"no"}),
        ("familyFriendly", "Children are not allowed", {"no"}),
        ("familyFriendly", "for adults only", {"no"}),
        ("familyFriendly", "a cheap pub", set()),
        ("customer rating", "It has a customer rating of 3 out of 5 stars", {"average"}),
        ("customer rating", "a five star pub", {"high"}),
        ("customer rating", "rated 1/5", {"low"}),
        ("customer rating", "It has a good rating of 3 out of 5", {"average"}),
        ("customer rating", "Prices are high and customer ratings are low", {"low"}),
        ("customer rating", "highly rated", {"high"}),
        ("customer rating", "It has average customer ratings, high prices", {"average"}),
        ("priceRange", "It costs less than £20", {"low"}),
        ("priceRange", "in the £20-25 price range", {"middle"}),
        ("priceRange", "between £20 and £25", {"middle"}),
        ("priceRange", "Prices are over £30", {"high"}),
        ("priceRange", "the price range is high", {"high"}),
        ("priceRange", "inexpensive", {"low"}),
        ("priceRange", "moderately priced", {"middle"}),
        ("priceRange", "it has a moderate customer rating", set()),
        ("area", "in the centre of the city, by the river", {"city centre", "riverside"}),
        ("area", "in the city center", {"city centre"}),
    ],
)
def test_slots_are_found_in_other_words(slot, text, meanings):
    assert said(slot, normal(text)) == meanings


def test_a_meaning_representation_is_read():
    assert read_meaning("name[The Eagle], customer rating[3 out of 5],area[riverside]") == {
        "name": "The Eagle",
        "customer rating": "3 out of 5",
        "area": "riverside",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty meaning representation"),
        ("a plain text", "'a plain text' is no slot in the meaning representation"),
        ("name[A], name[B]", "slot 'name' stands twice"),
        ("name[A] area[B]", r"'name\[A\] area\[B\]' is no slot"),
        ("name[]", r"'name\[\]' is no slot"),
    ],
)
def test_what_is_no_meaning_representation_is_refused(text, message):
    with pytest.raises(CorpusError, match=message):
        read_meaning(text)


def test_meaning_representations_are_needed():
    with pytest.raises(CorpusError, match="the slot error rate reads the meaning representations"):
        SlotErrors().value(answered(["a"], ["a"]))
