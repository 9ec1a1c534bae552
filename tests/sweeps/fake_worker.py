"""Stands for a cell's process: `fake_worker.py SWEEP CELL`, quick and told by the cell's name what to do.

It counts to three epochs, one file each, going on where an earlier process stopped.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

sweep, name = Path(sys.argv[1]), sys.argv[2]
folder = sweep / name
folder.mkdir(exist_ok=True)
told = next(cell for cell in json.loads((sweep / "sweep.json").read_text())["cells"] if cell["name"] == name)
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with open(sweep / "starts.txt", "a") as file:
        file.write(f"{name} {len(list(folder.glob('epoch*')))} {os.environ.get('OMP_NUM_THREADS')}\n")
    wanted = told["choices"].get("do", "finish")
    if wanted == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if wanted == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    if wanted == "leave":
        sys.exit("left in a hurry")
    if wanted == "fail" and not (sweep / "mended").exists():
        outcome = {"status": "failed", "error": "the loss is not finite"}
    else:
        for epoch in range(3):
            (folder / f"epoch{epoch}").touch()
            while wanted == "wait" and epoch == 1 and not (sweep / "mended").exists():
                time.sleep(0.02)
        for file in ("config.yaml", "checkpoints/best.npz", "evaluation.json"):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).touch()
        outcome = {"status": "finished"}
except KeyboardInterrupt:
    (folder / "stopped").touch()
    outcome = {"status": "interrupted"}
sys.stdout.write(json.dumps(outcome))
