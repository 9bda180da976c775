"""The one exception that stands for a user's mistake or a damaged file."""


class ReprocoreError(Exception):
    """Something a user can put right, told in one line: what, where, what is allowed.

    The command line, the workflow's scripts and the Snakefile print its text without a
    traceback and end with a non-zero status. Anything else that is raised is a defect.
    """
