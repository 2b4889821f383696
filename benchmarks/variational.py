"""A variational model beside a language model with the same decoder: what the latent vector is worth.

    endash train recipes/multi30k-en-vae.toml --out runs/vae
    python benchmarks/variational.py runs/vae --lm runs/vae-lm --test test_2016_flickr.tsv.gz

The language model is trained first, unless its folder holds it already: the recipe of the variational one, with an encoder that
reads nothing. See docs/latent.md for what the figures mean.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import workers
from torch import Tensor

from endash import Model, Recipe, train
from endash.encoders import encoders
from endash.evaluation.latents import ACTIVE
from endash.evaluation.metrics import bleu
from endash.evaluation.resampling import Floats, interval
from endash.latent import bound
from endash.memory import Memory
from endash.parts.contracts import Encoder, PartConfig


class NothingConfig(PartConfig):
    """Settings of the encoder `nothing`."""

    kind: Literal["nothing"] = "nothing"
    width: int = 1


@encoders.register
class Nothing(Encoder):
    """A memory without a real position: every decoder starts from zeros, and is a language model of its targets."""

    Config = NothingConfig
    gives = frozenset({"states", "summary"})

    def __init__(self, config: NothingConfig) -> None:
        super().__init__()

    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Memory:
        states = vectors_BSD[:, :, :1] * 0
        return Memory(states, torch.zeros_like(mask_BS), summary=states[:, 0])


@dataclass(frozen=True)
class Figures:
    """Of a test set; nats are means over its sentences. `weighted` is the bound with many draws, nearer to the likelihood."""

    parameters: int
    nll: float
    words: float
    kl: float | None = None
    weighted: float | None = None
    active: int | None = None
    width: int | None = None
    bleu: float | None = None


def main() -> None:
    """Measure, and print Markdown."""
    options = parser().parse_args()
    model = Model.load(options.vae)
    lm = language_model(model.recipe, Path(options.lm))
    texts, _ = workers.pairs(options.test, options.column, options.column)
    texts = texts[: options.sentences]
    about = workers.machine()
    ours, ours_N = of_variational(model, texts, options.draws)
    theirs, theirs_N = of_language_model(lm, texts)
    both = {"variational": ours, "language model": theirs}
    table = [*report(both, options.draws), "", difference(ours_N - theirs_N, options.draws)]
    print("\n".join([*workers.head(about), "", *table, "", *examples(model, texts)]))
    if options.json:
        figures = {name: asdict(one) for name, one in both.items()}
        Path(options.json).write_text(json.dumps({"machine": about, **figures}, indent=1))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("vae", metavar="RUN", help="the variational model's run")
    made.add_argument("--lm", required=True, metavar="FOLDER", help="the language model's run, begun or gone on with")
    made.add_argument("--test", required=True, help="texts, such as a TSV file with the column en")
    made.add_argument("--column", default="en", help="their column (en)")
    made.add_argument("--sentences", type=int, default=1000, help="how many are measured, from the first (1000)")
    made.add_argument("--draws", type=int, default=100, help="draws of the importance-weighted bound (100)")
    made.add_argument("--json", help="also write the figures to this file")
    return made


def language_model(recipe: Recipe, folder: Path) -> Model:
    """The same decoder without a source: trained on the same tokens, in the same order."""
    changes = [f"name={recipe.name}-lm", 'task={kind="translation"}', 'encoder={kind="nothing"}', 'link={kind="state"}']
    changes += ["head.tie=target"] if recipe.head.tie == "all" else []  # the same matrix: sources have none of use
    return Model.load(train(recipe.changed(changes), folder, resume=folder.exists()).model)


def of_language_model(model: Model, texts: list[str]) -> tuple[Figures, Floats]:
    """What it says of the texts, and the nats of each."""
    nats_N = -np.array(model.score(texts, texts))
    return Figures(parameters(model), float(nats_N.mean()), words(texts)), nats_N


def of_variational(model: Model, texts: list[str], draws: int) -> tuple[Figures, Floats]:
    """The bound with one draw a sentence, that with `draws`, how much of the latent vector is in use; nats with `draws` of each."""
    found = bound(model, texts, draws=draws)
    figures = Figures(
        parameters(model),
        float(found.nll.mean()),
        words(texts),
        kl=float(found.kl.sum(1).mean()),
        weighted=float(found.weighted.mean()),
        active=int((found.mean.var(0, unbiased=False) > ACTIVE).sum()),
        width=found.mean.shape[1],
        bleu=bleu(model.decode(model.encode(texts)), texts).value,
    )
    return figures, found.weighted.double().numpy()


def difference(more_N: Floats, draws: int) -> str:
    """By how much the bound with `draws` is above the language model, and the 95 % interval over resampled sentences."""
    low, high = interval(lambda sums: sums[:, 0] / sums[:, 1], np.stack([more_N, np.ones_like(more_N)], axis=1))
    return f"With {draws} draws, variational less language model: {more_N.mean():+.2f} [{low:+.2f}, {high:+.2f}] nats a sentence."


def parameters(model: Model) -> int:
    return sum(one.numel() for one in model.network.parameters())


def words(texts: list[str]) -> float:
    """Words a sentence, between white space; the end of the sentence is none."""
    return sum(len(text.split()) for text in texts) / len(texts)


def report(both: dict[str, Figures], draws: int) -> list[str]:
    """The table."""
    rows = []
    for name, one in both.items():
        rows.append(
            [
                name,
                f"{one.parameters / 1e6:.2f} M",
                f"{one.nll:.2f}",
                f"{one.nll / one.words:.3f}",
                shown(one.weighted, 2),
                shown(one.weighted and one.weighted / one.words, 3),
                shown(one.kl, 2),
                "–" if one.active is None else f"{one.active} of {one.width}",
                shown(one.bleu, 1),
            ]
        )
    header = (
        *("", "parameters", "NLL bound a sentence", "a word", f"with {draws} draws", "a word"),
        *("KL, nats", "active units", "reconstruction BLEU"),
    )
    return workers.table(header, rows)


def examples(model: Model, texts: list[str]) -> list[str]:
    """What the model draws, writes again, and puts between two sentences."""
    again: Any = model.decode(model.encode(texts[:5]))
    pairs = [line for text, copy in zip(texts, again, strict=False) for line in (f"- {text}", f"  - {copy}")]
    between = [f"- {text}" for text in model.interpolate(texts[0], texts[3], steps=7)]
    return ["Samples:", "", *(f"- {text}" for text in model.sample(8, seed=1)), "", "Written again:", "", *pairs, "", "Between:", "", *between]  # fmt: skip


def shown(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
