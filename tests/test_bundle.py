"""A widget's JavaScript: a small loader in the notebook, the bundle by one message; misspelt names are refused."""

import json
import subprocess
import sys

import comm
import pytest
import traitlets
from comm.base_comm import BaseComm

from splitlab import __version__
from splitlab.widgets import bundle
from splitlab.widgets.bundle import Bundled

LOADER = 'const file = "@FILE@", version = "@VERSION@";'


class Probe(Bundled, bundle="probe"):
    cut = traitlets.Unicode("pool1").tag(sync=True)
    seen: int = 0


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A folder with one bundle, as widgets/build.js leaves it."""
    (tmp_path / "probe.0123.js").write_text("export default {}")
    listed = {"version": "9", "bundles": {"probe": "probe.0123.js"}, "loader": LOADER}
    (tmp_path / bundle.LIST).write_text(json.dumps(listed))
    monkeypatch.setattr(bundle, "HERE", tmp_path)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A checkout in which nothing was built."""
    monkeypatch.setattr(bundle, "HERE", tmp_path / "nothing")
    monkeypatch.setattr(bundle.metadata, "files", lambda name: None)


def test_a_notebook_gets_the_loader_with_the_name_of_the_bundle(built):
    assert Probe()._esm == f'const file = "probe.0123.js", version = "{__version__}";'


def test_the_kernel_answers_the_loader_with_the_bundle(built, monkeypatch):
    probe, sent, heard = Probe(), [], []
    monkeypatch.setattr(Probe, "send", lambda self, content, buffers=None: sent.append((content, buffers)))
    probe.on_msg(lambda widget, content, buffers: heard.append(content))
    probe._handle_custom_msg({"type": "bundle"}, [])
    probe._handle_custom_msg({"type": "press"}, [])
    assert sent == [({"type": "bundle", "file": "probe.0123.js"}, [b"export default {}"])]
    assert heard == [{"type": "press"}], "the loader's message is nobody else's"


def test_without_a_build_the_widget_says_what_to_do(empty):
    text = Probe(cut="relu1")._esm
    assert "make lab" in text
    assert "probe" in text
    assert "import(" not in text


def test_a_keyword_that_is_no_trait_is_refused_with_the_right_ones(built):
    with pytest.raises(TypeError, match=r"keyword of Probe 'cutt'. Did you mean 'cut'\? Known: cut$"):
        Probe(cutt="pool1")


def test_a_misspelt_attribute_is_refused(built):
    probe = Probe()
    with pytest.raises(AttributeError, match="Did you mean 'cut'"):
        probe.cutt = "pool1"
    probe.cut, probe.seen, probe._own_business = "relu1", 1, True
    assert (probe.cut, probe.seen) == ("relu1", 1)


def test_a_saved_notebook_shows_a_sentence_and_the_loader_only(built):
    data, _ = Probe()._repr_mimebundle_()
    assert data["text/plain"] == "<Probe: run this cell in JupyterLab or Voila to use it>"
    assert set(data) == {"text/plain", "application/vnd.jupyter.widget-view+json"}


def test_the_loader_stays_small():
    if not bundle.bundles():
        pytest.skip("the front end was not built")
    assert len(bundle.bundles()["loader"]) < 2048


def test_widgets_can_be_imported_where_nothing_was_built():
    code = "import splitlab.widgets.bundle as b, pathlib; b.HERE = pathlib.Path('nothing'); b.Bundled(); import sys; "
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)


class Tied(BaseComm):
    """A channel as of ipykernel 7.4, which takes what the page sends to a loop that may be gone."""

    def publish_msg(self, *_, **__):
        pass

    def _reply_subshell_for(self, data, default):
        return "gone"


def test_what_the_page_sends_goes_where_the_page_says(monkeypatch):
    monkeypatch.setattr(comm, "create_comm", Tied)
    probe = Probe()
    assert isinstance(probe.comm, Tied)
    assert probe.comm._reply_subshell_for({}, "the page's own") == "the page's own"
