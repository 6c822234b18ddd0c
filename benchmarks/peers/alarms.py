"""Is a right implementation ever called wrong? `python -m benchmarks peers NAME ...
--false-alarms N` asks each peer N configurations.

An operation is asked where the six configurations a row of PEERS.md's table found nothing
but agreement, or arguments that the library refuses. Here its options are drawn together,
and the judge is `agree --of`'s own, the textbook set.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from minicnn import table
from minicnn.agree.of import judge
from minicnn.agree.subject import Subject
from minicnn.agree.verdicts import probe

SEED = 7  # the table's rows have another
TRIES = 40  # further configurations to make a fault smaller
ABOUT = """{title}, each library

Written by `python -m benchmarks peers {names} --false-alarms {configurations}` on {date}, with
{versions}.
No right implementation may be called wrong: an operation whose rows above agree is asked again, with all
its options together, by the judge of `python -m minicnn.agree --of` (the textbook set in float64). What a
library refuses to compute is counted apart.

"""
ABOUT_NOTES = """
The smallest case of each result that was called wrong: a false alarm, or a difference that six
configurations did not show.

"""


def right_operations(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Those that differ in no row: what is refused is not wrong."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        kinds[row["operation"]] |= set(row["kinds"])
    return [operation for operation, found in kinds.items() if found <= {"raised"}]


def asked(
    subject: Subject, adapter: ModuleType, operations: list[str], configurations: int, notes: Any
) -> Iterator[dict[str, Any]]:
    """`configurations` shared among the operations: what was called wrong in each, and
    how often something was refused.
    """
    for number, operation in enumerate(operations):
        examples = configurations // len(operations) + (number < configurations % len(operations))
        offer = probe(subject, operation)._replace(
            float32=hasattr(adapter, "FLOAT32"), square=hasattr(adapter, "SQUARE")
        )
        report = judge(subject, operation, examples, SEED, offer=offer, tries=TRIES)
        refused = report.faults.pop(operation, [])
        wrong = {id(fault.question) for found in report.faults.values() for fault in found}
        yield {
            "operation": operation,
            "tried": report.tried,
            "refused": len(refused),
            "wrong": len(wrong),
            "notes": [text for _, text in notes(report, report.faults)],
        }


def title(configurations: int) -> str:
    return f"## False alarms: {configurations:,} configurations"


def section(documents: dict[str, dict[str, Any]], configurations: int, date: str) -> str:
    """A part at the end of PEERS.md: what was called wrong in so many configurations each."""
    present = {name: found for name, found in documents.items() if "alarms" in found}
    versions = sorted({version for found in present.values() for version in found["versions"]})
    names = " ".join(f'"{name}"' if " " in name else name for name in documents)
    text = ABOUT.format(
        title=title(configurations), names=names, configurations=configurations, date=date, versions=", ".join(versions)
    )
    lines = [["library", "operations", "configurations", "refused", "called wrong"]]
    for name, found in present.items():
        rows = found["alarms"]
        sums = [sum(row[key] for row in rows) for key in ("tried", "refused", "wrong")]
        lines.append([name, ", ".join(row["operation"] for row in rows), *(f"{number:,}" for number in sums)])
    text += "\n".join(table.markdown(lines, "<<>>>")) + "\n"
    missing = [f"{name} ({found['missing']})" for name, found in documents.items() if "missing" in found]
    if missing:
        text += f"\nNot asked: {'; '.join(missing)}.\n"
    notes = [
        f"- {name}, {row['operation']}: {note}"
        for name, found in present.items()
        for row in found["alarms"]
        for note in row["notes"]
    ]
    return text + (ABOUT_NOTES + "\n".join(notes) + "\n" if notes else "")
