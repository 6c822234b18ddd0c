"""What pytest is told beside the tests: options, the table of points, --json."""

import json
from pathlib import Path


def pytest_addoption(parser):
    """--solution, --json and the limits."""
    group = parser.getgroup("assignment")
    group.addoption("--solution", metavar="FILE", help="the solution to grade (default: solution.py beside the tests)")
    group.addoption("--json", metavar="FILE", help="write the points to this file")
    group.addoption("--cases", metavar="FILE", help="other cases than cases.npz")
    group.addoption("--seconds", type=float, default=10, help="time for each requirement (default: 10)")
    group.addoption("--megabytes", type=int, default=2048, help="memory for each requirement (default: 2048)")


def pytest_terminal_summary(terminalreporter, config):
    """A line for each requirement with its points, and the sum."""
    assignment = getattr(config, "assignment", None)
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, []) if r.when == "call"]
    found = {p["requirement"]: p for p in (dict(r.user_properties) for r in reports) if "requirement" in p}
    if assignment is None or not found:
        return
    terminalreporter.section(assignment.texts["points"])
    function = ""
    rows = []
    for name, requirement in assignment.requirements.items():
        if name not in found:
            continue
        if requirement["function"] != function:
            function = requirement["function"]
            terminalreporter.write_line(function)
        points, of = found[name]["points"], found[name]["of"]
        terminalreporter.write_line(f"  {points}/{of}  {requirement['text']}", red=not points, green=bool(points))
        rows.append(
            {"id": name, "text": requirement["text"], "points": points, "of": of, "complaint": found[name]["complaint"]}
        )
    total, most = (sum(row[key] for row in rows) for key in ("points", "of"))
    terminalreporter.write_line(assignment.texts["total"].format(points=total, of=most), bold=True)
    if config.getoption("--json"):
        solution = config.getoption("--solution") or "solution.py"
        graded = {"solution": solution, "points": total, "of": most, "requirements": rows}
        text = json.dumps(graded, indent=2, ensure_ascii=False)
        Path(config.getoption("--json")).write_text(text + "\n", encoding="utf-8")
