"""Training in several processes at once: one set of weights in shared memory, each process stepping its own part."""

from __future__ import annotations

from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from typing import Any

import torch
from torch import Tensor

from models.ner.network import Network

PATIENCE_S = 900.0
BETAS = (0.9, 0.98)
DECAY = 0.01
LONGEST_STEP = 1.0
EMA_MOST = 0.999


@dataclass
class Shared:
    """What all processes see.

    Attributes
    ----------
    weights, average, first, second
        the trained weights in a row, their moving average, and the optimiser's two moments
    gradients
        one row for each process
    numbers
        one row for each process: gradient's square, loss, batches in the block, whether to stop
    barrier
        where they wait for one another
    """

    weights: Tensor
    average: Tensor
    first: Tensor
    second: Tensor
    gradients: Tensor
    numbers: Tensor
    barrier: Barrier
    step: int = 0
    tensors: tuple[str, ...] = field(default=("weights", "average", "first", "second"))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {name: getattr(self, name) for name in self.tensors}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint has.

        Parameters
        ----------
        state : dict
            As `state` gave it.
        """
        for name in self.tensors:
            getattr(self, name).copy_(state[name])


def ordered(network: Network) -> list[tuple[str, Tensor]]:
    """List the trained weights, those that decay first.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    list of tuple
        Names and weights, in the order of the shared row.
    """
    trained = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    return sorted(trained, key=lambda item: (item[1].ndim < 2, item[0]))


def shared(network: Network, processes: int, barrier: Barrier) -> Shared:
    """Put a network's weights into shared memory.

    Parameters
    ----------
    network : Network
        Whose weights they are.
    processes : int
        How many train it.
    barrier : Barrier
        For as many.

    Returns
    -------
    Shared
        Before the first step.
    """
    weights = torch.cat([weight.detach().reshape(-1) for _, weight in ordered(network)])
    rows = (weights, weights.clone(), torch.zeros_like(weights), torch.zeros_like(weights))
    gradients, numbers = torch.zeros(processes, len(weights)), torch.zeros(processes, 4, dtype=torch.float64)
    for tensor in (*rows, gradients, numbers):
        tensor.share_memory_()
    return Shared(*rows, gradients, numbers, barrier)


class Descent:
    """One process's part in the training.

    Parameters
    ----------
    network : Network
        Its own copy, whose weights become the shared ones.
    state : Shared
        What all see.
    rank : int
        Which process this is.
    step : int
        Steps that have been made.
    """

    def __init__(self, network: Network, state: Shared, rank: int, step: int) -> None:
        self.state, self.rank, self.done = state, rank, step
        place(network, state.weights, state.gradients[rank])
        size, processes = len(state.weights), len(state.gradients)
        self.start, self.end = size * rank // processes, size * (rank + 1) // processes
        decaying = sum(weight.numel() for _, weight in ordered(network) if weight.ndim >= 2)
        groups = []
        self.parts: list[tuple[Tensor, slice]] = []
        for start, end, decay in ((0, decaying, DECAY), (decaying, size, 0.0)):
            part = slice(max(start, self.start), min(end, self.end))
            if part.start < part.stop:
                weight = state.weights[part].requires_grad_()
                self.parts.append((weight, part))
                groups.append({"params": [weight], "weight_decay": decay})
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, fused=True)
        for weight, part in self.parts:
            self.optimiser.state[weight] = {
                "step": torch.tensor(float(step)),
                "exp_avg": state.first[part],
                "exp_avg_sq": state.second[part],
            }

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.state.barrier.wait(PATIENCE_S)

    def step(self, rate: float) -> None:
        """Step down the mean of all gradients and set this process's own to nothing.

        Parameters
        ----------
        rate : float
            The learning rate.
        """
        self.wait()
        gradient = self.state.gradients[:, self.start : self.end].mean(dim=0)
        self.state.numbers[self.rank, 0] = float(gradient.square().sum())
        self.wait()
        norm = float(self.state.numbers[:, 0].sum()) ** 0.5
        gradient *= min(1.0, LONGEST_STEP / (norm + 1e-6))
        for weight, part in self.parts:
            weight.grad = gradient[part.start - self.start : part.stop - self.start]
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.done += 1
        own = slice(self.start, self.end)
        keep = min(EMA_MOST, (1 + self.done) / (10 + self.done))
        self.state.average[own].lerp_(self.state.weights[own].detach(), 1 - keep)
        self.state.gradients[self.rank].zero_()
        self.wait()


def place(network: Network, row: Tensor, gradients: Tensor | None = None) -> None:
    """Let a network use weights, and gradients, that lie in a row.

    Parameters
    ----------
    network : Network
        The network.
    row : Tensor
        Its trained weights.
    gradients : Tensor or None
        Where their gradients are to go.
    """
    at = 0
    for _, weight in ordered(network):
        end = at + weight.numel()
        weight.data = row.detach()[at:end].view(weight.shape)
        if gradients is not None:
            weight.grad = gradients[at:end].view(weight.shape)
        at = end
