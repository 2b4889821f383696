from pathlib import Path

import pytest
import torch

from endash.network import Batch

transformers = pytest.importorskip("transformers", reason="pip install transformers, to compare with it")


def test_network_with_marian_parameters_gives_marian_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(_BENCHMARKS))
    from marian import network_of

    torch.manual_seed(0)
    sides = {f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in _SIZES.items()}
    config = transformers.MarianConfig(
        vocab_size=40, d_model=16, activation_function="relu", scale_embedding=True, max_position_embeddings=32,
        pad_token_id=0, bos_token_id=2, decoder_start_token_id=2, eos_token_id=3, forced_eos_token_id=None, **sides,
    )  # fmt: skip
    marian = transformers.MarianMTModel(config).eval()
    with torch.no_grad():
        for parameter in marian.parameters():
            if parameter.requires_grad:  # also biases and norms, which start at 0 and 1
                parameter.add_(0.1 * torch.randn_like(parameter))
        marian.final_logits_bias.normal_()
        source = torch.tensor([[5, 6, 7, 8, 3], [9, 10, 3, 0, 0]])
        target = torch.tensor([[11, 12, 13, 3], [14, 3, 0, 0]])
        begun = torch.tensor([[2, 11, 12, 13], [2, 14, 3, 0]])
        theirs = marian(input_ids=source, attention_mask=(source != 0).long(), decoder_input_ids=begun).logits
        ours = network_of(marian)(Batch(source, target))
    # float32 sums in another order, on scores of about 10
    torch.testing.assert_close(ours[target != 0], theirs[target != 0], atol=1e-4, rtol=1e-4)


_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
_SIZES = {"layers": 2, "attention_heads": 2, "ffn_dim": 32}
