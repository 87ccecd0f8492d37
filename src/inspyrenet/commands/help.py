"""How commands answer --help."""

import argparse


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Texts around the options stay as they are written; an option's value is shown once: -o, --output FOLDER."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"
