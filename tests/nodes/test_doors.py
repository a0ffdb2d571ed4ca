"""What no node lets in: pictures and masks with pixels that are no numbers, and masks of impossible shapes."""

import pytest
import torch

from stylemix_core.faces import FaceTransform

TINY = {"checkpoint": "tiny.safetensors", "dtype": "float32"}

IMAGES = [
    ("StyleMixEncode", "image"),
    ("StyleMixSaveLatent", "image"),
    ("StyleMixInvert", "image"),
    ("StyleMixGrid", "images"),
    ("StyleMixGrid", "source"),
    ("StyleMixGrid", "style"),
    ("StyleMixGrid", "top"),
    ("StyleMixAlignFace", "image"),
    ("StyleMixPasteFace", "image"),
    ("StyleMixPasteFace", "face"),
    ("StyleMixFaceRegions", "image"),
    ("StyleMixTrackFace", "image"),
    ("StyleMixMakeEncoder", "pictures"),
]
MASKS = [
    ("StyleMixInject", "region"),
    ("StyleMixDrag", "may_move"),
    ("StyleMixInvert", "mask"),
    ("StyleMixExplainLayers", "masks"),
    ("StyleMixFindLayers", "target_mask"),
    ("StyleMixFindLayers", "keep_mask"),
    ("StyleMixPasteFace", "mask"),
    ("StyleMixMakeEncoder", "mask"),
]


@pytest.fixture(scope="module")
def inputs(stand_in):
    """Inputs with which every node runs, on the tiny models."""
    (generator,) = stand_in.call("StyleMixLoadGenerator", **TINY)
    encoder, _ = stand_in.call("StyleMixLoadEncoder", **TINY)
    sampling = {"batch_size": 1, "truncation_psi": 1.0, "truncation_cutoff": -1, "class_label": -1}
    (image, latent), (_, style) = (
        stand_in.call("StyleMixSampler", generator=generator, seed=seed, noise_mode="const", **sampling)
        for seed in (1, 2)
    )
    codes = {"generator": generator, "latent": latent, "style": style}
    quad = ((4.0, 4.0), (4.0, 27.0), (27.0, 27.0), (27.0, 4.0))
    transform = (FaceTransform(quad, 16, (32, 32)),)
    half = torch.zeros(32, 32)
    half[:, :16] = 1
    return {
        "StyleMixEncode": {"encoder": encoder, "image": image, "align": "never"},
        "StyleMixSaveLatent": {"latent": latent, "filename_prefix": "doors", "image": image},
        "StyleMixDrag": {
            **{"generator": generator, "latent": latent, "points": "0.5,0.5 > 0.6,0.5"},
            **{"mask_list": "0-5", "steps": 1, "may_move": half},
        },
        "StyleMixInvert": {
            **{"generator": generator, "image": image, "method": "optimize", "steps": 1, "seed": 0},
            **{"quality": "balanced", "encoder": encoder, "mask": half},
        },
        "StyleMixGrid": {"images": image, "source": image, "style": image},
        "StyleMixAlignFace": {
            **{"image": image, "face": "largest", "face_index": 0, "margin": 0.0, "output_size": 64},
            "points": "10,12 20,12 11,20 19,20",
        },
        "StyleMixMakeEncoder": {
            **{
                "generator": generator,
                "name": "doors",
                "minutes": 0.001,
                "size": "auto",
                "truncation_psi": 1.0,
            },
            **{"editable": False, "good_enough": 0.0, "seed": 0, "pictures": image, "mask": half},
        },
        "StyleMixFaceRegions": {"image": image, "source": "auto"},
        "StyleMixTrackFace": {"image": image, "face": -1, "size": 64},
        "StyleMixPasteFace": {
            **{"image": image, "face": image, "transform": transform, "feather": 0.1},
            **{"colour_match": "seam", "mask": half},
        },
        "StyleMixInject": {
            **codes,
            **{"mask_list": "0; 1", "alpha": 1.0, "pairing": "match", "seed": 0, "region": half},
        },
        "StyleMixExplainLayers": {**codes, "masks": half, "mask_names": "left"},
        "StyleMixFindLayers": {
            **codes,
            **{"target": "mask", "what": "anything", "keep": "mask", "care": 2.0, "steps": 0, "others": 0},
            **{"target_mask": half, "keep_mask": 1 - half},
        },
    }


def test_these_are_all_pictures_and_masks_that_nodes_take(stand_in):
    taken = {"IMAGE": set(), "MASK": set()}
    for node, info in stand_in.object_info().items():
        for name, (kind, *_) in {**info["input"]["required"], **info["input"].get("optional", {})}.items():
            if kind in taken:
                taken[kind].add((node, name))
    assert taken == {"IMAGE": set(IMAGES), "MASK": set(MASKS)}


@pytest.mark.parametrize("number", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize(("node", "name"), IMAGES)
def test_no_picture_with_one_pixel_that_is_no_number_is_let_in(stand_in, inputs, node, name, number):
    given = inputs[node] if name != "top" else {"images": inputs[node]["images"]}
    image = inputs["StyleMixEncode"]["image"].clone()
    image[0, 5, 7, 1] = number
    with pytest.raises(ValueError, match=r"holds (NaN|infinite numbers); look for the failure in the step"):
        stand_in.call(node, **{**given, name: image})


@pytest.mark.parametrize("number", [torch.inf, torch.nan])
@pytest.mark.parametrize(("node", "name"), MASKS)
def test_no_mask_with_one_pixel_that_is_no_number_is_let_in(stand_in, inputs, node, name, number):
    mask = inputs[node][name].clone()
    mask[5, 7] = number
    with pytest.raises(ValueError, match=r"holds (NaN|infinite numbers); look for the failure in the step"):
        stand_in.call(node, **{**inputs[node], name: mask})


@pytest.mark.parametrize("shape", [(32,), (2, 1, 1, 32, 32), (1, 3, 32, 32), (0, 32, 32)])
@pytest.mark.parametrize(("node", "name"), MASKS)
def test_no_mask_of_an_impossible_shape_is_let_in(stand_in, inputs, node, name, shape):
    with pytest.raises(ValueError, match=r"has the shape \[.*\]; expected a mask \[height, width\]"):
        stand_in.call(node, **{**inputs[node], name: torch.ones(shape)})


# Not in Find Layers, whose search takes seconds.
@pytest.mark.parametrize(("node", "name"), [door for door in MASKS if door[0] != "StyleMixFindLayers"])
def test_masks_of_every_possible_shape_are_the_same_to_nodes(stand_in, inputs, node, name):
    mask = inputs[node][name]
    outputs = [
        comparable(stand_in.call(node, **{**inputs[node], name: shaped}))
        for shaped in (mask, mask[None], mask[None, None])
    ]
    assert outputs[0] == outputs[1] == outputs[2]


def comparable(outputs: tuple) -> list:
    """What tells a node's outputs apart; not reports, which say how long it took."""
    tensors = [output for output in outputs[:3] if isinstance(output, torch.Tensor)]
    codes = [output.w for output in outputs if hasattr(output, "w")]
    masks = [region.mask for output in outputs for region in getattr(output, "regions", ())]
    texts = [output for output in outputs if isinstance(output, str)]
    return [tensor.numpy().tobytes() for tensor in (*tensors, *codes, *masks)] + texts
