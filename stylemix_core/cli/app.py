"""All verbs, and what becomes of their errors."""

import io
import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import shell_complete

from .. import __version__
from ..errors import StyleMixError
from .batch import SomeFailed
from .verbs import checkpoints, codes, directions, encoding, faces, jobs, layers, mixing, motion, training

VERBS = (
    faces.demo,
    faces.generate,
    encoding.encode,
    encoding.invert,
    faces.regions,
    faces.paste,
    codes.decode,
    codes.blend,
    codes.truncate,
    codes.export,
    mixing.mix,
    mixing.matrix,
    mixing.strip,
    directions.directions,
    directions.learn,
    layers.explain,
    layers.find,
    motion.walk,
    motion.video,
    jobs.run,
    jobs.reproduce,
    jobs.report,
    training.train_encoder,
    checkpoints.convert,
    checkpoints.inspect,
)


class Verbs(click.Group):
    """In the order of `VERBS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


stylemix = Verbs(
    "stylemix",
    commands=VERBS,
    help="StyleGAN2 faces and pSp styles on the command line.",
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100},
)
click.version_option(__version__, prog_name="stylemix", message="%(prog)s %(version)s")(stylemix)

COMPLETE = "_STYLEMIX_COMPLETE"
"""The environment variable by which a shell asks how a line goes on."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, or raises `SystemExit` with it where options are wrong."""
    for stream in (sys.stdout, sys.stderr):
        # Redirected output on Windows has a code page that lacks arrows and Hangul.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if arguments is None and (instruction := os.environ.get(COMPLETE)):
        return shell_complete(stylemix, {}, "stylemix", COMPLETE, instruction)
    given = sys.argv[1:] if arguments is None else [*arguments]
    name = " ".join(["stylemix", *(word for word in given[:1] if word in stylemix.commands)])
    try:
        with stylemix.make_context("stylemix", given) as context:
            stylemix.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:  # --help
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        message = " ".join(error.format_message().split())
        print(f"{name}: {message.removesuffix('.')}; see {name} --help", file=sys.stderr)
        raise SystemExit(2) from None
    except SomeFailed as failed:
        for line in failed.lines:
            print(f"{name}: {line}", file=sys.stderr)
        return failed.exit_code
    except BrokenPipeError:  # `stylemix … | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (StyleMixError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{name}: stopped; every file written so far is whole", file=sys.stderr)
        return 130
    return 0
