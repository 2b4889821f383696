from __future__ import annotations

from endash.combination import why_not
from endash.decoders import decoders
from endash.encoders import encoders
from endash.links import links


def fitting(*unfit: str) -> str:
    """All links but some, as an error lists them."""
    return ", ".join(repr(kind) for kind in links if kind not in unfit)


def test_unequal_widths_do_not_multiply() -> None:
    reason = why_not(encoders.config("lstm")(width=32), links.config("dot")(), decoders.config("gru")(width=64))
    assert reason == (
        "link.kind = 'dot' multiplies states of one width, and encoder.kind = 'lstm' has width 32, "
        "decoder.kind = 'gru' width 64: set decoder.width = 32; "
        f"links that fit here: {fitting('dot', 'latent', 'layerwise', 'prefix')}"
    )


def test_heads_of_the_link_divide_the_decoders_width() -> None:
    encoder, decoder = encoders.config("transformer")(width=32), decoders.config("transformer")(width=64)
    cross = links.config("cross-attention")
    assert why_not(encoder, cross(heads=8), decoder) is None
    assert why_not(encoder, cross(heads=5), decoder) == (
        "link.heads = 5 does not divide width = 64: use 1, 2, 4, 8 (the width of decoder.kind = 'transformer'); "
        f"links that fit here: {fitting('dot', 'latent', 'state')}"
    )
    reason = why_not(encoder, cross(heads=4, kv_heads=3), decoder)
    assert reason is not None
    assert reason.startswith("link.kv_heads = 3 does not divide heads = 4: use 1, 2, 4")


def test_a_transformer_decoder_cannot_start_from_a_state() -> None:
    reason = why_not(encoders.config("transformer")(), links.config("state")(), decoders.config("transformer")())
    assert reason == (
        "link.kind = 'state' offers the port start, and decoder.kind = 'transformer' uses prefix and read; "
        f"links that fit here: {fitting('latent', 'state')}"
    )


def test_layerwise_joins_halves_of_one_depth() -> None:
    encoder, decoder = encoders.config("transformer"), decoders.config("transformer")
    layerwise = links.config("layerwise")()
    assert why_not(encoder(layers=2), layerwise, decoder(layers=2)) is None
    reason = why_not(encoder(layers=3), layerwise, decoder(layers=2))
    assert reason is not None
    assert reason.startswith(
        "link.kind = 'layerwise' joins layer to layer, and encoder.kind = 'transformer' has 3 layers, "
        "decoder.kind = 'transformer' reads 2 times: set encoder.layers = 2; links that fit here: "
    )


def test_a_link_that_wraps_another_asks_for_what_that_needs() -> None:
    encoder, decoder = encoders.config("lstm")(width=32), decoders.config("lstm")(width=64)
    gated = links.config("gated")
    assert why_not(encoder, gated(), decoder) is None
    reason = why_not(encoder, gated(link=links.config("state")()), decoder)
    assert reason is not None
    assert "link.link.kind = 'state' offers none of it to decoder.kind = 'lstm': wrap 'additive', " in reason
    reason = why_not(encoder, gated(link=links.config("dot")()), decoder)
    assert reason is not None
    assert "multiplies states of one width" in reason
    reason = why_not(encoder, gated(link=links.config("latent")()), decoder)
    assert reason is not None
    assert "needs latent of the encoder, and encoder.kind = 'lstm' gives layers and states and summary" in reason
