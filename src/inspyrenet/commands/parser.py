"""The parser of every command: options are taken as they are written, an unknown one is answered, and ~ is a home."""

import argparse
import difflib
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ..utils.system.paths import expanded_word

DIAGRAMS = (".png", ".svg", ".pdf")


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Texts around the options stay as they are written; an option's value is shown once: -o, --output FOLDER."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


def picture_file(word: str) -> str:
    """The argument type of a diagram's file."""
    if not word.lower().endswith(DIAGRAMS):
        raise argparse.ArgumentTypeError(f"{word}: a picture's name ends in {', '.join(DIAGRAMS)}")
    return word


def _prepared(args: Sequence[str] | None) -> list[str]:
    _print_what_can_be_printed()
    words = [expanded_word(word) for word in (sys.argv[1:] if args is None else args)]
    if "--" not in words:
        return words
    options, files = words[: words.index("--")], words[words.index("--") + 1 :]
    return options + [f"./{word}" if word.startswith("-") and word != "-" else word for word in files]


def _print_what_can_be_printed() -> None:
    """Let stdout write \\u2192 for what its encoding lacks, as cp1252 of Windows lacks →, instead of ending the command."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


class _Answer(argparse.Action):
    """An option that ends the command with what to do instead."""

    def __init__(self, option_strings: Sequence[str], dest: str, default: str, answer: str):
        super().__init__(option_strings, dest, nargs="?", default=default, help=argparse.SUPPRESS)
        self.answer = answer

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        parser.error(f"{option} is {self.answer}")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that completes nothing: --verb is not --verbose, -o is not -om, -output is not -o utput.

    Only switches of one letter combine, as in -rv. An unknown option names the one that was probably meant.
    """

    program: ClassVar[str | None] = None  # how help calls a command that was not started as a script of its own

    def __init__(self, *args: Any, **words: Any):
        known = {"formatter_class": HelpFormatter, "allow_abbrev": False, "prog": self.program}
        super().__init__(*args, **{**known, **words})
        self._negative_number_matcher = re.compile(r"-\.?\d[-.,\d]*$")  # also -5,3: a point

    def answer(self, names: Sequence[str], answer: str) -> None:
        """Hidden options that are not of this command, and what is said to them: --review is for folders: …"""
        self.add_argument(*names, action=_Answer, default=argparse.SUPPRESS, answer=answer)

    def parse_known_args(self, args=None, namespace=None):
        return super().parse_known_args(self._checked(_prepared(args)), namespace)

    def parse_known_intermixed_args(self, args=None, namespace=None):  # does not call the one above since Python 3.12.8
        return super().parse_known_intermixed_args(self._checked(_prepared(args)), namespace)

    def _checked(self, words: list[str]) -> list[str]:
        if "" in words:
            self.error("a word of this command is empty: is a variable of the shell not set?")
        return words

    def parse_args(self, args=None, namespace=None):
        return self._complete(*self.parse_known_args(args, namespace))

    def parse_intermixed_args(self, args=None, namespace=None):
        return self._complete(*self.parse_known_intermixed_args(args, namespace))

    def _complete(self, found: argparse.Namespace, unknown: Sequence[str]) -> argparse.Namespace:
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown)}")
        return found

    def _meant(self, unknown: Sequence[str]) -> str:
        """; did you mean --overwrite? for -overwrite or --overwite."""
        for word in unknown:
            if Path(word).is_file():
                return f"; the file of that name is ./{word}"
            plain = f"--{word.partition('=')[0].lstrip('-')}"
            near = [name for name in self._option_string_actions if word.startswith("-") and name.startswith(plain)]
            near = near or difflib.get_close_matches(plain, self._option_string_actions, n=1, cutoff=0.7)
            if word.startswith("-") and near:
                return f"; did you mean {near[0]}?"
        return ""

    def _get_option_tuples(self, option_string: str) -> list:
        """argparse asks here what a word may stand for that is no option as it is; allow_abbrev does not cover one dash."""
        actions = [self._option_string_actions.get(f"-{letter}") for letter in option_string[1:]]
        combined = all(action is not None and action.nargs == 0 for action in actions)
        return super()._get_option_tuples(option_string) if combined else []
