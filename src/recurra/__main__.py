"""`python -m recurra`: the command line, for torchrun and where no script is installed."""

from recurra.cli import main

if __name__ == "__main__":
    main()
