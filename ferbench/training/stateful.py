"""What of an objective is kept and restored with a training: centres, queues, counters."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from ferbench.errors import PluginError
from ferbench.nouns.model import Objective

State = dict[str, Any]


@runtime_checkable
class Stateful(Protocol):
    """Something whose state can be taken and put back; an :class:`torch.nn.Module` is."""

    def state_dict(self) -> State:
        """Everything that its next steps depend on."""

    def load_state_dict(self, state: State) -> Any:
        """Go on from a kept state."""


def stateful(objective: Objective) -> Stateful | None:
    """The objective, where it has state.

    Raises PluginError for one that gives its state and cannot take it back, or that learns and does not give it.
    """
    if isinstance(objective, Stateful):
        return objective
    kind = type(objective).__name__
    if hasattr(objective, "state_dict"):
        raise PluginError(f"The objective {kind} has state_dict() but no load_state_dict(): it could not be resumed.")
    if list(getattr(objective, "parameters", list)()):
        raise PluginError(
            f"The objective {kind} learns parameters, and has no state_dict() and load_state_dict(): a training that "
            "goes on after a stop would begin with new ones."
        )
    return None
