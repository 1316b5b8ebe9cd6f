import threading

import pytest
import torch
from networks import NETWORKS, Block, LeNet, network
from torch import nn
from torch.nn import functional

from splitlab.errors import CutError, PlanError, TraceError
from splitlab.graph import trace
from splitlab.vision import torchvision


class Free(nn.Module):
    """A linear layer, then whatever function it is given."""

    def __init__(self, function, features=4, **modules):
        super().__init__()
        self.function = function
        self.fc = nn.Linear(4, features)
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, x)


def free(function, **modules):
    return trace(Free(function, **modules), torch.ones(2, 4))


def reason(graph, name):
    assert not graph.cut(name).legal
    return graph.cut(name).reason


def test_cuts_have_the_models_own_names_in_order():
    graph = trace(LeNet(), torch.zeros(1, 1, 12, 12))
    names = "conv1 relu1 pool1 conv2 relu2 pool2 view fc1 relu dropout fc2"
    assert [cut.name for cut in graph.cuts] == names.split()
    assert [cut.name for cut in graph.legal] == names.split()[:-1]


def test_a_module_called_twice_has_its_path_for_the_last_call():
    graph = trace(nn.Sequential(Block(4, 4)), torch.zeros(1, 4, 8, 8))
    names = [cut.name for cut in graph.cuts]
    assert names == ["0.conv1", "0.bn1", "0.relu.1", "0.conv2", "0.bn2", "0.add", "0.relu"]


def test_names_are_unique_even_where_modules_are_called_like_functions():
    def forward(self, x):
        return torch.relu(self.relu(torch.relu(self.fc(x)))) + self.x(x)

    graph = free(forward, relu=nn.Sequential(nn.ReLU(), nn.Tanh()), x=nn.Linear(4, 4))
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names) and graph.input not in names
    assert {"relu.0", "relu.1", "x", "relu", "add"} <= set(names)
    assert names == [
        node.name for node in free(forward, relu=nn.Sequential(nn.ReLU(), nn.Tanh()), x=nn.Linear(4, 4)).nodes
    ]


def test_costs_are_those_counted_by_hand():
    graph = trace(LeNet(), torch.zeros(5, 1, 12, 12))
    cut = graph.cut("pool1")
    conv1, conv2, fc1, fc2 = 12 * 12 * 4 * 9, 4 * 4 * 8 * 4 * 9, 32 * 16, 16 * 10
    assert cut.tensors == ((4, 6, 6),) and cut.values == ("pool1",)
    assert cut.elements_per_sample == 4 * 6 * 6 and cut.bytes_per_sample == 4 * 4 * 6 * 6
    assert cut.client_macs == conv1 and cut.server_macs == conv2 + fc1 + fc2
    assert cut.client_params == 4 * 9 + 4
    assert cut.client_params + cut.server_params == sum(p.numel() for p in LeNet().parameters())
    # kept: the input, the activation (in place) and the pool's int64 places; beside the pool's output, which crosses
    assert cut.kept_bytes == 4 * 12 * 12 + 4 * 4 * 12 * 12 + 8 * 4 * 6 * 6
    assert cut.memory(10) == 12 * cut.client_params + 10 * (cut.kept_bytes + cut.bytes_per_sample)


def test_costs_do_not_depend_on_the_examples_batch_size():
    one, four = (trace(network("resnet")[0], torch.zeros(n, 1, 8, 8)) for n in (1, 4))
    assert one.cuts == four.cuts


def test_the_default_cut_is_early_and_cheap():
    assert trace(*network("lenet")).default_cut == "pool1"
    model = torchvision().models.resnet18(num_classes=10)
    assert trace(model, torch.zeros(1, 3, 64, 64)).default_cut == "maxpool"


def test_a_network_with_all_its_work_in_front_has_a_default_cut_nevertheless():
    assert trace(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), torch.zeros(1, 64)).default_cut == "1"


def test_a_cut_inside_a_residual_block_carries_two_tensors_and_says_so():
    cut = trace(*network("resnet")).cut("2.relu.1")
    assert cut.legal and cut.tensors == ((4, 8, 8), (4, 8, 8)) and cut.values == ("1", "2.relu.1")


def test_an_unknown_cut_is_an_error_that_names_the_nearest():
    with pytest.raises(CutError, match=r"Did you mean 'pool1'\?"):
        trace(*network("lenet")).cut("pol1")


@pytest.mark.parametrize("name", NETWORKS)
def test_no_size_is_left_to_compute_and_no_batch_size_is_written_down(name):
    model, samples = network(name)
    graph = trace(model, samples)
    assert not {"size", "shape", "getattr", "_assert"} & {node.operation.verb for node in graph.nodes}
    part = graph.split(None).head.eval()
    for batch in (1, 2, 7):
        samples = torch.randn(batch, *samples.shape[1:])
        assert torch.equal(part(samples)[0], model.eval()(samples))


def test_tracing_leaves_the_model_the_random_state_and_the_mode_alone():
    model, samples = network("resnet")
    model[2].eval()  # a mixture of modes is kept, too
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, attributes = [m.training for m in model.modules()], [set(vars(m)) for m in model.modules()]
    state = torch.get_rng_state()
    trace(model, samples).split("3.bn1", "4")
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert modes == [m.training for m in model.modules()] and attributes == [set(vars(m)) for m in model.modules()]
    assert all(p.device.type == "cpu" and p.grad is None for p in model.parameters())


def test_other_threads_may_run_modules_while_a_model_is_traced():
    model, samples = network("resnet")
    stop, failures = threading.Event(), []

    def work():
        other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
        while not stop.is_set():
            try:
                other(samples)
            except Exception as error:
                failures.append(error)
                return

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(3):
        trace(model, samples)
    stop.set()
    thread.join()
    assert not failures


def test_tied_weights_cannot_be_separated_and_the_reason_names_both_ends():
    def forward(self, x):
        return functional.linear(torch.tanh(self.fc(x)), self.fc.weight.t())

    graph = free(forward)
    assert reason(graph, "tanh") == "'fc' and 't' share the weight 'fc.weight', and would be separated"


def test_a_module_with_weights_that_is_used_on_both_sides_cannot_be_separated():
    graph = free(lambda self, x: self.out(self.fc(torch.relu(self.fc(x)))), out=nn.Linear(4, 2))
    assert "share the weight 'fc.weight'" in reason(graph, "relu")
    assert graph.cut("fc").legal


def test_raw_data_never_cross():
    assert "depends on no parameter" in reason(free(lambda self, x: self.fc(x * 2)), "mul")
    graph = free(lambda self, x: self.out(self.fc(x) + x), out=nn.Linear(4, 2))
    assert "the raw input 'x' itself" in reason(graph, "fc")
    assert graph.cut("add").legal


def test_a_server_without_parameters_has_nothing_to_train():
    assert "nothing to train" in reason(free(lambda self, x: torch.relu(self.fc(x)) * 2), "relu")


def test_nothing_is_left_after_the_last_operation():
    assert "nothing is left" in reason(trace(*network("lenet")), "fc2")


def test_only_tensors_cross():
    graph = trace(*network("lstm"))
    assert "what LSTM gives is no tensor" in reason(graph, "lstm")
    assert graph.cut("add").legal


def test_a_number_computed_from_data_does_not_cross():
    def forward(self, x):
        x = self.fc(x)
        return self.out(x * x.sum().item())

    graph = free(forward, out=nn.Linear(4, 2))
    assert "what item gives is no tensor" in reason(graph, "item")
    assert graph.cut("mul").legal


def test_whole_numbers_do_not_cross():
    def forward(self, x):
        x = self.fc(x)
        return self.out(x * (x > 0))

    assert "torch.bool carries no gradient" in reason(free(forward, out=nn.Linear(4, 2)), "gt")


def test_what_crosses_has_the_batch_in_front():
    graph = free(lambda self, x: self.out(self.fc(x).t().t()), out=nn.Linear(4, 2))
    assert "first dimension is not the batch" in reason(graph, "t.1")
    assert graph.cut("t").legal


def test_two_views_of_one_memory_that_changes_later_do_not_cross():
    def forward(self, x):
        whole = self.fc(x)
        view = whole.view(-1, 2, 2)
        whole.mul_(2)
        return self.out(whole + view.flatten(1))

    graph = free(forward, out=nn.Linear(4, 2))
    assert "views of one memory" in reason(graph, "view")
    assert graph.cut("mul").legal


@pytest.mark.parametrize(
    ("function", "line", "remedy"),
    [
        (lambda self, x: self.fc(x) if x.sum() > 0 else x, "x.sum() > 0", "torch.where"),
        (lambda self, x: self.fc(x) * len(x), "len(x)", r"x.shape[0]"),
        (lambda self, x: sum(row for row in self.fc(x)), "for row in", "an operation on the whole"),
        (lambda self, x: self.fc(x) * int(x.shape[0]), "int(x.shape[0])", "leave sizes as they are"),
    ],
)
def test_what_cannot_be_traced_is_an_error_that_names_the_line_and_the_remedy(function, line, remedy):
    with pytest.raises(TraceError) as caught:
        free(function)
    assert "test_graph.py:" in str(caught.value) and line in str(caught.value) and remedy in str(caught.value)


def test_a_model_for_one_batch_size_only_is_an_error():
    with pytest.raises(TraceError, match=r"write `x.shape\[0\]`"):
        trace(Free(lambda self, x: self.fc(x).view(2, 2, 2).flatten(1)), torch.ones(2, 4))


def test_an_example_of_the_wrong_shape_is_an_error():
    with pytest.raises(TraceError, match=r"samples of shape \(5,\)"):
        trace(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), torch.ones(2, 5))
    with pytest.raises(PlanError, match="batch first"):
        trace(nn.Linear(4, 4), torch.ones(()))
    with pytest.raises(PlanError, match=r"torch.nn.Module"):
        trace(torch.relu, torch.ones(2, 5))


def test_a_model_of_several_inputs_or_outputs_is_an_error():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    with pytest.raises(TraceError, match="several inputs"):
        trace(Two(), torch.ones(2, 4))
    with pytest.raises(TraceError, match="one computed tensor"):
        free(lambda self, x: (self.fc(x), x))


def test_inputs_with_a_default_keep_it():
    class Optional(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x, mask=None, scale=3, flag=True):
            x = self.fc(x) * scale if flag else x
            return x if mask is None else x + mask

    graph = trace(Optional(), torch.ones(2, 4))
    assert [node.name for node in graph.nodes] == ["fc", "mul"]


def test_a_constant_that_depends_on_the_mode_goes_on_doing_so():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return functional.dropout(self.fc(x), 0.9, self.training) * (2.0 if self.training else 3.0)

    part, x = trace(Noisy(), torch.ones(1, 4)).split(None).head, torch.ones(1, 4)
    assert torch.equal(part.eval()(x)[0], part.module("fc")(x) * 3)
    part.train().seed = 1
    kept = part(x)[0] != 0
    assert torch.allclose(part(x)[0], torch.where(kept, part.module("fc")(x) * 20, 0))


def test_what_a_model_does_in_training_mode_only_is_noted():
    model = torchvision().models.GoogLeNet(num_classes=10, init_weights=False)
    graph = trace(model, torch.zeros(1, 3, 64, 64))
    assert "training mode only" in graph.notes[0] and "aux1" in graph.notes[0] and graph.notes[0] in repr(graph)
    assert trace(*network("resnet")).notes == ()


def test_an_operator_in_place_changes_what_other_names_see_as_it_does_in_pytorch():
    def forward(self, x):
        x = before = self.fc(x)
        x += 1
        x *= before
        return self.out(x)

    model = Free(forward, out=nn.Linear(4, 2))
    graph, samples = trace(model, torch.ones(2, 4)), torch.randn(3, 4)
    assert [node.name for node in graph.nodes] == ["fc", "add", "mul", "out"]
    assert torch.equal(graph.split(None).head(samples)[0], model(samples))


def test_an_operation_that_needs_values_is_measured_with_real_tensors():
    graph = free(lambda self, x: self.out(self.fc(x) / x.abs().max().item()), out=nn.Linear(4, 2))
    assert graph.cut("truediv").legal and graph.cut("truediv").client_macs == 16


def test_the_table_shows_what_each_cut_costs_and_says_what_it_leaves_out():
    graph = trace(*network("resnet"))
    shown, page = repr(graph), graph._repr_html_()
    assert "4x8x8 + 4x8x8" in shown and "2.relu.1" in shown and "1 cut that is not legal" in shown
    assert page.count("<tr>") == len(graph.legal) + 1
    long = trace(
        nn.Sequential(*(Block(1, 1) for _ in range(12)), nn.Flatten(), nn.Linear(16, 2)), torch.zeros(1, 1, 4, 4)
    )
    assert "cuts that send several tensors" in repr(long) and "3.add" in repr(long) and "3.bn1" not in repr(long)
