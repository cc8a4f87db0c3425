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
    """The objective, where it has state. Raises PluginError for one that gives its state and cannot take it back."""
    if isinstance(objective, Stateful):
        return objective
    if hasattr(objective, "state_dict"):
        kind = type(objective).__name__
        raise PluginError(f"The objective {kind} has state_dict() but no load_state_dict(): it could not be resumed.")
    return None
