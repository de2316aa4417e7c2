"""Records what peft and llama.cpp make of adapters that Evolora exported, and writes one as llama.cpp's converter would.

    cargo test --release --test adapters -- --ignored record_the_exports     # Evolora writes export/of-*
    python tests/reference/make_export.py                                    # this reads them

Writes `export/elsewhere.gguf`, `export/expected.safetensors` and `export/expected.json`, byte for byte the same each time (CPU,
one thread). The versions are those of README.md. The checks stop the script: what is written has been verified.
"""

import os

os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")

import ctypes
import json
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
EXPORT = HERE / "export"
# The second and the third prompt of expected.json.
PROMPTS = [json.loads((HERE / "expected.json").read_text())["prompts"][at] for at in (1, 2)]
HEADS = {"q_proj": 4, "k_proj": 2}
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def hugging_face(base):
    """A base model as transformers reads it, in f32."""
    model = AutoModelForCausalLM.from_pretrained(HERE / base, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def logits_of(model):
    """The logits [tokens, vocabulary] of both prompts, by transformers."""
    with torch.no_grad():
        return [model(torch.tensor([ids]), use_cache=False).logits[0].numpy().copy() for ids in PROMPTS]


def with_peft(base, folder):
    """The same with an adapter of a PEFT folder, which must hold exactly what the model then has."""
    model = PeftModel.from_pretrained(hugging_face(base), folder).eval()
    there = sum("lora_" in name for name, _ in model.named_parameters())
    stored = len(load_file(folder / "adapter_model.safetensors"))
    assert there == stored > 0, (there, stored)
    with safe_open(folder / "adapter_model.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt"}
    return logits_of(model)


def with_llama_cpp(adapter):
    """The same by llama.cpp on llama-f32.gguf with a GGUF adapter (or none)."""
    path = str(HERE / "llama-f32.gguf")
    model = llama_cpp.Llama(
        path, n_ctx=64, n_batch=64, n_threads=1, logits_all=True, verbose=False, flash_attn=False, type_k=0, type_v=0
    )
    if adapter is not None:
        lora = llama_cpp.llama_adapter_lora_init(model._model.model, str(adapter).encode())
        assert lora, adapter
        every = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(lora)
        scales = (ctypes.c_float * 1)(1.0)
        assert llama_cpp.llama_set_adapters_lora(model._ctx.ctx, every, 1, scales) == 0
    made = []
    for ids in PROMPTS:
        model.reset()
        model.eval(ids)
        made.append(np.array(model.scores[: len(ids)], dtype=np.float32))
    return made


def convert(folder, target):
    """A PEFT folder of llama-hf as a GGUF adapter, as llama.cpp's convert_lora_to_gguf.py writes it: q/k rows of B permuted."""
    config = json.loads((folder / "adapter_config.json").read_text())
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name("elsewhere")
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"]))
    for name, rows in sorted(load_file(folder / "adapter_model.safetensors").items()):
        part = name.removeprefix("base_model.model.model.layers.").split(".")
        layer, module, half = part[0], ".".join(part[1:3]), part[3][-1].lower()
        heads = HEADS.get(part[2])
        if heads and half == "b":
            rows = rows.reshape(heads, 2, rows.shape[0] // heads // 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)
        writer.add_tensor(f"blk.{layer}.{NAMES[module]}.weight.lora_{half}", np.ascontiguousarray(rows, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def near(one, other):
    """The largest difference of two lists of logits."""
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    convert(HERE / "peft" / "llama-0", EXPORT / "elsewhere.gguf")
    made = {
        "of-gguf": with_peft("llama-hf", EXPORT / "of-gguf"),
        "of-gguf.gguf": with_llama_cpp(EXPORT / "of-gguf.gguf"),
        "of-hf.gguf": with_llama_cpp(EXPORT / "of-hf.gguf"),
        "of-gpt-neo": with_peft("gpt-neo-hf", EXPORT / "of-gpt-neo"),
        "elsewhere.gguf": with_llama_cpp(EXPORT / "elsewhere.gguf"),
    }
    # llama-f32.gguf has llama-hf's weights: one adapter, two programs.
    told = {
        "of-gguf in peft and in llama.cpp": near(made["of-gguf"], made["of-gguf.gguf"]),
        "peft/llama-0 in peft and elsewhere.gguf in llama.cpp": near(
            with_peft("llama-hf", HERE / "peft" / "llama-0"), made["elsewhere.gguf"]
        ),
    }
    assert all(far < 1e-4 for far in told.values()), told
    bare = with_llama_cpp(None)
    assert all(near(logits, bare) > 0.5 for name, logits in made.items() if name != "of-gpt-neo")
    with safe_open(EXPORT / "of-gguf.card", "np") as card:
        about = json.loads(card.metadata()["evolora_card"])
        assert about["version"] == 1 and len(card.keys()) == 2 * len(about["sites"]) == 28
        assert card.get_tensor("layers.1.down.lora_B").shape == (64, about["rank"])
    # Of the first prompt every row, of the second the last.
    kept = {}
    for name, (first, second) in made.items():
        kept |= {f"{name}/prompt0": np.ascontiguousarray(first), f"{name}/prompt1": np.ascontiguousarray(second[-1:])}
    save_file(kept, EXPORT / "expected.safetensors")
    (EXPORT / "expected.json").write_text(json.dumps({"prompts": PROMPTS, "largest_differences": told}, indent=1) + "\n")
    print(told)


if __name__ == "__main__":
    main()
