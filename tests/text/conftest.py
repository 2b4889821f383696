import pytest

from endash.text.codec import Codec
from endash.text.config import TextConfig

PAIRS = [
    ("Open the {name} door", "Öffne die Tür {name}"),
    ("Close the door", "Schließe die Tür"),
    ("The door is open", "Die Tür ist offen"),
    ("Turn on %s lights in <b>{room}</b>", "Schalte %s Lichter in <b>{room}</b> ein"),
    ("Turn off the lights", "Schalte die Lichter aus"),
    ("The lights are off in the kitchen", "Die Lichter in der Küche sind aus"),
    ("打开厨房的灯", "关闭厨房的门"),
] * 3


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """Pairs of source and target to learn from."""
    return PAIRS


@pytest.fixture(scope="session", params=["unigram", "bpe"])
def codec(request: pytest.FixtureRequest) -> Codec:
    """A joint vocabulary with placeholders."""
    return Codec.train(lambda: PAIRS, TextConfig(model=request.param, size=400, max_length=24))


@pytest.fixture(scope="session")
def separate() -> Codec:
    """A vocabulary for each side, without placeholders."""
    return Codec.train(lambda: PAIRS, TextConfig(size=380, joint=False, placeholders=False))
