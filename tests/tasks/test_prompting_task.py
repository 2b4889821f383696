"""Examples that are drawn for training: of the same family, others than the record, as many as chance says, the same each time."""

from __future__ import annotations

from collections import Counter

import pytest

from endash.corpora import Record
from endash.errors import RecipeError
from endash.recipe import Recipe
from endash.tasks import tasks
from endash.tasks.prompting import PromptingTask
from endash.text import EOS, SEP, Codec
from endash.training.tokenised import Tokenised

RECIPE = """
name = "tiny"
task = { kind = "prompting", examples = 3 }
corpus = { train = { kind = "tsv", path = "pairs.tsv" } }
text = { size = 300 }
encoder = { kind = "transformer", width = 16, layers = 1, heads = 2 }
link = { kind = "cross-attention", heads = 2 }
decoder = { kind = "transformer", width = 16, layers = 1, heads = 2 }
"""
BERT = '{"model_type":"bert","hidden_size":16,"num_hidden_layers":1,"vocab_size":9}'
RECORDS = [
    Record(f"{family}: {number}", f"{family[0]}{number}", family=family)
    for family, count in (("add", 40), ("copy", 1400), ("single", 1))
    for number in range(count)
]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.train(lambda: [(one.source, one.target) for one in RECORDS], Recipe.parse(RECIPE).text)


def task() -> PromptingTask:
    made = tasks.build(Recipe.parse(RECIPE).task)
    assert isinstance(made, PromptingTask)
    return made


def drawn(codec: Codec, records: list[Record] = RECORDS) -> list[list[tuple[str, str]]]:
    """Of each record the examples beside it, as texts."""
    made = Tokenised(records, task(), codec, pairs=None, passages=3, part="train")
    found = []
    for example in made:
        assert len(example.passages) == 3
        pairs = []
        for passage in filter(None, example.passages):
            middle = passage.index(SEP)
            assert passage[-1] == EOS
            pairs.append((codec.decode_target(passage[:middle], ()), codec.decode_target(passage[middle + 1 :], ())))
        found.append(pairs)
    return found


def test_they_are_others_of_the_family_and_as_many_as_chance_says(codec: Codec) -> None:
    found = drawn(codec)
    known = {(one.source, one.target): one.family for one in RECORDS}
    for record, pairs in zip(RECORDS, found, strict=True):
        assert len(set(pairs)) == len(pairs)
        assert all(known[pair] == record.family and pair[0] != record.source for pair in pairs)
    counts = Counter(map(len, found[40:-1]))
    assert sorted(counts) == [0, 1, 2, 3]
    assert min(counts.values()) > 250  # of 1,400; a quarter each is expected, with a deviation of 16
    assert found[-1] == []


def test_they_come_from_the_whole_part_whatever_its_order(codec: Codec) -> None:
    """A file that is sorted by its targets would else be learned with examples of the right one."""
    numbers = [int(source.split()[-1]) for pairs in drawn(codec)[40:240] for source, _ in pairs]
    assert max(numbers) > 1200
    assert sum(number >= 200 for number in numbers) > 0.7 * len(numbers)
    assert len(set(numbers)) > 100


def test_no_more_than_a_bounded_number_of_a_family_is_held(codec: Codec) -> None:
    assert 800 < len({source for pairs in drawn(codec)[40:] for source, _ in pairs}) <= 1024


def test_they_are_the_same_each_time(codec: Codec) -> None:
    assert drawn(codec) == drawn(codec)
    made = task()
    made.survey(RECORDS)
    first = list(made.examples(RECORDS[:50], codec))
    made.survey(RECORDS)
    assert list(made.examples(RECORDS[:50], codec)) == first


def test_a_record_that_is_read_twice_has_other_examples_the_second_time(codec: Codec) -> None:
    first, second = drawn(codec, RECORDS[:40] * 2)[:40], drawn(codec, RECORDS[:40] * 2)[40:]
    assert sum(one != other for one, other in zip(first, second, strict=True)) > 20


def test_what_is_too_long_is_left_out_and_counted(codec: Codec) -> None:
    records = [Record("a", "b"), Record("c " * 300, "d"), Record("e", "f")]
    tokenised = Tokenised(records * 10, task(), codec, pairs=None, passages=3, part="train")
    made = list(tokenised)
    assert len(made) == 20
    assert tokenised.too_long["source"] == 10
    assert tokenised.too_long["passage"] > 0
    assert all(len(passage) <= 256 for one in made for passage in one.passages)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("text.placeholders=true", r"text\.placeholders = true gives slots .*: set text\.placeholders = false"),
        (
            "text.model=imported",
            r"text\.model = 'imported' has no token between the source and the target of an example",
        ),
        (
            f"encoder={{kind='pretrained',architecture='{BERT}'}}",
            r"encoder\.kind = 'pretrained' has a vocabulary of its own, without",
        ),
        ("task.examples=0", r"task\.examples"),
        ("task.examples=65", r"task\.examples"),
        (
            "retrieval={passages=1}",
            r"\[retrieval\] joins pairs to a source of text, which task\.kind = 'prompting' does not",
        ),
    ],
)
def test_what_does_not_go_with_examples_is_refused(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.parse(RECIPE, [override])


@pytest.mark.parametrize("link", ["state", "latent"])
def test_a_link_that_reads_no_examples_is_refused(link: str) -> None:
    inner = 'kind="gru",width=16,layers=1'
    encoder = f'{{kind="variational",width=8,encoder={{{inner}}}}}' if link == "latent" else f"{{{inner}}}"
    with pytest.raises(RecipeError, match=f"link.kind = '{link}' gives decoder.kind = 'gru' nothing of examples"):
        Recipe.parse(RECIPE, [f"encoder={encoder}", f'link={{kind="{link}"}}', f"decoder={{{inner}}}"])
