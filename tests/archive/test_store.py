import json
import shutil

import pytest

from seisbench_llm import archive
from seisbench_llm.archive import merge, status
from seisbench_llm.archive import store as archive_store
from tests.helpers.archive_stub import (
    EXPECTED,
    FIRST,
    SECOND_DAY,
    run_stub,
)

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def test_other_configuration_is_refused(undisturbed, original, sds, scheduler):
    with pytest.raises(archive_store.ConfigurationError, match=r"arguments.P_threshold was None"):
        run_stub(original, undisturbed, scheduler=scheduler, arguments={"P_threshold": 0.5})
    with pytest.raises(ValueError, match="archive was .* and is"):
        run_stub(sds, undisturbed, scheduler=scheduler)
    with pytest.raises(ValueError, match="model.weights was 'stub' and is 'other'"):
        archive.run(
            str(original), undisturbed, FIRST.date, SECOND_DAY, ["XX.*"], "other",
            processor="tests.helpers.archive_stub:Spikes", scheduler=scheduler,
        )  # fmt: skip


@pytest.mark.parametrize("renamed", archive_store.RENAMED)
def test_run_of_an_older_version_goes_on(renamed, original, undisturbed, scheduler, tmp_path):
    """Runs that were begun when modules had other names, and by a command that gave defaults."""
    out = shutil.copytree(undisturbed, tmp_path / "out")
    store = archive_store.Store(out)
    config = json.loads((out / "config.json").read_text())
    old = {**config, "processor": renamed, "arguments": {"P_threshold": 0.3}}
    (out / "config.json").write_text(json.dumps(old))
    new = {**config, "processor": archive_store.RENAMED[renamed]}
    store.check_config(new, {"P_threshold": 0.3}.get)
    with pytest.raises(archive_store.ConfigurationError, match="P_threshold was 0.3 and is 0.4"):
        store.check_config(new, {"P_threshold": 0.4}.get)
    with pytest.raises(archive_store.ConfigurationError, match="processor was"):
        run_stub(original, out, scheduler=scheduler)


def test_files_of_others_are_passed_over_and_named(undisturbed, original, scheduler, warnings_of,
                                                   tmp_path):  # fmt: skip
    out = shutil.copytree(undisturbed, tmp_path / "out")
    day = out / "manifest/day=2020-01-01"
    for name in (".nfs000000012", ".DS_Store", "notes.txt", "XX.ONE..BH.odd.json"):
        (day / name).touch()
        (out / "manifest" / name).touch()
    (day / b"caf\xe9".decode(errors="surrogateescape")).touch()
    assert status(out).counts == {"done": 6, "empty": 0, "failed": 0, "pending": 0}
    assert run_stub(original, out, scheduler=scheduler).new == 0
    assert merge(out, tmp_path / "all.csv").rows == len(EXPECTED)
    for name in (".nfs000000012", ".DS_Store", "notes.txt", "caf\\udce9"):
        assert f"{name}' is ignored" in warnings_of()


@pytest.mark.parametrize("name", ["config.json", "plan.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}"])
def test_damaged_files_of_a_run_are_named(name, content, undisturbed, original, tmp_path):
    out = shutil.copytree(undisturbed, tmp_path / "out")
    (out / name).write_bytes(content)
    with pytest.raises((OSError, ValueError), match=f"{name} is damaged|another configuration"):
        run_stub(original, out) if name == "config.json" else status(out)
