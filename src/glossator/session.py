"""Settings made into things, each when it is first asked for.

Opening an index that stands needs neither the subject nor the dictionary: `index_passport` leads to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from glossator.errors import UnknownNameError
from glossator.index_passport import IndexPassport, passport_key, read_passport, source_stamp, write_passport
from glossator.records import FeatureNames, SiteKind, SiteRef, content_id
from glossator.settings import Settings

if TYPE_CHECKING:
    from glossator.memory.findings_index import FindingsIndex
    from glossator.memory.ledger import Ledger
    from glossator.probes.activation_index import ActivationIndex, BuildProgress, ShardEncoder
    from glossator.probes.corpus import Corpus
    from glossator.probes.dictionary import Dictionary
    from glossator.probes.sentence_embedder import Embedder
    from glossator.probes.subject import Subject
    from glossator.probes.text_activations import TextActivations
    from glossator.probes.text_losses import PrefixLosses
    from glossator.probes.token_effects import TokenEffects
    from glossator.report.progress import TaskProgress
else:
    ActivationIndex = BuildProgress = Corpus = Dictionary = Embedder = FindingsIndex = Ledger = Any
    PrefixLosses = ShardEncoder = Subject = TaskProgress = TextActivations = TokenEffects = Any

STARTER_SUBJECT_NAME = "smollm2-135m"
EFFECTS = 10
"""Output tokens promoted and suppressed that a card shows of each."""


class Session:
    """One run of a command over one set of settings. Use as a context manager, or call `close`."""

    def __init__(self, settings: Settings, progress: TaskProgress | None = None) -> None:
        self.settings = settings
        self._progress, self._stage = progress, ""
        self._ledger: Ledger | None = None
        self._findings: FindingsIndex | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ledger and the findings index."""
        for store in (self._findings, self._ledger):
            if store is not None:
                store.close()
        self._findings = self._ledger = None

    @property
    def ledger_place(self) -> str | Path:
        """File or URL of the ledger."""
        return self.settings.ledger_url or self.settings.home / "ledger.sqlite"

    @property
    def findings_place(self) -> str | Path:
        """Folder or URL of the findings index."""
        return self.settings.chroma_url or self.settings.home / "findings"

    @property
    def indexes_folder(self) -> Path:
        """Folder of all activation indexes."""
        return self.settings.home / "indexes"

    def ledger(self) -> Ledger:
        """The ledger, opened once."""
        if self._ledger is None:
            from glossator.memory.ledger import Ledger as OpenedLedger

            self._ledger = OpenedLedger.open(self.ledger_place)
        return self._ledger

    def findings(self) -> FindingsIndex:
        """The findings index, opened once; not yet brought up to the ledger."""
        if self._findings is None:
            from glossator.memory.findings_index import FindingsIndex as OpenedFindings

            url = self.settings.chroma_url
            if url is not None:
                self._findings = OpenedFindings.connect(url, self.embedder)
            else:
                self._findings = OpenedFindings.open(self.settings.home / "findings", self.embedder)
        return self._findings

    @cached_property
    def embedder(self) -> Embedder:
        """The sentence embedder; the starter one is fetched where missing."""
        from glossator.probes.sentence_embedder import HashingEmbedder, SentenceEmbedder
        from glossator.probes.stored_embeddings import StoredEmbeddings
        from glossator.starter_assets import starter_embedder_path

        chosen = self.settings.embedder
        if chosen == "hashing":
            return HashingEmbedder()
        folder = (
            starter_embedder_path(self.settings.cache, self._report_fetch)
            if chosen == "starter"
            else Path(chosen).expanduser()
        )
        return StoredEmbeddings(SentenceEmbedder(folder), self.settings.cache / "vectors")

    @cached_property
    def subject(self) -> Subject:
        """The subject, loaded; the starter one is fetched where missing."""
        import torch

        from glossator.probes.subject import load_subject
        from glossator.starter_assets import starter_subject_path

        if self.settings.threads is not None:
            torch.set_num_threads(self.settings.threads)
        name, source = None, self.settings.subject
        if source == "starter":
            path = starter_subject_path(self.settings.cache, self._report_fetch)
            name, source = STARTER_SUBJECT_NAME, str(path)
        return load_subject(
            source,
            name=name,
            dtype=self.settings.dtype,
            device=self.settings.device,
            cache=self.settings.cache / "converted",
        )

    @cached_property
    def dictionary(self) -> Dictionary:
        """The dictionary, loaded."""
        from glossator.probes.dictionary_formats import load_dictionary
        from glossator.starter_assets import starter_dictionary_path

        chosen, site = self.settings.dictionary, self.settings.site
        if chosen == "starter":
            chosen = str(starter_dictionary_path())
        where = None if site is None else SiteRef.parse(site)
        return load_dictionary(chosen, site=where, width=self._neurons_width(chosen))

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus, not yet read."""
        from glossator.probes.corpus import Corpus as ReadCorpus

        return ReadCorpus(self._corpus_source)

    def passport(self) -> IndexPassport | None:
        """What is known of the index without loading anything; None where it must be looked up."""
        found = read_passport(self.indexes_folder / "passports", passport_key(self.settings))
        return found if found and (self.indexes_folder / found.folder).is_dir() else None

    def names(self) -> FeatureNames:
        """Names of subject and dictionary; loads them where no index stands yet."""
        known = self.passport()
        if known is not None:
            return FeatureNames(known.subject, known.dictionary)
        return FeatureNames(self.subject.name, self.dictionary.name)

    def n_features(self) -> int:
        """Features of the dictionary; loads it where no index stands yet."""
        known = self.passport()
        return self.dictionary.n_features if known is None else known.n_features

    def index(self, *, build: bool = True) -> ActivationIndex:
        """The activation index that the settings ask for, built or finished where need be.

        Raises:
            UnknownNameError: It does not stand yet and `build` is False.

        """
        from glossator.probes.activation_index import ActivationIndex as OpenedIndex

        known = self.passport()
        if known is not None:
            return OpenedIndex.open(self.indexes_folder / known.folder)
        if not build:
            raise UnknownNameError("there is no activation index for these settings: glossator index build")
        return self.build_index()

    def token_effects(self) -> Callable[[int], TokenEffects]:
        """Promoted and suppressed output tokens of a feature; loads the subject at the first call."""

        def effects(feature: int) -> TokenEffects:
            from glossator.probes.token_effects import to_residual, top_token_effects

            directions = self.dictionary.directions()[feature : feature + 1]
            residual = to_residual(self.subject, self.dictionary.output_site, directions)
            return top_token_effects(self.subject, residual[0], EFFECTS)

        return effects

    def text_activations(self) -> TextActivations:
        """A feature's activation on texts that no index holds; loads subject and dictionary."""
        from glossator.probes.text_activations import TextActivations as Activations

        return Activations(self.subject, self.dictionary, context=self.settings.context)

    def prefix_losses(self) -> PrefixLosses:
        """The subject's losses on texts after a prefix; loads the subject."""
        from glossator.probes.text_losses import PrefixLosses as Losses

        return Losses(self.subject)

    def build_index(self, encoder: ShardEncoder | None = None) -> ActivationIndex:
        """Build the index that the settings ask for; finishes or repairs one that stands.

        Its shards are encoded by `encoder`, or by this process.
        """
        from glossator.probes.activation_index import build_index

        name = f"{self.subject.name}-{self.dictionary.name}"
        identity = [
            self.subject.fingerprint(), str(self.subject.dtype), self.dictionary.fingerprint(),
            source_stamp(self._corpus_source), self.settings.tokens, self.settings.context,
        ]  # fmt: skip
        folder = content_id(name, identity)
        index = build_index(
            self.indexes_folder / folder,
            self.subject,
            self.dictionary,
            self.corpus,
            tokens=self.settings.tokens,
            context=self.settings.context,
            progress=self._report_build,
            encoder=encoder,
        )
        passport = IndexPassport(
            folder=folder,
            subject=self.subject.name,
            dictionary=self.dictionary.name,
            n_features=self.dictionary.n_features,
        )
        write_passport(self.indexes_folder / "passports", passport_key(self.settings), passport)
        return index

    def _neurons_width(self, chosen: str) -> int | None:
        """Width of the neurons that `neurons:LAYER` names; only the subject knows it."""
        layer = chosen.removeprefix("neurons:")
        if layer == chosen or not layer.isdigit():
            return None
        return self.subject.site_width(SiteRef(layer=int(layer), kind=SiteKind.MLP_HIDDEN))

    def _report_build(self, progress: BuildProgress) -> None:
        unit = {"reading": "documents", "encoding": "tokens"}.get(progress.stage, "shards")
        self._report(f"index: {progress.stage}", unit, progress.done, progress.total or None)

    def _report_fetch(self, asset: str, done: int, total: int | None) -> None:
        self._report(f"fetching the {asset}", "bytes", done, total)

    def _report(self, stage: str, unit: str, done: int, total: int | None) -> None:
        if self._progress is None:
            return
        if stage != self._stage:
            self._stage = stage
            self._progress.stage(stage, unit)
        self._progress.advance(done, total)

    @property
    def _corpus_source(self) -> str:
        from glossator.starter_assets import starter_corpus_path

        return str(starter_corpus_path()) if self.settings.corpus == "starter" else self.settings.corpus
