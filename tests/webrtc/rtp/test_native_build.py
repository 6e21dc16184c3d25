"""The native step is built where that is possible, and nothing is missing where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

import hatch_build

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("compiler", ["/no/such/compiler", "false", "sh -c 'echo no headers >&2; exit 1' --"])
def test_without_a_compiler_that_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], compiler: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    assert not hatch_build.build(ROOT, tmp_path / "libfanout.so")
    assert "Python does its work" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_any_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not hatch_build.build(ROOT, tmp_path / "libfanout.so")


def test_the_source_has_no_warnings(library: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert hatch_build.build(ROOT, tmp_path / "libfanout.so")
    assert capfd.readouterr().err == ""
    assert [path.name for path in tmp_path.iterdir()] == ["libfanout.so"]
