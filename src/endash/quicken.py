"""What makes a model decode faster, tried one after the other beside the model as it is, and kept where nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from endash import shortlist
from endash.decoding.config import DecodingConfig
from endash.errors import ModelError
from endash.evaluation.metrics import bleu, chrf
from endash.model import Model
from endash.registry import kind_of
from endash.shortlist import Pairs

PRUNE = 3.0  # nats: beams further behind the best win too seldom to be seen in BLEU
STEPS: tuple[dict[str, Any], ...] = ({"precision": "int8"}, {"shortlist": True}, {"prune": PRUNE})


@dataclass(frozen=True)
class Trial:
    """One way to decode the valid part: its settings, how good it was, how many sentences a second, and whether it is kept."""

    settings: dict[str, Any]
    bleu: float
    chrf: float
    speed: float
    kept: bool

    def __str__(self) -> str:
        told = ", ".join(f"{name} = {str(value).lower()}" for name, value in self.settings.items())
        return f"{told}: BLEU {self.bleu:.2f}, chrF {self.chrf:.2f}, {self.speed:,.0f} sentences/s"


def quicken(
    model: Model, pairs: Sequence[tuple[str, str]], *, most: float, tokenize: str | None = None
) -> Iterator[Trial]:
    """Try int8 products, the shortlist and pruning on pairs that were not learned from, and keep in the model's recipe what
    loses no more than `most` points of BLEU and of chrF against float32 without them.

    Raises ModelError where the native core, which has these, does not decode this model, where its task reads no text as it
    stands, or there are no pairs.
    """
    check_reads_texts(model)
    plain = model.recipe.decoding.replace(precision="float32", shortlist=False, prune=None) if _beam(model) else None
    if plain is None or (reason := model.path.why_not(plain)) is not None:
        reason = "search = 'sample' has no best" if plain is None else reason
        raise ModelError(f"nothing can be made quicker here, for the native core does not decode this model: {reason}")
    if not pairs:
        raise ModelError(
            "the corpus has no pairs to judge by: name one with sources and targets, not those of training"
        )
    start = _judge(model, plain, pairs, tokenize, None, most)
    yield start
    config = plain
    for step in STEPS:
        if ("shortlist" in step and model.shortlist is None) or ("prune" in step and plain.beam == 1):
            continue
        trial = _judge(model, config.replace(**step), pairs, tokenize, start, most)
        if trial.kept:
            config = config.replace(**step)
        yield trial
    model.recipe = model.recipe.model_copy(update={"decoding": config})


def learn(model: Model, pairs: Sequence[tuple[str, str]]) -> None:
    """Give a model that came without a shortlist the one that these pairs teach."""
    check_reads_texts(model)
    if not model.recipe.takes_shortlist:
        raise ModelError("a model that copies, or reads a translation memory, has no shortlist: leave --learn out")
    model.shortlist = shortlist.learn(model.codec, _ids(model, pairs))


def check_reads_texts(model: Model) -> None:
    """Raise ModelError for a model that pairs of texts do not judge, since it reads none as they stand."""
    if not model.task.verbatim:
        raise ModelError(
            f"pairs of texts judge what is made quicker, and a model of task.kind = {kind_of(model.recipe.task)!r} reads none as "
            "they stand: set decoding.precision and the like in its recipe, and measure it by endash evaluate"
        )


def _ids(model: Model, pairs: Sequence[tuple[str, str]]) -> Pairs:
    sources = model.codec.encode_sources([source for source, _ in pairs])
    placeholders = [source.placeholders for source in sources]
    targets = model.codec.encode_targets([target for _, target in pairs], placeholders)
    return list(zip([source.tokens for source in sources], targets, strict=True))


def _beam(model: Model) -> bool:
    return model.recipe.decoding.search == "beam"


def _judge(
    model: Model,
    config: DecodingConfig,
    pairs: Sequence[tuple[str, str]],
    tokenize: str | None,
    beside: Trial | None,
    most: float,
) -> Trial:
    settings = {name: getattr(config, name) for name in ("precision", "shortlist", "prune", "beam")}
    sources, references = [source for source, _ in pairs], [target for _, target in pairs]
    translate: Callable[[list[str]], list[str]] = lambda texts: model(texts, **settings)  # noqa: E731
    translate(sources[:1])  # the parameters are packed
    start = perf_counter()
    found = translate(sources)
    seconds = perf_counter() - start
    quality = bleu(found, references, tokenize=tokenize).value, chrf(found, references).value
    kept = beside is None or (quality[0] >= beside.bleu - most and quality[1] >= beside.chrf - most)
    return Trial(settings, *quality, len(sources) / seconds, kept)
