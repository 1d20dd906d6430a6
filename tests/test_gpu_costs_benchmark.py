from __future__ import annotations

import json

import pytest

from benchmarks.gpu_unit_costs import main


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        (
            "indexing",
            {"forward_tiny", "encode_tiny_4096", "encoding_tiny_4096", "index_pair_bytes_tiny_4096"},
        ),
        ("neighbours", {"nearest_tiny_4096", "nearest_block_tiny_4096"}),
    ],
)
def test_a_tiny_run_on_the_cpu_gives_every_key(
    part: str, keys: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--quick", "--device", "cpu", "--part", part, "--json"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert keys <= found.keys()
    assert not [key for key in found if key.startswith("failed")]
    if part == "indexing":
        assert 4.0 < found["pair_bytes_tiny_4096"] < found["index_pair_bytes_tiny_4096"] < 6.0
