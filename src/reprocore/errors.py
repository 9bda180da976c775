"""The one exception that stands for a user's mistake or a damaged file, and text safe to print."""

import unicodedata

# Control, format (bidirectional marks too), surrogate, line and paragraph separator.
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str, kept: str = "\n\t") -> str:
    r"""Return `text` with everything that could steer a terminal written as an escape.

    Titles, paths and reasons come from files of others. ESC becomes `\x1b` and a character that
    reverses the direction of writing `\u202e`, so that what is printed is what is there.

    Args:
        text: of any origin.
        kept: control characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign in kept else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    if unicodedata.category(sign) not in _UNSAFE:
        return sign
    return sign.encode("unicode_escape", "surrogatepass").decode("ascii")


class ReprocoreError(Exception):
    """Something a user can put right, said in one line: what, where, what is allowed.

    Several mistakes are several arguments, one line for each. The command line, the workflow's
    scripts and the Snakefile print the text without a traceback and end with a non-zero status.
    Anything else that is raised is a defect.
    """

    def __str__(self) -> str:
        """Return one line per argument, safe to print."""
        return "\n".join(visible(str(line), kept="") for line in self.args)
