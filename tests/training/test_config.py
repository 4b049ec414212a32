from pathlib import Path
from typing import Any

import pytest
import yaml

from wesam.errors import WesamError
from wesam.training.config import PRESETS, RunConfig, make_config
from wesam.training.dropped import DROPPED
from wesam.types import ImageReading

BASE = {"model": "wesam-tiny", "images": "images", "labels": "labels.json", "out": "run"}


def test_unknown_settings_are_refused_by_name() -> None:
    with pytest.raises(WesamError, match=r"learning_rat: unknown setting \(got 0.1\)"):
        make_config({**BASE, "learning_rat": 0.1})
    with pytest.raises(WesamError, match="method.*teachr: unknown setting"):
        make_config(BASE, overrides=["method.name=wesam", "method.teachr=ema"])


def test_missing_and_wrong_values_name_the_field() -> None:
    with pytest.raises(WesamError, match="images: expected a value, got none"):
        make_config({key: value for key, value in BASE.items() if key != "images"})
    with pytest.raises(WesamError, match="^steps: expected at least 1, got 0$"):
        make_config(BASE, overrides=["steps=0"])


def test_which_pages_and_bands_are_read_is_recorded() -> None:
    config = make_config(BASE, overrides=["page=2", "bands=[3, 2, 1]"])
    assert config.reading == ImageReading(2, (3, 2, 1))
    assert config.model_dump(mode="json")["bands"] == [3, 2, 1]
    for wrong in ("[1, 2]", "[0]", "[]"):
        with pytest.raises(WesamError, match="bands: expected one number from 1 on, or three"):
            make_config(BASE, overrides=[f"bands={wrong}"])


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("preset: paper\nsteps: 700\nseed: 3\nmethod: {name: wesam, teacher: ema}\n")
    config = make_config({**BASE, "seed": 4}, file=file, overrides=["learning_rate=2e-4"])
    assert (config.steps, config.seed, config.learning_rate) == (700, 4, 2e-4)
    assert config.update.target == "qv"  # from the preset
    assert config.method.name == "wesam"
    assert config.method.teacher == "ema"  # the file over the preset
    assert config.method.as_published  # the preset's neighbour of that key survives


def test_another_objective_does_not_inherit_the_presets_settings() -> None:
    config = make_config(BASE, preset="paper", overrides=["method.name=supervised"])
    assert config.method.name == "supervised"


def test_settings_of_the_objective_survive_its_name(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("method: {focal_alpha: 0.6}\n")
    config = make_config(BASE, file=file, overrides=["method.name=supervised"])
    assert (config.method.name, config.method.focal_alpha) == ("supervised", 0.6)
    file.write_text("method: {name: wesam, teacher: ema}\n")  # meant for another one
    assert make_config(BASE, file=file, overrides=["method.name=supervised"]).method.name == "supervised"


@pytest.mark.parametrize("first", [True, False])
def test_what_another_objective_does_not_know_is_refused_in_any_order(first: bool) -> None:
    overrides = ["method.name=supervised", "method.no_such_thing=1"]
    with pytest.raises(WesamError, match="no_such_thing: unknown setting"):
        make_config(BASE, overrides=overrides if first else overrides[::-1])


def test_a_preset_that_is_given_wins_over_the_files(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("preset: default\n")
    assert make_config(BASE, preset="paper", file=file).update.target == "qv"
    with pytest.raises(WesamError, match="^preset: expected one of default, paper, got 'papr'"):
        make_config(BASE, preset="papr", file=file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "expected 'setting: value' lines, got a list"),
        ("a: [", "expected YAML: line 1 column 5: expected the node"),
        ("preset: [paper]", "preset: expected one of default"),
        ("preset: {paper: 1}", "preset: expected one of default"),
    ],
)
def test_broken_config_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(WesamError, match=message) as caught:
        make_config(BASE, file=file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "out=~nobody-here/run",
        "preset=[paper]",
        "steps=2001-99-99",
        "steps=!!int ''",
        "trackers=" + "[" * 1000,
        "x" + ".x" * 2000 + "=1",
        "method" + ".name" * 2000 + "=1",
        "steps=&a [*a]",
    ],
)
def test_hostile_settings_are_refused_in_short(override: str) -> None:
    with pytest.raises(WesamError) as caught:
        make_config(BASE, overrides=[override])
    assert len(str(caught.value)) < 3 * len(override) + 300


@pytest.mark.parametrize("override", ["steps", "=3"])
def test_overrides_need_key_and_value(override: str) -> None:
    with pytest.raises(WesamError, match="expected key=value"):
        make_config(BASE, overrides=[override])


def test_config_survives_yaml() -> None:
    config = make_config(BASE, preset="paper")
    again = RunConfig.model_validate(yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json"))))
    assert again == config


def test_every_preset_is_valid() -> None:
    for preset in PRESETS:
        make_config(BASE, preset=preset)
    with pytest.raises(WesamError, match="preset: expected one of default, paper"):
        make_config(BASE, preset="papr")


def test_warmup_must_end_within_the_run() -> None:
    with pytest.raises(
        WesamError, match="^expected warmup_steps below steps, got warmup_steps=250 and steps=100: [^{]*$"
    ):
        make_config(BASE, overrides=["steps=100", "warmup_steps=250"])


def test_a_quarter_of_a_short_run_warms_up_with_the_settings_of_the_paper_too() -> None:
    warmups = {4: 1, 100: 25, 250: 62, 500: 250, 4000: 250}
    for steps, warmup in warmups.items():
        assert make_config(BASE, preset="paper", overrides=[f"steps={steps}"]).effective_warmup_steps == warmup


def leaves(values: dict[str, Any], prefix: str = "") -> list[str]:
    return [
        name
        for key, value in values.items()
        for name in (leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key])
    ]


def test_a_person_who_runs_the_default_method_meets_few_settings() -> None:
    assert len(leaves(make_config(BASE).model_dump())) <= 50


@pytest.mark.parametrize("name", [*DROPPED, "objective.teacher"])
def test_a_setting_that_there_is_no_more_is_refused_with_what_to_do(name: str) -> None:
    given = {"views.photometric": "views.photometric.shadow_depth"}.get(name, name)
    assert given not in leaves(make_config(BASE).model_dump())
    with pytest.raises(WesamError, match=r"there is no such setting any more: .*(delete the line|write)"):
        make_config(BASE, overrides=[f"{given}=1"])


def test_a_dropped_setting_in_a_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("objective: {name: wesam}\n")
    with pytest.raises(WesamError, match=r"run.yaml: objective: .* it is called method now; write method:"):
        make_config(BASE, file=file)
    # A setting of that name that another method has is its own.
    assert make_config(BASE, overrides=["method.name=supervised", "method.focal_alpha=0.3"]).method.name == "supervised"


def test_a_method_may_ask_for_a_kind_of_update_and_the_users_wins() -> None:
    assert make_config(BASE, overrides=["method=tent"]).update.kind == "norms"
    assert make_config(BASE, overrides=["method=tent", "update.kind=decoder"]).update.kind == "decoder"
    assert make_config(BASE).update.kind == "lora"


def test_a_method_may_be_named_alone(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("method: {name: wesam, teacher: shared}\n")
    assert make_config({**BASE, "method": "supervised"}, file=file).method.name == "supervised"
    file.write_text("method: supervised\n")
    assert make_config(BASE, file=file).method.name == "supervised"


@pytest.mark.parametrize(
    ("overrides", "preset", "rule"),
    [
        ([], "default", "best-healthy"),
        ([], "paper", "last"),
        (["method.name=supervised"], "default", "best-healthy"),  # all methods are judged alike
        (["method.name=supervised", "selection.rule=best"], "default", "best"),
        (["method=direct"], "default", "last"),
        (["health.every=0"], "default", "last"),
    ],
)
def test_the_rule_of_choice_fits_the_run(overrides: list[str], preset: str, rule: str) -> None:
    assert make_config(BASE, preset=preset, overrides=overrides).effective_selection.rule == rule


@pytest.mark.parametrize(
    "changes",
    [{"selection": {"rule": "last", "patience": 2}}, {"selection": {"patience": 2}, "health": {"every": 0}}],
)
def test_what_only_signals_can_decide_is_refused_where_the_last_step_is_taken(changes: dict[str, Any]) -> None:
    with pytest.raises(WesamError, match=r"uses signals .* for selection.patience"):
        make_config({**BASE, **changes})


def test_what_learns_nothing_has_nothing_to_choose_from() -> None:
    with pytest.raises(WesamError, match="no selection.rule but last with method.name=direct.*got selection.rule=best"):
        make_config(BASE, overrides=["method.name=direct", "selection.rule=best"])


def test_a_model_that_is_a_path_is_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_config(BASE).model == "wesam-tiny"
    (tmp_path / "wesam-tiny").mkdir()
    assert make_config(BASE).model == str(tmp_path / "wesam-tiny")
    assert make_config({**BASE, "model": "owner/name"}).model == "owner/name"


def test_a_tracker_that_there_is_not_is_refused() -> None:
    with pytest.raises(WesamError, match=r"trackers: expected trackers of .*tensorboard.*, got nosuch"):
        make_config({**BASE, "trackers": ["nosuch"]})


def test_a_seed_fits_into_64_bits() -> None:
    assert make_config({**BASE, "seed": 1_700_000_000_000}).seed == 1_700_000_000_000
    with pytest.raises(WesamError, match="seed"):
        make_config({**BASE, "seed": 2**63})
