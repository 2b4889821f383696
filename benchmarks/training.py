"""Training speed beside Hugging Face transformers: the same architecture on the same batches, side by side in turn.

    pip install transformers==5.23.0
    python benchmarks/training.py --corpus train.tsv.gz

All train a Transformer of 3 + 3 layers, width 256, feed-forward 1024, 4 heads, ReLU, post-norm, sinusoidal positions, all
embeddings tied, residual dropout 0.1, on endash's own batches by token count (training_sides.py). See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import workers
from training_sides import FEED_FORWARD, LAYERS, WARM_UP, WIDTH, work
from workers import Spread

SUBWORDS = 8000
SIDES = {
    "transformers fp32": "fp32",
    "transformers bf16": "bf16",
    "transformers tuned": "bf16",
    "endash fp32": "fp32",
    "endash": "bf16",
}
BASES = ("transformers fp32", "transformers tuned")
PRODUCT = 2048  # rows and columns of the matrices whose product tells how fast the machine multiplies
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**28),
}  # what glibc reads when a process starts


def main() -> None:
    """Measure, and print a Markdown table."""
    if workers.answer_job(work, sys.argv[1:]):
        return
    options = parser().parse_args()
    workers.need_peer()
    about = workers.machine()
    with tempfile.TemporaryDirectory() as folder:
        job = {"folder": folder, "product": PRODUCT}
        size = prepare(options, Path(folder))
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in ("machine", *SIDES)}
        for _, side in workers.in_turn(("machine", *SIDES), options.pairs):
            environment = KEEP_FREED_MEMORY if side == "transformers tuned" else {}
            task = {"side": side, "vocabulary": size["vocabulary"], **job}
            runs[side].append(workers.measure(__file__, task, environment=environment))
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


def prepare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Store the examples, and the rows of the batches that all sides train on; gives their size, and the work of those timed."""
    from endash.example import Example
    from endash.text import Codec, TextConfig
    from endash.training.batches import epoch_batches
    from endash.training.examples import Examples

    sources, targets = workers.pairs(options.corpus, options.source, options.target)
    codec = Codec.train(lambda: zip(sources, targets, strict=True), TextConfig(size=SUBWORDS, placeholders=False))
    encoded = zip(codec.encode_sources(sources), codec.encode_targets(targets, [()] * len(targets)), strict=True)
    examples = Examples.write(
        folder / "examples",
        (Example(source.tokens, target) for source, target in encoded),
        passages=0,
        vocabulary=codec.size_target,
        fingerprint="benchmark",
    )
    lengths = np.asarray(examples.lengths, dtype=np.int64)
    rows = list(epoch_batches(lengths, batch_tokens=options.batch_tokens, seed=1, epoch=0))[: WARM_UP + options.steps]
    if len(rows) < WARM_UP + options.steps:
        sys.exit(f"{options.corpus} makes {len(rows)} batches, {WARM_UP + options.steps} are needed: fewer --steps")
    (folder / "batches.json").write_text(json.dumps([batch.tolist() for batch in rows]))
    timed = rows[WARM_UP:]
    return {
        "vocabulary": codec.size_target,
        "steps": options.steps,
        "tokens": int(sum(lengths[batch].sum() for batch in timed)),
        "padded": int(sum(len(batch) * lengths[batch].max(0).sum() for batch in timed)),
        "flops": sum(flops(*lengths[i].tolist(), codec.size_target) for batch in timed for i in batch),
    }


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
        f"{padding:.1%} of padding; vocabulary {size['vocabulary']:,}; {len(runs['machine'])} runs of each side, in turn.",
        f"- Matrix product of {PRODUCT} × {PRODUCT}: "
        + ", ".join(f"{p} {speeds(runs['machine'], p).show()} GFLOP/s" for p in ("fp32", "bf16"))
        + ".",
        "",
    ]
    ratios = [f"× {base}" for base in BASES]
    header = ("", "tokens/s", *ratios, "share of the product's speed", "peak memory, GB", "loss at the end")
    return lines + workers.table(header, [row(side, runs, size) for side in SIDES])


def row(side: str, runs: dict[str, list[dict[str, Any]]], size: dict[str, Any]) -> list[str]:
    """One side's figures: medians and ranges; ratios and shares are taken within each round."""
    own = runs[side]
    peaks = speeds(runs["machine"], SIDES[side]).values
    share = [100 * size["flops"] / 1e9 / run["seconds"] / peak for run, peak in zip(own, peaks, strict=True)]
    memory = [run["peak_bytes"] / 1e9 for run in own if run["peak_bytes"]]
    return [
        side,
        Spread(tuple(size["tokens"] / run["seconds"] for run in own)).show(),
        *(
            Spread(tuple(base["seconds"] / run["seconds"] for base, run in zip(runs[name], own, strict=True))).show(2)
            for name in BASES
        ),
        f"{Spread(tuple(share)).show()} %",
        Spread(tuple(memory)).show(2) if memory else "–",
        f"{own[-1]['loss']:.2f}",
    ]


def speeds(runs: list[dict[str, Any]], precision: str) -> Spread:
    """GFLOP/s of matrix products in each round."""
    return Spread(tuple(run[precision] for run in runs))


if __name__ == "__main__":
    main()
