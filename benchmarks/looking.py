"""`python -m benchmarks.looking`: what it costs a training to be shown in the explorer.

Epochs of the view Train with a page that looks, and without. A look is a request over
HTTP, as the browser sends it: one at a time, 80 ms after the one before. The bars of the
view are 10 looks a second, and a fifth of the epoch's time.
"""

import argparse
import http.client
import json
import statistics
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from minicnn import set_num_threads
from minicnn.explore.server import Server
from minicnn.explore.train_view.setting import Setting

PACE = 0.08  # seconds, as in train.js
LOOK = {"digit": 0, "parameter": "cnn.0.weight", "place": [0, 0, 2, 2]}


class Page:
    """Asks a server over one connection."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, path: str, body: object) -> dict:
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(self.connection.getresponse().read())


class Epoch(NamedTuple):
    """What one epoch took. On a busy machine the CPU's seconds say more than the clock's."""

    seconds: float
    cpu: float  # seconds, of learning, serving and asking together
    looks: int


def epoch(page: Page, server: Server, looks: bool) -> Epoch:
    started = time.perf_counter()
    cpu = time.process_time()
    page.ask("/api/train/go", {"how": "epoch"})
    count = 0
    while server.trainer.running:
        asked = time.perf_counter()
        if looks:
            page.ask("/api/train/look", LOOK)
            count += 1
        time.sleep(max(0.0, PACE - (time.perf_counter() - asked)) if looks else 0.005)
    seconds = time.perf_counter() - started
    return Epoch(seconds, time.process_time() - cpu, count)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looking", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="epochs with and without, in turn (default: 9)")
    parser.add_argument("--runs", type=int, choices=(1, 2), default=1, help="runs side by side (default: 1)")
    args = parser.parse_args(arguments)
    set_num_threads(1)  # as the explorer does
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = Page(server.server_port)
    page.ask("/api/train/begin", {"runs": [Setting()._asdict()] * args.runs})
    epoch(page, server, looks=True)  # compiles and warms up
    rounds = [(epoch(page, server, looks=False), epoch(page, server, looks=True)) for _ in range(args.rounds)]
    clock = statistics.median(shown.seconds / alone.seconds for alone, shown in rounds) - 1
    seconds = statistics.median(alone.seconds for alone, _ in rounds)
    rate = statistics.median(shown.looks / shown.seconds for _, shown in rounds)
    look = statistics.median((shown.cpu - alone.cpu) / shown.looks for alone, shown in rounds)
    print(
        f"An epoch of {seconds:.2f} s takes {100 * clock:.0f} % longer when it is shown, at {rate:.1f} looks a second."
    )
    print(f"A look takes {1000 * look:.1f} ms of the CPU, ten a second {1000 * look:.0f} % of one core.")
    page.connection.close()
    server.shutdown()
    server.server_close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
