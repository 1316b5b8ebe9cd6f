import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from splitlab.errors import PlanError
from splitlab.part import Batch, ByMode, Operation, Part, Ref, Weight

ADD = Operation("sum", "function", torch.add, (Ref("a"), Ref("b")))


def test_an_operation_prints_as_the_line_that_it_is():
    assert repr(ADD) == "sum = add(a, b)"
    view = Operation("view", "method", "view", (Ref("x"), Batch(), -1))
    assert repr(view) == "view = view(x, batch, -1)"
    position = Operation("add", "function", torch.add, (Ref("x"), Weight("position")), {"alpha": Batch(2)})
    assert repr(position) == "add = add(x, self.position, alpha=2*batch)"


def test_an_operation_knows_what_it_reads_inside_lists_and_slices():
    step = Operation("cat", "function", torch.cat, ([Ref("a"), Ref("b")], Weight("w")), {"dim": slice(Ref("c"), None)})
    assert step.reads == ("a", "b", "c") and step.weights == ("w",)


def test_a_part_takes_and_gives_tuples():
    part = Part([ADD], ["a", "b"], ["sum", "a"])
    a, b = torch.ones(2), torch.full((2,), 3.0)
    total, passed = part(a, b)
    assert total.tolist() == [4, 4] and passed is a


def test_the_wrong_number_of_tensors_is_an_error():
    with pytest.raises(PlanError, match="takes 2 tensors"):
        Part([ADD], ["a", "b"], ["sum"])(torch.ones(2))


def test_samples_of_another_shape_are_an_error_where_the_operations_rely_on_it():
    step = Operation("view", "method", "reshape", (Ref("x"), Batch(), 4))
    part = Part([step], ["x"], ["view"], sizes=[(2, 2)])
    assert part(torch.ones(3, 2, 2))[0].shape == (3, 4)
    with pytest.raises(PlanError, match="'x' has samples of shape \\(1, 4\\)"):
        part(torch.ones(3, 1, 4))


def test_a_failure_names_the_operation():
    with pytest.raises(RuntimeError) as caught:
        Part([ADD], ["a", "b"], ["sum"])(torch.ones(2), torch.ones(3))
    assert caught.value.__notes__ == ["in the operation sum = add(a, b)"]


def test_values_are_freed_after_their_last_use():
    steps = [Operation(f"v{i}", "function", torch.neg, (Ref(f"v{i - 1}" if i else "x"),)) for i in range(4)]
    part = Part(steps, ["x"], ["v3"])
    assert [finished for *_, finished in part._program] == [("x",), ("v0",), ("v1",), ("v2",)]


def test_a_clone_protects_an_input_from_operations_in_place():
    step = Operation("relu_", "method", "relu_", (Ref("x"),))
    leaf = torch.tensor([-1.0, 2.0], requires_grad=True)
    (out,) = Part([step], ["x"], ["relu_"], clones=["x"])(leaf)
    out.sum().backward()
    assert leaf.tolist() == [-1, 2] and leaf.grad.tolist() == [0, 1]


def test_a_constant_by_mode_follows_train_and_eval():
    step = Operation("mul", "function", torch.mul, (Ref("x"), ByMode(2, 3)))
    part = Part([step], ["x"], ["mul"])
    assert part.train()(torch.ones(1))[0] == 2 and part.eval()(torch.ones(1))[0] == 3


def test_a_model_may_call_its_modules_like_our_attributes():
    names = ["inputs", "seed", "operations", "sizes"]
    steps = [Operation(n, "module", n, (Ref(p),)) for p, n in zip(["x", *names], names, strict=False)]
    part = Part(steps, ["x"], [names[-1]], {name: nn.Linear(2, 2) for name in names})
    assert {key.split(".")[0] for key in part.state_dict()} == set(names)
    part.seed = 3
    assert part.seed == 3 and part.inputs == ("x",) and part(torch.ones(1, 2))[0].shape == (1, 2)


def test_weights_keep_their_paths_and_constants_stay_out_of_the_state():
    step = Operation("add", "function", torch.add, (Weight("a.b.w"), Weight("a.c")))
    part = Part([step], ["x"], ["add"], {}, {"a.b.w": nn.Parameter(torch.ones(2))}, {"a.c": torch.ones(2)})
    assert list(part.state_dict()) == ["a.b.w"] and [name for name, _ in part.named_buffers()] == ["a.c"]
    assert part(torch.ones(1))[0].tolist() == [2, 2]


def test_a_copy_of_a_part_is_a_part_of_its_own():
    part = Part([Operation("fc", "module", "fc", (Ref("x"),))], ["x"], ["fc"], {"fc": nn.Linear(2, 2)})
    twin = copy.deepcopy(part)
    nn.init.zeros_(twin.module("fc").weight)
    assert twin(torch.ones(1, 2))[0].tolist() == [twin.module("fc").bias.tolist()]
    assert not torch.equal(part(torch.ones(1, 2))[0], twin(torch.ones(1, 2))[0])


@pytest.mark.parametrize(
    ("step", "module"),
    [
        (Operation("d", "module", "d", (Ref("x"),)), nn.Dropout(0.5)),
        (Operation("d", "module", "d", (Ref("x"), Ref("x"), Ref("x"))), nn.MultiheadAttention(4, 2, dropout=0.5)),
        (Operation("d", "function", functional.dropout, (Ref("x"), 0.5), {"training": ByMode(True, False)}), None),
    ],
)
def test_a_random_operation_depends_on_the_seed_and_its_name_alone(step, module):
    part = Part([step], ["x"], ["d"], {"d": module} if module else {})
    x = torch.ones(6, 5, 4)

    def out(seed, name="d"):
        part.seed = seed
        value = part(x)[0]
        return value[0] if isinstance(value, tuple) else value

    state = torch.get_rng_state()
    first, other = out(1), out(2)
    assert part.is_random and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(first, out(1))
    assert not torch.equal(out(None), out(None))
    part.eval()
    assert torch.equal(out(1), out(2))


def test_a_dropout_of_nothing_is_not_random():
    part = Part([Operation("d", "module", "d", (Ref("x"),))], ["x"], ["d"], {"d": nn.Dropout(0.0)})
    assert not part.is_random
    step = Operation("d", "function", functional.dropout, (Ref("x"),), {"p": 0.0, "training": True})
    assert not Part([step], ["x"], ["d"]).is_random
