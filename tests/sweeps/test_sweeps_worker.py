import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def start(run):
    imports, define = "import time\nfrom bayesconv.sweeps import worker\n", f"def run(*_):\n    {run}\n"
    code = f"{imports}{define}worker.run = run\nworker.main('s', 'c')"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(
    ("run", "outcome", "printed"),
    [
        ("print('hello')", {"status": "finished"}, "hello"),
        ("raise ValueError('too large')", {"status": "failed", "error": "too large"}, "Traceback"),
        ("raise KeyError('x')", {"status": "failed", "error": "KeyError: 'x'"}, "Traceback"),
        ("raise KeyboardInterrupt", {"status": "interrupted"}, ""),
    ],
)
def test_standard_output_holds_the_outcome_and_nothing_else(run, outcome, printed):
    with start(run) as worker:
        said, logged = worker.stdout.read(), worker.stderr.read()
    assert json.loads(said) == outcome
    assert printed in logged


def test_a_worker_ends_with_the_process_that_started_it():
    with start("print('on', flush=True); time.sleep(600)") as worker:
        assert worker.stderr.readline() == "on\n"
        worker.stdin.close()  # as it is when the other process is no more
        assert json.loads(worker.stdout.read()) == {"status": "interrupted"}
