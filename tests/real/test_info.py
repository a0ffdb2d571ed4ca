"""What the loaders show of their files, in ComfyUI's own front ends."""

import pytest

pytestmark = [pytest.mark.real, pytest.mark.browser]

LOADER_ALONE = """type => {
    app.graph.clear();
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = [200, 200];
}"""
CHOOSE = """name => {
    const checkpoint = app.graph._nodes[0].widgets.find(widget => widget.name === "checkpoint");
    checkpoint.value = name;
    checkpoint.callback?.(name);
}"""


@pytest.mark.parametrize(
    ("loader", "described", "more"),
    [
        ("StyleMixLoadGenerator", "draws 256×256 RGB pictures from 14 w vectors", {"compile": False}),
        ("StyleMixLoadEncoder", "The encoder (GradualStyleEncoder) reads 3-channel pictures", {}),
    ],
)
def test_a_loader_shows_what_its_file_is(page, loader, described, more):
    page.problems.clear()
    page.page.evaluate(LOADER_ALONE, loader)
    page.page.locator(".stylemix-info", has_text=described).wait_for(timeout=60000)
    inputs = {"checkpoint": "demo (bundled)", "dtype": "auto", **more}
    assert page.page.evaluate("app.graph.serialize().nodes[0].widgets_values") == [*inputs.values()]
    (sent,) = page.api_prompt().values()
    assert sent["inputs"] == inputs
    assert page.problems == []


def test_another_file_is_described_when_it_is_chosen(page):
    page.page.evaluate(LOADER_ALONE, "StyleMixLoadGenerator")
    page.page.evaluate(CHOOSE, "tiny.safetensors")
    page.page.locator(".stylemix-info", has_text="32×32").wait_for(timeout=60000)
    page.page.evaluate(CHOOSE, "gone.pkl")
    page.page.locator(".stylemix-info.stylemix-wrong", has_text="there is no checkpoint").wait_for(
        timeout=60000
    )
