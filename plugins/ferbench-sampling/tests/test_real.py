"""Every sampler on the training side of the real FER2013, each in a process of its own: what it takes is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ferbench_fer2013
import pytest

from ferbench.data.registry import add

SAMPLE = """
import json, sys, time
from pathlib import Path
from dataclasses import dataclass
import numpy as np
import torch
from ferbench import SampleContext
from ferbench.data.registry import load
from ferbench.data.splits import make_splits, with_sample
from ferbench.nouns.reference import resolve
from ferbench.plugins import discover
from ferbench.training.memory import peak_memory

@dataclass
class Trained:
    given: np.ndarray
    def features(self):
        return self.given

def waited():
    "Seconds in which others had the processor that this thread was ready to use (Linux; 0 elsewhere)."
    place = Path("/proc/thread-self/schedstat")
    return int(place.read_text().split()[1]) / 1e9 if place.exists() else 0.0

torch.set_num_threads(1)
name, space = sys.argv[1:]
installed = discover()
sampler, loaded = installed.sampler(name), load(installed.dataset("fer2013"))
train = make_splits(loaded, loaded.dataset.protocols[0]).train
options = type(sampler.options)(**({"space": space} if space else {}))
drawn = np.random.default_rng(1).normal(size=(len(train), 128)).astype(np.float32)
required = {"features": Trained(drawn)} if space == "features" else {}
wall, cpu, idle = time.perf_counter(), time.process_time(), waited()
decided = resolve(sampler.sample)(train, SampleContext(np.random.default_rng(0), train.classes, options, required))
facts = {"cpu_seconds": time.process_time() - cpu, "waited": waited() - idle, "seconds": time.perf_counter() - wall}
after = with_sample(train, decided)
epoch = len(after) if decided.indices is None else len(decided.indices)
print(json.dumps({**facts, "peak_mb": peak_memory(), "samples": epoch}))
"""
GIB = 1024**3 / 1e6


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("FERBENCH_TEST_DATA", "")) / "fer2013"
    if "FERBENCH_TEST_DATA" not in os.environ or not (folder / "fer2013.tar.gz").exists():
        pytest.skip("FERBENCH_TEST_DATA does not name a folder with fer2013/fer2013.tar.gz")
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERBENCH_DATA", str(root))
        (dataset,) = ferbench_fer2013.ferbench_datasets()
        add(dataset, folder / "fer2013.tar.gz")
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "space", "samples"),
    [
        ("class-weights", "", 28_709),
        ("balanced-batches", "", 28_709),
        ("undersampling", "", 7 * 436),
        ("random-oversampling", "", 7 * 7_215),
        ("ros+augment", "", 7 * 7_215),
        ("smote", "pixels", 7 * 7_215),
        ("smote", "features", 7 * 7_215),
    ],
)
def test_fer2013_is_sampled_within_a_minute_and_two_gibibytes(
    registered: Path, name: str, space: str, samples: int
) -> None:
    environment = os.environ | {"FERBENCH_DATA": str(registered)}
    done = subprocess.run(
        [sys.executable, "-c", SAMPLE, name, space], env=environment, capture_output=True, text=True, check=True
    )
    facts = json.loads(done.stdout)
    print(f"{name} {space}: {facts}")
    assert facts["samples"] == samples
    assert facts["peak_mb"] < 2 * GIB
    # By the clock, without the time in which a busy machine ran something else: reading, waiting and memory all count.
    assert facts["seconds"] - facts["waited"] < 60
    assert facts["cpu_seconds"] < 60
