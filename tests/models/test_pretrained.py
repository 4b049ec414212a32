from __future__ import annotations

import logging as python_logging
import re
import warnings
from pathlib import Path

import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import are_progress_bars_disabled
from transformers.utils import logging

from tests.tiny import tiny_sam, tiny_segmenter
from wesam.errors import WesamError
from wesam.export.transformers import export_transformers
from wesam.models.load import load_source
from wesam.models.pretrained import hub_reason, quiet, save_pretrained


def test_loading_and_saving_say_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export_transformers(tiny_segmenter(), tmp_path / "out")
    load_source(tmp_path / "out", device="cpu")
    assert capfd.readouterr() == ("", "")


def test_others_hear_transformers_as_before() -> None:
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            with quiet():
                assert logging.get_verbosity() == python_logging.ERROR
                assert not logging.is_progress_bar_enabled()
                warnings.warn("inside", FutureWarning, stacklevel=1)
            warnings.warn("outside", FutureWarning, stacklevel=1)
        assert [str(one.message) for one in heard] == ["outside"]
        assert logging.get_verbosity() == python_logging.INFO
        assert logging.is_progress_bar_enabled()
        assert not are_progress_bars_disabled()
    finally:
        logging.set_verbosity_warning()


def test_bars_that_were_off_stay_off() -> None:
    logging.disable_progress_bar()
    try:
        with quiet():
            pass
        assert not logging.is_progress_bar_enabled()
        assert are_progress_bars_disabled()
    finally:
        logging.enable_progress_bar()


def test_real_errors_come_out() -> None:
    with pytest.raises(ZeroDivisionError), quiet():
        _ = 1 / 0
    with pytest.raises(NotADirectoryError):
        save_pretrained(tiny_sam(), Path(__file__) / "folder")


class _Response:
    headers: dict[str, str] = {}  # noqa: RUF012
    request = None


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (GatedRepoError("401 Client Error", response=_Response()), "accept terms.*hf auth login"),  # type: ignore[arg-type]
        (RepositoryNotFoundError("404", response=_Response()), "none of this name, or it is private"),  # type: ignore[arg-type]
        (LocalEntryNotFoundError("no"), "the hub cannot be reached"),
        (OfflineModeIsEnabled("no"), "HF_HUB_OFFLINE"),
        (ConnectionError("no"), "the hub cannot be reached"),
        (ZeroDivisionError("no"), "what transformers says on two lines"),
    ],
)
def test_reasons_of_the_hub_are_told_in_our_words(cause: Exception, reason: str) -> None:
    error = OSError("what transformers says\non two lines")
    error.__cause__ = cause
    assert re.search(reason, hub_reason(error))


def test_a_name_that_the_hub_has_not() -> None:
    with pytest.raises(
        WesamError,
        match=r"the hub gave no such model \((the hub cannot be reached|the hub is switched off|there is none of)",
    ):
        load_source("someone/no-such-sam", device="cpu")
