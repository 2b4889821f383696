"""Decoding speed beside Hugging Face transformers: the same weights, the same sentences, side by side in turn.

    pip install transformers==5.23.0
    python benchmarks/decoding.py --checkpoint MARIAN_FOLDER --subwords MODEL.spm --test test.tsv.gz

The folder holds a MarianMTModel as `save_pretrained` writes it; the subword model's ids have to be the checkpoint's own.
Endash imports the folder as `endash import` does, and both are first shown to compute the same. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import workers
from torch import Tensor, nn
from workers import Spread

PAD, BOS, EOS = 0, 2, 3
BATCH = 32  # sentences that `generate` is given at a time
WARM_UP = 8  # sentences translated before the clock starts
PARITY = 16  # sentences whose scores are compared
SIDES = {  # and what they need in the environment
    "transformers": {},
    "transformers, sorted": {},
    "endash, PyTorch": {"ENDASH_NATIVE": "off"},
    "endash, PyTorch, bfloat16": {"ENDASH_NATIVE": "off"},
    "endash": {},
}
FIRST = "transformers"

Ids = list[list[int]]


def main() -> None:
    """Measure, and print Markdown tables."""
    if workers.answer_job(work, sys.argv[1:]):
        return
    options = parser().parse_args()
    workers.need_peer()
    about = workers.machine()
    sources, references = (
        side[: options.sentences] for side in workers.pairs(options.test, options.source, options.target)
    )
    job = {"checkpoint": options.checkpoint, "subwords": options.subwords, "sources": sources}
    parity = workers.measure(__file__, {**job, "side": "parity", "targets": references[:PARITY]})
    lines = [
        *workers.head(about),
        f"- Parity: the scores of {min(PARITY, len(sources))} reference translations differ by {parity['difference']:.1e} "
        f"at most (scores reach {parity['largest']:.1f}).",
    ]
    runs = {beam: measure(job, beam, options.runs) for beam in (4, 1)}
    for beam, of_beam in runs.items():
        lines += ["", f"{'Greedy' if beam == 1 else f'Beam {beam}'}, {len(sources):,} sentences:", ""]
        lines += report(of_beam, references)
    print("\n".join(lines))
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": about, "parity": parity, "runs": runs}, indent=1))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--checkpoint", required=True, help="folder of a MarianMTModel")
    made.add_argument("--subwords", required=True, help="its sentencepiece model")
    made.add_argument("--test", required=True, help="pairs, such as a TSV file with the columns en and de")
    made.add_argument("--source", default="en", help="column of the source (en)")
    made.add_argument("--target", default="de", help="column of the target (de)")
    made.add_argument("--sentences", type=int, default=1000, help="how many are translated, from the first (1000)")
    made.add_argument("--runs", type=int, default=3, help="times that each side is measured (3)")
    made.add_argument("--json", help="also write every measurement to this file")
    return made


def measure(job: dict[str, Any], beam: int, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Every side's seconds and outputs, once a round."""
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _, side in workers.in_turn(list(SIDES), rounds):
        answer = workers.measure(__file__, {**job, "side": side, "beam": beam}, environment=SIDES[side])
        runs[side].append(answer)
    return runs


def report(runs: dict[str, list[dict[str, Any]]], references: list[str]) -> list[str]:
    """A table: medians and ranges; ratios are taken within each round."""
    from endash.evaluation.metrics import bleu

    base, rows = runs[FIRST], []
    for side, own in runs.items():
        outputs = own[0]["outputs"]
        same = sum(a == b for a, b in zip(outputs, base[0]["outputs"], strict=True)) / len(outputs)
        memory = [run["peak_bytes"] / 1e9 for run in own if run["peak_bytes"]]
        rows.append(
            [
                side,
                Spread(tuple(len(references) / run["seconds"] for run in own)).show(1),
                Spread(tuple(b["seconds"] / run["seconds"] for b, run in zip(base, own, strict=True))).show(2),
                f"{bleu(outputs, references).value:.2f}",
                f"{same:.1%}",
                Spread(tuple(memory)).show(2) if memory else "–",
            ]
        )
    header = ("", "sentences/s", f"× {FIRST}", "BLEU", f"same as {FIRST}", "peak memory, GB")
    return workers.table(header, rows)


def work(job: dict[str, Any]) -> dict[str, Any]:
    """A worker's part: the parity of both sides, or one side's seconds from text to text, and its text."""
    if job["side"].startswith("endash"):
        return timed(endash(job), job["sources"])

    import sentencepiece
    from transformers import MarianMTModel, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    subwords = sentencepiece.SentencePieceProcessor(model_file=job["subwords"])
    marian = MarianMTModel.from_pretrained(job["checkpoint"]).eval()
    if job["side"] == "parity":
        texts = job["sources"][:PARITY], job["targets"]
        return parity(marian, imported(job), *([[*ids, EOS] for ids in subwords.encode(side)] for side in texts))
    search = generate(marian, by_length="sorted" in job["side"])

    def translate(texts: list[str]) -> list[str]:
        found = search([[*ids, EOS] for ids in subwords.encode(texts)], job["beam"])
        return [subwords.decode(ids) for ids in found]

    return timed(translate, job["sources"])


def timed(translate: Callable[[list[str]], list[str]], sources: list[str]) -> dict[str, Any]:
    """The seconds from text to text, and the text."""
    translate(sources[:WARM_UP])
    began = time.perf_counter()
    outputs = translate(sources)
    return {"seconds": time.perf_counter() - began, "outputs": outputs}


def imported(job: dict[str, Any]) -> Any:
    """The checkpoint as a model of endash."""
    from endash.interop.marian import import_marian

    return import_marian(job["checkpoint"], job["subwords"])


def endash(job: dict[str, Any]) -> Callable[[list[str]], list[str]]:
    """What ``endash translate`` does, by the native core or by PyTorch: there sentences sorted by length, batches by tokens."""
    model = imported(job)
    how = {"beam": job["beam"], "precision": "bfloat16" if "bfloat16" in job["side"] else "float32"}
    return lambda texts: model(texts, **how)


@torch.inference_mode()
def parity(marian: Any, model: Any, sources: Ids, targets: Ids) -> dict[str, Any]:
    """How far the scores of the same targets are apart, over all real target positions and all tokens."""
    from endash.network import Batch

    source, target = padded(sources), padded(targets)
    begun = torch.cat([torch.full_like(target[:, :1], BOS), target[:, :-1]], 1)
    theirs = marian(input_ids=source, attention_mask=(source != PAD).long(), decoder_input_ids=begun).logits
    ours = model.network(Batch(source, target))
    difference = (theirs - ours)[target != PAD].abs().max()
    return {"difference": float(difference), "largest": float(theirs[target != PAD].abs().max())}


def generate(marian: Any, *, by_length: bool) -> Callable[[Ids, int], Ids]:
    """`generate` of transformers with the checkpoint's own settings, in batches of 32 sentences.

    As they come, or with the sentences sorted by length first, which a careful user would do.
    """

    from endash.decoding.config import DecodingConfig

    def search(sources: Ids, beam: int) -> Ids:
        order = sorted(range(len(sources)), key=lambda i: -len(sources[i])) if by_length else list(range(len(sources)))
        found: Ids = [[] for _ in sources]
        for batch in (order[first : first + BATCH] for first in range(0, len(order), BATCH)):
            source = padded([sources[i] for i in batch])
            # The checkpoint names no max_length, and without one a target that repeats itself never ends: as many tokens as
            # endash allows the longest source of the batch.
            written = marian.generate(
                input_ids=source,
                attention_mask=(source != PAD).long(),
                num_beams=beam,
                max_new_tokens=DecodingConfig(beam=beam).max_length(source.shape[1]),
            )
            for i, tokens in zip(batch, written[:, 1:].tolist(), strict=True):
                found[i] = tokens[: tokens.index(EOS)] if EOS in tokens else [token for token in tokens if token != PAD]
        return found

    return search


def padded(rows: Ids) -> Tensor:
    """Token ids (B, L), padded with 0."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


if __name__ == "__main__":
    main()
