"""The loop of a sweep, with processes that only pretend to train."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from bayesconv.sweeps import manifest, processes, running
from bayesconv.sweeps.manifest import CellRecord, Manifest
from bayesconv.sweeps.processes import ProcessPool
from bayesconv.sweeps.progress import Progress
from bayesconv.sweeps.stopping import Stop

pytestmark = pytest.mark.slow

WORKER = Path(__file__).parent / "fake_worker.py"


def command(sweep, name):
    return [sys.executable, "-S", "-E", str(WORKER), str(sweep), name]


def new(folder, *told):
    cells = [CellRecord(f"{i}-{do}", {"do": do}, {"training": {"epochs": 3}}) for i, do in enumerate(told)]
    found = Manifest(folder, str(folder), True, cells)
    found.write()
    return found


def drive(found, jobs=1, *, stop=None, retry_failed=False, lines=None):
    said = [] if lines is None else lines
    waiting = running.prepare(found, retry_failed=retry_failed)
    pool = ProcessPool(found.folder, jobs, command)
    try:
        progress = Progress(found, len(waiting), shown=True, write=said.append)
        running.drive(found, waiting, pool, jobs, stop or Stop(), progress)
    finally:
        pool.close()
    return said


def statuses(folder):
    return [(cell.status, cell.attempts) for cell in manifest.read(folder).cells]


def wait_for(path):
    for _ in range(3000):
        if path.exists():
            return
        time.sleep(0.01)
    raise TimeoutError(path)


def starts(folder):
    return [line.split()[:2] for line in (folder / "starts.txt").read_text().splitlines()]


class TestCells:
    def test_all_run_in_order_and_the_manifest_says_so(self, tmp_path):
        lines = drive(new(tmp_path, "finish", "finish"))
        assert statuses(tmp_path) == [("finished", 1)] * 2
        assert starts(tmp_path) == [["0-finish", "0"], ["1-finish", "0"]]
        assert lines == [
            "0-finish: starts",
            "0-finish: finished (1 of 2)",
            "1-finish: starts",
            "1-finish: finished (2 of 2)",
        ]

    def test_one_that_fails_crashes_or_is_killed_does_not_stop_the_rest(self, tmp_path):
        drive(new(tmp_path, "fail", "crash", "memory", "leave", "finish"), jobs=2)
        cells = manifest.read(tmp_path).cells
        assert [cell.status for cell in cells] == ["failed"] * 4 + ["finished"]
        errors = [cell.error for cell in cells]
        assert errors[0] == "the loss is not finite"
        assert "its process was killed by SIGSEGV" in errors[1]
        assert "it was killed, as the system does when memory runs out" in errors[2]
        assert "its process ended with code 1: left in a hurry See" in errors[3]
        assert str(tmp_path / "logs" / "3-leave.log") in errors[3]
        assert errors[4] is None

    def test_failed_ones_are_run_again_only_if_asked(self, tmp_path):
        drive(new(tmp_path, "fail", "finish"))
        (tmp_path / "mended").touch()
        drive(manifest.read(tmp_path))
        assert statuses(tmp_path) == [("failed", 1), ("finished", 1)]
        drive(manifest.read(tmp_path), retry_failed=True)
        assert statuses(tmp_path) == [("finished", 2), ("finished", 1)]
        assert manifest.read(tmp_path).cells[0].error is None

    def test_a_finished_one_whose_files_have_gone_is_run_again(self, tmp_path):
        drive(new(tmp_path, "finish", "finish"))
        (tmp_path / "1-finish" / "evaluation.json").unlink()
        drive(manifest.read(tmp_path))
        assert statuses(tmp_path) == [("finished", 1), ("finished", 2)]

    def test_no_more_run_at_once_than_there_are_jobs(self, tmp_path):
        found, most = new(tmp_path, *["finish"] * 5), []

        class Counted(ProcessPool):
            def start(self, name):
                super().start(name)
                most.append(len(self._running))

        pool = Counted(tmp_path, 2, command)
        running.drive(found, found.cells, pool, 2, Stop(), Progress(found, 5, shown=False))
        assert max(most) == 2
        assert statuses(tmp_path) == [("finished", 1)] * 5


class TestStop:
    def test_a_stop_reaches_the_cell_and_the_next_call_goes_on_there(self, tmp_path):
        stop = Stop()
        threading.Thread(target=lambda: (wait_for(tmp_path / "0-wait" / "epoch1"), stop.ask())).start()
        drive(new(tmp_path, "wait", "finish"), stop=stop)
        assert (tmp_path / "0-wait" / "stopped").exists()
        assert statuses(tmp_path) == [("interrupted", 1), ("pending", 0)]
        (tmp_path / "mended").touch()
        drive(manifest.read(tmp_path))
        assert statuses(tmp_path) == [("finished", 2), ("finished", 1)]
        assert starts(tmp_path) == [["0-wait", "0"], ["0-wait", "2"], ["1-finish", "0"]]

    def test_a_second_stop_kills(self, tmp_path):
        stop = Stop()
        stop_twice = lambda: (wait_for(tmp_path / "0-wait" / "epoch1"), stop.ask(), stop.ask())  # noqa: E731
        threading.Thread(target=stop_twice).start()
        drive(new(tmp_path, "wait"), stop=stop)
        assert not (tmp_path / "0-wait" / "stopped").exists()
        assert statuses(tmp_path) == [("interrupted", 1)]

    def test_one_that_does_not_heed_is_killed_after_a_while(self, tmp_path, monkeypatch):
        monkeypatch.setattr(processes, "GRACE", 0.2)
        ready = f"open({str(tmp_path / 'on')!r}, 'w')"
        code = f"import signal, time; signal.signal(2, signal.SIG_IGN); {ready}; time.sleep(60)"
        cell = processes.CellProcess(tmp_path, "deaf", {}, lambda *_: [sys.executable, "-S", "-c", code])
        wait_for(tmp_path / "on")
        cell.stop()
        assert cell.poll() is None
        while (outcome := cell.poll()) is None:
            time.sleep(0.01)
        assert outcome.status == "interrupted"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_a_signal_in_the_middle_leaves_a_sweep_that_goes_on(self, tmp_path, number):
        new(tmp_path, "wait", "finish")
        script = tmp_path / "script.py"
        script.write_text(
            textwrap.dedent(f"""
                import contextlib, sys
                sys.path.insert(0, {str(Path(__file__).parent)!r})
                from test_sweeps_running import *
                with running.stopping.noted() as stop:
                    drive(manifest.read(Path({str(tmp_path)!r})), stop=stop)
                sys.exit(130 if stop.asked else 0)
            """)
        )
        heeding = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731  # if a shell ignores it
        sweeping = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, preexec_fn=heeding)
        wait_for(tmp_path / "0-wait" / "epoch1")
        sweeping.send_signal(number)
        assert sweeping.wait(60) == (130 if number != signal.SIGKILL else -9), sweeping.stderr.read()
        sweeping.stderr.close()
        expected = "running" if number == signal.SIGKILL else "interrupted"
        assert statuses(tmp_path) == [(expected, 1), ("pending", 0)]
        (tmp_path / "mended").touch()
        drive(manifest.read(tmp_path))
        assert statuses(tmp_path) == [("finished", 2), ("finished", 1)]

    @pytest.mark.parametrize("heeding", [signal.default_int_handler, signal.SIG_IGN])
    def test_signals_are_as_before_afterwards(self, heeding):
        outside = signal.signal(signal.SIGINT, heeding)
        try:
            self._check_signals_afterwards(expected=1 if heeding is signal.SIG_IGN else 2)
        finally:
            signal.signal(signal.SIGINT, outside)

    def _check_signals_afterwards(self, expected):
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with running.stopping.noted() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)  # which a shell may have switched off
            assert stop.asked == expected
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


class TestThreads:
    def test_jobs_share_the_cores(self, tmp_path, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(processes, "_cores", lambda: 6)
        drive(new(tmp_path, "finish", "finish"), jobs=2)
        assert {line.split()[2] for line in (tmp_path / "starts.txt").read_text().splitlines()} == {"3"}

    def test_what_the_user_has_set_stays_and_a_single_job_has_all(self, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "5")
        assert "OMP_NUM_THREADS" not in processes.thread_limits(8, 2)
        assert processes.thread_limits(8, 2)["TF_NUM_INTRAOP_THREADS"] == "4"
        assert processes.thread_limits(1, 4)["TF_NUM_INTRAOP_THREADS"] == "1"
        assert processes.thread_limits(8, 1) == {}


class TestManifest:
    def test_two_processes_cannot_run_one_sweep(self, tmp_path):
        with manifest.locked(tmp_path), pytest.raises(BlockingIOError, match="is being run by another process"):  # noqa: SIM117
            with manifest.locked(tmp_path):
                pass
        with manifest.locked(tmp_path):
            pass

    @pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({"cells": [{"nam": 1}]})])
    def test_a_damaged_manifest_is_an_error(self, tmp_path, text):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(ValueError, match=r"must describe a sweep\. It is damaged"):
            manifest.read(tmp_path)

    def test_no_manifest_is_no_sweep(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"is no sweep folder, it has no sweep\.json"):
            manifest.read(tmp_path)
