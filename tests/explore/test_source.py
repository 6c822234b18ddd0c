"""The view "Source" shows what the functions held: recorded anew in another way, and
compared.
"""

import inspect
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import nn, use_backend
from minicnn.explore import layer_bench
from minicnn.explore.answer import jsonable
from minicnn.explore.ask import Refused
from minicnn.explore.say import family
from minicnn.explore.source import lines, notation, record, subjects, walk
from minicnn.geometry import Geometry

from .conftest import setting
from .test_bench import settings_that_fit


def asked(subject, **arguments):
    layer = subjects.SUBJECTS[subject].layer or "Conv2d"
    plain = {"kernel_size": [2, 2], "stride": [2, 2]} if layer == "MaxPool2d" else {"padding": [1, 1]}
    return setting(layer, **(plain | arguments)) | {"subject": subject}


WALKS = walk.Walks()


def answer(body):
    with use_backend("numpy"):
        return WALKS.answer(body)


def held_at_the_end(function, body):
    """What the function's names hold when it returns, and what it returns: by a profile
    function, which sees calls and returns alone.
    """
    found = []

    def on_return(frame, event, result):
        if event == "return" and frame.f_code is function and not found:
            found.append(({name: freeze(value) for name, value in frame.f_locals.items()}, freeze(result)))

    subject = subjects.SUBJECTS[body["subject"]]
    with use_backend("numpy"):
        run = subject.prepare(layer_bench.make(layer_bench.read(body)))
        sys.setprofile(on_return)
        try:
            run()
        finally:
            sys.setprofile(None)
    return found[0]


def freeze(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    return tuple(map(freeze, value)) if type(value) is tuple else value


def same(shown, value):
    """Bit for bit: -0.0 is not 0.0."""
    if isinstance(value, np.ndarray):
        return shown == jsonable(walk.shown_value(value)) and shown["data"] == jsonable(value.reshape(-1) * 1)
    return shown == {"text": walk.text_of(value)}


def at_the_end(told, frame=0):
    """The names of a call as the page has them after its last step."""
    state = {}
    result = []
    for stop in told["stops"]:
        if stop["frame"] == frame:
            state |= {name: told["values"][number] for name, (number, _) in stop["set"].items()}
            result = [told["values"][number] for number, _ in stop.get("result", [])]
    return state, result


@given(settings_that_fit(), st.data())
def test_every_number_on_the_page_is_the_one_that_the_function_held(body, data):
    fitting = [name for name, s in subjects.SUBJECTS.items() if s.layer == body["layer"] and "." not in name]
    if not fitting:
        fitting = [name for name, s in subjects.SUBJECTS.items() if s.layer == body["layer"]]
    body = body | {"subject": data.draw(st.sampled_from(fitting))}
    told = answer(body)
    if told["problem"]:
        assert told["problem"]["sentence"]
        return
    told = jsonable(told)
    if told["cut"]:
        assert len(told["stops"]) <= record.STOPS
        return
    holds, result = held_at_the_end(subjects.SUBJECTS[body["subject"]].root, body)
    state, shown = at_the_end(told)
    for name, value in holds.items():
        if not isinstance(value, nn.Module):
            assert same(state[name], value), name
    if shown:  # adam returns nothing
        results = result if len(shown) > 1 else (result,)
        assert all(same(one, other) for one, other in zip(shown, results, strict=True))


@pytest.mark.parametrize("subject", subjects.SUBJECTS)
def test_each_step_of_each_function_holds_what_the_function_held(subject):
    """Against another recorder: it stops at every line and writes down all arrays at once."""
    body = asked(subject)
    chosen = subjects.SUBJECTS[subject]
    lines_seen = []

    def on_line(frame, event, _):
        if event == "line":
            lines_seen.append(
                (frame.f_lineno, {n: v.copy() for n, v in frame.f_locals.items() if type(v) is np.ndarray})
            )
        return on_line

    def on_call(frame, event, _):
        return on_line if frame.f_code is chosen.root else None

    with use_backend("numpy"):
        run = chosen.prepare(layer_bench.make(layer_bench.read(body)))
        sys.settrace(on_call)
        try:
            run()
        finally:
            sys.settrace(None)
        recording = WALKS.recorded(layer_bench.make(layer_bench.read(body)), chosen)
    assert not recording.cut
    stops = [stop for stop in recording.stops if stop.frame == 0]
    after = 0
    for line, arrays in lines_seen:
        while not stops[after].statement.first <= line <= stops[after].statement.last and after + 1 < len(stops):
            after += 1
        before = stops[max(after - 1, 0)]
        for name, array in arrays.items():
            if name in before.unset or name not in before.holds:
                continue
            candidates = [stop.holds[name] for stop in stops[max(after - 1, 0) : after + 1] if name in stop.holds]
            assert any(array.tobytes() == one.tobytes() for one in candidates), (line, name)


def test_the_source_is_the_file_that_runs():
    for subject in subjects.SUBJECTS.values():
        first, last = lines.function_lines(subject.root)
        shown = walk.source(subject.root)
        text = "\n".join("".join(piece for _, piece in line) for line in shown["lines"])
        assert text == inspect.getsource(subject.root).rstrip("\n")
        assert (shown["first"], len(shown["lines"])) == (first, last - first + 1)
        assert shown["file"].startswith("minicnn/")


def test_recorded_values_are_copies():
    """Adam changes its arrays in place: the first step still holds what came in."""
    body = asked("adam")
    with use_backend("numpy"):
        recording = WALKS.recorded(layer_bench.make(layer_bench.read(body)), subjects.SUBJECTS["adam"])
    first, last = recording.stops[0].holds, recording.stops[-1].holds
    for name in ("param", "exp_avg", "exp_avg_sq"):
        assert not np.array_equal(first[name], last[name])
        assert not first[name].flags.writeable
    np.testing.assert_array_equal(first["grad"], last["grad"])


def test_memory_that_nobody_wrote_is_not_shown_as_numbers():
    """im2col's cols: all unwritten after np.empty, and one tap less with each round."""
    told = answer(asked("im2col", kernel_size=[2, 3], padding=[0, 0]))
    left = []
    for stop in told["stops"]:
        if stop["frame"] == 0 and "cols" in stop["set"]:
            value = told["values"][stop["set"]["cols"][0]]
            left.append(value["data"].count(None) / len(value["data"]))
    np.testing.assert_allclose(left[:7], np.arange(6, -1, -1) / 6)


@given(settings_that_fit(), st.data())
def test_where_a_number_came_from_gives_that_number(body, data):
    """A copy is bit for bit its cell; a sum is, in small integers, exactly its terms'; and
    only cells that the name really held before the line are named.
    """
    fitting = [name for name, s in subjects.SUBJECTS.items() if s.layer == body["layer"]]
    body = body | {"subject": data.draw(st.sampled_from(fitting))}
    told = answer(body)
    if told["problem"] or told["cut"]:
        return
    told = jsonable(told)
    held = {}
    for step, stop in enumerate(told["stops"]):
        before = held.get(stop["frame"], {})
        held[stop["frame"]] = now = before | {name: told["values"][number] for name, (number, _) in stop["set"].items()}
        arrays = [name for name in stop["set"] if "data" in now[name] and now[name]["data"]]
        if not arrays or stop["kind"] not in ("line", "return"):
            continue
        name = data.draw(st.sampled_from(arrays))
        at = data.draw(st.integers(0, len(now[name]["data"]) - 1))
        made = jsonable(WALKS.cell(body | {"step": step, "name": name, "at": at}))
        for cell in made.get("cells", []):
            assert before[cell["name"]]["data"][cell["at"]] == cell["value"]
            assert np.ravel_multi_index(tuple(cell["index"] or [0]), before[cell["name"]]["shape"] or [1]) == cell["at"]
        if made["kind"] == "unset":
            assert now[name]["data"][at] is None
        elif made["kind"] == "copy":
            assert [cell["value"] for cell in made["cells"]] == [now[name]["data"][at]] == [made["value"]]
        elif made["kind"] == "sum" and not made["left_out"]:
            total = sum(float(term["product"]) for term in made["terms"])
            assert total == pytest.approx(float(now[name]["data"][at]), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("padding", [[0, 0], [2, 1]])
def test_a_number_of_the_output_comes_from_its_window(padding):
    """conv2d's matrix product multiplies the weights with the patch of that pixel."""
    body = asked("conv2d", in_channels=2, padding=padding)
    told = answer(body)
    (step,) = [step for step, stop in enumerate(told["stops"]) if stop["frame"] == 0 and "output" in stop["set"]]
    output = told["values"][told["stops"][step]["set"]["output"][0]]
    pixel = len(output["data"]) // 2
    made = WALKS.cell(body | {"step": step, "name": "output", "at": pixel})
    assert made["kind"] == "sum"
    assert [[factor["at"] for factor in term["factors"]] for term in made["terms"]] == [
        [[0, 0, row], [0, 0, row, pixel]] for row in range(2 * 3 * 3)
    ]


def test_what_cannot_be_shown_exactly_is_not_shown():
    """np.isnan and comparisons forget; so max_pool2d's `wins` has no origin, its `best` has."""
    body = asked("max_pool2d")
    told = answer(body)
    kinds = {}
    for step, stop in enumerate(told["stops"]):
        for name in ("wins", "best"):
            if stop["frame"] == 0 and name in stop["set"]:
                kinds.setdefault(name, set()).add(WALKS.cell(body | {"step": step, "name": name, "at": 0})["kind"])
    assert kinds == {"wins": {"unknown"}, "best": {"copy"}}


def test_loops_count():
    told = answer(asked("im2col"))
    taps = [
        loop
        for stop in told["stops"]
        if stop["frame"] == 0 and stop["lines"] == written_line(told)
        for loop in stop["loops"]
    ]
    assert taps == [{"word": "tap", "number": number, "of": 9} for number in range(1, 10)]
    (header,) = {stop["lines"][0] for stop in told["stops"] if stop["frame"] == 0 and "kh" in stop["set"]}
    last_look = [stop for stop in told["stops"] if stop["frame"] == 0 and stop["lines"] == [header, header]][-1]
    assert "loops" not in last_look  # there it found no tenth tap


def written_line(told):
    line = next(
        told["sources"][0]["first"] + i
        for i, pieces in enumerate(told["sources"][0]["lines"])
        if "".join(text for _, text in pieces).strip().startswith("cols[:, :, kh, kw] =")
    )
    return [line, line]


def test_shapes_stand_in_the_fields_letters_where_they_are_true():
    told = answer(asked("conv2d", in_channels=2, out_channels=4, groups=2, kernel_size=[2, 3]))
    g = Geometry(N=1, C=2, H=5, W=6, O=4, G=2, KH=2, KW=3, SH=1, SW=1, PH=1, PW=1, DH=1, DW=1, OH=6, OW=6)
    known = g._asdict()
    seen = {}
    for stop in told["stops"]:
        if stop["frame"] == 0:
            for name, (number, letters) in [
                *stop["set"].items(),
                *[("return", pair) for pair in stop.get("result", [])],
            ]:
                if letters:
                    seen[name] = letters
                    assert notation.fits(letters[1:-1], told["values"][number]["shape"], dict(known))
    assert seen == {
        "x": "(N, C, H, W)",
        "weight": "(O, C/G, KH, KW)",
        "bias": "(O)",
        "rows": "(G, O/G, C/G KH KW)",
        "cols": "(N, G, C/G KH KW, OH OW)",
        "output": "(N, O, OH, OW)",
    }
    assert not notation.fits("N, C, H, W", (1, 2, 5, 7), dict(known))


@pytest.mark.parametrize("name", notation.FORMULAS)
def test_each_part_of_a_formula_is_in_it_and_has_its_line(name):
    formula, parts = notation.FORMULAS[name]
    homes = [subjects.SUBJECTS[one].root.co_filename for one in ("conv2d", "linear", "relu", "max_pool2d", "adam")]
    homes.append(subjects.SUBJECTS["cross_entropy"].root.co_filename)
    modules = [module for module in list(sys.modules.values()) if getattr(module, "__file__", None) in homes]
    function = next(vars(module)[name] for module in modules if name in vars(module))
    starts = [line.strip() for line in inspect.getsource(subjects.code_of(function)).splitlines()]
    for start, term in parts:
        assert term in formula
        assert sum(line.startswith(start) for line in starts) >= 1, start


def test_every_name_of_the_textbooks_functions_has_a_meaning():
    missing = set()
    for name, subject in subjects.SUBJECTS.items():
        if "." not in name:
            missing |= set(subject.root.co_varnames) - set(family("name."))
    assert missing == set()


def test_a_bound_that_cuts_says_so(monkeypatch):
    monkeypatch.setattr(record, "STOPS", 20)
    told = answer(asked("im2col"))
    assert len(told["stops"]) == 20
    assert told["cut"].startswith("The recording ends here, after 20 steps: the function went on, this page did not.")
    monkeypatch.setattr(record, "STOPS", 10_000)
    monkeypatch.setattr(record, "NUMBERS", 500)
    told = answer(asked("im2col"))
    assert "after 500 recorded numbers" in told["cut"]
    assert sum(len(value.get("data", [])) for value in told["values"]) < 500 + 500


def test_the_largest_setting_is_bounded():
    told = answer(
        asked("conv2d_grad_weight", in_channels=4, out_channels=4, kernel_size=[7, 7], padding=[3, 3])
        | {"size": [12, 12]}
    )
    assert told["cut"]
    assert sum(len(value.get("data", [])) for value in told["values"]) < 3 * record.NUMBERS


def test_tracing_is_put_back_and_stays_in_its_thread():
    def other(frame, event, argument):
        return None

    before = sys.gettrace()
    sys.settrace(other)
    try:
        answer(asked("linear"))
        assert sys.gettrace() is other
    finally:
        sys.settrace(before)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (asked("im2col") | {"subject": "os.system"}, "subject must be one of 'im2col', 'conv2d'"),
        (asked("im2col") | {"subject": "max_pool2d"}, "max_pool2d runs in MaxPool2d, and the setting is a Conv2d's."),
    ],
)
def test_what_cannot_be_walked_is_a_sentence(body, words):
    with pytest.raises(Refused, match=words.replace("(", r"\(")):
        answer(body)


def test_a_setting_that_cannot_be_says_what_the_library_says():
    told = answer(asked("conv2d", groups=3))
    assert told == {"problem": {"kind": "ValueError", "sentence": told["problem"]["sentence"]}}
    assert "must be divisible by groups" in told["problem"]["sentence"]


def test_a_function_that_is_not_called_is_a_sentence():
    told = answer(asked("grad_bias", bias=False))
    assert told["problem"]["sentence"] == "Conv2d does not call grad_bias with this setting. Switch bias on."


def test_over_http(server):
    assert server.get("/api/source/subjects")[1]["names"]["padded"]
    assert server.ok("/api/source", asked("col2im"))["title"] == "col2im"
