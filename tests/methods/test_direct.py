from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.direct import Direct, DirectSettings


def test_has_nothing_to_learn() -> None:
    method = Direct(adapted_segmenter(drift=0), DirectSettings())
    losses = method(make_batch())
    assert not method.trainable
    assert losses["total"].item() == 0
    assert not losses["total"].requires_grad
    assert method.own_state() == {}
