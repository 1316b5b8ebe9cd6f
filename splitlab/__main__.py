"""The command line: `splitlab demo`, `bench`, `doctor`; `splitlab COMMAND --help` says what each takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from . import __version__
from .errors import SplitlabError
from .plan import Plan

DEMO = {"epochs": 12}  # where the demo's defaults differ from the plan's
NOT_OFFERED = ("paused", "baseline")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it went well. Errors of splitlab are one message, without a traceback of ours."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except SplitlabError as error:
        print(f"splitlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="splitlab", description="Split learning that you can see.")
    parser.add_argument("--version", action="version", version=f"splitlab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _demo(commands)
    _bench(commands)
    _doctor(commands)
    return parser


def _demo(commands: Any) -> None:
    demo = commands.add_parser("demo", help="cut a network, train its halves in kernels, see what it cost")
    _add_plan(demo, DEMO)
    demo.add_argument("--then", default="float8_e4m3fn", metavar="CODEC", help="the codec to change to, live")
    demo.add_argument("--then-epochs", type=int, default=4, metavar="N", help="epochs with that codec")
    demo.add_argument("--on", default="kernel", help="where to run: kernel or thread")
    demo.add_argument("--chart", type=Path, default=Path("demo.html"), metavar="FILE", help="charts that open offline")
    demo.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    demo.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> None:
    from .demo import demo

    demo(_plan(options), options.then, options.then_epochs, options.chart, options.json, options.on)


def _add_plan(parser: argparse.ArgumentParser, defaults: dict[str, Any]) -> None:
    """An option for every setting of a plan, with the plan's own help."""
    for setting in fields(Plan):
        if setting.name in NOT_OFFERED:
            continue
        default = defaults.get(setting.name, setting.default)
        option, text = "--" + setting.name.replace("_", "-"), setting.metadata["help"]
        if isinstance(default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default, help=text)
        elif isinstance(default, tuple):
            parser.add_argument(option, nargs="*", default=default, help=text)
        else:
            kind = {"learning_rate": float, "test_samples": int}.get(setting.name, type(default) if default else str)
            shown = f"{text} ({default})" if default is not None else text
            parser.add_argument(option, type=kind, default=default, metavar="…", help=shown.replace("%", "%%"))


def _plan(options: argparse.Namespace) -> Plan:
    names = [setting.name for setting in fields(Plan) if setting.name not in NOT_OFFERED]
    return Plan().change(**{name: getattr(options, name) for name in names})


def _bench(commands: Any) -> None:
    from .bench import BENCHES

    bench = commands.add_parser("bench", help="measure against physical limits, as ratios within one run")
    bench.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHES)} (all)")
    bench.add_argument("--repeat", type=int, default=5, metavar="N", help="repetitions of each (5)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    bench.set_defaults(run=_run_bench)


def _run_bench(options: argparse.Namespace) -> None:
    from .bench import bench

    bench(options.names, options.repeat, options.json)


def _doctor(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="say what is installed here and whether it fits together")
    doctor.add_argument("--models", action="store_true", help="trace every classification model of torchvision")
    doctor.set_defaults(run=_run_doctor)


def _run_doctor(options: argparse.Namespace) -> None:
    from .doctor import examine

    examine(options.models)


if __name__ == "__main__":
    sys.exit(main())
