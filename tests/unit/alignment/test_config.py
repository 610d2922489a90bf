"""The aligner configuration: values checked once, named methods, signatures."""

import dataclasses
from types import SimpleNamespace

import pytest
from signatures import parse_signature

from xlm_align_fairseq.alignment.config import CHOICES, OPTIONS, AlignerConfig, given
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.alignment.options import options
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature


@pytest.mark.parametrize(
    ("field", "value"),
    [("encoding", "both"), ("align_layer", -1), ("rounds", 0), ("temperature", 0.0), ("alpha", 1.5), ("rounds", True)],
)
def test_values_are_refused_with_what_is_allowed(field, value):
    with pytest.raises(InputError, match=rf"{field} (\(--[a-z-]+\) )?is {value!r}: allowed"):
        AlignerConfig(**{field: value})


def test_named_methods():
    with pytest.raises(InputError, match="no field 'bogus': allowed are encoding, late_layer, align_layer, "):
        AlignerConfig().replace(bogus=1)
    assert AlignerConfig.named("reference-label", filter_rounds=3).extraction == "filter"
    assert AlignerConfig.named("reference-align").clamp is None
    assert AlignerConfig.named("softmax", cutoff=0.5).cutoff == 0.5
    with pytest.raises(InputError, match="reference-label, reference-align"):
        AlignerConfig.named("reference")
    with pytest.raises(InputError, match="also is 'reference': allowed are optimal-transport, "):
        AlignerConfig(also="reference")
    with pytest.raises(InputError, match="extraction cutoff needs shares"):
        AlignerConfig(scaling="none", extraction="cutoff")


def test_methods_and_their_signatures_are_all_different():
    """Also after another method: a method sets every field in which methods differ."""
    written = {name: signature(AlignerConfig.named(name).signature_items()) for name in METHODS}
    assert len(set(written.values())) == len(METHODS)
    for before in METHODS:
        for name in METHODS:
            assert signature(AlignerConfig.named(before).replace(method=name).signature_items()) == written[name]
    assert parse_signature(written["reference-label"])["clamp"] == "1e-06"
    assert parse_signature(written["reference-align"])["clamp"] == "none"


def test_the_second_method():
    config = AlignerConfig.named("softmax", also="pointer", align_layer=3)
    assert config.needs_pointer()
    assert config.second() == AlignerConfig.named("softmax", align_layer=3).replace(method="pointer")
    assert AlignerConfig().second() is None
    assert "combine" not in AlignerConfig().signature_items()
    assert parse_signature(signature(config.signature_items()))["also"] == "pointer"


def test_signature_leaves_out_what_is_switched_off():
    reference = AlignerConfig().signature_items()
    assert "temperature" not in reference
    assert "filter_rounds" not in reference
    entropic = AlignerConfig(scaling="entropic", extraction="filter").signature_items()
    assert "clamp" not in entropic
    assert entropic["alpha"] == 0.9


def test_every_field_is_declared_with_what_its_flag_and_its_check_need():
    assert list(OPTIONS) == [field.name for field in dataclasses.fields(AlignerConfig)]
    assert [name for name, option in OPTIONS.items() if not option.flag] == ["clamp"]
    for option in OPTIONS.values():
        checked_elsewhere = option.name == "clamp"
        assert option.help
        assert bool(option.choices) + (option.low is not None and option.high is not None) + checked_elsewhere == 1, option.name
    with pytest.raises(TypeError, match=r"Bare\.number has no help text: declare the field by option\(default, help, …\)"):
        options(dataclasses.make_dataclass("Bare", [("number", int, 3)]))


@pytest.mark.parametrize("option", [option for option in OPTIONS.values() if option.low is not None], ids=lambda o: o.name)
def test_a_range_ends_where_it_is_declared_to(option):
    for value in (option.low, option.high):
        assert getattr(AlignerConfig(**{option.name: value}), option.name) == value
    said = rf"^{option.name} \({option.spelled}\) is .*: allowed is a (whole )?number from {option.low:g} to {option.high:g}$"
    for value in (option.low - 1, option.high + 1, str(option.low), True, None):
        with pytest.raises(InputError, match=said.replace("+", r"\+")):
            AlignerConfig(**{option.name: value})


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_those_that_are_declared(name):
    for value in CHOICES[name]:
        assert getattr(AlignerConfig(**{name: value}), name) == value
    for value in ("bogus", None, CHOICES[name]):
        with pytest.raises(InputError, match=rf"^{name} is .*: allowed are {', '.join(CHOICES[name])}$"):
            AlignerConfig(**{name: value})


def test_what_a_command_line_changes():
    flags = SimpleNamespace(method="softmax", sinkhorn_rounds=3, threshold=0.0, also=None, clamp=1.0, other=1)
    assert given(flags) == {"method": "softmax", "rounds": 3, "threshold": 0.0}
    assert given(SimpleNamespace(method="x", label_method="pointer"), "label_method") == {"method": "pointer"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"cutoff": 0.3},
            "--cutoff 0.3: changes nothing with scaling reference and extraction argmax without --also; leave it out",
        ),
        (
            {"method": "pointer", "rounds": 3, "alpha": 0.5},
            "--sinkhorn-rounds 3, --filter-alpha 0.5: changes nothing with scaling p",
        ),
        (
            {"method": "softmax", "low_cutoff": 0.2},
            "--low-cutoff 0.2: changes nothing with scaling softmax and extraction cutoff without --also; leave it out",
        ),
        (
            {"also": "softmax", "filter_rounds": 3},
            "--filter-rounds 3: changes nothing with scaling reference and extraction argmax; ",
        ),
    ],
)
def test_changes_that_change_nothing_are_refused(changes, said):
    config = AlignerConfig().replace(**changes)
    with pytest.raises(InputError) as raised:
        config.refuse_unused(changes, "--label-method")
    assert str(raised.value).startswith(said)
    assert str(raised.value).endswith("; leave it out, or give another --label-method")
    config.refuse_unused({"method": "pointer", "encoding": "joint", "threshold": 0.0, "window": 64})


def test_the_published_rule_for_marks_is_a_flag_like_others_and_in_no_signature_of_before():
    published = AlignerConfig(marks="link")
    published.refuse_unused({"marks": "link"})
    assert "marks" not in published.signature_items()
    assert AlignerConfig().signature_items()["marks"] == "skip"


def test_a_low_cutoff_is_in_no_signature_where_it_changes_nothing():
    config = AlignerConfig.named("mutual-probability")
    assert "low_cutoff" not in config.signature_items()
    assert "low_cutoff" not in config.replace(low_cutoff=0.4).signature_items()
    assert config.replace(low_cutoff=0.2).signature_items()["low_cutoff"] == 0.2
    config.refuse_unused({"low_cutoff": 1.0})
