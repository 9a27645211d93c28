"""The recipe: everything that decides what a training run computes, typed, frozen, one TOML file.

A recipe is found by name among the shipped ones or read from a file, changed with ``KEY=VALUE`` settings, and
written back fully resolved into the run folder. Nothing else influences the weights that a run ends with, but for
what it points at: the data, and the weights of ``init.model``.
"""

from __future__ import annotations

from ganvas.config.label import UNCONDITIONAL as UNCONDITIONAL
from ganvas.config.label import ConvDiscriminator as ConvDiscriminator
from ganvas.config.label import ConvGenerator as ConvGenerator
from ganvas.config.label import DenseConditionalGenerator as DenseConditionalGenerator
from ganvas.config.label import DenseDiscriminator as DenseDiscriminator
from ganvas.config.label import DenseGenerator as DenseGenerator
from ganvas.config.label import Discriminator as Discriminator
from ganvas.config.label import Generator as Generator
from ganvas.config.label import LabelData as LabelData
from ganvas.config.label import LabelRecipe as LabelRecipe
from ganvas.config.label import MaxoutDiscriminator as MaxoutDiscriminator
from ganvas.config.label import PaperGenerator as PaperGenerator
from ganvas.config.label import Validation as Validation
from ganvas.config.loading import TASKS as TASKS
from ganvas.config.loading import difference as difference
from ganvas.config.loading import load_recipe as load_recipe
from ganvas.config.loading import models_in as models_in
from ganvas.config.loading import parse_recipe as parse_recipe
from ganvas.config.loading import recipe_names as recipe_names
from ganvas.config.loading import to_toml as to_toml
from ganvas.config.segment import SegmentRecipe as SegmentRecipe
from ganvas.config.settings import Adam as Adam
from ganvas.config.settings import AnyOptimiser as AnyOptimiser
from ganvas.config.settings import Recipe as Recipe
from ganvas.config.settings import Settings as Settings
from ganvas.config.settings import Sgd as Sgd
from ganvas.config.settings import Train as Train
from ganvas.config.study import Study as Study
from ganvas.config.study import check_rows as check_rows
from ganvas.config.study import load_study as load_study
from ganvas.config.study import study_names as study_names
from ganvas.config.translate import HINT_CHANNELS as HINT_CHANNELS
from ganvas.config.translate import STRIDED_LAYERS as STRIDED_LAYERS
from ganvas.config.translate import EncoderDecoderGenerator as EncoderDecoderGenerator
from ganvas.config.translate import Hints as Hints
from ganvas.config.translate import PairData as PairData
from ganvas.config.translate import PatchDiscriminator as PatchDiscriminator
from ganvas.config.translate import TranslateObjective as TranslateObjective
from ganvas.config.translate import TranslateRecipe as TranslateRecipe
from ganvas.config.translate import Translator as Translator
from ganvas.config.translate import UnetGenerator as UnetGenerator
