"""`python -m minicnn.explore`: starts the server, opens the browser, stops on Ctrl-C."""

import argparse
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from ..command import start, whole_number
from ..messages import LANGUAGES


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.explore",
        description="A local page that shows forward and backward, on small grids and on your own run.",
        epilog="Nothing leaves this machine: the page is served on 127.0.0.1 alone, and loads nothing from elsewhere.",
        allow_abbrev=False,
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="a run folder, as `python -m minicnn.train` leaves it")
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="a data set whose test images are shown (default: the run's own)"
    )
    parser.add_argument(
        "--layer",
        metavar="FILE.py:NAME",
        help="a layer of your own, opened in the view Source: a class, or a function that makes one",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FOLDER",
        help="write the walks of the view Source as pages that need no server, and stop",
    )
    parser.add_argument(
        "--port", type=whole_number(0, 65535), default=0, metavar="N", help="port to listen on (default: a free one)"
    )
    parser.add_argument(
        "--lang", choices=tuple(LANGUAGES), help="the language of the page (default: what the browser asks for)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser()
    args = parser.parse_args(arguments)
    from ..kernels.threads import set_num_threads  # only now: --help answers at once
    from .open_run import RunFolder
    from .say import speaking
    from .server import Server
    from .source.export import export
    from .source.own import Own, named
    from .source.walk import Walks

    try:
        run = RunFolder(args.run, args.data) if args.run else None
        own = Own(named(args.layer)) if args.layer else None
        if args.export:
            with speaking(args.lang or "en"):
                written = export(args.export, Walks(own))
            print(f"{len(written)} pages in {args.export}: open {written[-1]}.")
            return 0
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        server = Server(args.port, run, own, args.lang)
    except OSError as error:
        print(
            f"Port {args.port} cannot be had: {error.strerror}. Leave --port out to take a free one.", file=sys.stderr
        )
        return 1
    set_num_threads(1)  # the arrays are small: threads would cost more than they bring
    print(f"minicnn explore: {server.url}", f"Run: {run.folder}" if run else "No run (--run DIR shows one).", sep="\n")
    print("Ctrl-C stops.", flush=True)
    if not args.no_browser:
        threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\nStopped.")
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    start(main)
