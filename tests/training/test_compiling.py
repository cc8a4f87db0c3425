"""When networks are compiled, and what compiling leaves alone."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ferbench import EMA, SGD, Recipe
from ferbench.training.compiling import WORTHWHILE, _fixed, compile_network, decide, keep_compiled
from ferbench.training.loop import train
from tests.training.tiny import CPU, SIGNED, Memory, TinyNet, make_job, trained


def test_the_cpu_compiles_only_when_it_is_asked_to() -> None:
    assert [decide(wanted, CPU, 10 * WORTHWHILE) for wanted in ("auto", "always", "never")] == [False, True, False]


def test_a_gpu_compiles_long_trainings_where_it_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cuda, able = torch.device("cuda"), (9, 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: able)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setenv("CC", "cc")
    assert decide("auto", cuda, WORTHWHILE)
    assert not decide("auto", cuda, WORTHWHILE - 1)
    assert decide("always", cuda, 1)
    assert not decide("never", cuda, WORTHWHILE)
    able = (6, 1)
    assert not decide("auto", cuda, WORTHWHILE)


def test_a_batch_of_another_size_runs_as_it_is() -> None:
    net, seen = TinyNet(), list[tuple[bool, int]]()

    def compiled(x: torch.Tensor) -> torch.Tensor:
        seen.append((net.training, len(x)))
        return net.forward(x)

    call = _fixed(net, net.forward, compiled)
    for training, sizes in ((True, (4, 4, 3, 4)), (False, (6, 2, 6)), (True, (3, 4))):
        net.train(training)
        for size in sizes:
            assert call(torch.zeros(size, 1, 12, 12)).shape == (size, 3)
    assert seen == [(True, 4)] * 3 + [(False, 6)] * 2 + [(True, 4)]


def test_a_copy_of_a_compiled_network_stands_alone_and_names_stay() -> None:
    net = TinyNet()
    names = list(net.state_dict())
    compile_network(net)
    assert list(net.state_dict()) == names
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.head.weight.zero_()
    picture = torch.rand(2, 1, 12, 12)
    assert torch.equal(other.eval()(picture), torch.zeros(2, 3)), "it runs with its own weights"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs g++ on the CPU")
def test_a_compiled_training_ends_where_a_plain_one_does_and_goes_on_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # put back afterwards
    keep_compiled(tmp_path / "compiled")
    recipe = Recipe(epochs=2, batch_size=20, optimizer=SGD(lr=0.05), ema=EMA(decay=0.8), input=SIGNED)
    plain, watch = trained(recipe), Memory()
    whole = train(TinyNet(), replace(make_job(recipe, watch), compiled=True))
    resumed = train(TinyNet(), replace(make_job(recipe, Memory(watch.kept[0])), compiled=True))
    assert any((tmp_path / "compiled").rglob("*.so")), "it was compiled"
    assert whole.last.keys() == plain.last.keys()
    for key, value in plain.last.items():
        torch.testing.assert_close(whole.last[key], value, rtol=1e-3, atol=1e-4)
        assert torch.equal(whole.last[key], resumed.last[key])
