from wesam.training.config import make_config
from wesam.training.rate import learning_rate

BASE = {"model": "wesam-tiny", "images": "images", "labels": "labels.json", "out": "run"}


def test_learning_rate_warms_up_then_holds() -> None:
    config = make_config(BASE, overrides=["steps=20", "warmup_steps=4", "learning_rate=1.0"])
    assert [learning_rate(config, 1.0, step) for step in (0, 3, 4, 19)] == [0.25, 1.0, 1.0, 1.0]
