"""A page for each partial model, made from its class: what its parameters are, and what each does to a picture.

python -m docs.partial_models FOLDER [NAME ...]    writes the pages, or those of some, with their pictures

`make docs` does it for all that the folder partial_models holds. Every page shows its model in an instance of
params.yaml in which all other parameters are in the middle of what they are drawn from.
"""

import inspect
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Literal, NamedTuple, get_args, get_origin

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from pydantic import ValidationError
from pydantic.fields import FieldInfo

import micromime.partial_models as room
from micromime.datasets.render import BOUNDARY
from micromime.fitting.exemplars import calibrated, cut_dictionary
from micromime.pictures.surrogates.parts import TILE_PX
from micromime.pictures.surrogates.parts import write as write_parts
from micromime.pictures.tiles import read_tiles
from micromime.reporting.words import capital, markdown
from micromime.scenario.distributions import Distribution
from micromime.scenario.parameters import MEASURED, filled_in, read_tree
from micromime.scenario.partial_model import PartialModel, bounds
from micromime.scenario.scenario import Instance, Sample, Scenario, Style
from micromime.scenario.streams import stream
from micromime.use_cases import instance_kind, use_cases

PROJECT = Path(__file__).parents[1]
LAWS = Path(__file__).with_name("surrogate_cracks.yaml")
"""What was measured on simulated parts; `make readme` writes it, as the measuring takes a minute."""

SIDE_PX = 160
BAR_PX = 18
"""Of a strip: sides of its pictures, and height of the line with the values above them."""

SEEN_GREY, SEEN_SHARE = 8, 0.01
"""By how much grey pixels differ where a difference is seen, and in which share of them it is seen at a glance."""

SEEDS = 24
"""How many are tried where pictures of the same values may differ much in what is to be found."""

NARROW, WIDER = 1 / 4, 3
"""A range that is less than so much of the bounds is widened so many times."""

PLACES = (0, 0.5, 1), (1 / 6, 0.5, 5 / 6)
"""Where on its range a parameter is shown: the second, where both ends are the same, such as 0 and 360 degrees."""

HEAD = (
    "Each is one aspect of reality: a file of `src/micromime/partial_models/` with fixed, bounded values and a pure "
    "function. `make docs` makes these pages from the files; every picture is rendered as any sample is."
)
FIXED = (
    "Values stand above the pictures: low, middle and high of what the demo's `{}` draws, or of the bounds where it "
    "draws none; narrow ranges are widened. All else is fixed at the values of the column *below*, and of the other "
    "partial models in the middle of what they are drawn from."
)
"""What pages say."""

UNITS = {"_px": "px", "_deg": "degrees", "_grey": "grey levels"}


class Scene(NamedTuple):
    """Something to see partial models in."""

    style: str
    instance: Instance
    laws: dict[str, dict[str, Distribution]]
    """Partial model -> parameter -> what the style draws it from."""


class Stage(NamedTuple):
    """A use case in which a partial model is shown, and its name there."""

    use_case: str
    name: str
    kind: type[PartialModel]
    scenes: list[Scene]
    """The least cluttered first."""


class Strip(NamedTuple):
    """A parameter at several values, all else fixed."""

    key: str
    values: list[Any]
    scene: Scene
    fixed: PartialModel
    """The other values of the partial model."""
    samples: list[Sample]

    @property
    def seen(self) -> float:
        """The share of the picture, or of its mask, in which the first and the last are seen to differ."""
        return max(self._differing)

    @property
    def masks_alone(self) -> bool:
        """Whether it shows in the masks only."""
        return self._differing[0] < self._differing[1] and self._differing[0] < SEEN_SHARE

    @property
    def _differing(self) -> tuple[float, float]:
        first, last = self.samples[0], self.samples[-1]
        greys = np.abs(first.image.astype(int) - last.image) > SEEN_GREY
        return float(greys.mean()), float((first.mask != last.mask).mean())


def kinds() -> list[type[PartialModel]]:
    """Return every partial model that there is, in the order of the folders."""
    modules = [import_module(each.name) for each in walk_packages(room.__path__, f"{room.__name__}.")]
    own = [(value, module) for module in modules for value in vars(module).values() if isinstance(value, type)]
    return [kind for kind, module in own if issubclass(kind, PartialModel) and kind.__module__ == module.__name__]


def title(kind: type[PartialModel]) -> str:
    """Return the title of a model's page: its file's name in words."""
    return capital(file_of(kind).stem.replace("_", " "))


def file_of(kind: type[PartialModel]) -> Path:
    """Return the file of a model, relative to the project's folder."""
    return Path(inspect.getfile(kind)).relative_to(Path(room.__file__).parents[3])


def unit(key: str) -> str:
    """Return the unit that a parameter's name ends with, nothing for a share."""
    if per := re.search(r"per_(\d+)_px$", key):
        return f"per {int(per[1]):,} px"
    return next((words for end, words in UNITS.items() if key.endswith(end)), "")


def scenes_of(use_case: str, work: Path) -> list[Scene]:
    """Return the scenes of a use case: of each style, the one that says least first, the middle of its distributions.

    What is measured on real tiles was measured on simulated ones here, from which a dictionary is made in `work`.
    """
    content = read_tree(PROJECT / "params.yaml")[use_case]["scenario"] | {"rows": SIDE_PX, "cols": SIDE_PX}
    if MEASURED in str(content):
        measured = read_tree(LAWS) | {"dictionary": str(_dictionary(work))}
        content = filled_in(content, measured, use_case) | {"rows": TILE_PX, "cols": TILE_PX}
    scenario = Scenario.read(instance_kind(use_case), content, use_case)
    styles = sorted(scenario.styles, key=lambda style: len(content.get("styles", {}).get(style.name, {})))
    return [scene for style in styles for scene in _scenes(scenario, style)]


def _scenes(scenario: Scenario[Any], style: Style) -> list[Scene]:
    """Return instances in the middle of a style's distributions, of the last of its classes.

    What that is may lie out of sight, so there are several, that with the largest mask first.
    """
    alone = Scenario(scenario.kind, scenario.rows, scenario.cols, (style,))
    classes = scenario.kind.classes
    drawn = [alone.at(seed, lambda _: 0.5) for seed in range(SEEDS if classes else 1)]
    if classes:
        drawn = [each.model_copy(update={"label": classes[-1]}) for each in drawn]
        drawn.sort(key=lambda each: -each.render().mask.sum())
    return [Scene(style.name, each, style.parameters) for each in drawn]


def stages_of(kind: type[PartialModel], scenes: dict[str, list[Scene]]) -> list[Stage]:
    """Return where a model is used, first where params.yaml says most of it."""
    found = []
    for use_case, each in scenes.items():
        models = instance_kind(use_case).partial_models()
        found += [Stage(use_case, name, kind, each) for name, used in models.items() if used is kind]
    return sorted(found, key=lambda stage: -max(len(each.laws.get(stage.name, {})) for each in stage.scenes))


def values_of(stage: Stage, key: str, places: Sequence[float]) -> list[Any]:
    """Return what a parameter is shown at: all words it may be, or numbers on its range at these places, 0 to 1."""
    field = stage.kind.model_fields[key]
    if get_origin(field.annotation) is Literal:
        return list(get_args(field.annotation))
    laws = [each.laws[stage.name][key] for each in stage.scenes if key in each.laws.get(stage.name, {})]
    low, high = _range(field, [float(limit) for law in laws for limit in law.limits()])
    return list(dict.fromkeys(_allowed(field, low + place * (high - low)) for place in places))


def _range(field: FieldInfo, drawn: Sequence[float]) -> tuple[float, float]:
    """Return least and most of what is drawn; if that is nothing, or 0 alone, of what the field allows.

    A narrow range is widened: to half and double of its middle, or so many times as far as the bounds let it.
    """
    low, high = bounds(field)
    if not drawn or max(drawn) == min(drawn) == 0:
        return low, high
    least, most = min(drawn), max(drawn)
    if least > 0 and most < 2 * least:
        least, most = (least + most) / 4, least + most
    elif most - least < NARROW * (high - low):
        more = (most - least) * (WIDER - 1) / 2
        least = least if _above(field) and least - more <= low else least - more
        most += more
    return max(low, least), min(high, most)


def _above(field: FieldInfo) -> bool:
    """Return whether a parameter's lower bound is itself not allowed."""
    return any(hasattr(each, "gt") for each in field.metadata)


def _allowed(field: FieldInfo, value: float) -> Any:
    """Return a value as a person writes it, in three digits, and whole where the parameter is."""
    if field.annotation is int:
        return round(value)
    low, high = bounds(field)
    return min(max(float(f"{value:.3g}"), low), high)


def strips(stage: Stage) -> Iterator[Strip]:
    """Yield a strip for each parameter that is a number or one of several words: where it shows first, or most."""
    for key, field in stage.kind.model_fields.items():
        if field.annotation in (int, float) or get_origin(field.annotation) is Literal:
            tried: list[Strip] = []
            for base in _bases(stage, key):
                tried.append(_strip(stage, key, *base))
                if tried[-1].seen >= SEEN_SHARE:
                    break
            yield max(tried, key=lambda strip: strip.seen)


def _bases(stage: Stage, key: str) -> Iterator[tuple[Scene, PartialModel, Sequence[float]]]:
    """Yield in what a parameter may show: in each scene as it is, with what hides it raised from 0, with all of it."""
    for scene in stage.scenes:
        model = _own(stage, scene)
        others = [name for name, value in model if name != key and isinstance(value, (int, float))]
        hidden = [name for name in others if getattr(model, name) == 0]
        for names, place in (([], 0.5), (hidden, 0.5), (others, 1.0)):
            fixed = _changed(model, {name: values_of(stage, name, (place,))[0] for name in names})
            yield from ((scene, fixed, places) for places in PLACES if fixed)


def _changed(model: PartialModel, values: dict[str, Any]) -> PartialModel | None:
    """Return a model with other values, None where it does not allow them."""
    try:
        return type(model)(**(model.model_dump() | values))
    except ValidationError:
        return None


def _strip(stage: Stage, key: str, scene: Scene, fixed: PartialModel, places: Sequence[float]) -> Strip:
    models = {}
    for value in values_of(stage, key, places):
        nearby = (value, value + 1) if isinstance(value, int) else (value,)  # a kernel is odd
        found = [(each, model) for each in nearby if (model := _changed(fixed, {key: each}))]
        models |= dict(found[:1])
    instances = [scene.instance.model_copy(update={stage.name: model}) for model in models.values()]
    return Strip(key, list(models), scene, fixed, [each.render() for each in instances])


def picture(strip: Strip) -> Picture.Image:
    """Return a strip as a picture: its values, and below each the sample, with its mask where that alone changes."""
    shown = [_coloured(each) if strip.masks_alone else np.repeat(each.image[..., None], 3, 2) for each in strip.samples]
    rows, cols = shown[0].shape[:2]
    step = cols + 6
    whole = Picture.new("RGB", (step * len(shown) - 6, rows + BAR_PX), "white")
    for number, (value, each) in enumerate(zip(strip.values, shown, strict=True)):
        whole.paste(Picture.fromarray(each), (step * number, BAR_PX))
        ImageDraw.Draw(whole).text((step * number + 2, 2), _text(value), "black", ImageFont.load_default(12))
    return whole if strip.masks_alone else whole.convert("L")


def _coloured(sample: Sample) -> NDArray[np.uint8]:
    return np.where(sample.mask[..., None], BOUNDARY, sample.image[..., None])


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else str(value)


def page(stage: Stage, used: Sequence[Stage], shown: Sequence[Strip]) -> str:
    """Return a model's page."""
    kind, file = stage.kind, file_of(stage.kind)
    names = ", ".join(f"`{each.use_case}.scenario.{each.name}`" for each in used)
    said = [inspect.getdoc(inspect.getmodule(kind)), inspect.getdoc(kind)]
    parts = [f"# {title(kind)}", *said, f"In `params.yaml`: {names}. Its code: [{file.name}](../../{file})."]
    parts += ["## Parameters", parameters(stage), "## What each does", FIXED.format(stage.use_case)]
    for strip in shown:
        parts += [f"### {strip.key}", _caption(stage, strip), _image(stage, strip)]
    return "\n\n".join([*parts, "## Code", f"```{{literalinclude}} /{file}\n:language: python\n```"]) + "\n"


def _caption(stage: Stage, strip: Strip) -> str:
    """Return a parameter's sentence, and what is not here as on the other pictures of the page."""
    usual = stage.scenes[0]
    other = [f"`{name}` is {_text(value)}" for name, value in strip.fixed if value != getattr(_own(stage, usual), name)]
    other = [words for words in other if not words.startswith(f"`{strip.key}`")]
    other += [f"the style is `{strip.scene.style}`"] if strip.scene.style != usual.style else []
    said = [stage.kind.model_fields[strip.key].description or ""]
    said += [f"Here {', '.join(other)}."] if other else []
    said += ["It shows in the mask alone, in orange."] if strip.masks_alone else []
    return " ".join(said)


def _own(stage: Stage, scene: Scene) -> PartialModel:
    model: PartialModel = getattr(scene.instance, stage.name)
    return model


def _image(stage: Stage, strip: Strip) -> str:
    values = ", ".join(map(_text, strip.values))
    return f"![{title(stage.kind)} with {strip.key} {values}]({_name(stage, strip)})"


def _name(stage: Stage, strip: Strip) -> str:
    return f"{file_of(stage.kind).stem}-{strip.key}.png"


def parameters(stage: Stage) -> str:
    """Return the table of a model's parameters."""
    rows = []
    for key, field in stage.kind.model_fields.items():
        ends = ", ".join(map(str, get_args(field.annotation))) or "words"
        if field.annotation in (int, float):
            low, high = bounds(field)
            ends = f"{'above 0' if _above(field) else f'{low:g}'} to {high:g}"
        default = "none" if field.is_required() else _text(field.default)
        here = _text(getattr(_own(stage, stage.scenes[0]), key))
        here = "" if field.annotation is str else here
        rows.append([f"`{key}`", field.description or "", unit(key), ends, default, here])
    return _left(["parameter", "what it is", "unit", "bounds", "default", "below"], rows)


def _left(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown(head, rows).replace("---:", "---")


def _first_words(kind: type[PartialModel]) -> str:
    """Return the first paragraph of a model's file in a line."""
    return (inspect.getdoc(inspect.getmodule(kind)) or "").partition("\n\n")[0].replace("\n", " ")


def index(stages: Sequence[Stage]) -> str:
    """Return the page that leads to all of them."""
    rows = [
        [f"[{title(each.kind)}]({file_of(each.kind).stem}.md)", f"`{each.use_case}`", _first_words(each.kind)]
        for each in stages
    ]
    names = "\n".join(file_of(each.kind).stem for each in stages)
    tree = f"```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    return "\n\n".join(["# Partial models", HEAD, _left(["partial model", "pictures of", "what it is"], rows), tree])


def write_pages(folder: Path, names: Sequence[str] = ()) -> list[Strip]:
    """Write the pages, or those of some files, and return what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [kind for kind in kinds() if not names or file_of(kind).stem in names]
    models = {use_case: instance_kind(use_case).partial_models().values() for use_case in use_cases()}
    shown, stages = [], []
    with tempfile.TemporaryDirectory() as work:
        scenes = {name: scenes_of(name, Path(work)) for name, used in models.items() if {*used} & {*chosen}}
        for first, *others in (stages_of(kind, scenes) for kind in chosen):
            found = list(strips(first))
            for strip in found:
                picture(strip).save(folder / _name(first, strip))
            (folder / f"{file_of(first.kind).stem}.md").write_text(page(first, [first, *others], found))
            shown += found
            stages.append(first)
    (folder / "index.md").write_text(index(stages))
    return shown


def _dictionary(folder: Path) -> Path:
    """Make a dictionary of textures as if simulated parts were real."""
    write_parts(4, 256, 0, folder / "parts")
    tiles = read_tiles(folder / "parts", instance_kind("chip_cracks").classes)
    file = folder / "dictionary.npz"
    calibrated(cut_dictionary(tiles, 5000, stream(0, "pages")), 0).write(file)
    return file


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]), sys.argv[2:])
