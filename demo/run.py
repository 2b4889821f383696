"""`make demo`: from the catalogues in a wheel to a translator in use, and a look at what it learned.

Safe to interrupt and to repeat: what is downloaded or trained is not done again, a training goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import endash
from endash.corpora import Corpus
from endash.errors import CorpusError, EndashError
from endash.evaluation.evaluate import Evaluation, evaluate_translator
from endash.inspection import write_page, write_png
from endash.inspection.observe import look_at
from endash.model import Model
from endash.recipe import Recipe
from endash.training.interruption import Interrupted

ROOT = Path(__file__).parent.parent
WHEEL = "homeassistant==2026.2.3"
CACHE = ROOT / ".cache"
SHOWN = 12

console = Console(stderr=True)


def fetch_wheel() -> None:
    """Download the wheel, once, without installing it."""
    if any(CACHE.glob("homeassistant-2026.2.3-*.whl")):
        return
    console.print(f"downloading {WHEEL} (51 MB, Apache-2.0; read as a zip, never installed)")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*command, "--python-version", "3.13.5", "--dest", str(CACHE), WHEEL], check=False)
    if done.returncode:
        raise CorpusError(f"{WHEEL} could not be downloaded: pip says why above; mend that and run `make demo` again")


def trained(recipe: Recipe, run: Path) -> Model:
    """The run's model, trained as far as it still has to be."""
    if not (run / "report.json").exists():
        endash.train(recipe, run, resume=run.exists())
    return endash.load(run)


def measure(model: Model, pairs: list[tuple[str, str]], language: str) -> dict[str, Evaluation]:
    """The model beside two baselines: the source as it is, and the target of the nearest stored pair."""
    assert model.pairs is not None
    memory = model.pairs

    def nearest(texts: list[str]) -> list[str]:
        return [found[0].target if found else "" for found in memory.nearest(texts)]

    systems = {"model": model, "copy": list, "translation_memory": nearest}
    return {name: evaluate_translator(system, pairs, language=language) for name, system in systems.items()}


def show(measured: dict[str, Evaluation], pairs: list[tuple[str, str]]) -> None:
    """The figures, and some unseen sentences."""
    figures = Table("", "BLEU", "chrF", "placeholders kept", title=f"{len(pairs):,} held-out strings")
    for name, one in measured.items():
        kept = one.placeholders.kept / one.placeholders.lines
        row = (f"{one['bleu'].value:.1f}", f"{one['chrf'].value:.1f}", f"{100 * kept:.1f} %")
        figures.add_row(name.replace("_", " "), *row)
    examples = Table("English", "the model", "the reference", title="unseen strings", show_lines=True)
    step = max(1, len(pairs) // SHOWN)
    for i in range(0, SHOWN * step, step):
        examples.add_row(pairs[i][0], measured["model"].answers[i], pairs[i][1])
    out = Console()
    out.print(figures)
    out.print(examples)


def main() -> int:
    """Run the demo; 0 when the model beats both baselines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="de", metavar="LANGUAGE", help="a language that the catalogues hold (de)")
    language = parser.parse_args().to
    run = ROOT / "runs" / ("demo" if language == "de" else f"demo-{language}")
    began = time.monotonic()
    fetch_wheel()
    recipe = Recipe.load(ROOT / "recipes" / "demo.toml", [f"corpus.train.target={language}"])
    model = trained(recipe, run)
    pairs = [(record.source, record.target) for record in Corpus(recipe.corpus, "test")]
    console.print(f"translating {len(pairs):,} held-out strings")
    measured = measure(model, pairs, language)
    report = {name: one.to_json() for name, one in measured.items()}
    (run / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    text = next(source for source, _ in pairs if 5 <= len(source.split()) <= 9)
    look = look_at(model, text)
    pictures = [write_page(look, run / "look.html"), write_png(look, run / "look.png")]
    show(measured, pairs)
    here = run.relative_to(ROOT)
    print(f"\n{(time.monotonic() - began) / 60:.1f} minutes. Figures: {here / 'report.json'}")
    print("Pictures:", *(str(picture.relative_to(ROOT)) for picture in pictures))
    print("Try next:")
    print(f'  echo "Turn off the light" | .venv/bin/endash translate {here} --alignment')
    print(f'  .venv/bin/endash look {here} "Unable to connect to {{host}}"')
    print(f"  .venv/bin/endash translate {here} --in app.po --out app.{language}.po")
    model_, *baselines = (measured[name] for name in ("model", "copy", "translation_memory"))
    behind = [one for one in baselines for name in ("bleu", "chrf") if model_[name].value <= one[name].value]
    if behind:
        console.print("The model did not beat its baselines: please report this with the table above.")
    return 1 if behind else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Interrupted as stopped:
        console.print(f"{stopped}\nRun `make demo` again to go on.")
        sys.exit(130)
    except EndashError as error:
        console.print(f"demo: {error}", markup=False)
        sys.exit(2)
