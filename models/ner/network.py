"""The network: a small BERT that reads word pieces and their shapes and labels each piece."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from deid.text.letters import LOOKS
from deid.text.lexicon import COMBINATIONS
from deid.text.wordpiece import Shape
from models.ner.dataset import LABELS

SHAPES = len(Shape)
KINDS = COMBINATIONS + LOOKS
HIDDEN = 384
HEADS = 12
INNER = 1536
POSITIONS = 512
EPSILON = 1e-12
INITIAL_SPREAD = 0.02


@dataclass(frozen=True)
class Plan:
    """What a network is built of.

    Parameters
    ----------
    vocabulary : int
        The number of word pieces.
    layers : tuple of int
        Which layers of the pretrained encoder are kept, lowest first.
    dropout : float
        The share of values dropped in training; one ninth makes the rest grow by what bfloat16 has exactly.
    """

    vocabulary: int = 30522
    layers: tuple[int, ...] = (0, 2, 4)
    dropout: float = 1 / 9


class Noise:
    """Dropout's masks, cut from one large one: drawing each anew takes longer than the layer that it is for.

    Parameters
    ----------
    share : float
        The share of values dropped.
    """

    SIZE = 1 << 22
    LASTS = 64

    def __init__(self, share: float) -> None:
        self.share = share
        self.pool: Tensor | None = None
        self.number = -1
        self.chance = Random(0)  # noqa: S311 - chance that can be repeated, nothing secret

    def start(self, step: int, seed: int) -> None:
        """Make the masks of a step, the same however one came to it.

        Parameters
        ----------
        step, seed : int
            Which step of which training.
        """
        self.chance = Random(seed * 1_000_000_007 + step)  # noqa: S311 - likewise
        if self.pool is None or step // self.LASTS != self.number:
            self.number = step // self.LASTS
            drawn = torch.rand(self.SIZE, generator=torch.Generator().manual_seed(seed * 1_000_003 + self.number))
            self.pool = ((drawn >= self.share) / (1 - self.share)).to(torch.bfloat16)

    def drop(self, states: Tensor) -> Tensor:
        """Drop some values.

        Parameters
        ----------
        states : Tensor
            Any.

        Returns
        -------
        Tensor
            What is left, made larger for it.
        """
        if self.pool is None or not self.share:
            return states
        start = self.chance.randrange(self.SIZE - states.numel())
        return states * self.pool[start : start + states.numel()].view(states.shape)


class Attention(nn.Module):
    """Multi-head attention as in BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(HIDDEN, HIDDEN)
        self.key = nn.Linear(HIDDEN, HIDDEN)
        self.value = nn.Linear(HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Let each piece look at the others.

        Parameters
        ----------
        states : Tensor
            The pieces, [b, t, HIDDEN].
        mask : Tensor
            What is added to the scores, [b, 1, 1, t].

        Returns
        -------
        Tensor
            The mixed pieces, [b, t, HIDDEN].
        """
        batch, length = states.shape[0], states.shape[1]
        shape = (batch, length, HEADS, HIDDEN // HEADS)
        query, key, value = (part(states).view(shape).transpose(1, 2) for part in (self.query, self.key, self.value))
        # The fused kernel takes twice as long for texts this short, and the exporter's optimiser knows these steps.
        scores = torch.matmul(query, key.transpose(-1, -2)) / (HIDDEN // HEADS) ** 0.5
        mixed = torch.matmul(functional.softmax(scores + mask, dim=-1), value)
        result: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, HIDDEN))
        return result


class Layer(nn.Module):
    """One layer: attention, then two linear steps, each added to what came in and normed."""

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.noise = noise
        self.attention = Attention()
        self.attention_norm = nn.LayerNorm(HIDDEN, eps=EPSILON)
        self.inner = nn.Linear(HIDDEN, INNER)
        self.outer = nn.Linear(INNER, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, eps=EPSILON)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Pass the pieces on.

        Parameters
        ----------
        states, mask : Tensor
            As for `Attention.forward`.

        Returns
        -------
        Tensor
            The pieces, [b, t, HIDDEN].
        """
        drop = self.noise.drop if self.training else _keep
        states = self.attention_norm(states + drop(self.attention(states, mask)))
        stepped = self.outer(functional.gelu(self.inner(states)))
        result: Tensor = self.norm(states + drop(stepped))
        return result


class Network(nn.Module):
    """Word pieces and shapes in, a score for each label out.

    Parameters
    ----------
    plan : Plan
        Its measures.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        # Sparse: only the rows that a batch has are ever touched, once they are trained at all.
        self.words = nn.Embedding(plan.vocabulary, HIDDEN, sparse=True)
        self.words.weight.requires_grad_(requires_grad=False)
        self.positions = nn.Embedding(POSITIONS, HIDDEN)
        self.shapes = nn.Embedding(SHAPES, HIDDEN)
        self.known = nn.Embedding(KINDS, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, eps=EPSILON)
        self.noise = Noise(plan.dropout)
        self.layers = nn.ModuleList(Layer(self.noise) for _ in plan.layers)
        self.head = nn.Linear(HIDDEN, len(LABELS))
        self.whole = nn.Linear(HIDDEN, 1)
        for part in (self.head, self.whole):
            nn.init.normal_(part.weight, std=INITIAL_SPREAD)
            nn.init.zeros_(part.bias)

    def forward(self, input_ids: Tensor, shape_ids: Tensor, lexicon_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Score each piece.

        Parameters
        ----------
        input_ids, shape_ids, lexicon_ids : Tensor
            Pieces, their shapes and what is known of their words, int64 [b, t].
        attention_mask : Tensor
            1 for a piece, 0 for padding, [b, t].

        Returns
        -------
        Tensor
            Scores, float32 [b, t, labels].
        """
        scores: Tensor = self.head(self.encode(input_ids, shape_ids, lexicon_ids, attention_mask))
        return scores

    def both(
        self, input_ids: Tensor, shape_ids: Tensor, lexicon_ids: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score each piece and, for training alone, whether the whole has anything identifying.

        Parameters
        ----------
        input_ids, shape_ids, lexicon_ids, attention_mask : Tensor
            As for `forward`.

        Returns
        -------
        tuple of Tensor
            Scores of the pieces [b, t, labels] and of the wholes [b].
        """
        states = self.encode(input_ids, shape_ids, lexicon_ids, attention_mask)
        return self.head(states), self.whole(states[:, 0]).squeeze(-1)

    def encode(self, input_ids: Tensor, shape_ids: Tensor, lexicon_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Run the encoder.

        Parameters
        ----------
        input_ids, shape_ids, lexicon_ids, attention_mask : Tensor
            As for `forward`.

        Returns
        -------
        Tensor
            The pieces, [b, t, HIDDEN].
        """
        mask = (1.0 - attention_mask.to(torch.float32)[:, None, None, :]) * -10000.0
        places = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        states = self.words(input_ids) + self.shapes(shape_ids) + self.known(lexicon_ids) + self.positions(places)
        states = self.noise.drop(self.norm(states)) if self.training else self.norm(states)
        for layer in self.layers:
            states = layer(states, mask)
        return states


def _keep(states: Tensor) -> Tensor:
    return states


def pretrained(plan: Plan, weights: Path) -> Network:
    """Build a network that starts from a pretrained encoder.

    Parameters
    ----------
    plan : Plan
        What it is built of.
    weights : Path
        A safetensors file with the tensors of a BERT of six layers.

    Returns
    -------
    Network
        The network; its shapes and heads are new.
    """
    network = Network(plan)
    with safe_open(str(weights), framework="pt") as source, torch.no_grad():
        for ours, theirs in _names(plan).items():
            network.get_parameter(ours).copy_(source.get_tensor(theirs))
        # Every text that the encoder has seen so far was of token type 0: each shape starts as that.
        token_type = source.get_tensor("embeddings.token_type_embeddings.weight")[0]
        spread = torch.randn(SHAPES, HIDDEN) * (INITIAL_SPREAD / 4)
        network.shapes.weight.copy_(token_type[None] + spread)
        network.known.weight.copy_(torch.randn(KINDS, HIDDEN) * (INITIAL_SPREAD / 4))
        network.known.weight[0] = 0
    return network


def _names(plan: Plan) -> dict[str, str]:
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "positions.weight": "embeddings.position_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    parts = {
        "attention.query": "attention.self.query",
        "attention.key": "attention.self.key",
        "attention.value": "attention.self.value",
        "attention.output": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "inner": "intermediate.dense",
        "outer": "output.dense",
        "norm": "output.LayerNorm",
    }
    for ours, theirs in enumerate(plan.layers):
        for our_part, their_part in parts.items():
            for kind in ("weight", "bias"):
                names[f"layers.{ours}.{our_part}.{kind}"] = f"encoder.layer.{theirs}.{their_part}.{kind}"
    return names
