"""What a task has to beat, without a model: each function learns from training records and gives a function that answers.

    answer = tfidf(train_texts, train_labels)
    answer(["where is my card?"])        # ["card_arrival"]

All take sources and targets as plain sequences, one entry a record, and answer a list of sources in order. A source is a text,
for labels also a tuple of texts (premise, hypothesis), for tags a sequence of words, for pictures an array (H, W, 3) of bytes.
Logistic regression is scikit-learn's (the dev dependencies hold it).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from endash.evaluation.slots import Meaning, read_meaning
from endash.evaluation.words import plain_words
from endash.retrieval import PairIndex

Source = TypeVar("Source")
Target = TypeVar("Target")
Answer = Callable[[Sequence[Source]], list[Target]]
Text = str | tuple[str, ...]
Pixels = NDArray[np.uint8]

_K1, _B = 1.5, 0.75  # of BM25, as most engines set them
_BLOCK = 500  # queries that are compared with all documents at a time
_GRID, _LEVELS = 8, 4  # a picture in so many squares a side, and so many levels of each colour


def majority(sources: Sequence[Source], targets: Sequence[str]) -> Answer[Source, str]:
    """The target that is most frequent in training; of several the one that is first."""
    most = Counter(targets).most_common(1)[0][0]
    return lambda asked: [most for _ in asked]


def most_frequent_tag(
    sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]
) -> Answer[Sequence[str], tuple[str, ...]]:
    """For each word the tag that it has most often; for unseen words the most frequent tag of words that occur once."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for words, of_words in zip(sentences, tags, strict=True):
        for word, tag in zip(words, of_words, strict=True):
            seen[word][tag] += 1
    rare = sum((counts for counts in seen.values() if counts.total() == 1), Counter[str]())
    unseen = (rare or sum(seen.values(), Counter[str]())).most_common(1)[0][0]
    best = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    return lambda asked: [tuple(best.get(word, unseen) for word in words) for words in asked]


def bag_of_words(sources: Sequence[Text], labels: Sequence[str]) -> Answer[Text, str]:
    """Logistic regression on how often each word occurs, in each part of a source by itself."""
    from sklearn.feature_extraction.text import CountVectorizer

    return _regression(sources, labels, lambda: CountVectorizer(analyzer=plain_words), strength=1.0)


def bag_of_shared_words(sources: Sequence[Text], labels: Sequence[str]) -> Answer[Text, str]:
    """Logistic regression on which words occur in each of two texts, in both of them, and in one alone."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = CountVectorizer(analyzer=plain_words, binary=True)
    vectorizer.fit([text for source in sources for text in _parts(source)])

    def features(of: Sequence[Text]) -> Any:
        first, second = (vectorizer.transform([_parts(source)[part] for source in of]) for part in (0, 1))
        return hstack([first, second, first.multiply(second), abs(first - second)], format="csr")

    model = LogisticRegression(max_iter=1000).fit(features(sources), list(labels))
    return lambda asked: [str(label) for label in model.predict(features(asked))] if asked else []


def tfidf(sources: Sequence[Text], labels: Sequence[str]) -> Answer[Text, str]:
    """Logistic regression on TF-IDF of words and pairs of words, with sublinear counts, in each part by itself."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return _regression(
        sources, labels, lambda: TfidfVectorizer(analyzer=_words_and_pairs, sublinear_tf=True), strength=10.0
    )


def _words_and_pairs(text: str) -> list[str]:
    words = plain_words(text)
    return [*words, *(" ".join(pair) for pair in pairwise(words))]


def _regression(
    sources: Sequence[Text], labels: Sequence[str], vectorizer: Callable[[], Any], *, strength: float
) -> Answer[Text, str]:
    from scipy.sparse import hstack
    from sklearn.linear_model import LogisticRegression

    parts = len(_parts(sources[0]))
    vectorizers = [vectorizer() for _ in range(parts)]
    columns = [[_parts(source)[part] for source in sources] for part in range(parts)]
    features = hstack(
        [one.fit_transform(column) for one, column in zip(vectorizers, columns, strict=True)], format="csr"
    )
    model = LogisticRegression(C=strength, max_iter=1000).fit(features, list(labels))

    def answer(asked: Sequence[Text]) -> list[str]:
        if not asked:
            return []
        read = [one.transform([_parts(source)[part] for source in asked]) for part, one in enumerate(vectorizers)]
        return [str(label) for label in model.predict(hstack(read, format="csr"))]

    return answer


def _parts(source: Text) -> tuple[str, ...]:
    return (source,) if isinstance(source, str) else source


def nearest_reply(contexts: Sequence[str], replies: Sequence[str]) -> Answer[str, str]:
    """The reply whose context is nearest by BM25 (Robertson & Zaragoza 2009); the most frequent one if no word is shared."""
    from scipy.sparse import csr_array

    vocabulary = {
        word: place for place, word in enumerate(sorted({word for text in contexts for word in plain_words(text)}))
    }

    def counted(texts: Sequence[str]) -> Any:
        counts = [Counter(word for word in plain_words(text) if word in vocabulary) for text in texts]
        rows = [row for row, held in enumerate(counts) for _ in held]
        columns = [vocabulary[word] for held in counts for word in held]
        values = [float(count) for held in counts for count in held.values()]
        return csr_array((values, (rows, columns)), shape=(len(texts), max(1, len(vocabulary))))

    documents = counted(contexts)
    lengths = documents.sum(axis=1)
    having = np.bincount(documents.indices, minlength=documents.shape[1])
    rarity = np.log(1 + (len(contexts) - having + 0.5) / (having + 0.5))
    row_of = np.repeat(np.arange(len(contexts)), np.diff(documents.indptr))
    share = 1 - _B + _B * lengths[row_of] / max(float(lengths.mean()), 1e-9)
    documents.data *= (_K1 + 1) / (documents.data + _K1 * share) * rarity[documents.indices]
    most = Counter(replies).most_common(1)[0][0]

    def answer(asked: Sequence[str]) -> list[str]:
        found = []
        for start in range(0, len(asked), _BLOCK):
            queries = counted(asked[start : start + _BLOCK])
            scores = (queries @ documents.T).toarray()
            best = scores.argmax(axis=1)
            found += [replies[place] if scores[row, place] > 0 else most for row, place in enumerate(best)]
        return found

    return answer


def translation_memory(sources: Sequence[str], targets: Sequence[str]) -> Answer[str, str]:
    """The target of the pair whose source is nearest (`PairIndex`); nothing where no pair shares an n-gram."""
    index = PairIndex.build(list(zip(sources, targets, strict=True)))
    return lambda asked: [near[0].target if near else "" for near in index.nearest(asked)]


def first_sentence(sources: Sequence[str], targets: Sequence[str]) -> Answer[str, str]:
    """The first sentence of the source: nothing is learned."""
    return lambda asked: [re.split(r"(?<=[.!?])\s+|\n|(?<=[。！？])", text.strip(), maxsplit=1)[0] for text in asked]


def template(sources: Sequence[str], targets: Sequence[str]) -> Answer[str, str]:
    """A meaning representation of E2E put into sentences that say every slot: nothing is learned."""
    return lambda asked: [_sentences(read_meaning(text)) for text in asked]


def _sentences(meaning: Meaning) -> str:
    name, place = meaning.get("name", "There"), meaning.get("eatType", "place")
    friendly = {"yes": "family-friendly ", "no": "non family-friendly "}.get(meaning.get("familyFriendly", ""), "")
    article = "an" if (friendly + place)[0].lower() in "aeiou" else "a"
    first = f"{name} is {article} {friendly}{place}"
    if "area" in meaning:
        first += f" in the {meaning['area']}" + (" area" if meaning["area"] == "riverside" else "")
    if "near" in meaning:
        first += f" near {meaning['near']}"
    said = [first]
    price = meaning.get("priceRange")
    spelled = f"in the {price} price range" if price in ("cheap", "moderate", "high") else f"for {price}"
    if "food" in meaning:
        said.append(f"It serves {meaning['food']} food" + (f" {spelled}" if price else ""))
    elif price:
        said.append(f"It serves food {spelled}")
    if "customer rating" in meaning:
        rating = meaning["customer rating"]
        words = {
            "low": "a low customer rating",
            "average": "an average customer rating",
            "high": "a high customer rating",
        }
        said.append(f"It has {words.get(rating, f'a customer rating of {rating}')}")
    return "".join(f"{sentence}. " for sentence in said).strip()


def most_frequent_caption(sources: Sequence[Source], captions: Sequence[Sequence[str]]) -> Answer[Source, str]:
    """The caption that most pictures have; of equally frequent ones the one that is most like all."""
    every = [caption for of_picture in captions for caption in of_picture]
    counts = Counter(every)
    best = _most_typical([one for one in counts if counts[one] == max(counts.values())], every, rarity=_rarity(every))
    return lambda asked: [best for _ in asked]


def nearest_picture(pictures: Sequence[Pixels], captions: Sequence[Sequence[str]]) -> Answer[Pixels, str]:
    """Of the picture that is nearest by its colours and by itself made very small, the caption most like its others."""
    known = np.stack([picture_features(picture) for picture in pictures])
    rarity = _rarity([caption for of_picture in captions for caption in of_picture])
    own = [_most_typical(of_picture, of_picture, rarity=rarity) for of_picture in captions]

    def answer(asked: Sequence[Pixels]) -> list[str]:
        return [own[int(np.square(known - picture_features(picture)).sum(axis=1).argmin())] for picture in asked]

    return answer


def _most_typical(texts: Sequence[str], among: Sequence[str], *, rarity: dict[str, float]) -> str:
    """The text with the highest mean cosine to all texts `among`, by words weighted by their rarity."""
    total: dict[str, float] = defaultdict(float)
    for text in among:
        for word, weight in _weights(text, rarity).items():
            total[word] += weight
    return max(texts, key=lambda text: sum(weight * total[word] for word, weight in _weights(text, rarity).items()))


def _rarity(texts: Sequence[str]) -> dict[str, float]:
    having = Counter(word for text in texts for word in set(plain_words(text)))
    return {word: float(np.log((1 + len(texts)) / count)) for word, count in having.items()}


def _weights(text: str, rarity: dict[str, float]) -> dict[str, float]:
    """Each word's count times its rarity, of length 1."""
    weights = {word: count * rarity[word] for word, count in Counter(plain_words(text)).items()}
    norm = sum(weight**2 for weight in weights.values()) ** 0.5
    return {word: weight / norm for word, weight in weights.items()}


def picture_features(picture: Pixels) -> NDArray[np.float64]:
    """How a picture (H, W, 3) looks: 8 × 8 mean colours, and the root of how often each of 4 × 4 × 4 colours is in it.

    Both have length 1, so that they weigh alike whatever the picture's size.
    """
    small = picture.astype(np.float64) / 255
    for axis in (0, 1):
        edges = np.linspace(0, small.shape[axis], _GRID + 1).astype(int)
        cells = [range(first, max(end, first + 1)) for first, end in pairwise(edges)]
        parts = [small.take(cell, axis=axis, mode="clip").mean(axis=axis, keepdims=True) for cell in cells]
        small = np.concatenate(parts, axis=axis)
    levels = picture.astype(np.int64) * _LEVELS // 256
    colours = np.bincount((levels @ (_LEVELS**2, _LEVELS, 1)).ravel(), minlength=_LEVELS**3)
    return np.concatenate([_length_one(small.ravel()), _length_one(np.sqrt(colours))])


def _length_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(values))
    return values / length if length else values
