"""`python -m minicnn.agree --of FILE`: somebody else's functions, judged."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minicnn
from minicnn.mistakes import MISTAKES

from . import questions
from .choices import Choices, shrink
from .subject import OPERATIONS, CannotBeJudged, Subject, load
from .variants import likely
from .verdicts import Fault, faults, probe
from .words import counterexample

KEPT = 20  # faults of each result that are looked at for the mistake's name


class Report(NamedTuple):
    """What became of one operation: how many configurations, the faults of each result,
    the mistakes named.
    """

    tried: int
    faults: dict[str, list[Fault]]
    smallest: dict[str, Fault]
    mistakes: dict[str, str | None]


def judge(
    subject: Subject,
    operation: str,
    examples: int,
    seed: int,
    right: Callable = questions.textbook,
    *,
    offer: questions.Offer | None = None,
    tries: int = 300,
) -> Report:
    """Ask `examples` questions, the smallest first; shrink the first fault of each
    result within `tries` further questions; name the mistake. With `offer`, only of
    the options in it.
    """
    offer = offer or probe(subject, operation)
    found: dict[str, list[Fault]] = {}
    first: dict[str, tuple[list[int], int]] = {}
    for i in range(examples):
        level = min(2, 3 * i // examples)
        choices = Choices(np.random.default_rng((seed, OPERATIONS.index(operation), i)))
        question = questions.draw(operation, choices, level, offer)
        for fault in faults(subject, question, right):
            list_ = found.setdefault(fault.result, [])
            list_.append(fault)
            first.setdefault(fault.result, (choices.made, level))
    smallest = {}
    for result, (made, level) in first.items():
        kind = found[result][0].kind

        def again(candidate: list[int], result: str = result, level: int = level, kind: str = kind) -> Fault | None:
            question = questions.draw(operation, Choices(made=candidate), level, offer)
            return next((f for f in faults(subject, question, right) if (f.result, f.kind) == (result, kind)), None)

        found_again = shrink(made, lambda made, again=again: again(made) is not None, tries)  # type: ignore[misc]
        small = again(found_again)
        smallest[result] = small or found[result][0]
    mistakes = {result: likely(some[:KEPT]) for result, some in found.items()}
    return Report(examples, found, smallest, mistakes)


def run(args: Any, say: Callable = print) -> int:
    """The command. 0: right; 1: something is wrong; 2: nothing could be judged."""
    try:
        subject = load(args.of)
        say(subject.line())
        wanted = args.operations or subject.operations
        missing = [name for name in wanted if name not in subject.operations]
        if missing:
            raise CannotBeJudged(f"{args.of} has no {', '.join(missing)}.")
    except CannotBeJudged as error:
        say(str(error))
        return 2
    right = questions.torchs if args.judge == "torch" else questions.textbook
    say(f"The judge is {'torch' if args.judge == 'torch' else 'the textbook set'} in float64, seed {args.seed}.\n")
    with minicnn.use_backend(args.backend):  # for those who judge minicnn's own functions
        right_ones = [_is_right(subject, name, args, right, say) for name in wanted]
    return int(not all(right_ones))


def _is_right(subject: Subject, name: str, args: Any, right: Callable, say: Callable) -> bool:
    """Judge one operation, and say what was found."""
    report = judge(subject, name, args.examples, args.seed, right)
    if not report.faults:
        say(f"{name}: right in {report.tried} configurations.")
        return True
    say(f"{name}: WRONG ({_counts(report)}).")
    for result, fault in report.smallest.items():
        say(f"\nThe smallest configuration found that shows it, {result}:\n")
        say(counterexample(fault, subject))
        mistake = report.mistakes[result]
        if mistake:
            say(f"\nThe likely mistake: {mistake}. {MISTAKES[mistake]}\n")
    return False


def _counts(report: Report) -> str:
    return ", ".join(f"{result} in {len(some)} of {report.tried}" for result, some in report.faults.items())
