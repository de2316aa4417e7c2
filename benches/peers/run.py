#!/usr/bin/env python3
"""Runs Evolora, llama.cpp and torch + peft on the same weights by turns on this machine, and prints medians and ratios.

    python benches/peers/run.py        # from the repository, after `cargo build --release`
    python benches/peers/run.py --forms q4_0 --times 5 --json peers.json

One process at a time: ours, theirs, ours, … `--times` times over, so that whatever else the machine does falls on all alike.
See README.md beside this file.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Tokens that the peers say: an action of two words and what ends it, as one who reads words must wait for; or the two words alone.
WRITTEN = ["3", "2"]
# Adapters as the peers have them.
LORA = ["--set", "lora.targets=q,v", "--set", "lora.rank=8", "--set", "lora.alpha=16"]


def output(command: list) -> str:
    """What a command prints; its errors are shown and end this script."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=tempfile.gettempdir())
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")
    return done.stdout


class Machine:
    """The programs, and how they are called."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.reached: dict[str, list[float]] = {}

    def ours(self, what: str, form: str, *more: str) -> list[float]:
        """Median milliseconds of a decision or step by Evolora; the other figures of its row are kept."""
        args = self.args
        command = [args.program, "bench", what, "--model", args.weights / f"{form}.gguf", "--threads", args.threads]
        report = json.loads(output(command + ["--seconds", args.seconds, "--json", *LORA, *more]))
        row = report["rows"][0]
        self.reached.setdefault(f"{what} {form} {' '.join(more)}", []).append(row["share_of_limit"])
        self.peak = report["machine"]
        return [row["median_ms"]]

    def theirs(self, script: str, *words: str) -> list[float]:
        """Median milliseconds by a peer."""
        args = self.args
        command = [args.python, HERE / script, args.weights, *words, "--threads", args.threads, "--rounds", args.rounds]
        # One number a start, as of Evolora.
        return [statistics.median(json.loads(output(command)))]


def lines(machine: Machine) -> dict[str, list[tuple[str, object]]]:
    """What is compared: for each heading ours first, then theirs, each with what measures it."""
    agents, found = ["--agents", "20"], {}
    for form in machine.args.forms:
        def ours(way: str, form: str = form):
            more = [] if way == "" else ["--set", way]
            return lambda: machine.ours("decide", form, *agents, *more)

        rows = [(f"Evolora{' ' + way if way else ''}", ours(way)) for way in machine.args.ways]
        for way, name in {"swap": "adapters swapped in", "batch": "one batch, no adapters"}.items():
            for written in WRITTEN:
                words = ["llama_cpp_round.py", form, way, "--written", written]
                rows.append((f"llama.cpp, {name}, {written} tokens", lambda words=words: machine.theirs(*words)))
        found[f"ms per decision, {form}"] = rows
    found["ms per decision, f32"] = [("Evolora", lambda: machine.ours("decide", "f32", *agents))]
    for written in WRITTEN:
        words = ["torch_peft.py", "round", "--written", written]
        found["ms per decision, f32"].append(
            (f"torch + peft, mixed adapters, {written} tokens", lambda words=words: machine.theirs(*words))
        )
    alone = ["--agents", "1", "--batch", "4"]
    step = [("Evolora, all layers", lambda: machine.ours("train", "f32", *alone))]
    top = ["--set", "lora.layers=10"]
    step.append(("Evolora, top 10 layers", lambda: machine.ours("train", "f32", *alone, *top)))
    step.append(("Evolora, top 10 layers, hidden states kept", lambda: machine.ours("train", "f32", *alone, *top, "--again")))
    step.append(("torch + peft, all layers", lambda: machine.theirs("torch_peft.py", "step")))
    step.append(("torch + peft, top 10 layers", lambda: machine.theirs("torch_peft.py", "step", "--top", "10")))
    found["ms per step of 4 experiences, f32"] = step
    return found


def check(machine: Machine) -> None:
    """That all compute the same: for the first prompt, how likely the first words of the replies are, in f32, and with an adapter in every
    form that is compared."""
    args, asked = machine.args, json.loads((machine.args.weights / "prompts.json").read_text())
    firsts = {reply: tokens[0] for reply, tokens in asked["replies"].items()}

    def ours(form: str, *more) -> dict[str, float]:
        command = [args.program, "agent", "--json", "--prompt", asked["prompts"][0]["text"]]
        said = json.loads(output([*command, "--model", args.weights / f"{form}.gguf", *more]))
        return {one["action"]: one["logprob"] for one in said["actions"] if one["action"] in firsts}

    def theirs(script: str, *words) -> dict[str, float]:
        logits = json.loads(output([args.python, HERE / script, args.weights, *words]))
        chosen = {reply: logits[token] for reply, token in firsts.items()}
        most = max(chosen.values())
        total = most + math.log(sum(math.exp(one - most) for one in chosen.values()))
        return {reply: one - total for reply, one in chosen.items()}

    def compare(what: str, own: dict, other: dict, most: float) -> None:
        # "move" is the first word of four actions, so that its share is theirs together.
        far = max(abs(own[reply] - other[reply]) for reply in firsts if reply != "move north")
        print(f"log-probabilities of the replies, Evolora beside {what}: at most {far:.1e} apart")
        if far > most:
            sys.exit("They do not compute the same, so that no ratio would mean anything.")

    compare("torch", ours("f32"), theirs("torch_peft.py", "logits"), 1e-2)
    adapter = args.weights / "adapters" / "0.gguf"
    for form in ["f32", *args.forms]:
        other = theirs("llama_cpp_round.py", form, "logits", "--adapter", adapter)
        for way in args.ways if form != "f32" else args.ways[:1]:
            words = ["--set", way] if way else []
            own = ours(form, *words, "--adapter", adapter)
            moved = max(abs(own[reply] - bare) for reply, bare in ours(form, *words).items())
            # llama.cpp rounds what it multiplies quantised weights with to 8 bits.
            most = 1e-2 if form == "f32" else min(moved / 4, 0.1)
            compare(f"llama.cpp, {form}, {way}, with an adapter (which moves them by {moved:.1e})", own, other, most)


def ratios(times: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """How many times as long as each of ours a peer's median is."""
    found = {}
    for heading, rows in times.items():
        medians = {name: statistics.median(all_of) for name, all_of in rows.items()}
        ours = {name: median for name, median in medians.items() if name.startswith("Evolora")}
        theirs = {name: median for name, median in medians.items() if name not in ours}
        found[heading] = {peer: {own: median / ours[own] for own in ours} for peer, median in theirs.items()}
    return found


def report(machine: Machine, times: dict[str, dict[str, list[float]]]) -> None:
    """Medians, and how many times as long as ours."""
    by_peer = ratios(times)
    for heading, rows in times.items():
        print(f"\n{heading}")
        for name, all_of in rows.items():
            beside = "".join(f"  {ratio:.2f}×" for ratio in by_peer[heading].get(name, {}).values())
            print(f"  {name:<42} {statistics.median(all_of):8.2f}  ({min(all_of):.2f} to {max(all_of):.2f}){beside}")
    peak = machine.peak
    print(f"\n{peak['threads']} threads; {peak['gemm_gflops']:.0f} GFLOP/s in f32 products, {peak['copy_gbytes']:.0f} GB/s when copying")
    print("A ratio is the peer's median divided by each of Evolora's, in the order of the lines.")
    for name, shares in machine.reached.items():
        print(f"  of the machine's f32 limit: {statistics.median(shares):.0%}  {name}")


def main() -> None:
    """Makes the weights if they are not there, checks them, measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/evolora")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="with what requirements.txt names")
    parser.add_argument("--weights", type=Path, default=ROOT / "target/peers", help="folder for about 1.4 GB")
    parser.add_argument("--forms", nargs="+", default=["q4_0", "q8_0", "q4_k_m"])
    parser.add_argument("--ways", nargs="+", default=["model.arithmetic=f32", "model.arithmetic=int8"], help="settings under which Evolora decides, KEY=VALUE each")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--times", type=int, default=3, help="times that each is started")
    parser.add_argument("--rounds", default="4", help="rounds of a peer each time")
    parser.add_argument("--seconds", default="2", help="seconds for Evolora each time")
    parser.add_argument("--json", type=Path, help="keep all times, ratios and shares in this file")
    args = parser.parse_args()
    args.program, args.weights = args.program.absolute(), args.weights.absolute()
    # Not resolved: what a link of a virtual environment points to is another Python.
    args.python = args.python.absolute()
    if not (args.weights / "prompts.json").exists():
        print(output([args.python, HERE / "model.py", args.weights]).strip())
    machine = Machine(args)
    check(machine)
    compared = lines(machine)
    times = {heading: {name: [] for name, _ in rows} for heading, rows in compared.items()}
    for _ in range(args.times):
        for heading, rows in compared.items():
            for name, measure in rows:
                times[heading][name] += measure()
    report(machine, times)
    if args.json:
        kept = {"times_ms": times, "ratios": ratios(times), "machine": machine.peak, "share_of_limit": machine.reached}
        args.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
