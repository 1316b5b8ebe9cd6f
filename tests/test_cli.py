"""The command line: wrong input is one line that names the right one, and nothing is started."""

import subprocess
import sys
from dataclasses import fields

import pytest

from splitlab import demo, doctor
from splitlab.__main__ import NOT_OFFERED, main
from splitlab.plan import Plan


@pytest.fixture
def called(monkeypatch):
    """The arguments that the demo was called with."""
    calls = []
    monkeypatch.setattr(demo, "demo", lambda *arguments: calls.append(arguments))
    return calls


def refusal(capsys, *arguments):
    """What is said about wrong arguments; it is one line, and the exit code is 2."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    return said.err


def test_an_unknown_option_is_answered_with_the_nearest(capsys):
    assert "Did you mean '--codec'?" in refusal(capsys, "demo", "--codce", "int8")


def test_an_abbreviated_option_is_not_guessed(capsys):
    assert "--batch-size" in refusal(capsys, "demo", "--batch", "8")


def test_an_unknown_command_is_answered_with_the_commands(capsys):
    assert all(name in refusal(capsys, "dmeo") for name in ("demo", "bench", "doctor"))


def test_no_command_is_answered_with_help(capsys):
    assert "splitlab --help" in refusal(capsys)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("--epochs", "many"), "--epochs"),
        (("--epochs", "0"), "expected a whole number of at least 1"),
        (("--cut", "poool1"), "Did you mean 'pool"),
        (("--then", "float7"), "float8_e4m3fn"),
        (("--codec", "float31"), "'float32'"),
        (("--data", "digit"), "'digits'"),
        (("--model", "lenett"), "'lenet'"),
        (("--sharing", "pool"), "'pooled'"),
        (("--on", "moon"), "kernel, thread"),
        (("--then-epochs", "-1"), "--then-epochs"),
    ],
)
def test_a_value_that_cannot_work_is_refused_before_anything_is_started(capsys, monkeypatch, arguments, answer):
    monkeypatch.setattr("splitlab.run.Run.__init__", lambda *_: pytest.fail("a run was started"))
    assert answer in refusal(capsys, "demo", *arguments)


def test_an_unknown_benchmark_is_answered_with_the_known(capsys):
    assert "thin" in refusal(capsys, "bench", "thinn")


def test_help_has_every_setting_of_a_plan_in_its_group(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    text = capsys.readouterr().out
    assert all(f"--{item.name.replace('_', '-')}" in text for item in fields(Plan) if item.name not in NOT_OFFERED)
    text = text[text.index("where it is cut:") :]
    assert text.index("--cut") < text.index("what travels:") < text.index("--codec ")


def test_options_become_a_plan(called):
    main(
        [
            "demo",
            "--clients",
            "3",
            "--learning-rate",
            "0.1",
            "--no-evaluate",
            "--augment",
            "RandomCrop(8)",
            "--then",
            "int8",
        ]
    )
    ((plan, then, *_),) = called
    assert (plan.clients, plan.learning_rate, plan.evaluate, plan.augment) == (3, 0.1, False, ("RandomCrop(8)",))
    assert then == "int8"


def test_without_options_the_demo_differs_from_a_plan_only_where_it_says_so(called):
    main(["demo"])
    assert called[0][0] == Plan(epochs=12, lr_schedule="ExponentialLR(0.8)")


def test_help_comes_at_once_because_it_needs_no_torch():
    code = "import sys, splitlab.__main__ as line; line._parser().format_help(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_doctor_compares_what_is_here_with_what_was_tested(capsys, monkeypatch):
    monkeypatch.setattr(
        doctor, "constraints", lambda: {"numpy": "0.0.1", "safetensors": doctor._version("safetensors")}
    )
    assert main(["doctor"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert lines["numpy"].endswith("0.0.1   differs")
    assert "differs" not in lines["safetensors"]


def test_the_doctor_says_what_is_missing_and_what_to_do(monkeypatch):
    said = []
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "voila" else "1")
    doctor.examine(say=said.append)
    assert any(line.startswith("voila") and "missing" in line for line in said)
    assert "pip install 'splitlab[lab]'" in said[-1]


def test_everything_that_splitlab_needs_was_tested_in_one_version():
    assert set(doctor.required()) <= set(doctor.constraints())
