"""Reading many texts with the network while it is being trained, as the run time reads them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from deid.text.windows import windows
from deid.text.wordpiece import Encoding, WordPiece
from models.ner.dataset import LABELS, TYPES, Batch, Example, Sample, examples, grouped, padded
from models.ner.network import Network
from models.ner.scores import Found, Scores

TOGETHER = 4096


def example_probabilities(
    network: Network, group: Sequence[Example], pad: int, *, exact: bool = False
) -> list[NDArray[np.float32]]:
    """Compute the probability of each label for each piece of each example.

    Parameters
    ----------
    network : Network
        What reads.
    group : sequence of Example
        The examples; their labels are not looked at.
    pad : int
        The id of padding.
    exact : bool
        Whether not to save time by rounding.

    Returns
    -------
    list of array
        For each example, [pieces, labels], ``[CLS]`` and ``[SEP]`` among the pieces.
    """
    read: dict[int, NDArray[np.float32]] = {}
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        for positions in grouped(group, TOGETHER):
            scores = _scores(network, padded([group[at] for at in positions], pad), exact=exact)
            for row, at in enumerate(positions):
                read[at] = scores[row, : len(group[at].ids)]
    network.train(was_training)
    return [read[at] for at in range(len(group))]


def probabilities(network: Network, samples: Sequence[Sample], tokeniser: WordPiece) -> list[NDArray[np.float32]]:
    """Compute the probability of each label for each piece of each text.

    Parameters
    ----------
    network : Network
        What reads.
    samples : sequence of Sample
        The texts; their labels are not looked at.
    tokeniser : WordPiece
        What cuts them.

    Returns
    -------
    list of array
        For each text, [pieces, labels].
    """
    parts = [examples(sample, tokeniser) for sample in samples]
    read = iter(example_probabilities(network, [part for group in parts for part in group], tokeniser.pad))
    return [
        _joined(sample.text, tokeniser.encode(sample.text), [next(read)[1:-1] for _ in group])
        for sample, group in zip(samples, parts, strict=True)
    ]


def _scores(network: Network, batch: Batch, *, exact: bool) -> NDArray[np.float32]:
    given = (torch.from_numpy(each).long() for each in (batch.ids, batch.shapes, batch.known, batch.mask))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not exact):
        logits = network(*given)
    scores: NDArray[np.float32] = logits.float().softmax(dim=-1).numpy()
    return scores


def _joined(text: str, encoding: Encoding, parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    out = np.zeros((len(encoding), len(LABELS)), np.float32)
    for window, part in zip(windows(text, encoding), parts, strict=True):
        out[window.first : window.last] = part[window.first - window.start : window.last - window.start]
    return out


def found(encoding: Encoding, scores: NDArray[np.float32], threshold: float) -> Found:
    """Mark the words of which a piece is probably identifying.

    Parameters
    ----------
    encoding : Encoding
        The pieces of a text.
    scores : array
        Their probabilities, [pieces, labels].
    threshold : float
        How probable it must be.

    Returns
    -------
    sequence
        Start, end and label of each marked word.
    """
    words: dict[int, list[int]] = {}
    for at, word in enumerate(encoding.words):
        words.setdefault(word, []).append(at)
    out = []
    for pieces in words.values():
        own = scores[pieces]
        if (1.0 - own[:, 0]).max() >= threshold:
            label = TYPES[int((own[:, 1::2] + own[:, 2::2]).sum(axis=0).argmax())]
            out.append((encoding.starts[pieces[0]], encoding.ends[pieces[-1]], label))
    return out


def read(network: Network, samples: Iterable[Sample], tokeniser: WordPiece, threshold: float = 0.5) -> Scores:
    """Score a network on labelled texts.

    Parameters
    ----------
    network : Network
        What reads.
    samples : iterable of Sample
        The texts.
    tokeniser : WordPiece
        What cuts them.
    threshold : float
        How probable it must be that a word identifies.

    Returns
    -------
    Scores
        The counts.
    """
    group = list(samples)
    scores = Scores()
    for sample, each in zip(group, probabilities(network, group, tokeniser), strict=True):
        scores.add(sample, found(tokeniser.encode(sample.text), each, threshold))
    return scores
