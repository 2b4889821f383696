"""From the arguments to an exit code: 0 done, 2 the user's mistake, 1 our bug, 130 interrupted."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

import endash
from endash.cli import (
    decode,
    distill,
    encode,
    evaluate,
    export,
    import_,
    look,
    predict,
    quicken,
    recipe,
    sample,
    score,
    train,
    translate,
)
from endash.cli.parser import Parser, note
from endash.cli.streams import OutputError
from endash.errors import EndashError
from endash.plugins import plugin_of

_COMMANDS = (
    recipe,
    train,
    distill,
    translate,
    predict,
    score,
    evaluate,
    quicken,
    encode,
    decode,
    sample,
    look,
    import_,
    export,
)

_ABOUT = """Encoder–decoder models whose link and memory you choose, look at, keep and reuse.

example:
  endash train recipes/multi30k-en-de.toml --out runs/multi30k
  echo "A man sleeps." | endash translate runs/multi30k
"""


def build_parser() -> Parser:
    """The parser of every command. A command's help is its file's docstring."""
    parser = Parser(prog="endash", description=_ABOUT)
    parser.add_argument("--version", action="version", version=f"endash {endash.__version__}")
    parser.add_argument(
        "--plugin",
        metavar="FILE",
        action="append",
        default=[],
        help="run a Python file that registers parts; repeatable",
    )
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        assert command.__doc__ is not None
        name = command.__name__.rpartition(".")[2].rstrip("_")  # import is a word of Python
        child = commands.add_parser(name, help=command.__doc__.splitlines()[0], description=command.__doc__)
        child.set_defaults(run=command.run, parser=child)
        command.add_arguments(child)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code. SIGTERM stops it as Ctrl-C does, so that nothing half-written is left behind."""
    _open_what_is_closed()
    taken = threading.current_thread() is threading.main_thread()
    former = signal.signal(signal.SIGTERM, signal.default_int_handler) if taken else None
    try:
        return _run(argv)
    except BrokenPipeError:  # of who reads standard error
        return 0
    except OutputError as error:
        # spare the interpreter trying again as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error.__cause__, BrokenPipeError):  # its reader, such as `head`, has all that it wanted
            return 0
        note(f"endash: error: standard output: {getattr(error.__cause__, 'strerror', '') or error.__cause__}")
        return 2
    finally:
        if taken:
            signal.signal(signal.SIGTERM, former)


def _open_what_is_closed() -> None:
    """Give each standard stream that this process was started without an end that reads or writes nothing.

    Otherwise the first file that is opened takes its number, and what is meant for the stream goes into that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their numbers
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (open until the process ends)


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = build_parser().parse(argv)
        for plugin in args.plugin:
            endash.load_plugin(plugin)
        args.run(args)
    except SystemExit as end:  # argparse: help was asked for, or the arguments are wrong
        return int(end.code or 0)
    except KeyboardInterrupt as stop:  # a run's says where it is kept and how to go on
        note(f"endash: {stop if str(stop) else 'interrupted'}")
        return 130
    except EndashError as error:
        note(f"endash: error: {error}")
        return 2
    except OSError as error:
        note(f"endash: error: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        return 2
    except OutputError:
        raise
    except Exception as error:
        traceback.print_exc()
        plugin = plugin_of(error)
        note(
            f"endash: this went wrong in the plugin {plugin}: mend it there; what is a bug of ours, please report with the lines above"
            if plugin
            else "endash: this is a bug of ours, not a mistake of yours: please report it with the lines above and the command"
        )
        return 1
    return 0
