"""What a run folder says of itself besides the weights: its configuration, and what the model was built for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

import bayesconv as bc
from bayesconv import config
from bayesconv.config import RunConfig
from bayesconv.data import Dataset
from bayesconv.files import write_text

CONFIG, RECORD = "config.yaml", "run.json"
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    """What `run.json` holds."""

    model_config = ConfigDict(strict=True)
    bayesconv: str = ""
    config_folder: str
    input_shape: list[PositiveInt] = Field(min_length=1)
    num_classes: PositiveInt
    class_names: list[str]
    value_range: list[_Finite] = Field(min_length=2, max_length=2)

    @model_validator(mode="after")
    def _named(self) -> _Record:
        if len(self.class_names) != self.num_classes:
            raise ValueError(f"class_names must be {self.num_classes} strings. Received {self.class_names}")
        return self


def write_record(folder: Path, run_config: RunConfig, dataset: Dataset) -> None:
    """Writes what `read_record` reads.

    Args:
      folder: The run folder.
      run_config: What is trained by.
      dataset: What is trained on.
    """
    record = _Record(
        bayesconv=bc.__version__,
        config_folder=str(run_config.settings.folder or Path.cwd()),
        input_shape=[int(size) for size in dataset.input_shape],
        num_classes=int(dataset.num_classes),
        class_names=[str(name) for name in dataset.class_names],
        value_range=[float(end) for end in dataset.value_range],
    )
    write_text(folder / RECORD, record.model_dump_json(indent=2) + "\n")
    write_text(folder / CONFIG, config.dump(run_config))


def read_record(folder: Path) -> tuple[RunConfig, dict[str, Any]]:
    """The configuration of a run folder, and what its model was built for.

    Args:
      folder: The run folder.

    Returns:
      The configuration, and `input_shape`, `num_classes`, `class_names`, `value_range` and `config_folder`, in which
      plugins may lie.

    Raises:
      FileNotFoundError: If it is none.
      ValueError: If one of the files is damaged.
    """
    if not (folder / CONFIG).is_file() or not (folder / RECORD).is_file():
        raise FileNotFoundError(
            f"{folder.absolute()} is no run folder, it has no {CONFIG} and {RECORD}. Check the path."
        )
    try:
        record = _Record.model_validate_json((folder / RECORD).read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"{folder / RECORD} must be what training wrote there. It is damaged: {_first(error)}. Train the run again."
        ) from error
    return config.load_config(folder / CONFIG), record.model_dump()


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    where = "".join(f"{part}: " for part in found["loc"][:1])
    return f"{where}{found['msg'].replace('Input should', 'must')}. Received {str(found['input'])[:80]!r}"
