"""Films: what is written, what stops it, and what the command makes."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.motion import film
from stylemix_core.motion.film import Film

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 64


def frame(number: int, height: int = SIDE, width: int = SIDE) -> film.Frame:
    """A bar that walks to the right, below a ramp."""
    picture = np.tile(np.linspace(20, 220, width, dtype=np.uint8)[None, :, None], (height, 1, 3))
    picture[height // 2 :, 2 * number : 2 * number + 8] = (250, 40, 40)
    return picture


def frames(first: int, count: int = 20):
    return (frame(number) for number in range(first, count))


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture
def av():
    return pytest.importorskip("av")


@pytest.fixture
def short_pieces(monkeypatch):
    monkeypatch.setattr(film, "PIECE", 8)


def read(av, path) -> tuple[list[np.ndarray], list[float]]:
    """The frames of a film, and their times."""
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    pictures = [one.to_ndarray(format="rgb24", src_colorspace="ITU709") for one in decoded]
    return pictures, [float(one.pts * one.time_base) for one in decoded]


@pytest.mark.parametrize("ending", film.CODECS)
def test_films_hold_their_frames_times_and_texts(av, short_pieces, tmp_path, ending):
    made = Film(tmp_path / f"film{ending}", 20, 25, texts={"workflow": '{"a": 1}'})
    done = []
    made.write(frames, done.append)
    pictures, times = read(av, made.path)
    assert len(pictures) == 20 and done == [*range(1, 21)]
    np.testing.assert_allclose(times, np.arange(20) / 25, atol=2e-3)
    for number, picture in enumerate(pictures):
        assert abs(picture.astype(int) - frame(number)).mean() < 6
    with av.open(str(made.path)) as container:
        assert {name.lower(): text for name, text in container.metadata.items()}["workflow"] == '{"a": 1}'
    assert [path.name for path in tmp_path.iterdir()] == [f"film{ending}"]


@pytest.mark.parametrize("ending", film.ANIMATIONS)
def test_animations_need_no_library(monkeypatch, tmp_path, ending):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    made = Film(tmp_path / f"film{ending}", 20, 25)
    made.write(frames)
    with Image.open(made.path) as picture:
        assert (picture.n_frames, picture.size) == (20, (SIDE, SIDE))
        picture.seek(7)
        assert abs(np.asarray(picture.convert("RGB")).astype(int) - frame(7)).mean() < 6
    with pytest.raises(sm.StyleMixError, match=r"pip install av"):
        Film(tmp_path / "film.mp4", 20, 25)


@pytest.mark.parametrize("ending", film.ANIMATIONS)
@pytest.mark.parametrize("fps", [24, 30, 50])
def test_animations_last_as_long_as_they_shall(tmp_path, ending, fps):
    made = Film(tmp_path / f"film{ending}", 20, fps)
    made.write(frames)
    lasts = 0
    with Image.open(made.path) as picture:
        for number in range(20):
            picture.seek(number)
            picture.load()  # WebP's times are known then
            lasts += picture.info["duration"]
    assert abs(lasts - 20_000 / fps) <= 5


def test_dots_in_a_name_are_no_ending(tmp_path):
    assert film.named(tmp_path / "2024.05.01 party", "mp4").name == "2024.05.01 party.mp4"
    assert Film(film.named(tmp_path / "take.mp4", "png"), 1, 25).ending == ""


def test_a_folder_of_pictures_goes_on_and_keeps_to_its_film(tmp_path):
    made = Film(tmp_path / "film", 20, 25, "one")

    def broken(first):
        yield from frames(first, 7)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.write(broken)
    assert made.begun() == made
    asked = []
    made.write(lambda first: asked.append(first) or frames(first))
    assert asked == [7] and made.begun() is None
    for number in range(20):
        assert np.array_equal(pixels(made.path / f"{number:05d}.png"), frame(number))
    with pytest.raises(sm.StyleMixError, match="something else"):
        Film(tmp_path / "film", 20, 25, "another").write(frames)


@pytest.mark.parametrize("stop", [3, 8, 19])
def test_a_stopped_film_plays_and_goes_on_to_the_same_bytes(av, short_pieces, tmp_path, stop):
    whole, broken = (Film(tmp_path / name / "film.mp4", 20, 25, "one") for name in ("whole", "broken"))
    whole.write(frames)

    def until(first):
        yield from frames(first, stop)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.write(until)
    pictures, _ = read(av, broken.path)
    assert len(pictures) == stop and broken.begun() == broken
    asked = []
    broken.write(lambda first: asked.append(first) or frames(first))
    assert asked == [stop // 8 * 8]
    assert broken.path.read_bytes() == whole.path.read_bytes()


def test_pieces_of_another_film_are_not_gone_on_with(av, short_pieces, tmp_path):
    one = Film(tmp_path / "film.mp4", 20, 25, "one")
    with pytest.raises(sm.StyleMixError, match="there are 10 frames; 16 were expected"):
        one.write(lambda first: frames(first, 10))
    other = Film(tmp_path / "film.mp4", 20, 25, "another")
    assert one.begun() and not other.begun()
    asked = []
    other.write(lambda first: asked.append(first) or frames(first))
    assert asked == [0]


def test_odd_sizes_are_padded(av, tmp_path):
    made = Film(tmp_path / "film.mp4", 3, 25)
    made.write(lambda first: (frame(number, 33, 65) for number in range(3)))
    pictures, _ = read(av, made.path)
    assert pictures[0].shape == (34, 66, 3)
    assert abs(pictures[1][:33, :65].astype(int) - frame(1, 33, 65)).mean() < 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("film.mp4", 0, 25), "no frames"),
        (("film.avi", 5, 25), "films end with .mp4, .webm, .mov, .webp, .gif"),
        (("film.gif", 5, 0), "fps is 0"),
        (("film.gif", 5, 60), "a .gif shows 50 frames a second at most"),
        (("film.gif", 5, float("nan")), "fps is nan"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path, given, message):
    name, count, fps = given
    with pytest.raises(sm.StyleMixError, match=message):
        Film(tmp_path / name, count, fps)


def test_frames_of_two_sizes_are_refused(tmp_path):
    with pytest.raises(sm.StyleMixError, match=r"frame 1 is 32×64 pixels, those before it 64×64"):
        Film(tmp_path / "film.gif", 2, 25).write(lambda first: iter([frame(0), frame(1, 64, 32)]))


def test_an_animation_too_large_for_the_memory_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(film, "MOST_BYTES", 100_000)
    with pytest.raises(sm.StyleMixError, match="20 frames of 64×64 pixels are too much for .gif"):
        Film(tmp_path / "film.gif", 20, 25).write(frames)


def test_a_stamp_is_of_all_that_a_frame_depends_on(faces):
    given, network = faces[0], torch.nn.Linear(2, 2).half()
    tuned = copy.deepcopy(network)
    with torch.no_grad():
        tuned.bias[1] += 0.5
    stamps = {
        film.stamp_of(given, network),
        film.stamp_of(given, network, "const"),
        film.stamp_of(given, tuned),
        film.stamp_of(given.take([1, 0]), network),
        film.stamp_of(sm.Latents(given.w, given.origins, given.generator, given.w + 1), network),
    }
    assert len(stamps) == 5 and film.stamp_of(given.take([0, 1]), copy.deepcopy(network)) in stamps


def test_walks_are_shown_frame_by_frame(faces):
    pair, _ = faces
    walks = pair.take([0, 0, 0, 1, 1, 1])
    walks = replace(walks, origins=tuple("abcdef"))
    assert film.side_by_side(walks, 2).origins == tuple("adbecf")
    assert film.side_by_side(walks, 1).origins == walks.origins
    with pytest.raises(sm.StyleMixError, match="6 codes are not 4 equally long walks"):
        film.side_by_side(walks, 4)
    assert [film.columns_for(cells) for cells in (1, 2, 4, 6, 7, 12)] == [1, 2, 2, 3, 7, 4]


def test_frames_are_laid_side_by_side():
    pictures = torch.linspace(-1, 1, 12)[:, None, None, None].expand(12, 3, 2, 3)
    made = list(film.frames_of(pictures, columns=3, rows=2))
    assert len(made) == 2 and made[0].shape == (4, 9, 3)
    assert made[0][[0, 0, 2], [0, 3, 8], 0].tolist() == [0, 23, 116]


# the command


def run(*arguments) -> int:
    """The exit code, however it is given."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return stopped.code


def test_walk_writes_film_and_codes(av, tmp_path, capsys):
    assert run("walk", 1, 2, "--frames", 6, "--out", tmp_path) == 0
    pictures, _ = read(av, tmp_path / "walk.mp4")
    codes = sm.load_latents(tmp_path / "walk.safetensors")
    assert len(pictures) == len(codes) == 12 and pictures[0].shape == (256, 256, 3)
    drawn = sm.load_generator("demo", "cpu").synthesis(codes.w[5:6]).detach()
    np.testing.assert_allclose(pictures[5], next(film.frames_of(drawn)), atol=60)
    assert abs(pictures[5].astype(int) - next(film.frames_of(drawn))).mean() < 3
    assert "12 frames, 1 s, in" in capsys.readouterr().out
    assert run("walk", 1, 2, "--frames", 6, "--out", tmp_path) == 0
    assert (tmp_path / "walk_2.mp4").read_bytes() == (tmp_path / "walk.mp4").read_bytes()


def test_walk_takes_files_pictures_and_grids(tmp_path):
    out, face = tmp_path / "out", tmp_path / "face.png"
    Image.fromarray(frame(0)).save(face)
    more = ["--speed", "even", "--frames", 2, "--once", "--grid", "2x1", "--film", "png", "--align", "never"]
    assert run("walk", "stylemix_core/demo/bob.safetensors", 3, face, "5-7", *more, "--out", out) == 0
    with Image.open(out / "walk" / "00004.png") as last:
        assert last.size == (512, 256)
    assert not (out / "walk" / "00005.png").exists()
    codes = sm.load_latents(out / "walk.safetensors")
    assert len(codes) == 10 and codes.origins[1] == "seed 5" and codes.origins[8] == "face.png"
    assert json.loads((out / "walk" / "film.json").read_text())["frames"] == 5


def test_a_style_comes_and_goes_in_a_single_face(tmp_path):
    bob = "stylemix_core/demo/bob.safetensors"
    more = ["--style", bob, "--masks", "4-5@0>1>0", "--frames", 5, "--film", "png", "--out", tmp_path]
    assert run("walk", 96, *more) == 0
    codes, style = sm.load_latents(tmp_path / "walk.safetensors"), sm.load_latents(bob)
    assert len(codes) == 5 and torch.equal(codes.w[0], codes.w[4])
    assert torch.equal(codes.w[2, 4:6], style.w[0, 4:6]) and torch.equal(codes.w[2, :4], codes.w[0, :4])
    assert codes.origins[1].endswith("layers 4-5@0.5")
    assert np.array_equal(pixels(tmp_path / "walk/00000.png"), pixels(tmp_path / "walk/00004.png"))


def test_a_random_walk_needs_no_keys(tmp_path):
    assert run("walk", "--random", 3, "--seconds", 4, "--fps", 2, "--film", "webp", "--out", tmp_path) == 0
    with Image.open(tmp_path / "walk.webp") as film:
        assert film.n_frames == 8


def test_a_short_random_walk_is_on_its_way(tmp_path):
    assert run("walk", "--random", 5, "--frames", 10, "--film", "png", "--out", tmp_path) == 0
    w = sm.load_latents(tmp_path / "walk.safetensors").w
    apart = (w[:, None] - w[None]).square().mean((2, 3)).sqrt()
    faces = sm.load_generator("demo", "cpu").mapping(sm.sample_z([0, 1], 512), truncation_psi=0.7)
    assert float(apart.max()) > 0.7 * float((faces[0] - faces[1]).square().mean().sqrt())


def test_another_film_in_pictures_takes_the_place_of_one_where_it_may(tmp_path):
    more = ["--frames", 2, "--once", "--speed", "even", "--film", "png", "--out", tmp_path]
    assert run("walk", "1-3", *more) == 0
    assert run("walk", "4-5", *more, "--overwrite") == 0
    assert len([*(tmp_path / "walk").glob("*.png")]) == 3
    (tmp_path / "walk" / "film.json").unlink()
    assert run("walk", "4-5", *more, "--overwrite") == 2
    assert len([*(tmp_path / "walk").glob("*.png")]) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "give keyframes: seeds such as 1-6"),
        (["1", "--random", "3"], "exclude each other"),
        (["1"], "found 1, give two or more"),
        (["1-3", "--grid", "2x1"], "3 keys cannot be dealt to 2 walks"),
        (["1-3", "--grid", "2"], "write columns x rows"),
        (["1-3", "--grid", "²x2"], "write columns x rows"),
        (["faces.safetensors", "1"], "there is no file or folder faces.safetensors"),
        (["one"], "no seed or range"),
        (["1-2", "--ease", "in"], "easing changes the speed"),
        (["1-2", "--curve", "circle"], "towards two others"),
    ],
)
def test_walks_that_cannot_be_are_refused(tmp_path, capsys, given, message):
    assert run("walk", *given, "--film", "png", "--out", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
