"""The native core finds what PyTorch finds, whatever else is under way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from native_cases import Case, assert_same, by_core, encoder, made, sources, ssru, submit, transformer, usual

from endash import lowering
from endash.decoding.config import DecodingConfig
from endash.errors import ModelError
from endash.links.cross_attention import CrossAttentionConfig
from endash.links.layers import LayerwiseConfig, MixedConfig
from endash.links.multi import MultiConfig
from endash.links.prefix import PrefixConfig
from endash.native import Core
from endash.text import EOS
from endash.text.tokenizer import FIRST_SLOT

SAME = 1e-3  # nats over a whole sentence of float32 sums in another order; 1e-5 are seen
LENGTHS = (3, 7, 1, 33, 5, 20)
SIDES: dict[str, dict[str, Any]] = {
    "post-norm": {"norm": "post"},
    "pre-norm": {"norm": "pre"},
    "gelu and fewer keys": {"activation": "gelu", "kv_heads": 2, "positions": "rotary"},
    "silu, odd widths": {"activation": "silu", "width": 36, "heads": 3, "feed_forward": 45},
    "gated": {"activation": "silu-gated", "positions": "learned"},
    "pre-norm, odd widths, one key": {"norm": "pre", "width": 36, "heads": 6, "kv_heads": 1, "positions": "rotary"},
}
LINKS = {
    "cross-attention": CrossAttentionConfig(heads=2),
    "fewer keys": CrossAttentionConfig(heads=4, kv_heads=2),
    "layerwise": LayerwiseConfig(heads=2),
    "mixed": MixedConfig(heads=4),
    "multi": MultiConfig(link=CrossAttentionConfig(heads=2)),
    "prefix": PrefixConfig(),
}
SEARCHES = {
    "greedy": DecodingConfig(beam=1),
    "beam": DecodingConfig(beam=4),
    "n best": DecodingConfig(beam=4, n_best=3, length_penalty=0.6),
    "no repetition": DecodingConfig(beam=3, no_repeat=2),
    "sample": DecodingConfig(search="sample", seed=3, n_best=2),
    "sample of few": DecodingConfig(search="sample", top_k=9, top_p=0.8, temperature=0.7, no_repeat=3),
}
SETS = {"avx512": "AVX-512 VNNI", "avx2": "AVX2", "plain": "plain C++"}


def instruction_sets() -> list[str]:
    from endash import _native

    return _native.instruction_sets()


def recurrent(settings: dict[str, Any]) -> Any:
    return ssru(**{name: value for name, value in settings.items() if name not in {"kv_heads", "positions"}})


def agree(case: Case, *searches: str, within: float = SAME) -> None:
    core = case.core()
    for name in searches:
        given = sources(*LENGTHS)
        assert_same(by_core(core, given, SEARCHES[name]), case.by_torch(given, SEARCHES[name]), within=within)
    core.close()


@pytest.mark.parametrize("decoder", ["transformer", "ssru"])
@pytest.mark.parametrize("side", SIDES)
def test_every_kind_of_layer(side: str, decoder: str) -> None:
    settings = SIDES[side]
    link = CrossAttentionConfig(heads=3 if settings.get("width") == 36 else 4)
    made_of = transformer(**settings) if decoder == "transformer" else recurrent(settings)
    agree(made(encoder(**settings), link, made_of), "greedy", "beam")


@pytest.mark.parametrize("decoder", ["transformer", "ssru"])
@pytest.mark.parametrize("link", LINKS)
def test_every_link(link: str, decoder: str) -> None:
    if (link, decoder) == ("prefix", "ssru"):
        pytest.skip("a prefix is read by self-attention")
    agree(made(encoder(norm="pre"), LINKS[link], transformer() if decoder == "transformer" else ssru()), "beam")


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_an_encoder_that_sees_no_later_position(positions: str) -> None:
    side = encoder(bidirectional=False, positions=positions)
    agree(made(side, CrossAttentionConfig(heads=2), transformer()), "greedy", "beam")


@pytest.mark.parametrize("search", SEARCHES)
def test_every_search(search: str) -> None:
    agree(usual(seed=1), search)


@pytest.mark.parametrize("decoder", ["transformer", "ssru"])
def test_sides_of_different_width_and_depth(decoder: str) -> None:
    wide = encoder(width=64, layers=3)
    narrow = transformer(width=36, heads=3, norm="pre") if decoder == "transformer" else ssru(width=36, norm="pre")
    agree(made(wide, CrossAttentionConfig(heads=6), narrow), "beam")


@pytest.mark.parametrize("search", ["greedy", "beam", "sample"])
def test_slots_are_written_as_often_as_the_source_has_them(search: str) -> None:
    case, config = usual(seed=2), SEARCHES[search]
    given = sources(4, 6, 2)
    given[0][1:3] = [FIRST_SLOT, FIRST_SLOT]
    given[1][2] = FIRST_SLOT + 1
    core = case.core(slots=2)
    found = by_core(core, given, config, slots=2)
    assert_same(found, case.by_torch(given, config, slots=2), within=SAME)
    assert [one.tokens.count(FIRST_SLOT) for one in found[0]] == [2] * len(found[0])
    core.close()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_greedy_search_without_scores_writes_the_same(precision: Any) -> None:
    case, given = usual(), sources(*LENGTHS)
    core = case.core(precision=precision)
    expected = by_core(core, given, SEARCHES["greedy"])
    tickets = [
        submit(core, one, SEARCHES["greedy" if n % 3 else "beam"], scored=bool(n % 2)) for n, one in enumerate(given)
    ]
    for n, ticket in enumerate(tickets):
        [found] = ticket.result(60)
        if n % 3:
            assert found.tokens == expected[n][0].tokens
            assert found.score == (expected[n][0].score if n % 2 else 0)
        else:
            assert found.score < 0
    core.close()


def test_memories_that_are_given_are_read_as_sources_are() -> None:
    config = DecodingConfig(beam=3)
    for link in (CrossAttentionConfig(heads=4), MixedConfig(heads=4), PrefixConfig()):
        case, given = made(encoder(), link, transformer()), sources(4, 18)
        core = case.core()
        expected = by_core(core, given, config)
        with torch.no_grad():
            memories = [case.network.encode(torch.tensor([one])) for one in given]
        views = [one.layers if case.network.keeps_layers else (one.states,) for one in memories]
        tickets = [
            core.submit((), config, limit=config.max_length(len(one)), memory=[view[0].numpy() for view in of])
            for one, of in zip(given, views, strict=True)
        ]
        assert_same([ticket.result(60) for ticket in tickets], expected, within=SAME)
        core.close()


def first_scores(core: Core) -> list[dict[tuple[int, ...], float]]:
    """The likeliest first tokens of some sources, in nats. Later ones follow what was chosen, and small differences grow."""
    config = DecodingConfig(beam=8, n_best=8, max_ratio=0, max_extra=1)
    return [{one.tokens: one.score for one in row} for row in by_core(core, sources(*LENGTHS), config)]


def assert_close(
    found: list[dict[tuple[int, ...], float]], expected: list[dict[tuple[int, ...], float]], within: float
) -> None:
    for row, other in zip(found, expected, strict=True):
        assert len(row.keys() & other.keys()) >= 6  # of 8
        assert max(abs(row[tokens] - other[tokens]) for tokens in row.keys() & other.keys()) < within


MIXTURE = made(encoder(activation="gelu"), MixedConfig(heads=2), ssru(activation="silu-gated"))


@pytest.mark.parametrize(("precision", "within"), [("bfloat16", 0.03), ("int8", 0.3)])
def test_lower_precision_moves_scores_a_little(precision: Any, within: float) -> None:
    """Of 8 bits of mantissa, and of 255 steps, with AVX2 of 127: twice what is seen there is allowed."""
    for case in (usual(), MIXTURE):
        exact, core = case.core(), case.core(precision=precision)
        assert_close(first_scores(core), first_scores(exact), within)
        assert by_core(core, sources(*LENGTHS), SEARCHES["beam"])
        core.close()
        exact.close()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("shape", ["transformer", "ssru", "odd"])
def test_what_a_source_gets_depends_on_nothing_else(shape: str, precision: Any) -> None:
    """To the last bit: whatever is decoded beside it, in what order, by how many threads and rows."""
    side = {"width": 36, "heads": 3, "norm": "pre"}
    case = {
        "transformer": usual,
        "ssru": lambda: made(encoder(), LayerwiseConfig(heads=2), ssru()),
        # a link with more padded heads than self-attention has
        "odd": lambda: made(encoder(**side), CrossAttentionConfig(heads=4), transformer(**side)),
    }[shape]()
    given, config = sources(*LENGTHS, 2, 9, 14, 40), DecodingConfig(beam=3, n_best=2)
    core = case.core(precision=precision)
    alone = [by_core(core, [one], config)[0] for one in given]
    assert by_core(core, given, config) == alone
    assert by_core(core, given[::-1], config) == alone[::-1]
    core.close()
    for threads, rows in ((2, 8), (1, 1), (2, 64)):
        core = case.core(precision=precision, threads=threads, rows=rows)
        assert by_core(core, given * 2, config) == alone * 2
        core.close()


@pytest.mark.parametrize("name", ["avx512", "avx2"])
def test_instruction_sets_find_what_plain_cpp_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if SETS[name] not in instruction_sets():
        pytest.skip(f"this machine has no {SETS[name]}")
    # float32 and bfloat16 are summed in the same order, but for fused multiplication; of int8 AVX2 has half the steps
    for precision, within in (("float32", SAME), ("bfloat16", 0.01), ("int8", 0.3)):
        for case in (usual(), MIXTURE):
            first, found = [], []
            for one in (name, "plain"):
                monkeypatch.setenv("ENDASH_NATIVE", one)
                core = case.core(precision=precision)  # type: ignore[arg-type]
                assert core.instruction_set == SETS[one]
                first.append(first_scores(core))
                found.append(by_core(core, sources(*LENGTHS), SEARCHES["beam"]))
                core.close()
            assert_close(first[0], first[1], within)
            if precision == "float32":
                assert_same(found[0], found[1], within=within)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("head", [30.0, 100.0])
def test_huge_scores_do_not_overflow(head: float, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of hundreds: 2 to the power of them is no float. What rounding leaves of them is larger as well."""
    if SETS[name] not in instruction_sets():
        pytest.skip(f"this machine has no {SETS[name]}")
    monkeypatch.setenv("ENDASH_NATIVE", name)
    case = made(encoder(), CrossAttentionConfig(heads=4), transformer(), tie="none", head=head)
    agree(case, "greedy", "beam", "sample", within=SAME * head)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize(
    "where", ["head.bias", "encoder.layers.0.feed_forward.inner.weight", "source_embedding.weight"]
)
def test_broken_parameters_are_told(where: str, precision: Any) -> None:
    case = usual(tie="none")
    with torch.no_grad():
        dict(case.network.named_parameters())[where].view(-1)[::3] = float("nan")
    core = case.core(precision=precision)
    for config in (DecodingConfig(beam=1), DecodingConfig(beam=4), DecodingConfig(search="sample")):
        for ticket in [submit(core, one, config) for one in sources(3, 9)]:
            with pytest.raises(ModelError, match="not finite"):
                ticket.result(60)
    if where != "head.bias":  # of which some columns are sound, and no other is looked at
        with pytest.raises(ModelError, match="not finite"):
            submit(core, sources(3)[0], DecodingConfig(beam=1), scored=False).result(60)
    assert core.memory == 0
    core.close()


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_broken_memory_spoils_no_other(norm: Any) -> None:
    """Rows are used again, and what stood in their padding must not be read."""
    case = made(encoder(width=64), CrossAttentionConfig(heads=4), transformer(width=36, heads=3, norm=norm))
    core, config, given = case.core(), DecodingConfig(beam=8), sources(1)
    expected = by_core(core, given, config)
    broken = torch.full((12, 64), float("nan")).numpy()
    with pytest.raises(ModelError, match="not finite"):
        core.submit((), config, limit=9, memory=[broken]).result(60)
    assert by_core(core, given, config) == expected
    core.close()


def test_short_and_long_sources() -> None:
    for link in (CrossAttentionConfig(heads=4), PrefixConfig()):
        case = made(encoder(), link, transformer())
        given, core = [[EOS], *sources(301, 1)], case.core()
        config = DecodingConfig(beam=2, max_ratio=0.3)
        assert_same(by_core(core, given, config), case.by_torch(given, config), within=SAME)
        core.close()


def test_learned_positions_end_for_one_source_alone() -> None:
    """Of a source too long for the table, or a target that may be, only its own request fails."""
    case = made(encoder(positions="learned", max_length=16), CrossAttentionConfig(heads=4), transformer())
    core, config = case.core(), DecodingConfig(beam=2)
    tickets = [submit(core, one, config) for one in sources(5, 15, 16, 6)]
    for ticket, fits in zip(tickets, (True, True, False, True), strict=True):
        if fits:
            assert ticket.result(60)
        else:
            with pytest.raises(ModelError, match="17 positions are more than the 16"):
                ticket.result(60)
    core.close()
    case = made(encoder(), CrossAttentionConfig(heads=4), transformer(positions="learned", max_length=16))
    core = case.core()
    one, other = sources(5, 5)
    long, fits = core.submit(one, config, limit=17), core.submit(other, config, limit=16)
    assert fits.result(60)
    with pytest.raises(ModelError, match="17 positions are more than the 16"):
        long.result(60)
    core.close()


@pytest.mark.parametrize("search", ["greedy", "beam", "sample"])
def test_nothing_is_written_that_is_no_token(search: str) -> None:
    """Where all tokens are banned there is nothing to write: neither padding of the vocabulary nor another token."""
    case = usual()
    settings = lowering.settings(
        case.network,
        case.encoder,
        case.link,
        case.decoder,
        passages=0,
        never=tuple(range(83)),
        slots=range(5, 5),
    )
    core = Core({**settings, "precision": "float32"}, lowering.parameters(case.network), threads=1)
    for scored in (True, False):
        with pytest.raises(ModelError, match="every token is banned"):
            submit(core, sources(3)[0], SEARCHES[search], scored=scored).result(60)
    core.close()


def test_a_beam_wider_than_what_may_be_written() -> None:
    case, config = usual(), DecodingConfig(beam=30, n_best=30)
    core = case.core(slots=60)
    [found] = by_core(core, [[70, 71, EOS]], config, slots=60)  # no slot in the source: few tokens are left
    assert all(FIRST_SLOT + 60 <= token < 83 for one in found for token in one.tokens)
    core.close()
