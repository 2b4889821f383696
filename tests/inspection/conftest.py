import numpy as np
import pytest

from endash.inspection import Look

SOURCE = ("▁A", "▁girl", "▁climb", "s", "</s>")
TARGET = ("▁Ein", "▁Mädchen", "▁klettert", "</s>")


@pytest.fixture
def make_look():
    """A function that makes a small look: attention near the diagonal, whose rows sum to 1; any field can be given."""

    def make(source_tokens=SOURCE, target_tokens=TARGET, *, layers=2, heads=3, **fields):
        draw = np.random.default_rng(5)
        s, t = len(source_tokens), len(target_tokens)
        distance = np.abs(np.arange(t)[:, None] * s / t - np.arange(s)[None])
        weights = np.exp(-2 * distance + draw.normal(0, 0.3, (layers, heads, t, s)))
        states = draw.normal(size=(s, 8)) + 1
        states /= np.linalg.norm(states, axis=1, keepdims=True)
        given = {
            "source": "".join(source_tokens[:-1]).replace("▁", " ").strip(),
            "target": "".join(target_tokens[:-1]).replace("▁", " ").strip(),
            "weights": weights / weights.sum(-1, keepdims=True),
            "similarity": states @ states.T,
            "segments": (0,) * s,
            "score": -1.5,
            "token_scores": tuple(np.linspace(-0.9, -0.01, t).tolist()),
            "link": "cross-attention",
            "model": "runs/small",
        }
        return Look(source_tokens=tuple(source_tokens), target_tokens=tuple(target_tokens), **(given | fields))

    return make
