"""`python -m optselect`."""

from optselect.cli import main

if __name__ == "__main__":
    main()
