"""An encoder and a head that reads labels off its memory, as one torch module: token ids in, scores of labels out.

Shapes: B batch, S source, W words, L labels, N labels that are asked for.
"""

from __future__ import annotations

from torch import Tensor

from endash import combination
from endash.config import Config
from endash.encoders import encoders
from endash.encoding import Batch, SourceNetwork
from endash.errors import RecipeError
from endash.heads import Each, LabelHead
from endash.memory import Memory
from endash.objectives.cross_entropy import Loss, cross_entropy
from endash.parts.contracts import PartConfig
from endash.parts.masks import real
from endash.text.labels import FIRST_LABEL

_DROPOUT = 0.1  # before the head of an encoder that has no such setting, as of BERT


class Labeller(SourceNetwork):
    """p(label | source), for each whole source or for each of its words: see `LabelHead`.

    So many `passages` are joined to each source, such as a hypothesis to its premise. The head's dropout is the encoder's.
    Raises RecipeError for an encoder off whose memory such labels cannot be read.
    """

    def __init__(
        self,
        encoder: PartConfig,
        *,
        labels: int,
        each: Each,
        source_size: int,
        passages: int = 0,
        frontend: Config | None = None,
    ) -> None:
        if reason := combination.why_not_labels(encoder, frontend, each=each, joins=passages):
            raise RecipeError(reason)
        super().__init__(encoder, source_size=source_size, passages=passages, frontend=frontend)
        self.segment_embedding = self.marks(encoder, passages)
        self.encoder = encoders.build(encoder)
        dropout = float(getattr(encoder, "dropout", _DROPOUT))
        self.head = LabelHead(encoder.width, labels, each=each, joins=passages, dropout=dropout)
        self.initialise()

    def forward(self, batch: Batch) -> Tensor:
        """Unnormalised log-probabilities (B, 1, L) of each source's labels, or (B, W, L) of its words'."""
        return self.scores(self.encode(batch.source, batch.passages), batch.places)

    def scores(self, memory: Memory, places_BW: Tensor | None = None) -> Tensor:
        """The same of sources that are encoded already; `places_BW` as in `Batch`, where words have labels."""
        scores: Tensor = self.head(memory, places_BW)
        return scores

    def loss(self, batch: Batch, *, label_smoothing: float, progress: float = 1.0) -> Loss:
        """Cross-entropy of the labels in `batch.target`, (B, 1) or (B, W), a mean over those that are not 0.

        Labels are ids of `endash.text.labels`; where a target is 0 none is asked for. `progress` changes nothing.
        """
        asked = real(batch.target)
        scores_NL = self(batch)[asked]
        if not len(scores_NL):
            return Loss(scores_NL.sum(), 0, 0.0)
        return cross_entropy(scores_NL, batch.target[asked] - FIRST_LABEL, label_smoothing=label_smoothing)
