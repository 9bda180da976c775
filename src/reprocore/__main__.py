"""`python -m reprocore`: the command line, where its program is not on the path."""

from reprocore.cli import main

if __name__ == "__main__":
    main()
