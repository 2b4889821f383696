from __future__ import annotations

from endash.combination import why_not
from endash.decoders import decoders
from endash.encoders import encoders
from endash.links import links


def test_unequal_widths_do_not_multiply() -> None:
    reason = why_not(encoders.config("lstm")(width=32), links.config("dot")(), decoders.config("gru")(width=64))
    assert reason == (
        "link.kind = 'dot' multiplies states of one width, and encoder.kind = 'lstm' has width 32, "
        "decoder.kind = 'gru' width 64: set decoder.width = 32; "
        "links that fit here: 'additive', 'cross-attention', 'state'"
    )


def test_heads_of_the_link_divide_the_decoders_width() -> None:
    encoder, decoder = encoders.config("transformer")(width=32), decoders.config("transformer")(width=64)
    cross = links.config("cross-attention")
    assert why_not(encoder, cross(heads=8), decoder) is None
    assert why_not(encoder, cross(heads=5), decoder) == (
        "link.heads = 5 does not divide width = 64: use 1, 2, 4, 8 (the width of decoder.kind = 'transformer'); "
        "links that fit here: 'additive', 'cross-attention'"
    )
    reason = why_not(encoder, cross(heads=4, kv_heads=3), decoder)
    assert reason is not None
    assert reason.startswith("link.kv_heads = 3 does not divide heads = 4: use 1, 2, 4")


def test_a_transformer_decoder_cannot_start_from_a_state() -> None:
    reason = why_not(encoders.config("transformer")(), links.config("state")(), decoders.config("transformer")())
    assert reason == (
        "link.kind = 'state' offers the port start, and decoder.kind = 'transformer' uses read; "
        "links that fit here: 'additive', 'cross-attention', 'dot'"
    )
