"""SimAlign and awesome-align as `aligners.py` runs them: one job in one process, with nothing of ours imported.

    python benchmarks/peers.py '{"who": "simalign", …}'    # `aligners.py` runs this, with the python that has the peer

Both are the released packages, unchanged: SimAlign through `SentenceAligner.get_word_aligns`, awesome-align through what its
command calls for every batch, `BertForMaskedLM.get_aligned_word`, with the arguments its command gives.
"""

import contextlib
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

BOS, PAD, EOS = 0, 1, 2  # of XLM-R's vocabulary, for awesome-align


class Stopwatch:
    """Add up the time of calls that may be nested: each stage counts its own time, without the stages inside.

    Every thread has its own stages; time of a second thread is not subtracted from the first.
    """

    def __init__(self, device: str = "cpu"):
        self.seconds: dict[str, float] = {}
        self.device = device
        self._local = threading.local()

    def wait(self) -> None:
        """Wait for the GPU to finish."""
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.synchronize()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of a `with` block as a stage."""
        inside = self._local.__dict__.setdefault("inside", [])  # seconds of nested stages, for each open stage
        self.wait()
        begin = time.perf_counter()
        inside.append(0.0)
        try:
            yield
        finally:
            self.wait()
            took = time.perf_counter() - begin
            self.seconds[name] = self.seconds.get(name, 0.0) + took - inside.pop()
            if inside:
                inside[-1] += took

    def around(self, name: str, function: Callable) -> Callable:
        """Return the function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        return timed


def peak_mib() -> float:
    """Return the largest resident size so far. `ru_maxrss` would start from that of the process that started this one."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measure(job: dict, load: Callable[[], Any], run: Callable[[Any, int], list]) -> dict:
    """Load, warm up, and time one pass.

    Args:
        job: its `warm_up`, `pairs` and `device` are read.
        load: returns what `run` takes.
        run: aligns the first pairs, as many as it is told, and returns the links of each.
    """
    begin = time.perf_counter()
    loaded = load()
    load_seconds = time.perf_counter() - begin
    run(loaded, job["warm_up"])
    whole = peak_mib()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    watch, cpu = Stopwatch(job["device"]), time.process_time()
    with watch.stage("all"):
        links = run(loaded, job["pairs"])
    cpu = time.process_time() - cpu
    import torch

    return {
        "seconds": watch.seconds["all"],
        "cpu_seconds": cpu,
        "load_seconds": load_seconds,
        "peak_mib": max(whole, peak_mib()),
        "align_mib": peak_mib(),
        "gpu_mib": torch.cuda.max_memory_allocated() / (1 << 20) if job["device"].startswith("cuda") else None,
        "threads": torch.get_num_threads(),
        "links": [sorted({(int(i), int(j)) for i, j in one}) for one in links],
    }


def simalign(job: dict) -> dict:
    """Align sentence by sentence, the only way SimAlign has."""
    pairs = json.loads(Path(job["text"]).read_text(encoding="utf-8"))
    watch = Stopwatch(job["device"])

    class Tokenizer:
        """The tokenizer, timed."""

        def __init__(self, tokenizer: Any):
            self.tokenize, self.encode = (watch.around("tokenise", call) for call in (tokenizer.tokenize, tokenizer))

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self.encode(*args, **kwargs)

    def load() -> Any:
        from simalign import SentenceAligner

        letter = {"inter": "a", "itermax": "i", "mwmf": "m"}[job["method"]]
        aligner = SentenceAligner(model=job["model"], matching_methods=letter, device=job["device"], layer=job["layer"])
        aligner.embed_loader.tokenizer = Tokenizer(aligner.embed_loader.tokenizer)
        return aligner

    def run(aligner: Any, n: int) -> list:
        watch.seconds.clear()
        return [aligner.get_word_aligns(source, target)[job["method"]] for source, target in pairs[:n]]

    measured = measure(job, load, run)
    return {**measured, "tokenise_seconds": watch.seconds["tokenise"], "versions": versions("simalign", "transformers", "torch")}


def awesome(job: dict) -> dict:
    """Align batches of awesome-align's size in the order of the text, as its command does, from our pieces."""
    pieces = json.loads(Path(job["pieces"]).read_text(encoding="utf-8"))

    def load() -> Any:
        import torch
        from awesome_align import modeling
        from awesome_align.configuration_bert import BertConfig
        from awesome_align.modeling import BertForMaskedLM

        modeling.PAD_ID, modeling.CLS_ID, modeling.SEP_ID = PAD, BOS, EOS  # as its command sets them from its tokenizer
        model = BertForMaskedLM.from_pretrained(job["model"], config=BertConfig.from_pretrained(job["model"]))
        model.to(job["device"])
        model.eval()
        examples = [
            (torch.tensor([BOS, *src, EOS]), torch.tensor([BOS, *tgt, EOS]), src_words, tgt_words)
            for src, src_words, tgt, tgt_words in pieces
        ]
        return model, examples, torch.device(job["device"])

    def run(loaded: Any, n: int) -> list:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        model, examples, device = loaded
        found = []
        for start in range(0, n, job["batch_size"]):
            *sides, src_words, tgt_words = zip(*examples[start : min(start + job["batch_size"], n)], strict=True)
            src, tgt = (pad_sequence(list(side), batch_first=True, padding_value=PAD) for side in sides)
            options = {"align_layer": job["layer"], "extraction": "softmax", "softmax_threshold": 0.001, "test": True}
            with torch.no_grad():
                found += model.get_aligned_word(src, tgt, src_words, tgt_words, device, 0, 0, **options)
        return found

    return {**measure(job, load, run), "tokenise_seconds": None, "versions": versions("awesome-align", "torch")}


def versions(*packages: str) -> str:
    """Name packages with their versions."""
    return ", ".join(f"{package} {version(package)}" for package in packages)


def answer(job: dict, ways: dict[str, Callable[[dict], dict]]) -> None:
    """Run a job and write its result to the file that it names."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is a local directory
    Path(job["out"]).write_text(json.dumps(ways[job["who"]](job)), encoding="utf-8")


if __name__ == "__main__":
    answer(json.loads(sys.argv[1]), {"simalign": simalign, "awesome-align": awesome})
