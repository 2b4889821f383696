"""The command line: a small file for each command, and the few things that they share."""

from endash.cli.run import main

__all__ = ["main"]
