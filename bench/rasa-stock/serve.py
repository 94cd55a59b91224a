"""A stock Rasa server as most Vietnamese bots run it: one answer an intent, REST channel, trackers in memory.

`train` builds it from the project's training data; `serve` runs it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

EPOCHS = 5
"""Few: how well it understands is measured elsewhere, and the speed is the same."""


def train(data: str, out: str) -> None:
    """Write an assistant with a rule and an answer for each intent, and train it."""
    from rasa import train as train_assistant

    folder = Path(out)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    intents: set[str] = set()
    for source in Path(data).glob("*.yml"):  # the held-out files below it stay out
        written = yaml.safe_load(source.read_text(encoding="utf-8"))
        intents |= {entry["intent"] for entry in written["nlu"] if "intent" in entry}
        (folder / "data" / source.name).write_bytes(source.read_bytes())
    names = sorted(intents)
    rules = [
        {"rule": name, "steps": [{"intent": name}, {"action": f"utter_{name}"}]} for name in names
    ]
    domain = {
        "version": "3.1",
        "intents": names,
        "responses": {f"utter_{name}": [{"text": f"Câu trả lời về {name}."}] for name in names},
    }
    config = yaml.safe_load(Path("config.yml").read_text(encoding="utf-8"))
    for step in config["pipeline"]:
        if "epochs" in step:
            step["epochs"] = EPOCHS
    config["policies"] = [{"name": "RulePolicy"}]
    for name, value in (("config.yml", config), ("domain.yml", domain), ("data/rules.yml", {"version": "3.1", "rules": rules})):
        (folder / name).write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    train_assistant(
        str(folder / "domain.yml"), str(folder / "config.yml"), str(folder / "data"), str(folder), fixed_model_name="model"
    )


def serve(model: str, port: int) -> None:
    """Run the server with the REST channel."""
    from rasa.__main__ import main

    credentials = Path(model).parent / "credentials.yml"
    credentials.write_text("rest:\n", encoding="utf-8")
    sys.argv = ["rasa", "run", "--model", model, "--port", str(port), "-i", "127.0.0.1", "--credentials", str(credentials)]
    main()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--data", required=True)
    training.add_argument("--out", required=True)
    serving = commands.add_parser("serve")
    serving.add_argument("--model", required=True)
    serving.add_argument("--port", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    given = vars(arguments())
    command = given.pop("command")
    {"train": train, "serve": serve}[command](**given)
