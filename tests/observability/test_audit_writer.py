"""The thread that writes the audit log: bounded queue, whole lines, rotation, several processes."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from kit.blocking import blocking_allowed

from oidc_auth.observability.audit_target import PIPE_SIZE, AuditFile, StandardOutput, open_target
from oidc_auth.observability.audit_writer import AuditWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def may_block() -> Iterator[None]:
    with blocking_allowed():
        yield


class GatedTarget:
    """A pipe that is not ready before ``gate`` is set."""

    def __init__(self, size: int = PIPE_SIZE) -> None:
        self.size = size
        self.gate = threading.Event()
        self.output, self._input = os.pipe()

    def open(self) -> None:
        """Do nothing."""

    def prepare(self) -> int:
        self.gate.wait(10)
        return self._input

    def read(self) -> list[bytes]:
        return os.read(self.output, 1_000_000).splitlines(keepends=True)


def text_line(item: object) -> bytes:
    return f"{item}\n".encode()


def build_writer(target: AuditFile | StandardOutput | GatedTarget, capacity: int = 100) -> AuditWriter:
    return AuditWriter(target, text_line, lambda count: b"dropped %d\n" % count, capacity)


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_lines_keep_their_order(tmp_path: Path) -> None:
    writer = build_writer(AuditFile(str(tmp_path / "audit")), capacity=10_000)
    for number in range(5_000):
        writer.put(number)
    assert writer.flush()
    assert (tmp_path / "audit").read_bytes() == b"".join(map(text_line, range(5_000)))


def test_full_queue_drops_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    target = GatedTarget()
    writer = build_writer(target, capacity=3)
    writer.put("first")
    # The thread has taken the first one, and waits for the target.
    wait_until(lambda: not writer._queue)
    for number in range(8):
        writer.put(number)
    assert writer.dropped == 5
    target.gate.set()
    assert writer.flush()
    assert target.read() == [b"first\n", b"0\n", b"1\n", b"2\n", b"dropped 5\n"]
    assert [record.args for record in caplog.records] == [(5,)]
    writer.put("after")
    assert writer.flush()
    assert (target.read(), writer.dropped) == ([b"after\n"], 5)


def test_put_does_not_wait_for_target() -> None:
    target = GatedTarget()
    writer = build_writer(target, capacity=10)
    started = time.monotonic()
    for number in range(1_000):
        writer.put(number)
    assert time.monotonic() - started < 5
    assert not writer.flush(timeout=0.01)
    target.gate.set()
    assert writer.flush()


def test_flush_without_records_starts_no_thread(tmp_path: Path) -> None:
    writer = build_writer(AuditFile(str(tmp_path / "audit")))
    assert writer.flush()
    assert not (tmp_path / "audit").exists()


def test_new_file_is_for_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "audit"
    build_writer(AuditFile(str(file))).open()
    assert file.stat().st_mode & 0o777 == 0o600


def test_existing_file_keeps_content_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "audit"
    file.write_text("before\n")
    file.chmod(0o640)
    writer = build_writer(AuditFile(str(file)))
    writer.put("after")
    assert writer.flush()
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("before\nafter\n", 0o640)


@pytest.mark.parametrize("removed", [False, True])
def test_rotated_file_is_opened_again(tmp_path: Path, *, removed: bool) -> None:
    file, rotated = tmp_path / "audit", tmp_path / "audit.1"
    writer = build_writer(AuditFile(str(file)))
    writer.put(1)
    assert writer.flush()
    file.rename(rotated)
    if not removed:
        # logrotate with "create".
        file.touch()
    writer.put(2)
    assert writer.flush()
    assert (rotated.read_text(), file.read_text()) == ("1\n", "2\n")


def test_truncated_file_is_continued(tmp_path: Path) -> None:
    file = tmp_path / "audit"
    writer = build_writer(AuditFile(str(file)))
    writer.put(1)
    assert writer.flush()
    os.truncate(file, 0)
    writer.put(2)
    assert writer.flush()
    assert file.read_text() == "2\n"


def test_relative_path_ignores_later_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    writer = build_writer(AuditFile("audit"))
    writer.open()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    (tmp_path / "audit").unlink()
    writer.put(1)
    assert writer.flush()
    assert (tmp_path / "audit").read_text() == "1\n"


@pytest.mark.parametrize(
    ("name", "number"), [("", errno.EINVAL), ("missing/audit", errno.ENOENT), ("pipe", errno.EINVAL)]
)
def test_unusable_path_fails_at_open(tmp_path: Path, name: str, number: int) -> None:
    # Opening a pipe would wait for a reader.
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError) as error:  # noqa: PT011 - the number says which
        build_writer(AuditFile(str(tmp_path / name))).open()
    assert error.value.errno == number


def test_records_wait_for_missing_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = build_writer(AuditFile(str(tmp_path / "folder" / "audit")))
    writer.put(1)
    assert not writer.flush(timeout=0.2)
    assert [record.args for record in caplog.records] == [(os.strerror(errno.ENOENT),)]
    (tmp_path / "folder").mkdir()
    assert writer.flush()
    assert (tmp_path / "folder" / "audit").read_text() == "1\n"


FULL_DISK = """
import resource, signal, sys, threading
from oidc_auth.observability.audit_target import AuditFile
from oidc_auth.observability.audit_writer import AuditWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (25, 1_000_000))
writer = AuditWriter(AuditFile(sys.argv[1]), lambda item: b"%09d\\n" % item, lambda count: b"", 100)
for number in range(5):
    writer.put(number)
assert not writer.flush(0.3)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
assert writer.flush()
"""


def run_python(code: str, *arguments: str, **streams: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], **streams)  # type: ignore[call-overload, no-any-return] # noqa: S603 - our own code


def test_full_disk_repeats_only_the_torn_line(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    file = tmp_path / "audit"
    assert run_python(FULL_DISK, str(file)).wait(30) == 0
    assert file.read_text().splitlines() == [
        "000000000",
        "000000001",
        # The limit was in this line.
        "00000",
        "000000002",
        "000000003",
        "000000004",
    ]


APPENDING = """
import sys
from oidc_auth.observability.audit_target import open_target
from oidc_auth.observability.audit_writer import AuditWriter
line = lambda item: (sys.argv[2] * (item % 300) + f" {item}\\n").encode()
writer = AuditWriter(open_target(sys.argv[1]), line, lambda count: b"", 100_000)
for number in range(20_000):
    writer.put(number)
"""


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    file = tmp_path / "audit"
    processes = [run_python(APPENDING, str(file), name) for name in "abc"]
    # They end without a call of flush.
    assert [process.wait(50) for process in processes] == [0, 0, 0]
    lines = file.read_text().splitlines()
    assert len(lines) == 60_000
    for name in "abc":
        own = [line for line in lines if line.startswith(name) or line == " 0"]
        numbers = [int(line.partition(" ")[2]) for line in own if line.startswith(name)]
        assert numbers == [number for number in range(20_000) if number % 300]
        assert all(set(line.partition(" ")[0]) <= {name} for line in own)


def test_standard_output_gets_whole_lines() -> None:
    process = run_python(APPENDING, "stdout", "x", stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=50)
    lines = output.decode().splitlines()
    assert lines == [f"{'x' * (number % 300)} {number}" for number in range(20_000)]


def test_each_write_fits_into_a_pipe() -> None:
    target = GatedTarget(size=10)
    writer = build_writer(target)
    written: list[bytes] = []
    original = writer._write_chunk

    def write(descriptor: int, data: bytes) -> int:
        written.append(data)
        return original(descriptor, data)

    writer._write_chunk = write  # type: ignore[method-assign]
    for item in ("1234", "1234", "a line that is too long", "5"):
        writer.put(item)
    target.gate.set()
    assert writer.flush()
    assert written == [b"1234\n1234\n", b"a line that is too long\n", b"5\n"]


FORKED = """
import os, sys
from oidc_auth.observability.audit_target import AuditFile
from oidc_auth.observability.audit_writer import AuditWriter
writer = AuditWriter(AuditFile(sys.argv[1]), lambda item: f"{item}\\n".encode(), lambda count: b"", 100)
writer.open()
writer.put("parent")
if child := os.fork():
    os.waitpid(child, 0)
else:
    writer.put("child")
    assert writer.flush()
    os._exit(0)
"""


def test_child_process_writes_its_own_records(tmp_path: Path) -> None:
    file = tmp_path / "audit"
    assert run_python(FORKED, str(file)).wait(30) == 0
    assert sorted(file.read_text().splitlines()) == ["child", "parent"]


ON_EVENT_LOOP = """
import asyncio, sys
from blockbuster import blockbuster_ctx
from oidc_auth.observability.audit_target import AuditFile
from oidc_auth.observability.audit_writer import AuditWriter
writer = AuditWriter(AuditFile(sys.argv[1]), lambda item: b"%d\\n" % item, lambda count: b"dropped %d\\n" % count, 3)
async def main():
    with blockbuster_ctx():
        for number in range(10):
            writer.put(number)
asyncio.run(main())
"""


def test_put_on_event_loop_is_no_blocking_call(tmp_path: Path) -> None:
    file = tmp_path / "audit"
    # Also the first one, which starts the thread, and those that are dropped.
    assert run_python(ON_EVENT_LOOP, str(file)).wait(30) == 0
    lines = file.read_text().splitlines()
    assert lines[:3] == ["0", "1", "2"]
    assert lines[-1].startswith("dropped")


def test_setting_names_target() -> None:
    assert isinstance(open_target("stdout"), StandardOutput)
    assert isinstance(open_target("./stdout"), AuditFile)
    assert StandardOutput().prepare() == 1
