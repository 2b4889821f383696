from hypothesis import given
from hypothesis import strategies as st

from endash.corpora.seen import Seen


@given(st.lists(st.integers(min_value=1, max_value=2**64 - 1) | st.integers(min_value=1, max_value=5)))
def test_it_answers_as_a_set_does(numbers: list[int]) -> None:
    seen, plain = Seen(), set()
    for number in numbers:
        assert seen.add(number) == (number not in plain)
        plain.add(number)
    assert len(seen) == len(plain)


def test_it_grows_and_forgets_nothing_even_where_low_bits_collide() -> None:
    numbers = [1 + (i << 12) for i in range(200)] + list(range(2, 3000, 2))
    seen = Seen()
    assert all(seen.add(number) for number in numbers)
    assert not any(seen.add(number) for number in numbers)
    assert len(seen) == len(numbers)


def test_zero_is_a_number_too() -> None:
    seen = Seen()
    assert seen.add(0)
    assert not seen.add(0)
