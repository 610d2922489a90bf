"""The flags of training that say how to label: all options of the aligner, by command line, by configuration, by checkpoint."""

import pytest

pytest.importorskip("fairseq")

from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf, merge_with_parent
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

import xlm_align_fairseq  # noqa: F401  (registers)
from xlm_align_fairseq.alignment.config import OPTIONS, AlignerConfig
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.pretraining.config import DenoisingWordAlignmentConfig, aligner_changes

TRAINED = [option for option in OPTIONS.values() if option.flag and option.trains]
NEEDED = ["data", "--task", "denoising_word_alignment", "--criterion", "pointer_alignment", "--arch", "xlm_align_tiny"]


def parse(*flags):
    """Return the parser as fairseq leaves it, and the task's part of the configuration."""
    parser = options.get_training_parser()
    arguments = options.parse_args_and_arch(parser, [*NEEDED, *flags])
    return parser, convert_namespace_to_omegaconf(arguments).task


def test_window_and_clamp_alone_are_not_offered():
    assert [option.name for option in OPTIONS.values() if option not in TRAINED] == ["clamp", "window"]
    assert not {"clamp", "window"} & set(DenoisingWordAlignmentConfig.__dataclass_fields__)


def test_every_option_is_a_flag_of_training():
    """If a flag is declared twice, fairseq silently keeps the first: the help text shows that it is ours."""
    parser, task = parse()
    assert aligner_changes(task) == {}
    actions = {flag: action for action in parser._actions for flag in action.option_strings}
    for option in TRAINED:
        action = actions[option.spelled]
        assert action.help == f"{option.help} (default: that of the cold start)"
        assert tuple(action.choices or ()) == tuple(option.choices)
        assert action.default is None
        assert [other.dest for other in parser._actions].count(action.dest) == 1
    assert set(actions["--label-method"].choices) == set(METHODS)


def test_flags_arrive():
    flags, expected = [], {}
    for option in TRAINED:
        expected[option.name] = list(option.choices)[-1] if option.choices else option.high
        flags += [option.spelled, str(expected[option.name])]
    changes = aligner_changes(parse(*flags)[1])
    assert changes == expected
    assert all(type(changes[option.name]) is option.kind for option in TRAINED)
    AlignerConfig().replace(**changes)
    assert aligner_changes(parse("--label-method", "softmax")[1]) == {"method": "softmax"}


@pytest.mark.parametrize("option", TRAINED, ids=lambda option: option.name)
def test_values_that_are_none_are_refused(option, capsys):
    if option.choices:
        with pytest.raises(SystemExit):
            parse(option.spelled, "bogus")
        assert "invalid choice: 'bogus'" in capsys.readouterr().err
    else:
        changes = aligner_changes(parse(option.spelled, str(option.high + 1))[1])
        with pytest.raises(InputError, match=rf"\({option.spelled}\) is .* from {option.low:g} to "):
            AlignerConfig().replace(**changes)


def test_structured_configurations():
    """Configurations of programs and of hydra, without a command line."""
    cfg = OmegaConf.structured(DenoisingWordAlignmentConfig)
    assert aligner_changes(OmegaConf.masked_copy(cfg, [option.flag for option in TRAINED])) == {}
    cfg.symmetrization, cfg.also, cfg.threshold, cfg.scaling = "grow-diag-final-and", "pointer", 0.5, "none"
    expected = {"symmetrization": "grow-diag-final-and", "also": "pointer", "threshold": 0.5, "scaling": "none"}
    assert aligner_changes(cfg) == expected
    cfg.also = None
    assert "also" not in aligner_changes(cfg)
    for flag, value in (("combine", "bogus"), ("cutoff", "bogus"), ("also", "bogus")):
        with pytest.raises(ValidationError):
            setattr(cfg, flag, value)


def test_a_configuration_saved_before_a_flag_was_there():
    """As fairseq opens checkpoints: missing flags count as not given, unknown flags are dropped."""
    saved = OmegaConf.create(
        {"_name": "denoising_word_alignment", "data": "d", "extraction": "filter", "filter_rounds": 3, "gone": 1}
    )
    cfg = merge_with_parent(DenoisingWordAlignmentConfig(), saved, remove_missing=True)
    assert aligner_changes(cfg) == {"extraction": "filter", "filter_rounds": 3}
