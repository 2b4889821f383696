"""show, check or list what makes a recipe

show prints the recipe with every default filled in, check reads it and says whether it is sound,
list tells the kinds of part that a recipe can name.

example:
  endash recipe show recipes/multi30k-en-de.toml --set link.kind=additive
  endash recipe list links
"""

from __future__ import annotations

import inspect
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from importlib import import_module
from typing import Any

from endash.cli.parser import Parser, add_set
from endash.cli.streams import output

_HOMES = {  # where the kinds of each role are registered
    "tasks": "endash.tasks",
    "frontends": "endash.frontends",
    "encoders": "endash.encoders",
    "links": "endash.links",
    "decoders": "endash.decoders",
    "noises": "endash.objectives.noise",
    "readers": "endash.corpora",
    "filters": "endash.corpora",
}


def add_arguments(parser: ArgumentParser) -> None:
    """One action, each with its own arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True, parser_class=Parser)
    _action(actions, "show", _show, "print the recipe with every default filled in")
    _action(actions, "check", _check, "read the recipe and say whether it is sound")
    child = actions.add_parser("list", help="tell the kinds that a recipe can name", description=_example("list links"))
    child.add_argument(
        "role", nargs="?", choices=_HOMES, metavar="ROLE", help=f"one of {', '.join(_HOMES)}; all if left out"
    )
    child.add_argument(
        "--matrix", action="store_true", help="which encoder, link and decoder go together, or why they do not"
    )
    child.set_defaults(action=_list, parser=child)


def run(args: Namespace) -> None:
    """Do the action."""
    with output():
        args.action(args)


def _action(actions: Any, name: str, action: Callable[[Namespace], None], summary: str) -> None:
    child = actions.add_parser(name, help=summary, description=_example(f"{name} recipes/multi30k-en-de.toml"))
    child.add_argument("recipe", metavar="RECIPE", help="a TOML file")
    add_set(child, "link.kind=additive")
    child.set_defaults(action=action, parser=child)


def _example(arguments: str) -> str:
    return f"example:\n  endash recipe {arguments}"


def _show(args: Namespace) -> None:
    from endash.recipe import Recipe

    print(Recipe.load(args.recipe, args.set).to_toml(), end="")


def _check(args: Namespace) -> None:
    from endash.recipe import Recipe
    from endash.registry import kind_of

    recipe = Recipe.load(args.recipe, args.set)
    parts = (recipe.task, recipe.frontend, recipe.encoder, recipe.link, recipe.decoder)
    kinds = " · ".join(kind_of(part) for part in parts if part is not None)
    print(f"{args.recipe}: sound: {recipe.name}, {kinds}, fingerprint {recipe.fingerprint()}")


def _list(args: Namespace) -> None:
    if args.matrix:
        if args.role:
            args.parser.error(f"--matrix shows encoders, links and decoders at once: leave out {args.role}")
        _matrix()
        return
    registries = {role: getattr(import_module(_HOMES[role]), role) for role in ([args.role] if args.role else _HOMES)}
    width = max(len(kind) for registry in registries.values() for kind in registry) + 2
    for role, registry in registries.items():
        if not args.role:
            print(f"{role}:")
        for kind in registry:
            summary = (inspect.getdoc(registry[kind]) or "").splitlines()[0].replace("``", "`")
            print(f"{'' if args.role else '  '}{kind:<{width}}{summary}")


def _matrix() -> None:
    """A row for each encoder and decoder, a column for each link, and below it the reasons by number."""
    from endash.combination import matrix
    from endash.links import links

    cells = matrix()
    reasons = {reason: f"({number})" for number, reason in enumerate(dict.fromkeys(filter(None, cells.values())), 1)}
    rows = [["encoder", "decoder", *links]]
    for encoder, decoder in dict.fromkeys((encoder, decoder) for encoder, decoder, _ in cells):
        answers = [cells[encoder, decoder, link] for link in links]
        rows.append([encoder, decoder, *("yes" if answer is None else reasons[answer] for answer in answers)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    print()
    for reason, number in reasons.items():
        print(f"{number:<5}{reason}")
