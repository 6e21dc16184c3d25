"""A machine without codecs: said in a sentence, once for each attempt, without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.error import TranscodeError
from transcode.process import WorkerProcess


async def test_codecs_that_cannot_be_loaded_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['av'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TranscodeError, match="import of av halted"):
        await WorkerProcess.spawn()
    assert "Traceback" not in capfd.readouterr().err
