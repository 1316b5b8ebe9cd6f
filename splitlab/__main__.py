"""The command line: `splitlab lab`, `demo`, `bench`, `doctor`; `splitlab COMMAND --help` says what each takes."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, NoReturn

from . import __version__
from .errors import SplitlabError, unknown
from .plan import Plan

GROUPS = {
    "what": "what is trained",
    "where": "where it is cut",
    "who": "who holds the data",
    "wire": "what travels",
    "how": "how it is trained",
}
NOT_OFFERED = ("paused", "baseline")
# Where the demo's defaults differ from the plan's: its rate falls, so that the last epochs differ by the codec only.
DEMO = {"epochs": 12, "lr_schedule": "ExponentialLR(0.8)"}
# JupyterLab asks nobody for news, and PyPI for no newer version.
OFFLINE = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
KINDS = {"learning_rate": float, "test_samples": int}  # of settings whose default, None, does not tell


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it went well. Errors of splitlab are one message, without a traceback of ours."""
    try:
        options, others = _parser().parse_known_args(arguments)
        if others:
            raise unknown("option", others[0], re.findall(r"--[\w-]+", options.parser.format_usage()))
        options.run(options)
    except SplitlabError as error:
        print(f"splitlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"splitlab: {message}; see {self.prog} --help\n")


def _parser() -> Parser:
    parser = Parser(prog="splitlab", description="Split learning that you can see.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"splitlab {__version__}")
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for add in (_lab, _demo, _bench, _doctor):
        add(commands)
    return parser


def _command(commands: Any, name: str, about: str, run: Any) -> Parser:
    words = f"{about[0].upper()}{about[1:]}."
    parser: Parser = commands.add_parser(name, help=about, description=words, allow_abbrev=False)
    parser.set_defaults(run=run, parser=parser)
    return parser


def _lab(commands: Any) -> None:
    parser = _command(commands, "lab", "open JupyterLab on the tutorial, or on another notebook", _run_lab)
    about = "what to open (the tutorial, copied to ./split-learning if it does not lie under this folder)"
    parser.add_argument("notebook", nargs="?", type=Path, metavar="NOTEBOOK", help=about)
    parser.add_argument("--port", type=int, metavar="N", help="the first that is free from 8888 on")
    parser.add_argument("--no-browser", action="store_true", help="only say the address")


def _run_lab(options: argparse.Namespace) -> None:
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise SplitlabError("JupyterLab is not installed here. What it needs: pip install 'splitlab[lab]'") from None
    notebook = options.notebook or _tutorial()
    if not notebook.is_file():
        raise SplitlabError(f"there is no notebook {notebook}")
    more = [*([f"--port={options.port}"] if options.port else []), *(["--no-browser"] if options.no_browser else [])]
    LabApp.launch_instance([str(notebook), *OFFLINE, *more])


def _tutorial() -> Path:
    """The tutorial, if it lies under this folder; else a copy with all that belongs to it. What is there stays."""
    from .server_extension.notebooks import FOLDER, NOTEBOOKS, notebooks_home, served

    home, here = notebooks_home(), Path.cwd()
    if home is None:
        raise SplitlabError("this installation has no notebooks: install splitlab again")
    if served(home, str(here)) is not None:
        return home / NOTEBOOKS["tutorial"]
    for file in (path for path in home.rglob("*") if path.is_file()):
        copy = here / FOLDER / file.relative_to(home)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return here / FOLDER / NOTEBOOKS["tutorial"]


def _demo(commands: Any) -> None:
    about = "cut a network, train its parts in kernels, change the codec on the way, and see what it cost"
    parser = _command(commands, "demo", about, _run_demo)
    groups = {name: parser.add_argument_group(title) for name, title in GROUPS.items()}
    for setting in fields(Plan):
        if setting.name not in NOT_OFFERED:
            _offer(groups[setting.metadata["group"]], setting, DEMO.get(setting.name, setting.default))
    add = groups["wire"].add_argument
    add("--then", default="float8_e4m3fn", metavar="CODEC", help="the codec to change to, live (%(default)s)")
    add("--then-epochs", type=int, default=4, metavar="N", help="epochs with that codec (%(default)s)")
    add = parser.add_argument_group("where it runs, and what it leaves").add_argument
    add("--on", default="kernel", metavar="PLACE", help="kernel or thread (%(default)s)")
    add("--chart", type=Path, default=Path("demo.html"), metavar="FILE", help="charts that open offline (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="all figures")


def _offer(group: Any, setting: Field[Any], default: Any) -> None:
    """An option for a setting of a plan, with the plan's own help."""
    option, text = "--" + setting.name.replace("_", "-"), setting.metadata["help"].replace("%", "%%")
    if isinstance(default, bool):
        group.add_argument(option, action=argparse.BooleanOptionalAction, default=default, help=text)
    elif isinstance(default, tuple):
        group.add_argument(option, nargs="*", default=default, metavar="TRANSFORM", help=text)
    else:
        kind = KINDS.get(setting.name, str if default is None else type(default))
        shown = text if default is None else f"{text} (%(default)s)"
        metavar = {int: "N", float: "RATE"}.get(kind, "TEXT")
        group.add_argument(option, type=kind, default=default, metavar=metavar, help=shown)


def _run_demo(options: argparse.Namespace) -> None:
    from .demo import demo

    settings = {setting.name for setting in fields(Plan)} & vars(options).keys()
    plan = Plan().change(**{name: getattr(options, name) for name in settings})
    demo(plan, options.then, options.then_epochs, options.chart, options.json, options.on)


def _bench(commands: Any) -> None:
    parser = _command(commands, "bench", "measure against physical limits, as ratios within one run", _run_bench)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which: resnet18, thin, … (all)")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="repetitions of each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=30, metavar="S", help="to watch the charts (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")


def _run_bench(options: argparse.Namespace) -> None:
    from .bench import bench

    bench(options.names, options.repeat, options.json, seconds=options.seconds)


def _doctor(commands: Any) -> None:
    parser = _command(commands, "doctor", "say what is installed here and whether it fits together", _run_doctor)
    parser.add_argument("--models", action="store_true", help="trace every classification model of torchvision")


def _run_doctor(options: argparse.Namespace) -> None:
    from .doctor import examine

    examine(options.models)


if __name__ == "__main__":
    sys.exit(main())
