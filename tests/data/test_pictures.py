"""Pictures as people bring them: what is around a digit, on it or through it does not
reach the network.
"""

import numpy as np
import pytest
from PIL import Image

from benchmarks.pictures.kinds import CLEAN, KINDS
from minicnn.data import MNIST
from minicnn.data.images import from_ink, read_digit, read_digits
from minicnn.data.pictures.ink import find_ink
from minicnn.data.pictures.lines import find_lines, runs
from minicnn.data.pictures.pieces import find_digits
from minicnn.data.pictures.sheet import find_sheet

DIGITS = MNIST(train=False).images[:200]
REDRAWN = {"thin pen", "turned by 15 degrees"}  # not MNIST's pixels any more


def likeness(a, b):
    """The correlation of two images, 1 for the same; a shift by a pixel, as shade or dust
    may cause, does not count.
    """
    shifts = [np.roll(a, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(float(np.corrcoef(shifted.ravel(), b.ravel())[0, 1]) for shifted in shifts)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in REDRAWN | {CLEAN}])
def test_the_digit_is_found_whatever_is_around_it(tmp_path, kind):
    """Of four pictures three show the digit as MNIST has it; of an underline that touches
    it, two.
    """
    make, _ = KINDS[kind]
    found = []
    for number, digit in enumerate(DIGITS[20:24]):
        make(np.random.default_rng([7, number]), digit).save(tmp_path / "picture.png")
        found.append(likeness(read_digit(tmp_path / "picture.png").pixels, digit))
    assert sorted(found)[2 if kind == "underline" else 1] > 0.7, found


def drawn(*boxes, H=200, W=300, thick=10):
    """Rings, dark on light: (top, left, bottom, right) each."""
    image = np.full((H, W), 230, np.uint8)
    for top, left, bottom, right in boxes:
        image[top:bottom, left:right] = 20
        image[top + thick : bottom - thick, left + thick : right - thick] = 230
    return image


def save(tmp_path, image, name="picture.png", **options):
    Image.fromarray(image).save(tmp_path / name, **options)
    return tmp_path / name


# --------------------------------------------------------------------------------- doubts


def test_two_digits_side_by_side_are_said_and_split(tmp_path):
    path = save(tmp_path, drawn((40, 30, 140, 90), (50, 150, 150, 230)))
    assert read_digit(path).remark == "2 digits side by side? --split reads each"
    left, right = read_digits(path, split=True)
    assert (left.where, right.where) == ("digit 1", "digit 2")
    assert (left.remark, right.remark) == ("", "")
    for one, box in ((left, (40, 30, 140, 90)), (right, (50, 150, 150, 230))):
        alone = read_digit(save(tmp_path, drawn(box), "alone.png"))
        np.testing.assert_array_equal(one.pixels, alone.pixels)


def test_a_piece_above_another_is_of_the_same_digit(tmp_path):
    image = drawn()
    image[40:55, 60:130] = 20  # the bar of a five
    image[70:150, 60:80] = 20
    assert read_digit(save(tmp_path, image)).remark == ""


def test_ink_at_the_border_is_said(tmp_path):
    image = drawn()
    image[0:120, 100:130] = 20
    assert read_digit(save(tmp_path, image)).remark == "the ink touches the border"


def test_ink_that_fills_its_box_is_said(tmp_path):
    image = drawn(H=300, W=300)
    image[120:180, 110:190] = 20
    assert read_digit(save(tmp_path, image)).remark == "the ink fills its box"


def test_a_clear_digit_has_no_remark(tmp_path):
    assert read_digit(save(tmp_path, drawn((40, 30, 140, 90)))).remark == ""


# ------------------------------------------------------------------------- pages, formats


@pytest.mark.parametrize("suffix", ["tif", "gif"])
def test_all_pages_are_read_and_numbered(tmp_path, suffix):
    boxes = [(40, 30, 140, 90), (40, 100, 140, 230), (20, 20, 180, 100)]
    pages = [Image.fromarray(drawn(box)) for box in boxes]
    path = tmp_path / f"pages.{suffix}"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    found = list(read_digits(path))
    assert [digit.where for digit in found] == ["page 1", "page 2", "page 3"]
    for digit, box in zip(found, boxes, strict=True):
        alone = read_digit(save(tmp_path, drawn(box)))
        assert likeness(digit.pixels, alone.pixels) > 0.99


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"%PDF-1.7\n", "is a PDF document, which is not read here: save the page as PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is an EPS or PostScript drawing"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
        (b'<?xml version="1.0"?>\n<svg/>', "is an SVG drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC photo, which is not read here: save it as JPEG"),
    ],
)
def test_what_pillow_cannot_read_is_named_with_the_way_out(tmp_path, content, text):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=text) as refused:
        read_digit(path)
    assert str(refused.value).startswith(str(path))


def test_more_pages_than_anybody_scans_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("minicnn.data.pictures.files.PAGES", 1)
    page = Image.fromarray(drawn((40, 30, 140, 90)))
    page.save(tmp_path / "two.tif", save_all=True, append_images=[page])
    with pytest.raises(ValueError, match=r"two\.tif has 2 pages, and more than 1 are not read; divide it\."):
        read_digit(tmp_path / "two.tif")


# ------------------------------------------------------------------------------ the steps


def test_runs_count_what_stands_on_each_other():
    rng = np.random.default_rng(0)
    mask = rng.random((30, 20)) < 0.6
    found = runs(mask)
    for x in range(20):
        column = "".join("x" if ink else " " for ink in mask[:, x])
        expected = [0] * 30
        for y in range(30):
            if mask[y, x]:
                above = len(column[:y]) - len(column[:y].rstrip("x"))
                below = len(column[y:]) - len(column[y:].lstrip("x"))
                expected[y] = above + below
        assert found[:, x].tolist() == expected


@pytest.mark.parametrize("across", [False, True])
def test_a_line_from_side_to_side_is_found_and_a_stroke_through_it_is_not(across):
    mask = np.zeros((120, 160), bool)
    mask[60:63] = True
    mask[20:110, 70:90] = True  # the stroke
    expected = mask.copy()
    expected[20:110, 70:90] = False
    if across:
        mask, expected = mask.T, expected.T
    found = find_lines(mask)
    assert not found[~mask].any()
    np.testing.assert_array_equal(found & expected, expected)
    assert found[mask & ~expected].mean() < 0.05


def test_a_lone_stroke_from_top_to_bottom_stays():
    mask = np.zeros((200, 60), bool)
    mask[:, 28:31] = True
    (found,) = find_digits(mask)
    assert found.mask[mask].all()


def test_shade_is_wider_than_strokes_and_belongs_to_the_paper():
    image = drawn((60, 60, 160, 140)).astype(int)
    image[:, 150:] -= 60
    ink = find_ink(image.astype(np.uint8)[:, :, None])
    assert ink.dark
    assert (ink.mask != (drawn((60, 60, 160, 140)) < 100)).sum() <= 8  # the corners, which the blur rounds


def test_a_sheet_is_cut_out_and_a_ring_is_not():
    image = np.full((300, 400, 1), 60, np.uint8)
    image[50:250, 50:350, 0] = drawn((40, 30, 140, 90))
    sheet, top, left = find_sheet(image)
    assert 50 < top < 60 and 50 < left < 60
    assert (sheet == 60).sum() == 0
    y, x = np.mgrid[-1:1:200j, -1:1:200j]
    ring = np.where((np.hypot(y, x) < 0.8) & (np.hypot(y, x) > 0.3), 20, 230).astype(np.uint8)[:, :, None]
    assert find_sheet(ring)[0].shape == ring.shape


def test_a_drawing_whose_ink_is_known_is_read_as_its_picture_is(tmp_path):
    ink = 255 - drawn((40, 30, 140, 90), H=280, W=280)
    ink = np.where(ink > 100, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(from_ink(ink), read_digit(save(tmp_path, ink)).pixels)
