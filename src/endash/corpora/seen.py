"""A set of 64-bit numbers in few bytes, for corpora of many millions of records."""

from __future__ import annotations

from array import array

_FREE = 0


class Seen:
    """Remembers numbers of 64 bits in 12 to 24 bytes each, where a Python set takes 60 to 100. Open addressing, linear probing."""

    def __init__(self) -> None:
        self._slots = array("Q", [_FREE]) * 1024
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, number: int) -> bool:
        """Remember `number`; True if it is new."""
        number = number or 1  # 0 marks a free slot
        place = self._place(number)
        if self._slots[place] == number:
            return False
        self._slots[place] = number
        self._count += 1
        if 3 * self._count > 2 * len(self._slots):
            self._grow()
        return True

    def _place(self, number: int) -> int:
        """The slot that holds `number`, or the free one that it would go to."""
        slots, last = self._slots, len(self._slots) - 1
        place = number & last  # the numbers are hashes, so their low bits are as good as any
        while slots[place] not in (_FREE, number):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", [_FREE]) * (2 * len(old))
        for number in old:
            if number != _FREE:
                self._slots[self._place(number)] = number
