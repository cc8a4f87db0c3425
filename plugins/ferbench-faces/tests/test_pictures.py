"""Pictures of every kind are read alike; what cannot be read is counted and named."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces import pictures
from ferbench_faces.pictures import check_pictures, decode_picture, printable, read_pictures
from PIL import Image

from ferbench import DataError, ReadContext

CONTEXT, PARTIAL = ReadContext(), ReadContext(allow_partial=True)
RAMP = np.linspace(0, 255, 12 * 10).astype(np.uint8).reshape(12, 10)
"""A picture 12 high and 10 wide."""


def grey(root: Path, *files: str, size: tuple[int, int] | None = None) -> np.ndarray:
    return read_pictures(root, files, size, False, CONTEXT).images


def test_a_large_picture_of_16_bits_is_made_8_bits_without_a_wide_copy(tmp_path: Path) -> None:
    pixels = 1_000_000
    Image.fromarray(np.full((1000, 1000), 25_700, np.uint16)).save(tmp_path / "deep.png")
    tracemalloc.start()
    found = decode_picture(tmp_path / "deep.png", None, False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found == 100).all()
    assert peak < 8 * pixels, "integers of 64 bits would take as much alone"


def test_grey_is_luminance_and_colour_has_three_channels(tmp_path: Path) -> None:
    red = np.zeros((6, 4, 3), dtype=np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(tmp_path / "red.png")
    assert grey(tmp_path, "red.png").tolist() == np.full((1, 6, 4), 60).tolist()  # 0.299 of 200
    np.testing.assert_array_equal(read_pictures(tmp_path, ["red.png"], None, True, CONTEXT).images[0], red)


def test_modes_that_hold_the_same_picture_are_read_alike(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP)
    image.save(tmp_path / "grey.png")
    image.convert("RGB").save(tmp_path / "colour.png")
    image.convert("P").save(tmp_path / "palette.png")
    image.convert("RGBA").save(tmp_path / "alpha.png")
    image.save(tmp_path / "grey.bmp")
    image.save(tmp_path / "grey.pgm")
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / "deep.tif")
    image.save(tmp_path / "moving.gif", save_all=True, append_images=[Image.fromarray(RAMP[::-1].copy())])
    files = [path.name for path in sorted(tmp_path.iterdir())]
    found = read_pictures(tmp_path, files, None, False, CONTEXT)
    assert len(files) == 9 and found.corrupted == ()
    for file, pixels in zip(files, found.images, strict=True):
        np.testing.assert_array_equal(pixels, RAMP, err_msg=file)


def test_a_transparent_palette_and_cmyk_are_converted(tmp_path: Path) -> None:
    palette = Image.fromarray(RAMP).convert("P")
    palette.save(tmp_path / "clear.png", transparency=bytes([0] * 256))
    Image.new("CMYK", (10, 12), (0, 255, 255, 0)).save(tmp_path / "print.jpg")
    np.testing.assert_array_equal(grey(tmp_path, "clear.png")[0], RAMP)
    red = read_pictures(tmp_path, ["print.jpg"], None, True, CONTEXT).images[0, 0, 0]
    assert red[0] > 200 and red[1] < 50 and red[2] < 50


def test_a_rotation_in_exif_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen turned by 90 degrees clockwise
    Image.fromarray(RAMP).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(grey(tmp_path, "turned.png")[0], np.rot90(RAMP, -1))


def test_sizes_are_made_one_or_refused_by_name(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    Image.new("L", (20, 20), 7).save(tmp_path / "b.png")
    assert grey(tmp_path, "a.png", "b.png", size=(8, 6)).shape == (2, 8, 6)
    with pytest.raises(DataError, match=r"b\.png has 20×20 pixels, others 10×12: the pictures of this data set"):
        grey(tmp_path, "a.png", "b.png")


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(stream, "JPEG")
    return stream.getvalue()


def bomb() -> bytes:
    """A PNG of 39 bytes that says it has 60,000×60,000 pixels."""
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


FAULTS = {
    "empty.jpg": (b"", "the file is empty"),
    "text.jpg": (b"<html>log in</html>", "it is no picture"),
    "cut.jpg": (jpeg()[:700], "truncated"),
    "bomb.png": (bomb(), "pixels"),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path, name: str) -> None:
    content, why = FAULTS[name]
    (tmp_path / name).write_bytes(content)
    Image.fromarray(RAMP).save(tmp_path / "good.png")
    Image.fromarray(RAMP[::-1].copy()).save(tmp_path / "other.png")
    found = read_pictures(tmp_path, ["good.png", name, "other.png"], (12, 10), False, CONTEXT)
    assert found.kept.tolist() == [0, 2] and len(found.corrupted) == 1
    np.testing.assert_array_equal(found.images, np.stack([RAMP, RAMP[::-1]]))
    assert found.corrupted[0].startswith(f"{name}: ") and why in found.corrupted[0]


def test_a_smaller_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    Image.fromarray(RAMP).save(tmp_path / "large.png")
    Image.new("L", (5, 5)).save(tmp_path / "small.png")
    found = read_pictures(tmp_path, ["small.png", "large.png"], None, False, CONTEXT)
    assert found.corrupted == ("large.png: it says it has 10×12 pixels",)


def test_floating_point_pixels_are_not_guessed_at(tmp_path: Path) -> None:
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(DataError, match=r"None of the 1 pictures .* can be read: float\.tif: .* floating point"):
        grey(tmp_path, "float.tif")


@pytest.mark.parametrize("file", ["../outside.png", "link.png", "folder/outside.png"])
def test_no_file_outside_of_the_folder_is_read(tmp_path: Path, file: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    Image.fromarray(RAMP).save(tmp_path / "outside.png")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "folder").symlink_to(tmp_path)
    with pytest.raises(DataError, match="leads outside of"):
        grey(root, file)


def test_missing_files_are_told_and_left_out_of_a_partial_copy(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "there.png")
    files = [*(f"gone{i}.png" for i in range(7)), "there.png"]
    with pytest.raises(DataError, match=r"7 of 8 pictures are not below .*: gone0\.png, .* and 2 more\. Get them"):
        read_pictures(tmp_path, files, None, False, CONTEXT)
    found = read_pictures(tmp_path, files, None, False, PARTIAL)
    assert found.kept.tolist() == [7] and len(found.missing) == 7 and len(found.images) == 1
    with pytest.raises(DataError, match="None of the 1 pictures is below"):
        read_pictures(tmp_path, ["gone.png"], None, False, PARTIAL)


def test_names_with_odd_characters_are_read_and_printed_on_one_line(tmp_path: Path) -> None:
    odd = ["ä b.png", "new\nline.png", "quote'\".png", "\udcff.png"]
    for name in odd:
        Image.fromarray(RAMP).save(tmp_path / name)
    (tmp_path / "broken\n.png").write_bytes(b"")
    found = read_pictures(tmp_path, [*odd, "broken\n.png"], None, False, CONTEXT)
    assert len(found.images) == 4 and found.corrupted == ("broken\\n.png: the file is empty",)
    assert printable("\udcff\n") == "\\udcff\\n"


def test_a_check_without_decoding_finds_what_is_no_picture_or_has_no_end(tmp_path: Path) -> None:
    for name, (content, _) in FAULTS.items():
        (tmp_path / name).write_bytes(content)
    Image.fromarray(RAMP).save(tmp_path / "good.png")
    found = check_pictures(tmp_path, [*FAULTS, "good.png"], CONTEXT)
    assert [fault.split(":")[0] for fault in found.corrupted] == list(FAULTS)
    assert found.kept.tolist() == [4]


def test_a_picture_without_its_last_mark_is_corrupted_only_if_pixels_are_lacking(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "good.png")
    content = (tmp_path / "good.png").read_bytes()
    (tmp_path / "open.png").write_bytes(content[: content.index(b"IEND")])
    (tmp_path / "long.png").write_bytes(content + b"x" * 3000)
    assert check_pictures(tmp_path, ["good.png", "open.png", "long.png"], CONTEXT).kept.tolist() == [
        row for row, name in enumerate(("good.png", "open.png", "long.png")) if readable(tmp_path / name)
    ]


def readable(path: Path) -> bool:
    try:
        decode_picture(path, None, True)
    except pictures.UnreadableError:
        return False
    return True


def test_a_box_is_cut_out_and_black_outside_of_the_picture(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    cut = decode_picture(tmp_path / "a.png", None, False, (2, 3, 12, 9))
    np.testing.assert_array_equal(cut[:, :8], RAMP[3:9, 2:])
    assert cut.shape == (6, 10) and not cut[:, 8:].any()
