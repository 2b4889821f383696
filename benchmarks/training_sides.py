"""The sides of the training benchmark: what each does with a batch. See training.py."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from workers import peak_bytes

WIDTH, LAYERS, HEADS, FEED_FORWARD, DROPOUT = 256, 3, 4, 1024, 0.1
WARM_UP = 3  # steps before the clock starts
LEARNING_RATE = 1e-4

Step = Callable[[Any], float]


def work(job: dict[str, Any]) -> dict[str, Any]:
    """A worker's part: one side's seconds for the timed steps and its memory, or the machine's speed."""
    from endash.training.examples import Examples

    if job["side"] == "machine":
        return {name: product_speed(dtype, job["product"]) for name, dtype in DTYPES.items()}
    folder = Path(job["folder"])
    batches = [np.array(rows) for rows in json.loads((folder / "batches.json").read_text())]
    library, _, kind = job["side"].partition(" ")
    torch.manual_seed(1)
    make = {"transformers": transformers_step, "endash": endash_step}[library]
    step, stop = make(Examples(folder / "examples"), job["vocabulary"], kind)
    for rows in batches[:WARM_UP]:
        step(rows)
    began = time.perf_counter()
    for rows in batches[WARM_UP:]:
        loss = step(rows)
    return {"seconds": time.perf_counter() - began, "loss": loss, "peak_bytes": stop()}


DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def transformers_step(examples: Any, vocabulary: int, kind: str) -> tuple[Step, Callable[[], int | None]]:
    """The plain loop: the library's model, loss and masks, PyTorch's AdamW, clipping, autocast where it is bf16.

    Tuned, it has what helps on a CPU: eager attention, the fused optimiser, endash's cheap dropout mask, and, by the
    environment it is started in, an allocator that keeps what is freed.
    """
    from transformers import MarianConfig, MarianMTModel

    from endash.parts.dropout import Dropout

    model = MarianMTModel(marian_config(MarianConfig, vocabulary)).train()
    if kind == "tuned":
        model.set_attn_implementation("eager")
        nn.functional.dropout = lambda x, p=0.5, training=True, inplace=False: Dropout(p).train(training)(x)
    fused = True if kind == "tuned" else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), fused=fused)

    def step(rows: Any) -> float:
        source, target = map(torch.from_numpy, examples.padded(rows))
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind != "fp32"):
            labels = target.masked_fill(target == 0, -100)
            loss = model(input_ids=source, attention_mask=(source != 0).long(), labels=labels).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step, peak_bytes


def marian_config(make: Any, vocabulary: int) -> Any:
    """The architecture, as a MarianConfig."""
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", LAYERS), ("attention_heads", HEADS), ("ffn_dim", FEED_FORWARD))
    }
    return make(
        vocab_size=vocabulary,
        d_model=WIDTH,
        activation_function="relu",
        dropout=DROPOUT,
        attention_dropout=0.0,
        activation_dropout=0.0,
        max_position_embeddings=512,
        scale_embedding=True,
        pad_token_id=0,
        bos_token_id=2,
        decoder_start_token_id=2,
        eos_token_id=3,
        forced_eos_token_id=None,
        init_std=WIDTH**-0.5,
        **sides,
    )


def endash_step(examples: Any, vocabulary: int, kind: str) -> tuple[Step, Callable[[], int | None]]:
    """The step of ``endash train``, in as many processes as it takes here, without schedule, checkpoints and journal."""
    from endash.decoders.transformer import TransformerDecoderConfig
    from endash.encoders.transformer import TransformerEncoderConfig
    from endash.heads import HeadConfig
    from endash.links.cross_attention import CrossAttentionConfig
    from endash.network import Network
    from endash.training.config import TrainingConfig
    from endash.training.gradient import Alone, Step, Work
    from endash.training.loop import adamw
    from endash.training.machine import keep_freed_memory, machine_for
    from endash.training.team import Team

    keep_freed_memory()
    # No smoothing, as on the other side; the gradient of the smoothed loss takes the same operations.
    precision = "float32" if kind == "fp32" else "auto"
    config = TrainingConfig(precision=precision, device="cpu", label_smoothing=0.0)
    shape = {"width": WIDTH, "layers": LAYERS, "heads": HEADS, "feed_forward": FEED_FORWARD, "dropout": DROPOUT}
    network = Network(
        TransformerEncoderConfig.model_validate({**shape, "norm": "post"}),
        CrossAttentionConfig(heads=HEADS),
        TransformerDecoderConfig.model_validate({**shape, "norm": "post"}),
        head=HeadConfig(tie="all"),
        source_size=vocabulary,
        target_size=vocabulary,
    )
    optimizer, machine = adamw(network, config), machine_for(config)
    part = Work(network, examples, config, machine)
    steps = Team(part, optimizer, workers=machine.workers, seed=1) if machine.workers > 1 else Alone(part, optimizer)
    steps.__enter__()

    def step(rows: Any) -> float:
        losses = steps.gradient(Step(1, (rows,), int(examples.lengths[rows, 1].sum()), 0.0))
        steps.norm()
        steps.update(LEARNING_RATE)
        return losses[0].total

    def stop() -> int | None:
        peak = peak_bytes()
        if peak and isinstance(steps, Team):
            peak += sum(map(private_bytes, steps.others()))
        steps.__exit__(None, None, None)
        return peak

    return step, stop


def private_bytes(process: int) -> int:
    """What another process holds of memory that it shares with none (it keeps what it frees, so that this is its most)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text()
    return 1024 * sum(map(int, re.findall(r"^Private_\w+:\s+(\d+)", lines, re.MULTILINE)))


def product_speed(dtype: torch.dtype, size: int) -> float:
    """GFLOP/s of a large matrix product, the best of five."""
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best / 1e9
