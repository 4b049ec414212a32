from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.direct import DirectObjective


def test_has_nothing_to_learn() -> None:
    objective = DirectObjective(adapted_segmenter(drift=0))
    losses = objective(make_batch())
    assert not objective.trainable
    assert losses["total"].item() == 0
    assert not losses["total"].requires_grad
    assert objective.extra_state() == {}
