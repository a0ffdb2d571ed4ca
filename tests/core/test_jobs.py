"""Jobs of many pictures: what a job file may say, that nothing is lost or done twice, and what a data set is like."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import stylemix_core as sm
from stylemix_core import cli
from stylemix_core.demo import truth
from stylemix_core.jobs import report as reports
from stylemix_core.jobs import sink, sources, steps, work
from stylemix_core.jobs.chain import Factor, Vary
from stylemix_core.jobs.cluster import count_try
from stylemix_core.jobs.job import Job
from stylemix_core.jobs.steps import Tools, combinations

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def job(models, tmp_path):
    """Makes a job of the tiny models as a dictionary."""

    def make(source=None, steps=("decode",), **more):
        return {
            "source": source or {"seeds": "0-6"},
            "steps": list(steps),
            "sink": {"folder": str(tmp_path / "out"), **more.pop("sink", {})},
            "models": {"generator": models["generator"][1], "encoder": models["encoder"][1]},
            "part": 3,
            "batch": 2,
        } | more

    return make


def photos(folder: Path, count: int = 5) -> Path:
    """A folder of pictures of one colour each."""
    folder.mkdir()
    for i in range(count):
        Image.new("RGB", (40, 40), (i * 40, 90, 200 - i * 30)).save(folder / f"p{i}.png")
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Checksums of all that a job leaves but its log."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("log.jsonl", ".lock")
    }


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


# what a job file may say


SEEDS, PICTURES, SINK = "source: {seeds: 0-3}\n", "source: {pictures: .}\n", "sink: {folder: x}"
WRONG = {
    "source:\n  seeds: 0-3\nsteps: [decode]\nsnk: {folder: x}": "line 4: snk: there is no such key; did you mean sink",
    "source:\n  seeds: 0-3\nsteps:\n  - decoed\n"
    + SINK: "line 4: steps[0].decoed: there is no such step; did",
    SEEDS
    + "steps: [decode]\nsink:\n  folder: x\n  quality: 300": "line 5: sink.quality: found 300; expected 1 to 100",
    SEEDS + "steps: [decode]\nsink: {folder: x, format: zip}": "choose one of: tar, files",
    "source: {seeds: 0-3, codes: a}\nsteps: [decode]\n"
    + SINK: "line 1: source: found seeds and codes; give one of",
    SEEDS + "steps: [decode]\nsink: {pictures: png}": "line 3: sink: folder is missing",
    SEEDS + "steps: [encode]\n" + SINK: "steps[0].encode: no step before it gives a picture",
    SEEDS + "steps: [truncate]\n" + SINK: "sink.pictures: no step draws pictures; add decode",
    PICTURES + "steps: [encode, paste]\n" + SINK: "steps[1].paste: no step before it gives a crop",
    PICTURES + "steps: [align, encode, paste]\n" + SINK: "put decode before paste",
    PICTURES
    + "steps: [encode, align, decode]\n"
    + SINK: "steps[1].align: faces are cropped as pictures are read; put",
    PICTURES + "steps: [align, encode, decode, paste, regions]\n" + SINK: "and nothing after it",
    "source: {tars: .}\nsteps: [decode, paste]\n" + SINK: "steps[1].paste: no step before it gives a crop",
    SEEDS + "steps: [decode]\n" + SINK + "\npart: 1" + "0" * 400: "part: found 1000",
    SEEDS + "steps: [decode]\n" + SINK + "\npart: !!bool foo": "this is no job file",
    SEEDS + "steps:\n- decode\n- inject: {style: a, masks: 4-}\n" + SINK: "line 4: steps[1].inject",
    SEEDS + "steps: [decode]\n" + SINK + "\nsink: {folder: y}": "line 4: sink: the key is there twice",
    SEEDS + "steps: [decode]\nsink: [x": "this is no YAML",
    SEEDS + "steps: [decode]\f\n": "this is no YAML",
    "a: &a {seeds: 0}\nb: *a": "used twice by its anchor",
    "just a text": "this is no job; expected source, steps and sink",
    SEEDS + "steps: []\n" + SINK: "line 2: steps: expected a list of steps",
    SEEDS + "steps: [decode]\n" + SINK + "\nbatch: yes": "batch: found True; expected a whole number",
}


@pytest.mark.parametrize(("text", "told"), WRONG.items())
def test_a_wrong_job_file_is_refused_with_line_and_key(tmp_path, text, told):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(sm.StyleMixError, match="job.yaml") as error:
        Job.of(path)
    assert told in str(error.value)


def test_a_job_file_means_the_same_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "job.yaml").write_text(
        "source: {pictures: photos}\nsteps: [align, encode]\nsink: {folder: out}\n"
    )
    job = Job.of(tmp_path / "job.yaml")
    monkeypatch.chdir("/")
    assert job == Job.of(tmp_path / "job.yaml")
    assert job.source.pictures == (str(tmp_path / "photos"),) and job.sink.folder == str(tmp_path / "out")
    assert Job.of(job.described() | {"sink": {"folder": str(tmp_path / "out")}}) == job


@pytest.mark.parametrize("page", ["scale.md", "scale.ko.md"])
def test_the_example_in_the_pages_is_the_file_beside_them(page):
    docs = Path(__file__).parents[2] / "docs"
    shown = (docs / page).read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert shown == (docs / "dataset.yaml").read_text(encoding="utf-8").partition("\n")[2]
    job = Job.of(docs / "dataset.yaml")
    assert Tools(job).variants == 6 and Path(job.sink.folder) == docs.parent / "stylemix_run"


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        ("3-1", "runs backwards"),
        ("a", "no seed or range"),
        ("0-4,2", "seed 2 is there twice"),
        ("0-" + "9" * 20, "no seed"),
        ("9" * 5000, "no seed"),
        ("0..4", "write 0-4"),
        ("0-18446744073709551615", "a job has 1000000000 at most"),
    ],
)
def test_wrong_seeds_are_refused(seeds, told):
    with pytest.raises(sm.StyleMixError, match=told):
        sources.Seeds(seeds)


@pytest.mark.parametrize("seeds", ["0-2, 7", "0–2,7", "０～２，７"])
def test_seeds_are_read_as_people_write_them(seeds):
    assert [seed for _, seed in sources.Seeds(seeds)] == [0, 1, 2, 7]


def test_ten_million_seeds_take_no_list():
    seeds = sources.Seeds("5-9999999,20000000-20000001,3")
    assert len(seeds) == 9_999_998
    assert [seeds[0], seeds[-2 % len(seeds)], seeds[len(seeds) - 1]] == [
        ["seed", 5],
        ["seed", 20000001],
        ["seed", 3],
    ]


# nothing is lost, nothing is done twice


def test_seeds_become_pictures_and_codes(job, tmp_path, models):
    done = sm.run_job(job())
    assert (done.items, done.rows, done.failed, done.done_before) == (7, 7, 0, 0)
    out = tmp_path / "out"
    generator = sm.load_generator(models["generator"][1], "cpu")
    w = generator.mapping(sm.sample_z(range(7), generator.z_dim), truncation_psi=0.7)
    assert sorted(path.name for path in (out / "parts").iterdir()) == ["00000.tar", "00001.tar", "00002.tar"]
    for seed, row in enumerate(rows(out)):
        assert (row["key"], row["source"], row["status"]) == (f"seed{seed:08d}", f"seed {seed}", "ok")
        with tarfile.open(out / "parts" / f"{seed // 3:05d}.tar") as tar:
            code = np.load(io.BytesIO(tar.extractfile(f"{row['key']}.w.npy").read()))
            picture = Image.open(io.BytesIO(tar.extractfile(f"{row['key']}.png").read()))
            own = json.load(tar.extractfile(f"{row['key']}.json"))
        assert code.dtype == np.float32 and code.shape == tuple(w.shape[1:])
        torch.testing.assert_close(torch.from_numpy(code), w[seed], rtol=1e-5, atol=1e-6)
        drawn = generator.synthesis(w[seed : seed + 1]).clamp(-1, 1)[0]
        seen = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 127.5 - 1
        assert float((drawn - seen).abs().max()) < 0.02
        assert own == row


@pytest.mark.parametrize("format", ["tar", "files"])
def test_a_job_that_stops_anywhere_ends_as_if_it_had_not(job, tmp_path, format):
    whole = job(sink={"format": format, "folder": str(tmp_path / "whole")})
    sm.run_job(whole)
    for stop in range(1, 3):
        broken = job(sink={"format": format, "folder": str(tmp_path / f"broken{stop}")})

        def interrupt(done, total, pictures, note, stop=stop):
            if done >= 3 * stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sm.run_job(broken, on_step=interrupt)
        assert not list((tmp_path / f"broken{stop}" / "parts").glob("*partial*"))
        done = sm.run_job(broken)
        assert done.done_before >= stop
        assert contents(tmp_path / f"broken{stop}") == contents(tmp_path / "whole") | {
            "DATASHEET.md": contents(tmp_path / f"broken{stop}")["DATASHEET.md"]
        }


def test_parts_without_index_and_rests_are_done_again(job, tmp_path):
    sm.run_job(job())
    out, before = tmp_path / "out", contents(tmp_path / "out")
    (out / "index" / "00001.jsonl").unlink()
    (out / "parts" / "00002.tar.partial-of-another-run").write_bytes(b"half")
    assert sm.run_job(job()).done_before == 2
    assert contents(out) == before


def test_what_fails_is_told_and_the_rest_is_done(job, tmp_path):
    folder = photos(tmp_path / "photos")
    (folder / "p1.png").write_bytes(b"no picture")
    (folder / "사진.png").write_bytes((folder / "p3.png").read_bytes())
    before = job({"pictures": str(folder)}, ["encode", "decode"])
    done = sm.run_job(before)
    assert (done.rows, done.failed) == (6, 1)
    table = rows(tmp_path / "out")
    assert [row["status"] for row in table] == ["ok", "failed", "ok", "ok", "ok", "ok"]
    assert "p1.png cannot be read as a picture" in table[1]["reason"] and table[1]["item"] == 1
    assert table[5]["key"] == "00000005_사진"
    shutil.copy(folder / "p0.png", folder / "p1.png")
    assert sm.run_job(before).failed == 1
    assert sm.run_job(before, retry_failed=True).failed == 0
    assert rows(tmp_path / "out")[1]["files"] == table[0]["files"]


def test_a_folder_that_has_grown_is_told(job, tmp_path):
    folder = photos(tmp_path / "photos", 3)
    mine = job({"pictures": str(folder)}, ["encode"], sink={"pictures": "none"})
    assert sm.run_job(mine).warnings == ()
    shutil.copy(folder / "p0.png", folder / "p9.png")
    done = sm.run_job(mine)
    (told,) = done.warnings
    assert done.rows == 3 and "when there were 3 pictures, and now there are 4" in told
    shutil.rmtree(folder)
    assert sm.run_job(mine).rows == 3


def test_one_that_the_networks_refuse_fails_alone(job, tmp_path):
    folder = tmp_path / "codes"
    folder.mkdir()
    generator = sm.load_generator(job()["models"]["generator"], "cpu")
    w = generator.mapping(sm.sample_z([0, 1, 2], generator.z_dim))
    for name, code in {"a": w[:1], "b": w[1:2, :-1], "c": w[2:]}.items():
        sm.save_latents(folder / f"{name}.safetensors", code)
    sm.run_job(job({"codes": str(folder)}))
    table = rows(tmp_path / "out")
    assert [row["status"] for row in table] == ["ok", "failed", "ok"]
    assert "has the shape [1, 7, 16]; this generator takes [batch, 8, 16]" in table[1]["reason"]


def test_no_rest_of_a_part_is_left(job, tmp_path):
    described = job(sink={"format": "files"})
    sm.run_job(described)
    out, before = tmp_path / "out", contents(tmp_path / "out")
    (out / "index" / "00001.jsonl").unlink()
    sm.run_job(described)
    assert contents(out) == before


def test_a_damaged_part_is_named(job, tmp_path):
    sm.run_job(job())
    part = tmp_path / "out" / "parts" / "00000.tar"
    part.write_bytes(part.read_bytes()[:700])
    with pytest.raises(sm.StyleMixError, match="part 00000 of .* is damaged"):
        sm.report_job(tmp_path / "out")


def test_another_version_is_named(job, tmp_path, monkeypatch):
    sm.run_job(job())
    monkeypatch.setattr("stylemix_core.jobs.folder.__version__", "9.9")
    with pytest.raises(sm.StyleMixError, match=r"was begun by StyleMix .*, and this is 9.9"):
        sm.run_job(job())


def test_other_jobs_and_other_models_are_refused(job, tmp_path):
    sm.run_job(job())
    with pytest.raises(sm.StyleMixError, match=r"is of another job: source.seeds was 0-6, and is 0-7 now"):
        sm.run_job(job({"seeds": "0-7"}))
    with pytest.raises(sm.StyleMixError, match=r"is of another job: batch was 2, and is 4 now"):
        sm.run_job(job(batch=4))
    other = tmp_path / "other.safetensors"
    shutil.copy(job()["models"]["generator"], other)
    told = json.loads((tmp_path / "out" / "job.json").read_text())
    told["inputs"]["models.generator"] = "0" * 64
    (tmp_path / "out" / "job.json").write_text(json.dumps(told))
    with pytest.raises(sm.StyleMixError, match="inputs.models.generator was 000"):
        sm.run_job(job())
    for text in ("{", "{}", '{"threads": 1}', "[]"):
        (tmp_path / "out" / "job.json").write_text(text)
        for act in (
            lambda: sm.run_job(job()),
            lambda: sm.reproduce(tmp_path / "out", 0),
            lambda: sm.report_job(tmp_path / "out"),
        ):
            with pytest.raises(sm.StyleMixError, match="is damaged"):
                act()


def test_a_style_that_changed_is_refused_whatever_it_is_called(job, tmp_path):
    generator = sm.load_generator(job()["models"]["generator"], "cpu")
    paths = [tmp_path / name / "s.safetensors" for name in "ab"]
    for seed, path in enumerate(paths):
        sm.save_latents(path, generator.mapping(sm.sample_z([seed], generator.z_dim)))
    styled = job(steps=[{"inject": {"style": [*map(str, paths)], "masks": "0"}}, "decode"])
    sm.run_job(styled)
    sm.save_latents(paths[0], generator.mapping(sm.sample_z([9], generator.z_dim)))
    with pytest.raises(sm.StyleMixError, match=r"inputs.steps\[0\] 1 was"):
        sm.run_job(styled)


@pytest.mark.parametrize(
    "harm", ["empty index", "torn index", "short index", "no part", "torn plan", "short plan", "odd plan"]
)
def test_damage_in_the_folder_is_told_or_mended(job, tmp_path, harm):
    folder = photos(tmp_path / "photos", 7)
    described = job({"pictures": str(folder)}, ["encode", "decode"])
    sm.run_job(described)
    out, before = tmp_path / "out", contents(tmp_path / "out")
    index, plan_file = out / "index" / "00001.jsonl", out / "plan.jsonl"
    lines = plan_file.read_text().splitlines(keepends=True)
    {
        "empty index": lambda: index.write_bytes(b""),
        "torn index": lambda: index.write_bytes(index.read_bytes()[:-40]),
        "short index": lambda: index.write_bytes(index.read_bytes().splitlines(keepends=True)[0]),
        "no part": (out / "parts" / "00001.tar").unlink,
        "torn plan": lambda: plan_file.write_text("".join(lines)[:-30]),
        "short plan": lambda: plan_file.write_text("".join(lines[:1] + lines[2:])),
        "odd plan": lambda: plan_file.write_text("5\n"),
    }[harm]()
    if harm in ("empty index", "no part"):
        assert sm.run_job(described).done_before == 2
        assert contents(out) == before
        return
    with pytest.raises(sm.StyleMixError, match="is damaged"):
        sm.run_job(described)
    if "index" in harm:
        index.unlink()
        sm.run_job(described)
        assert contents(out) == before


def test_whatever_a_file_leads_a_library_to_is_its_failure_alone(job, tmp_path, monkeypatch):
    folder = photos(tmp_path / "photos", 4)
    described = job({"pictures": str(folder)}, ["encode", "decode"])
    real_read, real_draw = work.read_piece, steps.draw

    def read(number, entry, key, tools):
        if number == 1:
            raise IndexError("a parser's")
        return real_read(number, entry, key, tools)

    def draw(step, pieces, tools):
        if any(piece.number == 2 for piece in pieces):
            raise RuntimeError("a kernel's")
        return real_draw(step, pieces, tools)

    monkeypatch.setattr(work, "read_piece", read)
    monkeypatch.setattr(steps, "draw", draw)
    done = sm.run_job(described)
    assert (done.rows, done.failed) == (4, 2)
    table = rows(tmp_path / "out")
    assert [row.get("reason") for row in table] == [
        None,
        "IndexError: a parser's",
        "RuntimeError: a kernel's",
        None,
    ]
    monkeypatch.undo()
    assert sm.reproduce(tmp_path / "out", 0).differing == ()
    assert sm.reproduce(tmp_path / "out", 2).differing == ("png", "w.npy"), "it failed then and works now"


def test_want_of_memory_stops_the_job(job, tmp_path, monkeypatch):
    def draw(step, pieces, tools):
        raise torch.OutOfMemoryError("too much")

    monkeypatch.setattr(steps, "draw", draw)
    with pytest.raises(sm.StyleMixError, match="make the job's batch smaller"):
        sm.run_job(job())
    assert list((tmp_path / "out" / "parts").iterdir()) == []


def test_helpers_compute_by_themselves_and_keep_no_gradients(job, tmp_path, monkeypatch):
    seen = []
    real = work.read_piece

    def read(*given):
        torch.ones(3) @ torch.ones(3)
        seen.append(torch.get_num_threads())
        return real(*given)

    monkeypatch.setattr(work, "read_piece", read)
    sm.run_job(job(), threads=2)
    assert {*seen} == {1}


def test_a_retry_that_is_stopped_goes_on(job, tmp_path):
    folder = photos(tmp_path / "photos", 9)
    for name in ("p0.png", "p4.png", "p8.png"):
        (folder / name).write_bytes(b"")
    described = job({"pictures": str(folder)}, ["encode", "decode"])
    assert sm.run_job(described).failed == 3
    photos(tmp_path / "more", 9)
    shutil.copytree(tmp_path / "more", folder, dirs_exist_ok=True)

    def stop(done, *_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sm.run_job(described, retry_failed=True, on_step=stop)
    done = sm.run_job(described)
    assert done.failed == 0 and not (tmp_path / "out" / "retry.json").exists()
    assert len(rows(tmp_path / "out")) == 9


@pytest.mark.parametrize(
    ("steps", "source", "told"),
    [
        (["decode"], {"seeds": "0-3", "cutoff": 99}, "cutoff is 99, but this generator has 8 layers"),
        (["decode"], {"seeds": "0-3", "class_label": 1}, "no classes"),
        ([{"invert": {"method": "iterate"}}, "decode"], {"pictures": "."}, "does not refine its codes"),
        ([{"regions": {"names": ["hare"]}}], {"pictures": "."}, "there is no region 'hare'"),
    ],
)
def test_what_would_fail_every_time_is_refused_at_once(job, tmp_path, steps, source, told):
    photos(tmp_path / "photos", 1)
    source = source | ({"pictures": str(tmp_path / "photos")} if "pictures" in source else {})
    with pytest.raises(sm.StyleMixError, match=told):
        sm.run_job(job(source, steps))
    with pytest.raises(sm.StyleMixError, match="threads is -1"):
        sm.run_job(job(), threads=-1)


def test_many_variants_take_no_more_memory_than_a_batch(job, tmp_path, monkeypatch):
    sizes = []
    real = steps.draw
    monkeypatch.setattr(
        steps, "draw", lambda step, pieces, tools: (sizes.append(len(pieces)), real(step, pieces, tools))[1]
    )
    style = tmp_path / "style.safetensors"
    generator = sm.load_generator(job()["models"]["generator"], "cpu")
    sm.save_latents(style, generator.mapping(sm.sample_z([5], generator.z_dim)))
    many = "; ".join(f"0@{i / 20:g}" for i in range(1, 20))
    sm.run_job(job({"seeds": "0-1"}, [{"inject": {"style": str(style), "masks": many}}, "decode"], batch=4))
    assert max(sizes) == 4 and sum(sizes) == 38
    assert [row["key"] for row in rows(tmp_path / "out")] == [
        f"seed0000000{s}-{i:02d}" for s in (0, 1) for i in range(19)
    ]
    assert sm.reproduce(tmp_path / "out", 30).differing == ()


def test_odd_members_of_shards_lose_nothing_else(tmp_path):
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (
            ("a.png", tarfile.REGTYPE),
            ("b.png", tarfile.LNKTYPE),
            ("c.png", tarfile.REGTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "a.png" if kind == tarfile.LNKTYPE else ""
            data = png(1) if kind == tarfile.REGTYPE else b""
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    assert [(entry[0], entry[-1][:5]) for entry in sources.members(str(path), True)] == [
        ("member", "a.png"),
        ("lost", "it is"),
        ("member", "c.png"),
    ]
    data = bytearray(path.read_bytes())
    data[124:136] = b"\xff" * 12  # a size below nothing
    data[148:156] = b"        "
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    path.write_bytes(data)
    assert [entry[0] for entry in sources.members(str(path), True)] == ["lost"]
    assert [entry[0] for entry in sources.members(str(tmp_path / "none.tar"), True)] == ["lost"]


def test_two_runs_into_one_folder_are_refused(job, tmp_path):
    sm.run_job(job())
    with sink.locked(tmp_path / "out"), pytest.raises(sm.StyleMixError, match="another run is writing into"):
        sm.run_job(job())
    sm.run_job(job())


def test_a_disk_without_space_stops_the_job_and_leaves_whole_parts(job, tmp_path, monkeypatch):
    class Full(sink.ShardWriter):
        def add(self, key, files):
            if key == "seed00000004":
                raise OSError(28, "No space left on device")
            super().add(key, files)

    with monkeypatch.context() as patch:
        patch.setattr(sink, "ShardWriter", Full)
        with pytest.raises(sm.StyleMixError, match="no space is left. All parts that are done are whole"):
            sm.run_job(job())
    left = sorted(path.name for path in (tmp_path / "out" / "parts").iterdir())
    assert left in (["00000.tar"], ["00000.tar", "00002.tar"])
    assert sm.run_job(job()).done_before == len(left)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_small_disk_that_is_full(job, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        described = job({"seeds": "0-40"}, sink={"folder": str(small / "out")}, part=4)
        with pytest.raises(sm.StyleMixError, match="no space is left"):
            sm.run_job(described)
        done = len(list((small / "out" / "index").iterdir()))
        assert 0 < done < 11
        assert not list((small / "out").rglob("*.partial*"))
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        assert sm.run_job(described).done_before == done
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_results_do_not_depend_on_the_number_of_threads(job, tmp_path):
    for threads in (1, 3):
        sm.run_job(job({"seeds": "0-20"}, sink={"folder": str(tmp_path / str(threads))}), threads=threads)
    assert contents(tmp_path / "1")["index.jsonl"] == contents(tmp_path / "3")["index.jsonl"]
    assert torch.get_num_threads() == 1


def test_progress_tells_rate_and_failures(job, tmp_path):
    folder = photos(tmp_path / "photos", 4)
    (folder / "p0.png").write_bytes(b"")
    told = []
    sm.run_job(job({"pictures": str(folder)}, ["encode", "decode"]), on_step=lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(3, 4), (4, 4)]
    assert told[-1][3].endswith("/s, 1 failed")
    line = json.loads((tmp_path / "out" / "log.jsonl").read_text().splitlines()[-1])
    assert (line["done"], line["items"], line["failed"], line["seconds_left"]) == (4, 4, 1, 0)


# sources


def test_folders_patterns_and_links_in_circles(tmp_path):
    folder = photos(tmp_path / "photos", 2)
    (folder / "sub").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "sub" / "q.JPG")
    (folder / "sub" / "around").symlink_to(folder)
    (folder / "notes.txt").write_text("none")
    found = [Path(path).name for path in sources.find_files([str(folder)], (".png", ".jpg"))]
    assert found == ["p0.png", "p1.png", "q.JPG"]
    assert [
        Path(p).name for p in sources.find_files([str(folder / "p*.png"), str(folder / "p0.png")], (".png",))
    ] == ["p0.png", "p1.png"]
    with pytest.raises(sm.StyleMixError, match="there is no file or folder"):
        list(sources.find_files([str(folder / "no*.png")], (".png",)))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is unreadable to this user")
def test_an_unreadable_folder_is_told(tmp_path):
    folder = photos(tmp_path / "photos", 1)
    folder.chmod(0)
    try:
        with pytest.raises(sm.StyleMixError, match="cannot be read"):
            list(sources.find_files([str(tmp_path)], (".png",)))
    finally:
        folder.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are text")
def test_names_of_any_bytes(job, tmp_path):
    folder = photos(tmp_path / "photos", 1)
    data = (folder / "p0.png").read_bytes()
    for name in (b"a\nb.png", b"\xff\xfe.png"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(data)
    done = sm.run_job(job({"pictures": str(folder)}, ["encode", "decode"]))
    assert (done.rows, done.failed) == (3, 0)
    assert [row["key"] for row in rows(tmp_path / "out")] == [
        "00000000_a_b",
        "00000001_p0",
        "00000002_unnamed",
    ]


def shard(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def png(colour: int, size: int = 64) -> bytes:
    data = io.BytesIO()
    noise = np.random.RandomState(colour).randint(0, 255, (size, size, 3), np.uint8)
    Image.fromarray(noise).save(data, "PNG")
    return data.getvalue()


def test_shards_are_read_also_where_they_are_cut(job, tmp_path):
    members = [("a.png", png(1)), ("a.json", b"{}"), ("b.jpg", png(2)), ("a.png", png(3)), ("c.png", b"none")]
    path = shard(tmp_path / "in.tar", members)
    sm.run_job(job({"tars": str(path)}, ["encode", "decode"]))
    table = rows(tmp_path / "out")
    assert [row["key"] for row in table] == ["00000000_a", "00000001_b", "00000002_a", "00000003_c"]
    assert [row["status"] for row in table] == ["ok", "ok", "ok", "failed"]
    assert f"{path}: c.png" in table[3]["reason"]

    data = path.read_bytes()
    places = {
        "in the middle of a picture": 512 + 700,
        "at a header": 512 + -(-len(png(1)) // 512) * 512,
        "in its end": len(data) - 9000,
    }
    for what, place in places.items():
        cut = tmp_path / "cut.tar"
        cut.write_bytes(data[:place])
        entries = list(sources.members(str(cut), True))
        assert entries[-1][0] == "lost", what
        assert "cut off" in entries[-1][2], what
    (tmp_path / "cut.tar").write_bytes(b"no tar at all" * 100)
    assert "no tar that can be read" in next(sources.members(str(tmp_path / "cut.tar"), True))[2]


def test_codes_of_shards_are_read_again(job, tmp_path):
    sm.run_job(job())
    again = job(
        {"tars": str(tmp_path / "out" / "parts" / "*.tar")},
        ["decode"],
        sink={"folder": str(tmp_path / "again")},
    )
    sm.run_job(again)
    assert [row["files"] for row in rows(tmp_path / "again")] == [
        row["files"] for row in rows(tmp_path / "out")
    ]
    arrays = {
        "nan": np.full((3, 4), np.nan),
        "whole numbers": np.ones((3, 4), int),
        "several": np.ones((2, 3, 4)),
        "none": np.ones((0, 4)),
        "one w": np.ones(4),
    }
    for what, array in arrays.items():
        bad = io.BytesIO()
        np.save(bad, array)
        with pytest.raises(sm.StyleMixError, match="holds no W"):
            sources.read_array(bad.getvalue(), what)
    for data in (b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x10\x00{'descr': ("):
        with pytest.raises(sm.StyleMixError, match="holds no W"):
            sources.read_array(data, "torn")
    good = io.BytesIO()
    np.save(good, np.arange(12.0).reshape(3, 4).astype(">f8"))
    assert sources.read_array(good.getvalue(), "big-endian").tolist() == [
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    ]


def test_tables_are_read(job, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as arrow

    folder = photos(tmp_path / "photos", 1)
    values = [png(1), png(2), b"none", None] + [png(3)] * 130
    parquet.write_table(arrow.table({"image": values}), folder / "bytes.parquet", row_group_size=100)
    parquet.write_table(arrow.table({"image": ["p0.png"]}), folder / "paths.parquet")
    (folder / "torn.parquet").write_bytes(b"PAR1")
    sm.run_job(job({"parquet": str(folder)}, ["encode", "decode"], sink={"index": "parquet"}))
    table = parquet.read_table(tmp_path / "out" / "index.parquet").to_pylist()
    assert [row["status"] for row in table] == ["ok", "ok", "failed", "failed"] + ["ok"] * 131 + ["failed"]
    assert table[0]["origin"] == table[0]["key"]
    with pytest.raises(sm.StyleMixError, match="has no column 'photo'; there are: image"):
        sm.run_job(
            job(
                {"parquet": str(folder / "bytes.parquet"), "column": "photo"},
                ["encode"],
                sink={"folder": str(tmp_path / "x")},
            )
        )


# steps


def test_styles_and_masks_make_several_results_each(job, tmp_path):
    generator = sm.load_generator(job()["models"]["generator"], "cpu")
    style = tmp_path / "style.safetensors"
    styles = generator.mapping(sm.sample_z([50, 51], generator.z_dim))
    sm.save_latents(style, styles)
    sm.run_job(job(steps=[{"inject": {"style": str(style), "masks": "0-1; 2@0.5"}}, "decode"]))
    table = rows(tmp_path / "out")
    assert [row["key"] for row in table[:5]] == [f"seed00000000-{i:02d}" for i in range(4)] + [
        "seed00000001-00"
    ]
    w = generator.mapping(sm.sample_z(range(7), generator.z_dim), truncation_psi=0.7)
    expected = sm.inject(w, styles, sm.parse_masks("0-1; 2@0.5", generator.num_ws), "all")
    with tarfile.open(tmp_path / "out" / "parts" / "00001.tar") as tar:
        code = np.load(io.BytesIO(tar.extractfile("seed00000004-03.w.npy").read()))
    torch.testing.assert_close(torch.from_numpy(code), expected[4 * 4 + 3], rtol=1e-5, atol=1e-6)


def test_a_balanced_design_has_every_combination_equally_often():
    factors = {
        "a": Factor((0.0, 1.0), attribute="smile"),
        "b": Factor((0.0, 0.5, 1.0), attribute="jaw"),
    }
    step = Vary(factors, design="balanced", each=2, seed=1)
    every = combinations(step)
    assert len(every) == 6 and sorted(map(str, every)) == sorted(map(str, combinations(Vary(factors))))
    taken = [str(every[(number * 2 + j) % 6]) for number in range(9) for j in range(2)]
    assert {taken.count(one) for one in map(str, every)} == {3}


def test_a_data_set_knows_its_truth_and_its_report_finds_leaks(tmp_path):
    steps = [
        {"vary": {"factors": {"smiling": {"attribute": "smile", "values": [0.1, 0.9]}}}},
        {"inject": {"style": str(Path(sm.__file__).parent / "demo" / "bob.safetensors"), "masks": "4-5"}},
    ]
    out = tmp_path / "out"
    sm.run_job(
        {
            "source": {"seeds": "0-11", "psi": 1},
            "steps": steps,
            "sink": {"folder": str(out), "pictures": "none"},
            "part": 5,
        }
    )
    codes = {}
    for part in range(3):
        with tarfile.open(out / "parts" / f"{part:05d}.tar") as tar:
            for member in tar:
                if member.name.endswith(".w.npy"):
                    codes[member.name.partition(".")[0]] = np.load(io.BytesIO(tar.extractfile(member).read()))
    shown = truth.attributes_of_codes(torch.from_numpy(np.stack(list(codes.values()))))
    wanted = [row["truth"]["smiling"] for row in rows(out)]
    assert [round(float(value), 3) for value in shown[:, truth.column("smile")]] == wanted == [0.1, 0.9] * 12
    hair = [place for place in range(shown.shape[1]) if reports.ATTRIBUTES[place].layer in (4, 5)]
    assert float(shown[:, hair].std(0).max()) < 1e-4, "all have the bob's hair"

    found = sm.report_job(out)
    assert (found.results, found.failed, found.balance) == (24, 0, {"smiling": {"0.1": 12, "0.9": 12}})
    assert found.leaks == ()
    assert "24 results, 0 failed" in str(found)


def test_a_report_finds_what_goes_together_and_who_is_there_twice():
    random = np.random.RandomState(0)
    a = random.rand(200)
    data = reports._Data(
        [f"k{i}" for i in range(200)],
        [{}] * 200,
        {"a": a, "b": a * 0.8 + random.rand(200) * 0.4, "c": random.rand(200)},
        torch.cat([torch.eye(199), torch.eye(199)[:1]]),
        "",
        "",
        reports.ALIKE,
    )
    leaks = reports._leaks(
        data, Job.of({"source": {"seeds": "0"}, "steps": ["decode"], "sink": {"folder": "x"}})
    )
    assert [(leak.one, leak.other) for leak in leaks] == [("a", "b")] and leaks[0].correlation > 0.85
    assert reports._duplicates(data) == (("k0", "k199", 1.0),)


def test_photos_are_cropped_encoded_and_pasted_back(tmp_path):
    avatar = sm.load_generator("demo", "cpu")
    face = avatar.synthesis(avatar.mapping(sm.sample_z([3], 512), truncation_psi=0.5)).clamp(-1, 1)
    photo = Image.new("RGB", (500, 420), (90, 120, 150))
    picture = Image.fromarray(((face[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
    photo.paste(picture, (150, 80))
    folder = tmp_path / "photos"
    folder.mkdir()
    photo.save(folder / "one.png")
    Image.new("RGB", (300, 300)).save(folder / "two.png")
    steps = ["align", "encode", "decode", {"regions": {"names": ["hair", "face"]}}, "paste"]
    sm.run_job(
        {
            "source": {"pictures": str(folder)},
            "steps": steps,
            "sink": {"folder": str(tmp_path / "out"), "format": "files"},
        }
    )
    table = rows(tmp_path / "out")
    assert [row["status"] for row in table] == ["ok", "failed"] and "no face was found" in table[1]["reason"]
    part = tmp_path / "out" / "parts" / "00000"
    assert sorted(path.name for path in part.iterdir()) == [
        f"00000000_one.{ending}" for ending in ("face.png", "hair.png", "json", "png", "w.npy")
    ]
    crops = {"source": {"pictures": str(folder)}, "steps": [{"align": {"size": 64}}]}
    sm.run_job(crops | {"sink": {"folder": str(tmp_path / "crops"), "format": "files"}})
    with Image.open(tmp_path / "crops" / "parts" / "00000" / "00000000_one.png") as crop:
        assert crop.size == (64, 64)
    pasted = np.array(Image.open(part / "00000000_one.png")).astype(int)
    before = np.array(photo).astype(int)
    assert pasted.shape == before.shape
    assert np.array_equal(pasted[:40], before[:40]), "far from the face nothing changes"
    assert np.abs(pasted - before)[140:280, 220:330].mean() > 0.5


# one again, and the command line


def test_one_is_made_again_from_its_line(job, tmp_path):
    folder = photos(tmp_path / "photos", 7)
    (folder / "p2.png").write_bytes(b"")
    sm.run_job(job({"pictures": str(folder)}, ["encode", "decode"]))
    for row in (0, 3, 6, "00000004_p4"):
        made = sm.reproduce(tmp_path / "out", row)
        assert made.differing == () and [file.ending for file in made.files] == [".png", ".w.npy", ".json"]
        assert made.files[0].checksum == made.row["files"]["png"]
    assert "cannot be read" in sm.reproduce(tmp_path / "out" / "index.jsonl", 2).reason
    with pytest.raises(sm.StyleMixError, match="has no line 7; it has 0 to 6"):
        sm.reproduce(tmp_path / "out", 7)
    Image.new("RGB", (40, 40), "white").save(folder / "p3.png")
    assert sm.reproduce(tmp_path / "out", 3).differing == ("png", "w.npy")


def test_an_estimate_writes_nothing(job, tmp_path):
    found = sm.estimate_job(job())
    assert (found.items, found.results, found.parts, found.parts_left) == (7, 7, 3, 3)
    assert not (tmp_path / "out").exists()
    sm.run_job(job())
    size = sum(path.stat().st_size for path in (tmp_path / "out" / "parts").iterdir())
    assert 0.3 * size < found.bytes < 1.5 * size
    assert sm.estimate_job(job()).parts_left == 0


def test_the_commands(job, tmp_path, capsys, models):
    path = tmp_path / "job.yaml"
    path.write_text(json.dumps(job()))
    assert cli.main(["run", str(path), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("7 items, 7 results in 3 parts, 3 of them left; about ")
    assert cli.main(["run", str(path)]) == 0
    assert capsys.readouterr().out == f"7 results of 7 items in {tmp_path / 'out'}\n"
    assert cli.main(["reproduce", str(tmp_path / "out"), "2", "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "seed00000002.png").is_file()
    assert cli.main(["reproduce", str(tmp_path / "out"), "no", "--out", str(tmp_path / "again")]) == 2
    assert "has no line no" in capsys.readouterr().err
    assert cli.main(["run", str(path), "--workers", "2"]) == 2
    assert "--ray local" in capsys.readouterr().err


def test_shards_of_the_commands(tmp_path, capsys, models):
    folder = photos(tmp_path / "photos", 3)
    (folder / "p1.png").write_bytes(b"")
    both = [*models["generator"], *models["encoder"]]
    codes = tmp_path / "codes"
    assert (
        cli.main(["generate", "--seeds", "0-2,9", "--shards", "--out", str(codes), *models["generator"]]) == 0
    )
    assert [row["key"] for row in rows(codes)] == [f"seed{seed:08d}" for seed in (0, 1, 2, 9)]
    encoded = tmp_path / "encoded"
    assert (
        cli.main(["encode", str(folder), "--align", "never", "--shards", "--out", str(encoded), *both]) == 1
    )
    assert "1 could not be used" in capsys.readouterr().err
    assert [row["status"] for row in rows(encoded)] == ["ok", "failed", "ok"]
    single = tmp_path / "single"
    assert cli.main(["encode", str(folder), "--align", "never", "--out", str(single), *both]) == 1
    with tarfile.open(encoded / "parts" / "00000.tar") as tar:
        code = np.load(io.BytesIO(tar.extractfile("00000002_p2.w.npy").read()))
    torch.testing.assert_close(
        torch.from_numpy(code), sm.load_latents(single / "p2.safetensors").w[0], rtol=1e-5, atol=1e-5
    )
    inverted = tmp_path / "inverted"
    given = [
        str(folder / "p0.png"),
        "--align",
        "never",
        "--method",
        "encode",
        "--shards",
        "--out",
        str(inverted),
    ]
    assert cli.main(["invert", *given, *both]) == 0
    assert len(rows(inverted)) == 1
    assert cli.main(["invert", *given, "--method", "tune", *both]) == 2


def test_without_ray_it_says_what_to_install(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(sm.StyleMixError, match=r'pip install "ray\[data\]"'):
        sm.run_job(job(), ray="local")


# a million, killed runs, a cluster


@pytest.mark.slow
def test_a_million_rows_are_planned_and_read_in_bounds(tmp_path):
    script = f"""
import json, resource, time
from pathlib import Path
from stylemix_core.jobs import plan, sink
from stylemix_core.jobs.chain import Encode
from stylemix_core.jobs.job import Job, Sink, Source
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder = Path({str(tmp_path)!r})
files = [["file", f"/photos/{{i // 1000:04d}}/picture_{{i:07d}}.jpg"] for i in range(1_000_000)]
plan.list_entries = lambda *given: files
job = Job(Source(pictures=("/photos",)), (Encode(),), Sink(str(folder)))
made = plan.make_plan(folder, job)
assert made.count == 1_000_000 and made.entries(3906)[-1] == (999_999, ["file", "/photos/0999/picture_0999999.jpg"])
store = sink.Store(folder, Sink(str(folder)))
store.make()
sums = {{"png": "0" * 64, "w.npy": "1" * 64}}
row = {{"batch": "3", "files": sums, "origin": "a", "part": 0, "source": "/photos/x.jpg", "status": "ok"}}
lines = [row | {{"item": i, "key": f"{{i:08d}}_picture"}} for i in range(1000)]
for part in range(1000):
    (folder / "parts" / f"{{part:05d}}.tar").touch()
    store.mark_done(part, lines)
assert len(store.done()) == 1000
assert sum(1 for _ in store.rows()) == 1_000_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert int(told) < 500, "megabytes"


def start(path: Path, *more: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "stylemix_core.cli", "run", str(path), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.slow
def test_kill_nine_anywhere_changes_nothing(job, tmp_path):
    whole = job({"seeds": "0-499"}, part=20, sink={"folder": str(tmp_path / "whole")})
    sm.run_job(whole, threads=1)
    path = tmp_path / "job.yaml"
    path.write_text(json.dumps(job({"seeds": "0-499"}, part=20)))
    done, kills = tmp_path / "out" / "index", 0
    for kill in range(1, 6):
        process = start(path, "--threads", "1")
        while process.poll() is None and (not done.exists() or len(list(done.glob("*.jsonl"))) < 4 * kill):
            time.sleep(0.02)
        kills += process.poll() is None
        process.kill()
        process.wait()
        process.stdout.close()
    assert kills == 5
    assert cli.main(["run", str(path)]) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole") | {
        "DATASHEET.md": contents(tmp_path / "out")["DATASHEET.md"]
    }


def test_a_part_at_which_workers_die_again_and_again_is_given_up(tmp_path):
    (tmp_path / "tries").mkdir()
    for _ in range(4):
        count_try(tmp_path, 7)
    count_try(tmp_path, 8)
    with pytest.raises(sm.StyleMixError, match="4 workers died at part 7.*smaller batch"):
        count_try(tmp_path, 7)


@pytest.mark.slow
def test_ray_does_the_same_also_when_a_worker_and_the_driver_are_killed(job, tmp_path):
    psutil, _ = pytest.importorskip("psutil"), pytest.importorskip("ray")
    whole = job({"seeds": "0-299"}, part=10, sink={"folder": str(tmp_path / "whole")})
    sm.run_job(whole, threads=1)
    path = tmp_path / "job.yaml"
    path.write_text(json.dumps(job({"seeds": "0-299"}, part=10)))
    done = tmp_path / "out" / "index"

    def parts() -> int:
        return len(list(done.glob("*.jsonl"))) if done.exists() else 0

    def kill_a_worker(driver: int) -> None:
        below = psutil.Process(driver).children(recursive=True)
        workers = [one for one in below if "MapWorker" in " ".join(one.cmdline())]
        assert workers
        workers[0].kill()

    process = start(path, "--ray", "local", "--workers", "2")
    while process.poll() is None and parts() < 3:
        time.sleep(0.02)
    kill_a_worker(process.pid)
    while process.poll() is None and parts() < 12:
        time.sleep(0.02)
    below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.wait()
    process.stdout.close()
    for one in below:
        one.kill()
    psutil.wait_procs(below)
    assert parts() < 30, "the driver was killed before the end"
    last = start(path, "--ray", "local", "--workers", "2")
    told, _ = last.communicate()
    assert last.returncode == 0, told.decode()
    assert contents(tmp_path / "out") == contents(tmp_path / "whole") | {
        "DATASHEET.md": contents(tmp_path / "out")["DATASHEET.md"]
    }
