"""The directive `public-names`: every name of `reprocore.__all__`, by the kind of thing it is."""

import inspect
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import reprocore

_MEMBERS = ["   :members:", "   :exclude-members: model_config"]


class PublicNames(SphinxDirective):
    """Document all public names with autodoc, so that none is left out."""

    def run(self) -> list[nodes.Node]:
        """Return the nodes of one `autoclass`, `autofunction` or `autodata` for each name."""
        lines = [line for name in reprocore.__all__ for line in _directive(name)]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, "reprocore"), self.content_offset, container)
        return container.children


def _directive(name: str) -> list[str]:
    value: Any = getattr(reprocore, name)
    if inspect.isclass(value):
        members = [] if issubclass(value, Exception) else _MEMBERS
        return ["```{eval-rst}", f".. autoclass:: reprocore.{name}", *members, "```", ""]
    kind = "autofunction" if callable(value) else "autodata"
    hidden = ["   :no-value:"] if kind == "autodata" else []
    return ["```{eval-rst}", f".. {kind}:: reprocore.{name}", *hidden, "```", ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
