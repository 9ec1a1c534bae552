"""Where the other libraries are installed, and how to start a process of theirs.

    python -m benchmarks.peers.environments

installs what is missing. Those of PyTorch share an environment below the project's own, with several gigabytes unless
pip is pointed to an index of CPU builds; those of TensorFlow Probability are installed with `bayesconv` already.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(sys.prefix) / "peers"
OWN = ""  # the project's environment


class Peer(NamedTuple):
    """Another library.

    Attributes:
      module: Of `benchmarks.peers`, that speaks for it.
      environment: Its folder, or `OWN`.
      packages: What is installed there for it.
    """

    module: str
    environment: str
    packages: tuple[str, ...]


PEERS = {
    "tfp.layers": Peer("tfp_layers", OWN, ()),
    "tfp.experimental.nn": Peer("tfp_nn", OWN, ()),
    "bayesian-torch": Peer("bayesian_torch", "torch", ("bayesian-torch>=0.5,<0.6",)),
    "torch-uncertainty": Peer("torch_uncertainty", "torch", ("torch-uncertainty[cpu]>=0.13,<0.14",)),
    "blitz": Peer("blitz", "torch", ("blitz-bayesian-pytorch>=0.2.8,<0.3",)),
}


def python_of(peer: Peer) -> Path:
    """The interpreter that a library is imported with."""
    return Path(sys.executable) if peer.environment == OWN else ROOT / peer.environment / "bin" / "python"


def install(name: str) -> None:
    """Makes the environment of a library if there is none, and installs the library unless it is there.

    Raises:
      RuntimeError: If pip cannot.
    """
    peer = PEERS[name]
    if peer.environment == OWN or _is_installed(peer):
        return
    python = python_of(peer)
    if not python.exists():
        _run(sys.executable, "-m", "venv", str(ROOT / peer.environment))
    _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages)


def _is_installed(peer: Peer) -> bool:
    command = [str(python_of(peer)), "-c", f"import {peer.module}"]
    return python_of(peer).exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


def main() -> None:
    """Installs everything that can be."""
    for name in PEERS:
        try:
            install(name)
            print(f"{name}: ready")
        except RuntimeError as error:
            print(f"{name}: not available here. {error}")


if __name__ == "__main__":
    main()
