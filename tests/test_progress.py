"""Claims about what is seen of long work: bars in terminals and notebooks, lines in files, nothing if not asked."""

from __future__ import annotations

import io
import re
import sys
import types

import numpy as np
import pytest

import bayesconv as bc

X, Y = np.ones([8, 3], np.float32), np.zeros(8, np.int32)
NUMBERS = r"loss [\d.]+, NLL [\d.]+, KL \d+"


class Terminal(io.StringIO):
    """A terminal, as far as programs ask."""

    def isatty(self):
        return True


def written(monkeypatch, stream, **options) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    model = bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    bc.fit(model, (X, Y), epochs=2, batch_size=4, **options)
    bc.predict(model, X, num_samples=2, batch_size=4, progress=options.get("progress", True))
    return stream.getvalue()


def test_a_file_gets_a_line_an_epoch(monkeypatch):
    *lines, last = written(monkeypatch, io.StringIO()).splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"predict: 2 batches, \d+ s", last)
    for epoch, line in enumerate(lines, 1):
        assert re.fullmatch(rf"epoch {epoch}/2: {NUMBERS}, \d+ images/s", line)


def test_a_line_has_the_label_and_the_validation(monkeypatch):
    first, *_ = written(monkeypatch, io.StringIO(), validation=(X, Y), progress="member 3").splitlines()
    assert re.fullmatch(rf"member 3, epoch 1/2: {NUMBERS}, validation NLL [\d.]+, \d+ images/s", first)


@pytest.mark.parametrize("where", ["terminal", "notebook"])
def test_who_watches_sees_bars(monkeypatch, where):
    if where == "notebook":
        shell = types.SimpleNamespace(kernel=None)
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    found = written(monkeypatch, Terminal() if where == "terminal" else io.StringIO())
    assert re.search(rf"\repoch 2/2: +\d+%\|.*step/s, {NUMBERS}, \d+ images/s", found)
    assert re.search(r"\rpredict: 100%\|.*batches/s", found)
    assert not re.search(r"epoch \d/2: loss", found)


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_nothing_is_shown_if_it_is_not_asked_for(monkeypatch, stream):
    assert written(monkeypatch, stream(), progress=False) == ""


class Closed(io.StringIO):
    """A stream that somebody closed, as daemons do."""

    def __init__(self):
        super().__init__()
        self.close()


class Logger:
    """A stream that can be written to and nothing else."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("stream", [lambda: None, Closed, Logger])
def test_a_program_with_another_standard_error_trains(monkeypatch, stream):
    made = stream()
    monkeypatch.setattr(sys, "stderr", made)
    assert bc.fit(bc.Affine(3, 2), (X, Y), epochs=1).rows
    assert not isinstance(made, Logger) or made.text.startswith("epoch 1/1: loss")
