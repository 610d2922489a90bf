"""Late encoding: its sequences, and layers that are those of each side alone, then of both together."""

import pytest
import torch

from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig
from xlm_align_fairseq.encoder.sequences import PieceBatch, encode_sides, join_sides, late_layout, length_mask, split_sides
from xlm_align_fairseq.encoder.vocabulary import BOS, EOS, PAD


@pytest.fixture
def encoder(randomised):
    return randomised(Encoder(EncoderConfig(50, layers=3, width=32, heads=4, ffn=48, max_positions=40)))


@pytest.fixture
def pieces(encoder):
    torch.manual_seed(6)
    lengths = torch.tensor([4, 1, 7]), torch.tensor([6, 3, 2])
    sides = [torch.randint(4, encoder.config.vocabulary, (3, int(of_side.max()))) for of_side in lengths]
    return PieceBatch(
        *(side.masked_fill(~length_mask(of_side), PAD) for side, of_side in zip(sides, lengths, strict=True)), *lengths
    )


def existing(sides, pieces):
    return [side[length_mask(lengths)] for side, lengths in zip(sides, pieces[2:], strict=True)]


def test_layout(pieces):
    late = join_sides(pieces, "late")
    n, m = pieces.src_lengths[0], pieces.tgt_lengths[0]
    source, target = pieces.source[0, :n].tolist(), pieces.target[0, :m].tolist()
    assert [piece for piece in late[0].tolist() if piece != PAD] == [BOS, *source, EOS, BOS, *target, EOS]
    assert late_layout(join_sides(pieces), pieces.src_lengths, BOS).equal(late)
    for layout in ("translation", "late"):
        joint = join_sides(pieces, layout)
        sides = split_sides(joint, pieces.src_lengths, pieces.tgt_lengths, layout)
        for ours, theirs in zip(existing(sides, pieces), existing(pieces[:2], pieces), strict=True):
            assert ours.equal(theirs)
        with_specials = split_sides(joint, pieces.src_lengths, pieces.tgt_lengths, layout, specials=True)
        assert [side[:, 1:].equal(plain) for side, plain in zip(with_specials, sides, strict=True)] == [True, True]
        firsts = [side[:, 0].unique().tolist() for side in with_specials]
        assert firsts == [[BOS], [BOS if layout == "late" else EOS]]


def test_lower_layers_read_each_side_alone_and_upper_ones_both(encoder, pieces):
    encoder.eval()
    last = encoder.config.layers

    def states(layer, late_layer):
        return encode_sides(lambda tokens: encoder.at_layers(tokens, [layer], late_layer)[0], pieces, "late")

    with torch.no_grad():
        for layer in range(last):
            alone = encode_sides(lambda tokens, layer=layer: encoder(tokens, layer), pieces, "separate")
            for ours, theirs in zip(existing(states(layer, last - 1), pieces), existing(alone, pieces), strict=True):
                torch.testing.assert_close(ours, theirs)
        alone = encode_sides(lambda tokens: encoder(tokens, last), pieces, "separate")
        together = existing(states(last, last - 1), pieces)
        assert not torch.allclose(together[0], existing(alone, pieces)[0], atol=1e-3)
        other = pieces._replace(target=pieces.target.masked_fill(length_mask(pieces.tgt_lengths), 5))
        changed = encode_sides(lambda tokens: encoder.at_layers(tokens, [last], last - 1)[0], other, "late")
        assert not torch.allclose(existing(changed, pieces)[0], together[0], atol=1e-3)  # the source reads the target


def test_each_side_may_be_as_long_as_the_encoder_reads(encoder):
    longest = encoder.config.max_positions
    side, lengths = torch.full((1, longest - 2), 5), torch.tensor([longest - 2])
    tokens = join_sides(PieceBatch(side, side, lengths, lengths), "late")
    assert tokens.size(1) == 2 * longest
    assert encoder.at_layers(tokens, [1], 1)[0].isfinite().all()
    longer = torch.nn.functional.pad(side, (0, 1), value=5)
    tokens = join_sides(PieceBatch(longer, side, lengths + 1, lengths), "late")
    with pytest.raises(ValueError, match=f"a sequence of {longest + 1} pieces: this encoder reads at most {longest}"):
        encoder.at_layers(tokens, [1], 1)
