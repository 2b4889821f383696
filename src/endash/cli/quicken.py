"""make a model decode faster, and prove that nothing is lost

Translates CORPUS, pairs that were not learned from, in float32, and then with int8 products, with the vocabulary shortlist
and with pruned beams, each beside the last that was kept. What loses no more than --most points of BLEU and of chrF becomes
the model's [decoding], and its card says what was measured. --learn CORPUS gives a shortlist to a model that has none.

example:
  endash quicken runs/demo valid.tsv:en,de
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from endash.cli.parser import note
from endash.cli.sources import corpus_for, records_of


def add_arguments(parser: ArgumentParser) -> None:
    """MODEL CORPUS, how much may be lost, and what to learn a shortlist from."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a run's; it is changed")
    parser.add_argument("corpus", metavar="CORPUS", help="a file of pairs to judge by")
    parser.add_argument("--most", type=float, default=0.2, metavar="POINTS", help="what may be lost, 0.2 by default")
    parser.add_argument("--learn", metavar="CORPUS", help="learn a shortlist from these pairs")


def run(args: Namespace) -> None:
    """Try, tell, and save what is kept."""
    from endash import model_folder
    from endash.corpora import target_language
    from endash.evaluation.translation import tokenizer_for
    from endash.model import Model
    from endash.quicken import check_reads_texts, learn, quicken

    folder = model_folder.find(Path(args.model))
    model = Model.load(folder)
    check_reads_texts(model)
    corpus = corpus_for(model.recipe, args.corpus)
    records = records_of(corpus)
    judged = [(record.source, record.target) for record in records]
    if args.learn:
        learned = records_of(corpus_for(model.recipe, args.learn))
        learn(model, [(record.source, record.target) for record in learned])
    tokenize = tokenizer_for(target_language(records, corpus))
    told = []
    for trial in quicken(model, judged, most=args.most, tokenize=tokenize):
        told.append(f"{trial}{'' if trial.kept else '; not kept'}")
        print(told[-1], flush=True)
    notes = [
        f"decoded in trial on {len(judged):,} pairs of {Path(args.corpus.split(':')[0]).name}, {one}" for one in told
    ]
    model.save(folder, notes=[*model_folder.notes(folder), *notes])
    note(f"{folder}: saved with what was kept")
