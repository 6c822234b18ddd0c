"""`python -m tests.explore.dragging`: how long the view Source takes to answer while a reader
drags a control.

For each walk, at the page's first setting and at a larger one: the steps, the size of the
answer, the server's time by its thread (what a busy machine changes least), and the time of a
whole question over HTTP. Each is the smallest and the median of several. The page waits for
one answer before it asks for the next; it is to have it within 50 ms on two quiet cores.
"""

import argparse
import http.client
import json
import statistics
import time
from collections.abc import Callable

from minicnn import table, use_backend
from minicnn.explore import layer_bench
from minicnn.explore.answer import encode
from minicnn.explore.source.walk import Walks

from .conftest import serve, stop

LIMIT = 50.0  # ms
LARGER = {"Conv2d": 2, "MaxPool2d": 1, "ConvTranspose2d": 2}  # channels, on 10 x 10 pixels
HEAD = ("walk", "setting", "steps", "KB", "thread ms", "median", "HTTP ms", "median")


def bodies(layer: str) -> dict[str, dict]:
    first = layer_bench.start(layer)
    channels = {"in_channels": LARGER[layer], "out_channels": LARGER[layer]}
    return {"first": first, "larger": first | {"size": [10, 10], "arguments": first["arguments"] | channels}}


def timed(run: Callable[[], object], clock: Callable[[], float], repeats: int) -> tuple[float, float]:
    """The smallest and the median, in ms."""
    times = []
    for _ in range(repeats):
        begin = clock()
        run()
        times.append(1e3 * (clock() - begin))
    return min(times), statistics.median(times)


def asked(port: int, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/source", body, {"Content-Type": "application/json"})
    content = connection.getresponse().read()
    connection.close()
    return content


def measure(repeats: int, names: list[str]) -> list[tuple[str, ...]]:
    """The rows of the table."""
    walks = Walks()
    server, thread = serve()
    rows: list[tuple[str, ...]] = [HEAD]
    try:
        for name in names or list(walks.subjects):
            for setting, body in bodies(walks.subjects[name].layer or "Conv2d").items():
                question = body | {"subject": name}
                with use_backend("numpy"):
                    told = walks.answer(question)
                    answer = timed(lambda q=question: encode(walks.answer(q)), time.thread_time, repeats)
                sent = json.dumps(question).encode()
                over = timed(lambda s=sent: asked(server.server_port, s), time.perf_counter, repeats)
                size = f"{len(encode(told)) / 1000:.0f}"
                figures = (f"{number:.1f}" for number in (*answer, *over))
                rows.append((name, setting, str(len(told["stops"])), size, *figures))
    finally:
        stop(server, thread)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.explore.dragging", description=__doc__.split("\n\n")[0])
    parser.add_argument("walks", nargs="*", help="names as in the view Source (default: all)")
    parser.add_argument("--repeats", type=int, default=9, help="of each question (default 9)")
    args = parser.parse_args()
    rows = measure(args.repeats, args.walks)
    print("\n".join(table.lines(rows, "<<>>>>>>")))
    slow = [row for row in rows[1:] if float(row[-1]) > LIMIT]
    print(f"\n{len(slow)} of {len(rows) - 1} questions take more than {LIMIT:g} ms (median over HTTP).")


if __name__ == "__main__":
    main()
