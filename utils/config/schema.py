"""What a config may say: one pydantic model per YAML section, with the defaults.

Only shapes and ranges live here. `load.py` reads files, overrides and `extends`; `errors.py` says what is refused, and where.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from .transforms import Count, NonNegative, Positive, Probability, Section, SetName, Size, Transforms

Byte = Annotated[int, Field(ge=0, le=255)]
Color = tuple[Byte, Byte, Byte]


def _folder_name(text: str) -> str:
    if text != text.strip() or text in ("", ".", "..") or any(char in "/\\" or not char.isprintable() for char in text):
        raise ValueError(f"must be usable as the name of a folder, not {text!r}")
    return text


class ModelSection(Section):
    name: str  # a key of lib.MODELS, or package.module:Name (docs/extending.md), as encoder may be
    classes: Annotated[int, Field(ge=2, le=255)] | None = None  # scene parsing with so many; null: saliency
    class_names: tuple[str, ...] = ()  # of scene parsing, in tables and legends
    encoder: str | None = None  # any timm encoder, for models that end in _Light
    encoder_arguments: dict[str, Any] = Field(default_factory=dict)  # of an encoder from outside this package
    depth: Count | None = None
    base_size: Size = (384, 384)
    threshold: Count | None = None  # pyramid blending above this side length; null: one pass
    pretrained: bool | str = False
    alignment: Literal["as_trained", "corrected"] = "as_trained"
    attention: Literal["as_trained", "corrected"] = "as_trained"
    arguments: dict[str, Any] = Field(default_factory=dict)  # anything else that this model's constructor takes


# -- Dataset ------------------------------------------------------------------------------------------------------

# Synthetic and PaintedScenes: `limit` pairs per set, painted where absent. Scenes: masks are label maps
TYPES = ("RGB_Dataset", "Synthetic", "Scenes", "PaintedScenes")  # of data sets


class DatasetSection(Section):
    type: str = "RGB_Dataset"  # one of TYPES, or package.module:Name
    arguments: dict[str, Any] = Field(default_factory=dict)  # of a type from outside this package
    root: str
    mask_root: str | None = None  # where the masks of the same sets are; null: with the images
    sets: Annotated[tuple[SetName, ...], Field(min_length=1)]
    weights: tuple[Positive, ...] | None = None  # share of each set in an epoch, relative; null: each pair once
    transforms: Transforms
    on_bad_pair: Literal["error", "skip"] = "error"
    cache: Literal["none", "ram", "disk"] = "none"
    limit: Count | None = None  # take only so many pairs, evenly spread
    labels: Literal["none", "DIS5K"] = "none"  # class of each image by its name, for a network with classes
    ignore_label: Byte = 255  # of label maps: pixels that do not count

    @property
    def painted(self) -> bool:
        """Whether its pictures are made where they are absent."""
        return self.type in ("Synthetic", "PaintedScenes")

    @property
    def scenes(self) -> bool:
        """Whether its masks are label maps."""
        return self.type in ("Scenes", "PaintedScenes")

    @model_validator(mode="after")
    def _one_weight_per_set(self):
        if self.weights is not None and len(self.weights) != len(self.sets):
            raise ValueError(f"weights must have one number for each set: {len(self.sets)}, not {len(self.weights)}")
        return self


class DataloaderSection(Section):
    batch_size: Count = 1
    num_workers: Annotated[int, Field(ge=0)] = 2
    shuffle: bool = True
    pin_memory: bool = True


# -- Train --------------------------------------------------------------------------------------------------------


class OptimizerSection(Section):
    type: Literal["Adam", "AdamW", "SGD", "Muon"] = "Adam"
    lr: Positive = 1e-5  # of the encoder
    head_factor: Positive = 10.0  # everything else learns at lr * head_factor
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Probability = 0.9
    betas: tuple[Probability, Probability] = (0.9, 0.999)
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0  # an encoder layer's rate, as a share of the next one's
    scale_lr: Literal["none", "linear", "sqrt"] = "none"  # with the number of processes
    clip_norm: Positive | None = None
    accumulate: Count = 1


class SchedulerSection(Section):
    type: Literal["PolyLr", "Cosine", "Constant"] = "PolyLr"
    epoch: Count = 60
    warmup_iteration: Annotated[int, Field(ge=0)] = 12000
    fit_warmup: bool = True  # a warm-up as long as the run or longer is scaled to fit, and said so; false: an error
    minimum_lr: Annotated[float, Field(ge=0)] = 1e-7
    gamma: Positive = 0.9  # power of PolyLr


class TrainCheckpointSection(Section):
    checkpoint_dir: str | None = None  # null: snapshots/<name>
    checkpoint_epoch: Count = 1
    every_steps: Count | None = None
    every_minutes: Positive | None = None
    keep: Count = 2


class ValidationSection(Section):
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    folds: Annotated[int, Field(ge=2)] | None = None  # k-fold: the pairs in so many parts, of which one is held out
    fold: Annotated[int, Field(ge=0)] = 0  # which, from 0
    split_seed: Annotated[int, Field(ge=0)] | None = None  # of fraction and folds; null: the run's seed
    root: str | None = None
    mask_root: str | None = None  # null: with the images, or without a root of its own as in Dataset
    sets: tuple[SetName, ...] | None = None
    every: Count = 1  # epochs
    metric: str = "maxFm"
    mode: Literal["max", "min"] | None = None  # null: known from the metric
    patience: Count | None = None  # validations without progress before the run stops early

    @model_validator(mode="after")
    def _one_source(self):
        if sum(way is not None for way in (self.fraction, self.folds, self.sets)) != 1:
            raise ValueError("give exactly one of fraction, folds and sets")
        if self.sets is None and (self.root is not None or self.mask_root is not None):
            raise ValueError("root and mask_root are where the sets lie: name the sets, or leave both out")
        if self.fold >= (self.folds or 1):
            count = f"the folds are 0 to {self.folds - 1}" if self.folds else "there are no folds"
            raise ValueError(f"fold is {self.fold}, but {count}")
        return self


class LoRASection(Section):
    """The encoder stays as it is but for a low-rank correction of each linear layer, which learns with the head."""

    rank: Count = 8
    alpha: Positive = 16.0


class FineTuneSection(Section):
    weights: str | None = None  # start from these: a file, a run folder, or hf:owner/name
    strict: bool = True  # false: what fits is loaded, and what does not is said
    lora: LoRASection | None = None
    freeze_stages: Annotated[int, Field(ge=0, le=5)] = 0  # first encoder maps that do not learn
    freeze: tuple[str, ...] = ()  # names of modules that do not learn, also with wildcards: [backbone, context*]
    freeze_batchnorm: bool = False  # keep running statistics


class LossTerms(Section):
    """A number for each term of a loss; null: the recipe's own. Which terms there are: by the family of the model."""

    bce: NonNegative | None = None
    iou: NonNegative | None = None
    ssim: NonNegative | None = None
    mae: NonNegative | None = None
    mse: NonNegative | None = None
    contour: NonNegative | None = None
    structure: NonNegative | None = None
    haze: NonNegative | None = None
    edge: NonNegative | None = None


class LossSection(Section):
    """What the criterion takes beside the name of its loss; null: its own value. Which of them: by the family of the model."""

    arguments: dict[str, Any] | None = None  # of a loss from outside this package

    weights: LossTerms | None = None  # InSPyReNet, BiRefNet; 0 switches a term off
    finetune: Annotated[int, Field(ge=0)] | None = None  # BiRefNet: epochs of the region-loss phase, the last ones
    decay: LossTerms | None = None  # BiRefNet: by which weights are multiplied in every epoch of that phase
    gradient: NonNegative | None = None  # BiRefNet: weight of the gradient loss
    classification: NonNegative | None = None  # BiRefNet: weight of the class loss
    iou_reduction: Literal["sum", "mean"] | None = None  # BiRefNet: over the batch
    aux_weight: NonNegative | None = None  # PSPNet: of the auxiliary head
    eta: NonNegative | None = None  # InSPyReNet: weight of the pyramidal consistency
    ssim: NonNegative | None = None  # InSPyReNet, loss region: weight of the SSIM of every scale
    haze: NonNegative | None = None  # InSPyReNet, loss region: weight of what is undecided away from edges


class TrainSection(Section):
    Dataset: DatasetSection
    Dataloader: DataloaderSection = DataloaderSection()
    Optimizer: OptimizerSection = OptimizerSection()
    Scheduler: SchedulerSection = SchedulerSection()
    Checkpoint: TrainCheckpointSection = TrainCheckpointSection()
    Validation: ValidationSection | None = None
    FineTune: FineTuneSection = FineTuneSection()
    Loss: str = "released"
    LossArguments: LossSection = LossSection()
    Tracker: str | None = None  # trackio, wandb, mlflow, or package.module:Name
    TrackerArguments: dict[str, Any] = Field(default_factory=dict)
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    activation_checkpointing: bool = False
    cuda_graph: bool = False


# -- Test and Eval ------------------------------------------------------------------------------------------------


def _for_tests(dataset: DatasetSection) -> DatasetSection:
    if dataset.transforms.random_size or dataset.transforms.random_crop:
        raise ValueError("a test needs static_resize or dynamic_resize")
    if dataset.weights is not None:
        raise ValueError("a test takes every image once: leave weights out")
    return dataset


class TestCheckpointSection(Section):
    checkpoint_dir: str | None = None  # a run folder (its best or latest file), one weights file, or hf:owner/name


class TestSection(Section):
    Dataset: Annotated[DatasetSection, AfterValidator(_for_tests)]
    Dataloader: DataloaderSection = DataloaderSection()
    Checkpoint: TestCheckpointSection = TestCheckpointSection()
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    normalize: Literal["none", "minmax"] = "none"  # minmax: stretch every map to the full range
    patch_merging: bool = False
    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0,)  # the mean of copies of these sizes
    flip: bool = False  # the mean with what the mirrored image gives
    crop: Size | None = None  # scene parsing: windows of this size over each scaled copy; null: the whole copy at once
    palette: tuple[Color, ...] | None = None  # scene parsing: RGB of every class; null: the colors of PASCAL VOC
    overlay: bool = False  # scene parsing: also write pictures with colored classes and a legend


class EvalSection(Section):
    gt_root: str | None = None  # null: Test.Dataset.root
    pred_root: str | None = None  # null: snapshots/<name>
    result_path: str = "results"
    datasets: tuple[SetName, ...] | None = None  # null: Test.Dataset.sets
    metrics: tuple[str, ...] = ("Sm", "mae", "adpEm", "maxEm", "avgEm", "adpFm", "maxFm", "avgFm", "wFm", "mBA")
    metric_arguments: dict[str, dict[str, Any]] = Field(
        default_factory=dict
    )  # of metrics from outside this package, by their names
    conventions: Literal["pysod", "published"] = "pysod"
    cited: str | None = None  # a file of published figures for the paper's table; published: the shipped one
    num_workers: Annotated[int, Field(ge=0)] = 0  # 0: one process per core


Pipeline = Literal["fast", "pil"]


class DebugSection(Section):
    """The formulations that are compared when something looks wrong; results agree up to rounding."""

    fast: bool = True  # false: the networks' reference formulation, slower and in more memory
    pipeline: Pipeline = "fast"  # pil: the published augmentation, one operation after the other


class Config(Section):
    """One experiment. `Train`, `Test` and `Eval` may each be absent: then that command says so."""

    name: Annotated[str, AfterValidator(_folder_name)]  # of the run; default: the file's stem
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0  # NumPy takes 32 bits, and processes add to it
    note: str | None = None  # printed with every table, e.g. that training saw test sets
    plugin_folders: tuple[str, ...] | None = None  # of package.module:Name; null: the config's own folder
    Model: ModelSection | None = None
    Train: TrainSection | None = None
    Test: TestSection | None = None
    Eval: EvalSection = EvalSection()
    Debug: DebugSection = DebugSection()
