"""Our engine as a subprocess that speaks the same lines as `bench/rasa-stock/run.py`."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    model = Path(parser.parse_args().model)
    from nlu.engine import Engine

    engine = Engine.load(model)
    ready = False
    for line in sys.stdin:
        begin = time.perf_counter()
        answer = engine.understand(json.loads(line))
        took = time.perf_counter() - begin
        if not ready:
            print(json.dumps({"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
            ready = True
        names = [*([answer.topic] if answer.topic else []), *(a.topic for a in answer.alternatives)][:3]
        told = {"ranking": names, "confidence": answer.confidence, "in_scope": answer.in_scope, "ms": took * 1000}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
