"""The main module of a worker process of Beam's on this machine.

It is Beam's own, but exits with its parent from its first moment, and whenever its work cannot go on: Beam's would wait for
ever where the system refuses it a thread.
"""

from __future__ import annotations

import os
import sys
import traceback

from components.workers.lifetime import collect_seldom, exit_with_parent


def main() -> None:
    """Work until the runner closes the connection."""
    try:
        exit_with_parent()
        collect_seldom()
        from apache_beam.runners.worker import sdk_worker_main

        sdk_worker_main.main(sys.argv)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # threads that wait for the runner would keep the process alive


if __name__ == "__main__":
    main()
