import itertools
import shutil

import pandas as pd
import pytest

from tests.helpers.archive_stub import (
    DAYS,
    FIRST,
    contents,
    garble,
    run_stub,
    spiky_stream,
)

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def test_folder(scheduler, undisturbed, tmp_path):
    root = tmp_path / "folder"
    root.mkdir()
    for i, trace in enumerate(spiky_stream()):
        cuts = [FIRST - 1, FIRST + 50_000, FIRST + 130_000, FIRST + DAYS * 86400]
        for start, end in itertools.pairwise(cuts):
            part = trace.slice(start, end - 0.03, nearest_sample=False)
            part.write(root / f"{i}_{start.timestamp:.0f}.mseed", format="MSEED")
    garble(root / "nonsense.mseed")
    misnamed = root / b"caf\xe9.mseed".decode(errors="surrogateescape")
    shutil.copy(root / "nonsense.mseed", misnamed)
    # Below the data, where its own files are none of the archive's.
    out = root / "out"
    result = run_stub(root, out, scheduler=scheduler)
    assert contents(out)[0] == contents(undisturbed)[0]
    assert list(result.unreadable) == [str(root.resolve() / "nonsense.mseed"), ascii(str(misnamed))]
    assert "not UTF-8" in result.unreadable[ascii(str(misnamed))]
    misnamed.unlink()

    (out / "index.parquet").write_bytes(b"PAR1 damaged PAR1")
    assert run_stub(root, out, scheduler=scheduler).new == 0
    index = pd.read_parquet(out / "index.parquet")
    assert len(index) == 7 and not index.file.str.startswith("out").any()
    (root / "nonsense.mseed").unlink()
    assert run_stub(root, out, scheduler=scheduler).unreadable == {}
