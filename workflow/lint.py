"""`snakemake --lint`, but for the advice that this workflow does not take, each with its reason."""

import re
import subprocess
import sys

NOT_TAKEN = {
    "Specify a conda environment or container for each rule.": "every rule runs this package, in "
    "the one environment that constraints.txt pins",
    "Mixed rules and functions in same snakefile.": "a function of one rule stands beside it; what "
    "several rules share is in common.smk",
    "Environment variable PYTHONSAFEPATH used": "it is set for the jobs, not asked of the user",
}


def main() -> None:
    """Print the advice that is left; exit with 1 if there is some."""
    command = [sys.executable, "-m", "snakemake", "--lint", "--configfile", "config/quick.yaml"]
    output = subprocess.run(command, capture_output=True, text=True).stderr
    if "Lints for" not in output:
        sys.exit(f"snakemake --lint did not lint:\n{output}")
    titles = re.findall(r"^    \* (.*)$", output, flags=re.MULTILINE)
    left = [title for title in titles if not title.startswith(tuple(NOT_TAKEN))]
    unused = [advice for advice in NOT_TAKEN if not any(t.startswith(advice) for t in titles)]
    for title in left:
        print(f"snakemake --lint: {title}")
    for advice in unused:
        print(f"workflow/lint.py: no longer needed: {advice}")
    sys.exit(bool(left or unused))


if __name__ == "__main__":
    main()
