"""What the tasks of fine-tuning share: flags, the start from an encoder, the files of a run, text read as it lies on disk."""

import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils
from omegaconf import MISSING

from xlm_align_fairseq.encoder.pieces import PieceEncoder, PieceFiles
from xlm_align_fairseq.encoder.vocabulary import SPECIALS, Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import CHECKPOINTS, DICTIONARY, SENTENCEPIECE
from xlm_align_fairseq.plugin import patches
from xlm_align_fairseq.plugin.base_config import AUTOCAST, BaseConfig, plain
from xlm_align_fairseq.plugin.base_task import BaseTask, on_cpu, restored_file
from xlm_align_fairseq.plugin.cold_start import ColdStart, beside
from xlm_align_fairseq.plugin.finetuning.model import FineTunedModel
from xlm_align_fairseq.plugin.iterator import TrainingIterator
from xlm_align_fairseq.system.files import sha256_of
from xlm_align_fairseq.system.memory import keep_freed_memory
from xlm_align_fairseq.transfer.heads import make_head
from xlm_align_fairseq.transfer.settings import FILE_NAME, SHORTEST_WINDOW, Settings, read_settings, write_settings

logger = logging.getLogger(__name__)

TRAIN = "train"


@dataclass
class FineTuningConfig(BaseConfig):
    data: str = field(default=MISSING, metadata={"help": "training text"})
    valid_data: Optional[str] = field(
        default=None, metadata={"help": "the same for validation: the development text of the language of training"}
    )
    cold_start: Optional[str] = field(
        default=None, metadata={"help": "directory of a converted or trained encoder: weights, dictionary, sentencepiece model"}
    )
    window: int = field(default=128, metadata={"help": "longest sequence in pieces, specials included"})


class FineTuningTask(BaseTask):
    """A task that fine-tunes an encoder on text.

    A registered task says how a file is read and checked, what its settings are, and what its items are: `read`, `settings_for`
    and `items`. `name` is its own and that of its criterion.
    """

    name: str
    cfg: FineTuningConfig

    def __init__(self, cfg, vocabulary, pieces, settings, file=None, cold_start=None):
        super().__init__(cfg)
        self.dictionary = _dictionary(vocabulary)
        self.pieces, self.settings, self.file, self.cold_start = pieces, settings, file, cold_start
        self.autocast_dtype = AUTOCAST[plain(cfg.autocast)]

    @classmethod
    def read(cls, cfg, path):
        """Read a file of the task."""
        raise NotImplementedError

    @classmethod
    def settings_for(cls, cfg, file, window, text):
        """Check a file of training, and return the settings of a run on it.

        Args:
            cfg: of the task.
            file: what `read` returns.
            window: longest sequence, in pieces.
            text: SHA-256 of the file.
        """
        raise NotImplementedError

    def items(self, file, training, split):
        """Return the data set of a file."""
        raise NotImplementedError

    @classmethod
    def setup_task(cls, cfg, **kwargs):
        """Read the training text and the cold start; for a checkpoint, what stands beside it."""
        patches.apply()  # a configuration may name the task without a command line
        if kwargs.get("from_checkpoint"):
            directory = Path(cfg.save_dir)
            files = PieceFiles.read(directory / DICTIONARY, directory / SENTENCEPIECE)
            pieces = PieceEncoder(files.sentencepiece, files.vocabulary)
            return cls(cfg, files.vocabulary, pieces, read_settings(directory))
        if on_cpu(cfg):
            keep_freed_memory()
        restored = restored_file(cfg)
        origin = cfg.cold_start or beside(restored) or beside(cfg.finetune_from_model)
        if not origin:
            raise InputError(
                f"--task {cls.name} needs --cold-start DIR: a converted or trained encoder, with its dictionary and sentencepiece"
                " model"
            )
        file = cls.read(cfg, cfg.data)
        cold_start = ColdStart.read(origin, None, origin == restored)
        model = cold_start.model
        settings = cls.settings_for(cfg, file, _window(cfg.window, model.config.max_positions), sha256_of(cfg.data))
        _check_run(Path(cfg.save_dir), settings)
        pieces = PieceEncoder(model.sentencepiece, model.vocabulary)
        return cls(cfg, model.vocabulary, pieces, settings, file, cold_start)

    def fine_tuned(self, config):
        """Return the model of these sizes; the model `xlm_align` asks for it."""
        return FineTunedModel(config, make_head(self.settings, config.width, config.dropout))

    def build_model(self, cfg, from_checkpoint=False):
        """Build the model, load the weights of the cold start, and write the files that `Transfer.load` needs."""
        if self.cold_start and not from_checkpoint:
            self.cold_start.adapt(cfg)
        model = super().build_model(cfg, from_checkpoint)
        if from_checkpoint or not self.cold_start:
            return model
        aligner = self.cold_start.model.aligner
        self.cold_start.fill_encoder(model.encoder)
        if distributed_utils.get_global_rank() == 0 and self.cfg.save_dir:
            save_dir = Path(self.cfg.save_dir)
            self.cold_start.write_companions(save_dir, aligner)
            write_settings(save_dir, self.settings)
        return model

    def build_criterion(self, cfg, from_checkpoint=False):
        if cfg._name != self.name:
            raise InputError(f"--criterion {cfg._name}: allowed is {self.name} with --task {self.name}")
        return super().build_criterion(cfg, from_checkpoint)

    # data

    def has_sharded_data(self, split):
        return False  # a `:` is part of a file's name

    def load_dataset(self, split, combine=False, **kwargs):
        """Read a split as text: the training file, or that of --valid-data."""
        training = split == TRAIN
        path = self.cfg.data if training else self.cfg.valid_data
        if not path:
            raise InputError(
                f"--valid-subset {split}: there is no text to validate on; give --valid-data or --disable-validation"
            )
        file = self.file if training and self.file else self.read(self.cfg, path)
        self.datasets[split] = self.items(file, training, split)
        self.file = None if training else self.file  # the data set has all of it

    def get_batch_iterator(self, dataset, *args, **kwargs):
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)
        if dataset is not self.datasets.get(TRAIN):
            return iterator
        return TrainingIterator(iterator, self.cfg.update_freq, None, self.dictionary.symbols)

    def max_positions(self):
        return self.settings.window


def _dictionary(vocabulary: Vocabulary) -> Dictionary:
    """Return the vocabulary as fairseq's dictionary, with the same ids."""
    dictionary = Dictionary()
    for piece in vocabulary.pieces[len(SPECIALS) :]:
        dictionary.add_symbol(piece)
    return dictionary


def _window(window: int, max_positions: int) -> int:
    """Return the longest sequence: what is asked for, or what the encoder reads if that is less."""
    if window < SHORTEST_WINDOW:
        raise InputError(f"--window {window}: allowed are {SHORTEST_WINDOW} pieces and more, specials included")
    if window > max_positions:
        logger.info(f"--window {window}: the encoder reads {max_positions} pieces, and so will this run")
    return min(window, max_positions)


def _check_run(save_dir: Path, settings: Settings) -> None:
    """Refuse to go on from a run in the save directory that had other settings, or another text."""
    if not (save_dir / FILE_NAME).is_file() or not any((save_dir / name).is_file() for name in CHECKPOINTS):
        return
    before = read_settings(save_dir)
    if before == settings:
        return
    ours, theirs = ({"task": one.task, **dataclasses.asdict(one)} for one in (settings, before))
    name = next(name for name in [*ours, *theirs] if ours.get(name) != theirs.get(name))
    said = [_shown(record.get(name)) for record in (theirs, ours)]
    what = "text of SHA-256" if name == "text" else name
    raise InputError(
        f"--save-dir {save_dir} has a run with the {what} {said[0]}, this one has {said[1]}: give another"
        " --save-dir, or what that run was trained on"
    )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value[:16]}…" if isinstance(value, str) and len(value) == 64 else str(value)
