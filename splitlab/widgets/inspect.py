"""The inspect tab: Netron on the exported network, every operation under the name that it has in the graph.

The export is made once somebody looks, and lies in a file that the Jupyter server shows to this user's pages only.
"""

from __future__ import annotations

import io
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any

from traitlets import Unicode

from .. import handover
from ..errors import SplitlabError
from .bundle import Bundled

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from ..graph import Graph
    from ..part import Operation

WEIGHTS_LIMIT = 32 * 1024**2  # bytes; larger networks are shown by their shapes alone
MARK = "splitlab"  # under which an exported node keeps the name of its operation
SHAPES_ONLY = (
    "This network has {size:.0f} MB of weights, too many for the page: "
    "all shapes are right, but every weight shows as 0."
)
FAILED = "PyTorch cannot export this network, so it is not shown here; everything else works. PyTorch says: {why}"


@dataclass(frozen=True)
class Exported:
    """What is shown: the id that the model was handed over under (none if that failed), and what to say about it."""

    id: str = ""
    name: str = ""
    notice: str = ""


class Inspect(Bundled, bundle="inspect"):
    """Netron in a frame. `on_event` hears `{"type": "open"}` once somebody looks; answer with `show(export(graph))`.

    `selected` is the operation looked at, by its name in the graph, in both directions. `available` is what the page
    found out: "yes", "no" where no Jupyter server shows Netron (VS Code, voila by itself), "" while it does not know.
    """

    model = Unicode("").tag(sync=True)  # the id that the model was handed over under
    name = Unicode("").tag(sync=True)  # of the network
    notice = Unicode("").tag(sync=True)  # what to know about what is shown, or why nothing is
    selected = Unicode("").tag(sync=True)
    available = Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[Callable[[dict[str, Any]], object]] = []
        self.on_msg(self._hear)

    def on_event(self, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call back with every event: it must only pass it on, to where work is done."""
        self._listeners.append(callback)

    def export(self, graph: Graph) -> Exported:
        """Write the network for Netron and hand it over: takes seconds, in any thread; never raises, but says why."""
        name = type(graph.model).__name__
        try:
            data, notice = to_pt2(graph)
            return Exported(handover.offer_model(data), name, notice)
        except (SplitlabError, OSError) as error:
            return Exported("", name, str(error))

    def show(self, exported: Exported) -> None:
        """Show it in place of what was shown before."""
        if self.model and self.model != exported.id:
            handover.withdraw(self.model)
        with self.hold_sync():
            self.model, self.name, self.notice = exported.id, exported.name, exported.notice

    def forget(self) -> None:
        """Another network: what is shown does not hold any more, and is asked for again when somebody looks."""
        self.show(Exported())

    def close_files(self) -> None:
        """Take the file back; also done when the widget closes and when the kernel ends."""
        if self.model:
            handover.withdraw(self.model)

    def close(self) -> None:
        """Close the widget and take the file back."""
        self.close_files()
        super().close()

    def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict) and content.get("type") == "open":
            for callback in self._listeners:
                callback({"type": "open"})


def to_pt2(graph: Graph) -> tuple[bytes, str]:
    """The network as a `.pt2` file whose nodes have the graph's names, and a notice about it.

    An operation of the graph that is several in PyTorch gives its name to the last; those before are, backwards,
    `NAME:1`, `NAME:2`. Raises `SplitlabError` with PyTorch's reason for a network that it cannot export.
    """
    import torch

    try:
        program = _export(graph)
        _rename(program, graph.input)
        size = sum(tensor.nbytes for tensor in program.state_dict.values())
        if size > WEIGHTS_LIMIT:
            _leave_weights_out(program.state_dict)
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the weights that were left out
            torch.export.save(program, file)
    except Exception as error:  # whatever exporting stumbles over
        raise SplitlabError(FAILED.format(why=str(error).strip().split("\n")[0] or type(error).__name__)) from error
    return file.getvalue(), SHAPES_ONLY.format(size=size / 1e6) if size > WEIGHTS_LIMIT else ""


def _export(graph: Graph) -> ExportedProgram:
    """The graph as its own interpreter runs it on one sample, each exported node marked with its operation."""
    import torch
    from torch.fx import traceback

    whole = graph.split(None).head.eval()
    call = whole._call

    def marked(part: Any, step: Operation, *arguments: Any) -> Any:
        with traceback.annotate({MARK: step.name}):
            return call(step, *arguments)

    object.__setattr__(whole, "_call", MethodType(marked, whole))
    failure: Exception | None = None
    for kind in (torch.float32, torch.int64):  # images, or else words
        try:
            with traceback.preserve_node_meta():
                return torch.export.export(whole, (torch.zeros(1, *graph.sample, dtype=kind),))
        except Exception as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _rename(program: ExportedProgram, entrance: str) -> None:
    """Give the nodes the names of their operations, in place of where in this machine's files they came from.

    Netron turns a node's name into an identifier (`layer1_0.conv1`), but leaves its stack trace as it is: it holds the
    name by which the page finds the operation again.
    """
    signature = program.graph_signature
    nodes = defaultdict(list)
    for node in program.graph.nodes:
        marks: Mapping[str, Any] = node.meta.pop("custom", None) or {}
        node.meta.pop("stack_trace", None)
        if node.name in signature.user_inputs:
            nodes[entrance].append(node)
        elif node.op == "call_function" and MARK in marks:
            nodes[marks[MARK]].append(node)
    renamed = {}
    for name, group in nodes.items():
        for number, node in enumerate(reversed(group)):
            node.meta["stack_trace"] = name
            renamed[node.name] = node.name = f"{name}:{number}" if number else name
    for said in (*signature.input_specs, *signature.output_specs):
        said.arg.name = renamed.get(said.arg.name, said.arg.name)


def _leave_weights_out(weights: dict[str, Any]) -> None:
    """Put a single zero that looks like a whole tensor in the place of each."""
    import torch

    for name, tensor in weights.items():
        zeros = torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
        weights[name] = (
            torch.nn.Parameter(zeros, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else zeros
        )
