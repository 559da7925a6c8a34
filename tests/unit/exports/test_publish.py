"""Publishing: readers see old or new, failures leave the old, paths stay inside."""

from __future__ import annotations

import os
import queue
import resource
import subprocess
import sys
import threading

import pytest

from penstock.errors import DriverError, UserError
from penstock.exports.publish import inside, publish


def file_of(text, rows=1):
    def write(target):
        target.write_text(text)
        return rows

    return write


def folder_of(*texts):
    def write(target):
        for number, text in enumerate(texts):
            place = target / f"part={number}"
            place.mkdir(parents=True)
            (place / "data.txt").write_text(text)
        return len(texts)

    return write


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_takes_the_place_of_another(tmp_path):
    final = tmp_path / "deep" / "er" / "report.csv"
    assert publish(file_of("old", 3), final, run="r.1/x") == 3
    assert publish(file_of("new"), final, run="r1") == 1
    assert final.read_text() == "new"
    assert names(final.parent) == ["report.csv"]


def test_an_open_reader_keeps_what_it_opened(tmp_path):
    publish(file_of("old"), tmp_path / "a", run="r1")
    with (tmp_path / "a").open() as reader:
        publish(file_of("new"), tmp_path / "a", run="r2")
        assert reader.read() == "old"


def test_a_folder_is_replaced_by_its_link_and_one_old_version_stays(tmp_path):
    final = tmp_path / "sales"
    seen = []
    for run in ("r1", "r2", "r3", "r3"):
        publish(folder_of(run, run), final, run=run)
        seen.append(final.resolve())
        assert [path.read_text() for path in sorted(final.rglob("*.txt"))] == [run, run]
    assert [version.exists() for version in seen] == [False, False, True, True]
    assert names(tmp_path) == [".sales.r3-2.version", ".sales.r3.version", "sales"]
    assert not final.readlink().is_absolute()


def test_a_folder_becomes_a_file_and_back(tmp_path):
    final = tmp_path / "sales"
    publish(folder_of("a"), final, run="r1")
    publish(file_of("b"), final, run="r2")
    assert final.read_text() == "b"
    assert not final.is_symlink()
    publish(folder_of("c"), final, run="r3")
    assert (final / "part=0" / "data.txt").read_text() == "c"
    assert names(tmp_path) == [".sales.r3.version", "sales"]


def test_a_longer_name_is_another_export(tmp_path):
    publish(folder_of("eu"), tmp_path / "sales.eu", run="r1")
    publish(folder_of("all"), tmp_path / "sales", run="r1")
    publish(folder_of("all"), tmp_path / "sales", run="r2")
    publish(file_of("all"), tmp_path / "sales", run="r3")
    assert (tmp_path / "sales.eu" / "part=0" / "data.txt").read_text() == "eu"


def test_a_failed_write_changes_nothing(tmp_path):
    def fails(target):
        target.write_text("half")
        raise ValueError("no")

    publish(file_of("old"), tmp_path / "a", run="r1")
    with pytest.raises(ValueError, match="no"):
        publish(fails, tmp_path / "a", run="r2")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_write_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(DriverError, match="No such file") as caught:
        publish(lambda target: 0, tmp_path / "a", run="r1")
    assert caught.value.code == "EXPORT_IO"


def test_a_folder_of_someone_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    for write in (file_of("x"), folder_of("x")):
        with pytest.raises(UserError, match="did not make") as caught:
            publish(write, tmp_path / "mine", run="r1")
        assert caught.value.code == "EXPORT_IN_THE_WAY"
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(DriverError, match="cannot write") as caught:
        publish(file_of("x"), tmp_path / "a" / "b.csv", run="r1")
    assert caught.value.code == "EXPORT_IO"


def test_two_at_once_do_not_meet(tmp_path):
    started, go_on = threading.Event(), threading.Event()

    def slow(target):
        target.write_text("slow")
        started.set()
        assert go_on.wait(30)
        return 1

    first = threading.Thread(target=publish, args=(slow, tmp_path / "a"), kwargs={"run": "r1"})
    first.start()
    assert started.wait(30)
    publish(file_of("fast"), tmp_path / "a", run="r2")
    with pytest.raises(DriverError, match="being written") as caught:
        publish(file_of("same"), tmp_path / "a", run="r1")
    assert caught.value.code == "LOCKED"
    go_on.set()
    first.join()
    assert (tmp_path / "a").read_text() == "slow"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_reader_always_sees_a_complete_version(tmp_path, kind):
    final, stop, bad, seen, news = tmp_path / "polled", threading.Event(), [], set(), queue.SimpleQueue()

    def content(number):
        return f"{number}:" + "x" * 200_000

    def put(number):
        write = file_of(content(number)) if kind == "file" else folder_of(*[content(number)] * 3)
        publish(write, final, run=f"r{number}")

    def read():
        version = final.resolve()
        files = [version] if kind == "file" else sorted(version.rglob("*.txt"))
        return [path.read_text() for path in files]

    def poll():
        while not stop.is_set():
            texts = read()
            number = texts[0].partition(":")[0] if texts else "none"
            if number not in seen:
                seen.add(number)
                news.put(number)
            if texts != [content(number)] * (1 if kind == "file" else 3):
                bad.append(number)

    put(0)
    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for number in range(1, 50):
            put(number)
            if kind == "folder":  # its reader may be one version behind, and not two
                while news.get(timeout=60) != str(number):
                    pass
    finally:
        stop.set()
        reader.join()
    assert bad == []
    assert seen


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "./a", "a//b", "a/", "..", "C:\\x", "C:/x", "a\\b", "a\0b",
        "a\nb", ".hidden", "a/.b/c", "out/x.csv", "link.csv",
    ],
)  # fmt: skip
def test_paths_that_lead_out_are_refused(tmp_path, path):
    root = tmp_path / "exports"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "link.csv").symlink_to(tmp_path / "other.csv")
    with pytest.raises(UserError) as caught:
        inside(root, path)
    assert caught.value.code == "PATH_OUTSIDE"


@pytest.mark.parametrize("path", ["a.csv", "deep/er/a.csv", "%2e%2e", "a..b", "．．", "it's a 'name'; --"])  # noqa: RUF001
def test_paths_inside_are_kept(tmp_path, path):
    assert inside(tmp_path, path) == tmp_path / path
    publish(folder_of("x"), inside(tmp_path, path), run="r1")
    assert inside(tmp_path, path).is_symlink()  # our own link does not lead out


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(DriverError, match="too long") as caught:
        publish(file_of("x"), inside(tmp_path, "x" * 300), run="r1")
    assert caught.value.code == "EXPORT_IO"


def test_a_disk_that_is_full(tmp_path):
    publish(file_of("old"), tmp_path / "a", run="r1")
    script = (
        "import sys; from pathlib import Path; from penstock.exports.publish import publish\n"
        "from penstock.errors import DriverError\n"
        "try: publish(lambda target: target.write_bytes(b'x' * 200_000), Path(sys.argv[1]), run='r2')\n"
        "except DriverError as error: print(error.code, error.transient)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.stdout.split() == ["DISK_FULL", "True"], done.stderr
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_may_not_be_written(tmp_path):
    def denied(target):
        raise PermissionError(13, "Permission denied", str(target))

    publish(file_of("old"), tmp_path / "a", run="r1")
    with pytest.raises(DriverError, match="let the user who runs Penstock write") as caught:
        publish(denied, tmp_path / "a", run="r2")
    assert caught.value.code == "PERMISSION_DENIED"
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208
