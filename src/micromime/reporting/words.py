"""How numbers stand in tables and on pages: words, digits, Markdown, and the templates that have the words."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TITLES = {
    "mean_iou": "mean IoU",
    "boundary_f1": "boundary F1",
    "pixel_error": "pixel error",
    "average_precision": "average precision",
    "cl_dice": "clDice",
    "betti_error": "Betti error",
    "matched_grains": "matched grains (F1)",
}
"""How a table writes a metric, in its order of metrics; others follow with spaces for underscores."""

MARKS = re.compile(r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
"""What Markdown may take for more than a letter: an underscore only at the rim of a word, as in `_hidden`."""

SIGNIFICANT_P = 0.05
"""The p value below which the paper calls a difference significant (section 2.2)."""


def headline(test_set: Mapping[str, Any]) -> str:
    """Return the sentence that says what was tested on: first line of every table, title of every page and panel."""
    kind = "real pictures" if test_set["kind"] == "real" else "surrogate, not real"
    reason = f" ({test_set['reason']})" if test_set["reason"] else ""
    return f"Test set: {kind}{reason}; {test_set['name']}, n = {test_set['n']}"


def changes_said(test_set: Mapping[str, Any], most: int = 3) -> str:
    """Return which pictures networks were asked about otherwise than they are stored, and how; nothing where none."""
    changes = test_set.get("changes", {})
    if not changes:
        return ""
    each = [f"{name}: {', '.join(clauses)}" for name, clauses in changes.items()]
    more = f"; {len(each) - most} more in the details" if len(each) > most else ""
    return f"Changed on reading, {len(each)} in all: {'; '.join(each[:most])}{more}."


def in_markdown(said: Any) -> Any:
    """Return words that people chose as they are to be written in Markdown, which then shows just these.

    Of a verdict, or a part of one, all words and names in it; how it was made stays, as that has Markdown of its own.
    """
    if isinstance(said, str):
        return MARKS.sub(r"\\\g<0>", said)
    if isinstance(said, Mapping):
        if all(isinstance(each, Mapping) and {"a", "b", "metric"} <= {*each} for each in said.values()):
            tests = [in_markdown(dict(each)) for each in said.values()]
            return {f"{each['a']}_vs_{each['b']}_{each['metric']}": each for each in tests}
        return {in_markdown(key): each if key == "made" else in_markdown(each) for key, each in said.items()}
    return [in_markdown(each) for each in said] if isinstance(said, list) else said


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, its first column to the left, the others to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def made_lines(made: Mapping[str, str]) -> str:
    """Return how something was made, a line for each thing that is said of it."""
    return "\n".join(["How this was made:\n", *(f"- {what}: {said}" for what, said in made.items())])


def cell(score: Any, form: str = ".3f") -> str:
    """Return a baseline's number, or an arm's mean and sd, as printed."""
    spread = score["sd"] if isinstance(score, Mapping) else None
    return mean_cell(score, form) + ("" if spread is None else f" ± {spread:{form.removeprefix('+')}}")


def mean_cell(score: Any, form: str) -> str:
    """Return a baseline's number, or an arm's mean without its sd, as printed."""
    value = score["mean"] if isinstance(score, Mapping) else score
    return "none" if value is None else f"{value:{form}}"


def p_text(p_value: float) -> str:
    """Return a p value in two significant digits."""
    return f"{p_value:#.2g}"


def p_or_none(p_value: float | None) -> str:
    """Return a p value, or that there is no test."""
    return "none" if p_value is None else p_text(p_value)


def ends_text(interval: Mapping[str, Any], form: str = ".3f") -> str:
    """Return both ends of an interval; an end that it lacks is `none`."""
    return f"[{mean_cell(interval['lo'], form)}, {mean_cell(interval['hi'], form)}]"


def interval_text(interval: Mapping[str, Any] | None) -> str:
    """Return both ends of an interval over runs, or why there is none."""
    return "none (1 run)" if interval is None else ends_text(interval)


def signed_interval(interval: Mapping[str, Any] | None) -> str:
    """Return both ends of an interval of a difference, with their signs, or that there is none."""
    return "none" if interval is None else ends_text(interval, "+.3f")


def title(metric: str) -> str:
    """Return how a table writes a metric."""
    return TITLES.get(metric, metric.replace("_", " "))


def capital(words: str) -> str:
    """Return words as a sentence begins with them: `Mean IoU`."""
    return words[:1].upper() + words[1:]


TEMPLATES = Environment(
    loader=FileSystemLoader([Path(__file__).parent / folder for folder in ("tables", "pages")]),
    autoescape=lambda name: ".html." in str(name),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {
    each.__name__: each
    for each in (
        *(capital, cell, changes_said, ends_text, headline, in_markdown, interval_text, made_lines),
        *(mean_cell, p_or_none, signed_interval),
    )
}
TEMPLATES.filters["metric"] = title


def rendered(template: str, **values: Any) -> str:
    """Return what a template makes of values, with one line break at its end. A name that is not given is an error."""
    return TEMPLATES.get_template(template).render(values).strip() + "\n"
