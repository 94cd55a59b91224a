"""`python -m congdanso` is the `congdanso` command."""

from congdanso.cli import main

main()
