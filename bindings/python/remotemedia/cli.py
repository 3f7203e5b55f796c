"""The command `remotemedia`: shows what there is, checks manifests, runs them over files, plots.

Results go to standard output, messages to standard error, one line for each problem. Exit codes: 0
good, 1 something is wrong with a manifest, a file or the run, 2 wrong use, 130 interrupted.
`REMOTEMEDIA_LOG` or `RUST_LOG` (error, warn, info, debug, trace) makes it tell what happens inside.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from . import _log
from .errors import ManifestError, Problem, RemoteMediaError

__all__ = ["Usage", "main"]

EXAMPLES = """examples:
  remotemedia run examples/voice.yaml -i media/speech.mp3 -o audio=speech.wav
  remotemedia validate examples/*.yaml
  remotemedia nodes AudioResample
  remotemedia plot media/speech.mp3 -o speech.png

exit codes: 0 good, 1 a problem in a manifest, a file or the run, 2 wrong use, 130 interrupted
"""


class Usage(Exception):
    """The command is used in a way that has no meaning."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Gives its exit code."""
    args = _parser().parse_args(argv)
    try:
        _log.configure()
        code = args.call(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who reads no further wants no more; nor may Python say so when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        for line in lines(error, getattr(args, "file", None)):
            print(line, file=sys.stderr)
        return 2 if isinstance(error, Usage) else 1
    return code


def lines(error: Exception, file: object) -> list[str]:
    """An error for people: a line for each problem."""
    if isinstance(error, ManifestError) and error.problems and isinstance(file, str):
        return [problem_line(file, problem) for problem in error.problems]
    what = str(error)
    if isinstance(error, RemoteMediaError):
        if error.hint and error.hint not in what:
            what += f"; {error.hint}"
    elif isinstance(error, OSError) and error.filename:
        what = f"{error.filename}: {error.strerror}"
    elif isinstance(error, Usage):
        what += " (see remotemedia --help)"
    elif not isinstance(error, (OSError, ValueError, ImportError)) and not hasattr(error, "hint"):
        what = f"{type(error).__name__}: {what}; --debug shows where, which is a fault to report"
    return ["remotemedia: error: " + " ".join(what.split())]


def problem_line(file: str, problem: Problem) -> str:
    """A problem of a manifest: `FILE:LINE:COLUMN: error: what; what to do`."""
    place = f"{file}:{problem.line}:{problem.column}" if problem.line else file
    pointer = f" (at {problem.pointer})" if problem.pointer and not problem.line else ""
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{place}: {problem.severity}: {problem.message}{pointer}{hint}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "remotemedia",
        description="Runs media pipelines that a manifest describes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, call: Callable[[Any], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        made.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        made.set_defaults(call=call)
        return made

    command("info", _info, "shows versions, features, threads and live handles")

    nodes = command("nodes", _nodes, "lists the node types, or shows ports and params of one")
    nodes.add_argument("type", nargs="?", metavar="TYPE", help="a node type, or another name of it")

    check = command("validate", _validate, "checks manifests and tells everything that is wrong")
    check.add_argument("files", nargs="+", metavar="FILE", help="a manifest, .json or .yaml")
    check.add_argument("--json", action="store_true", help="as JSON, a line for each file")

    run = command("run", _run, "runs a manifest over files")
    run.add_argument("file", metavar="FILE", help="a manifest, .json or .yaml")
    run.add_argument(
        "-i",
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="file for an input: media, .json, .jsonl or .txt; - for JSON lines from standard "
        "input",
    )
    run.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="file for an output: .wav .flac .pcm .raw (audio), .jsonl .txt (values), .npy "
        "(arrays); without any, values are printed as JSON lines, and of audio how much there was",
    )
    run.add_argument("--metrics", metavar="PATH", help="write the metrics of the run as JSON")
    run.add_argument(
        "--runtime",
        choices=("auto", "rust", "python"),
        default="auto",
        help="rust: the native engine; python: the NumPy fallback, which has a few nodes; "
        "auto: the engine if it is there",
    )

    plot = command("plot", _plot, "draws the waveform of a media file, its speech marked")
    plot.add_argument("media", metavar="FILE", help="a media file")
    plot.add_argument("-o", "--output", required=True, metavar="PATH", help=".png, .svg or .pdf")

    demo = command("demo", _demo, "finds the speech in a recording, and shows what that took")
    demo.add_argument(
        "media", nargs="?", metavar="FILE", help="a media file; else tones and pauses"
    )
    return parser


# Each command imports what it needs when it runs, so that the others need less and start sooner.


def _info(args: Any) -> int:
    from ._cli_show import info

    return info()


def _nodes(args: Any) -> int:
    from ._cli_show import nodes

    return nodes(args.type)


def _validate(args: Any) -> int:
    from ._cli_show import validate

    return validate(args.files, args.json)


def _run(args: Any) -> int:
    from ._cli_run import run

    return run(args.file, args.input, args.output, args.metrics, args.runtime)


def _plot(args: Any) -> int:
    from ._cli_plot import plot

    return plot(args.media, args.output)


def _demo(args: Any) -> int:
    from ._cli_plot import demo

    return demo(args.media)
