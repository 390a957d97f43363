"""The page that MLflow's address opens: an experiment's arms side by side, its scores in columns and charts.

MLflow 3.17 shows neither by itself: its page opens on traces, and its table of runs has no column of metrics. What a
person would set by hand is kept as a tag of the experiment, and named by the address. The state's keys are those of
MLflow's page; a chart whose `dataAccessKey` is an empty string would be hidden as one without data.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from micromime.project.work import OURS, fingerprint
from micromime.tracking.store import (
    absent_file,
    answering,
    as_it_lies,
    prepare_store,
    store_client,
    tracking_uri,
    without_login,
)

DESCRIPTION, MATERIALS = "mlflow.note.content", "micromime.test_sets"
"""Tags of an experiment: its text on the page; JSON with the digest of each data set that models are scored on."""

LAYOUT = "2"
"""Tag `micromime.layout` of runs whose numbers are named as here; those that earlier builds told are left alone."""

SHARED, CHARTS = "mlflow.sharedViewState.", 3


class View(NamedTuple):
    """What the page of a use case shows."""

    scores: Sequence[str]
    """Columns, and charts of the first three; the table is in the order of the first one."""
    lower_is_better: bool
    """Of the first score."""
    about: str
    """What the arms are and what to look at first, Markdown."""


def key_of(profile: str) -> str:
    """Return the key of the view of a profile's arms."""
    return "-".join(filter(None, ("arms", profile)))


def page_of(experiment_id: str, profile: str, charts: bool = False) -> str:
    """Return the address of the view of a profile's arms, from MLflow's own address on; of its charts if asked."""
    asked = f"viewStateShareKey={key_of(profile)}&workflowType=machine_learning"
    return f"#/experiments/{experiment_id}/runs?{asked}{'&compareRunsMode=CHART' * charts}"


@answering("to take a view of arms")
def publish_view(use_case: str, profile: str, view: View, materials: Mapping[str, str] | None = None) -> None:
    """Keep the view of a profile's arms, the experiment's description, and the digests of what was tested on.

    What stands there already is not written again.
    """
    number = prepare_store(use_case)
    client = store_client()
    known = client.get_experiment(number)
    made = dict.fromkeys(("createdAt", "updatedAt"), known.creation_time)
    name = f"Arms side by side{f', {profile}' if profile else ''}"
    shared = {"name": name, **made, "state": json.dumps(_state(profile, view))}
    tags = {f"{SHARED}{key_of(profile)}": json.dumps(shared)}
    ours = [key.removeprefix(f"{SHARED}arms") for key in known.tags | tags if key.startswith(f"{SHARED}arms")]
    links = " · ".join(_links(number, each) for each in sorted(key.removeprefix("-") for key in ours))
    tags[DESCRIPTION] = f"**Arms side by side**: {links}\n\n{view.about}"
    if materials:
        tags[MATERIALS] = json.dumps(materials)
    for key, text in tags.items():
        if known.tags.get(key) != text:
            client.set_experiment_tag(number, key, text)
    _remember(use_case, profile, page_of(number, profile))


def _links(number: str, profile: str) -> str:
    """Return links that work wherever MLflow is served, as they name no server."""
    table, charts = (page_of(number, profile, each) for each in (False, True))
    models = f"#/experiments/{number}/models?workflowType=machine_learning&viewMode=CHART"
    return f"[{f'{profile} table'.strip()}]({table}), [charts]({charts}), [models]({models})"


def _state(profile: str, view: View) -> dict[str, object]:
    """Return what MLflow's page keeps of a view."""
    scores = [f"metrics.`{name}`" for name in view.scores]
    columns = [*scores, "tags.`micromime.test_set`", "params.`train.runs`"]
    fixed = {"attributes.`Run Name`": 120, "runDateAndNestInfo": 105, "duration": 70}
    wanted = {"level": "arm", "layout": LAYOUT} | ({"profile": profile} if profile else {})
    charts = [
        {"type": "BAR", "uuid": name, "metricKey": name, "displayName": name, "metricSectionId": "scores"}
        for name in view.scores[:CHARTS]
    ]
    return {
        "searchFilter": " and ".join(f"tags.`micromime.{key}` = '{value}'" for key, value in wanted.items()),
        "orderByKey": scores[0],
        "orderByAsc": view.lower_is_better,
        "selectedColumns": columns,
        "columnOrder": [*fixed, *columns],
        "columnWidths": fixed | dict.fromkeys(columns, 93),
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": "scores", "name": "Scores", "display": True, "isReordered": False},
            {"uuid": "further", "name": "Model metrics", "display": False, "isReordered": False},
        ],
    }


@answering("to give the page of arms")
def view_address(use_case: str, profile: str) -> str:
    """Return the address of the view of a profile's arms, from MLflow's own address on; nothing where there is none."""
    known = None if absent_file() else store_client().get_experiment_by_name(use_case)
    if known is None or known.lifecycle_stage != "active" or f"{SHARED}{key_of(profile)}" not in known.tags:
        return ""
    return _remember(use_case, profile, page_of(known.experiment_id, profile))


def remembered_address(use_case: str, profile: str) -> str:
    """Return what was last told or found in this store, without MLflow, whose import takes seconds; else nothing."""
    file = _memory(use_case, profile)
    if not file.is_file() or absent_file():
        return ""
    with suppress(OSError):  # the address is right all the same
        as_it_lies()  # moved away and back
    return file.read_text()


def _remember(use_case: str, profile: str, page: str) -> str:
    file = _memory(use_case, profile)
    with suppress(OSError):  # somebody else's project, to be read alone: it is asked for again
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page)
    return page


def _memory(use_case: str, profile: str) -> Path:
    return OURS / "mlflow" / fingerprint(without_login(tracking_uri()), use_case, profile)


def server_address() -> str:
    """Return the address of the server that has the store, without a login; nothing where no server has it."""
    address = tracking_uri()
    return without_login(address).rstrip("/") if address.startswith(("http://", "https://")) else ""
