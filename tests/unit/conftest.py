"""A small sentencepiece model with XLM-R's layout, sentences to encode, and small random encoders."""

import io
import os
import sys

import pytest
import sentencepiece
import torch

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, LMHead, PointerHead
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.model.record import Model

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

try:
    import torchaudio  # noqa: F401
except ImportError:
    pass
except OSError:  # fairseq installs one that does not load with a CPU torch, and transformers imports it if it is installed
    sys.modules["torchaudio"] = None

SENTENCES = [
    "How much protein per day?",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "Le cœur a ses raisons que la raison ne connaît point.",
    "¿Dónde está la biblioteca? ¡No lo sé!",
    "Bună ziua, lume! Ce mai faceți?",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Привет, как дела? Съешь же ещё этих мягких французских булок.",
    "नमस्ते दुनिया, आप कैसे हैं? क्‍या हाल है",
    "日本語の文章を埋め込みます。ｶﾀｶﾅとＡＢＣ１２３",
    "这是一个测试句子，没有空格。",
    "안녕하세요 세계, 오늘은 날씨가 좋습니다.",
    "مرحبا بالعالم، كيف حالك اليوم؟",
    "שלום עולם, מה שלומך?",
    "สวัสดีชาวโลก",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "Xin chào thế giới, tiếng Việt có dấu.",
    "Cafe\u0301 and nai\u0308ve, ﬁne ligatures, \u00bd cup, \u2460 \u2122",
    "two  spaces,\ttab, no\u00a0break, zero\u200bwidth\u200djoiner",
    "  leading and trailing  ",
    "rare: 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 😀👨‍👩‍👧 𐍈 ㋿ ꟲ",
]


@pytest.fixture(scope="session")
def sentences():
    return SENTENCES


@pytest.fixture(scope="session")
def sentencepiece_model():
    """Return the bytes of a unigram model with `<unk>` 0, `<s>` 1, `</s>` 2; rare characters are unknown to it."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES[:-1] * 3),
        model_writer=model,
        vocab_size=300,
        hard_vocab_limit=False,
        character_coverage=0.98,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.fixture(scope="session")
def vocabulary(sentencepiece_model):
    return Vocabulary.from_sentencepiece(sentencepiece_model)


@pytest.fixture
def batch(vocabulary):
    """Return (3, 9) ids with padding at the end of two rows."""
    tokens = torch.randint(4, len(vocabulary) - 1, (3, 9), generator=torch.Generator().manual_seed(5))
    tokens[:, 0], tokens[:, 8] = 0, 2
    tokens[1, 5:], tokens[2, 7:] = 1, 1
    return tokens


def randomise(module, seed=1):
    """Set every parameter to random values, norms and biases too, so that each affects the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(module.named_parameters()):
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2 + (0.5 if "orm" in name and "weight" in name else 0))
    return module.eval()


@pytest.fixture(scope="session")
def randomised():
    return randomise


@pytest.fixture
def make_model(vocabulary, sentencepiece_model):
    """Return a function that makes a random model with the heads that are asked for."""

    def make(hf_architecture="xlm-roberta", heads=("lm_head", "pointer"), layers=3):
        eps = 1e-5 if hf_architecture == "xlm-roberta" else 1e-12
        config = EncoderConfig(len(vocabulary), layers, 32, 4, 48, 40, layer_norm_eps=eps)
        encoder = randomise(Encoder(config))
        parts = {"encoder": encoder}
        if "lm_head" in heads:
            parts["lm_head"] = randomise(LMHead(config, torch.nn.Parameter(torch.zeros(len(vocabulary), 32))), 2)
        if "pointer" in heads:
            parts["pointer"] = randomise(PointerHead(config), 3)
        state = {
            f"{name}.{key}": value
            for name, part in parts.items()
            for key, value in part.state_dict().items()
            if f"{name}.{key}" != "lm_head.weight"
        }
        aligner = AlignerConfig(encoding="separate", align_layer=2)
        return Model(config, state, hf_architecture, vocabulary, sentencepiece_model, aligner, chosen=True)

    return make
