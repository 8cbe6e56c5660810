"""Sphinx: ``make docs``."""

import importlib
from importlib.metadata import version as version_of

from docutils import nodes
from docutils.parsers.rst import Directive

from seisbench_llm.seisbench_private import annotate_arguments

project = "seisbench_llm"
author = "seisbench_llm developers"
release = version = version_of("seisbench_llm")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "sphinx_rtd_theme"
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
# Those of Lightning are for its own pages.
autodoc_inherit_docstrings = False
# Links to folders of the repository, which are no pages.
suppress_warnings = ["myst.xref_missing"]


class DocumentArgs(Directive):
    """The arguments of ``annotate`` and ``classify``, from ``_annotate_args``, as in SeisBench."""

    required_arguments = 2

    def run(self):
        module, name = self.arguments
        known = annotate_arguments(getattr(importlib.import_module(module), name))
        items = nodes.bullet_list()
        for key, (text, default) in known.items():
            entry = nodes.paragraph()
            entry += nodes.literal(text=key.replace("*_", "<phase>_"))
            entry += nodes.Text(f": {text} (default: {default})")
            items += nodes.list_item("", entry)
        title = nodes.paragraph()
        title += nodes.strong(text="Arguments of annotate and classify")
        return [title, items]


def setup(app):
    app.add_directive("document_args", DocumentArgs)
