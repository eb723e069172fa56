"""`smc`: the command line of the Server Migration Center."""

import sys

import typer

from smc.base.errors import SmcError
from smc.cli import (
    diagnostics,
    drills,
    events,
    image_check,
    images,
    instance_move,
    job_create,
    job_life,
    job_modify,
    job_plan,
    jobs,
    keys,
    sources,
    subscriptions,
    tags,
    target,
    templates,
    tokens,
    users,
    verify,
    workgroups,
)
from smc.cli.appliance import appliance
from smc.cli.cloud import cloud
from smc.cli.output import show_error
from smc.cli.serve import serve

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Move running servers into a cloud as bootable images.",
)
app.command()(serve)
app.command()(appliance)
app.command()(cloud)
app.add_typer(tokens.app, name="token")
app.add_typer(sources.app, name="source")
app.add_typer(workgroups.app, name="workgroup")
app.add_typer(tags.app, name="tag")
app.add_typer(templates.app, name="template")
app.add_typer(jobs.app, name="job")
jobs.app.command("create")(job_create.create)
jobs.app.command("plan")(job_plan.plan)
jobs.app.command("modify")(job_modify.modify)
jobs.app.command("start")(job_life.start)
jobs.app.command("stop")(job_life.stop)
jobs.app.command("cutover")(job_life.cutover)
jobs.app.command("cancel")(job_life.cancel)
jobs.app.command("delete")(job_life.delete)
jobs.app.command("verify")(verify.verify)
jobs.app.command("verifications")(verify.verifications)
jobs.app.command("evidence")(verify.evidence)
jobs.app.command("check")(verify.check)
app.add_typer(drills.app, name="drill")
jobs.app.command("diagnostics")(diagnostics.diagnostics)
app.add_typer(keys.app, name="key")
app.add_typer(users.app, name="user")
app.add_typer(events.app, name="event")
app.add_typer(subscriptions.app, name="subscription")
app.add_typer(target.app, name="target")
app.add_typer(images.app, name="image")
images.app.command("check")(image_check.check)
images.instances.command("move")(instance_move.move)
app.add_typer(images.instances, name="instance")


def main() -> None:
    """The edge: an error on purpose becomes a sentence with its cure, and exit status 1."""
    try:
        app(prog_name="smc")
    except SmcError as e:
        show_error(e)
        sys.exit(1)


if __name__ == "__main__":
    main()
