"""Sphinx: ``make docs``."""

import importlib
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from pygments.lexers.special import TextLexer

from seisbench_llm.seisbench_private import annotate_arguments

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Notebooks run in processes of their own: one thread each, no progress bars, no network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["TQDM_DISABLE"] = "1"
os.environ["NO_COLOR"] = "1"
# Of tqdm, which misses widgets that no page uses.
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"
# The commands of the notebooks are those of this environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

REPOSITORY = "https://github.com/OWNER/seisbench_llm"

project = "seisbench_llm"
author = "The seisbench_llm developers"
copyright = "The seisbench_llm developers, GPL-3.0"
release = version = version_of("seisbench_llm")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "generated_pages",
    "notebook_links",
]
exclude_patterns = ["_build", "_generated", "**/.ipynb_checkpoints"]
html_theme = "furo"
html_title = f"seisbench_llm {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_theme_options = {
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
}
html_last_updated_fmt = None
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True
# Of a notebook, pages do not show the paths of the machine that built them.
nb_execution_in_temp = True

autodoc_typehints = "none"
autodoc_member_order = "bysource"
# Those of Lightning are for its own pages.
autodoc_inherit_docstrings = False

linkcheck_ignore = [rf"{REPOSITORY}.*"]
linkcheck_timeout = 20


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
    # The list in CONTRIBUTING that a test reads.
    app.add_lexer("imports", TextLexer)
