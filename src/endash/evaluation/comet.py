"""COMET, where its package is installed and the folder of a model is given (Rei et al. 2020). Nothing is downloaded."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np

from endash.errors import CorpusError, EndashError
from endash.evaluation.resampling import Floats
from endash.evaluation.scorer import Answered, RatioScorer


class Comet(RatioScorer):
    """COMET of translations by the model in `folder`, as its own scale is, higher is better.

    Of several references the first is read. Raises EndashError if the package or the folder's checkpoint is not there.
    """

    name, title, digits = "comet", "COMET", 3

    def __init__(self, folder: str) -> None:
        if importlib.util.find_spec("comet") is None:
            raise EndashError("COMET is not installed: pip install unbabel-comet, or leave it out")
        self.checkpoint = Path(folder) / "checkpoints" / "model.ckpt"
        if not self.checkpoint.is_file():
            raise EndashError(
                f"{folder} is no folder of a COMET model: {self.checkpoint} is missing; give the folder that "
                "comet's download_model made"
            )

    def statistics(self, given: Answered) -> Floats:
        """The record's score, and 1: (N, 2)."""
        if not given.sources:
            raise CorpusError("COMET reads the sources too, and none were given: give sources, one a record")
        model = importlib.import_module("comet").load_from_checkpoint(str(self.checkpoint))
        rows = [
            {"src": source, "mt": answer, "ref": references[0]}
            for source, answer, references in zip(given.sources, given.texts(self.name), given.references, strict=True)
        ]
        scores = model.predict(rows, batch_size=8, gpus=0, progress_bar=False).scores
        return np.array([(score, 1) for score in scores], dtype=np.float64)

    def settings(self, given: Answered) -> list[str]:
        """The model."""
        return [f"model:{self.checkpoint.parents[1].name}"]
