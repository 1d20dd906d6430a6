"""What the formats want to know of subject and dictionary, from the settings of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glossator.exports.context import ExportContext, ExportKind, safe_corpus_name
from glossator.records import SiteKind, SiteRef

if TYPE_CHECKING:
    from glossator.session import Session
else:
    Session = Any


def export_context(session: Session, kind: ExportKind) -> ExportContext:
    """The context of an export; loads the dictionary for Delphi, and the subject too for Neuronpedia."""
    context = ExportContext(names=session.names(), corpus=safe_corpus_name(session.settings.corpus))
    if kind in (ExportKind.JSONL, ExportKind.CSV):
        return context
    site = session.dictionary.site
    if kind is ExportKind.DELPHI:
        return context.model_copy(update={"site": site})
    subject = session.subject
    hidden = subject.site_width(SiteRef(layer=site.layer, kind=SiteKind.MLP_HIDDEN))
    return context.model_copy(
        update={"site": site, "n_layers": subject.n_layers, "neurons_per_layer": hidden}
    )
