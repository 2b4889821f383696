"""What a kept memory saves: decoding from a store beside encoding afresh, by the length of the source, and for 20 passages at once.

    python benchmarks/reuse.py runs/multi30k --test test_2016_flickr.tsv.gz

The sources are the test's, put together until they are as long as wanted. See docs/memory.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import workers

from endash import Memory, MemoryStore, Model
from endash.memory_store import Precision

LENGTHS = (32, 256, 1024)
PASSAGES, PASSAGE = 20, 64  # read at once, and the tokens of each


def main() -> None:
    """Measure, and print two Markdown tables."""
    options = parser().parse_args()
    model = Model.load(options.model)
    model.recipe = model.recipe.changed([f"text.max_length={max(LENGTHS)}", "decoding.beam=1"])
    texts, _ = workers.pairs(options.test, "en", "de")
    about = workers.machine()
    with tempfile.TemporaryDirectory() as folder:
        lengths = [row(model, texts, length, options.sources, Path(folder)) for length in LENGTHS]
        fused = fusion(model, texts, options.sources, MemoryStore(Path(folder, "passages")))
        kept = [precision(model, texts[:200], Path(folder), name) for name in ("float32", "float16", "int8")]
    print("\n".join([*workers.head(about), "", *workers.table(_HEADER, lengths), "", *fused, "", *workers.table(_KEPT, kept)]))  # fmt: skip


_HEADER = ("source tokens", "encode, ms", "read from the store, ms", "decode, ms", "time saved", "same texts")
_KEPT = ("kept in", "KB a sentence", "same texts as afresh", "largest change of a state")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", metavar="MODEL", help="a model's folder, or a run's")
    made.add_argument("--test", required=True, help="texts, such as a TSV file with the columns en and de")
    made.add_argument("--sources", type=int, default=20, help="how many of each length, one at a time (20)")
    return made


def of_length(model: Model, texts: list[str], length: int, count: int) -> list[str]:
    """So many sources of at most `length` tokens and not many fewer, of other texts each."""
    found, rest = [], iter(texts * (1 + count * length // 1000))
    joined = next(rest)
    while len(found) < count:
        longer = f"{joined} {(following := next(rest))}"
        if len(model.codec.encode_source(longer).tokens) > length:
            found.append(joined)
            joined = following
        else:
            joined = longer
    return found


def row(model: Model, texts: list[str], length: int, count: int, folder: Path) -> list[str]:
    """A source at a time: encoded, read, decoded; medians."""
    print(f"{length} tokens", file=sys.stderr)
    sources, store = of_length(model, texts, length, count), MemoryStore(folder / str(length))
    store.add(model, sources)
    encode, read, decode, same = [], [], [], 0
    for source in sources:
        fresh, seconds = timed(lambda source=source: model.encode([source]))
        encode.append(seconds)
        memory, seconds = timed(lambda source=source: store.memory(model, [source]))
        read.append(seconds)
        text, seconds = timed(lambda memory=memory: model.decode(memory))
        decode.append(seconds)
        same += text == model.decode(fresh)
    e, r, d = (1000 * statistics.median(times) for times in (encode, read, decode))
    return [str(length), f"{e:.1f}", f"{r:.1f}", f"{d:.1f}", f"{(e - r) / (e + d):.0%}", f"{same} of {count}"]


def fusion(model: Model, texts: list[str], count: int, store: MemoryStore) -> list[str]:
    """Each of `count` sources read beside the same passages: these encoded each time, and out of the store."""
    print("passages", file=sys.stderr)
    passages = of_length(model, texts, PASSAGE, PASSAGES)
    store.add(model, passages)
    afresh, stored, same = [], [], 0
    for question in texts[-count:]:
        one, seconds = timed(lambda question=question: answer(model, question, model.encode(passages)))
        afresh.append(seconds)
        other, seconds = timed(lambda question=question: answer(model, question, store.memory(model, passages)))
        stored.append(seconds)
        same += one == other
    a, s = (1000 * statistics.median(times) for times in (afresh, stored))
    return [
        f"{PASSAGES} passages of up to {PASSAGE} tokens joined to each source: {a:.0f} ms encoding them each time, {s:.0f} ms "
        f"out of the store, {a / s:.2f} × as fast; {same} of {count} texts the same."
    ]


def answer(model: Model, question: str, passages: Memory) -> list[str]:
    """What the model writes of a question and all of the passages."""
    return model.decode(model.encode([question]).join(*(passages.select([i]).trim() for i in range(len(passages)))))


def precision(model: Model, texts: list[str], folder: Path, name: Precision) -> list[str]:
    """What storing in fewer bits saves, and costs."""
    store = MemoryStore(folder / name, precision=name)
    fresh, kept = model.encode(texts), store.memory(model, texts)
    same = sum(one == other for one, other in zip(model.decode(kept), model.decode(fresh), strict=True))
    change = ((kept.states - fresh.states).abs() * fresh.mask[:, :, None]).max() / fresh.states.abs().max()
    return [name, f"{store.bytes / len(store) / 1000:.1f}", f"{same} of {len(texts)}", f"{float(change):.2%}"]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` gives, and the seconds that it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


if __name__ == "__main__":
    main()
