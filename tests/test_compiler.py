"""A new process trains without torch's compiler, and whoever wants the compiler gets the real one, once."""

import subprocess
import sys
import textwrap

import pytest

TRAINS = """
    import sys, torch
    from splitlab.compiler import StandIn, postpone
    assert postpone() and not postpone()
    layer = torch.nn.Linear(3, 3)
    optimizer = torch.optim.Adam(layer.parameters())
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step():
        optimizer.zero_grad()
        layer(torch.ones(2, 3)).sum().backward()
        optimizer.step()

    step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.0005
    name = "torch._dynamo"
    assert isinstance(sys.modules[name], StandIn) and not [m for m in sys.modules if m.startswith(name + ".")]
"""
WANTS = {
    "nothing": "",
    "a module within": "import torch._dynamo.config as c, torch._dynamo; assert torch._dynamo.config is c",
    "a name within": "from torch._dynamo.utils import counters as c; assert torch._dynamo.utils.counters is c",
    "an attribute": "assert torch._dynamo.config.verbose in (True, False)",
    "to compile": "assert torch.compile(lambda x: 2 * x, backend='eager')(torch.ones(2)).tolist() == [2, 2]",
}


@pytest.mark.parametrize("wants", WANTS)
def test_training_loads_no_compiler_and_whoever_wants_it_has_it(wants):
    after = "assert not isinstance(sys.modules[name], StandIn); step()" if WANTS[wants] else ""
    code = "\n".join([textwrap.dedent(TRAINS), WANTS[wants], after])
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_is_left_alone_where_it_is_loaded_or_torch_is_not():
    code = """
        from splitlab.compiler import postpone
        assert not postpone()
        import torch, torch._dynamo
        assert not postpone() and torch._dynamo.config
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
