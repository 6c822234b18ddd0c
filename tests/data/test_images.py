"""Any picture becomes what MNIST's authors would have made of it; what is MNIST's
already stays as it is, bit for bit.
"""

import io
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minicnn.data import MNIST
from minicnn.data.images import BOX, SIDE, centre_of_mass, find_ink, is_mnist, normalise, read_digit

DIGITS = MNIST(train=False).images[:200]


def save(tmp_path, image, name="image.png", **settings):
    path = tmp_path / name
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **settings)
    return path


def enlarged(digit, factor=10):
    return Image.fromarray(digit).resize((SIDE * factor,) * 2, Image.Resampling.BICUBIC)


def drawing(H=120, W=200, box=(20, 30, 90, 70), paper=255, ink=0):
    """A ring: (top, left, bottom, right) of its outside; 8 pixels thick."""
    top, left, bottom, right = box
    image = np.full((H, W), paper, np.uint8)
    image[top:bottom, left:right] = ink
    image[top + 8 : bottom - 8, left + 8 : right - 8] = paper
    return image


EXPECTED = normalise(255 - drawing())[0]  # black on white: the ink is known


def near(pixels, expected=EXPECTED, bound=12):
    return np.abs(pixels.astype(float) - expected).mean() < bound


# ------------------------------------------------------------------- MNIST's own images


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "I;16", "I", "F"])
@pytest.mark.parametrize("negative", [False, True])
def test_an_image_of_mnist_reaches_the_network_bit_for_bit(tmp_path, mode, negative):
    for digit in DIGITS[:20]:
        shown = 255 - digit if negative else digit
        if mode == "I;16":
            image = Image.fromarray(shown.astype(np.uint16) * 257)
        elif mode == "F":
            image = Image.fromarray(shown.astype(np.float32) / 255)
        else:
            image = Image.fromarray(shown).convert(mode)
        path = save(tmp_path, image, "image.tif" if mode in ("F", "I") else "image.png")
        found = read_digit(path)
        assert found.pixels.dtype == np.uint8
        np.testing.assert_array_equal(found.pixels, digit)
        assert found.how == ("inverted" if negative else "taken as it is")


@pytest.mark.parametrize("train", [True, False])
def test_every_bundled_image_counts_as_mnist_and_its_negative_and_a_moved_one_do_not(train):
    for digit in MNIST(train=train).images[:1000]:
        assert is_mnist(digit)
        assert not is_mnist(255 - digit)
        assert not is_mnist(np.roll(digit, 3, axis=1))


def test_normalising_an_image_of_mnist_again_changes_next_to_nothing():
    """What we do is what MNIST's authors did: their images are its fixed points."""
    changed = 0
    for digit in DIGITS:
        canvas = np.zeros((61, 83), np.uint8)
        canvas[20:48, 7:35] = digit
        changed += not near(normalise(find_ink(canvas[:, :, None]).strength)[0], digit, 0.5)
    assert changed <= 2


def test_as_is_takes_anything_of_28x28(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    np.testing.assert_array_equal(read_digit(save(tmp_path, noise), as_is=True).pixels, noise)
    with pytest.raises(ValueError, match=r"image\.png: --as-is takes images of 28x28 pixels, this one has 200x120\.$"):
        read_digit(save(tmp_path, drawing()), as_is=True)


# ---------------------------------------------------------------------- any other image


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(20, 150), st.integers(20, 150)),
    margins=st.tuples(*[st.integers(1, 60)] * 4),
    levels=st.sampled_from([(255, 0), (0, 255), (200, 90), (20, 80)]),
)
def test_size_place_and_tone_do_not_matter(seed, size, margins, levels):
    (h, w), (above, left, below, right), (paper, ink) = size, margins, levels
    H, W = above + h + below, left + w + right
    image = drawing(H, W, (above, left, above + h, left + w), paper, ink)
    pixels, box = normalise(find_ink(image[:, :, None]).strength)
    assert box == (above, left, above + h, left + w)
    rows, columns = pixels.nonzero()
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == BOX
    scale = BOX / max(h, w)
    assert abs(np.ptp(rows) + 1 - scale * h) <= 1  # the proportions are kept
    assert abs(np.ptp(columns) + 1 - scale * w) <= 1
    assert all(abs(centre - 14) <= 0.5 for centre in centre_of_mass(pixels))
    assert pixels.max() == 255


def test_modes(tmp_path):
    grey = Image.fromarray(drawing())
    for mode, name in [
        *((mode, "image.png") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        *((mode, "image.jpg") for mode in ("L", "RGB", "CMYK", "YCbCr")),
        *((mode, "image.tif") for mode in ("I", "F", "CMYK")),
        *(("RGB", f"image.{suffix}") for suffix in ("bmp", "gif", "webp", "ppm")),
    ]:
        found = read_digit(save(tmp_path, grey.convert(mode), name))
        if name in ("image.jpg", "image.webp"):  # their blocks blur the edges
            assert near(found.pixels, bound=25), (mode, name)
        else:
            np.testing.assert_array_equal(found.pixels, EXPECTED, (mode, name))
            assert found.how == "200x120, dark on light, ink in 40x70 at (30, 20)", (mode, name)


@pytest.mark.parametrize("depth", [10, 12, 16])
def test_deep_grey_levels_are_not_clipped(tmp_path, depth):
    deep = np.where(drawing() > 0, 2**depth - 1, 2**depth // 2).astype(np.uint16)
    assert near(read_digit(save(tmp_path, deep)).pixels)


def test_red_on_green_of_the_same_brightness_is_ink(tmp_path):
    image = np.where(drawing()[:, :, None] > 0, [0, 128, 0], [251, 0, 0]).astype(np.uint8)
    levels = np.unique(np.asarray(Image.fromarray(image).convert("L")))
    assert np.ptp(levels) <= 1
    assert near(read_digit(save(tmp_path, image)).pixels)


@pytest.mark.parametrize("colour", [0, 255])
def test_transparent_paper(tmp_path, colour):
    """Black or white ink, it is the opacity that shows the digit."""
    image = np.full((*drawing().shape, 4), colour, np.uint8)
    image[:, :, 3] = 255 - drawing()
    found = read_digit(save(tmp_path, image))
    np.testing.assert_array_equal(found.pixels, EXPECTED)
    assert "on transparent paper" in found.how


def test_transparent_corners_become_paper(tmp_path):
    image = np.repeat(drawing()[:, :, None], 4, axis=2)
    image[:, :, 3] = 255
    image[:9, :9] = image[-9:, -9:] = 0
    np.testing.assert_array_equal(read_digit(save(tmp_path, image)).pixels, EXPECTED)


def test_a_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(drawing() // 255).convert("P")
    image.putpalette([9, 9, 9, 9, 9, 9])  # ink and paper have one colour; the paper is transparent
    assert near(read_digit(save(tmp_path, image, transparency=1)).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_that_the_camera_held_turned_is_turned_back(tmp_path, orientation):
    turned = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}.get(orientation, [])
    image = Image.fromarray(drawing())
    upright = image
    for step in turned:  # what the camera stores is the upright image turned the other way
        image = image.transpose(Image.Transpose(step))
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_digit(save(tmp_path, image, "image.png", exif=exif))
    np.testing.assert_array_equal(found.original[:, :, 0], np.asarray(upright))
    np.testing.assert_array_equal(found.pixels, EXPECTED)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_an_animation_shows_its_first_frame(tmp_path, suffix):
    frames = [Image.fromarray(drawing()), Image.fromarray(drawing(box=(10, 100, 40, 190)))]
    lossless = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path, frames[0], f"image.{suffix}", save_all=True, append_images=frames[1:], **lossless)
    assert near(read_digit(path).pixels)


def test_uneven_light_and_noise_are_no_ink(tmp_path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    digit = np.zeros((300, 400))
    digit[40:180, 60:200] = np.asarray(enlarged(DIGITS[0], 5)) / 255
    photo = 180 - 30 * (x**2 + y**2) - 15 * x - 80 * digit + rng.normal(0, 5, digit.shape)
    pixels = read_digit(save(tmp_path, photo.clip(0, 255).astype(np.uint8))).pixels
    assert near(pixels, DIGITS[0], 16)


def test_dust_does_not_widen_the_box(tmp_path):
    image = drawing(400, 600, (100, 100, 300, 200))
    image[380, 580] = image[5, 9] = 0
    assert "ink in 100x200 at (100, 100)" in read_digit(save(tmp_path, image)).how


def test_a_large_image_is_made_smaller_first(tmp_path):
    found = read_digit(save(tmp_path, np.kron(drawing(), np.ones((25, 25), np.uint8))))
    assert max(found.original.shape) == 320
    assert found.how == "5000x3000, dark on light, ink in 1008x1755 at (747, 495)"  # nine pixels became one
    assert near(found.pixels)


def test_a_dot_and_a_line_are_images(tmp_path):
    image = np.zeros((9, 9), np.uint8)
    image[4, 4] = 255
    assert read_digit(save(tmp_path, image)).pixels.max() == 255
    image[4, 1:8] = 255
    rows, _ = read_digit(save(tmp_path, image)).pixels.nonzero()
    assert np.ptp(rows) < 6


# ----------------------------------------------------------------------------- refusals


def refused(path):
    with pytest.raises(ValueError) as error:
        read_digit(path)
    return str(error.value)


def test_what_is_no_image_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = tmp_path / "text.png"
    for content in (b"", b"hello", b"\0" * 1000):
        text.write_bytes(content)
        assert refused("text.png") == "text.png is not an image that Pillow can read, such as PNG or JPEG."
    assert refused("none.png") == "none.png: there is no such file."
    (tmp_path / "scans").mkdir()
    expected = (
        f"scans is a folder; name the images in it, for example {(tmp_path / 'scans' / '*.png').relative_to(tmp_path)}."
    )
    assert refused("scans") == expected


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_a_damaged_image_is_named(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    path = save(tmp_path, noise, f"image.{suffix}")
    path.write_bytes(path.read_bytes()[:-2000])
    assert refused(path).startswith((f"{path}: the image is damaged: ", f"{path} is not an image"))


@given(data=st.data())
def test_random_damage_is_a_sentence_or_an_image(data, tmp_path_factory):
    file = io.BytesIO()
    Image.fromarray(drawing()).save(file, data.draw(st.sampled_from(["png", "jpeg", "gif", "tiff", "webp", "bmp"])))
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, about what it found in the file
        try:
            assert read_digit(path).pixels.shape == (SIDE, SIDE)
        except ValueError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("factor", [1.5, 3])
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch, factor):
    path = save(tmp_path, drawing())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(120 * 200 / factor))
    assert refused(path) == f"{path}: the image has more than {int(24_000 / factor):,} pixels; make it smaller."


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (9, 99, 200)), ("L", 255), ("1", 1), ("RGBA", (1, 2, 3, 0))])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200)])
def test_an_empty_image(tmp_path, mode, colour, size):
    assert ": expected a digit, found one colour all over, (" in refused(save(tmp_path, Image.new(mode, size, colour)))


def test_noise_without_ink(tmp_path):
    path = save(tmp_path, np.random.default_rng(0).normal(128, 8, (200, 200)).astype(np.uint8))
    assert refused(path).startswith(f"{path}: expected a digit, found no ink: what differs from the paper does so by ")


def test_grey_levels_that_are_no_numbers(tmp_path):
    values = np.where(drawing() > 0, 1.0, np.nan).astype(np.float32)
    path = save(tmp_path, values, "image.tif")
    assert refused(path) == f"{path}: expected finite grey levels, found NaN or infinity."


def test_a_mode_that_cannot_be_shown_as_rgb(tmp_path, monkeypatch):
    path = save(tmp_path, Image.new("CMYK", (30, 30)), "image.tif")

    def convert(*_):
        raise ValueError("conversion not supported")

    monkeypatch.setattr(Image.Image, "convert", convert)
    assert refused(path) == f"{path}: expected colours or grey levels, found mode CMYK; save it as RGB."
