"""The ledger: what was appended comes back whatever happens to the process, the disk or the file."""

from __future__ import annotations

import json
import math
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.errors import DamagedRecord, InvalidValue, OptselectError, StudyConflict, UnknownName
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.record import Ledger, StudyLog, read, repair
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.record.lines import RESERVED

STUDY = StudyRecord(name="iris", fingerprint={"data": "1f2e"}, description={"rows": 150})
ENTRIES = [{"kind": "trial", "number": n, "value": v} for n, v in enumerate([0.1, math.inf, -0.0, 1e-320])]


def filled(path: Path) -> list[bytes]:
    """A ledger of all `ENTRIES`, as its lines."""
    with Ledger.open(path) as ledger:
        for entry in ENTRIES:
            ledger.append("trial", {k: v for k, v in entry.items() if k != "kind"})
    return path.read_bytes().splitlines(keepends=True)


def begun(path: Path) -> list[bytes]:
    """The ledger of a study with six trials, as its lines."""
    with Ledger.open(path) as ledger:
        ledger.append("study", STUDY.to_dict())
        ledger.append("task", {"description": {"rows": 150}})
        for number in range(6):
            trial = {"number": number, "stage": "search" if number < 3 else "confirm", "seed": number, "value": 0.1}
            ledger.append("trial", trial)
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
@given(payload=st.dictionaries(st.text().filter(lambda k: k not in RESERVED), PLAIN, max_size=4))
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
    path = tmp_path / "a study" / "ledger.jsonl"
    lines = begun(path)
    path.write_bytes(b"".join([*lines[:4], lines[4].replace(b"kind", b"kinf"), *lines[5:]]))
    with pytest.raises(StudyConflict, match="damaged") as caught:
        Ledger.open(path)
    command = shlex.split(str(caught.value).split("`")[1])
    assert command[0] == "optselect"
    subprocess.run([sys.executable, "-m", *command], check=True, cwd=tmp_path)
    assert path.read_bytes() == b"".join(lines[:4])


def test_second_writer_is_refused(tmp_path):
    """A second writer is told which study, process and host; when the first is killed, the lock is free."""
    path = tmp_path / "ledger"
    code = "import sys, time\nfrom optselect.record import Ledger\nledger = Ledger.open(sys.argv[1])\n"
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
    code = "import sys\nfrom optselect.record import Ledger\nledger = Ledger.open(sys.argv[1])\n"
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


def damages(lines: list[bytes]) -> dict[str, list[bytes]]:
    """Every way to lose, double or exchange whole lines of a file, by name; its last lines lost is none."""
    count = len(lines)
    found = {f"without line {i + 1}": lines[:i] + lines[i + 1 :] for i in range(count - 1)}
    found |= {f"line {i + 1} twice": lines[: i + 1] + lines[i:] for i in range(count)}
    found |= {f"line {i + 1} again at the end": [*lines, lines[i]] for i in range(count)}
    for i in range(count):
        for j in range(i + 1, count):
            swapped = list(lines)
            swapped[i], swapped[j] = lines[j], lines[i]
            found[f"lines {i + 1} and {j + 1} exchanged"] = swapped
    return found


def test_every_line_is_in_its_place(tmp_path):
    """A line that is missing, doubled or exchanged is refused by name, and the file is not touched."""
    path = tmp_path / "ledger.jsonl"
    lines = begun(path)
    kinds = {"without": "missing", "twice": "is there twice", "again": "is there twice", "exchanged": "out of order"}
    for what, damaged in damages(lines).items():
        path.write_bytes(b"".join(damaged))
        word = next(said for name, said in kinds.items() if name in what)
        for use in (Ledger.open, read, StudyLog.read):
            with pytest.raises(DamagedRecord, match=word):
                use(path)
        assert path.read_bytes() == b"".join(damaged), what


def test_a_cut_between_lines_is_a_whole_ledger(tmp_path):
    """Lines cut off the end leave a whole record: what they held is trained again."""
    path = tmp_path / "ledger.jsonl"
    lines = begun(path)
    for count in range(len(lines) + 1):
        path.write_bytes(b"".join(lines[:count]))
        assert len(read(path)) == count


def test_repair_keeps_the_longest_whole_record(tmp_path):
    """Lines doubled or exchanged lose nothing; where one is missing those before it are kept. The old file stays."""
    path, aside = tmp_path / "ledger.jsonl", tmp_path / "ledger.jsonl.damaged"
    lines = begun(path)
    for what, damaged in damages(lines).items():
        aside.unlink(missing_ok=True)
        path.write_bytes(b"".join(damaged))
        made = repair(path)
        whole = lines[: int(what.split()[-1]) - 1] if what.startswith("without") else lines
        assert path.read_bytes() == b"".join(whole), what
        assert (made.kept, made.total, made.aside) == (len(whole), len(damaged), aside)
        assert aside.read_bytes() == b"".join(damaged)
        with Ledger.open(path) as ledger:
            ledger.append("study", {})
        assert len(read(path)) == len(whole) + 1
        assert repair(path).damage == ""


def test_a_line_of_another_study_is_refused(tmp_path):
    """A line with a right checksum and the right number that another ledger wrote does not belong here."""
    path, other = tmp_path / "ledger.jsonl", tmp_path / "other.jsonl"
    lines = begun(path)
    with Ledger.open(other) as ledger:
        for _ in range(3):
            ledger.append("study", {**STUDY.to_dict(), "name": "other"})
    theirs = other.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], theirs[2], *lines[3:]]))
    with pytest.raises(DamagedRecord, match="line 3: the line does not follow"):
        read(path)


def old(entry: dict[str, object]) -> bytes:
    """A line as earlier versions wrote it, without its place."""
    body = json.dumps(entry)[1:].encode()
    return b'{"crc": "' + f"{zlib.crc32(body):08x}".encode() + b'", ' + body + b"\n"


OLD = [
    old({"kind": "study", **STUDY.to_dict()}),
    old({"kind": "task", "description": {}}),
    *(old({"kind": "trial", "number": n, "stage": "search", "seed": 0, "configuration": {}}) for n in range(3)),
    *(old({"kind": "trial", "number": n, "stage": "confirm", "seed": n, "configuration": {}}) for n in (3, 4)),
]


def test_an_old_ledger_opens_and_goes_on(tmp_path):
    """Lines without a place are read as before; those that follow are chained to them."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(OLD))
    with Ledger.open(path) as ledger:
        assert len(ledger.entries) == len(OLD)
        ledger.append("share", {"trials": 7})
    assert StudyLog.read(path).share == 7
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[:-1] == OLD
    for what, damaged in damages(lines).items():
        if "exchanged" not in what or what.startswith(f"lines {len(OLD)} ") or f"and {len(OLD)}" in what:
            path.write_bytes(b"".join(damaged))
            with pytest.raises(DamagedRecord):
                StudyLog.read(path)


IMPOSSIBLE = {
    "trial 2 is recorded twice": [*OLD[:5], OLD[4], *OLD[5:]],
    "`confirm` is recorded twice": [
        *OLD,
        old({"kind": "trial", "number": 9, "stage": "confirm", "seed": 3, "configuration": {}}),
    ],
    "kind `study`": OLD[1:],
    "kind `task`": [OLD[0], *OLD[2:]],
}


@pytest.mark.parametrize("said", IMPOSSIBLE)
def test_what_no_study_writes_is_refused(tmp_path, said):
    """A trial twice, a training under two numbers, a record without its head: refused in old ledgers too."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(IMPOSSIBLE[said]))
    with pytest.raises(DamagedRecord, match=said):
        StudyLog.read(path)
    repair(path)
    StudyLog.read(path)


def test_a_newer_ledger_is_not_called_damaged(tmp_path):
    """A format that this version does not know is said to be newer."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(old({"kind": "study", "line": 1, "follows": "00000000", "format": 99}))
    with pytest.raises(StudyConflict, match="newer optselect"):
        read(path)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" * 40, b"hello", b"hello\n", bytes(range(128, 192))])
def test_a_file_of_something_else_is_no_torn_line(tmp_path, data):
    """A file that holds something else is refused and stays as it is; it is not taken for an append cut short."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(data)
    for use in (Ledger.open, read):
        with pytest.raises(DamagedRecord):
            use(path)
    assert path.read_bytes() == data


def test_what_cannot_be_a_ledger_is_said(tmp_path):
    """A folder in its place is no traceback."""
    (tmp_path / "ledger.jsonl").mkdir()
    for use in (Ledger.open, read):
        with pytest.raises(OptselectError, match="directory"):
            use(tmp_path / "ledger.jsonl")
