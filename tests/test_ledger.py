"""The ledger: what was appended comes back whatever happens to the process, the disk or the file."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.configuration import Configuration
from optselect.errors import InvalidValue, OptselectError, StudyConflict, UnknownName
from optselect.ledger import Ledger, read
from optselect.records import StudyRecord, TrialRecord
from optselect.rules import RULES

STUDY = StudyRecord(name="iris", fingerprint={"data": "1f2e"}, description={"rows": 150})
ENTRIES = [{"kind": "trial", "number": n, "value": v} for n, v in enumerate([0.1, math.inf, -0.0, 1e-320])]


def filled(path: Path) -> list[bytes]:
    """A ledger of all `ENTRIES`, as its lines."""
    with Ledger.open(path) as ledger:
        for entry in ENTRIES:
            ledger.append("trial", {k: v for k, v in entry.items() if k != "kind"})
    return path.read_bytes().splitlines(keepends=True)


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another Python process that runs `code`."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_records_round_trip(tmp_path, rule):
    """A study and its trials come back equal, with NaN, the infinities and every bit of a float."""
    trial = TrialRecord(
        number=0, stage="search", arm=rule.name, configuration=Configuration(rule=rule()), seed=3, outcome="diverged",
        value=None, metrics={"val_loss": math.inf}, curves={"loss": [0.1 + 0.2, math.inf, -math.inf]}, epochs=3,
        started=1767225600.25, seconds=1.5, message="diverged at epoch 2", attributes={"p": {"beta": 0.1}},
    )  # fmt: skip
    with Ledger.open(tmp_path / "new" / "ledger.jsonl") as ledger:
        assert ledger.entries == []
        ledger.append("study", STUDY.to_dict())
        ledger.append("trial", trial.to_dict())
    with Ledger.open(tmp_path / "new" / "ledger.jsonl") as ledger:
        study, back = ledger.entries
        assert ledger.torn == 0
    assert (study.pop("kind"), back.pop("kind")) == ("study", "trial")
    assert StudyRecord.from_dict(study) == STUDY
    assert TrialRecord.from_dict(back) == trial


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)  # the disk is shared
@given(payload=st.dictionaries(st.text().filter(lambda k: k not in ("crc", "kind")), PLAIN, max_size=4))
def test_any_payload_round_trips(payload, tmp_path_factory):
    """Whatever JSON types an entry holds, control characters and lone surrogates too, it comes back exactly."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    with Ledger.open(path) as ledger:
        ledger.append("note", payload)
    assert repr(read(path)) == repr([{"kind": "note", **payload}])  # by repr, since NaN is not NaN
    assert path.read_bytes().count(b"\n") == 1


def test_torn_at_every_byte(tmp_path):
    """Cut at any byte, the ledger opens with all whole entries, goes on, and keeps what was torn off aside."""
    lines = filled(tmp_path / "whole")
    data = b"".join(lines)
    ends = [len(b"".join(lines[: n + 1])) - 1 for n in range(len(lines))]  # an entry is whole without its newline
    path, aside = tmp_path / "ledger", tmp_path / "ledger.torn"
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        aside.unlink(missing_ok=True)
        whole = ENTRIES[: sum(end <= cut for end in ends)]
        assert read(path) == whole, f"cut at {cut}"
        assert path.read_bytes() == data[:cut], "a reader changes nothing"
        with Ledger.open(path) as ledger:
            assert ledger.entries == whole, f"cut at {cut}"
            torn = ledger.torn
            ledger.append("note", {"after": cut})
        assert read(path) == [*whole, {"kind": "note", "after": cut}]
        kept = aside.read_bytes() if aside.exists() else b""
        assert kept == (data[cut - torn : cut] + b"\n" if torn else b"")


@pytest.mark.parametrize("hole", [0, 1])
def test_holes_after_a_power_cut(tmp_path, hole):
    """A last line whose pages never arrived reads as zero bytes and is set aside, with or without its end."""
    *before, last = filled(tmp_path / "ledger")
    (tmp_path / "ledger").write_bytes(b"".join(before) + last[:9] + b"\0" * 30 + last[39:] * hole)
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert ledger.entries == ENTRIES[:-1]
        assert ledger.torn > 0


@settings(deadline=None)  # the disk is shared
@given(place=st.integers(0), mask=st.integers(1, 255))
def test_flipped_byte_is_refused(place, mask, tmp_path_factory):
    """A changed byte before the last line is refused by the writer and the reader, with the line's number."""
    folder = tmp_path_factory.mktemp("ledger")
    lines = filled(folder / "ledger")
    data = bytearray(b"".join(lines))
    place %= len(b"".join(lines[:-1]))
    data[place] ^= mask
    (folder / "ledger").write_bytes(data)
    number = bytes(b"".join(lines)).count(b"\n", 0, place) + 1
    for use in (Ledger.open, read):
        with pytest.raises(StudyConflict, match=rf"ledger, line {number}: .* damaged"):
            use(folder / "ledger")
    assert (folder / "ledger").read_bytes() == bytes(data)


def test_flipped_byte_in_the_last_line_is_refused(tmp_path):
    """A damaged last line that has its end was acknowledged once: it is refused, not dropped."""
    data = b"".join(filled(tmp_path / "ledger"))
    (tmp_path / "ledger").write_bytes(data[:-5] + b"?" + data[-4:])
    with pytest.raises(StudyConflict, match=r"line 4: .*The 3 lines before it are whole"):
        Ledger.open(tmp_path / "ledger")


def test_the_advice_works(tmp_path):
    """The command that the message about a damaged line gives makes the ledger open again."""
    path = tmp_path / "a study" / "ledger"
    lines = filled(path)
    lines[2] = lines[2].replace(b"kind", b"kinf")
    path.write_bytes(b"".join(lines))
    with pytest.raises(StudyConflict, match="damaged") as caught:
        Ledger.open(path)
    subprocess.run(str(caught.value).split("`")[1], shell=True, check=True, cwd=tmp_path)
    assert read(path) == ENTRIES[:2]


def test_second_writer_is_refused(tmp_path):
    """A second writer is told which study, process and host; when the first is killed, the lock is free."""
    path = tmp_path / "ledger"
    code = "import sys, time\nfrom optselect.ledger import Ledger\nledger = Ledger.open(sys.argv[1])\n"
    code += "ledger.append('study', {'name': 'iris'})\nprint('open', flush=True)\ntime.sleep(60)"
    with child(code, path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "open\n"
        with pytest.raises(
            StudyConflict, match=f"Study 'iris' is being run by process {first.pid} on host {os.uname()[1]}"
        ):
            Ledger.open(path)
        assert read(path) == [{"kind": "study", "name": "iris"}]
        first.kill()
        first.wait()
    with Ledger.open(path) as ledger:
        assert len(ledger.entries) == 1
        with pytest.raises(StudyConflict, match=f"process {os.getpid()} "):
            Ledger.open(path)


def test_sigkill_loses_nothing_that_was_acknowledged(tmp_path):
    """Killed among its appends, a writer leaves every entry whose append had returned, and at most one more."""
    path = tmp_path / "ledger"
    code = "import sys\nfrom optselect.ledger import Ledger\nledger = Ledger.open(sys.argv[1])\n"
    code += "for n in range(len(ledger.entries), 10**6):\n"
    code += "    ledger.append('trial', {'number': n, 'curve': [0.1] * 5000})\n    print(n, flush=True)"
    said = 0
    for pause in (0.01, 0.03, 0.05, 0.07):
        with child(code, path) as writer:
            assert writer.stdout is not None
            assert int(writer.stdout.readline()) in (said, said + 1)
            time.sleep(pause)
            os.kill(writer.pid, signal.SIGKILL)
            rest = writer.stdout.read().splitlines()
        said = int(rest[-1]) + 1 if rest else said + 1
        numbers = [entry["number"] for entry in read(path)]
        assert numbers in (list(range(said)), list(range(said + 1)))
        said = len(numbers)


def test_refusing_disk(tmp_path):
    """A disk that takes half a line gives one clear error; the entries before are whole and the ledger goes on."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.append("trial", {"number": 0})
        size = (tmp_path / "ledger").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, limits[1]))
        try:
            with pytest.raises(
                OptselectError, match=r"cannot be recorded, file too large. The 1 entries before are safe"
            ):
                ledger.append("trial", {"number": 1, "message": "x" * 100})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (tmp_path / "ledger").stat().st_size == size
        ledger.append("trial", {"number": 2})
    assert [entry["number"] for entry in read(tmp_path / "ledger")] == [0, 2]


def test_unwritable_folder_and_missing_file(tmp_path):
    """A path that cannot be a ledger, and a study that is not there, are said in a sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OptselectError, match="cannot be recorded, file exists"):
        Ledger.open(tmp_path / "file" / "ledger")
    with pytest.raises(UnknownName, match="no study is recorded here"):
        read(tmp_path / "none")


def test_refused_payloads_leave_no_trace(tmp_path):
    """A payload with the ledger's own keys, or with something that JSON has not, writes nothing."""
    with Ledger.open(tmp_path / "ledger") as ledger:
        with pytest.raises(InvalidValue, match="must not have 'crc'"):
            ledger.append("trial", {"crc": 1})
        with pytest.raises(TypeError):
            ledger.append("trial", {"value": {1, 2}})
        assert (tmp_path / "ledger").read_bytes() == b""


def test_lines_are_json(tmp_path):
    """Every line is one JSON object that other tools can read, its kind second."""
    for line, entry in zip(filled(tmp_path / "ledger"), ENTRIES, strict=True):
        assert list(json.loads(line))[:2] == ["crc", "kind"]
        assert json.loads(line)["number"] == entry["number"]


def test_append_is_fast(tmp_path):
    """An append of a trial with 30 epochs, on the disk, takes under 5 ms in the median."""
    curves = {name: [0.123456789 + n for n in range(30)] for name in ("loss", "val_loss", "val_accuracy")}
    seconds = []
    with Ledger.open(tmp_path / "ledger") as ledger:
        for number in range(50):
            begin = time.perf_counter()
            ledger.append("trial", {"number": number, "curves": curves})
            seconds.append(time.perf_counter() - begin)
    assert sorted(seconds)[25] < 5e-3
