"""Clips: how they are read, whom they are followed for, what is put into them."""

import wave
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core.codes.sampling import sample_latents
from stylemix_core.faces import Face
from stylemix_core.faces.crop import crop_face
from stylemix_core.faces.regions import find_heads, grow
from stylemix_core.images import from_pil
from stylemix_core.motion import film
from stylemix_core.motion.clip import Clip, at_rate, rate_of
from stylemix_core.motion.film import Film
from stylemix_core.motion.restyle import Followed
from stylemix_core.motion.tracking import Seen, crops, follow, look, runs, smooth

from .. import builders
from .test_film import frame, frames, read, run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def av():
    return pytest.importorskip("av")


@pytest.fixture
def sound(tmp_path):
    """Three seconds of a tone."""
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
        tone = 9000 * np.sin(2 * np.pi * 440 * np.arange(24000) / 8000)
        file.writeframes(tone.astype("<i2").tobytes())
    return path


# reading


def test_a_clip_has_its_frames_rate_and_size(av, tmp_path):
    Film(tmp_path / "film.mp4", 20, 25).write(frames)
    clip = Clip.of(tmp_path / "film.mp4")
    assert (len(clip), clip.rate, clip.size, clip.sound) == (20, 25, (64, 64), False)
    for first in (0, 7):
        for number, picture in enumerate(clip.frames(first), first):
            assert abs(picture.astype(int) - frame(number)).mean() < 6
    assert number == 19


def test_what_is_cut_off_from_the_start_of_a_clip_is_no_frame_of_it(av, tmp_path):
    """As phones and players trim: the frames stay in the file, and an edit list says where it begins."""
    Film(tmp_path / "film.mp4", 20, 25).write(frames)
    options = {"avoid_negative_ts": "disabled"}
    with (
        av.open(str(tmp_path / "film.mp4")) as whole,
        av.open(str(tmp_path / "cut.mp4"), "w", options=options) as cut,
    ):
        stream = whole.streams.video[0]
        copy = cut.add_stream_from_template(stream)
        for packet in whole.demux(stream):
            if packet.dts is not None:
                shift = round(5 / 25 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                cut.mux(packet)
    clip = Clip.of(tmp_path / "cut.mp4")
    shown = [*clip.frames()]
    assert len(clip) == len(shown) == 15
    assert abs(shown[0].astype(int) - frame(5)).mean() < 6


def test_a_variable_rate_becomes_a_constant_one():
    tenth = Fraction(1, 10)
    assert at_rate([i * tenth for i in range(5)], Fraction(10)) == (0, 1, 2, 3, 4)
    nearly = [Fraction(round(1000 * i / 29.97), 1000) for i in range(5)]  # a container counts milliseconds
    assert at_rate(nearly, Fraction(30000, 1001)) == (0, 1, 2, 3, 4)
    assert at_rate([0 * tenth, tenth, 5 * tenth, 6 * tenth], Fraction(10)) == (0, 1, 1, 1, 1, 2, 3)
    assert at_rate([0 * tenth, tenth / 4, tenth / 2, 2 * tenth], Fraction(10)) == (2, 2, 3)
    assert at_rate([tenth], Fraction(10)) == (0,)


def test_a_rate_that_a_file_does_not_tell_is_that_of_its_frames():
    uneven = [Fraction(i, 1000) for i in (0, 30, 66, 97, 133)]  # FFmpeg guesses 1000 frames a second
    assert rate_of(uneven, None) == Fraction(4000, 133)
    assert rate_of(uneven, Fraction(25)) == 25
    assert rate_of(uneven[:1], None) == 25


def test_pixels_that_are_not_square_are_made_square(av, tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.codec_context.sample_aspect_ratio = 48, 32, Fraction(4, 3)
        for number in range(3):
            picture = av.VideoFrame.from_ndarray(frame(number, 32, 48), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    clip = Clip.of(path)
    assert clip.size == (64, 32) and {picture.shape for picture in clip.frames()} == {(32, 64, 3)}


def test_texts_in_another_alphabet_do_not_matter(av, tmp_path):
    path = tmp_path / "film.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "TITLE"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(0), format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert content.count(b"TITLE") == 1
    path.write_bytes(content.replace(b"TITLE", "한글".encode("cp949") + b" "))
    assert len([*Clip.of(path).frames()]) == 1


def test_a_clip_that_a_phone_has_turned_is_upright(av, tmp_path):
    path = tmp_path / "film.mp4"
    Film(path, 3, 25).write(lambda first: (frame(number, 32, 64) for number in range(3)))
    straight = b"\0\1\0\0" + bytes(12) + b"\0\1\0\0" + bytes(12) + b"\x40\0\0\0"
    turned = bytes(4) + b"\0\1\0\0" + bytes(4) + b"\xff\xff\0\0" + bytes(16) + b"\x40\0\0\0"
    content = path.read_bytes()
    track = content.index(straight, content.index(b"tkhd"))
    path.write_bytes(content[:track] + turned + content[track + len(straight) :])
    clip = Clip.of(path)
    assert clip.size == (32, 64)
    shown = next(clip.frames())
    assert abs(shown.astype(int) - np.rot90(frame(0, 32, 64), 3)).mean() < 6


def test_what_is_no_clip_is_refused(av, sound, tmp_path):
    (tmp_path / "text.mp4").write_text("no film")
    Film(tmp_path / "film.mp4", 20, 25).write(frames)
    content = (tmp_path / "film.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 3 // 4])
    with av.open(str(tmp_path / "film.mp4")) as whole, av.open(str(tmp_path / "raw.h264"), "w") as raw:
        stream = raw.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                raw.mux(packet)
    for name, message in (
        ("raw.h264", "does not say when its frames are shown"),
        ("missing.mp4", "there is no film"),
        ("text.mp4", "cannot be read as a film"),
        (sound.name, "holds no pictures"),
    ):
        with pytest.raises(sm.StyleMixError, match=message):
            Clip.of(tmp_path / name)
    with pytest.raises(sm.StyleMixError, match="damaged|cannot be read"):
        list(Clip.of(tmp_path / "cut.mp4").frames())


# sound


@pytest.mark.parametrize("ending", film.CODECS)
def test_sound_is_kept_as_long_as_the_film(av, sound, tmp_path, ending):
    made = Film(tmp_path / f"film{ending}", 20, 10, sound=sound)
    made.write(frames)
    with av.open(str(made.path)) as container:
        heard = [part.to_ndarray() for part in container.decode(audio=0)]
        (audio,) = container.streams.audio
        seconds = sum(part.shape[-1] for part in heard) / audio.rate / (2 if ending == ".mov" else 1)
    assert seconds == pytest.approx(2, abs=0.1)
    assert len(read(av, made.path)[0]) == 20 and Clip.of(made.path).sound


def test_a_film_longer_than_its_sound_goes_on_in_silence(av, sound, tmp_path):
    made = Film(tmp_path / "film.mp4", 20, 4, sound=sound)
    made.write(frames)
    assert read(av, made.path)[1][-1] == pytest.approx(4.75, abs=0.01)


def heard_in(av, path) -> tuple[float, np.ndarray]:
    """When the first sound of a film is heard, and all of it, `[samples]` of one channel."""
    with av.open(str(path)) as container:
        heard = [*container.decode(audio=0)]
        return float(heard[0].pts * heard[0].time_base), np.concatenate(
            [part.to_ndarray()[0] for part in heard]
        )


@pytest.mark.parametrize("late", [-0.5, 0.75])
def test_sound_that_does_not_begin_with_the_picture_stays_in_step(av, tmp_path, late):
    """A clip whose sound begins with a click, so much later than its picture."""
    clip = tmp_path / "clip.mkv"
    with av.open(str(clip), "w") as container:
        video, audio = container.add_stream("libx264", rate=10), container.add_stream("pcm_s16le", rate=8000)
        video.width = video.height = 64
        audio.layout = "mono"
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(frame(number), format="rgb24")
            picture.pts, picture.time_base = number + 10, Fraction(1, 10)
            container.mux(video.encode(picture))
        click = np.zeros((1, 8000), np.int16)
        click[0, 6000:6100] = 20000
        part = av.AudioFrame.from_ndarray(click, format="s16", layout="mono")
        part.rate, part.pts, part.time_base = 8000, round(8000 * (1 + late)), Fraction(1, 8000)
        for stream, last in ((audio, part), (audio, None), (video, None)):
            container.mux(stream.encode(last))
    made = Film(tmp_path / "film.mov", 20, 10, sound=clip)
    made.write(frames)
    begins, samples = heard_in(av, made.path)
    loud = np.flatnonzero(np.abs(samples[::2]) > 10000)[0] / 48000  # of two channels, one after the other
    assert begins + loud == pytest.approx(late + 0.75, abs=0.01)


def test_damaged_sound_is_left_out(av, sound, tmp_path):
    whole = Film(tmp_path / "clip.mp4", 20, 10, sound=sound)
    whole.write(frames)
    with av.open(str(whole.path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    content = bytearray(whole.path.read_bytes())
    for place, size in places[10:20]:
        content[place : place + size] = b"\xff" * size
    (tmp_path / "damaged.mp4").write_bytes(content)
    made = Film(tmp_path / "film.mp4", 20, 10, sound=tmp_path / "damaged.mp4")
    made.write(frames)
    assert len(read(av, made.path)[0]) == 20
    assert len(heard_in(av, made.path)[1]) / 48000 == pytest.approx(2, abs=0.4)


# following


def face(x: float, y: float, width: float = 40) -> Face:
    """A mesh whose eyes and mouth lie where they should."""
    points = np.random.RandomState(0).uniform(-0.5, 0.5, (468, 2)) * width + (x, y)
    eyes = {
        (33, 133, 159, 145): (-0.2, -0.15),
        (263, 362, 386, 374): (0.2, -0.15),
        (61,): (-0.12, 0.25),
        (291,): (0.12, 0.25),
    }
    for places, (u, v) in eyes.items():
        points[list(places)] = x + u * width, y + v * width
    return Face(points)


def seen(*faces_of_frames, cuts=()) -> list[Seen]:
    return [Seen(tuple(faces), number in cuts) for number, faces in enumerate(faces_of_frames)]


def test_the_same_person_is_followed_though_another_is_larger():
    film_ = seen(*([face(50 + 3 * i, 50, 40), face(150 - i, 50, 30 + 4 * i)] for i in range(10)))
    found = follow(film_)
    assert all(one is frame.faces[0] for one, frame in zip(found, film_))
    assert follow(film_, 1)[9] is film_[9].faces[1]
    with pytest.raises(sm.NoFaceError, match="no face number 2"):
        follow(film_, 2)


def test_who_is_hidden_for_a_while_is_found_again_and_a_cut_begins_anew():
    film_ = seen(
        [],
        [face(50, 50)],
        [],
        [],
        [face(58, 50), face(150, 50, 60)],
        [face(150, 50, 60), face(60, 50)],
        cuts=(5,),
    )
    found = follow(film_)
    assert [one is not None for one in found] == [False, True, False, False, True, True]
    assert found[4] is film_[4].faces[0] and found[5] is film_[5].faces[0]
    assert runs(film_, found) == [range(1, 2), range(4, 5), range(5, 6)]
    with pytest.raises(sm.NoFaceError, match="in any frame"):
        follow(seen([], []))


def test_somebody_else_far_away_is_not_taken_for_who_has_gone():
    film_ = seen([face(50, 50)], [face(180, 50)], [face(180, 50)])
    assert [one is not None for one in follow(film_)] == [True, False, False]


def test_crops_are_smoothed_inside_scenes_alone():
    random = np.random.RandomState(1)
    shaking = [face(100 + random.normal(0, 2), 100 + (200 if i >= 10 else 0), 60) for i in range(20)]
    film_ = seen(*([one] for one in shaking), cuts=(10,))
    found = crops(film_, follow(film_), (300, 400), 256)
    centres = np.array([transform.centre for transform in found])
    raw = np.array([one.points.mean(0) for one in shaking])
    assert np.abs(np.diff(centres[:10, 0])).mean() < 0.6 * np.abs(np.diff(raw[:10, 0])).mean()
    assert centres[:10, 1].max() < 150 and centres[10:, 1].min() > 250
    assert all(transform.picture == number for number, transform in enumerate(found))


def test_smoothing_keeps_what_does_not_move_and_is_scipys_inside():
    ndimage = pytest.importorskip("scipy.ndimage")
    values = np.random.RandomState(0).normal(size=(40, 2))
    expected = ndimage.gaussian_filter1d(values, 2, axis=0, truncate=4)
    np.testing.assert_allclose(smooth(values, 2)[10:30], expected[10:30], atol=1e-12)
    np.testing.assert_allclose(smooth(np.full((5, 2), 3.0), 3), 3)


def test_scenes_begin_where_the_picture_changes_as_a_whole():
    dark, light = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 200, np.uint8)
    assert [one.cut for one in look([dark, dark, light, light])] == [False, False, True, False]


def test_faces_in_a_blur_are_none(monkeypatch):
    good, bad = face(30, 30), face(30, 30)
    bad.points[:] = 30.0  # all in one place
    monkeypatch.setattr("stylemix_core.motion.tracking.find_faces", lambda *_: [[good], [bad, good], [bad]])
    found = [*look([np.zeros((64, 64, 3), np.uint8)] * 3)]
    assert [one.faces for one in found] == [(good,), (good,), ()]


# all of it


def avatar_clip(path, count: int = 8) -> None:
    """An avatar that moves before a wall; the first frame is the wall alone."""
    frames = builders.moving_avatar(count)
    frames[0] = frames[0, :1]
    Film(path, count, 10).write(lambda first: iter(frames[first:]))


@pytest.mark.slow
def test_a_clip_is_restyled_inside_the_crop_alone(av, tmp_path, monkeypatch):
    avatar_clip(tmp_path / "clip.mp4")
    clip = Clip.of(tmp_path / "clip.mp4")
    given = list(clip.frames())
    G, E = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    followed = Followed.of(clip)
    assert followed.numbers == [*range(1, 8)] and followed.crops[0] is None
    codes = followed.encode(E)
    assert torch.equal(codes.w[:, 8:], codes.w[:1, 8:].expand(7, -1, -1)) and not torch.equal(
        codes.w[0], codes.w[6]
    )
    bob = sm.load_latents("stylemix_core/demo/bob.safetensors")
    mixed = sm.inject_latents(codes, bob, sm.parse_masks("4-5@0>1", 14))
    made = list(followed.frames(G, mixed))
    assert np.array_equal(made[0], given[0])
    for number in (1, 7):
        (left, top), (right, bottom) = (
            np.min(followed.crops[number].quad, 0),
            np.max(followed.crops[number].quad, 0),
        )
        changed = np.argwhere((made[number] != given[number]).any(2))
        assert len(changed) and changed[:, 1].min() >= left - 1 and changed[:, 1].max() <= right + 1
        assert changed[:, 0].min() >= top - 1 and changed[:, 0].max() <= bottom + 1
    again = list(followed.frames(G, mixed, 5))
    assert all(np.array_equal(one, other) for one, other in zip(again, made[5:], strict=True))


@pytest.mark.slow
def test_a_generator_tuned_to_the_clip_draws_its_face_nearer(av, tmp_path):
    avatar_clip(tmp_path / "clip.mp4", 4)
    G, E = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    followed = Followed.of(Clip.of(tmp_path / "clip.mp4"))
    tuned = followed.tune(G, E, 12)
    assert tuned.w.shape == (3, 14, 512) and tuned.delta is not None
    codes = followed.encode(E, steady=False)
    assert float((codes.w - tuned.w).abs().mean()) < 0.05
    with torch.no_grad():
        near, far = (
            float((network.synthesis(codes.w) - tuned.images).abs().mean())
            for network in (tuned.generator, G)
        )
    assert near < 0.7 * far and max(tuned.l2) < min(tuned.start_l2)


@pytest.mark.slow
def test_a_generator_tuned_to_the_seam_draws_the_clip_around_the_same_head(av, tmp_path):
    avatar_clip(tmp_path / "clip.mp4", 4)
    G, E = sm.load_generator("demo", "cpu"), sm.load_encoder("demo", "cpu")
    followed = Followed.of(Clip.of(tmp_path / "clip.mp4"))
    mixed = sm.inject_latents(followed.encode(E), sample_latents(G, [3], 1.0), sm.parse_masks("8-13", 14))
    tuned = followed.tune_seam(G, mixed, 30)
    assert torch.equal(tuned.w, mixed.w) and tuned.delta is not None
    clip = [*followed.clip.frames()]
    with torch.no_grad():
        before, after = G.synthesis(mixed.w), tuned.generator.synthesis(mixed.w)
    for place, number in enumerate(followed.numbers):
        crop = from_pil(crop_face(Image.fromarray(clip[number]), replace(followed.crops[number], size=256)))
        old, new = find_heads(torch.cat([crop, before[place : place + 1]]))
        outside, head = 1 - grow(torch.maximum(old, new), 16), new > 0.9
        far, near = (((made[place] - crop[0]).abs() * outside).mean() for made in (before, after))
        moved = (after - before)[place, :, head].abs().mean()
        assert near < 0.6 * far and moved < 0.05
    with pytest.raises(sm.StyleMixError, match="plain W\\+ codes alone"):
        followed.tune_seam(G, replace(mixed, w_rgb=mixed.w), 30)


@pytest.mark.slow
def test_video_writes_film_and_codes_with_sound(av, sound, tmp_path):
    avatar_clip(tmp_path / "plain.mp4")
    Film(tmp_path / "clip.mp4", 8, 10, sound=sound).write(
        lambda first: Clip.of(tmp_path / "plain.mp4").frames(first)
    )
    out = tmp_path / "out"
    bob = "stylemix_core/demo/bob.safetensors"
    assert run("video", tmp_path / "clip.mp4", "--style", bob, "--masks", "4-5", "--out", out) == 0
    made = Clip.of(out / "clip.mp4")
    assert (len(made), made.rate, made.size, made.sound) == (8, 10, (400, 320), True)
    assert len(sm.load_latents(out / "clip_codes.safetensors")) == 7
    assert run("video", tmp_path / "clip.mp4", "--style", bob, "--masks", "4; 5", "--out", out) == 2


def test_video_refuses_what_is_no_clip(av, tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("no film")
    bob = "stylemix_core/demo/bob.safetensors"
    assert run("video", tmp_path / "text.mp4", "--style", bob, "--out", tmp_path) == 2
    assert "cannot be read as a film" in capsys.readouterr().err
    Film(tmp_path / "wall.mp4", 3, 10).write(frames)
    assert run("video", tmp_path / "wall.mp4", "--style", bob, "--out", tmp_path) == 2
    assert "no face was found in any frame" in capsys.readouterr().err
