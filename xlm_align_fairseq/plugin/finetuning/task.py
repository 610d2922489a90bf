"""The fairseq task `token_labeling`: tags of words, read as text, each at the first piece of its word."""

import logging
from pathlib import Path

from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils
from fairseq.tasks import register_task

from xlm_align_fairseq.encoder.pieces import PieceEncoder, PieceFiles
from xlm_align_fairseq.encoder.vocabulary import SPECIALS, Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import CHECKPOINTS, DICTIONARY, SENTENCEPIECE
from xlm_align_fairseq.plugin import patches
from xlm_align_fairseq.plugin.base_task import BaseTask, on_cpu, restored_file
from xlm_align_fairseq.plugin.cold_start import ColdStart, beside
from xlm_align_fairseq.plugin.finetuning.config import TokenLabelingConfig
from xlm_align_fairseq.plugin.finetuning.criterion import TokenLabelingCriterion
from xlm_align_fairseq.plugin.finetuning.dataset import TagDataset, tags_of
from xlm_align_fairseq.plugin.finetuning.model import FineTunedModel
from xlm_align_fairseq.plugin.pretraining.config import AUTOCAST, plain
from xlm_align_fairseq.plugin.pretraining.iterator import TrainingIterator
from xlm_align_fairseq.system.memory import keep_freed_memory
from xlm_align_fairseq.transfer.heads import TagHead
from xlm_align_fairseq.transfer.settings import FILE_NAME, SHORTEST_WINDOW, Settings, read_settings, write_settings
from xlm_align_fairseq.transfer.tags import read_tagged

logger = logging.getLogger(__name__)

TASK, TRAIN = "token_labeling", "train"


@register_task(TASK, dataclass=TokenLabelingConfig)
class TokenLabelingTask(BaseTask):
    cfg: TokenLabelingConfig

    def __init__(self, cfg, vocabulary, pieces, settings, file=None, cold_start=None):
        super().__init__(cfg)
        self.dictionary = _dictionary(vocabulary)
        self.pieces, self.settings, self.file, self.cold_start = pieces, settings, file, cold_start
        self.autocast_dtype = AUTOCAST[plain(cfg.autocast)]

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
                f"--task {TASK} needs --cold-start DIR: a converted or trained encoder, with its dictionary and sentencepiece"
                " model"
            )
        file = read_tagged(cfg.data)
        tags = tags_of(file)
        cold_start = ColdStart.read(origin, None, origin == restored)
        model = cold_start.model
        settings = Settings("token_labeling", tags, _window(cfg.window, model.config.max_positions))
        _check_run(Path(cfg.save_dir), settings)
        logger.info(f"{cfg.data}: {len(tags)} tags: {' '.join(tags)}")
        pieces = PieceEncoder(model.sentencepiece, model.vocabulary)
        return cls(cfg, model.vocabulary, pieces, settings, file, cold_start)

    def fine_tuned(self, config):
        """Return the model of these sizes; the model `xlm_align` asks for it."""
        return FineTunedModel(config, TagHead(config.width, len(self.settings.labels), config.dropout))

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
        criterion = super().build_criterion(cfg, from_checkpoint)
        if not isinstance(criterion, TokenLabelingCriterion):
            raise InputError(f"--criterion {cfg._name}: allowed is {TASK} with --task {TASK}")
        return criterion

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
        file = self.file if training and self.file else read_tagged(path)
        labels, window = self.settings.labels, self.settings.window
        self.datasets[split] = TagDataset(file, self.pieces, labels, window, self.cfg.seed, training, split)
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
        logger.info(f"--window {window}: the encoder reads {max_positions} pieces, longer sentences are read in windows of those")
    return min(window, max_positions)


def _check_run(save_dir: Path, settings: Settings) -> None:
    """Refuse to go on from a run in the save directory that had other tags or another window."""
    if not (save_dir / FILE_NAME).is_file() or not any((save_dir / name).is_file() for name in CHECKPOINTS):
        return
    before = read_settings(save_dir)
    if before != settings:
        raise InputError(
            f"--save-dir {save_dir} has a run with the tags {' '.join(before.labels)} and --window {before.window}; these are"
            f" {' '.join(settings.labels)} and {settings.window}: give another --save-dir, or what that run was trained on"
        )
