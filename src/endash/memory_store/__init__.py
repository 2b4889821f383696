"""Memories on disk, each source's for itself: encoded once, found again by what was read, put together at will."""

from endash.memory_store.packing import Precision
from endash.memory_store.store import Encodes, MemoryStore

__all__ = ["Encodes", "MemoryStore", "Precision"]
