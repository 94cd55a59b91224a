"""The `congdanso` command: gathers its subcommands, and turns what goes wrong into one line."""

from __future__ import annotations

import sys
import warnings

import click

from congdanso.commands import (
    announcements,
    benches,
    channels,
    language,
    library,
    oa,
    officers,
    operation,
    outreach,
    questions,
    serving,
    talking,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="congdanso")
def cli() -> None:
    """Công dân số: hỏi đáp dịch vụ công bằng tiếng Việt, có ghi nguồn."""


for command in (
    serving.serve,
    serving.worker,
    talking.chat,
    talking.ask,
    talking.understand,
    talking.talk,
    talking.place,
    language.train,
    language.evaluate,
    benches.bench,
    library.content,
    announcements.announce,
    questions.questions,
    outreach.stats,
    officers.user,
    channels.channel,
    operation.db,
    operation.doctor,
):
    cli.add_command(command)
oa.add_to(channels.channel)


def main() -> None:
    """Run the command; what goes wrong is one line, not a traceback."""
    warnings.filterwarnings("ignore")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        cli(prog_name="congdanso")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
