"""Nodes that find, keep and apply directions: sliders that nobody had to train."""

from comfy_api.v0_0_2 import io

from ..stylemix_core.codes.direction_files import load_directions, save_directions
from ..stylemix_core.codes.direction_text import read_names
from ..stylemix_core.codes.directions import MAX_STRENGTH, Directions, apply_direction, check_directions
from ..stylemix_core.codes.latents import Latents, check_generator
from ..stylemix_core.codes.unsupervised import METHODS, SAMPLES, find_directions
from ..stylemix_core.figures.grid import row_picks
from ..stylemix_core.figures.sheets import direction_sheet, even_strengths
from ..stylemix_core.masks.mask_list import MaskList, MaskText
from . import host, live
from .figures import draw_figure, figure_outputs
from .inputs import OWN_FORMAT, file_input, filename_prefix_input, format_input, seed_input
from .search_words import search_words
from .sockets import DIRECTIONS, GENERATOR, LATENT, MASKS

AUTO_SPACE = "auto"


def layers_inputs() -> list[io.Input]:
    """The layers to move, which `masks_of` reads."""
    return [
        io.String.Input(
            "mask_list",
            default="",
            dynamic_prompts=False,
            tooltip="The layers to move, as in InjectW+: 4-5, 8 or coarse; strengths after an at sign multiply. Empty: "
            "the layers that the directions were found for.",
        ),
        MASKS.Input("masks", optional=True, tooltip="A mask list from another node. Replaces mask_list."),
    ]


def masks_of(latent: Latents, mask_list: str, masks: object) -> MaskList | None:
    """The masks, None for the directions' own layers."""
    if masks is None and not mask_list.strip():
        return None
    return MaskText.of(mask_list if masks is None else masks).resolve(latent.w.shape[1])


class FindDirections(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixFindDirections",
            display_name="Find Directions",
            category="StyleMix/directions",
            description="Find ways to change a face, such as its hair or its smile, in a generator itself: no training "
            "and no labels. Direction Sheet shows what they do.",
            **search_words("SeFa", "GANSpace", "PCA", "slider", "edit", "attribute", "StyleGAN", "W+"),
            inputs=[
                GENERATOR.Input("generator", tooltip="The generator to look into."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="SeFa",
                    tooltip="SeFa: what changes the chosen layers' styles most, read from the weights at once. "
                    "GANSpace: how sampled faces differ most, over all layers.",
                ),
                io.String.Input(
                    "layers",
                    default="all",
                    dynamic_prompts=False,
                    tooltip="The layers to find directions for, as one mask: 4-5, 8, coarse or all. Few layers give "
                    "directions that change little else.",
                ),
                io.Int.Input("count", default=10, min=1, max=512, tooltip="How many, the strongest first."),
                io.Int.Input(
                    "samples",
                    default=SAMPLES,
                    min=512,
                    max=1_000_000,
                    step=1000,
                    tooltip="How many sampled faces GANSpace looks at. SeFa needs none.",
                ),
                seed_input("Of GANSpace's samples. The same seed gives the same directions."),
            ],
            outputs=[
                DIRECTIONS.Output(
                    display_name="directions", tooltip="For Direction Sheet and Apply Direction."
                ),
                io.String.Output(
                    display_name="report", tooltip="One line per direction, with its share of all change."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, generator: host.AnyModel, method: str, layers: str, count: int, samples: int, seed: int
    ) -> io.NodeOutput:
        found = find_directions(
            host.placed(generator),
            method,
            layers,
            count,
            samples,
            seed,
            host.step_reporter(cls.hidden.unique_id),
        )
        return io.NodeOutput(found, found.report())


class ApplyDirection(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixApplyDirection",
            display_name="Apply Direction · slider",
            category="StyleMix/directions",
            description="Move faces along one direction: a slider for hair, pose, smile or whatever it changes. "
            "Several of these nodes in a row move several sliders.",
            **search_words("slider", "edit", "attribute", "SeFa", "GANSpace", "face", "StyleGAN", "W+"),
            **host.shows(),
            inputs=[
                LATENT.Input("latent", tooltip="The codes to move."),
                DIRECTIONS.Input("directions", tooltip="From Find Directions or Load Directions."),
                io.String.Input(
                    "direction",
                    default="1",
                    dynamic_prompts=False,
                    tooltip="Which one: its number from 1 on, or its name.",
                ),
                io.Float.Input(
                    "strength",
                    default=2.0,
                    min=-MAX_STRENGTH,
                    max=MAX_STRENGTH,
                    step=0.05,
                    tooltip="How far. 0 changes nothing, negative goes the opposite way. 1 is one standard deviation "
                    "of sampled faces; beyond 3 faces become odd.",
                ),
                *layers_inputs(),
            ],
            outputs=[
                LATENT.Output(
                    display_name="latent",
                    tooltip="The moved codes: all masks for the first code, then for the second, and so on.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        latent: Latents,
        directions: Directions,
        direction: str,
        strength: float,
        mask_list: str,
        masks: object = None,
    ) -> io.NodeOutput:
        host.warn(cls.hidden.unique_id, check_directions(latent, directions))

        def moved(codes: Latents, _: object, direction: str, strength: float, mask_list: str) -> Latents:
            chosen = masks_of(codes, mask_list, masks)
            return apply_direction(codes, directions, direction, strength, chosen)

        result = moved(latent, None, direction, strength, mask_list)
        values = {"direction": direction, "strength": float(strength), "mask_list": mask_list}
        return io.NodeOutput(result, ui=live.leave(result, live.Ran(latent, values, moved)))


class DirectionSheet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixDirectionSheet",
            display_name="Direction Sheet",
            category="StyleMix/directions",
            description="Show what directions do to a face: one row each, from strongly negative to strongly positive.",
            **search_words("sweep", "slider", "browse", "SeFa", "GANSpace", "grid", "StyleGAN"),
            is_output_node=True,
            inputs=[
                GENERATOR.Input("generator", tooltip="Draws the faces."),
                LATENT.Input("latent", tooltip="The faces to change. Each gets rows of its own."),
                DIRECTIONS.Input("directions", tooltip="From Find Directions or Load Directions."),
                io.Int.Input("first", default=1, min=1, max=512, tooltip="The first direction to show."),
                io.Int.Input("count", default=6, min=1, max=64, tooltip="How many directions to show."),
                io.Float.Input(
                    "reach",
                    default=3.0,
                    min=0.1,
                    max=MAX_STRENGTH,
                    step=0.1,
                    tooltip="The strength at both ends, in standard deviations of sampled faces.",
                ),
                io.Int.Input(
                    "steps", default=5, min=2, max=21, tooltip="How many strengths; an odd number has 0."
                ),
                *layers_inputs(),
            ],
            outputs=figure_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls,
        generator: host.AnyModel,
        latent: Latents,
        directions: Directions,
        first: int,
        count: int,
        reach: float,
        steps: int,
        mask_list: str,
        masks: object = None,
    ) -> io.NodeOutput:
        host.warn(cls.hidden.unique_id, check_generator(latent, generator.network()))
        host.warn(cls.hidden.unique_id, check_directions(latent, directions))
        shown = directions.pick(range(first - 1, min(first - 1 + count, len(directions))))
        figure = direction_sheet(
            latent,
            shown,
            even_strengths(-reach, reach, steps),
            masks_of(latent, mask_list, masks),
        )
        names = [*shown.names] * (len(figure.rows) // len(shown))
        picks = row_picks(names, *generator.network().img_shape)
        return draw_figure(cls, generator, figure, host.picks("direction", picks))


class SaveDirections(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixSaveDirections",
            display_name="Save Directions",
            category="StyleMix/directions",
            description="Give directions names and save them in the output folder.",
            **search_words("save", "name", "slider", "export", "safetensors", "SeFa", "GANSpace", "StyleGAN"),
            is_output_node=True,
            inputs=[
                DIRECTIONS.Input("directions", tooltip="The directions to save."),
                filename_prefix_input("directions"),
                io.String.Input(
                    "names",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="A line for each direction that gets a name, as in 1: smile. A minus before the number "
                    "turns the direction around.",
                ),
                io.Combo.Input(
                    "keep",
                    options=["all", "named"],
                    default="all",
                    tooltip="all: every direction. named: only those that are named here.",
                ),
                format_input(),
            ],
            outputs=[
                DIRECTIONS.Output(display_name="directions", tooltip="The directions with their names.")
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @host.speaking
    def execute(
        cls, directions: Directions, filename_prefix: str, names: str, keep: str, format: str = OWN_FORMAT
    ) -> io.NodeOutput:
        named = directions.named(read_names(names), keep_others=keep == "all")
        file = host.new_file(filename_prefix)
        save_directions(file.path(f".{format}"), named, host.workflow_texts(cls.hidden))
        host.tell(cls.hidden.unique_id, f"{file.subfolder}/{file.stem}.{format}".lstrip("/"))
        return io.NodeOutput(named, ui={"directions": [file.shown(f".{format}")]})


class LoadDirections(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleMixLoadDirections",
            display_name="Load Directions",
            category="StyleMix/directions",
            description="Load directions that Save Directions has saved, and other tools' (InterFaceGAN, e4e, "
            "GANSpace, StyleCLIP and more).",
            **search_words(
                "load",
                "slider",
                "import",
                "safetensors",
                "SeFa",
                "GANSpace",
                "InterFaceGAN",
                "StyleCLIP",
                "StyleGAN",
            ),
            inputs=[
                file_input(
                    host.direction_names(),
                    "A file with directions from the input or the output folder, this pack's or another tool's (.npy, "
                    ".npz, .pt).",
                ),
                GENERATOR.Input(
                    "generator",
                    optional=True,
                    tooltip="Needed for other tools' directions in Z, which it carries over to W, and for those in "
                    "style channels.",
                ),
                io.Combo.Input(
                    "space",
                    options=[AUTO_SPACE, "W", "Z"],
                    default=AUTO_SPACE,
                    optional=True,
                    tooltip="Where another tool's directions lie. auto: in W, but for InterFaceGAN's files called "
                    "boundary without a w, which are in Z.",
                ),
            ],
            outputs=[
                DIRECTIONS.Output(display_name="directions", tooltip="The directions."),
                io.String.Output(display_name="report", tooltip="One line per direction, with its name."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return host.check_file(
            file,
            none="there are no directions yet; save some with Save Directions, or upload a file with them",
        )

    @classmethod
    def fingerprint_inputs(cls, file: str, **others: object) -> str:
        return host.file_stamp(host.file_path(file))

    @classmethod
    def execute(
        cls, file: str, generator: host.AnyModel | None = None, space: str = AUTO_SPACE
    ) -> io.NodeOutput:
        network = None if generator is None else host.placed(generator)
        directions = load_directions(host.file_path(file), network, None if space == AUTO_SPACE else space)
        return io.NodeOutput(directions, directions.report())
