"""An encoder that was trained elsewhere. Shapes: B batch, S positions, D width."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from endash.encoders.registry import encoders
from endash.errors import ModelError
from endash.memory import Memory
from endash.parts.contracts import Encoder, PartConfig, Source
from endash.parts.masks import mean
from endash.parts.precision import for_products

_NAMES = {  # what families of models call their width and their depth
    "width": ("hidden_size", "d_model", "dim", "n_embd"),
    "layers": ("num_hidden_layers", "num_layers", "n_layers", "n_layer"),
}
_READS: dict[Source, str] = {"pixels": "patch_size", "samples": "conv_kernel", "tokens": "vocab_size"}
_OFF = {"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "layerdrop": 0.0}  # of wav2vec2
_INPUTS: dict[Source, str] = {"tokens": "input_ids", "pixels": "pixel_values", "samples": "input_values"}


class PretrainedConfig(PartConfig):
    """Settings of the pretrained encoder. Once read they hold all that it is built from, and need its folder no more."""

    kind: Literal["pretrained"] = "pretrained"
    folder: str | None = Field(None, description="of a Hugging Face model: its config.json and model.safetensors")
    frozen: bool = Field(True, description="its parameters stay as they are, and it has no dropout")
    width: int = Field(0, description="of the folder's model, need not be given")
    layers: int = Field(0, description="of the folder's model, need not be given")
    architecture: str | None = Field(None, description="the folder's config.json, need not be given")

    @model_validator(mode="before")
    @classmethod
    def _look_into_the_folder(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        text = data.get("architecture") or _read(data.get("folder"))
        try:
            architecture = json.loads(text)
            found = {
                one: next(int(architecture[n]) for n in names if n in architecture) for one, names in _NAMES.items()
            }
        except (ValueError, TypeError, StopIteration):
            raise ValueError(
                "encoder.folder holds no encoder: its config.json names no width and no number of layers, such as "
                '"hidden_size" and "num_hidden_layers"; use the folder of a model such as BERT, ViT or wav2vec2'
            ) from None
        for name, value in found.items():
            if data.get(name) not in {None, 0, value}:
                raise ValueError(f"encoder.{name} = {data[name]}, and its folder's model has {value}: leave it out")
        return {**data, **found, "architecture": json.dumps(architecture, sort_keys=True)}

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.told.get("is_encoder_decoder") or not any(key in self.told for key in _READS.values()):
            raise ValueError(
                f"encoder.folder holds a {self.told.get('model_type')!r}, which is not an encoder of tokens, pixels or "
                "samples alone: use a model such as BERT, ViT or wav2vec2"
            )
        return self

    @classmethod
    def usual(cls) -> Self:
        """A BERT of the usual size."""
        told = {"model_type": "bert", "hidden_size": 768, "num_hidden_layers": 12, "vocab_size": 30522}
        return cls(architecture=json.dumps(told))

    @property
    def told(self) -> dict[str, Any]:
        """What the folder's config.json says."""
        return dict(json.loads(self.architecture or "{}"))

    @property
    def padding(self) -> int:
        """The token id that is padding in the folder's model."""
        return int(self.told.get("pad_token_id") or 0)

    @property
    def reads(self) -> Source:
        """What the folder's model reads."""
        return next(source for source, key in _READS.items() if key in self.told)


@encoders.register
class PretrainedEncoder(Encoder):
    """The encoder in a folder of a Hugging Face model, such as BERT (Devlin et al. 2019), MiniLM, ViT or wav2vec2, frozen or trained.

    It has an embedding of its own and is handed what its model reads: token ids, pixels or samples. The states are the model's
    last ones, the summary is their mean (Reimers & Gurevych 2019); a pooler has no work and is left out. A model that reads
    tokens may have another id for padding than 0: the two change places. Images are of the one size that the model knows. Audio is read a row at a time:
    wav2vec2's group norm would hear the padding of a batch; its SpecAugment is off, for it is training's
    matter, and so is its dropping of whole layers, of which no states would be left.
    """

    Config = PretrainedConfig
    gives = frozenset({"states", "summary", "layers"})
    trained_elsewhere = True

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _build(config)
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = None
        self.model.requires_grad_(not config.frozen)

    def begin(self) -> None:
        """Take the parameters out of the folder. Raises ModelError if they are not there as safetensors, or of another model."""
        folder = self.config.folder
        if not folder or not Path(folder).is_dir():
            raise ModelError(f"encoder.folder = {folder!r} is not there: name the folder of a Hugging Face model")
        try:
            with _quiet():
                found, told = type(self.model).from_pretrained(
                    folder,
                    config=self.model.config,
                    local_files_only=True,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{folder}: the parameters cannot be read ({error}): a model.safetensors is needed, which a model saved by "
                "transformers has"
            ) from error
        own = dict(self.model.named_parameters())
        if missing := sorted(own.keys() & told["missing_keys"]):
            raise ModelError(
                f"{folder}: model.safetensors lacks {len(missing)} parameters of the model that config.json describes, such as "
                f"{missing[0]}: copy the folder again"
            )
        self.model.load_state_dict({name: one for name, one in found.named_parameters() if name in own})

    def train(self, mode: bool = True) -> Self:
        """To training or back; what is frozen stays as it is when it is used."""
        return super().train(mode and not self.config.frozen)

    def forward(self, vectors_BSD: Tensor, mask_BS: Tensor) -> Memory:
        """The memory of what the model reads: ids (B, S), pixels (B, C, H, W) or samples (B, N), with their mask.

        Raises ModelError for a source that is longer, or an image that is larger or smaller, than the model takes.
        """
        read = {"tokens": self._read_tokens, "pixels": self._read_pixels, "samples": self._read_samples}
        return read[self.config.reads](vectors_BSD, mask_BS)

    def _read_tokens(self, ids_BS: Tensor, mask_BS: Tensor) -> Memory:
        told = self.config.told
        padding = self.config.padding
        most = told.get("max_position_embeddings", ids_BS.shape[1]) - (padding + 1 if padding else 0)
        if ids_BS.shape[1] > most > 0:
            raise ModelError(
                f"a source of {ids_BS.shape[1]} tokens is longer than the {most} that the pretrained encoder takes: "
                f"set text.max_length = {most}, so that longer texts are split"
            )
        return self._memory(self._states(swap_padding(ids_BS, padding), mask_BS), mask_BS)

    def _read_pixels(self, pixels_BCHW: Tensor, mask_BHW: Tensor) -> Memory:
        side = self.config.told["image_size"]
        wanted = (side, side) if isinstance(side, int) else tuple(side)
        if tuple(pixels_BCHW.shape[2:]) != wanted or not mask_BHW.all():
            raise ModelError(
                f"the pretrained encoder takes images of {wanted[0]} × {wanted[1]} pixels, and these are of "
                f"{pixels_BCHW.shape[2]} × {pixels_BCHW.shape[3]} with their padding: scale them to that size"
            )
        layers = self._states(pixels_BCHW)
        return self._memory(layers, torch.ones_like(layers[-1][:, :, 0], dtype=torch.bool))

    def _read_samples(self, samples_BN: Tensor, mask_BN: Tensor) -> Memory:
        shortest = 1
        for kernel, step in list(zip(self.config.told["conv_kernel"], self.config.told["conv_stride"], strict=True))[
            ::-1
        ]:
            shortest = (shortest - 1) * step + kernel
        rows = [row[real][None] for row, real in zip(samples_BN, mask_BN, strict=True)]
        none = (samples_BN.new_zeros(1, 0, self.config.width),) * self.config.layers
        read = [self._states(row) if row.shape[1] >= shortest else none for row in rows]
        length_B = torch.tensor([layers[-1].shape[1] for layers in read], device=mask_BN.device)
        longest = max(1, int(length_B.max()))
        layers = [
            torch.cat([nn.functional.pad(one, (0, 0, 0, longest - one.shape[1])) for one in of_rows])
            for of_rows in zip(*read, strict=True)
        ]
        return self._memory(layers, torch.arange(longest, device=mask_BN.device) < length_B[:, None])

    def _states(self, source: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """The states (B, S, D) of each layer, of the last after the model's final norm, if it has one."""
        given = {_INPUTS[self.config.reads]: source}
        masked = {} if mask is None else {"attention_mask": mask.long()}
        out = self.model(**given, **masked, output_hidden_states=True, return_dict=True)
        return [*out.hidden_states[1:-1], out.last_hidden_state]

    @staticmethod
    def _memory(layers: list[Tensor], mask_BS: Tensor) -> Memory:
        states = for_products(layers[-1])
        return Memory(states, mask_BS, summary=mean(states, mask_BS), layers=(*layers[:-1], states))


def swap_padding(ids: Tensor, padding: int) -> Tensor:
    """Token ids in which 0 and `padding` have changed places, so that 0 is padding here and `padding` there."""
    if padding == 0:
        return ids
    return torch.where(ids == 0, padding, torch.where(ids == padding, 0, ids))


def _read(folder: Any) -> str:
    if not folder:
        raise ValueError("encoder.folder is missing: name the folder of a Hugging Face model, with its config.json")
    try:
        return (Path(folder) / "config.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, TypeError):
        raise ValueError(
            f"encoder.folder = {str(folder)!r} has no config.json: name the folder of a Hugging Face model"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar and its report of what a file holds beyond the encoder."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def _build(config: PretrainedConfig) -> Any:
    """The model of an architecture, with parameters to be filled; code that came with it is never run."""
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError:
        raise ModelError(
            'encoder.kind = "pretrained" needs the library transformers, which is not installed: '
            'pip install "endash[pretrained]"'
        ) from None
    told = {name: value for name, value in config.told.items() if name not in {"auto_map", "torch_dtype", "dtype"}}
    kind = told.pop("model_type", None)
    try:
        architecture = AutoConfig.for_model(kind, **told | _OFF)
        model = AutoModel.from_config(architecture, dtype=torch.float32)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ModelError(
            f"encoder.folder holds a {kind!r}, which this transformers cannot build ({error}): use a model whose kind it knows"
        ) from error
    if model.main_input_name != _INPUTS[config.reads]:
        raise ModelError(
            f"encoder.folder holds a {kind!r}, which reads {model.main_input_name}: {', '.join(_INPUTS.values())} can be read"
        )
    if unsaved := set(model.state_dict()) - dict(model.named_parameters()).keys():
        raise ModelError(
            f"encoder.folder holds a {kind!r}, whose {', '.join(sorted(unsaved)[:3])} are no parameters and would not be "
            "saved: use a model without batch norm"
        )
    return model
