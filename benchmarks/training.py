"""Training speed beside Hugging Face transformers: the same architecture on the same batches, side by side in turn.

    pip install transformers==5.23.0
    python benchmarks/training.py --corpus train.tsv.gz

Both train a Transformer of 3 + 3 layers, width 256, feed-forward 1024, 4 heads, ReLU, post-norm, sinusoidal positions, all
embeddings tied, residual dropout 0.1, on endash's own batches by token count. transformers runs MarianMTModel in a plain PyTorch loop;
Endash runs the step of ``endash train``. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import workers
from torch import Tensor, nn
from workers import Spread

WIDTH, LAYERS, HEADS, FEED_FORWARD, DROPOUT = 256, 3, 4, 1024, 0.1
SUBWORDS = 8000
WARM_UP = 3  # steps before the clock starts
LEARNING_RATE = 1e-4
SIDES = ("transformers fp32", "transformers bf16", "endash fp32", "endash bf16")
BASE = "transformers fp32"
PRODUCT = 2048  # rows and columns of the matrices whose product tells how fast the machine multiplies

Batches = list[tuple[Tensor, Tensor]]
Step = Callable[[Tensor, Tensor], float]


def main() -> None:
    """Measure, and print a Markdown table."""
    if workers.answer_job(work, sys.argv[1:]):
        return
    options = parser().parse_args()
    workers.need_peer()
    about = workers.machine()
    with tempfile.TemporaryDirectory() as folder:
        job = {"batches": str(Path(folder) / "batches.pt")}
        size = prepare(options, Path(job["batches"]))
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in ("machine", *SIDES)}
        for _, side in workers.in_turn(("machine", *SIDES), options.pairs):
            runs[side].append(workers.measure(__file__, {"side": side, "vocabulary": size["vocabulary"], **job}))
    print("\n".join([*workers.head(about), *report(runs, size)]))
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": about, "batches": size, "runs": runs}, indent=1))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--corpus", required=True, help="pairs, such as a TSV file with the columns en and de")
    made.add_argument("--source", default="en", help="column of the source (en)")
    made.add_argument("--target", default="de", help="column of the target (de)")
    made.add_argument(
        "--batch-tokens", type=int, default=4096, help="padded tokens of a batch on its larger side (4096)"
    )
    made.add_argument("--steps", type=int, default=20, help=f"steps that are timed, after {WARM_UP} that are not (20)")
    made.add_argument("--pairs", type=int, default=3, help="times that each side is measured (3)")
    made.add_argument("--json", help="also write every measurement to this file")
    return made


def prepare(options: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Store the batches that all sides train on; gives their size and the work of one pass over those that are timed."""
    import numpy as np

    from endash.text import Codec, TextConfig
    from endash.training.batches import epoch_batches

    sources, targets = workers.pairs(options.corpus, options.source, options.target)
    codec = Codec.train(lambda: zip(sources, targets, strict=True), TextConfig(size=SUBWORDS, placeholders=False))
    encoded = [one.tokens for one in codec.encode_sources(sources)], codec.encode_targets(targets, [()] * len(targets))
    lengths = np.array([[len(s), len(t)] for s, t in zip(*encoded, strict=True)])
    rows = list(epoch_batches(lengths, batch_tokens=options.batch_tokens, seed=1, epoch=0))[: WARM_UP + options.steps]
    if len(rows) < WARM_UP + options.steps:
        sys.exit(f"{options.corpus} makes {len(rows)} batches, {WARM_UP + options.steps} are needed: fewer --steps")
    torch.save([tuple(padded([side[i] for i in batch]) for side in encoded) for batch in rows], path)
    timed = rows[WARM_UP:]
    return {
        "vocabulary": codec.size_target,
        "steps": options.steps,
        "tokens": int(sum(lengths[batch].sum() for batch in timed)),
        "padded": int(sum(len(batch) * lengths[batch].max(0).sum() for batch in timed)),
        "flops": sum(flops(*lengths[i].tolist(), codec.size_target) for batch in timed for i in batch),
    }


def padded(rows: list[list[int]]) -> Tensor:
    """Token ids (B, L), padded with 0."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


def flops(source: int, target: int, vocabulary: int) -> int:
    """What the matrix products of one pair need, forward and backward, padding left out: 6 for each multiplication.

    A multiply-add is 2 operations, and the backward pass takes two products for each of the forward pass.
    """
    attention, feed_forward = 4 * WIDTH**2, 2 * WIDTH * FEED_FORWARD
    encoder = LAYERS * source * (attention + feed_forward + 2 * source * WIDTH)
    own = target * (attention + feed_forward + 2 * target * WIDTH)
    link = target * (2 * WIDTH**2 + 2 * source * WIDTH) + source * 2 * WIDTH**2
    return 6 * (encoder + LAYERS * (own + link) + target * WIDTH * vocabulary)


def report(runs: dict[str, list[dict[str, Any]]], size: dict[str, Any]) -> list[str]:
    """The tables."""
    padding = 1 - size["tokens"] / size["padded"]
    lines = [
        f"- {size['steps']} steps of {size['tokens'] / size['steps']:,.0f} source + target tokens on average, without "
        f"{padding:.1%} of padding; vocabulary {size['vocabulary']:,}; {len(runs[BASE])} runs of each side, in turn.",
        f"- Matrix product of {PRODUCT} × {PRODUCT}: "
        + ", ".join(f"{p} {speeds(runs['machine'], p).show()} GFLOP/s" for p in ("fp32", "bf16"))
        + ".",
        "",
    ]
    header = ("", "tokens/s", f"× {BASE}", "share of the matrix product's speed", "peak memory, GB", "loss at the end")
    return lines + workers.table(header, [row(side, runs, size) for side in SIDES])


def row(side: str, runs: dict[str, list[dict[str, Any]]], size: dict[str, Any]) -> list[str]:
    """One side's figures: medians and ranges; ratios and shares are taken within each round."""
    own = runs[side]
    ratio = Spread(tuple(base["seconds"] / run["seconds"] for base, run in zip(runs[BASE], own, strict=True)))
    peaks = speeds(runs["machine"], side.split()[1]).values
    share = [100 * size["flops"] / 1e9 / run["seconds"] / peak for run, peak in zip(own, peaks, strict=True)]
    memory = [run["peak_bytes"] / 1e9 for run in own if run["peak_bytes"]]
    return [
        side,
        Spread(tuple(size["tokens"] / run["seconds"] for run in own)).show(),
        ratio.show(2),
        f"{Spread(tuple(share)).show()} %",
        Spread(tuple(memory)).show(2) if memory else "–",
        f"{own[-1]['loss']:.2f}",
    ]


def speeds(runs: list[dict[str, Any]], precision: str) -> Spread:
    """GFLOP/s of matrix products in each round."""
    return Spread(tuple(run[precision] for run in runs))


def work(job: dict[str, Any]) -> dict[str, Any]:
    """A worker's part: one side's seconds for the timed steps, or the machine's speed."""
    if job["side"] == "machine":
        return {"fp32": product_speed(torch.float32), "bf16": product_speed(torch.bfloat16)}
    batches: Batches = torch.load(job["batches"])
    library, precision = job["side"].split()
    torch.manual_seed(1)
    make = {"transformers": transformers_step, "endash": endash_step}[library]
    step = make(job["vocabulary"], bf16=precision == "bf16")
    for batch in batches[:WARM_UP]:
        step(*batch)
    began = time.perf_counter()
    for batch in batches[WARM_UP:]:
        loss = step(*batch)
    return {"seconds": time.perf_counter() - began, "loss": loss}


def transformers_step(vocabulary: int, *, bf16: bool) -> Step:
    """The plain loop: the library's model, loss and masks, PyTorch's AdamW, clipping, autocast."""
    from transformers import MarianConfig, MarianMTModel

    model = MarianMTModel(marian_config(MarianConfig, vocabulary)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98))

    def step(source: Tensor, target: Tensor) -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            labels = target.masked_fill(target == 0, -100)
            loss = model(input_ids=source, attention_mask=(source != 0).long(), labels=labels).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def marian_config(make: Any, vocabulary: int) -> Any:
    """The architecture, as a MarianConfig."""
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", LAYERS), ("attention_heads", HEADS), ("ffn_dim", FEED_FORWARD))
    }
    return make(
        vocab_size=vocabulary,
        d_model=WIDTH,
        activation_function="relu",
        dropout=DROPOUT,
        attention_dropout=0.0,
        activation_dropout=0.0,
        max_position_embeddings=512,
        scale_embedding=True,
        pad_token_id=0,
        bos_token_id=2,
        decoder_start_token_id=2,
        eos_token_id=3,
        forced_eos_token_id=None,
        init_std=WIDTH**-0.5,
        **sides,
    )


def endash_step(vocabulary: int, *, bf16: bool) -> Step:
    """The step of ``endash train`` (endash/training/loop.py), without schedule, checkpoints and journal."""
    from endash.decoders.transformer import TransformerDecoderConfig
    from endash.encoders.transformer import TransformerEncoderConfig
    from endash.heads import HeadConfig
    from endash.links.cross_attention import CrossAttentionConfig
    from endash.network import Batch, Network
    from endash.training.config import TrainingConfig
    from endash.training.loop import adamw
    from endash.training.machine import keep_freed_memory, machine_for

    keep_freed_memory()
    # No smoothing, as on the other side; the gradient of the smoothed loss takes the same operations.
    config = TrainingConfig(
        precision="bfloat16" if bf16 else "float32", device="cpu", learning_rate=LEARNING_RATE, label_smoothing=0.0
    )
    shape = {"width": WIDTH, "layers": LAYERS, "heads": HEADS, "feed_forward": FEED_FORWARD, "dropout": DROPOUT}
    network = Network(
        TransformerEncoderConfig.model_validate({**shape, "norm": "post"}),
        CrossAttentionConfig(heads=HEADS),
        TransformerDecoderConfig.model_validate({**shape, "norm": "post"}),
        head=HeadConfig(tie="all"),
        source_size=vocabulary,
        target_size=vocabulary,
    ).train()
    optimizer, machine = adamw(network, config), machine_for(config)

    def step(source: Tensor, target: Tensor) -> float:
        optimizer.zero_grad()
        with machine.autocast():
            loss = network.loss(Batch(source, target), label_smoothing=config.label_smoothing)
        loss.total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimizer.step()
        return float(loss.total.detach())

    return step


def product_speed(dtype: torch.dtype) -> float:
    """GFLOP/s of a large matrix product, the best of five."""
    left, right = (torch.randn(PRODUCT, PRODUCT).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - began)
    return 2 * PRODUCT**3 / best / 1e9


if __name__ == "__main__":
    main()
