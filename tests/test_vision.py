import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from splitlab.errors import PlanError
from splitlab.vision import torchvision


def test_torchvision_comes_up_whole_in_any_thread():
    with ThreadPoolExecutor(4) as threads:
        found = {threads.submit(torchvision).result() for _ in range(4)}
    assert found == {sys.modules["torchvision"]}
    assert all(hasattr(torchvision(), name) for name in ("models", "transforms", "ops", "datasets"))


def test_without_torchvision_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(PlanError, match=r"pip install 'splitlab\[lab\]'"):
        torchvision()
