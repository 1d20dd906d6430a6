"""The rows of Neuronpedia's bulk files, with its names of columns.

Columns as `utils/neuronpedia-utils/neuronpedia_utils/export-data.py` writes them and
`apps/webapp/prisma/schema.prisma` stores them (github.com/hijohnnylin/neuronpedia). What is not known is
null or empty, never left out: the importer takes the columns from the first line of a file.
"""

from __future__ import annotations

from glossator.exports.score_rows import ScoreDetails
from glossator.records import Record

Floats = tuple[float, ...]
Ints = tuple[int, ...]
Texts = tuple[str, ...]


class ReleaseRow(Record):
    """`release.jsonl`: what was published together."""

    name: str
    visibility: str
    description: str
    descriptionShort: str | None
    urls: Texts
    creatorEmail: str | None
    creatorName: str
    creatorNameShort: str | None
    creatorId: str
    defaultSourceSetName: str | None
    defaultSourceId: str | None


class ModelRow(Record):
    """`model.jsonl`."""

    id: str
    displayNameShort: str
    displayName: str
    creatorId: str
    visibility: str
    layers: int
    neuronsPerLayer: int
    owner: str


class SourceSetRow(Record):
    """`sourceset.jsonl`: dictionaries of one kind over a model."""

    modelId: str
    name: str
    visibility: str
    description: str
    type: str
    creatorName: str
    urls: Texts
    creatorEmail: str | None
    creatorId: str
    releaseName: str


class SourceRow(Record):
    """`source.jsonl`: one dictionary."""

    id: str
    modelId: str
    visibility: str
    setName: str
    creatorId: str
    dataset: str | None
    notes: str | None


class FeatureRow(Record):
    """`features/batch-n.jsonl.gz`: `Neuron` less `createdAt`, `correlated_features_*` and `umap_*`."""

    modelId: str
    layer: str
    index: str
    maxActApprox: float
    creatorId: str
    frac_nonzero: float
    freq_hist_data_bar_heights: Floats
    freq_hist_data_bar_values: Floats
    logits_hist_data_bar_heights: Floats
    logits_hist_data_bar_values: Floats
    neuron_alignment_indices: Ints
    neuron_alignment_l1: Floats
    neuron_alignment_values: Floats
    correlated_neurons_indices: Ints
    correlated_neurons_l1: Floats
    correlated_neurons_pearson: Floats
    decoder_weights_dist: Floats
    neg_str: Texts
    neg_values: Floats
    pos_str: Texts
    pos_values: Floats
    sourceSetName: str
    topkCosSimIndices: Ints
    topkCosSimValues: Floats
    vector: Floats
    vectorLabel: str | None
    hookName: str
    vectorDefaultSteerStrength: float | None
    hasVector: bool


class ActivationRow(Record):
    """`activations/batch-n.jsonl.gz`."""

    id: str
    modelId: str
    layer: str
    index: str
    creatorId: str
    dataSource: str | None
    tokens: Texts
    maxValue: float
    minValue: float
    values: Floats
    maxValueTokenIndex: int
    dfaValues: Floats
    dfaMaxValue: float | None
    dfaTargetIndex: int | None
    binContains: float
    binMin: float
    binMax: float


class ExplanationRow(Record):
    """`explanations/batch-n.jsonl.gz`, with `notes`, a column of the table that their writer leaves out."""

    id: str
    modelId: str
    layer: str
    index: str
    authorId: str
    description: str
    embedding: None
    typeName: None
    """Null: none of the registered types is how our labels are written."""
    explanationModelName: str
    umap_x: float
    umap_y: float
    umap_cluster: int
    umap_log_feature_sparsity: float
    notes: str
    """How and by whom it was written, and how it was decided that it stands."""


class ScoreRow(Record):
    """`scores/batch-n.jsonl.gz`, which Neuronpedia itself does not export: `ExplanationScore`, and one key
    that its importer passes over."""

    id: str
    value: float
    explanationId: str
    explanationScoreTypeName: str
    explanationScoreModelName: str
    initiatedByUserId: str
    jsonDetails: str
    """For registered types the list that their page shows; for ours the details."""
    glossatorDetails: ScoreDetails
    """What the number rests on, in every row: n, negatives, interval, baselines, held out or not."""


class ModelNameRow(Record):
    """`config/explanation_model_type.jsonl` and `config/explanation_score_model.jsonl`."""

    name: str
    displayName: str
    description: str
    featured: bool
    creatorName: str


class ScoreTypeRow(Record):
    """`config/explanation_score_type.jsonl`."""

    name: str
    displayName: str
    description: str
    featured: bool
    scoreDescription: str | None
    creatorName: str
    creatorId: str
