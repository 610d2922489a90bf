"""The aligner configuration: values checked once, named methods, signatures."""

import pytest
from signatures import parse_signature

from xlm_align_fairseq.alignment.config import METHODS, AlignerConfig
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
    with pytest.raises(InputError, match="no field 'bogus': allowed are encoding, align_layer, "):
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
    """Also after another method: a method sets all that tells it from the others."""
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
