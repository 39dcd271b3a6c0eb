"""The command line: ``python -m pipeline STAGE --recipe NAME``; the Makefile calls it."""

from pipeline.cli.app import main

if __name__ == "__main__":
    main()
