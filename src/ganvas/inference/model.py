"""The façade that the command line, the Python API and the studio draw with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from PIL import Image

from ganvas.device import has_bfloat16_units, torch_device
from ganvas.errors import UsageError, nearest
from ganvas.inference.files import Translations, as_image, find_jobs
from ganvas.inference.labels import Label, Labels, class_index
from ganvas.inference.onnx_file import ENDING, load_onnx, read_onnx_header
from ganvas.inference.sampling import Sampler, Sheet, Watch
from ganvas.inference.translation import Picture, Precision, Scale, Translator, called
from ganvas.model_file import LabelHeader, ModelHeader, TranslateHeader, load_model
from ganvas.model_file import read_header as read_model_header
from ganvas.pictures import Pixels
from ganvas.sample_files import Drawing


def shipped_models() -> list[str]:
    """Names of the models that come with ganvas, sorted."""
    folder = resources.files("ganvas") / "weights"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors"))


def resolve_model(model: str | Path) -> Path:
    """The model file that ``model`` names: a shipped model, a file, or a run folder.

    As with recipes a shipped name comes first; ``./name`` is a folder of that name, and so is a Path that exists.

    Raises:
        UsageError: it is none of these (the nearest shipped name is given).
    """
    path = Path(model)
    shipped = shipped_models()
    if str(model) in shipped and (isinstance(model, str) or not path.exists()):
        return Path(str(resources.files("ganvas") / "weights" / f"{model}.safetensors"))
    if path.is_file():
        return path
    if path.is_dir():
        if (path / "model.safetensors").is_file():
            return path / "model.safetensors"
        if (path / "recipe.toml").is_file():
            raise UsageError(f"run '{path}' has no model yet: it is written with the first checkpoint")
        raise UsageError(f"folder '{path}' is no run: expected model.safetensors in it")
    raise UsageError(
        f"no model '{model}': neither a .safetensors file, a run folder, nor a shipped model "
        f"({', '.join(shipped)}).{nearest(str(model), shipped)}"
    )


def is_export(path: Path) -> bool:
    """Whether a model's file is one of ``ganvas export``."""
    return path.suffix.lower() == ENDING


def read_header(path: Path) -> ModelHeader:
    """The header of a model's file of either kind, without its weights where it is a ``.safetensors``.

    Raises:
        UsageError: it is an .onnx file, and the extra ``onnx`` is not installed.
        GanvasError: no model file, a damaged one, or one of a newer format.
    """
    return read_onnx_header(path) if is_export(path) else read_model_header(path)


def model_name(path: Path) -> str:
    """What to call the model of a file: as its run folder or, by any other name, the file itself is called.

    Of a link that is the link's own name, which is the one that people gave.
    """
    return Path(os.path.abspath(path)).parent.name if path.name == "model.safetensors" else path.stem


class Model:
    """A trained generator, ready to draw.

    A model of the task ``label`` has :meth:`sample`, :meth:`draw`, :meth:`same_noise`, :meth:`walk`, :meth:`sheet`
    and :meth:`save`; one of the task ``translate`` has :meth:`translate`, :meth:`variations` and
    :meth:`translate_files`. Of the others a UsageError tells which to use.

    Args:
        model: a ``.safetensors`` file, a run folder, the name of a shipped model, or an ``.onnx`` file of
            :func:`ganvas.export`, which onnxruntime runs on the CPU.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32``, or ``bf16`` to translate in half the bits, faster where the processor has units for it;
            ``auto``: where it has them and the model draws pictures from pictures.

    Raises:
        UsageError: there is no such model, the extra that it needs is not installed, or it draws in float32 only.
        GanvasError: the file is damaged, or of a newer format.
    """

    def __init__(self, model: str | Path, *, device: str = "cpu", precision: Precision = "fp32") -> None:
        self.path = resolve_model(model)
        self._given = model
        exported = is_export(self.path)
        if exported and device not in ("auto", "cpu"):
            raise UsageError(f"'{self.path}' is run by onnxruntime on the CPU: leave the device '{device}' out")
        if precision not in ("auto", "fp32", "bf16"):
            raise UsageError(f"precision is {precision!r}: expected auto, fp32 or bf16")
        if exported and precision == "bf16":
            raise UsageError(
                f"'{self.path}' is run by onnxruntime in the precision it was exported with: leave the precision out"
            )
        self._device = torch_device("cpu" if exported else device)
        generator, header = load_onnx(self.path) if exported else load_model(self.path)
        assert isinstance(header, LabelHeader | TranslateHeader)
        self.header: LabelHeader | TranslateHeader = header
        self._generator = generator.to(self._device)
        self._translator = None
        if isinstance(header, TranslateHeader):
            if precision == "auto":
                # Of a label map a shade would be another class.
                shades = not exported and not header.target.colours
                able = shades and self._device.type == "cpu" and has_bfloat16_units()
                precision = "bf16" if able else "fp32"
            self._translator = Translator(self.name, header, self._generator, self._device, precision)
        elif precision == "bf16":
            raise UsageError(f"model '{self.name}' draws from labels, in fp32 only: leave the precision out")

    @property
    def name(self) -> str:
        """What to call it: the run folder's or the file's name."""
        return model_name(self.path)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by index; empty where the model takes no label."""
        return self._sampler().class_names if isinstance(self.header, LabelHeader) else self.header.class_names

    def class_index(self, label: Label) -> int:
        """The index of a class given by index or by name.

        Raises:
            UsageError: the model has no such class, or takes no label at all.
        """
        return class_index(self.name, self.class_names, label)

    def sample(self, labels: Labels = None, *, count: int | None = None, seed: int = 0) -> list[Image.Image]:
        """Draw pictures as Pillow images; the same arguments give the same pictures.

        Args:
            labels: a class, or several to go round; None goes round all classes.
            count: how many pictures; default one for each label given, or for each class.
            seed: picture i depends on the seed, on i and on its label alone.

        Raises:
            UsageError: an unknown label, none at all, a count below 1 or a seed below 0.
        """
        return self._sampler().sample(labels, count=count, seed=seed)

    def draw(self, labels: Labels = None, *, count: int | None = None, seed: int = 0) -> Iterator[Drawing]:
        """The same pictures as :meth:`sample` as arrays, a chunk at a time, in constant memory."""
        return self._sampler().draw(labels, count=count, seed=seed)

    def same_noise(self, labels: Labels = None, *, seed: int = 0) -> list[Image.Image]:
        """One noise, that of the first picture of :meth:`sample` with ``seed``, drawn under each of the labels.

        Raises:
            UsageError: as in :meth:`sample`.
        """
        return self._sampler().same_noise(labels, seed=seed)

    def walk(self, label: Label | None, steps: int, *, seed: int, to_seed: int) -> list[Image.Image]:
        """``steps`` pictures of one label, from the first that ``seed`` draws to the first that ``to_seed`` does.

        Between both noises along the great circle (Shoemake 1985), or straight for uniform noise.

        Raises:
            UsageError: as in :meth:`sample`, or fewer than 2 steps.
        """
        return self._sampler().walk(label, steps, seed=seed, to_seed=to_seed)

    def sheet(
        self, kind: Sheet = "grid", labels: Labels = None, *, count: int | None = None, seed: int = 0
    ) -> Image.Image:
        """A labelled sheet with a row for each class.

        Args:
            kind: ``grid``: the pictures of :meth:`sample`. ``same-noise``: a column is one noise drawn under every
                label. ``interpolation``: a row goes from one noise to another over its columns.
            labels: as in :meth:`sample`.
            count: of a grid the number of pictures, by default ten a row; of the others the number of columns,
                by default ten. Fewer by default where ten do not fit.
            seed: as in :meth:`sample`.

        Raises:
            UsageError: as in :meth:`sample`, or more pictures than fit on a sheet.
        """
        return self._sampler().sheet(kind, labels, count=count, seed=seed)

    def save(
        self,
        path: str | Path,
        labels: Labels = None,
        *,
        count: int | None = None,
        seed: int = 0,
        sheet: Sheet = "grid",
        watch: Watch | None = None,
    ) -> None:
        """Draw into a file: ``.png`` a labelled :meth:`sheet`, ``.npz`` arrays, a folder one PNG each.

        An ``.npz`` holds ``images`` uint8 (N, H, W), or (N, H, W, 3) in colour, and ``labels`` int64 (N,).
        Memory does not grow with ``count`` except for a sheet, whose size is limited. ``watch`` may wrap what is
        drawn into an ``.npz`` or a folder, chunk by chunk, to show how far it is.

        Raises:
            UsageError: an unknown label or ending, a count below 1 or too large for a sheet.
            GanvasError: the file cannot be written; nothing is left of it.
        """
        self._sampler().save(path, labels, count=count, seed=seed, sheet=sheet, watch=watch)

    def translate(
        self, picture: Picture, *, hints: Picture | None = None, label: Label | None = None, scale: Scale = "fit"
    ) -> Image.Image:
        """Translate a picture of any size and mode; the result has its size (upright, where a camera turned it).

        The same arguments give the same picture. A model that draws other than 1 or 3 channels has
        :meth:`translate_array` instead.

        Args:
            picture: a file, a Pillow picture, or an array (H, W) or (H, W, C) of uint8, uint16 or floats in [0, 1].
                For a model of label maps: class ids, or their colours.
            hints: a transparent (RGBA) picture of the same size with dabs of colour to keep to.
            label: the class to draw for, by index or by name, where the model takes one.
            scale: ``fit`` works at the size of the training pictures, where things are as large as the model knows
                them, and enlarges the result; ``native`` works at the picture's own size, in overlapping tiles
                beyond a million pixels: sharper, but meant for pictures about as large as those of the training.

        Raises:
            UsageError: hints or a label that do not fit the model or the picture.
            GanvasError: the picture or the hints cannot be read.
        """
        return as_image(self.translate_array(picture, hints=hints, label=label, scale=scale), self.name)

    def translate_array(
        self, picture: Picture, *, hints: Picture | None = None, label: Label | None = None, scale: Scale = "fit"
    ) -> Pixels:
        """The same as uint8 (H, W, C), C being whatever the model draws."""
        translator = self._translating()
        return translator.draw(translator.prepare(picture, hints=hints, label=label, scale=scale))

    def variations(
        self,
        picture: Picture,
        count: int,
        *,
        seed: int = 0,
        hints: Picture | None = None,
        label: Label | None = None,
        scale: Scale = "fit",
        recolour: bool = True,
    ) -> list[Image.Image]:
        """``count`` different translations, the i-th of which depends on ``seed`` and i alone.

        They differ by dropout and fresh noise. A model that takes hints also gets a few dabs for each, of the colours
        that it would choose turned around the circle of hues, unless ``recolour`` is False; hints that are given stay,
        and what they colour gets no such dab.

        Raises:
            UsageError: as in :meth:`translate`, or the model has neither dropout nor noise, nor hints to recolour by.
            GanvasError: as in :meth:`translate`.
        """
        translator = self._translating()
        count, seed = translator.check_varies(count, seed, recolour=recolour)
        prepared = translator.prepare(picture, hints=hints, label=label, scale=scale)
        return [as_image(drawn, self.name) for drawn in translator.vary(prepared, seed, count, recolour=recolour)]

    def translate_files(
        self,
        inputs: Sequence[str | Path],
        out: str | Path,
        *,
        hints: Picture | None = None,
        label: Label | None = None,
        variations: int | None = None,
        seed: int = 0,
        scale: Scale = "fit",
        recolour: bool = True,
    ) -> Translations:
        """Translate pictures and folders of them (with their sub-folders) into the folder ``out``.

        Iterate what is returned to have it done, a record for each picture. A result has its picture's name and
        kind of file (:mod:`ganvas.inference.files`), and is written whole or not at all; with ``variations`` N
        (see :meth:`variations`) it is name-1.png to name-N.png. What cannot be translated is told in its record, and
        the rest goes on.

        Raises:
            UsageError: hints, a label or variations that the model does not take, hints for several pictures, or
                an ``out`` that holds the pictures or lies in a folder of them.
        """
        translator = self._translating()
        translator.check(hints=hints, label=label, scale=scale)
        if variations is not None:
            variations, seed = translator.check_varies(variations, seed, recolour=recolour)
        target = translator.header.target
        jobs, left_out = find_jobs(inputs, Path(out), target.channels, exact=bool(target.colours))
        if hints is not None and len(jobs) > 1:
            raise UsageError(f"--hints are for one picture, found {len(jobs)}: translate them one by one")

        def draw(picture: Path) -> Iterator[Pixels]:
            prepared = translator.prepare(picture, hints=hints, label=label, scale=scale)
            if hints is not None and prepared.hints is not None and not prepared.hints[3].any():
                raise UsageError(
                    f"{called(hints, 'the hints')} shows no dab: expected pixels that are at least half opaque; "
                    "paint some, or leave the hints out"
                )
            if variations is None:
                yield translator.draw(prepared)
            else:
                yield from translator.vary(prepared, seed, variations, recolour=recolour)

        return Translations(jobs, left_out, draw, varied=variations is not None)

    def _sampler(self) -> Sampler:
        if not isinstance(self.header, LabelHeader):
            raise UsageError(
                f"model '{self.name}' translates pictures: use `ganvas translate {self._given} PICTURE --out FOLDER`",
                "translates-pictures",
                {"model": self.name},
            )
        return Sampler(self.name, self.header, self._generator, self._device)

    def _translating(self) -> Translator:
        if self._translator is None:
            raise UsageError(
                f"model '{self.name}' draws without a picture to start from: use `ganvas sample {self._given}`",
                "draws-without-picture",
                {"model": self.name},
            )
        return self._translator
