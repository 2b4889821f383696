"""Decoding speed beside CTranslate2: the same weights, text in and text out, side by side in turn.

    pip install ctranslate2==4.8.5 transformers==5.23.0
    endash import MARIAN_FOLDER --tokenizer MODEL.spm --out MODEL
    endash export MODEL --to ctranslate2 --out PEER
    python benchmarks/engine.py --model MODEL --peer PEER --test test.tsv.gz

CTranslate2 runs in int8 with a thread for each core and batches of 32, the fastest that was found for it; endash in int8 as well,
with as many threads. Each side lives in a process of its own, which is asked again and again. ``--base`` measures a random
Transformer of base size in place of MODEL. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import workers

THREADS = 2
BATCH = 32
ALONE = 150  # sentences that are translated one after the other
SIZE = 32_000  # tokens of the random model
WRITTEN = 30  # tokens of each target of the random model


def main() -> None:
    """Measure, and print Markdown tables."""
    if sys.argv[1:2] == ["--worker"]:
        serve(json.loads(sys.argv[2]))
        return
    options = parser().parse_args()
    about = workers.machine()
    with tempfile.TemporaryDirectory() as folder:
        if options.base:
            model, peer = random_model(Path(folder), width=512, layers=6, size=SIZE)
            sources, references = random_sources(60, length=WRITTEN, size=SIZE), []
        else:
            model, peer = options.model, options.peer
            sources, references = workers.pairs(options.test, options.source, options.target)
        lines, told = [*workers.head(about)], {}
        for name, job in jobs(options).items():
            told[name] = compare(name, job, model, peer, (sources, references), options.pairs, untrained=options.base)
            lines += ["", *report(name, told[name])]
            print(lines[-1], file=sys.stderr, flush=True)
    print("\n".join(lines))
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": about, "runs": told}, indent=1))


def parser() -> argparse.ArgumentParser:
    """What can be chosen on the command line."""
    one = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--model", help="a model that endash import made")
    one.add_argument("--peer", help="the same, by endash export --to ctranslate2")
    one.add_argument("--test", help="a TSV file of pairs")
    one.add_argument("--source", default="en")
    one.add_argument("--target", default="de")
    one.add_argument("--base", action="store_true", help="a random Transformer of base size in place of these")
    one.add_argument("--pairs", type=int, default=5, help="rounds, each with both sides")
    one.add_argument("--quick", help="TOML values of [decoding] for a third side, such as shortlist=true,prune=3")
    one.add_argument(
        "--own", help="a model of one's own for a further side, decoded as its recipe says, beside PEER at beam 4"
    )
    one.add_argument("--json", help="also write what was measured here")
    return one


def jobs(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What is measured: how each side decodes."""
    found: dict[str, dict[str, Any]] = {"beam 4": {"beam": 4}}
    if options.base:
        return found
    found |= {"greedy": {"beam": 1}, "one sentence, beam 4": {"beam": 4, "alone": True}}
    found["one sentence, greedy"] = {"beam": 1, "alone": True}
    if options.quick:
        found[f"beam 4, endash with {options.quick}"] = {"beam": 4, "quick": options.quick}
    if options.own:
        found["another model of endash's own, its own decoding, beside the peer at beam 4"] = {
            "beam": 4,
            "own": options.own,
        }
    return found


class Side:
    """A process that translates the sources when it is told to, and says how long that took."""

    def __init__(self, side: str, job: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps({**job, "side": side})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask()  # warm-up

    def ask(self) -> dict[str, Any]:
        """One run."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("a side of the benchmark failed")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def compare(
    name: str,
    job: dict[str, Any],
    model: str,
    peer: str,
    pairs: tuple[Sequence[str], Sequence[str]],
    rounds: int,
    *,
    untrained: bool,
) -> dict[str, Any]:
    """Both sides in turn, so many times."""
    sources = pairs[0][:ALONE] if job.get("alone") else pairs[0]
    job = {**job, "model": model, "peer": peer, "sources": sources, "random": untrained}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        sides = {side: Side(side, {"file": file.name}) for side in ("ctranslate2", "endash")}
        found: dict[str, list[Any]] = {side: [] for side in sides}
        for _, side in workers.in_turn(list(sides), rounds):
            found[side].append(sides[side].ask())
        for one in sides.values():
            one.close()
    return {"runs": found, "sentences": len(sources), "references": [] if untrained else list(pairs[1][: len(sources)])}


def serve(asked: dict[str, Any]) -> None:
    """Translate whenever a line comes in; write the seconds, of each sentence where they come alone, and the texts."""
    job = json.loads(Path(asked["file"]).read_text())
    translate = {"endash": endash, "ctranslate2": ctranslate2}[asked["side"]](job)
    groups = [[one] for one in job["sources"]] if job.get("alone") else [job["sources"]]
    for _ in sys.stdin:
        times, texts = [], []
        if callers := job.get("callers"):
            with ThreadPoolExecutor(callers) as pool:
                start = time.perf_counter()
                texts = [found for (found,) in pool.map(translate, [[one] for one in job["sources"]])]
                times = [time.perf_counter() - start]
        for group in () if callers else groups:
            start = time.perf_counter()
            texts += translate(group)
            times.append(time.perf_counter() - start)
        print(json.dumps({"times": times, "texts": texts, "peak": workers.peak_bytes()}), flush=True)


def endash(job: dict[str, Any]) -> Any:
    """This side."""
    import tomllib

    from endash import Engine

    quick = job.get("quick", "").replace(",", "\n")
    how = {"precision": "int8", "beam": job["beam"], "max_ratio": 0, "max_extra": WRITTEN if job["random"] else 80}
    how |= {"shortlist": False, "prune": None} | tomllib.loads(quick)
    if job.get("own"):
        job["model"], how = job["own"], {}
    engine = Engine(job["model"], threads=1 if job.get("alone") else THREADS, **how)
    return lambda texts: [found[0].text for found in engine.translate(texts, scored=False)]


def ctranslate2(job: dict[str, Any]) -> Any:
    """The peer, tuned: int8, a thread for each of two translators, batches of 32, no scores that nobody asked for."""
    import ctranslate2 as peer

    from endash.text import Codec

    codec = Codec.load(Path(job["peer"]) / "text")
    threads = 1 if job.get("alone") else THREADS
    translator = peer.Translator(job["peer"], compute_type="int8", inter_threads=threads, intra_threads=1)
    how: dict[str, Any] = {
        "beam_size": job["beam"],
        "max_batch_size": BATCH,
        "max_decoding_length": 80,
        "max_input_length": 0,
    }
    if job["random"]:
        how |= {"min_decoding_length": WRITTEN, "max_decoding_length": WRITTEN}

    def translate(texts: list[str]) -> list[str]:
        sources = codec.encode_sources(texts)
        tokens = [codec.source.pieces(source.tokens[:-1]) for source in sources]  # it puts the end there itself
        found = translator.translate_batch(tokens, **how)
        return [
            codec.decode_target([ids[piece] for piece in one.hypotheses[0]], source.placeholders)
            for one, source in zip(found, sources, strict=True)
        ]

    ids = {piece: number for number, piece in enumerate(codec.target.pieces(range(codec.size_target)))}
    return translate


def random_sources(count: int, *, length: int, size: int) -> list[str]:
    """Texts of so many tokens of a random model, the end included."""
    generator = random.Random(1)
    return [" ".join(f"w{generator.randrange(4, size)}" for _ in range(length - 1)) for _ in range(count)]


def random_model(folder: Path, *, width: int, layers: int, size: int) -> tuple[str, str]:
    """A Transformer with random parameters, as both sides read it; its targets never end by themselves."""
    import torch

    from endash.interop.ctranslate2 import export_ctranslate2
    from endash.model import Model
    from endash.recipe import Recipe
    from endash.text import EOS, Codec, ImportedTokenizer

    heads = max(1, width // 64)
    side = {
        "kind": "transformer",
        "width": width,
        "layers": layers,
        "heads": heads,
        "feed_forward": 4 * width,
        "norm": "post",
    }
    recipe = Recipe.model_validate(
        {
            "name": "random",
            "corpus": {"train": []},
            "text": {"model": "imported", "size": size, "joint": True, "placeholders": False, "max_length": 2048},
            "encoder": side,
            "decoder": side,
            "link": {"kind": "cross-attention", "heads": heads},
            "head": {"tie": "all"},
        }
    )
    vocabulary = ImportedTokenizer(words(size))
    torch.manual_seed(1)
    model = Model.build(recipe, Codec(vocabulary, vocabulary, config=recipe.text))
    with torch.no_grad():
        model.network.head.bias[EOS] = -1e4  # so that all targets are of one length
    model.save(folder / "model")
    export_ctranslate2(model, folder / "peer", random_sources(2, length=WRITTEN, size=size))
    return str(folder / "model"), str(folder / "peer")


def words(size: int) -> bytes:
    """A sentencepiece model of so many tokens, each a word w4, w5, …, as its protocol buffer is written."""

    def number(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + number(n // 128)

    def piece(text: str, kind: int) -> bytes:
        body = (
            b"\x0a"
            + number(len(text.encode()))
            + text.encode()
            + b"\x15"
            + struct.pack("<f", -1.0)
            + b"\x18"
            + number(kind)
        )
        return b"\x0a" + number(len(body)) + body

    special = [("<pad>", 3), ("<unk>", 2), ("<s>", 3), ("</s>", 3)]
    return b"".join(piece(*one) for one in [*special, *((f"\u2581w{n}", 1) for n in range(4, size))])


def report(name: str, told: dict[str, Any]) -> list[str]:
    """A Markdown table of one comparison."""
    import sacrebleu

    runs, count = told["runs"], told["sentences"]
    alone = len(runs["endash"][0]["times"]) > 1
    lines = [f"{name}, {count:,} sentences:", ""]
    lines += ["| side | " + ("median ms | p95 ms |" if alone else "sentences/s |") + " BLEU | chrF | peak MB |"]
    lines += ["|---|" + "---:|" * (5 if alone else 4)]
    speeds = {}
    for side, of_side in runs.items():
        if alone:
            each = sorted(1e3 * t for run in of_side for t in run["times"])
            figures = f"{each[len(each) // 2]:.2f} | {each[len(each) * 95 // 100]:.2f}"
            speeds[side] = [1 / sorted(run["times"])[len(run["times"]) // 2] for run in of_side]
        else:
            speeds[side] = [count / sum(run["times"]) for run in of_side]
            figures = workers.Spread(tuple(speeds[side])).show()
        texts, references = of_side[-1]["texts"], told["references"]
        bleu = f"{sacrebleu.corpus_bleu(texts, [references]).score:.2f}" if references else "–"
        chrf = f"{sacrebleu.corpus_chrf(texts, [references]).score:.2f}" if references else "–"
        lines.append(f"| {side} | {figures} | {bleu} | {chrf} | {max(run['peak'] for run in of_side) >> 20} |")
    ratios = workers.Spread(tuple(a / b for a, b in zip(speeds["endash"], speeds["ctranslate2"], strict=True))).show(2)
    same = sum(a == b for a, b in zip(*(runs[side][-1]["texts"] for side in runs), strict=True))
    return [*lines, "", f"endash is {ratios} times as fast; {same:,} of {count:,} texts are the same."]


if __name__ == "__main__":
    main()
