"""Uploads of Load W+ and Load Tuning, in ComfyUI's own front ends."""

import pytest
import torch

from stylemix_core.codes.latents import Latents, save_latents
from stylemix_core.inversion import Delta, save_delta

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.on_stand_in]

LOAD_ALONE = """() => {
    app.graph.clear();
    const node = LiteGraph.createNode('StyleMixLoadLatent');
    app.graph.add(node);
}"""
FILE = "app.graph._nodes[0].widgets.find(w => w.name === 'file').value"


def choose(page, path):
    with page.page.expect_file_chooser() as chooser:
        page.page.evaluate("app.graph._nodes[0].widgets.find(w => w.name === 'upload').callback()")
    chooser.value.set_files(path)


def test_an_uploaded_file_is_chosen_and_sent(page, tmp_path):
    page.page.evaluate(LOAD_ALONE)
    assert page.page.evaluate(FILE) == "bob haircut (bundled)"
    path = tmp_path / f"mine {page.name}.safetensors"
    save_latents(path, Latents.of(torch.zeros(1, 14, 512), "zero"))
    choose(page, path)
    page.page.wait_for_function(f"{FILE} === {path.name!r}")
    assert (page.server.base / "input" / path.name).read_bytes() == path.read_bytes()
    (sent,) = page.api_prompt().values()
    assert sent["inputs"] == {"file": path.name, "iteration": -1}
    assert page.page.evaluate("app.graph.serialize().nodes[0].widgets_values") == [path.name, -1]


def test_other_tools_files_are_taken(page, tmp_path):
    page.page.evaluate(LOAD_ALONE)
    path = tmp_path / f"projected_w {page.name}.npz"
    save_latents(path, Latents.of(torch.zeros(1, 14, 512), "zero"))
    choose(page, path)
    page.page.wait_for_function(f"{FILE} === {path.name!r}")


def test_another_file_is_refused_in_words(page, tmp_path):
    page.page.evaluate(LOAD_ALONE)
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"none")
    choose(page, path)
    page.page.get_by_text("photo.jpg was not uploaded").first.wait_for(timeout=60000)
    assert page.page.evaluate(FILE) == "bob haircut (bundled)"


def test_an_uploaded_tuning_is_chosen(page, tmp_path):
    page.page.evaluate(LOAD_ALONE.replace("LoadLatent", "LoadTuning"))
    assert page.page.evaluate(FILE) == ""
    path = tmp_path / f"tuning {page.name}.safetensors"
    save_delta(path, Delta({"synthesis.b4.conv1.weight": torch.zeros(1)}, "a generator"))
    choose(page, path)
    page.page.wait_for_function(f"{FILE} === {path.name!r}")
    assert (page.server.base / "input" / path.name).read_bytes() == path.read_bytes()
