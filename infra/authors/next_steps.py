"""Writes the text that an author reads after `make consumer`."""

from pathlib import Path

from infra.authors.scaffold import Scaffolded

_TEXT = """\
Written:
  {module}: what {command} does; start here
  {test}: its test
  {schema}: what its senders may rely on
  {catalog}: its topic, time-out and memory
Next:
  .venv/bin/python -m pytest {test}
  make check      (what a commit must pass)
  echo '{{"reference": "4711"}}' > message.json
  make try COMMAND={command} FILE=message.json
  make schemas    (after each change of {request})
  make local      (one that runs has taken the new command up already), and then
  .venv/bin/smartlink publish acme {command} --downstream --from-file message.json
  make test"""


def next_steps(root: Path, made: Scaffolded) -> str:
    """List the new files by their place in the checkout, and the next commands in their order."""
    return _TEXT.format(
        module=made.module.relative_to(root),
        test=made.test.relative_to(root),
        schema=made.schema.relative_to(root),
        catalog=made.catalog.relative_to(root),
        command=made.names.command,
        request=made.names.request,
    )
