"""Which encoder, link and decoder can stand together; found out from their settings, before anything is built."""

from __future__ import annotations

from itertools import product

from endash.config import Config
from endash.decoders import decoders
from endash.decoding.config import DecodingConfig, Search
from endash.encoders import encoders
from endash.heads import Each
from endash.links import links
from endash.parts.contracts import Decoder, Encoder, Link, MemoryShape, PartConfig, Writes
from endash.registry import kind_of

SEARCHES: dict[Writes, tuple[Search, ...]] = {"in order": ("beam", "sample"), "at once": ("mask-predict",)}
"""The searches for each way of writing, the default first."""


def why_not(encoder: PartConfig, link: Config, decoder: PartConfig) -> str | None:
    """A sentence that names both sides, the reason and a legal alternative; None where the three fit."""
    reason = _reason(encoder, link, decoder)
    if reason is None:
        return None
    legal = [repr(kind) for kind in links if _reason(encoder, links.config(kind)(), decoder) is None]
    return f"{reason}; links that fit here: {', '.join(legal) or 'none'}"


def matrix() -> dict[tuple[str, str, str], str | None]:
    """For each encoder, decoder and link, with their default settings, why the three do not fit; None where they do."""
    return {
        (encoder, decoder, link): _reason(
            encoders[encoder].Config.usual(), links.config(link)(), decoders[decoder].Config.usual()
        )
        for encoder, decoder, link in product(encoders, decoders, links)
    }


def build(
    encoder: PartConfig, link: Config, decoder: PartConfig, *, segments: int = 1
) -> tuple[Encoder, Link, Decoder]:
    """The three parts, the link with parameters for just the ports that this decoder uses, and for so many joined sources."""
    decoder_class = decoders[decoder.kind]
    ports = links[kind_of(link)].offers & decoder_class.uses
    return (
        encoders.build(encoder),
        links.build(
            link,
            memory=MemoryShape(encoder.width, encoder.depth, segments),
            shape=decoder_class.shape(decoder),
            ports=ports,
        ),
        decoders.build(decoder, reads="read" in ports),
    )


def why_not_search(decoding: DecodingConfig, decoder: PartConfig) -> str | None:
    """Why this decoder cannot be decoded so: a sentence with what to do; None where it can."""
    writes = decoders[decoder.kind].writes
    if decoding.search in SEARCHES[writes]:
        return None
    return (
        f"decoding.search = {decoding.search!r} does not write as decoder.kind = {decoder.kind!r} does, {writes}: "
        f"set decoding.search = {' or '.join(map(repr, SEARCHES[writes]))}"
    )


def why_not_labels(encoder: PartConfig, frontend: Config | None, *, each: Each, joins: int) -> str | None:
    """Why labels cannot be read off this encoder's memory, with so many sources joined: a sentence with what to do; None where they can."""
    name = f"encoder.kind = {encoder.kind!r}"
    if "latent" in encoders[encoder.kind].gives:
        return f"{name} gives a latent vector for a decoder to write from, and here are labels alone: name the encoder that it wraps"
    if each == "word" and (frontend is not None or encoder.reads in {"pixels", "samples"}):
        return (
            f"each word has a label, and {name} is given no words here: take one that reads tokens, and no [frontend]"
        )
    if each == "word" and joins:
        return "each word of one source has a label, read off that source alone: join no other to it"
    return None


def _reason(encoder: PartConfig, link: Config, decoder: PartConfig) -> str | None:
    offering, giving, using = links[kind_of(link)], encoders[encoder.kind], decoders[decoder.kind]
    name = f"link.kind = {kind_of(link)!r}"
    if missing := offering.needs_of(link) - giving.gives:
        return f"{name} needs {_list(missing)} of the encoder, and encoder.kind = {encoder.kind!r} gives {_list(giving.gives)}"
    if missing := using.needs - giving.gives:
        return f"decoder.kind = {decoder.kind!r} needs {_list(missing)} of the encoder, and encoder.kind = {encoder.kind!r} gives {_list(giving.gives)}"
    if not offering.offers & using.uses:
        return f"{name} offers the port {_list(offering.offers)}, and decoder.kind = {decoder.kind!r} uses {_list(using.uses)}"
    return offering.why_not(link, encoder, decoder, reads=using.shape(decoder).reads)


def _list(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))
