"""The fairseq task `denoising_word_alignment`: configuration, data, labels joined to batches, AER on validation."""

import contextlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import torch
from fairseq.data import Dictionary, data_utils
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.distributed import utils as distributed_utils
from fairseq.logging import metrics
from fairseq.tasks import FairseqTask, register_task
from omegaconf import II, MISSING

from xlm_align_fairseq.aligner import Aligner
from xlm_align_fairseq.alignment.config import CHOICES, MODES, AlignerConfig
from xlm_align_fairseq.alignment.spans import PieceBatch
from xlm_align_fairseq.cold_start import ColdStart, beside
from xlm_align_fairseq.data import bitext, mono  # modules: either may be the first import, half done when this one runs
from xlm_align_fairseq.data.gold_set import read_gold_sets
from xlm_align_fairseq.data.pieces import PieceEncoder
from xlm_align_fairseq.data.vocabulary import MASK, Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.labeling import label, link_statistics, statistics

logger = logging.getLogger(__name__)

AUTOCAST = {"none": None, "bfloat16": torch.bfloat16}  # float16 needs a loss scale: fairseq's --fp16 and --amp have it


def _aligner_field(help_text):
    return field(default=None, metadata={"help": f"{help_text} (default: that of the cold start)"})


@dataclass
class DenoisingWordAlignmentConfig(FairseqDataclass):
    data: str = field(default=MISSING, metadata={"help": "directory of binarised bitext"})
    lang_pairs: Optional[str] = field(
        default=None, metadata={"help": "language pairs, such as de-en,fr-en (default: all that the directory holds)"}
    )
    cold_start: Optional[str] = field(
        default=None, metadata={"help": "directory of a converted encoder: weights, dictionary, aligner configuration"}
    )
    # the E-step
    label_mode: Optional[ChoiceEnum(list(MODES))] = field(  # type: ignore[valid-type]
        default=None, metadata={"help": "label as the authors' released code does; the flags below change it further"}
    )
    encoding: Optional[ChoiceEnum(list(CHOICES["encoding"]))] = _aligner_field("how the E-step encodes a pair")  # type: ignore[valid-type]
    align_layer: Optional[int] = _aligner_field("layer of the E-step's hidden states, 1..n; 0 = embeddings")
    similarity: Optional[ChoiceEnum(list(CHOICES["similarity"]))] = _aligner_field("similarity of two pieces")  # type: ignore[valid-type]
    scaling: Optional[ChoiceEnum(list(CHOICES["scaling"]))] = _aligner_field("how the plan is scaled")  # type: ignore[valid-type]
    sinkhorn_temperature: Optional[float] = _aligner_field("divides the similarity in entropic scaling")
    sinkhorn_rounds: Optional[int] = _aligner_field("rounds of normalisation")
    extraction: Optional[ChoiceEnum(list(CHOICES["extraction"]))] = _aligner_field("how links are read from the plan")  # type: ignore[valid-type]
    filter_rounds: Optional[int] = _aligner_field("rounds of iterative filtering")
    filter_alpha: Optional[float] = _aligner_field("factor of half-linked cells in iterative filtering, 0..1")
    given_labels: bool = field(
        default=False, metadata={"help": "use the alignments that stand beside the bitext instead of self-labels"}
    )
    # the stream
    sampling_exponent: float = field(
        default=0.7, metadata={"help": "language pairs are drawn by their size to this power; 1 = by size, 0 = evenly"}
    )
    one_order: bool = field(default=False, metadata={"help": "read pairs as source-target only, not in both orders"})
    mask_prob: float = field(default=0.15, metadata={"help": "share of the pieces to predict"})
    leave_unmasked_prob: float = field(default=0.1, metadata={"help": "share of those that stay as they are"})
    random_token_prob: float = field(default=0.1, metadata={"help": "share of those that become a random piece"})
    mono: Optional[str] = field(
        default=None, metadata={"help": "directory of monolingual blocks made by `xlm-align binarize --mono`"}
    )
    mono_tokens: int = field(default=2048, metadata={"help": "monolingual pieces beside each batch of pairs (with --mono)"})
    valid_gold: Optional[str] = field(
        default=None,
        metadata={"help": "gold sets for AER on validation: SOURCE,TARGET,GOLD files; several separated by ';'"},
    )
    autocast: ChoiceEnum(list(AUTOCAST)) = field(  # type: ignore[valid-type]
        default="none", metadata={"help": "compute in half precision, weights and losses stay float32; CPU and GPU"}
    )
    # what other parts of the configuration say
    max_positions: int = II("model.max_positions")
    seed: int = II("common.seed")
    save_dir: str = II("checkpoint.save_dir")
    restore_file: str = II("checkpoint.restore_file")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")
    cpu: bool = II("common.cpu")
    # read by fairseq's get_batch_iterator: every epoch is drawn anew, and no worker keeps the data of an earlier one
    rebuild_batches: bool = True
    reuse_dataloader: bool = False
    persistent_workers: bool = False


@register_task("denoising_word_alignment", dataclass=DenoisingWordAlignmentConfig)
class DenoisingWordAlignmentTask(FairseqTask):
    cfg: DenoisingWordAlignmentConfig

    def __init__(self, cfg, dictionary, cold_start, aligner_config):
        super().__init__(cfg)
        self.dictionary, self.cold_start, self.aligner_config = dictionary, cold_start, aligner_config
        self.gold_sets = read_gold_sets(cfg.valid_gold or "")
        self.pieces = self._load_pieces() if self.gold_sets else None
        self.gold_counts = {}
        self.longest = cfg.max_positions  # pieces of a sequence; `build_model` lowers it to what the encoder reads

    @classmethod
    def setup_task(cls, cfg, **kwargs):
        """Check what was given, read the dictionary, and take the aligner configuration of the cold start."""
        restored = cfg.restore_file if cfg.restore_file != "checkpoint_last.pt" else None
        if restored and not Path(restored).is_file():
            raise InputError(f"--restore-file {restored}: no such file; fairseq would start from random weights")
        dictionary = _load_dictionary(Path(cfg.data))
        start = cfg.cold_start or beside(restored) or beside(cfg.finetune_from_model)
        cold_start = ColdStart.read(start, Vocabulary(dictionary.symbols[4:])) if start else None
        given = {
            "mode": cfg.label_mode,
            "encoding": cfg.encoding,
            "align_layer": cfg.align_layer,
            "similarity": cfg.similarity,
            "scaling": cfg.scaling,
            "temperature": cfg.sinkhorn_temperature,
            "rounds": cfg.sinkhorn_rounds,
            "extraction": cfg.extraction,
            "filter_rounds": cfg.filter_rounds,
            "alpha": cfg.filter_alpha,
        }
        config = cold_start.model.aligner if cold_start else AlignerConfig()
        config = config.replace(**{key: _plain(value) for key, value in given.items() if value is not None})
        return cls(cfg, dictionary, cold_start, config)

    def build_model(self, cfg, from_checkpoint=False):
        """Build the model; with a cold start, fill it and write what `xlm-align align` needs beside the checkpoints."""
        if self.cold_start and not from_checkpoint:
            self.cold_start.adapt(cfg)
        model = super().build_model(cfg, from_checkpoint)
        self.longest = min(self.cfg.max_positions, model.encoder.config.max_positions)
        if from_checkpoint:
            return model
        self.aligner_config.check_layer(model.encoder.config.layers)
        if self.cold_start:
            self.cold_start.fill(model)
            if distributed_utils.get_global_rank() == 0 and self.cfg.save_dir:
                self.cold_start.write_companions(Path(self.cfg.save_dir), self.aligner_config)
        return model

    # data

    def load_dataset(self, split, combine=False, **kwargs):
        """Load a split: every `SPLIT.SRC-TGT` of the data directory, or those of --lang-pairs."""
        training = split == "train"
        config = bitext.StreamConfig(
            seed=self.cfg.seed,
            mask_id=self.dictionary.index(MASK),
            mask_probability=self.cfg.mask_prob,
            leave_unmasked=self.cfg.leave_unmasked_prob,
            random_piece=self.cfg.random_token_prob,
            exponent=self.cfg.sampling_exponent,
            max_positions=self.longest,
            block=min(256, self.longest),
            both_orders=training and not self.cfg.one_order,
            shuffle=training,
            mono_tokens=self.cfg.mono_tokens,
        )
        blocks = None
        if self.cfg.mono and (training or mono.has_split(Path(self.cfg.mono), split)):
            if self.cfg.mono_tokens < config.block:
                raise InputError(f"--mono-tokens {self.cfg.mono_tokens}: allowed is one block of {config.block} pieces or more")
            blocks = mono.MonoBlocks(Path(self.cfg.mono), split, config.block)
            if _load_dictionary(Path(self.cfg.mono)).symbols != self.dictionary.symbols:
                raise InputError(
                    f"--mono {self.cfg.mono}: its dictionary is not that of {self.cfg.data}; binarise both with one model"
                )
        pairs = _load_pairs(Path(self.cfg.data), split, self.cfg.lang_pairs, self.cfg.given_labels)
        self.datasets[split] = bitext.BitextDataset(pairs, config, blocks)

    def get_batch_iterator(self, dataset, *args, **kwargs):
        """Make the iterator; without workers no thread may collate ahead (it can abort the process at exit)."""
        if kwargs.get("num_workers", 0) == 0:
            kwargs["data_buffer_size"] = 0
        return super().get_batch_iterator(dataset, *args, **kwargs)

    def max_positions(self):
        return self.longest

    @property
    def source_dictionary(self):
        return self.dictionary

    @property
    def target_dictionary(self):
        return self.dictionary

    # steps

    def autocast(self):
        """Return the context in which the model computes."""
        dtype = AUTOCAST[_plain(self.cfg.autocast)]
        if dtype is None:  # fairseq's own --amp stays in force
            return contextlib.nullcontext()
        return torch.autocast("cuda" if torch.cuda.is_available() and not self.cfg.cpu else "cpu", dtype)

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        self.label(sample, model)
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def valid_step(self, sample, model, criterion):
        self.label(sample, model)
        return super().valid_step(sample, model, criterion)

    def label(self, sample, model):
        """Give the pairs of a batch their links: the E-step with the weights of this moment, or the given alignments."""
        if not sample:
            return
        pairs = sample["pairs"]
        if self.cfg.given_labels:
            sample["label_statistics"] = link_statistics(pairs["links"], pairs["src_lengths"], pairs["tgt_lengths"])
            return
        model.eval()
        batch = PieceBatch(*(pairs[name] for name in PieceBatch._fields))
        with self.autocast():
            labels = label(model.encoder, batch, self.aligner_config)
        pairs["links"] = labels.links
        sample["label_statistics"] = statistics(labels, batch)

    # AER on validation

    def begin_valid_epoch(self, epoch, model):
        """Align the gold sets with the weights of this moment."""
        if not self.gold_sets:
            return
        model.eval()
        aligner = Aligner(model.encoder, self.pieces, self.aligner_config, autocast=AUTOCAST[_plain(self.cfg.autocast)])
        self.gold_counts = {gold_set.name: sum(aligner.score(gold_set)) for gold_set in self.gold_sets}

    def reduce_metrics(self, logging_outputs, criterion):
        super().reduce_metrics(logging_outputs, criterion)
        if self.gold_counts and not criterion.training:
            aer = {name: 100 * counts.aer for name, counts in self.gold_counts.items()}
            metrics.log_scalar("aer", sum(aer.values()) / len(aer), round=2)
            for name, value in aer.items():
                metrics.log_scalar(f"aer_{name}", value, round=2)

    def _load_pieces(self):
        if self.cold_start is None:
            raise InputError("--valid-gold needs a sentencepiece model: give --cold-start a directory that has one")
        return PieceEncoder(self.cold_start.model.sentencepiece, self.cold_start.model.vocabulary)


def _plain(value):
    return value.value if hasattr(value, "value") else str(value) if isinstance(value, str) else value


def _load_dictionary(data: Path) -> Dictionary:
    """Read the dictionary of a data directory: `dict.txt`, or the `dict.LANG.txt` that fairseq-preprocess writes."""
    if not data.is_dir():
        raise InputError(f"{data}: no such directory of binarised bitext; `xlm-align binarize` makes one")
    files = [data / "dict.txt"] if (data / "dict.txt").is_file() else sorted(data.glob("dict.*.txt"))
    if not files:
        raise InputError(f"{data} has no dict.txt and no dict.LANG.txt: make it with fairseq-preprocess or `xlm-align binarize`")
    dictionaries = [Dictionary.load(str(file)) for file in files]
    for file, other in zip(files[1:], dictionaries[1:], strict=True):
        if other.symbols != dictionaries[0].symbols:
            raise InputError(
                f"{file} differs from {files[0]}: all languages share one dictionary; "
                "give fairseq-preprocess the dict.txt of the model twice, --srcdict and --tgtdict"
            )
    dictionaries[0].add_symbol(MASK)
    return dictionaries[0]


def _load_pairs(data: Path, split: str, lang_pairs: Optional[str], given_labels: bool) -> "list[bitext.Pair]":
    found = sorted({file.name.split(".")[1] for file in data.glob(f"{split}.*-*.*.idx")})
    names = [name.strip() for name in lang_pairs.split(",")] if lang_pairs else found
    missing = sorted(set(names) - set(found))
    if missing or not names:
        raise InputError(
            f"{data} has no {split} bitext for {', '.join(missing) or 'any pair'}: it has {', '.join(found) or 'none'}"
        )
    pairs = []
    for name in names:
        src, tgt = name.split("-")
        prefix = data / f"{split}.{name}"
        source, target = (data_utils.load_indexed_dataset(f"{prefix}.{lang}", None) for lang in (src, tgt))
        alignments = data_utils.load_indexed_dataset(str(data / f"{split}.align.{name}"), None) if given_labels else None
        if given_labels and alignments is None:
            raise InputError(f"{data / f'{split}.align.{name}'}.idx is missing: --given-labels needs alignments for every pair")
        pairs.append(bitext.Pair(name, source, target, alignments))
    return pairs
