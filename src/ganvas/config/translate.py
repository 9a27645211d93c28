"""The recipe of the task picture -> picture."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ganvas.config.settings import Adam, AnyValidation, Init, Optimisers, Recipe, Settings, Train, Unfit

HINT_CHANNELS = 4  # red, green and blue of the dabs, and where they are
# Of the discriminators, by receptive field; two more layers take a pixel each from the map, which must leave one.
STRIDED_LAYERS: dict[int | str, int] = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}


class PairData(Settings):
    """Which pairs to train on and how they are read. ``path`` empty: the emoji.

    A pair has a left and a right picture (side A and side B of two folders, ``source`` and ``target`` of a table).
    """

    path: str = ""
    layout: Literal["auto", "side-by-side", "folders", "table", "pictures"] = Field(
        "auto",
        description="side-by-side pictures, two folders, a CSV of pairs, or colour pictures alone (sketches are made)",
    )
    direction: Literal["left-to-right", "right-to-left"] = "left-to-right"
    size: int = Field(128, ge=32, le=1024, description="side of the training pictures in pixels")
    fit: Literal["stretch", "crop", "pad"] = Field(
        "stretch", description="how a picture becomes a square: as pix2pix does, its centre, or with a border"
    )
    resize: Literal["bilinear", "bicubic", "lanczos", "nearest"] = Field(
        "bilinear", description="of pictures, with antialiasing (but for nearest); label maps always by nearest"
    )
    background: str = Field("white", description="colour laid under transparent pictures: a name or #rrggbb")
    source: Literal["picture", "labels"] = Field("picture", description="labels: a map of class ids or colours")
    target: Literal["picture", "labels"] = "picture"
    source_channels: int = Field(3, ge=1, le=64, description="of pictures; a label map has one a class")
    target_channels: int = Field(3, ge=1, le=64)
    palette: str = Field("", description="names and colours of a label map's classes: camvid, cityscapes or a CSV file")
    ignore: int = Field(-1, ge=-1, le=255, description="the class id that means unlabelled; -1: none does")
    sketch: Literal["xdog", "gradient", "luminance"] = Field(
        "xdog", description="of layout pictures: how the source is made; luminance: the picture in grey"
    )
    labels: Literal["", "group", "folder"] = Field(
        "", description="where a pair's class comes from: a table's or the emoji's column group, or the sub-folder"
    )
    jitter: bool = Field(True, description="enlarge by 286/256 and cut out a random square")
    flip: bool = Field(True, description="mirror half of the pairs")
    turn: float = Field(0.0, ge=0, le=180, description="turn pairs by up to so many degrees either way while training")
    zoom: float = Field(
        0.0, ge=0, le=0.5, description="scale pairs by up to 1 plus this, or as much smaller, while training"
    )
    vary_lines: bool = Field(False, description="of sketches: vary line weight, gaps and wobble while training")
    open_outlines: bool = Field(
        False, description="of sketches: leave stretches of the lines out while training, of the picture too"
    )
    test_share: float = Field(0.1, ge=0, lt=1, description="held out by a hash of the name where no folder says so")
    cache_mb: int = Field(2_000, ge=0, description="decoded pictures beyond it lie in a mapped file, not in memory")


class _TranslateGenerator(Settings):
    width: int = Field(64, ge=4, le=256, multiple_of=4, description="ngf: channels of the first layer")
    norm: Literal["batch", "instance", "spade"] = "batch"
    norm_statistics: Literal["instance", "running"] = Field(
        "instance", description="of batch norm when translating: of the picture itself, or the training's averages"
    )
    bottleneck_norm: bool = Field(False, description="normalise the innermost layer too, as the paper's text says")
    dropout: float = Field(0.5, ge=0, lt=1)
    dropout_layers: Literal["1-3", "2-4"] = "1-3"
    upsampling: Literal["transposed", "resize", "pixel-shuffle"] = "transposed"
    noise: int = Field(
        0,
        ge=0,
        le=16,
        description="planes of Gaussian noise beside the source; new ones in training and for variations",
    )

    @property
    def varies(self) -> bool:
        """Whether one source has many pictures, the same dabs being given: by dropout, or by noise."""
        return bool(self.dropout or self.noise)


class UnetGenerator(_TranslateGenerator):
    """Encoder and decoder with skips between equal sides (Isola et al. 2017)."""

    network: Literal["unet"] = "unet"
    skip_order: Literal["decoder-first", "skip-first"] = "decoder-first"
    source_skip: bool = Field(False, description="a skip at full size too: the source itself, beside the last layer")
    spread: int = Field(
        0, ge=0, le=4, description="how often colours are spread along rows and columns, within outlines, at last"
    )
    residual_blocks: Annotated[tuple[Annotated[int, Field(ge=0, le=16)], ...], Field(strict=False, max_length=4)] = (
        Field((), description="how many behind the up-convolutions to half the picture's side, to a quarter, and so on")
    )


class EncoderDecoderGenerator(_TranslateGenerator):
    """The same without skips."""

    network: Literal["encoder-decoder"] = "encoder-decoder"


Translator = Annotated[UnetGenerator | EncoderDecoderGenerator, Field(discriminator="network")]


class PatchDiscriminator(Settings):
    """Logits for overlapping patches of the pair (Isola et al. 2017); ``scales`` > 1: of halved pictures too."""

    network: Literal["patch"] = "patch"
    receptive_field: Literal[1, 16, 34, 70, 142, 286, "image"] = 70
    width: int = Field(64, ge=4, le=256, multiple_of=4, description="ndf: channels of the first layer")
    norm: Literal["batch", "instance", "none"] = "batch"
    scales: int = Field(1, ge=1, le=4, description="discriminators, each on half the side (Wang et al. 2018)")


class TranslateObjective(Settings):
    """What D and G minimise. ``kind`` as in Isola et al. 2017, table 1; ``gan``: D sees the target side alone."""

    kind: Literal["l1", "l2", "gan", "cgan", "l1+gan", "l1+cgan"] = "l1+cgan"
    adversarial: Literal["bce", "lsgan", "hinge", "relativistic"] = "bce"
    l1_weight: float = Field(100.0, ge=0)
    gan_weight: float = Field(1.0, ge=0)
    gradient_matching: float = Field(
        0.0,
        ge=0,
        description="beside l1 or l2, of pictures without dabs, see hints.matched_share: weight of the L1 of pixels' "
        "differences at four scales (Li & Snavely 2018)",
    )
    feature_matching: float = Field(0.0, ge=0, description="weight of the L1 of D's features (Wang et al. 2018)")
    halve_discriminator: bool = Field(False, description="half of D's loss, to slow D down")
    generator_logits: Literal["shared", "recomputed"] = Field(
        "shared", description="D's answer that G learns from: of before D's update, or asked again after it"
    )
    r1: float = Field(0.0, ge=0, description="gradient penalty on real pairs, gamma of Mescheder 2018")
    penalty_interval: int = Field(16, ge=1, description="steps between penalties; their weight is multiplied by it")
    augment: bool = Field(
        False, description="shift, brighten and cut what D sees, both pictures alike (DiffAugment, Zhao et al. 2020)"
    )

    @property
    def has_discriminator(self) -> bool:
        """Whether a discriminator takes part."""
        return "gan" in self.kind

    @property
    def conditional(self) -> bool:
        """Whether the discriminator sees the source beside the target."""
        return "cgan" in self.kind


class Hints(Settings):
    """Sparse dabs of the target's colours as four more channels (Zhang et al. 2017, section 3.1)."""

    enabled: bool = False
    none_share: float = Field(
        0.4, ge=0, le=1, description="share of pictures without dabs, beside those that draw zero"
    )
    continue_share: float = Field(0.875, ge=0, lt=1, description="of the geometric distribution of their number")
    most_pixels: int = Field(9, ge=1, le=64, description="largest side of a dab, drawn from 1 to this")
    recolour_share: float = Field(
        0.0, ge=0, le=1, description="share of the pictures with dabs in which the colour under one becomes another"
    )
    matched_share: float = Field(
        0.0, ge=0, le=1, description="last share of the run, in which gradient matching minds pictures with dabs too"
    )


class TranslateValidation(AnyValidation):
    """The metrics measured while training, on held-out pairs: of ``val`` where there is such a split, else ``test``."""

    metric: Literal["", "l1", "psnr", "ssim", "ms_ssim", "edge_agreement", "colour_distance"] = Field(
        "", description="decides which model is kept as the run's; empty: the last"
    )
    samples: int = Field(64, ge=1)
    every_images: int = Field(5_000, ge=1)


class TranslateRecipe(Recipe):
    """A complete training configuration of a picture -> picture model."""

    task: Literal["translate"]
    preset: Literal["", "paper", "torch", "pytorch"] = Field(
        "", description="which published implementation the keys that the recipe leaves out follow"
    )
    condition: Annotated[tuple[Literal["picture", "label"], ...], Field(strict=False)] = ("picture",)
    data: PairData = PairData()
    generator: Translator = UnetGenerator()
    discriminator: PatchDiscriminator = PatchDiscriminator()
    objective: TranslateObjective = TranslateObjective()
    hints: Hints = Hints()
    optimiser: Optimisers = Optimisers(generator=Adam(), discriminator=Adam())
    train: Train
    validation: TranslateValidation = TranslateValidation()
    init: Init = Init()

    @property
    def labelled(self) -> bool:
        """Whether the generator takes a class beside the picture."""
        return "label" in self.condition

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.condition not in (("picture",), ("picture", "label")):
            raise Unfit('condition: expected ["picture"] or ["picture", "label"]', "unfit-condition")
        if self.labelled and not self.data.labels:
            raise Unfit(
                "condition has a label, so data.labels must say where it comes from: group or folder", "unfit-labels"
            )
        if self.generator.norm == "spade" and self.data.source != "labels":
            raise Unfit(
                'generator.norm "spade" modulates by a label map: it needs data.source = "labels"', "unfit-spade"
            )
        if self.hints.enabled and (self.data.target != "picture" or self.data.target_channels != 3):
            raise Unfit("hints are dabs of colour: they need a target picture of 3 channels", "unfit-hints")
        if (
            self.validation.metric == "colour_distance"
            and self.data.target == "picture"
            and self.data.target_channels != 3
        ):
            raise Unfit(
                "validation.metric colour_distance compares colours: it needs targets of 3 channels",
                "unfit-colour-distance",
            )
        maps = "labels" in (self.data.source, self.data.target)
        if (self.data.vary_lines and self.data.source != "picture") or (self.data.open_outlines and maps):
            raise Unfit(
                "data.vary_lines changes sketches and data.open_outlines what is drawn from them, too: the first needs "
                "a source picture, the second a source and a target picture",
                "unfit-vary-lines",
            )
        field, coarsest = self.discriminator.receptive_field, -(-self.data.size >> (self.discriminator.scales - 1))
        if self.objective.has_discriminator and field in STRIDED_LAYERS and coarsest >> STRIDED_LAYERS[field] < 3:
            raise Unfit(
                f"discriminator.receptive_field {field} finds no patch in pictures of {coarsest} pixels (data.size "
                f"{self.data.size}, {self.discriminator.scales} scales): choose a smaller field, or fewer scales",
                "unfit-field",
                {"field": field, "pixels": coarsest},
            )
        if "labels" in (self.data.source, self.data.target) and not self.data.palette:
            raise Unfit(
                "data.palette must name the classes of a label map: camvid, cityscapes or a CSV file", "unfit-palette"
            )
        return self


# Where the public implementations of pix2pix differ. "paper": the text of Isola et al. 2017; "torch": their Lua code;
# "pytorch": the later port, with its schedule of a constant and a falling half.
_DECODER_FIRST = {"network": "unet", "dropout_layers": "1-3", "skip_order": "decoder-first"}
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "generator": _DECODER_FIRST | {"bottleneck_norm": True},
        "objective": {"halve_discriminator": True, "generator_logits": "shared"},
        "data": {"resize": "bilinear"},
    },
    "torch": {
        "generator": _DECODER_FIRST | {"bottleneck_norm": False},
        "objective": {"halve_discriminator": False, "generator_logits": "shared"},
        "data": {"resize": "bilinear"},
    },
    "pytorch": {
        "generator": {
            "network": "unet",
            "dropout_layers": "2-4",
            "skip_order": "skip-first",
            "bottleneck_norm": False,
        },
        "objective": {"halve_discriminator": True, "generator_logits": "recomputed"},
        "data": {"resize": "bicubic"},
        "train": {"lr_decay_share": 0.5},
    },
}
