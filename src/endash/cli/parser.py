"""An argument parser that says what was meant: unknown commands, options and choices are answered with the nearest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from endash.cli.streams import write_lines
from endash.errors import nearest


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a description, and puts an option and its help on one line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=120)
        self._action_max_length = (
            15  # argparse forgets that it indents the commands, and breaks the line of the longest
        )


class Parser(argparse.ArgumentParser):
    """Exits with 2 on a mistake, after one line that names it and one that says where to read on."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, formatter_class=_Help, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Print the message without the usage, and exit with 2."""
        self.exit(2, f"endash: error: {message}\nsee: {self.prog} --help\n")

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """The parsed arguments; an option that is left over is answered with the nearest of its command."""
        args, left = self.parse_known_args(argv)
        if left:
            command: Parser = args.parser
            if left[0].startswith("-"):
                command.error(f"unknown option {left[0]}: {nearest(left[0], command.options())}")
            command.error(f"{left[0]!r} is one argument too many: a text with spaces needs quotation marks")
        return args

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:  # where argparse itself would hide that it cannot be written
            write_lines(message.splitlines())
        else:
            super()._print_message(message, file)

    def options(self) -> list[str]:
        """The long options that this command knows."""
        return [option for option in self._option_string_actions if option.startswith("--")]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            asked = str(action.metavar or action.dest).lower()
            raise argparse.ArgumentError(None, f"unknown {asked} {value!r}: {nearest(str(value), action.choices)}")


def add_set(parser: argparse.ArgumentParser, example: str) -> None:
    """The option ``--set KEY=VALUE``, which may be given more than once."""
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help=f"change a setting, such as {example}; repeatable",
    )


def positive(text: str) -> int:
    """An argument that is a whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def note(message: str) -> None:
    """Tell the user something that is no result: on standard error."""
    print(message, file=sys.stderr, flush=True)
