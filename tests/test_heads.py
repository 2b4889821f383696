from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from endash.heads import Each, Head, HeadConfig, LabelHead, LengthHead, PointerHead
from endash.memory import Memory
from endash.parts.copyable import Copyable

D, M, V = 6, 4, 11
TOKENS = torch.tensor([[5, 7, 5, 3], [6, 3, 0, 0], [0, 0, 0, 0]])
TARGET = torch.tensor([[5, 9, 3], [6, 3, 0], [4, 3, 0]])


@pytest.fixture
def head() -> PointerHead:
    torch.manual_seed(0)
    return PointerHead(D, V, tied=None, memory_width=M)


@pytest.fixture
def memory() -> Memory:
    torch.manual_seed(1)
    return Memory(torch.randn(3, 4, M), TOKENS != 0, tokens=TOKENS)


@pytest.fixture
def hidden() -> Tensor:
    torch.manual_seed(2)
    return torch.randn(3, 3, D)


def scores_of(head: PointerHead, hidden: Tensor, copyable: Copyable, target: Tensor = TARGET) -> Tensor:
    """The head's scores when what was read before each target token is the target token before it."""
    scores: Tensor = head(hidden, copyable, copyable.traces(inputs_of(target)))
    return scores


def inputs_of(target: Tensor) -> Tensor:
    return torch.cat([torch.full_like(target[:, :1], 2), target[:, :-1]], 1)


def test_a_head_projects_and_its_loss_is_the_cross_entropy_of_that(hidden: Tensor) -> None:
    torch.manual_seed(0)
    plain = Head(D, V, tied=None)
    scores = plain(hidden, None, None)
    torch.testing.assert_close(scores, hidden @ plain.weight.T + plain.bias)
    real = TARGET != 0
    loss = plain.loss(hidden, TARGET, real, None, None, label_smoothing=0.1)
    wanted = nn.functional.cross_entropy(scores[real], TARGET[real], label_smoothing=0.1)
    torch.testing.assert_close(loss.total, wanted)
    assert loss.tokens == 7


def test_a_tied_head_has_no_matrix_of_its_own() -> None:
    embedding = nn.Embedding(V, D)
    assert Head(D, V, tied=embedding).weight is embedding.weight


def test_a_mixture_is_a_distribution(head: PointerHead, memory: Memory, hidden: Tensor) -> None:
    total = scores_of(head, hidden, head.open(memory)).exp().sum(-1)
    torch.testing.assert_close(total, torch.ones(3, 3))


def test_only_tokens_of_the_memory_are_copied(head: PointerHead, memory: Memory, hidden: Tensor) -> None:
    nn.init.constant_(head.gate.bias, -200.0)  # never write
    probability = scores_of(head, hidden, head.open(memory)).exp()
    for row, tokens in enumerate([{5, 7, 3}, {6, 3}]):
        assert {v for v in range(V) if (probability[row, :, v] > 1e-20).all()} == tokens
        assert {v for v in range(V) if (probability[row, :, v] > 1e-20).any()} == tokens


def test_the_mixture_is_the_equation(head: PointerHead, memory: Memory, hidden: Tensor) -> None:
    nn.init.normal_(head.run_gate)
    got = scores_of(head, hidden, head.open(memory)).exp()
    for b in range(2):
        real = memory.mask[b]
        own = memory.states[b, real]
        before = torch.cat([torch.zeros(1, M), own[:-1]])
        keys = head.key(own) + head.before(before)
        for q in range(3):
            h = hidden[b, q]
            # What was read last is the token before the target's: 5 is copied from two places, 6 from one.
            runs = torch.tensor([int(q > 0 and x == TARGET[b, q - 1]) for x in [0, *TOKENS[b, real].tolist()[:-1]]])
            alpha = (head.query(h) @ keys.T / D**0.5 + head.trace_score[runs]).softmax(0)
            g = torch.sigmoid(head.gate(h) + head.gate_of_copied(alpha @ own) - head.run_gate[runs.max()])
            wanted = g * (head.weight @ h + head.bias).softmax(0)
            for share, token in zip(alpha, TOKENS[b, real], strict=True):
                wanted[token] += (1 - g[0]) * share
            torch.testing.assert_close(got[b, q], wanted)


def test_an_empty_memory_leaves_what_is_written(head: PointerHead, memory: Memory, hidden: Tensor) -> None:
    wanted = (hidden[2] @ head.weight.T + head.bias).log_softmax(-1)
    torch.testing.assert_close(scores_of(head, hidden, head.open(memory))[2], wanted)
    no_positions = Memory(torch.zeros(3, 0, M), TOKENS[:, :0] != 0, tokens=TOKENS[:, :0])
    torch.testing.assert_close(scores_of(head, hidden, head.open(no_positions))[2], wanted)


def test_the_loss_is_of_the_distribution_that_search_sees(head: PointerHead, memory: Memory, hidden: Tensor) -> None:
    copyable, real = head.open(memory), TARGET != 0
    loss = head.loss(hidden, TARGET, real, copyable, copyable.traces(inputs_of(TARGET)), label_smoothing=0.0)
    nll = -scores_of(head, hidden, copyable).gather(2, TARGET[:, :, None])[:, :, 0][real]
    torch.testing.assert_close(loss.total, nll.mean())
    assert loss.nll == pytest.approx(nll.sum().item(), rel=1e-5)  # float32
    assert loss.tokens == 7


def test_a_key_sees_the_position_before_but_not_another_passage(head: PointerHead) -> None:
    tokens = torch.tensor([[5, 7, 6, 8]])
    joined = Memory(torch.randn(1, 4, M), tokens != 0, tokens=tokens, segments=torch.tensor([[0, 0, 1, 1]]))
    second = Memory(joined.states[:, 2:], joined.mask[:, 2:], tokens=tokens[:, 2:])
    torch.testing.assert_close(head.open(joined).keys[:, 2:], head.open(second).keys)
    assert not torch.allclose(head.open(joined).keys[:, 1:2], head.key(joined.states[:, 1:2]) * D**-0.5)


def test_what_a_head_keeps_can_be_selected(head: PointerHead, memory: Memory, hidden: Tensor) -> None:
    rows = torch.tensor([1, 0, 1])
    got = scores_of(head, hidden[rows], head.open(memory).select(rows), TARGET[rows])
    torch.testing.assert_close(got, scores_of(head, hidden, head.open(memory))[rows])


@pytest.mark.parametrize(
    ("config", "joint", "decoder_width", "message"),
    [
        (HeadConfig(pointer=True), False, 8, "head.pointer = true copies .* set text.joint = true"),
        (HeadConfig(), False, 8, "head.tie = 'all' shares one embedding, .* or head.tie = 'target'"),
        (HeadConfig(), True, 16, "encoder.width = 8 is not decoder.width = 16: make them equal"),
        (HeadConfig(), True, 8, None),
        (HeadConfig(tie="target"), False, 16, None),
    ],
)
def test_a_head_says_what_it_does_not_go_with(
    config: HeadConfig, joint: bool, decoder_width: int, message: str | None
) -> None:
    reason = config.why_not(joint=joint, encoder_width=8, decoder_width=decoder_width)
    if message is None:
        assert reason is None
    else:
        with pytest.raises(ValueError, match=message):
            raise ValueError(reason)


@torch.no_grad()
def test_a_length_is_told_by_its_difference_to_the_source_s() -> None:
    torch.manual_seed(0)
    head, mask = LengthHead(M), TOKENS != 0
    summary = torch.randn(3, M)
    memory = Memory(torch.randn(3, 4, M), mask, summary=summary)
    lengths = torch.arange(1, 400).expand(3, -1)
    found = head(memory, lengths)
    for row, source in enumerate([4, 2, 0]):
        scores = head.project(summary[row])[129 - source :]  # those of the lengths 1, 2, …
        torch.testing.assert_close(found[row, : source + 128], scores.log_softmax(0))
        torch.testing.assert_close(found[row, : source + 128].exp().sum(), torch.ones(()))
        assert (found[row, source + 128 :] == found[row, source + 127]).all()  # what is farther counts as the last
    loss = head.loss(memory, torch.tensor([5, 300, 1]))
    wanted = torch.stack([found[0, 4], found[1, 299], found[2, 0]])
    torch.testing.assert_close(loss.total, -wanted.mean())
    assert (loss.tokens, loss.nll) == (3, pytest.approx(-float(wanted.sum()), rel=1e-5))


def test_what_is_joined_to_a_source_does_not_make_it_longer() -> None:
    torch.manual_seed(0)
    memory = Memory(torch.randn(3, 4, M), TOKENS != 0, summary=torch.randn(3, M))
    head, lengths = LengthHead(M), torch.arange(1, 9).expand(3, -1)
    assert torch.equal(head(memory.join(memory), lengths), head(memory, lengths))


def joined(states: Tensor, mask: Tensor, *, parts: list[int]) -> Memory:
    """A memory of parts of so many positions each."""
    segments = torch.cat([torch.full((len(states), size), part) for part, size in enumerate(parts)], 1)
    return Memory(states, mask, segments=segments)


def test_a_label_of_one_source_is_read_off_the_mean_of_its_states(memory: Memory) -> None:
    head = LabelHead(M, 3, each="source", joins=0, dropout=0.0)
    scores = head(memory)
    means = torch.stack([memory.states[0].mean(0), memory.states[1, :2].mean(0), torch.zeros(M)])
    torch.testing.assert_close(scores, head.project(means)[:, None])
    assert [name for name, _ in head.named_parameters()] == ["project.weight", "project.bias"]


def test_a_label_of_joined_sources_is_read_off_their_means_and_how_they_differ() -> None:
    torch.manual_seed(0)
    states, mask = torch.randn(2, 7, M), torch.tensor([[1, 1, 0, 1, 0, 1, 1], [1, 0, 0, 0, 0, 1, 0]]).bool()
    head = LabelHead(M, 3, each="source", joins=2, dropout=0.0)
    scores = head(joined(states, mask, parts=[3, 2, 2]))
    nothing = torch.zeros(M)
    for row, (u, v, w) in enumerate(
        [
            (states[0, :2].mean(0), states[0, 3], states[0, 5:].mean(0)),
            (states[1, 0], nothing, states[1, 5]),  # an empty source
        ]
    ):
        features = torch.cat([u, v, (u - v).abs(), u * v, w, (u - w).abs(), u * w])
        assert head.hidden is not None
        torch.testing.assert_close(scores[row, 0], head.project(torch.tanh(head.hidden(features))))


@pytest.mark.parametrize(("each", "joins"), [("source", 0), ("source", 1), ("word", 0)])
def test_the_gradients_of_a_label_head_are_those_of_differences(each: Each, joins: int) -> None:
    torch.manual_seed(0)
    head = LabelHead(M, 3, each=each, joins=joins, dropout=0.0).double()
    states = torch.randn(2, 5, M, dtype=torch.double, requires_grad=True)
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 0, 0, 1, 1]]).bool()
    places = torch.tensor([[2, 3], [1, 0]])

    def scores(states: Tensor, *_: Tensor) -> Tensor:
        found: Tensor = head(joined(states, mask, parts=[3, 2]) if joins else Memory(states, mask), places)
        return found

    assert torch.autograd.gradcheck(scores, (states, *head.parameters()))
    assert head(Memory(states, mask), places).dtype == torch.double


def test_scores_of_labels_keep_the_precision_of_the_parameters(memory: Memory) -> None:
    head = LabelHead(M, 3, each="source", joins=0, dropout=0.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = head(memory)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, head(memory))
