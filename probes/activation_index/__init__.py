"""The activation index: where each feature fires, how strongly, how often, over a whole corpus.

Built once for a subject, a site, a dictionary and a corpus; read in milliseconds. The folder:

    manifest.json                   identity, layout, every file with size and SHA-256
    vocabulary.json.zlib            token texts
    SPLIT.ids .rows .documents.jsonl  tokens (`probes.token_store`)
    shards/SPLIT-NNNNN.safetensors  activations, feature-major (`shard`)
    statistics.safetensors          counts, maxima, histograms over explore (`statistics`)
"""

from glossator.probes.activation_index.build import build_index, identity_of
from glossator.probes.activation_index.identity import IndexIdentity
from glossator.probes.activation_index.progress import BuildProgress
from glossator.probes.activation_index.reader import ActivationIndex
from glossator.probes.activation_index.shard_encoders import ShardEncoder
from glossator.probes.activation_index.statistics import FeatureStatistics
from glossator.probes.activation_index.summary import IndexSummary, summarise

__all__ = [
    "build_index", "identity_of", "summarise",
    "ActivationIndex", "BuildProgress", "FeatureStatistics", "IndexIdentity", "IndexSummary",
    "ShardEncoder",
]  # fmt: skip
