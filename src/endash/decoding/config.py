"""How to decode: the ``[decoding]`` section of a recipe. No torch here, so that a recipe is read in an instant."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from endash.config import Config
from endash.errors import EndashError, RecipeError, nearest

_ONLY: dict[str, frozenset[str]] = {
    "beam": frozenset({"beam", "length_penalty"}),
    "sample": frozenset({"temperature", "top_k", "top_p", "seed"}),
}


class DecodingConfig(Config):
    """Which search, how far it goes and how many hypotheses it gives.

    A field of the other search is refused, so none is silently ignored; it is left out when the settings are saved.
    """

    search: Literal["beam", "sample"] = "beam"
    n_best: Annotated[int, Field(ge=1, description="hypotheses for each source; with sample: samples")] = 1
    max_ratio: Annotated[float, Field(ge=0, description="most target tokens for each source token")] = 2.0
    max_extra: Annotated[
        int, Field(ge=1, description="target tokens allowed beyond that, end of sentence included")
    ] = 10
    no_repeat: Annotated[
        int | None, Field(ge=2, description="so many target tokens in a row are written once only")
    ] = None
    batch_tokens: Annotated[int, Field(ge=1, description="source tokens decoded at once, padding included")] = 2048

    beam: Annotated[int, Field(ge=1, description="beams of a source; 1 is greedy search")] = 5
    length_penalty: Annotated[float, Field(ge=0, description="alpha in score / length ** alpha")] = 1.0

    temperature: Annotated[float, Field(gt=0, description="scores are divided by this before sampling")] = 1.0
    top_k: Annotated[int | None, Field(ge=1, description="sample among so many of the most likely tokens")] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, description="sample among the fewest tokens of this mass")] = None
    seed: Annotated[int, Field(ge=0, description="of the samples; a source's samples depend on nothing else")] = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        for search, fields in _ONLY.items():
            wrong = sorted(fields & self.model_fields_set)
            if search != self.search and wrong:
                raise ValueError(
                    f"{', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} of search = {search!r}, "
                    f"but search = {self.search!r}: remove {'it' if len(wrong) == 1 else 'them'} or change search"
                )
        if self.search == "beam" and self.n_best > self.beam:
            raise ValueError(
                f"n_best = {self.n_best} is more than beam = {self.beam}: raise beam to {self.n_best}, or lower n_best"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_other_search(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        other = _ONLY["sample" if self.search == "beam" else "beam"]
        return {name: value for name, value in fields.items() if name not in other}

    def replace(self, **changes: Any) -> DecodingConfig:
        """These settings with some changed, checked again; changing `search` drops the fields of the other search.

        Raises RecipeError that names the setting, what was found and what is allowed.
        """
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        search = changes.get("search", self.search)
        if search != self.search:
            kept = {name: value for name, value in kept.items() if name not in _ONLY[self.search]}
        try:
            return DecodingConfig(**{**kept, **changes})
        except ValidationError as error:
            raise RecipeError("; ".join(_readable(one) for one in error.errors())) from None

    def max_length(self, source_length: int) -> int:
        """The most tokens, end of sentence included, written for a source of `source_length` tokens."""
        return math.ceil(self.max_ratio * source_length) + self.max_extra


def _readable(error: Any) -> str:
    name = ".".join(("decoding", *map(str, error["loc"])))
    if error["type"] == "extra_forbidden":
        return f"{name}: unknown key; {nearest(str(error['loc'][-1]), DecodingConfig.model_fields)}"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ValueError) and not isinstance(cause, EndashError):
        return f"{name}: {cause}"
    return f"{name} = {error['input']!r}: {error['msg']}"
