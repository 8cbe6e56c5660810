"""``python -m seisbench_llm`` does what the command ``seisbench-llm`` does."""

from .cli import main

main()
