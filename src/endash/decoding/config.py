"""How to decode: the ``[decoding]`` section of a recipe. No torch here, so that a recipe is read in an instant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from endash.config import Config
from endash.errors import EndashError, ModelError, RecipeError, nearest

Search = Literal["beam", "sample", "mask-predict"]
Precision = Literal["float32", "bfloat16", "int8"]

FIELDS: dict[Search, frozenset[str]] = {
    "beam": frozenset({"beam", "length_penalty", "no_repeat", "prune", "ctc"}),
    "sample": frozenset({"temperature", "top_k", "top_p", "seed", "no_repeat"}),
    "mask-predict": frozenset({"iterations", "lengths"}),
}
"""The settings that not every search has."""


class DecodingConfig(Config):
    """Which search, how far it goes and how many hypotheses it gives.

    A field of another search is refused, so none is silently ignored; it is left out when the settings are saved.
    """

    search: Search = "beam"
    n_best: Annotated[int, Field(ge=1, description="hypotheses for each source; with sample: samples")] = 1
    max_ratio: Annotated[float, Field(ge=0, description="most target tokens for each source token")] = 2.0
    max_extra: Annotated[
        int, Field(ge=1, description="target tokens allowed beyond that, end of sentence included")
    ] = 10
    no_repeat: Annotated[
        int | None, Field(ge=2, description="so many target tokens in a row are written once only")
    ] = None
    precision: Annotated[Precision, Field(description="of the products, where the native core decodes")] = "float32"
    shortlist: Annotated[
        bool, Field(description="write only what the model's shortlist has for the source; native core only")
    ] = False
    batch_tokens: Annotated[int, Field(ge=1, description="source tokens decoded at once, padding included")] = 4096

    beam: Annotated[int, Field(ge=1, description="beams of a source; 1 is greedy search")] = 5
    length_penalty: Annotated[float, Field(ge=0, description="alpha in score / length ** alpha")] = 1.0

    prune: Annotated[
        float | None, Field(gt=0, description="beams so many nats below the best are dropped; native core only")
    ] = None

    ctc: Annotated[
        float | None, Field(gt=0, lt=1, description="share of the CTC head in what beams are judged by; needs head.ctc")
    ] = None

    temperature: Annotated[float, Field(gt=0, description="scores are divided by this before sampling")] = 1.0
    top_k: Annotated[int | None, Field(ge=1, description="sample among so many of the most likely tokens")] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, description="sample among the fewest tokens of this mass")] = None
    seed: Annotated[int, Field(ge=0, description="of the samples; a source's samples depend on nothing else")] = 0

    iterations: Annotated[int, Field(ge=1, description="passes: one writes all, the others the least certain")] = 10
    lengths: Annotated[int, Field(ge=1, description="lengths of the target that are tried, the likeliest")] = 5

    @model_validator(mode="after")
    def _check(self) -> Self:
        for search, fields in FIELDS.items():
            wrong = sorted((fields - FIELDS[self.search]) & self.model_fields_set)
            if wrong:
                raise ValueError(
                    f"{', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} of search = {search!r}, "
                    f"but search = {self.search!r}: remove {'it' if len(wrong) == 1 else 'them'} or change search"
                )
        most: dict[str, int] = {"beam": self.beam, "mask-predict": self.lengths}
        if self.n_best > most.get(self.search, self.n_best):
            key = "beam" if self.search == "beam" else "lengths"
            raise ValueError(
                f"n_best = {self.n_best} is more than {key} = {most[self.search]}: "
                f"raise {key} to {self.n_best}, or lower n_best"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_other_search(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        other = frozenset[str]().union(*FIELDS.values()) - FIELDS[self.search]
        return {name: value for name, value in fields.items() if name not in other}

    def replace(self, **changes: Any) -> DecodingConfig:
        """These settings with some changed, checked again; changing `search` drops the fields of the other search.

        Raises RecipeError that names the setting, what was found and what is allowed.
        """
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        search = changes.get("search", self.search)
        gone = FIELDS[self.search] - FIELDS.get(search, frozenset())
        kept = {name: value for name, value in kept.items() if name not in gone}
        try:
            return DecodingConfig(**{**kept, **changes})
        except ValidationError as error:
            raise RecipeError("; ".join(_readable(one) for one in error.errors())) from None

    def quick(self) -> dict[str, Any]:
        """What to change for the quickest search of this kind of decoder."""
        if self.search == "mask-predict":
            return {"lengths": 1, "n_best": 1}
        return {"search": "beam", "beam": 1, "n_best": 1}

    @property
    def beyond_core(self) -> str | None:
        """What the native core does not have of these settings; None where it has all."""
        if self.search == "mask-predict":
            return "search = 'mask-predict'"
        return None if self.ctc is None else f"CTC head (decoding.ctc = {self.ctc:g})"

    def max_length(self, source_length: int) -> int:
        """The most tokens, end of sentence included, written for a source of `source_length` tokens."""
        return math.ceil(self.max_ratio * source_length) + self.max_extra


def check_prefix(row: int, prefix: Sequence[int], room: int) -> None:
    """Raise ModelError where a prefix and the end of sentence are more tokens than there is room for."""
    if len(prefix) >= room:
        raise ModelError(
            f"row {row} has a prefix of {len(prefix)} tokens but a maximum length of {room} tokens, end of sentence included: "
            "raise decoding.max_extra or decoding.max_ratio, or shorten the prefix"
        )


def check_room(row: int, todo: int, room: int) -> None:
    """Raise ModelError where so many slots and the end of sentence are more tokens than there is room for."""
    if todo >= room:
        raise ModelError(
            f"row {row} has {todo} placeholders to write but a maximum length of {room} tokens, "
            "end of sentence included: raise decoding.max_extra or decoding.max_ratio"
        )


def _readable(error: Any) -> str:
    name = ".".join(("decoding", *map(str, error["loc"])))
    if error["type"] == "extra_forbidden":
        return f"{name}: unknown key; {nearest(str(error['loc'][-1]), DecodingConfig.model_fields)}"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ValueError) and not isinstance(cause, EndashError):
        return f"{name}: {cause}"
    return f"{name} = {error['input']!r}: {error['msg']}"
