"""What only a real ComfyUI server can show."""

import pytest

from ..nodes.test_workflow import CONTRACT, inputs_of

pytestmark = pytest.mark.real


def test_the_stand_in_describes_the_nodes_as_comfyui_does(real_comfy, stand_in):
    """So that what is asserted of the stand-in holds for ComfyUI."""
    real, small = real_comfy.object_info(), stand_in.object_info()
    assert set(small) == set(CONTRACT)
    for info in (real, small):  # lists each host's own files
        for loader in ("Latent", "Tuning", "Directions"):
            inputs_of(info[f"StyleMixLoad{loader}"])["file"][1].pop("options")
        inputs_of(info["StyleMixLoadEncoder"])["checkpoint"][1].pop("options")  # Make Encoder's among them
    for node_id, described in small.items():
        assert {key: real[node_id][key] for key in described} == described


def test_the_pack_loads_without_a_warning(real_comfy):
    log = real_comfy.log_text()
    assert "IMPORT FAILED" not in "".join(line for line in log.splitlines() if "stylemix" in line)
    assert "Error while calling comfy_entrypoint" not in log


def test_the_page_can_ask_what_a_checkpoint_is(real_comfy):
    demo = real_comfy.get("/stylemix/inspect?folder=psp&checkpoint=demo%20(bundled)")
    assert demo["num_ws"] == 14
    outside = real_comfy.get("/stylemix/inspect?folder=stylegan&checkpoint=..%2Fpsp%2Fpsp.pt")
    assert list(outside) == ["error"]
