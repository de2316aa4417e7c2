"""Records what llama.cpp makes of the default model: its tokens for many texts, its logits, its greedy reply.

    python make_default_model.py        (needs llama-cpp-python and numpy; writes default_model.json beside itself)

Make it anew whenever models/evolora-206k.gguf is made anew.
"""

import hashlib
import json
import random
from pathlib import Path

import llama_cpp
import numpy as np
from llama_cpp import Llama

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "models" / "evolora-206k.gguf"


def texts(count: int) -> list[str]:
    """Prompts as the habitat writes them, and a few texts that it never would."""
    draw = random.Random(7)
    arrows = ["↑", "↓", "→", "←", "↑→", "↓←", "↑↓→←"]
    made = [
        "", " ", "  \n\t ", "naïve café 😀👩‍👧", "3.14 1000 00", "don't I'll", "中文", " move north", "<|im_end|>",
        "Action:", " Action: pick up. Result: picked up food.",
    ]
    while len(made) < count:
        x, y, energy = draw.randrange(100), draw.randrange(100), draw.randrange(0, 101, 10)
        load = draw.choice(["", ", has food"])
        sights = " ".join(
            thing + draw.choice(arrows + [" here"]) for thing in ["home", "food", "wall", "edge", "agent"] if draw.random() < 0.6
        )
        made.append(f"At ({x},{y}), E{energy}{load}. See: {sights or 'nothing'} Action:")
    return made


def main() -> None:
    """Writes default_model.json."""
    model = Llama(str(MODEL), n_ctx=256, logits_all=True, verbose=False, n_threads=1)
    cases = []
    for text in texts(200):
        tokens = model.tokenize(text.encode(), add_bos=False, special=False)
        cases.append({"text": text, "ids": tokens})
    logits = []
    for case in cases[11:15]:
        model.reset()
        model.eval(case["ids"])
        last = np.array(model.scores[len(case["ids"]) - 1], dtype=np.float32)
        greedy, ids = [], list(case["ids"])
        for _ in range(8):
            model.reset()
            model.eval(ids)
            greedy.append(int(np.argmax(model.scores[len(ids) - 1])))
            ids.append(greedy[-1])
        logits.append({"text": case["text"], "last": [round(float(x), 6) for x in last], "greedy": greedy})
    record = {
        "note": "What llama.cpp makes of models/evolora-206k.gguf; see make_default_model.py.",
        "llama_cpp_python": llama_cpp.__version__,
        "sha256": hashlib.sha256(MODEL.read_bytes()).hexdigest(),
        "cases": cases,
        "logits": logits,
    }
    (HERE / "default_model.json").write_text(json.dumps(record, ensure_ascii=False))


if __name__ == "__main__":
    main()
