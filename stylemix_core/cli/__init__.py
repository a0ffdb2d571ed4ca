"""The command `stylemix`: the nodes' jobs on files and folders.

`app` has the verbs and runs them. Nothing is imported here, so that Ctrl-C is heard from the very start.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0: done. 1: some of several files could not be used; all others are done. 2: bad input, and one clear line on
    standard error; `SystemExit` where the options themselves are wrong. 130: interrupted. 141: nobody
    reads its output any more.
    """
    try:
        from .app import run

        return run(arguments)
    except KeyboardInterrupt:
        return 130
