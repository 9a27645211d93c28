"""What the documents say is so: commands run, links lead somewhere, tables are complete."""

from __future__ import annotations

import getpass
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from PIL import Image
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from conftest import TINY
from ganvas import __version__
from ganvas.cli.main import _run, app
from ganvas.config import LabelRecipe, Recipe, SegmentRecipe, TranslateRecipe, load_recipe, models_in, recipe_names
from idx_files import write_set

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md")])
# Long runs are cut to two steps: this is about the commands, not about what they learn.
SHORT = (*TINY, "train.total_images=100")
SMALL_PICTURES = (
    "train.total_images=4",
    "train.batch_size=2",
    "train.tick_images=2",
    "validation.samples=2",
    "data.size=32",
    "generator.width=4",
    "discriminator.width=4",
    "discriminator.receptive_field=16",
    "discriminator.scales=1",
)
COMMANDS = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("recipes", "recipes-translate", "recipes-segment", "sketches", "export", "studies")
    ),
]
HOSTS = {"keepachangelog.com", "semver.org", "github.com", "arxiv.org"}


def by_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def shell_lines(document: Path) -> list[str]:
    return [line for block in blocks(document, "sh") for line in block.splitlines() if line]


def prose(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the data that the documents speak of."""
    for number in range(24):
        path = tmp_path / "my-pictures" / ("cats", "dogs")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 50), (9 * number, 0, 0)).save(path)
    write_set(tmp_path / "data" / "mnist")
    Image.new("RGB", (40, 30), "white").save(tmp_path / "drawing.png")
    dabs = Image.new("RGBA", (40, 30))
    dabs.paste((0, 0, 255, 255), (10, 10, 14, 14))
    dabs.save(tmp_path / "dabs.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("document", COMMANDS, ids=by_name)
def test_commands_of_the_document_run_in_order(document: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shell_lines(document)
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "ganvas"
        if arguments[0] == "train":
            shorter = SHORT if load_recipe(arguments[1]).task == "label" else SMALL_PICTURES
            arguments += [word for setting in shorter for word in ("--set", setting)]
        code = _run(arguments)
        assert code == 0, f"{line}: {capsys.readouterr().err}"
        if "--out" in arguments:
            assert Path(arguments[arguments.index("--out") + 1]).exists()


def test_korean_commands_are_those_of_the_english_page() -> None:
    assert set(shell_lines(ROOT / "README.ko.md")) <= set(shell_lines(ROOT / "README.md"))
    assert shell_lines(ROOT / "README.ko.md")


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "README.ko.md"], ids=by_name)
def test_python_of_the_document_runs(document: Path, place: Path) -> None:
    code = "\n".join(blocks(document, "python"))
    assert code
    exec(compile(code, by_name(document), "exec"), {})
    assert (place / "seven.png").exists()


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "README.ko.md"], ids=by_name)
def test_table_of_commands_names_each(document: Path) -> None:
    named = set(re.findall(r"^\| `ganvas ([a-z]+(?: [a-z]+)?)", document.read_text("utf-8"), re.MULTILINE))
    assert named == set(_command_names(typer.main.get_command(app)))


def _command_names(group: Any, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _command_names(command, f"{name} ")
        else:
            yield above + name


def test_tree_of_the_readme_is_that_of_the_source() -> None:
    (tree,) = (block for block in blocks(ROOT / "README.md", "text") if block.startswith("src/ganvas/"))
    folder = ""
    told: set[str] = set()
    for line in tree.splitlines()[1:]:
        names, *comment = re.split(r" {2,}", line.strip(), maxsplit=1)
        if line.startswith("    "):
            assert comment, line
            told |= {folder + name for name in names.split()}
        else:
            folder = names
            told |= set(names.split())
    source = ROOT / "src" / "ganvas"
    there = {path.relative_to(source).as_posix() for path in source.rglob("*.py") if not path.name.startswith("__")}
    assert {name for name in told if name.endswith(".py")} == there
    assert all((source / name).exists() for name in told)


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_links_lead_somewhere(document: Path) -> None:
    text = prose(document)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)
    for target in targets:
        if target.startswith("http"):
            assert target.split("/")[2] in HOSTS, target
            continue
        file, _, anchor = target.partition("#")
        path = (document.parent / file) if file else document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
            assert anchor in anchors, target


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_no_document_speaks_of_the_machine_it_was_written_on(document: Path) -> None:
    text = document.read_text("utf-8")
    for here in (ROOT, ROOT.parent, Path.home(), Path(tempfile.gettempdir())):
        assert f"{here}/" not in text
    assert f"{getpass.getuser()}@" not in text
    # Absolute paths of any machine: none but those of the operating system itself.
    assert set(re.findall(r"(?<![\w./:)>\]*`-])/[a-z]+/\w+", text)) <= {"/dev/full", "/path/to"}


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=by_name)
def test_tables_are_those_of_the_results(document: Path) -> None:
    """Mended by ``python tools/fill_tables.py``; a table whose result is not there yet does not count."""
    sys.path.insert(0, str(ROOT / "tools"))
    from fill_tables import filled

    text = document.read_text("utf-8")
    assert filled(text) == text


def test_changelog_tells_of_this_version() -> None:
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_shipped_recipes_stand_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert [name for name in recipe_names() if f"`{name}`" not in text] == []


# The page of recipe keys


def recipe_keys(model: type[BaseModel], above: str = "") -> dict[str, set[str]]:
    """Every key of a recipe with its defaults, as TOML writes them, over all kinds of networks and optimisers."""
    keys: dict[str, set[str]] = {}
    for name, field in model.model_fields.items():
        inner = models_in(field.annotation)
        for table in inner:
            for key, defaults in recipe_keys(table, f"{above}{name}.").items():
                keys.setdefault(key, set()).update(defaults)
        if not inner:
            keys[above + name] = {_toml(field.default)}
    return keys


def _toml(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


@pytest.mark.parametrize(
    ("page", "recipe"),
    [
        ("recipes.md", LabelRecipe),
        ("recipes-translate.md", TranslateRecipe),
        ("recipes-segment.md", SegmentRecipe),
    ],
)
def test_page_of_recipes_lists_every_key_with_its_default_and_no_other(page: str, recipe: type[Recipe]) -> None:
    told: dict[str, str] = {}
    for first, default, meaning in re.findall(
        r"^\| (`.+?`) \| (.+?) \| (.+) \|$", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE
    ):
        assert meaning
        told |= dict.fromkeys(re.findall(r"`([^`]+)`", first), default)
    keys = recipe_keys(recipe)
    assert sorted(told) == sorted(keys)
    for key, defaults in keys.items():
        # Words in the cell that are no values name the kind that a default belongs to.
        words = re.findall(r"`([^`]+)`", told[key])
        values = {word for word in words if not word.isalpha() or word in ("true", "false")}
        assert (values or {told[key]}) == defaults, key


def test_results_name_no_place_of_the_machine_that_made_them() -> None:
    for path in sorted((ROOT / "docs" / "results").iterdir()):
        assert not re.findall(r"""(?<=["'\s=])/[A-Za-z][\w./-]*""", path.read_text("utf-8")), path.name


def test_page_of_digits_tells_the_classifier_as_it_is() -> None:
    from importlib import resources

    from safetensors import safe_open

    from ganvas.metrics.digit_classifier import WEIGHTS, load_digit_classifier
    from ganvas.models import parameter_count

    with resources.as_file(resources.files("ganvas.metrics") / WEIGHTS) as path, safe_open(path, "numpy") as file:
        header = json.loads(file.metadata()["ganvas"])
    page = (ROOT / "docs" / "digits.md").read_text("utf-8")
    classifier = load_digit_classifier().requires_grad_(True)
    assert f"{parameter_count(classifier):,}" in page
    assert f"{header['accuracy_t10k']:.2%} right" in page
