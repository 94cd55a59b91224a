"""Stock Rasa as a subprocess: `train` a model, `ask` one. Speaks the same lines as `bench/ours.py`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import sys
import time
from pathlib import Path



def train(data: str, config: str, out: str, epochs: int) -> None:
    """Train on a folder of Rasa's YAML files."""
    import yaml
    from rasa.model_training import train_nlu

    settings = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    for step in settings["pipeline"]:
        if "epochs" in step:
            step["epochs"] = epochs
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "config.yml"
    written.write_text(yaml.safe_dump(settings), encoding="utf-8")
    files = folder / "data"
    files.mkdir(exist_ok=True)
    for source in Path(data).glob("*.yml"):  # the held-out files below it stay out
        (files / source.name).write_bytes(source.read_bytes())
    began = time.perf_counter()
    train_nlu(str(written), str(files), str(folder), fixed_model_name="model")
    print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


def ask(model: str) -> None:
    """Answer each line of the input; the first line out tells the start."""
    from rasa.core.agent import Agent

    agent = Agent.load(model)

    async def work() -> None:
        ready = False
        for line in sys.stdin:
            begin = time.perf_counter()
            answer = await agent.parse_message(json.loads(line))
            took = time.perf_counter() - begin
            if not ready:
                print(json.dumps({"memory": _memory()}), flush=True)
                ready = True
            ranking = [one["name"] for one in answer["intent_ranking"][:3]]
            print(json.dumps({"ranking": ranking, "confidence": answer["intent"]["confidence"], "ms": took * 1000}), flush=True)

    asyncio.run(work())


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--data", required=True)
    training.add_argument("--config", required=True)
    training.add_argument("--out", required=True)
    training.add_argument("--epochs", type=int, default=100)
    asking = commands.add_parser("ask")
    asking.add_argument("--model", required=True)
    given = vars(parser.parse_args())
    logging.disable(logging.WARNING)
    command = given.pop("command")
    {"train": train, "ask": ask}[command](**given)


if __name__ == "__main__":
    main()
