"""The command line: ``python -m pipeline STAGE --recipe NAME``; the Makefile calls it."""

import sys

if __name__ == "__main__":
    try:
        from pipeline.cli.app import main  # takes a moment, in which Ctrl-C is as likely as later

        main()
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; run the same command again to resume\n")
        sys.exit(130)
