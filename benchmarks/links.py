"""What lies between encoder and decoder: every link, or every decoder, in one recipe, trained alike and measured alike.

    python benchmarks/links.py --recipe recipes/multi30k-en-de.toml --set corpus.train.path=… --steps 2000 --out study
    python benchmarks/links.py --vary decoder … --link cross-attention --out study-decoders

Each is trained for the same steps of the same batches, in a process of its own. Parameters are made equal by the decoder's
feed-forward width where it has one. Resumes: what stands in the folder is not trained again. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import workers

_SPEEDS = {"link": ("trained", "training, tokens/s"), "decoder": ("decoded", "decoding, sentences/s")}
_STEP = 16  # the feed-forward width is changed by so much at a time


def main() -> None:
    """Train and measure each, print a Markdown table and draw it."""
    if workers.answer_job(work, sys.argv[1:]):
        return
    options = parser().parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    about = workers.machine()
    jobs = [job for kind in kinds(options.vary) if (job := described(options, kind))]
    found = [measured(job, out / f"{job['kind']}.json") for job in jobs]
    print("\n".join([*workers.head(about), "", *table(found)]))
    draw(found, out / f"{options.vary}s.png", speed=_SPEEDS[options.vary])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--recipe", required=True, help="what all have in common")
    made.add_argument(
        "--vary", choices=("link", "decoder"), default="link", help="which part is another each time (link)"
    )
    made.add_argument("--link", help="with --vary decoder: the link of all (the recipe's)")
    made.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe; repeatable")
    made.add_argument("--steps", type=int, default=2000, help="of training (2000)")
    made.add_argument("--out", required=True, help="folder for runs, figures and the picture")
    return made


def kinds(role: str) -> list[str]:
    """All that are registered."""
    from endash.decoders import decoders
    from endash.links import links

    return list({"link": links, "decoder": decoders}[role])


def described(options: argparse.Namespace, kind: str) -> dict[str, Any] | None:
    """The job of one kind; None, said, for one that does not fit the recipe's other parts."""
    from endash.decoders import decoders
    from endash.errors import RecipeError
    from endash.recipe import Recipe

    plain = Recipe.load(options.recipe, options.set)
    settings = [*options.set, f"training.max_steps={options.steps}", "training.average=1"]
    settings.append(f'{options.vary}={{kind="{kind}"}}')
    if options.vary == "decoder" and options.link:
        settings.append(f'link={{kind="{options.link}"}}')
    if options.vary == "decoder" and decoders[kind].writes == "at once":
        settings.append("decoding={}")  # a beam is not for it
    for name in ("width", "layers", "dropout", "positions") if options.vary == "decoder" else ():
        if name in _decoder_fields(kind) and hasattr(plain.decoder, name):
            settings.append(f"decoder.{name}={getattr(plain.decoder, name)}")
    try:
        Recipe.load(options.recipe, settings)
    except RecipeError as error:
        print(f"{kind}: left out: {error}", file=sys.stderr)
        return None
    wanted = size(plain)
    best = min(widths(options.recipe, settings), key=lambda found: abs(found[0] - wanted))
    return {
        "kind": kind,
        "recipe": options.recipe,
        "settings": [*settings, *best[1]],
        "out": str(Path(options.out, kind)),
    }


def _decoder_fields(kind: str) -> set[str]:
    from endash.decoders import decoders

    return set(decoders.config(kind).model_fields)


def widths(path: str, settings: list[str]) -> list[tuple[int, list[str]]]:
    """Parameters, and the settings that make them, for each feed-forward width that the decoder may have."""
    from endash.recipe import Recipe

    recipe = Recipe.load(path, settings)
    width = getattr(recipe.decoder, "feed_forward", None)
    if width is None:
        return [(size(recipe), [])]
    changes = [[f"decoder.feed_forward={one}"] for one in range(_STEP, 2 * width, _STEP)]
    return [(size(Recipe.load(path, [*settings, *change])), change) for change in changes]


def size(recipe: Any) -> int:
    """Parameters of a recipe's network with a full vocabulary, without making them."""
    import torch

    from endash.network import Network

    with torch.device("meta"):
        network = Network(
            recipe.encoder,
            recipe.link,
            recipe.decoder,
            head=recipe.head,
            source_size=recipe.text.size,
            target_size=recipe.text.size,
        )
    return sum(parameter.numel() for parameter in network.parameters())


def measured(job: dict[str, Any], path: Path) -> dict[str, Any]:
    """What the job's process found, or had found before."""
    if not path.exists():
        print(f"training {job['kind']}", file=sys.stderr, flush=True)
        path.write_text(json.dumps({**job, **workers.measure(__file__, job)}, indent=1))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def work(job: dict[str, Any]) -> dict[str, Any]:
    """A worker's part: train one, translate the test part, tell the figures."""
    import endash
    from endash.corpora import Corpus
    from endash.evaluation.evaluate import evaluate_translator
    from endash.recipe import Recipe

    recipe = Recipe.load(job["recipe"], job["settings"])
    run = endash.train(recipe, job["out"], resume=(Path(job["out"]) / ".lock").exists())
    model = endash.load(run.folder)
    pairs = [(record.source, record.target) for record in Corpus(recipe.corpus, "test")]
    model.translate([source for source, _ in pairs[:8]])
    began = time.perf_counter()
    result = evaluate_translator(model, pairs, language=None)
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    speeds = sorted(line["tokens_per_second"] for line in lines if "tokens_per_second" in line)
    return {
        "bleu": result["bleu"].value,
        "chrf": result["chrf"].value,
        "valid_loss": run.valid["loss"],
        "trained": speeds[len(speeds) // 2],
        "decoded": len(pairs) / (time.perf_counter() - began),
        "parameters": sum(parameter.numel() for parameter in model.network.parameters()),
    }


def table(found: list[dict[str, Any]]) -> list[str]:
    """A row for each, best BLEU first."""
    header = (
        "",
        "BLEU",
        "chrF",
        "valid loss",
        "training, tokens/s",
        "decoding, sentences/s",
        "memory, GB",
        "parameters, M",
    )
    rows = [
        [
            one["kind"],
            f"{one['bleu']:.1f}",
            f"{one['chrf']:.1f}",
            f"{one['valid_loss']:.3f}",
            f"{one['trained']:,.0f}",
            f"{one['decoded']:.0f}",
            f"{one['peak_bytes'] / 1e9:.2f}" if one["peak_bytes"] else "–",
            f"{one['parameters'] / 1e6:.2f}",
        ]
        for one in sorted(found, key=lambda one: -one["bleu"])
    ]
    return workers.table(header, rows)


def draw(found: list[dict[str, Any]], path: Path, *, speed: tuple[str, str]) -> None:
    """BLEU against a speed, its key and what it is called, a dot for each."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    key, label = speed
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    axes.scatter([one[key] for one in found], [one["bleu"] for one in found])
    for number, one in enumerate(sorted(found, key=lambda one: -one["bleu"])):  # neighbours above and below in turn
        place = (5, 3 if number % 2 == 0 else -11)
        axes.annotate(one["kind"], (one[key], one["bleu"]), xytext=place, textcoords="offset points")
    axes.set(xlabel=label, ylabel="BLEU, test")
    axes.margins(x=0.15)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
