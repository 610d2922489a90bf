from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.encoder.vocabulary import open_sentencepiece


def test_the_bundled_map_is_rebuilt_byte_by_byte():
    bundled = charsmap.bundled()
    rules = charsmap.read_rules(bundled)
    assert len(rules) > 200_000
    assert rules["\u2460"] == "1"
    assert rules["e\u0301"] == "é"
    assert rules["\u00a0"] == " "
    assert charsmap.build(rules) == bundled


def test_rules_come_back():
    rules = {"A": "b", "CD": "EF", "CDé": "", "\U0001f600": ":-)"}
    assert charsmap.read_rules(charsmap.build(rules)) == rules


def test_assembled_model_normalises_and_segments():
    pieces = [("▁", -2.0), ("b", -3.0), ("▁b", -2.5), ("EF", -4.0)]
    processor = open_sentencepiece(charsmap.assemble(pieces, charsmap.build({"A": "b", "CD": "EF"})))
    assert [processor.id_to_piece(i) for i in range(3)] == ["<unk>", "<s>", "</s>"]
    assert (processor.unk_id(), processor.bos_id(), processor.eos_id(), processor.pad_id()) == (0, 1, 2, -1)
    assert processor.encode("A CD", out_type=str) == ["▁b", "▁", "EF"]


KEYS = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1, max_size=3)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(KEYS, st.just("x"), min_size=1, max_size=5))
def test_any_keys_come_back(rules):
    assert charsmap.read_rules(charsmap.build(rules)) == rules
