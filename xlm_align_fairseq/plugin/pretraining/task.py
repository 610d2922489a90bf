"""The fairseq task `denoising_word_alignment`: data, labels joined to batches, AER on validation."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
from fairseq.distributed import utils as distributed_utils
from fairseq.logging import metrics
from fairseq.tasks import register_task
from fairseq.utils import move_to_cuda

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.labels import LabelStore, prefix, read_manifest
from xlm_align_fairseq.bitext.word_check import refuse_words
from xlm_align_fairseq.em.em import EM, SPLIT, Schedule
from xlm_align_fairseq.em.evidence import CorpusEvidence
from xlm_align_fairseq.em.labeling import Labels, join_labels, label, pair_batch
from xlm_align_fairseq.encoder.network import EncoderAndPointer
from xlm_align_fairseq.encoder.sequences import WordMarks
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin import patches
from xlm_align_fairseq.plugin.base_config import AUTOCAST, plain
from xlm_align_fairseq.plugin.base_task import BaseTask, on_cpu, restored_file
from xlm_align_fairseq.plugin.cold_start import ColdStart, beside
from xlm_align_fairseq.plugin.iterator import TrainingIterator
from xlm_align_fairseq.plugin.model import XlmAlignModel
from xlm_align_fairseq.plugin.pretraining import splits  # a module: it may be half done when this one runs
from xlm_align_fairseq.plugin.pretraining.config import DenoisingWordAlignmentConfig, aligner_changes, check_flags
from xlm_align_fairseq.plugin.pretraining.criterion import PointerAlignmentCriterion
from xlm_align_fairseq.plugin.pretraining.gold_validation import GoldValidation
from xlm_align_fairseq.system.memory import keep_freed_memory

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Training:
    """Objects that fairseq passes to the task one by one, all before the first update."""

    model: XlmAlignModel | None = None
    em: EM | None = None  # stays None where labels are made online
    iterator: TrainingIterator | None = None
    teacher: EncoderAndPointer | None = None  # the weights that labelled the last update
    given: dict[str, LabelStore] = dataclasses.field(default_factory=dict)  # initial labels of splits that are not trained on


@register_task("denoising_word_alignment", dataclass=DenoisingWordAlignmentConfig)
class DenoisingWordAlignmentTask(BaseTask):
    cfg: DenoisingWordAlignmentConfig

    def __init__(self, cfg, dictionary, cold_start, aligner_config, evidence=None):
        super().__init__(cfg)
        self.dictionary, self.cold_start, self.aligner_config, self.evidence = dictionary, cold_start, aligner_config, evidence
        self.marks = WordMarks.of(dictionary.symbols)
        self.autocast_dtype = AUTOCAST[plain(cfg.autocast)]
        model = cold_start.model if cold_start else None
        self.gold_validation = GoldValidation.from_flags(cfg.valid_gold, model, aligner_config, self.autocast_dtype)
        self.schedule = Schedule.parse(cfg.label_schedule)
        self.uses_ema = plain(cfg.label_teacher) == "ema"  # fairseq then passes the average to train_step
        self.training = Training()
        self.late_layer = aligner_config.late_layer if aligner_config.encoding == "late" else 0
        self.longest = cfg.max_positions  # pieces of a sequence; `build_model` lowers it to what the encoder reads

    @classmethod
    def setup_task(cls, cfg, **kwargs):
        """Check the flags, read the dictionary, and use the aligner configuration of the cold start."""
        patches.apply()  # a configuration may name the task without a command line
        check_flags(cfg)
        if on_cpu(cfg):
            keep_freed_memory()
        restored = restored_file(cfg, must_exist=not kwargs.get("from_checkpoint"))
        dictionary = splits.shared_dictionary(cfg.data)
        origin = cfg.cold_start or beside(restored) or beside(cfg.finetune_from_model)
        cold_start = ColdStart.read(origin, Vocabulary(dictionary.symbols[4:]), origin == restored) if origin else None
        changes = aligner_changes(cfg)
        config = (cold_start.model.aligner if cold_start else AlignerConfig()).replace(**changes)
        if not kwargs.get("from_checkpoint"):  # a checkpoint of an accepted run must stay loadable
            config.refuse_unused(changes, "--label-method", cfg.evidence is not None)
        asked = cfg.evidence and not kwargs.get("from_checkpoint")
        return cls(cfg, dictionary, cold_start, config, CorpusEvidence.read(cfg.evidence, dictionary.symbols) if asked else None)

    def build_model(self, cfg, from_checkpoint=False):
        """Build the model; with a cold start, load its weights and write the files that `xlm-align align` needs."""
        if self.cold_start and not from_checkpoint:
            self.cold_start.adapt(cfg)
        model = super().build_model(cfg, from_checkpoint)
        self.longest = min(self.cfg.max_positions, model.encoder.config.max_positions)
        if from_checkpoint:
            return model
        self.training.model = model
        self.aligner_config.check_layer(model.encoder.config.layers)
        if self.cold_start:
            self.cold_start.fill(model)
            if distributed_utils.get_global_rank() == 0 and self.cfg.save_dir:
                self.cold_start.write_companions(Path(self.cfg.save_dir), self.aligner_config)
        return model

    def build_criterion(self, cfg, from_checkpoint=False):
        """Build the criterion and freeze what no loss reads."""
        criterion = super().build_criterion(cfg, from_checkpoint)
        if not isinstance(criterion, PointerAlignmentCriterion):
            raise InputError(f"--criterion {cfg._name}: allowed is pointer_alignment with --task denoising_word_alignment")
        model = self.training.model
        if model is not None:
            criterion.freeze(model, bool(self.cfg.mono), self.cfg.freeze_embeddings)
        return criterion

    # data

    def load_dataset(self, split, combine=False, **kwargs):
        """Load a split, and the labels that are kept of it."""
        if split == SPLIT and split in self.datasets and self.has_sharded_data(split):
            return  # fairseq asks anew for each epoch: this data set knows the directory of every one, and its ids count all
        self.datasets[split] = splits.load_split(self.cfg, split, self.dictionary, self.longest)
        corpus = self.datasets[split].corpus
        if split == SPLIT:
            if self.evidence:
                self.evidence.check(corpus, logger.info)
            self.training.em = self._make_em(corpus)
        elif self.schedule.unit == "fixed":
            self._load_given(split, corpus)

    def _make_em(self, corpus):
        """Open or prepare the labels of training; None when they are made online."""
        if self.schedule.unit == "online":
            return None
        initial = self._initial_labels()
        if initial:
            self._open_given(initial, SPLIT, corpus)
        return EM(
            self.schedule,
            corpus,
            Path(self.cfg.save_dir) / "labels",
            self.aligner_config,
            initial,
            self.cfg.takeover_aer,
            plain(self.cfg.label_scope) == "corpus",
            self.cfg.label_tokens,
            self.autocast_dtype,
            self.evidence,
        )

    def _initial_labels(self):
        given = self.cfg.initial_labels or (self.cfg.data if self.schedule.unit == "fixed" else None)
        if given == self.cfg.data and self.has_sharded_data(SPLIT):
            raise InputError(
                f"--label-schedule fixed with {given}: give --initial-labels a directory with the labels of all, as"
                f" `xlm-align label --data {given} --out DIR` writes them"
            )
        return Path(given) if given else None

    def _open_given(self, directory, split, corpus):
        store = LabelStore(directory, split, corpus)
        if not read_manifest(directory, split):  # made by another program, perhaps as links of words
            refuse_words(store, self.dictionary.symbols)
        longest = store.manifest.get("max_positions", corpus.max_positions)
        unlabelled = int((corpus.usable & (corpus.lengths > longest)).sum())
        if unlabelled:
            logger.info(
                f"{directory}: {unlabelled} pairs of {split} have no labels, which were made with --max-positions {longest}:"
                " their pointer loss is left out"
            )
        return store

    def _load_given(self, split, corpus):
        directory = self._initial_labels()
        if all((directory / f"{prefix(split, pair.name)}.idx").is_file() for pair in corpus.pairs):
            self.training.given[split] = self._open_given(directory, split, corpus)
        else:
            logger.info(f"{directory} has no labels for all of {split}: its pointer loss is measured on self-labels")

    def get_batch_iterator(self, dataset, *args, **kwargs):
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)
        if dataset is not self.datasets.get(SPLIT):
            return iterator
        self.training.iterator = TrainingIterator(iterator, self.cfg.update_freq, self.training.em, self.dictionary.symbols)
        return self.training.iterator

    def max_positions(self):
        return self.longest

    # steps

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False, ema_model=None):
        if sample["split"] != SPLIT:  # fairseq gives a rank without a batch one of the last validation
            sample = self._filler()
        if criterion.needs_labels:
            self._label_for_training(sample, self._weights(ema_model or model), update_num)
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def _label_for_training(self, sample: dict, teacher: EncoderAndPointer, update: int) -> None:
        """Add links to a batch: of the current EM iteration, or by the current weights."""
        self.training.teacher = teacher
        em = self.training.em
        if em:
            epoch = self._iterator.epoch
            em.advance(epoch, update, lambda: self._coming(epoch, update), teacher)
        self.label(sample, teacher, em.store if em else None)

    @property
    def _iterator(self) -> TrainingIterator:
        assert self.training.iterator is not None  # fairseq makes it before the first update
        return self.training.iterator

    def _filler(self):
        """Return a dummy batch, whose loss is ignored and whose log has the keys of any training batch."""
        batch = self._iterator.first_batch
        return batch if on_cpu(self.cfg) else move_to_cuda(batch)

    def _weights(self, model) -> EncoderAndPointer:
        return EncoderAndPointer(model.encoder, model.pointer, self.marks)

    def _coming(self, epoch: int, update: int) -> np.ndarray:
        """Return the ids that are read before the next labelling pass."""
        every = self.schedule.every
        if self.schedule.unit == "updates":
            return self._iterator.coming(updates=every - update % every)
        return self._iterator.coming(epochs=every - (epoch - 1) % every)

    def valid_step(self, sample, model, criterion, ema_model=None):
        if sample and criterion.needs_labels:
            self.label(sample, self._weights(model), self.training.given.get(sample["split"]))
        return super().valid_step(sample, model, criterion)

    def label(self, sample: dict, teacher: EncoderAndPointer, store: LabelStore | None = None) -> None:
        """Add links to the pairs of a batch: from a store, or from the E-step with the current weights."""
        if sample:
            corpus = self.datasets[sample["split"]].corpus
            join_labels(sample, corpus, store, lambda: self._label_now(sample, corpus, teacher))

    def _label_now(self, sample: dict, corpus: Corpus, teacher: EncoderAndPointer) -> Labels:
        batch, weight = pair_batch(sample["pairs"]), self.aligner_config.evidence_weight
        prior = self.evidence.prior(batch, corpus, sample["id"].cpu().numpy(), weight) if self.evidence else None
        training = teacher.encoder.training
        teacher.encoder.eval()
        with self.autocast():
            labels = label(teacher, batch, self.aligner_config, prior)
        teacher.encoder.train(training)
        return labels

    # AER on validation

    def begin_valid_epoch(self, epoch, model):
        """Align the gold sets with the current weights."""
        if self.gold_validation is None:
            return
        model.eval()
        aer = self.gold_validation.run(self._weights(model), self.training.teacher if self.uses_ema else None)
        if self.training.em:
            self.training.em.judge(aer)

    def reduce_metrics(self, logging_outputs, criterion):
        super().reduce_metrics(logging_outputs, criterion)
        if self.gold_validation and not criterion.training:
            for name, value in self.gold_validation.scalars().items():
                metrics.log_scalar(name, value, round=2)
